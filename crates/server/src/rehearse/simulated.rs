//! The same night in the virtual world, held against the wire.

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
