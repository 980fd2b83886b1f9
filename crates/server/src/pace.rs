//! The cadence of this node's shards as the rest of the node sees it: the bounds that an operator sets, and the widest
//! interval that listeners must be ready for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hustings_media::fanout::{Cadence, CadenceBounds};

#[derive(Debug, Default)]
pub struct Pace {
    bounds: ArcSwap<CadenceBounds>,
    /// One for each shard that runs, in milliseconds.
    announced: Mutex<Vec<Arc<AtomicU64>>>,
    /// Thousandths of a core that sweeps may take; 0: not said, all of it.
    core_permille: AtomicU64,
}

/// What one shard announces. Counts as long as it is kept.
#[derive(Debug)]
pub struct Announcer(Arc<AtomicU64>);

impl Announcer {
    pub fn tell(&self, millis: u64) {
        self.0.store(millis, Relaxed);
    }
}

impl Pace {
    pub fn bounds(&self) -> CadenceBounds {
        **self.bounds.load()
    }

    /// Shards follow at their next sweep, no faster than players stretch.
    pub fn set_bounds(&self, bounds: CadenceBounds) {
        self.bounds.store(Arc::new(bounds));
    }

    /// Of each core, the share that sweeps may take: what the operator leaves to this node on a machine with others.
    pub fn set_core_share(&self, share: f64) {
        self.core_permille.store((share * 1_000.0) as u64, Relaxed);
    }

    pub fn core_share(&self) -> f64 {
        match self.core_permille.load(Relaxed) {
            0 => 1.0,
            permille => permille as f64 / 1_000.0,
        }
    }

    pub fn announcer(&self) -> Announcer {
        let shard = Arc::new(AtomicU64::new(self.bounds().min_ms()));
        let mut all = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| Arc::strong_count(one) > 1);
        all.push(Arc::clone(&shard));
        Announcer(shard)
    }

    /// Milliseconds: the widest of all shards. A space has listeners on any of them.
    pub fn announced_ms(&self) -> u64 {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|one| Arc::strong_count(one) > 1)
            .map(|one| one.load(Relaxed))
            .max()
            .unwrap_or(Cadence::MS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_shard_that_runs_counts() {
        let pace = Pace::default();
        assert_eq!(pace.announced_ms(), 100);
        let (one, other) = (pace.announcer(), pace.announcer());
        one.tell(700);
        other.tell(300);
        assert_eq!(pace.announced_ms(), 700);
        drop(one);
        assert_eq!(pace.announced_ms(), 300);
        other.tell(100);
        assert_eq!(pace.announced_ms(), 100);
    }
}
