//! Chains on a real disk, over starts, tears and bounds.

use hustings_evidence::chain::{Expect, LostWhy, Verified};
use hustings_evidence::row::{Happening, NodeRow, Row, What};

use super::*;
use crate::ops::flight::read;

const SECRET: [u8; 32] = [3; 32];
const KEEP: u64 = 256 << 10;

fn open(folder: &Path) -> (Segments, Found) {
    Segments::open(folder, &SECRET, false, KEEP).expect("opened")
}

fn row(second: u64) -> Row {
    let at = UnixMillis(1_723_492_800_000 + second * 1_000);
    Row::Node(Box::new(NodeRow {
        at,
        up_ms: second * 1_000,
        ..NodeRow::default()
    }))
}

fn write(segments: &mut Segments, seconds: std::ops::Range<u64>) {
    for second in seconds {
        let row = row(second);
        segments
            .append(UnixMillis(second), |chain, out| chain.row(&row, out))
            .expect("appended");
        if second % 60 == 0 {
            segments.sign(UnixMillis(second)).expect("signed");
        }
    }
}

fn verified(folder: &Path) -> Verified {
    read(folder, Expect::default(), |_| {}).expect("whole")
}

#[test]
fn a_chain_goes_on_over_starts_and_old_segments_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut segments, found) = open(dir.path());
    assert!(!found.goes_on && found.lost.is_none() && found.killed_at.is_none());
    write(&mut segments, 0..500);
    drop(segments);
    let (mut segments, found) = open(dir.path());
    assert!(found.goes_on && found.lost.is_none());
    assert_eq!(
        found.killed_at,
        Some(UnixMillis(1_723_492_800_000 + 499_000))
    );
    assert_eq!(verified(dir.path()).node_rows, 500);
    write(&mut segments, 500..3_000);
    let told = verified(dir.path());
    assert!(told.first > 1 && told.node_rows < 3_000, "{told:?}");
    let on_disk: u64 = list(dir.path())
        .expect("listed")
        .iter()
        .map(|path| path.metadata().expect("there").len())
        .sum();
    assert!(
        on_disk <= KEEP + KEEP / SEGMENT_PART + 4_096 && on_disk == segments.bytes(),
        "{on_disk}"
    );
    let ended = Row::Happening(Happening {
        what: What::NodeStopped,
        ..Happening::default()
    });
    segments
        .append(UnixMillis(1), |chain, out| chain.row(&ended, out))
        .expect("appended");
    drop(segments);
    assert!(open(dir.path()).1.killed_at.is_none());
}

/// As the recorder writes it: what happened, and then the row of that second.
#[test]
fn a_node_that_said_that_it_ends_was_not_killed_and_the_next_run_may_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut segments, _) = open(dir.path());
    write(&mut segments, 0..20);
    let happened = |what| {
        Row::Happening(Happening {
            what,
            at: UnixMillis(77),
            ..Happening::default()
        })
    };
    let append = |segments: &mut Segments, row: &Row| {
        let done = segments.append(UnixMillis(1), |chain, out| chain.row(row, out));
        done.expect("appended");
    };
    append(&mut segments, &happened(What::NodeStopped));
    append(&mut segments, &row(20));
    drop(segments);
    let (mut segments, found) = open(dir.path());
    assert_eq!(found.killed_at, None);
    append(&mut segments, &happened(What::NodeStarted));
    drop(segments);
    let (mut segments, found) = open(dir.path());
    assert_eq!(
        found.killed_at,
        Some(UnixMillis(77)),
        "killed in its first second"
    );
    append(&mut segments, &row(21));
    drop(segments);
    assert!(open(dir.path()).1.killed_at.is_some_and(|at| at.0 > 77));
}

/// Wherever a kill tears the last write, the next start goes on and the chain holds.
#[test]
fn a_torn_line_is_taken_away_and_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut segments, _) = open(dir.path());
    write(&mut segments, 0..20);
    drop(segments);
    let path = list(dir.path()).expect("listed").pop().expect("one");
    let text = std::fs::read(&path).expect("read");
    for cut in (1..600).step_by(7) {
        std::fs::write(&path, &text[..text.len() - cut]).expect("written");
        let (mut segments, found) = open(dir.path());
        let whole = text[..text.len() - cut].ends_with(b"\n");
        assert_eq!(found.lost.is_none(), whole, "cut {cut}");
        segments
            .append(UnixMillis(1), |chain, out| {
                found
                    .lost
                    .into_iter()
                    .for_each(|lost| chain.lost(lost, out));
                chain.row(&row(99), out);
            })
            .expect("appended");
        drop(segments);
        verified(dir.path());
    }
}

#[test]
fn what_was_changed_meanwhile_is_gone_on_from_and_still_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut segments, _) = open(dir.path());
    write(&mut segments, 0..20);
    drop(segments);
    let path = list(dir.path()).expect("listed").pop().expect("one");
    let mut text = std::fs::read(&path).expect("read");
    text[1_000] ^= 1;
    std::fs::write(&path, &text).expect("written");
    let (mut segments, found) = open(dir.path());
    assert_eq!(found.lost.map(|lost| lost.why), Some(LostWhy::Broken));
    write(&mut segments, 20..30);
    assert!(read(dir.path(), Expect::default(), |_| {}).is_err());
}

#[test]
fn without_its_key_a_chain_is_put_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut segments, _) = open(dir.path());
    write(&mut segments, 0..5);
    drop(segments);
    let opened = Segments::open(dir.path(), &[4; 32], true, KEEP).expect("opened");
    assert!(!opened.1.goes_on);
    assert!(list(dir.path()).expect("listed").is_empty());
    let aside = std::fs::read_dir(dir.path())
        .expect("read")
        .flatten()
        .next();
    assert_eq!(verified(&aside.expect("put aside").path()).node_rows, 5);
}
