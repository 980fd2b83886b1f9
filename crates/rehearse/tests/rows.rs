//! The rows of the virtual node: exact, the same for the same seed, and what each scenario is about shows in them.

use hustings_evidence::row::{NodeRow, Shed, What};
use hustings_rehearse::scenario::{LIBRARY, Sight, Wish, library};
use hustings_rehearse::{ATTACKS, Kind, Run, record};

fn run(name: &str, seed: u64, sight: Sight) -> Run {
    let file = library(name).expect("in the library").expect("good");
    let wish = Wish {
        seed,
        sight,
        scale: None,
    };
    let night = file.night(wish).expect("a night");
    record(&night).unwrap_or_else(|why| panic!("{name}, seed {seed}, {sight:?}: {why}"))
}

fn sum(run: &Run, of: impl Fn(&NodeRow) -> u32) -> u64 {
    run.nodes.iter().map(|row| u64::from(of(row))).sum()
}

fn tells(run: &Run, what: What) -> bool {
    run.happenings
        .iter()
        .any(|happening| happening.what == what)
}

/// Every scenario, seen and unseen: each second that the node ran has its rows, and their sums are the report's.
#[test]
fn rows_are_whole_and_their_sums_are_the_reports() {
    for (name, _) in LIBRARY {
        for (seed, sight) in [(1, Sight::Seen), (2, Sight::Unseen)] {
            let run = run(name, seed, sight);
            let spaces = run.report.night.spaces.len();
            assert_eq!(run.spaces.len(), run.nodes.len() * spaces, "{name}");
            for (node, rows) in run.nodes.iter().zip(run.spaces.chunks(spaces)) {
                assert!(
                    rows.iter()
                        .all(|row| row.at == node.at && row.knocks.sum().adds_up())
                );
                let inside: u32 = rows.iter().map(|row| row.people.inside).sum();
                assert_eq!(inside, node.people.inside, "{name} at {}", node.up_ms);
                assert!(inside <= run.report.night.seats, "{name}");
            }
            let lost = sum(&run, |row| row.rows_lost) > 0;
            let downs = run.report.unreachable > 0 || tells(&run, What::NodeStopped) || lost;
            let knocks = sum(&run, |row| row.knocks.sum().offered);
            let last = run.report.knocks_busiest_second;
            assert!(knocks <= run.report.knocks, "{name}");
            assert!(
                downs || knocks + last >= run.report.knocks,
                "{name}: {knocks}"
            );
            // Nobody comes out who has not come in, and who is not out is in.
            if !downs {
                let entered = sum(&run, |row| row.people.entered);
                let gone = sum(&run, |row| row.people.left + row.people.replaced);
                let inside = run.nodes.last().map_or(0, |row| row.people.inside);
                assert_eq!(entered, gone + u64::from(inside), "{name}, seed {seed}");
                let stayed = sum(&run, |row| row.behaviour.stayed_10s);
                let early = sum(&run, |row| row.behaviour.gone_before_10s);
                assert!(stayed + early <= entered, "{name}");
                assert!(
                    stayed + early + 10 * last + 50 >= entered,
                    "{name}: {stayed} of {entered}"
                );
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_others() {
    let bytes = |seed| {
        let run = run("reconnect-herd", seed, Sight::Seen);
        let rows = (&run.nodes, &run.spaces, &run.happenings);
        serde_json::to_string(&rows).expect("JSON")
    };
    assert_eq!(bytes(4), bytes(4));
    assert_ne!(bytes(4), bytes(5));
}

#[test]
fn a_restart_is_a_gap_in_the_rows_and_all_come_back_by_their_rights() {
    for seed in 1..=5 {
        let run = run("reconnect-herd", seed, Sight::Seen);
        assert!(tells(&run, What::NodeWasKilled), "seed {seed}");
        let started = run
            .happenings
            .iter()
            .filter(|it| it.what == What::NodeStarted);
        assert_eq!(started.count(), 2, "seed {seed}");
        let gap = run
            .nodes
            .windows(2)
            .find(|pair| pair[1].at.0 - pair[0].at.0 > 1_000);
        let gap = gap.expect("seconds without a node");
        assert!(gap[1].up_ms < gap[0].up_ms, "it counts from its own start");
        let returned = sum(&run, |row| row.people.returned);
        assert!(
            returned * 10 >= run.report.fell_out * 6,
            "seed {seed}: {returned} of {}",
            run.report.fell_out
        );
        let back: u64 = run.report.kinds.iter().map(|kind| kind.back).sum();
        assert!(
            back * 100 >= run.report.fell_out * 97,
            "seed {seed}: {back} of {}",
            run.report.fell_out
        );
    }
}

#[test]
fn slow_heads_take_files_and_never_knock() {
    let run = run("slow-heads", 1, Sight::Seen);
    let slow = run.report.kind(Kind::SlowHeads).expect("slow heads");
    assert_eq!((slow.knocks, slow.admitted), (0, 0));
    let shed = |row: &NodeRow| {
        row.connections.shed.of(Shed::SlowHead) + row.connections.shed.of(Shed::SilentShed)
    };
    assert!(sum(&run, shed) > run.report.slow_heads / 2);
    let page = run.report.kind(Kind::Page).expect("pages");
    assert_eq!(page.admitted, page.people, "{page:?}");
    let most = run
        .nodes
        .iter()
        .map(|row| row.machine.crowd_files.permille());
    assert!(most.max() > Some(300));
}

#[test]
fn an_expired_certificate_stops_those_outside_and_nobody_inside() {
    let run = run("certificate-expired", 2, Sight::Seen);
    let failed = sum(&run, |row| row.tls.failures);
    assert!(
        failed > 50 && tells(&run, What::CertificateExpired),
        "{failed}"
    );
    assert_eq!(run.report.handshakes_failed, failed);
    assert_eq!(run.report.inside.disconnected, 0);
    let failing = run.nodes.iter().filter(|row| row.tls.failures > 0);
    let valid = failing.filter(|row| row.tls.certificate_left_s > 0).count();
    assert!(valid <= 1, "but for the second in which the new one came");
}

/// The limit stands in the rows, is not exceeded by newcomers, and sends nobody out.
#[test]
fn a_limit_that_is_set_too_low_sends_nobody_out() {
    for seed in 1..=3 {
        let run = run("bad-deploy", seed, Sight::Seen);
        let first: Vec<_> = run.spaces.iter().step_by(2).collect();
        let at = first.iter().position(|row| row.limit > 0).expect("set");
        let limit = first[at].limit;
        let before = first[at].people.inside;
        for row in &first[at..] {
            assert!(
                row.people.inside <= before.max(limit),
                "seed {seed}: {row:?}"
            );
        }
        assert_eq!(run.report.inside.disconnected, 0);
        assert!(run.report.sums.waiting > 20, "{:?}", run.report.sums);
    }
}

#[test]
fn lost_rows_are_told_and_missing() {
    let run = run("lost-rows", 2, Sight::Seen);
    let lost = sum(&run, |row| row.rows_lost) / 3;
    let seconds = u64::from(run.report.night.millis / 1_000) - 1;
    let kept = run.nodes.len() as u64;
    assert!(lost > seconds / 4, "{lost} of {seconds}");
    assert!(
        kept + lost <= seconds && kept + lost + 8 >= seconds,
        "{kept} and {lost} of {seconds}"
    );
}

#[test]
fn dead_air_full_disks_and_lost_databases_are_seen_and_the_door_goes_on() {
    let quiet = run("quiet-evening", 3, Sight::Seen);
    for what in [What::DeadAir, What::DiskFull, What::DatabaseGone] {
        assert!(!tells(&quiet, what));
    }
    let lost = run("speaker-lost", 3, Sight::Seen);
    assert!(tells(&lost, What::SpeakerLost) && tells(&lost, What::DeadAir));
    assert!(lost.spaces.iter().any(|row| row.stage.silent_ms > 20_000));
    let muted = run("the-night", 3, Sight::Seen);
    assert!(tells(&muted, What::DeadAir) && !tells(&muted, What::SpeakerLost));
    let full = run("disk-full", 3, Sight::Seen);
    assert!(full.spaces.iter().any(|row| row.stage.recording_trouble));
    assert!(sum(&full, |row| row.dependencies.disk.failures) > 20);
    let gone = run("database-gone", 3, Sight::Seen);
    assert!(sum(&gone, |row| row.dependencies.store.failures) > 10);
    for run in [lost, full, gone] {
        let page = run.report.kind(Kind::Page).expect("pages");
        assert_eq!(page.admitted, page.people);
    }
}

/// At the end of a night with a line, the rows count those who wait with a place, and not the places that nobody holds:
/// a flood's. Plain players wait without a place, and who sleeps comes later than it was told.
#[test]
fn people_in_line_are_those_who_wait() {
    // Beside a flood places lie far ahead, and who has one comes again late: the least of those in line counts then.
    for (name, least) in [
        ("announced-start", 6),
        ("the-night", 6),
        ("crowd-and-flood", 1),
    ] {
        let run = run(name, 3, Sight::Seen);
        let people = run.report.kinds.iter();
        let people = people.filter(|each| !ATTACKS.contains(&each.kind));
        let waiting: u64 = people.map(|each| each.waiting_at_end).sum();
        let in_line = run.nodes.last().map_or(0, |row| row.people.in_line);
        let most = run.nodes.iter().map(|row| row.people.in_line).max();
        println!("{name}: {in_line} in line of {waiting}, {most:?} at most");
        assert!(waiting > 50, "{name}: {waiting} wait");
        assert!(
            (waiting * least / 10..=waiting * 13 / 10).contains(&u64::from(in_line)),
            "{name}: {in_line} in line, {waiting} wait"
        );
    }
}
