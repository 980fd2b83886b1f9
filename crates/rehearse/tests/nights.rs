//! Small nights over many seeds: what must hold in each of them, whoever comes.

use hustings_rehearse::{ATTACKS, Attack, Curve, Kind, Scenario, simulate};

#[expect(clippy::disallowed_methods, reason = "a test may be told its seed")]
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

/// A run is an error when a sum does not come out, seats are exceeded or one does not come back, or a forged right is let in.
#[test]
fn sums_and_seats_hold_over_many_seeds_curves_and_attacks() {
    for seed in seeds(24) {
        let attack = |at: u64| Attack {
            kind: ATTACKS[at as usize % ATTACKS.len()],
            factor: 1.0,
        };
        let scenario = Scenario {
            listeners: 1_500,
            seats: 200 + (seed as u32 * 37) % 400,
            minutes: 4,
            curve: Curve::ALL[seed as usize % 4],
            seed,
            attacks: vec![attack(seed), attack(seed / 2 + 3)],
            beside: 30,
            stay_minutes: 1.0,
            clock_steps: vec![(60_000, 120_000), (150_000, -170_000)],
            ..Scenario::default()
        };
        let report = simulate(&scenario).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        let sums = report.sums;
        assert_eq!(
            sums.offered,
            sums.admitted + sums.waiting + sums.left + sums.shed,
            "seed {seed}"
        );
        assert!(
            report.inside_most <= scenario.seats && report.inside_most > 100,
            "seed {seed}"
        );
        assert_eq!(report.inside.disconnected, 0, "seed {seed}");
        assert_eq!(report.sample.left_others, 0, "seed {seed}");
        assert!(
            report
                .kind(Kind::Page)
                .is_some_and(|page| page.admitted > 50),
            "seed {seed}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed: u64| {
        let scenario = Scenario {
            listeners: 2_000,
            seats: 300,
            minutes: 4,
            seed,
            attacks: vec![Attack {
                kind: Kind::Flood,
                factor: 3.0,
            }],
            ..Scenario::default()
        };
        let report = simulate(&scenario).expect("a night");
        serde_json::to_string(&report).expect("JSON")
    };
    assert_eq!(bytes(5), bytes(5));
    assert_ne!(bytes(5), bytes(6));
}
