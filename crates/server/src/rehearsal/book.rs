//! The rehearsals under way at this node: what each has asked, who of it listens, and whether it was ended. What an operator
//! has ended stays ended over a restart.

mod told;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use hustings_control::ids::UnixMillis;
use serde::{Deserialize, Serialize};

pub use self::told::Told;
use super::Refusal;
use super::permit::{Permit, PermitKey};
use crate::live::SpaceHandle;

/// Rehearsals that a node looks after at once, those over within the last hour too. One more is refused.
const REHEARSALS_MAX: usize = 16;
/// Seconds that a rehearsal is shown after its last request.
const SHOWN_S: u64 = 3_600;
/// Microseconds' worth of requests that may come at once: a driver that was held up catches up.
const BURST_US: u64 = 1_000_000;
/// What was ended, in the data folder.
const ENDED_FILE: &str = "rehearsals-ended.json";

#[derive(Default)]
pub struct Rehearsals {
    house: OnceLock<House>,
    running: ArcSwap<Vec<Arc<Running>>>,
    /// Whoever adds or takes away holds it.
    changes: Mutex<()>,
    requests: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

struct House {
    key: PermitKey,
    target: String,
    ended: Mutex<Vec<Ended>>,
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Ended {
    id: u64,
    until_s: u32,
}

/// One rehearsal, by the permit that it shows.
pub(crate) struct Running {
    permit: Permit,
    ended: AtomicBool,
    first_ms: u64,
    last_ms: AtomicU64,
    /// Microseconds of the wall's clock at which the rate has room again.
    room_us: AtomicU64,
    requests: AtomicU64,
    pages: AtomicU64,
    knocks: AtomicU64,
    joins: AtomicU64,
    over: AtomicU64,
    listening: AtomicU64,
    peak: AtomicU64,
}

/// What somebody with a permit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Page,
    Knock,
    Sound,
}

/// A listener of a rehearsal, counted until it is dropped.
pub(crate) struct Seat {
    running: Arc<Running>,
    space: Arc<SpaceHandle>,
}

impl Seat {
    /// Its connection is to be closed.
    pub(crate) fn is_over(&self) -> bool {
        self.running.ended.load(Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.running.listening.fetch_sub(1, Relaxed);
        self.space.counts.rehearsing.fetch_sub(1, Relaxed);
    }
}

impl Rehearsals {
    /// From now on permits are verified; before, all of them are forged.
    ///
    /// # Errors
    /// When what was ended before cannot be read: it would begin again.
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
        let house = House {
            key,
            target,
            ended: Mutex::new(ended),
            file,
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
        let known =
            |running: &Vec<Arc<Running>>| running.iter().find(|one| one.permit == permit).cloned();
        match known(&self.running.load()) {
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
        let _changing = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::clone(&self.running.load());
        // Somebody else may have been quicker.
        if let Some(running) = all.iter().find(|one| one.permit == permit) {
            return Ok(Arc::clone(running));
        }
        let ended = house.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let was_ended = ended.iter().any(|one| one.id == permit.id);
        drop(ended);
        all.retain(|one| one.is_shown(wall));
        if all.len() >= REHEARSALS_MAX {
            return Err(Refusal::Crowded);
        }
        tracing::info!(id = %format_args!("{:016x}", permit.id), rate = permit.rate, people = permit.people, "a rehearsal has begun");
        let running = Arc::new(Running::new(permit, was_ended, wall));
        all.push(Arc::clone(&running));
        self.running.store(Arc::new(all));
        Ok(running)
    }

    /// Ends one: its listeners are closed, and all it asks from now on is answered with that. `false`: there is none.
    ///
    /// # Errors
    /// When that could not be written: it is ended, but a restart would forget it.
    pub fn end(&self, id: u64) -> std::io::Result<bool> {
        let running = self.running.load();
        let Some(found) = running.iter().find(|one| one.permit.id == id) else {
            return Ok(false);
        };
        found.ended.store(true, Relaxed);
        tracing::info!(id = %format_args!("{id:016x}"), "the operator ended a rehearsal");
        let Some(house) = self.house.get() else {
            return Ok(true);
        };
        let mut ended = house.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(Ended {
            id,
            until_s: found.permit.until_s,
        });
        let Some(file) = &house.file else {
            return Ok(true);
        };
        let text = serde_json::to_string(&*ended)?;
        crate::api::secrets::write(file, &text).map_err(std::io::Error::other)?;
        Ok(true)
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

impl Running {
    fn new(permit: Permit, ended: bool, wall: UnixMillis) -> Self {
        Self {
            permit,
            ended: AtomicBool::new(ended),
            first_ms: wall.0,
            last_ms: AtomicU64::new(wall.0),
            room_us: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            knocks: AtomicU64::new(0),
            joins: AtomicU64::new(0),
            over: AtomicU64::new(0),
            listening: AtomicU64::new(0),
            peak: AtomicU64::new(0),
        }
    }

    fn count(&self, asks: Mark, wall: UnixMillis) -> Result<(), Refusal> {
        if self.ended.load(Relaxed) {
            return Err(Refusal::Ended);
        }
        self.last_ms.store(wall.0, Relaxed);
        let over = |refusal| {
            self.over.fetch_add(1, Relaxed);
            refusal
        };
        if !self.has_room(wall.0.saturating_mul(1_000)) {
            return Err(over(Refusal::Rate));
        }
        if asks == Mark::Sound && self.listening.load(Relaxed) >= u64::from(self.permit.people) {
            return Err(over(Refusal::People));
        }
        self.requests.fetch_add(1, Relaxed);
        match asks {
            Mark::Page => self.pages.fetch_add(1, Relaxed),
            Mark::Knock => self.knocks.fetch_add(1, Relaxed),
            Mark::Sound => 0,
        };
        Ok(())
    }

    /// A bucket without a lock: each request takes its share of a second.
    fn has_room(&self, now_us: u64) -> bool {
        let each = 1_000_000 / u64::from(self.permit.rate.max(1));
        let take = |room: u64| {
            let begins = room.max(now_us);
            (begins <= now_us.saturating_add(BURST_US)).then_some(begins + each)
        };
        self.room_us.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// It was let in: counted until the seat is dropped.
    pub(crate) fn sit(self: &Arc<Self>, space: &Arc<SpaceHandle>) -> Seat {
        self.joins.fetch_add(1, Relaxed);
        let now = self.listening.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
        space.counts.rehearsing.fetch_add(1, Relaxed);
        Seat {
            running: Arc::clone(self),
            space: Arc::clone(space),
        }
    }

    fn is_shown(&self, wall: UnixMillis) -> bool {
        let last_s = self.last_ms.load(Relaxed) / 1_000;
        self.listening.load(Relaxed) > 0 || wall.0 / 1_000 < last_s + SHOWN_S
    }
}

#[cfg(test)]
mod tests;
