//! What those inside noticed.

use serde::Serialize;

/// Of the modelled shards: the production's cadence fed with the told costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct InsideHarm {
    /// The widest cadence of any shard, in milliseconds.
    pub cadence_widest_ms: u64,
    /// Sweeps, and those that began later than the cadence promised because the core was busy.
    pub sweeps: u64,
    pub sweeps_late: u64,
    /// Share of a core that sweeps and knocks took, of the busiest shard's busiest second.
    pub busiest_core: f64,
    /// Who lost the seat though nobody broke the connection: seats taken over by strangers. None may.
    pub disconnected: u64,
}

/// Of a real shard that writes a ring's pages to a sample of model sinks at the busiest shard's cadence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SampleHarm {
    pub listeners: u64,
    pub bytes: u64,
    /// Sinks that were full at a sweep: the slow ones'.
    pub full: u64,
    /// Jumps to a later page, and those who fell out: of the slow ones and of all others.
    pub skipped: u64,
    pub left_slow: u64,
    pub left_others: u64,
}
