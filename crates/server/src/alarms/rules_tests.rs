//! Each rule with a bad and a good side, and values that tremble.

use super::*;

const WALL: u64 = 1_800_000_000_000;
const DAY: u64 = 24 * 3_600_000;

/// Looks once a second; gives the seconds in which something changed, `+` for raised.
fn run(seconds: u64, facts: impl Fn(u64) -> Facts) -> Vec<(u64, char, Kind)> {
    let mut alarms = Alarms::default();
    let mut seen = Vec::new();
    for second in 0..seconds {
        let now = Now::from_millis(second * 1_000);
        for change in alarms.look(&facts(second), now, UnixMillis(WALL + second * 1_000)) {
            let sign = if change.raised { '+' } else { '-' };
            seen.push((second, sign, change.alarm.alarm));
        }
    }
    seen
}

fn live(dead_air: bool, host_lost: bool) -> Facts {
    Facts {
        live: vec![LiveFacts {
            space: SpaceId::parse("town-hall").unwrap(),
            title: "Town hall".into(),
            dead_air,
            host_lost,
        }],
        ..Facts::default()
    }
}

#[test]
fn dead_air_rings_at_once_and_stops_when_somebody_has_been_heard_for_a_while() {
    let seen = run(30, |s| live((5..10).contains(&s), false));
    assert_eq!(seen, [(5, '+', Kind::DeadAir), (13, '-', Kind::DeadAir)]);
    // A word between two silences is no end of the trouble.
    let seen = run(30, |s| live(s >= 5 && s != 10, false));
    assert_eq!(seen, [(5, '+', Kind::DeadAir)]);
}

#[test]
fn a_host_who_reloads_the_page_is_not_lost() {
    assert_eq!(run(30, |s| live(false, (5..7).contains(&s))), []);
    let seen = run(30, |s| live(false, (5..20).contains(&s)));
    assert_eq!(seen, [(8, '+', Kind::HostLost), (23, '-', Kind::HostLost)]);
}

#[test]
fn an_alarm_of_a_space_that_is_over_goes() {
    let seen = run(30, |s| {
        if s < 10 {
            live(true, false)
        } else {
            Facts::default()
        }
    });
    assert_eq!(seen, [(0, '+', Kind::DeadAir), (13, '-', Kind::DeadAir)]);
}

#[test]
fn seats_that_tremble_about_the_limit_ring_once() {
    let seats = |taken| Facts {
        seats: Some((taken, 1_000)),
        ..Facts::default()
    };
    let seen = run(120, |s| match s {
        0..10 => seats(900),
        10..60 => seats(if s % 3 == 2 && s > 20 { 940 } else { 960 }),
        _ => seats(800),
    });
    assert_eq!(
        seen,
        [(15, '+', Kind::SeatsShort), (90, '-', Kind::SeatsShort)]
    );
}

#[test]
fn each_limit_has_a_bad_and_a_good_side() {
    let certificate = |left, event| Facts {
        certificate: Some(CertificateFacts {
            ends: UnixMillis(WALL + left),
            needed_until: UnixMillis(WALL + event),
        }),
        ..Facts::default()
    };
    let disk = |free, trouble: Option<&str>| Facts {
        disk: Some(DiskFacts {
            free,
            trouble: trouble.map(str::to_owned),
        }),
        ..Facts::default()
    };
    let clock = |off| Facts {
        clock_off: Some(off),
        ..Facts::default()
    };
    let store = |took| Facts {
        store: Some(took),
        ..Facts::default()
    };
    for (bad, good, kind) in [
        (
            certificate(13 * DAY, 0),
            certificate(90 * DAY, 0),
            Kind::Certificate,
        ),
        (
            certificate(30 * DAY, 31 * DAY),
            certificate(30 * DAY, DAY),
            Kind::Certificate,
        ),
        (
            certificate(0, 0),
            certificate(16 * DAY, 0),
            Kind::Certificate,
        ),
        (disk(1 << 20, None), disk(8 << 30, None), Kind::Disk),
        (disk(8 << 30, Some("full")), disk(8 << 30, None), Kind::Disk),
        (clock(2_001), clock(0), Kind::Clock),
        (store(u64::MAX), store(3), Kind::Dependency),
        (store(1_001), store(3), Kind::Dependency),
    ] {
        assert_eq!(run(3, |_| good.clone()), [], "{kind:?}");
        let seen = run(100, |s| if s < 5 { bad.clone() } else { good.clone() });
        assert_eq!(seen.len(), 2, "{kind:?}: {seen:?}");
        assert_eq!((seen[0], seen[1].1), ((0, '+', kind), '-'));
    }
}

#[test]
fn what_lies_between_two_limits_and_what_is_not_known_changes_nothing() {
    let store = |took| Facts {
        store: took,
        ..Facts::default()
    };
    assert_eq!(run(60, |_| store(Some(600))), []);
    let seen = run(60, |s| {
        store([Some(5_000), Some(600), None][(s % 3) as usize])
    });
    assert_eq!(seen, [(0, '+', Kind::Dependency)]);
}

#[test]
fn an_alarm_says_since_when_and_what_to_do() {
    let mut alarms = Alarms::default();
    alarms.look(&live(true, false), Now::from_millis(0), UnixMillis(WALL));
    let later = UnixMillis(WALL + 9_000);
    alarms.look(&live(true, false), Now::from_millis(9_000), later);
    let up = alarms.up();
    assert_eq!((up.len(), up[0].since), (1, UnixMillis(WALL)));
    assert!(up[0].what.starts_with("Town hall: "));
    assert!(Kind::ALL.iter().all(|kind| !kind.todo().is_empty()));
}
