//! The ladder: each step in its order, and back.

use hustings_media::fanout::CadenceBounds;

use super::*;
use crate::gate::load::Used;

fn steps(
    ladder: &mut Ladder,
    load: &Load,
    seats: f64,
    from_ms: u64,
    millis: u64,
) -> Vec<(Step, Resource)> {
    (from_ms..from_ms + millis)
        .step_by(100)
        .filter_map(|ms| ladder.look(load, seats, Now::from_millis(ms), UnixMillis(ms)))
        .map(|event| (event.to, event.because))
        .collect()
}

#[test]
fn each_resource_climbs_in_order_and_comes_back() {
    let used = |used| Used { used, limit: 100 };
    let idle = Load::default();
    let cases = [
        (Load { cpu: 0.3, ..idle }, 0.1, Resource::Cpu, 1),
        (Load { cpu: 0.95, ..idle }, 0.1, Resource::Cpu, 3),
        (
            Load {
                files: used(80),
                ..idle
            },
            0.1,
            Resource::Files,
            2,
        ),
        (
            Load {
                memory: used(93),
                ..idle
            },
            0.1,
            Resource::Memory,
            3,
        ),
        (
            Load {
                uplink: used(78),
                ..idle
            },
            0.1,
            Resource::Uplink,
            1,
        ),
        (idle, 0.99, Resource::Seats, 3),
    ];
    for (load, seats, because, height) in cases {
        let mut ladder = Ladder::default();
        let up: Vec<_> = STEPS[1..=height]
            .iter()
            .map(|step| (*step, because))
            .collect();
        assert_eq!(steps(&mut ladder, &load, seats, 0, 60_000), up);
        let down = steps(&mut ladder, &idle, 0.1, 60_000, 60_000);
        let back: Vec<_> = STEPS[..height].iter().rev().copied().collect();
        assert_eq!(down.iter().map(|step| step.0).collect::<Vec<_>>(), back);
    }
}

#[test]
fn what_swings_round_a_threshold_takes_one_step() {
    let mut ladder = Ladder::default();
    let mut taken = Vec::new();
    for turn in 0..100 {
        let seats = if turn % 2 == 0 { 0.86 } else { 0.84 };
        taken.extend(steps(
            &mut ladder,
            &Load::default(),
            seats,
            turn * 5_000,
            5_000,
        ));
    }
    assert_eq!(
        taken,
        [
            (Step::Cadence, Resource::Seats),
            (Step::Side, Resource::Seats)
        ]
    );
}

/// A node of one shard for ten minutes: sweeps cost what they cost, and at the first step the shell holds the cadence at
/// 300 ms.
fn ten_minutes(fixed_us: f64, second_us: f64) -> Vec<Step> {
    let (mut cadence, mut ladder) = (Cadence::default(), Ladder::default());
    let (mut swept, mut due, mut taken) = (0, 0, Vec::new());
    for ms in (0..600_000).step_by(10) {
        if ms >= due {
            let held = if ladder.step() == Step::Ground {
                100
            } else {
                300
            };
            cadence.set_bounds(CadenceBounds::new(held, 2_000).expect("good bounds"));
            let cost_us = fixed_us + second_us * (ms - swept) as f64 / 1_000.0;
            due = ms + cadence.after_sweep(cost_us as u64, 5_000, Now::from_millis(ms));
            swept = ms;
        }
        if ms % 100 == 0 {
            let load = Load {
                cpu: cadence.projected_load(),
                cadence_ms: cadence.needed_ms(),
                ..Load::default()
            };
            let event = ladder.look(&load, 0.3, Now::from_millis(ms), UnixMillis(ms));
            taken.extend(event.map(|event| event.to));
        }
    }
    taken
}

#[test]
fn a_steady_load_takes_its_step_once() {
    assert_eq!(ten_minutes(10_000.0, 4_000.0), []);
    for (fixed_us, second_us) in [
        (38_000.0, 10_000.0),
        (45_000.0, 15_000.0),
        (60_000.0, 20_000.0),
    ] {
        assert_eq!(
            ten_minutes(fixed_us, second_us),
            [Step::Cadence],
            "{fixed_us} {second_us}"
        );
    }
}

/// What a step gives up can be what made it needed: files of roster events, that come back when the step is left.
#[test]
fn what_the_step_itself_relieves_is_not_tried_again_and_again() {
    let files = |used| Load {
        files: Used { used, limit: 100 },
        ..Load::default()
    };
    let (mut ladder, mut taken) = (Ladder::default(), 0);
    for ms in (0..600_000).step_by(100) {
        let load = files(if ladder.step() < Step::Side { 80 } else { 60 });
        let event = ladder.look(&load, 0.1, Now::from_millis(ms), UnixMillis(ms));
        taken += usize::from(event.is_some());
    }
    assert!(taken <= 20, "{taken} steps in ten minutes");
    // And when it is over, the ground is reached.
    let down = steps(&mut ladder, &files(10), 0.1, 600_000, 140_000);
    assert_eq!(down.last().map(|step| step.0), Some(Step::Ground));
    // What comes much later is climbed, and left after the short time again.
    let up = steps(&mut ladder, &files(80), 0.1, 1_200_000, 1_000);
    assert_eq!(up.last().map(|step| step.0), Some(Step::Side));
    let down = steps(&mut ladder, &files(10), 0.1, 1_201_000, 21_000);
    assert_eq!(down.last().map(|step| step.0), Some(Step::Ground));
}

#[test]
fn a_widened_cadence_is_the_first_step() {
    let mut ladder = Ladder::default();
    let wide = Load {
        cadence_ms: 400,
        ..Load::default()
    };
    assert_eq!(
        steps(&mut ladder, &wide, 0.0, 0, 1_000),
        [(Step::Cadence, Resource::Cpu)]
    );
}
