//! What the target tells of itself: `/rehearsal.json`.

use std::collections::BTreeMap;

use hustings_control::gate::Resource;
use hustings_rehearse::fit::Use;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub seats: u32,
    pub seats_out: u32,
    pub short: Resource,
    pub step: String,
    pub cadence_ms: u64,
    pub listening: u64,
    pub rehearsing: u64,
    /// Share of each resource beyond which the door takes nobody in.
    pub kept: f64,
    pub uses: BTreeMap<Resource, Used>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    pub used: f64,
    /// 0: not known.
    pub limit: f64,
}

impl Standing {
    /// Open files that no listener has: those who ask just then.
    pub(super) fn asking(&self) -> f64 {
        let files = self.uses.get(&Resource::Files);
        files.map_or(0.0, |files| (files.used - self.listening as f64).max(0.0))
    }

    /// Seats are given to the last one; of all else a part is kept for those inside.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        self.uses.iter().map(|(resource, used)| {
            let kept = if *resource == Resource::Seats {
                1.0
            } else {
                self.kept
            };
            Use {
                resource: *resource,
                used: used.used,
                limit: used.limit * kept,
            }
        })
    }
}

/// The mean of several looks; the limit is the tightest.
pub(super) fn mean(looks: &[Standing]) -> Vec<Use> {
    let mut sums: BTreeMap<Resource, (f64, f64, f64)> = BTreeMap::new();
    for one in looks.iter().flat_map(Standing::uses) {
        let sum = sums
            .entry(one.resource)
            .or_insert((0.0, 0.0, f64::INFINITY));
        *sum = (sum.0 + one.used, sum.1 + 1.0, sum.2.min(one.limit));
    }
    sums.into_iter()
        .map(|(resource, (used, count, limit))| Use {
            resource,
            used: used / count,
            limit,
        })
        .collect()
}
