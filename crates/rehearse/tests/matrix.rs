//! The rows of the test matrix that a simulation can hold, by their numbers. `SEED=n` runs that seed alone.

use hustings_rehearse::{Attack, Break, Curve, Kind, KindReport, Report, Scenario, simulate};

#[expect(clippy::disallowed_methods, reason = "a test may be told its seed")]
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

fn run(scenario: &Scenario) -> Report {
    simulate(scenario).unwrap_or_else(|why| panic!("seed {}: {why}", scenario.seed))
}

fn of(report: &Report, kind: Kind) -> &KindReport {
    report
        .kind(kind)
        .unwrap_or_else(|| panic!("no {kind:?} in {:?}", report.kinds))
}

fn attack(kind: Kind, factor: f64) -> Vec<Attack> {
    vec![Attack { kind, factor }]
}

fn share(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

/// A crowd of 4,000 that all fit once others have left: 1,500 seats, mean stay two minutes, twelve minutes.
fn evening(seed: u64) -> Scenario {
    Scenario {
        listeners: 4_000,
        seats: 1_500,
        minutes: 12,
        curve: Curve::Push,
        seed,
        stay_minutes: 2.0,
        impatient: 0.0,
        beside: 100,
        ..Scenario::default()
    }
}

fn nobody_inside_noticed(report: &Report) {
    assert_eq!(report.inside.disconnected, 0, "{:?}", report.inside);
    assert_eq!(report.inside.sweeps_late, 0, "{:?}", report.inside);
    assert_eq!(report.sample.left_others, 0, "{:?}", report.sample);
}

fn next_door_noticed_nothing(report: &Report) {
    let (with, alone) = (
        of(report, Kind::Beside).wait_p99_s,
        report.beside_wait_p99_alone_s,
    );
    let (with, alone) = (with.expect("heard"), alone.expect("heard"));
    assert!(
        with <= alone * 1.2 + 0.2,
        "next door waits {with} s, {alone} s alone"
    );
}

#[test]
fn row_01_a_crowd_all_human_comes_in_whole() {
    for seed in seeds(3) {
        let report = run(&evening(seed));
        for kind in [
            Kind::Page,
            Kind::Phone,
            Kind::NoScript,
            Kind::Reloader,
            Kind::Invited,
        ] {
            let kind = of(&report, kind);
            assert!(
                share(kind.admitted, kind.people) >= 0.98,
                "seed {seed}: {kind:?}"
            );
        }
        nobody_inside_noticed(&report);
        next_door_noticed_nothing(&report);
    }
}

/// Bare GETs at ten times the crowd's number of arrivals, each machine from a network of its own.
#[test]
fn row_02_a_flood_beside_the_crowd_gets_one_in_a_hundred() {
    for seed in seeds(3) {
        let calm = run(&evening(seed));
        let report = run(&Scenario {
            attacks: attack(Kind::Flood, 10.0),
            ..evening(seed)
        });
        let flood = of(&report, Kind::Flood);
        assert!(flood.knocks > 30_000, "{flood:?}");
        assert!(
            share(flood.seated - flood.seated_calm, flood.knocks) <= 0.01,
            "seed {seed}: {flood:?}"
        );
        let (before, page) = (of(&calm, Kind::Page), of(&report, Kind::Page));
        assert!(
            page.admitted as f64 >= before.admitted as f64 * 0.95,
            "seed {seed}: {page:?}, not {before:?}"
        );
        nobody_inside_noticed(&report);
        next_door_noticed_nothing(&report);
    }
}

/// The attackers share the networks of the honest: nothing is banned, and who behaves comes in.
#[test]
fn row_03_attackers_in_the_crowds_own_networks_shut_nobody_out() {
    for seed in seeds(3) {
        let report = run(&Scenario {
            attacks: vec![
                Attack {
                    kind: Kind::Forged,
                    factor: 5.0,
                },
                Attack {
                    kind: Kind::Flood,
                    factor: 5.0,
                },
            ],
            networks: 200,
            shared_networks: true,
            ..evening(seed)
        });
        let page = of(&report, Kind::Page);
        assert!(
            share(page.admitted, page.people) >= 0.98,
            "seed {seed}: {page:?}"
        );
        assert_eq!(of(&report, Kind::Forged).seated, 0);
        // Shown nothing, they come in by what others of their network left: the gate gives one admission in five to that.
        let flood = of(&report, Kind::Flood);
        let strict = flood.seated - flood.seated_calm;
        assert!(strict * 4 <= report.sums.admitted, "seed {seed}: {flood:?}");
    }
}

/// As many bots that do all that a browser does as there are people get no more than their number.
#[test]
fn row_04_a_botnet_of_browsers_gets_its_share_and_not_more() {
    for seed in seeds(3) {
        let scenario = Scenario {
            attacks: attack(Kind::Botnet, 1.0),
            stay_minutes: 10.0,
            ..evening(seed)
        };
        let report = run(&scenario);
        let crowd: u64 = report
            .kinds
            .iter()
            .filter(|kind| !kind.kind.is_attack() && kind.kind != Kind::Beside)
            .map(|kind| kind.admitted)
            .sum();
        let bots = of(&report, Kind::Botnet).admitted;
        assert!(
            crowd as f64 >= 0.9 * bots as f64,
            "seed {seed}: {crowd} of the crowd, {bots} bots"
        );
        nobody_inside_noticed(&report);
    }
}

/// Native solvers fill the effort lane and nothing else: the free lane goes on.
#[test]
fn row_05_native_solvers_do_not_starve_the_free_lane() {
    for seed in seeds(2) {
        let report = run(&Scenario {
            listeners: 1_500,
            seats: 400,
            minutes: 5,
            attacks: attack(Kind::Native, 60.0),
            beside: 50,
            only: Some(Kind::Page),
            ..evening(seed)
        });
        let (page, native) = (of(&report, Kind::Page), of(&report, Kind::Native));
        assert!(native.people >= 80, "{native:?}");
        assert!(page.admitted > 500, "seed {seed}: {page:?}");
        assert!(
            native.admitted * 4 < page.admitted,
            "seed {seed}: {native:?}"
        );
    }
}

/// Solvers that bring all they can make nobody else's puzzle unsolvable.
#[test]
fn row_06_puzzles_stay_solvable_for_the_honest() {
    for seed in seeds(2) {
        let report = run(&Scenario {
            listeners: 1_500,
            seats: 300,
            minutes: 5,
            attacks: attack(Kind::Native, 40.0),
            beside: 50,
            ..evening(seed)
        });
        let p90 = report.puzzle_p90_s.expect("some honest ones solved");
        assert!(p90 <= 3.0, "seed {seed}: nine of ten in {p90} s");
    }
}

/// Places are taken by the thousand from a few networks; memory does not grow with them, and each is good once. In single nights
/// one page in twenty still waits at the end: told a long wait while the line stood, it looks again late.
#[test]
fn row_09_farmed_places_get_their_networks_share() {
    let (mut admitted, mut people) = (0, 0);
    for seed in seeds(3) {
        let report = run(&Scenario {
            attacks: attack(Kind::Farm, 3.0),
            ..evening(seed)
        });
        let (farm, page) = (of(&report, Kind::Farm), of(&report, Kind::Page));
        assert!(
            farm.admitted <= farm.seated_calm + farm.people / 9,
            "seed {seed}: {farm:?}"
        );
        assert!(
            share(page.admitted, page.people) >= 0.9,
            "seed {seed}: {page:?}"
        );
        admitted += page.admitted;
        people += page.people;
    }
    assert!(share(admitted, people) >= 0.95, "{admitted} of {people}");
}

#[test]
fn row_10_a_shared_right_is_one_seat() {
    for seed in seeds(6) {
        let report = run(&Scenario {
            attacks: attack(Kind::Replay, 3.0),
            ..evening(seed)
        });
        let replay = of(&report, Kind::Replay);
        assert!(replay.knocks > 8_000, "{replay:?}");
        assert!(
            replay.admitted <= 2 && replay.inside_at_end <= 1,
            "seed {seed}: {replay:?}"
        );
        assert!(
            report.most_seats_of_one_right <= 1,
            "seed {seed}: {report:?}"
        );
        nobody_inside_noticed(&report);
    }
}

#[test]
fn row_24_one_space_hit_the_other_unharmed() {
    for seed in seeds(3) {
        let report = run(&Scenario {
            attacks: vec![
                Attack {
                    kind: Kind::Flood,
                    factor: 20.0,
                },
                Attack {
                    kind: Kind::Prefixes,
                    factor: 2.0,
                },
            ],
            ..evening(seed)
        });
        let beside = of(&report, Kind::Beside);
        assert_eq!(beside.admitted, beside.people, "seed {seed}: {beside:?}");
        next_door_noticed_nothing(&report);
    }
}

/// A node's listeners lose their connections while a storm is on: those who were inside come first.
#[test]
fn row_25_after_a_reconnect_storm_nearly_all_are_back_within_30_s() {
    for seed in seeds(3) {
        let report = run(&Scenario {
            breaks: vec![Break {
                at_ms: 240_000,
                share: 0.7,
            }],
            stay_minutes: 6.0,
            ..evening(seed)
        });
        assert!(report.fell_out > 700, "{}", report.fell_out);
        let back = |kind: &KindReport| kind.back as f64 * kind.back_within_30_s.unwrap_or(0.0);
        let back: f64 = report.kinds.iter().map(back).sum();
        assert!(
            back >= 0.95 * report.fell_out as f64,
            "seed {seed}: {back} of {}",
            report.fell_out
        );
        nobody_inside_noticed(&report);
    }
}

/// Everybody inside leaves at once and comes again.
#[test]
fn row_26_a_cliff_and_the_rejoin_do_not_cascade() {
    for seed in seeds(3) {
        let report = run(&Scenario {
            curve: Curve::Cliff,
            stay_minutes: 8.0,
            ..evening(seed)
        });
        let back: u64 = report.kinds.iter().map(|kind| kind.back).sum();
        assert!(
            back as f64 >= 0.95 * report.fell_out as f64,
            "seed {seed}: {back} of {}",
            report.fell_out
        );
        nobody_inside_noticed(&report);
        next_door_noticed_nothing(&report);
    }
}

/// The wall's clock steps by minutes, both ways, and a key changes in the middle: nothing good is refused.
#[test]
fn row_28_a_clock_that_steps_expires_nothing() {
    for seed in seeds(6) {
        let report = run(&Scenario {
            clock_steps: vec![(120_000, 140_000), (240_000, -140_000), (480_000, 0)],
            ..evening(seed)
        });
        let wrong = [
            "expired",
            "future_dated",
            "unknown_key",
            "forged",
            "malformed",
        ];
        for kind in &report.kinds {
            // Puzzles last five minutes and are shown until they are too old; that is no error of the clock.
            let refused = kind
                .refused
                .iter()
                .filter(|refused| wrong.contains(&refused.reason));
            let refused: u64 = refused.map(|refused| refused.knocks).sum();
            assert!(
                refused == 0 || kind.kind == Kind::Effort,
                "seed {seed}: {kind:?}"
            );
        }
    }
}

/// Attackers ramp up from the crowd's own networks: nothing is learned against those.
#[test]
fn row_33_no_network_is_framed_by_what_others_in_it_do() {
    for seed in seeds(3) {
        let quiet = run(&evening(seed));
        let report = run(&Scenario {
            attacks: attack(Kind::Forged, 20.0),
            ..evening(seed)
        });
        let (before, page) = (of(&quiet, Kind::Page), of(&report, Kind::Page));
        assert!(
            page.admitted * 100 >= before.admitted * 98,
            "seed {seed}: {page:?}, not {before:?}"
        );
    }
}

/// Without script, on a slow phone, behind a carrier's address: all come in, and wait three times as long at most.
#[test]
fn row_34_the_weak_come_in_and_wait_three_times_as_long_at_most() {
    for seed in seeds(3) {
        let report = run(&evening(seed));
        let page = of(&report, Kind::Page).wait_p99_s.expect("heard");
        for kind in [Kind::Phone, Kind::NoScript, Kind::Carrier] {
            let weak = of(&report, kind);
            assert!(
                share(weak.admitted, weak.people) >= 0.97,
                "seed {seed}: {weak:?}"
            );
            let wait = weak.wait_p99_s.expect("heard");
            assert!(
                wait <= 3.0 * page.max(10.0),
                "seed {seed}: {wait} s, pages {page} s"
            );
        }
    }
}

/// In a storm that lasts, networks with as many who want have as many inside, within a factor of two.
#[test]
fn honest_networks_are_alike_within_a_factor_of_two() {
    for seed in seeds(6) {
        let report = run(&Scenario {
            listeners: 3_000,
            seats: 400,
            networks: 40,
            only: Some(Kind::Page),
            by_prefix: true,
            ..evening(seed)
        });
        let shares = report.prefixes.as_ref().expect("asked for");
        let wanting: Vec<u64> = shares
            .iter()
            .filter(|share| share.people >= 30)
            .map(|share| share.admitted)
            .collect();
        let (least, most) = (wanting.iter().min(), wanting.iter().max());
        let (least, most) = (*least.expect("networks"), *most.expect("networks"));
        assert!(
            wanting.len() > 20 && most <= 2 * least,
            "seed {seed}: {least} to {most} of {shares:?}"
        );
    }
}

/// Nobody waits without end while seats are free.
#[test]
fn when_the_crowd_has_passed_nobody_is_left_in_line() {
    for seed in seeds(6) {
        let report = run(&Scenario {
            minutes: 20,
            only: Some(Kind::Page),
            ..evening(seed)
        });
        assert_eq!(report.sums.waiting, 0, "seed {seed}: {:?}", report.kinds);
    }
}
