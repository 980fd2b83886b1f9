//! What is claimed of known points, and when nothing is.

use super::*;
use crate::dice::Dice;

fn points(cpu: impl Fn(f64, f64) -> f64) -> Vec<Point> {
    let mut dice = Dice::new(5);
    let mut points = Vec::new();
    for round in 1..=2 {
        for load in [200.0, 400.0, 600.0, 800.0, 1_000.0] {
            let uses = vec![
                Use {
                    resource: Resource::Cpu,
                    used: cpu(load, dice.part()),
                    limit: 0.95,
                },
                Use {
                    resource: Resource::Files,
                    used: load + 3.0,
                    limit: 1_900.0,
                },
            ];
            points.push(Point {
                round,
                listeners: load,
                lasted_s: 8.0,
                uses,
                ..Point::default()
            });
        }
    }
    points
}

fn linear(load: f64, chance: f64) -> f64 {
    (0.02 + load * 0.000_3) * (1.0 + 0.02 * (chance - 0.5))
}

#[test]
fn what_ends_first_is_claimed_with_its_interval() {
    let claim = Claim::of(&points(linear), 1, &[]);
    let capacity = claim
        .capacity
        .unwrap_or_else(|| panic!("{:?}", claim.refused));
    assert_eq!(
        (capacity.ends_first, capacity.at_least),
        (Some(Resource::Files), false)
    );
    // Of 1,897 seats the door keeps 18 ready for who comes back.
    assert!(capacity.listeners.holds(1_879.0), "{capacity:?}");
    let cpu = &claim.resources[0];
    assert!(
        cpu.ends_at.is_some_and(|ends| ends.holds(3_100.0)) && !cpu.bends,
        "{cpu:?}"
    );
    assert_eq!(claim.not_rehearsed.len(), 4);
}

#[test]
fn whoever_asks_holds_a_file_that_no_listener_has() {
    let mut points = points(linear);
    for (point, asking) in points.iter_mut().zip([4.0, 0.0].into_iter().cycle()) {
        point.asking = asking;
    }
    let listeners = Claim::of(&points, 1, &[])
        .capacity
        .expect("a claim")
        .listeners;
    assert_eq!(
        (listeners.low, listeners.value, listeners.high),
        (1_875.0, 1_877.0, 1_879.0)
    );
}

#[test]
fn no_more_is_claimed_than_twice_what_was_tested() {
    let mut points = points(linear);
    points.iter_mut().for_each(|point| point.uses.truncate(1));
    let capacity = Claim::of(&points, 1, &[]).capacity.expect("a claim");
    assert_eq!(
        (
            capacity.at_least,
            capacity.listeners.value,
            capacity.ends_first
        ),
        (true, 2_000.0, None)
    );
}

#[test]
fn a_claim_is_refused_by_its_reason() {
    let refused = |points: &[Point], why: &str| {
        let claim = Claim::of(points, 1, &[]);
        assert!(claim.capacity.is_none(), "{why}");
        assert!(
            claim.refused.iter().any(|one| one.contains(why)),
            "{why}: {:?}",
            claim.refused
        );
    };
    let good = points(linear);
    refused(&good[..4], "4 loads were held");
    refused(&good[..5], "held only once");
    refused(&[], "needs a permit");
    let with = |change: &dyn Fn(&mut Point)| {
        let mut points = good.clone();
        change(&mut points[7]);
        points
    };
    refused(&with(&|point| point.driver.cpu = 0.71), "71 % of its core");
    refused(
        &with(&|point| point.driver.late_p99_ms = 51.0),
        "51 ms late",
    );
    refused(
        &with(&|point| {
            point.driver.pressed = 100;
            point.driver.unsent = 2;
        }),
        "no port or file",
    );
    refused(&with(&|point| point.harmed = 1), "harmed");
    refused(
        &points(|load, chance| linear(load, chance) + load * load * 4e-7),
        "dearer",
    );
}

#[test]
fn what_no_bend_brings_to_its_end_forbids_nothing() {
    // As seats once were told: those that shards have in hand were among them, the same in each round.
    let told = [303.0, 559.0, 815.0, 1_135.0, 1_391.0];
    let held = [269.0, 538.0, 807.0, 1_076.0, 1_346.0];
    let with = |limit: f64| {
        let mut points = points(linear);
        for (point, at) in points.iter_mut().zip((0..5).cycle()) {
            point.listeners = held[at];
            point.uses = vec![Use {
                resource: Resource::Seats,
                used: told[at] + held[at] * held[at] * 1e-4,
                limit,
            }];
        }
        Claim::of(&points, 1, &[])
    };
    assert!(
        with(50_000.0).capacity.is_some(),
        "{:?}",
        with(50_000.0).refused
    );
    assert!(with(1_800.0).capacity.is_none(), "here it would matter");
}

#[test]
fn the_same_points_give_the_same_claim() {
    let points = points(linear);
    assert_eq!(Claim::of(&points, 4, &[]), Claim::of(&points, 4, &[]));
}
