//! Nights rehearsed in virtual time. The gate, the usher, the line, the tokens, the cadence and the shard are the production
//! code; only the people, the clock and the cost of a sweep are told.
//!
//! A [`scenario::File`] is drawn into a [`Night`]; [`simulate_night`] runs it and returns a [`Report`], or what broke: seats
//! beyond the capacity, a seat that did not come back, or a sum that does not come out. The same night gives the same bytes.

mod arrive;
mod behave;
mod crowd;
mod curve;
mod dice;
pub mod fit;
mod gather;
mod harm;
mod hostile;
mod inside;
mod kind;
mod limits;
mod node;
mod recorder;
mod report;
mod rows;
mod sample;
pub mod scenario;
mod serving;
mod sums;
mod table;
mod told;
mod troubles;
mod waits;
mod wheel;
mod world;

use hustings_evidence::row::{Happening, NodeRow, SpaceRow};

pub use crowd::Network;
pub use curve::Curve;
pub use harm::{InsideHarm, SampleHarm};
pub use kind::{ATTACKS, Kind};
pub use report::{Broken, KindReport, PrefixShare, Refused, Report};
pub use scenario::{Attack, BadScenario, Break, Costs, Night, Scenario};
pub use table::table;

/// A night, and what its node's flight recorder would have kept.
#[derive(Clone, Debug)]
pub struct Run {
    pub report: Report,
    /// One a second while the node ran, in order.
    pub nodes: Vec<NodeRow>,
    /// One a second and space, in the same order.
    pub spaces: Vec<SpaceRow>,
    pub happenings: Vec<Happening>,
}

/// Runs the night and keeps the rows. The sample of a real shard and the comparison with the other spaces alone are left out:
/// rows are for judging, and many nights are judged.
///
/// # Errors
/// When an invariant broke.
pub fn record(night: &Night) -> Result<Run, Broken> {
    world::World::new(night)?.recorded().run()
}

/// Runs the short form of a scenario.
///
/// # Errors
/// When the scenario makes no sense, or an invariant broke; then the report would be worth nothing.
pub fn simulate(scenario: &Scenario) -> Result<Report, Broken> {
    scenario.check()?;
    let mut report = simulate_night(&scenario.night())?;
    report.scenario = Some(scenario.clone());
    Ok(report)
}

/// Runs the night, and once more the spaces beside the first alone, to compare with.
///
/// # Errors
/// When an invariant broke.
pub fn simulate_night(night: &Night) -> Result<Report, Broken> {
    let mut report = world::World::new(night)?.run()?.report;
    if night.has_beside() {
        let alone = world::World::new(&night.beside_alone())?.run()?.report;
        report.beside_alone(&alone);
    }
    Ok(report)
}
