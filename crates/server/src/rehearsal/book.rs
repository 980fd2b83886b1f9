//! The rehearsals under way at this node: what each has asked, who of it listens, and whether it was ended. What an operator
//! has ended stays ended over a restart.

mod ends;
mod told;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use hustings_control::ids::UnixMillis;
use serde::{Deserialize, Serialize};

pub use self::ends::{CannotEnd, Ends};
pub use self::told::Told;
use super::Refusal;
use super::kept::{self, Kept, Outcome};
use super::permit::{Permit, PermitKey};
use super::running::{Mark, Running};

/// Rehearsals that a node looks after at once: one more is refused. So many that are over are shown beside them.
const REHEARSALS_MAX: usize = 16;
/// Beginnings that nobody has taken yet; more than may be under way at once. What is more is only logged.
const BEGUN_MAX: usize = 2 * REHEARSALS_MAX;
/// What was ended, in the data folder.
const ENDED_FILE: &str = "rehearsals-ended.json";

#[derive(Default)]
pub struct Rehearsals {
    house: OnceLock<House>,
    running: ArcSwap<Vec<Arc<Running>>>,
    /// Whoever adds or takes away holds it.
    changes: Mutex<()>,
    begun: Mutex<Vec<Turn>>,
    requests: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

struct House {
    key: PermitKey,
    target: String,
    ended: Mutex<Vec<Ended>>,
    kept: Mutex<Vec<Kept>>,
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Ended {
    id: u64,
    until_s: u32,
}

/// What happened to a rehearsal: told to the log, the records and the flight recorder.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    Began {
        /// Unix milliseconds.
        at: u64,
        id: u64,
        rate: u32,
        people: u32,
    },
    Over(Kept),
}

impl Rehearsals {
    /// From now on permits are verified; before, all of them are forged.
    ///
    /// # Errors
    /// When what was ended before cannot be read: it would begin again. Or what is kept of those before.
    pub fn open(
        &self,
        key: PermitKey,
        target: String,
        data: Option<&Path>,
        wall: UnixMillis,
    ) -> anyhow::Result<()> {
        let file = data.map(|data| data.join(ENDED_FILE));
        let mut ended: Vec<Ended> = match &file {
            Some(file) if file.exists() => serde_json::from_str(&std::fs::read_to_string(file)?)?,
            _ => Vec::new(),
        };
        ended.retain(|one| u64::from(one.until_s) > wall.0 / 1_000);
        let kept = data.map(kept::read).transpose()?.unwrap_or_default();
        let house = House {
            key,
            target,
            ended: Mutex::new(ended),
            kept: Mutex::new(kept),
            data: data.map(Path::to_owned),
        };
        anyhow::ensure!(self.house.set(house).is_ok(), "rehearsals are open already");
        Ok(())
    }

    /// Whose a request is. Without a permit it is nobody's, and that costs one look at the header.
    ///
    /// # Errors
    /// Why a request with a permit is not answered as it asks.
    pub(crate) fn judge(
        &self,
        shown: Option<&[u8]>,
        asks: Mark,
        wall: UnixMillis,
    ) -> Result<Option<Arc<Running>>, Refusal> {
        let Some(text) = shown else {
            return Ok(None);
        };
        let judged = self.look(text.trim_ascii(), wall).and_then(|running| {
            running.count(asks, wall)?;
            self.requests.fetch_add(1, Relaxed);
            Ok(Some(running))
        });
        judged.inspect_err(|refusal| {
            self.refused[*refusal as usize].fetch_add(1, Relaxed);
        })
    }

    fn look(&self, text: &[u8], wall: UnixMillis) -> Result<Arc<Running>, Refusal> {
        let house = self.house.get().ok_or(Refusal::Forged)?;
        let permit = house.key.open(text)?;
        if permit.target != house.target {
            return Err(Refusal::OtherTarget);
        }
        permit.holds_at(wall)?;
        match under_way(&self.running.load(), &permit) {
            Some(running) => Ok(running),
            None => self.begin(house, permit, wall),
        }
    }

