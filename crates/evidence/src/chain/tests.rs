//! Of the chain: what is changed, cut or put in is found.

use hustings_control::ids::{SpaceId, UnixMillis};
use proptest::prelude::*;

use super::*;
use crate::row::{Happening, NodeRow, Row, SpaceRow, What};

const SECRET: [u8; 32] = [7; 32];
const T0: u64 = 1_723_492_800_000;

fn node(second: u64) -> Row {
    let mut row = NodeRow {
        at: UnixMillis(T0 + second * 1_000),
        took_ms: 1_000,
        ..NodeRow::default()
    };
    row.knocks.free.offered = second as u32;
    Row::Node(Box::new(row))
}

/// Two segments of some seconds, the second begun by size; and the head at the end of the first minute.
fn chain() -> (Vec<Vec<u8>>, Head) {
    let mut writer = Writer::new(&SECRET, Tip::default());
    let (mut one, mut two) = (Vec::new(), Vec::new());
    writer.begin(UnixMillis(T0), &mut one);
    writer.row(
        &Row::Happening(Happening {
            what: What::NodeStarted,
            ..Happening::default()
        }),
        &mut one,
    );
    (1..4).for_each(|second| writer.row(&node(second), &mut one));
    let head = writer.sign(UnixMillis(T0 + 3_000), &mut one);
    let space = SpaceRow {
        space: SpaceId::parse("town-hall").ok(),
        ..SpaceRow::default()
    };
    writer.row(&Row::Space(Box::new(space)), &mut one);
    writer.begin(UnixMillis(T0 + 4_000), &mut two);
    (5..7).for_each(|second| writer.row(&node(second), &mut two));
    (vec![one, two], head)
}

fn verify(segments: &[Vec<u8>], expect: Expect) -> Result<Verified, Fault> {
    let mut verifier = Verifier::new(expect);
    for (number, segment) in segments.iter().enumerate() {
        verifier.segment(&format!("{number}.jsonl"));
        for line in segment.split_inclusive(|byte| *byte == b'\n') {
            verifier.line(line)?;
        }
    }
    verifier.end()
}

fn whole(segments: &[Vec<u8>]) -> Verified {
    verify(segments, Expect::default()).expect("whole")
}

fn fault(segments: &[Vec<u8>]) -> Fault {
    verify(segments, Expect::default()).expect_err("this does not hold")
}

