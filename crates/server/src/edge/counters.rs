//! What a shard tells the rest of the node: numbers that it alone writes and anybody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::EdgeStats;
use super::abuse::AbuseCounters;
use crate::ops::flight::Meter;

#[derive(Debug, Default)]
pub(super) struct ShardCounters {
    pub(super) listeners: AtomicU64,
    pub(super) joins: AtomicU64,
    pub(super) sweeps: AtomicU64,
    pub(super) sweep_us: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) cadence_ms: AtomicU64,
    /// Milliseconds that the sweeps' costs ask for.
    pub(super) needed_ms: AtomicU64,
    /// The bits of an `f64`.
    pub(super) projected_load: AtomicU64,
    pub(super) too_slow: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) http_connections: AtomicU64,
    pub(super) tasks: AtomicU64,
    pub(super) accept_pauses: AtomicU64,
    pub(super) sweep_panics: AtomicU64,
    pub(super) restarts: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) handshakes: AtomicU64,
    pub(super) assets: AtomicU64,
    /// Answers of the pages by their status: 400 to 499, 500 and above, 503.
    pub(super) answers: [AtomicU64; 3],
    pub(super) requests: Meter,
    /// Panics this many sweeps, so that a test sees what follows.
    #[cfg(test)]
    pub(super) panics_wanted: AtomicU64,
    /// Sweeps stop before their last listener for as long as this is set, so that a test sees what comes between.
    #[cfg(test)]
    pub(super) held: std::sync::atomic::AtomicBool,
    /// Slices that ended so.
    #[cfg(test)]
    pub(super) slices_held: AtomicU64,
    pub(super) abuse: AbuseCounters,
}

/// All shards of the node, and how many connections they may hold together: open files are the whole process's.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) shards: Arc<[Arc<ShardCounters>]>,
    pub(super) connections_max: u64,
}

impl Room {
    /// Whether whoever has just said what they want must be turned away.
    pub(super) fn is_full(&self) -> bool {
        self.open() > self.connections_max
    }

    /// Whether there is no room even to hear and answer a newcomer.
    pub(super) fn is_shut(&self) -> bool {
        self.open()
            > self
                .connections_max
                .saturating_add(self.connections_max / 8)
    }

    fn open(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.tasks.load(Relaxed) + shard.listeners.load(Relaxed))
            .sum()
    }
}

pub(super) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Relaxed);
}

/// Sums, but for cadence and load: there the shard that is worst off counts.
pub(super) fn together<'a>(shards: impl IntoIterator<Item = &'a ShardCounters>) -> EdgeStats {
    let mut all = EdgeStats::default();
    for shard in shards {
        all.listeners += shard.listeners.load(Relaxed);
        all.joins += shard.joins.load(Relaxed);
        all.sweeps += shard.sweeps.load(Relaxed);
        all.sweep_us += shard.sweep_us.load(Relaxed);
        all.bytes += shard.bytes.load(Relaxed);
        all.too_slow += shard.too_slow.load(Relaxed);
        all.refused += shard.refused.load(Relaxed);
        all.http_connections += shard.http_connections.load(Relaxed);
        all.tasks += shard.tasks.load(Relaxed);
        shard.abuse.add_to(&mut all.abuse);
        all.sweep_panics += shard.sweep_panics.load(Relaxed);
        all.restarts += shard.restarts.load(Relaxed);
        all.accepted += shard.accepted.load(Relaxed);
        all.handshakes += shard.handshakes.load(Relaxed);
        all.assets += shard.assets.load(Relaxed);
        for (sum, count) in all.answers.iter_mut().zip(&shard.answers) {
            *sum += count.load(Relaxed);
        }
        all.accept_pauses += shard.accept_pauses.load(Relaxed);
        all.cadence_ms = all.cadence_ms.max(shard.cadence_ms.load(Relaxed));
        all.needed_ms = all.needed_ms.max(shard.needed_ms.load(Relaxed));
        all.projected_load = all
            .projected_load
            .max(f64::from_bits(shard.projected_load.load(Relaxed)));
    }
    all
}
