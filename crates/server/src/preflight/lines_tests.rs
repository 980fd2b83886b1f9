//! Each line with a good and a bad case, and what cannot be seen.

use super::*;

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

/// Everything is as it should be for a thousand.
fn good() -> Seen {
    Seen {
        now: UnixMillis(NOW),
        until: UnixMillis(NOW + 12 * HOUR),
        files: 1_125,
        seats: Some(1_000),
        conntrack: Some(2_000),
        memory: Some(1_000 * BYTES_EACH),
        tcp_pages: Some(4_000),
        udp_bytes: Some(UDP_BYTES_MIN),
        backlog: Some(4_096),
        disk: Some(8 << 30),
        certificate: certificate_for(HOUR * 13, true),
        clock: Clock::Ahead(-900),
        media: vec![("192.0.2.1:8081".into(), true)],
        media_public: false,
        store_ms: 12,
        music_db: Some(Ok(-20.0)),
        hosts: Some(Hosts {
            invited: 1,
            checked: 1,
        }),
        webhook: Some(Ok(())),
        uplink: Some(56_000_000),
        rehearsal: Some(Rehearsal {
            at: UnixMillis(NOW - 6 * 24 * HOUR),
            crowd: 1_000,
            passed: true,
        }),
    }
}

fn certificate_for(left: u64, is_for_host: bool) -> Certificate {
    Certificate::Good {
        from: UnixMillis(NOW - HOUR),
        until: UnixMillis(NOW + left),
        host: "live.example.org".into(),
        is_for_host,
    }
}

fn wanted(without_rehearsal: bool) -> Wanted {
    Wanted {
        space: None,
        expect: 1_000,
        without_rehearsal,
    }
}

/// The lines that are no go, or not known, by a change of what is good.
fn lines(change: impl FnOnce(&mut Seen)) -> Vec<(&'static str, Verdict)> {
    let mut seen = good();
    change(&mut seen);
    let lines = judge(&seen, &wanted(false));
    let bad = lines.iter().filter(|line| line.verdict != Verdict::Go);
    bad.map(|line| {
        assert!(!line.todo.is_empty() && !line.seen.is_empty(), "{line:?}");
        (line.name, line.verdict)
    })
    .collect()
}

#[test]
fn when_all_is_there_it_is_go() {
    assert_eq!(lines(|_| {}), []);
    let without_tracking = lines(|seen| seen.conntrack = None);
    assert_eq!(
        without_tracking,
        [],
        "a kernel that keeps no table is as good"
    );
    assert_eq!(judge(&good(), &wanted(false)).len(), 18);
}

#[test]
fn what_is_needed_does_not_say_its_unit_twice() {
    let lines = judge(&good(), &wanted(false));
    for (name, words) in [
        ("files", "1,125 open files (needed: 1,125 for the crowd)"),
        ("seats", "1,000 seats (needed: 1,000)"),
        ("memory", "23 MiB free (needed: 23 MiB)"),
        (
            "media-buffer",
            "212,992 bytes for a UDP socket (needed: 212,992 bytes)",
        ),
    ] {
        let line = lines.iter().find(|line| line.name == name).unwrap();
        assert_eq!(format!("{} (needed: {})", line.seen, line.needed), words);
    }
}

#[test]
fn each_line_has_its_bad_case() {
    type Change = fn(&mut Seen);
    let cases: [(&str, Change); 25] = [
        ("files", |seen| seen.files = 1_124),
        ("seats", |seen| seen.seats = Some(999)),
        ("ports", |seen| seen.conntrack = Some(1_999)),
        ("memory", |seen| seen.memory = Some(20 << 20)),
        ("socket-buffers", |seen| seen.tcp_pages = Some(3_999)),
        ("media-buffer", |seen| seen.udp_bytes = Some(65_536)),
        ("backlog", |seen| seen.backlog = Some(128)),
        ("disk", |seen| seen.disk = Some(1 << 30)),
        ("certificate", |seen| seen.certificate = Certificate::Http),
        ("certificate", |seen| {
            seen.certificate = Certificate::Bad("no such file".into());
        }),
        ("certificate", |seen| {
            seen.certificate = certificate_for(11 * HOUR, true);
        }),
        ("certificate", |seen| {
            seen.certificate = certificate_for(13 * HOUR, false);
        }),
        ("certificate", |seen| seen.now = UnixMillis(NOW - 2 * HOUR)),
        ("clock", |seen| seen.clock = Clock::Ahead(1_001)),
        ("clock", |seen| seen.clock = Clock::Ahead(-1_001)),
        ("media", |seen| seen.media[0].1 = false),
        ("media", |seen| seen.media.clear()),
        ("database", |seen| seen.store_ms = u64::MAX),
        ("hold-music", |seen| seen.music_db = Some(Ok(-60.0))),
        ("hold-music", |seen| {
            seen.music_db = Some(Err("no sound".into()));
        }),
        ("webhook", |seen| {
            seen.webhook = Some(Err("no answer".into()))
        }),
        ("uplink", |seen| seen.uplink = None),
        ("uplink", |seen| seen.uplink = Some(55_000_000)),
        ("rehearsal", |seen| seen.rehearsal = None),
        ("hosts-checked", |seen| {
            seen.hosts = Some(Hosts {
                invited: 1,
                checked: 0,
            });
        }),
    ];
    for (name, change) in cases {
        assert_eq!(lines(change), [(name, Verdict::NoGo)]);
    }
    let nobody = lines(|seen| seen.hosts = Some(Hosts::default()));
    assert_eq!(nobody.len(), 2);
}

#[test]
fn what_cannot_be_seen_is_told_and_stops_nobody() {
    type Change = fn(&mut Seen);
    let cases: [(&str, Change); 9] = [
        ("seats", |seen| seen.seats = None),
        ("memory", |seen| seen.memory = None),
        ("backlog", |seen| seen.backlog = None),
        ("certificate", |seen| seen.certificate = Certificate::Local),
        ("certificate", |seen| {
            seen.certificate = Certificate::Elsewhere;
        }),
        ("clock", |seen| seen.clock = Clock::NoReference),
        ("clock", |seen| {
            seen.clock = Clock::Silent("no route".into())
        }),
        ("webhook", |seen| seen.webhook = None),
        ("media", |seen| {
            seen.media[0].1 = false;
            seen.media_public = true;
        }),
    ];
    for (name, change) in cases {
        assert_eq!(lines(change), [(name, Verdict::Unknown)]);
    }
}

#[test]
fn a_rehearsal_must_be_fresh_large_and_passed_unless_one_goes_without() {
    let with = |age_days: u64, crowd, passed| {
        lines(|seen| {
            seen.rehearsal = Some(Rehearsal {
                at: UnixMillis(NOW - age_days * 24 * HOUR),
                crowd,
                passed,
            });
        })
    };
    assert_eq!(with(7, 1_000, true), []);
    for bad in [
        with(8, 1_000, true),
        with(1, 999, true),
        with(1, 5_000, false),
    ] {
        assert_eq!(bad, [("rehearsal", Verdict::NoGo)]);
    }
    let seen = Seen {
        rehearsal: None,
        ..good()
    };
    let lines = judge(&seen, &wanted(true));
    let last = lines.last().unwrap();
    assert_eq!((last.name, last.verdict), ("rehearsal", Verdict::Unknown));
    assert_eq!(last.seen, "no rehearsal on record");
}
