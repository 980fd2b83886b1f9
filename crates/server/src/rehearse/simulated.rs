//! The same night in the virtual world, held against the wire.

use hustings_control::gate::Resource;
use hustings_control::gate::limits::SEATS_MAX;
use hustings_rehearse::fit::Point;
use hustings_rehearse::scenario::{File, Sight, Wish};
use hustings_rehearse::{Kind, Night, simulate_night};

use super::record::Beside;
use super::seen::Seen;

/// People of a night that is simulated beside the wire: larger ones have no wire to be held against.
const PEOPLE_MAX: u32 = 200_000;

/// Figures that both worlds have. None for a night that is too large.
///
/// # Errors
/// When the simulation finds an invariant broken.
pub fn beside_simulation(night: &Night, seen: &Seen) -> anyhow::Result<Vec<Beside>> {
    if night.people() > PEOPLE_MAX {
        return Ok(Vec::new());
    }
    let report = simulate_night(night)?;
    let honest = || report.kinds.iter().filter(|kind| !kind.kind.is_attack());
    let sum = |of: fn(&hustings_rehearse::KindReport) -> u64| honest().map(of).sum::<u64>() as f64;
    let people = &seen.people;
    let row = |what: &str, wire: f64, simulated: f64| Beside {
        what: what.to_owned(),
        wire,
        simulated,
    };
    let mut rows = vec![
        row(
            "people who came",
            people.came as f64,
            sum(|kind| kind.people),
        ),
        row(
            "people who heard",
            people.heard as f64,
            sum(|kind| kind.admitted),
        ),
        row(
            "people who gave up",
            people.gave_up as f64,
            sum(|kind| kind.gave_up),
        ),
        row(
            "inside at once, the most",
            people.peak as f64,
            f64::from(report.inside_most),
        ),
        row(
            "came back after a loss",
            people.back as f64,
            sum(|kind| kind.back),
        ),
    ];
    let page = report.kind(Kind::Page);
    let waits = [
        (0.5, "half", page.and_then(|page| page.wait_p50_s)),
        (
            0.99,
            "99 of a hundred",
            page.and_then(|page| page.wait_p99_s),
        ),
    ];
    for (share, name, simulated) in waits {
        if let (Some(wire), Some(simulated)) = (people.waits.quantile(share), simulated) {
            rows.push(row(
                &format!("seconds to the sound, {name} (simulated: of pages)"),
                f64::from(wire) / 1e3,
                simulated,
            ));
        }
    }
    Ok(rows)
}

/// The loads of a claim, each pressed alike in the virtual world before a door with as many seats: how many are inside then, and
/// at the highest how long they waited. Loads that are too large for a simulation are left out.
///
/// # Errors
/// When the simulation finds an invariant broken.
pub fn loads_beside_simulation(
    points: &[Point],
    rate: f64,
    seed: u64,
    seen: &Seen,
) -> anyhow::Result<Vec<Beside>> {
    let mut rows = Vec::new();
    let of_first_round = points.iter().filter(|point| point.round == 1);
    for (at, point) in of_first_round.enumerate() {
        let people = point.listeners.round() as u32;
        if !(1..=PEOPLE_MAX).contains(&people) {
            continue;
        }
        let rounds: Vec<f64> = (1..)
            .map_while(|round| points.iter().filter(|one| one.round == round).nth(at))
            .map(|point| point.listeners)
            .collect();
        let report = simulate_night(&held(people, rate, seats(point), seed)?)?;
        rows.push(Beside {
            what: format!("inside, of a load of {people} pressed at {rate:.0} a second"),
            wire: rounds.iter().sum::<f64>() / rounds.len().max(1) as f64,
            simulated: f64::from(report.inside_most),
        });
        let highest = points
            .iter()
            .all(|one| one.listeners <= point.listeners * 1.05);
        let simulated = report.kind(Kind::Page).and_then(|page| page.wait_p99_s);
        if let (true, Some(wire), Some(simulated)) =
            (highest, seen.people.waits.quantile(0.99), simulated)
        {
            rows.push(Beside {
                what: "seconds to the sound, 99 of a hundred (simulated: of pages, at the highest load)"
                    .to_owned(),
                wire: f64::from(wire) / 1e3,
                simulated,
            });
        }
    }
    Ok(rows)
}

/// Seats that the target said it had for all, by files and by its own limit.
fn seats(point: &Point) -> u32 {
    let limits = point
        .uses
        .iter()
        .filter(|one| matches!(one.resource, Resource::Files | Resource::Seats) && one.limit > 0.0);
    let least = limits
        .map(|one| one.limit)
        .fold(f64::from(SEATS_MAX), f64::min);
    (least as u32).max(20)
}

/// So many people who come evenly, each from a network of its own, two of three with script, and stay.
fn held(people: u32, rate: f64, seats: u32, seed: u64) -> anyhow::Result<Night> {
    let over_s = (f64::from(people) / rate.max(1e-3)).ceil().max(1.0);
    let minutes = (over_s / 60.0).ceil() + 1.0;
    let text = format!(
        r#"name = "a-load"
about = "A load of a claim."
label = ["quiet"]
minutes = {minutes}
seats = {seats}
networks = {people}
[[space]]
id = "a-space"
[[crowd]]
people = {people}
over_s = {over_s}
curve = "steady"
mix = {{ page = 2, no-script = 1 }}
stay_minutes = 600
"#
    );
    let wish = Wish {
        seed,
        sight: Sight::Seen,
        scale: None,
    };
    Ok(File::read(&text)?.night(wish)?)
}

#[cfg(test)]
mod tests {
    use hustings_rehearse::fit::Use;

    use super::*;

    #[test]
    fn a_load_is_as_many_inside_in_both_worlds_until_seats_end() {
        let point = |round, listeners| Point {
            round,
            listeners,
            uses: vec![Use {
                resource: Resource::Files,
                used: listeners,
                limit: 400.0,
            }],
            ..Point::default()
        };
        let points = [
            point(1, 100.0),
            point(1, 300.0),
            point(2, 100.0),
            point(2, 298.0),
        ];
        let mut seen = Seen::default();
        seen.people.waits.add(250);
        let rows = loads_beside_simulation(&points, 50.0, 1, &seen).expect("simulated");
        let figures: Vec<(f64, f64)> = rows.iter().map(|one| (one.wire, one.simulated)).collect();
        assert_eq!(figures[..2], [(100.0, 100.0), (299.0, 300.0)], "{rows:?}");
        assert!(
            rows.len() == 3 && (figures[2].0 - 0.25).abs() < 0.01,
            "{rows:?}"
        );
        let more = loads_beside_simulation(&[point(1, 900.0)], 50.0, 1, &seen).expect("simulated");
        assert!(
            more[0].simulated <= 400.0,
            "no more than there are seats: {more:?}"
        );
    }
}