fn lines(segment: &[u8]) -> Vec<Vec<u8>> {
    segment
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn a_whole_chain_is_counted() {
    let (segments, head) = chain();
    let told = whole(&segments);
    assert_eq!(
        (
            told.node_rows,
            told.space_rows,
            told.happenings,
            told.starts
        ),
        (5, 1, 1, 1)
    );
    assert_eq!(
        (told.segments, told.first, told.signatures, told.unsigned),
        (2, 1, 3, 2)
    );
    assert_eq!(
        (told.from, told.to),
        (UnixMillis(T0 + 1_000), UnixMillis(T0 + 6_000))
    );
    assert_eq!((told.torn_bytes, told.lost_rows, told.unknown), (0, 0, 0));
    assert!(head.is_signed() && !Head { n: 3, ..head }.is_signed());
    let expect = Expect {
        key: Some(head.key),
        heads: vec![head.tip()],
        ..Expect::default()
    };
    assert_eq!(verify(&segments, expect).expect("whole").heads_met, 1);
}

/// What anybody can do with `sha256sum`: the hash is of text.
#[test]
fn the_first_hash_is_that_of_its_text() {
    let (segments, _) = chain();
    let first = lines(&segments[0])[0].clone();
    let text = String::from_utf8(first).expect("text");
    let (hash, json) = text.trim_end().split_once(' ').expect("two parts");
    assert!(
        json.starts_with(r#"{"n":1,"begin":{"format":1,"after":"0000"#),
        "{json}"
    );
    use sha2::{Digest as _, Sha256};
    let again = Sha256::digest(format!("{} {json}", "0".repeat(64)).as_bytes());
    assert_eq!(
        again
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
        hash
    );
}

/// Three bits of every byte. A broken end of the last line reads as unfinished, and that is told.
#[test]
fn one_changed_bit_is_found_wherever_it_is() {
    let (segments, _) = chain();
    let mut found = 0;
    for (number, segment) in segments.iter().enumerate() {
        for at in 0..segment.len() {
            // The bit that makes capitals, and two more.
            for bit in [5, at % 8, (at + 3) % 8] {
                let mut changed = segments.clone();
                changed[number][at] ^= 1 << bit;
                match verify(&changed, Expect::default()) {
                    Err(_) => {}
                    Ok(told) => {
                        let last = number == 1 && at + 1 == segment.len();
                        assert!(
                            last && told.torn_bytes > 0,
                            "segment {number}, byte {at}, bit {bit}"
                        );
                    }
                }
                found += 1;
            }
        }
    }
    assert!(found > 5_000, "{found}");
}

#[test]
fn lines_taken_out_swapped_put_in_or_repeated_are_found() {
    let (segments, _) = chain();
    for (number, segment) in segments.iter().enumerate() {
        let lines = lines(segment);
        let with = |changed: Vec<Vec<u8>>| {
            let mut all = segments.clone();
            all[number] = changed.concat();
            all
        };
        for at in 0..lines.len() {
            let last = number == 1 && at + 1 == lines.len();
            let mut out = lines.clone();
            out.remove(at);
            if !last {
                let place = fault(&with(out));
                // Without the last line of the first segment, the second does not go on from it.
                assert!(place.line as usize == at + 1 || place.line == 1, "{place}");
            }
            let mut twice = lines.clone();
            twice.insert(at, lines[at].clone());
            fault(&with(twice));
            if at + 1 < lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, at + 1);
                fault(&with(swapped));
            }
        }
    }
    fault(&segments[1..]);
    fault(&[segments[1].clone(), segments[0].clone()]);
    assert_eq!(fault(&[]).why, Why::Empty);
}

/// The end: lines may be missing there, unless a head was published that says so.
#[test]
fn a_cut_end_is_found_by_a_published_head() {
    let (segments, _) = chain();
    let tip = whole(&segments).last;
    let all = segments.concat();
    for at in 0..all.len() {
        let first = at.min(segments[0].len());
        let mut cut = vec![all[..first].to_vec()];
        if at > segments[0].len() {
            cut.push(all[first..at].to_vec());
        }
        let expect = Expect {
            heads: vec![tip],
            ..Expect::default()
        };
        let found = verify(&cut, expect);
        assert!(found.is_err(), "cut at {at}: {found:?}");
    }
}

/// With the key, everything can be written anew; what was published cannot be met.
#[test]
fn an_end_rewritten_by_the_keys_holder_does_not_meet_its_head() {
    let (segments, head) = chain();
    let tip = whole(&segments).last;
    let kept: Vec<Vec<u8>> = lines(&segments[0]).into_iter().take(4).collect();
    let mut verifier = Verifier::new(Expect::default());
    verifier.segment("0.jsonl");
    kept.iter()
        .for_each(|line| drop(verifier.line(line).expect("whole")));
    let after = verifier.end().expect("whole").last;
    let mut writer = Writer::new(&SECRET, after);
    let mut rewritten = kept.concat();
    (90..99).for_each(|second| writer.row(&node(second), &mut rewritten));
    writer.sign(UnixMillis(T0 + 99_000), &mut rewritten);
    let rewritten = [rewritten];
    whole(&rewritten);
    for head in [head.tip(), tip] {
        let expect = Expect {
            heads: vec![head],
            ..Expect::default()
        };
        let found = verify(&rewritten, expect).expect_err("the head is another");
        assert!(
            matches!(found.why, Why::Head { .. } | Why::EndCut { .. }),
            "{found}"
        );
    }
}

