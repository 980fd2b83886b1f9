//! Nights rehearsed in virtual time. The gate, the usher, the line, the tokens, the cadence and the shard are the production
//! code; only the people, the clock and the cost of a sweep are told.
//!
//! [`simulate`] runs a [`Scenario`] and returns a [`Report`], or what broke: seats beyond the capacity, a seat that did not
//! come back, or a sum that does not come out. The same scenario gives the same bytes.

mod arrive;
mod behave;
mod crowd;
mod curve;
mod dice;
pub mod fit;
mod gather;
mod happen;
mod harm;
mod hostile;
mod inside;
mod kind;
mod limits;
mod report;
mod sample;
mod scenario;
mod table;
mod waits;
mod wheel;
mod world;

pub use curve::Curve;
pub use harm::{InsideHarm, SampleHarm};
pub use kind::{ATTACKS, Kind};
pub use report::{Broken, KindReport, PrefixShare, Refused, Report};
pub use scenario::{Attack, BadScenario, Break, Costs, Scenario};
pub use table::table;

/// Runs the scenario, and once more its second space alone, to compare with.
///
/// # Errors
/// When the scenario makes no sense, or an invariant broke; then the report would be worth nothing.
pub fn simulate(scenario: &Scenario) -> Result<Report, Broken> {
    scenario.check()?;
    let mut report = world::World::new(scenario)?.run()?;
    if scenario.beside > 0 {
        let alone = world::World::new(&scenario.beside_alone())?.run()?;
        report.beside_alone(&alone);
    }
    Ok(report)
}