    fn begin(
        &self,
        house: &House,
        permit: Permit,
        wall: UnixMillis,
    ) -> Result<Arc<Running>, Refusal> {
        let _changing = lock(&self.changes);
        let mut all = Vec::clone(&self.running.load());
        // Somebody else may have been quicker.
        if let Some(running) = under_way(&all, &permit) {
            return Ok(running);
        }
        if let Some(ended) = lock(&house.ended)
            .iter_mut()
            .find(|one| one.id == permit.id)
        {
            // Now it is known how long that must be remembered.
            ended.until_s = permit.until_s;
            return Err(Refusal::Ended);
        }
        let open = |one: &&Arc<Running>| !one.kept.load(Relaxed);
        if all.iter().filter(open).count() >= REHEARSALS_MAX {
            return Err(Refusal::Crowded);
        }
        let mut begun = lock(&self.begun);
        if begun.len() < BEGUN_MAX {
            begun.push(Turn::Began {
                at: wall.0,
                id: permit.id,
                rate: permit.rate,
                people: permit.people,
            });
        }
        drop(begun);
        let running = Arc::new(Running::new(permit, wall));
        all.push(Arc::clone(&running));
        self.running.store(Arc::new(all));
        Ok(running)
    }

    /// A driver that shows its permit tells its end. Nobody else is heard.
    ///
    /// # Errors
    /// Why the permit is not good.
    pub(crate) fn tell(
        &self,
        shown: Option<&[u8]>,
        outcome: Outcome,
        wall: UnixMillis,
    ) -> Result<(), Refusal> {
        let text = shown.ok_or(Refusal::Forged)?;
        self.look(text.trim_ascii(), wall)?.tell(outcome);
        Ok(())
    }

    /// To be called once a second: what has happened since the last call. Blocks for the disk when a rehearsal is over.
    pub fn tend(&self, wall: UnixMillis) -> Vec<Turn> {
        let mut turns = std::mem::take(&mut *lock(&self.begun));
        let over: Vec<Arc<Running>> = {
            let _changing = lock(&self.changes);
            let all = self.running.load();
            let over = |one: &&Arc<Running>| !one.kept.load(Relaxed) && one.has_ended(wall);
            let over: Vec<_> = all.iter().filter(over).cloned().collect();
            for one in &over {
                one.over.store(true, Relaxed);
                one.kept.store(true, Relaxed);
            }
            let mut shown: Vec<_> = all
                .iter()
                .filter(|one| !one.kept.load(Relaxed) || one.is_shown(wall))
                .cloned()
                .collect();
            let done = shown.iter().filter(|one| one.kept.load(Relaxed)).count();
            for _ in REHEARSALS_MAX..done {
                let oldest = shown.iter().position(|one| one.kept.load(Relaxed));
                oldest.map(|at| shown.remove(at));
            }
            if shown.len() != all.len() {
                self.running.store(Arc::new(shown));
            }
            over
        };
        for one in &over {
            let kept = one.to_keep();
            self.keep(&kept);
            turns.push(Turn::Over(kept));
        }
        turns
    }

    fn keep(&self, one: &Kept) {
        let Some(house) = self.house.get() else {
            return;
        };
        let mut all = lock(&house.kept);
        kept::add(&mut all, one.clone());
        if let Some(data) = &house.data
            && let Err(error) = kept::write(data, &all)
        {
            tracing::warn!(%error, "a restart forgets the rehearsal that is over now");
        }
    }

    /// Those that are over, oldest first.
    pub fn kept(&self) -> Vec<Kept> {
        self.house
            .get()
            .map_or_else(Vec::new, |house| lock(&house.kept).clone())
    }

    /// Those under way and those of the last hour, oldest first.
    pub fn told(&self, wall: UnixMillis) -> Vec<Told> {
        let running = self.running.load();
        running
            .iter()
            .filter(|one| one.is_shown(wall))
            .map(|one| one.told())
            .collect()
    }

    /// Listeners of rehearsals, all together.
    pub fn listening(&self) -> u64 {
        self.running
            .load()
            .iter()
            .map(|one| one.listening.load(Relaxed))
            .sum()
    }

    /// Requests with a good permit since the node's start.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Relaxed)
    }

    /// Host and port that permits of this node name.
    pub fn target(&self) -> Option<&str> {
        self.house.get().map(|house| house.target.as_str())
    }

    pub fn key(&self) -> Option<&PermitKey> {
        self.house.get().map(|house| &house.key)
    }
}

fn under_way(all: &[Arc<Running>], permit: &Permit) -> Option<Arc<Running>> {
    let is = |one: &&Arc<Running>| one.permit == *permit && !one.over.load(Relaxed);
    all.iter().find(is).cloned()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