#[test]
fn an_end_rewritten_without_the_key_is_not_signed() {
    let (segments, head) = chain();
    let mut stranger = Writer::new(&[9; 32], whole(&segments).last);
    let mut more = segments.clone();
    stranger.row(&node(7), &mut more[1]);
    stranger.sign(UnixMillis(T0), &mut more[1]);
    assert_eq!(fault(&more).why, Why::Signature);
    let mut more = segments.clone();
    (0..200).for_each(|second| stranger.row(&node(second), &mut more[1]));
    stranger.back_to(whole(&segments).last);
    let mut more = segments.clone();
    (0..200).for_each(|second| stranger.row(&node(second), &mut more[1]));
    assert_eq!(fault(&more).why, Why::Unsigned);
    // All of it by a stranger: whole by itself, and not the node's.
    let mut own = Writer::new(&[9; 32], Tip::default());
    let mut forged = Vec::new();
    own.begin(UnixMillis(T0), &mut forged);
    let expect = Expect {
        key: Some(head.key),
        ..Expect::default()
    };
    let found = verify(&[forged], expect).expect_err("another key");
    assert_eq!(found.why, Why::OtherKey(own.key()));
}

#[test]
fn old_segments_go_and_the_chain_says_so() {
    let (mut segments, head) = chain();
    let second = whole(&segments[..1]).last;
    let mut writer = Writer::new(&SECRET, whole(&segments).last);
    let dropped = Dropped {
        through: second.n,
        hash: second.hash,
    };
    writer.dropped(dropped, &mut segments[1]);
    // Named as gone, and not removed yet.
    whole(&segments);
    let told = verify(
        &segments[1..],
        Expect {
            heads: vec![head.tip()],
            ..Expect::default()
        },
    );
    let told = told.expect("the rest is whole");
    assert_eq!(
        (told.first, told.heads_gone, told.heads_met),
        (second.n + 1, 1, 0)
    );
    // The same without the line that says so.
    let (segments, _) = chain();
    assert_eq!(
        fault(&segments[1..]).why,
        Why::BeginningCut {
            first: second.n + 1
        }
    );
    let part = Expect {
        part: true,
        ..Expect::default()
    };
    assert!(verify(&segments[1..], part).is_ok());
}

#[test]
fn losses_and_torn_lines_are_told() {
    let (mut segments, _) = chain();
    let before = whole(&segments);
    segments[1].extend_from_slice(b"0123");
    assert_eq!(whole(&segments).torn_bytes, 4);
    let mut three = segments.clone();
    three.push(b"more\n".to_vec());
    assert_eq!(fault(&three).why, Why::TornWithin);
    let whole_len = segments[1].len() - 4;
    segments[1].truncate(whole_len);
    let mut writer = Writer::new(&SECRET, before.last);
    let lost = Lost {
        rows: 12,
        why: LostWhy::DiskFull,
        ..Lost::default()
    };
    writer.lost(lost, &mut segments[1]);
    writer.row(&node(30), &mut segments[1]);
    assert_eq!(whole(&segments).lost_rows, 12);
}

#[test]
fn a_newer_versions_lines_are_hashed_and_passed_by() {
    let (mut segments, _) = chain();
    let tip = whole(&segments).last;
    let json = format!(r#"{{"n":{},"weather":{{"rain":1}}}}"#, tip.n + 1);
    let hash = Hash::of_line(tip.hash, json.as_bytes());
    segments[1].extend_from_slice(format!("{hash} {json}\n").as_bytes());
    assert_eq!(whole(&segments).unknown, 1);
}

proptest! {
    /// Whatever is read, it is a verdict and no panic; and what was damaged is not called whole.
    #[test]
    fn damage_of_any_kind_is_found(at in 0usize..4_000, len in 0usize..200, with in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (segments, _) = chain();
        let tip = whole(&segments).last;
        let mut changed = segments.clone();
        let at = at.min(changed[0].len());
        let end = (at + len).min(changed[0].len());
        changed[0].splice(at..end, with);
        prop_assume!(changed != segments);
        let expect = Expect { heads: vec![tip], ..Expect::default() };
        prop_assert!(verify(&changed, expect).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = verify(&[bytes], Expect::default());
    }
}
