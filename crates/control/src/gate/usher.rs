//! The usher: measures the seats of the node, deals them to spaces and lanes, calls the line, and climbs the ladder. One a node,
//! owned by one task that ticks it every 100 ms. Gates never wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use hustings_media::time::Now;

use super::booked::Booked;
use super::door::Door;
use super::hall::Hall;
use super::ladder::{Ladder, LadderEvent};
use super::limits::{DOORS_MAX, PEAK_PERIOD_MS, QUIET_KEPT_MIN, QUIET_KEPT_PART, SPENT_PERIOD_MS};
use super::load::{Load, Resource};
use super::mode::ModeEvent;
use super::settings::{BadSettings, check_guarantee};
use super::shut::Shut;
use super::ticket::DoorEpoch;
use super::verdict::Times;
use crate::ids::SpaceId;

/// Milliseconds between two adjustments of the puzzles.
const COHORTS_EVERY_MS: u64 = 5_000;

pub struct Usher {
    hall: Arc<Hall>,
    doors: Vec<Option<Booked>>,
    ladder: Ladder,
    began: Option<Now>,
    cohorts_at: Now,
    peaks_at: Now,
    spent_at: Now,
}

#[derive(Clone, Debug, PartialEq)]
pub struct UsherReport {
    /// Seats of the node now, and what makes them so few.
    pub capacity: u32,
    pub short: Resource,
    /// To be stored and shown.
    pub ladder: Option<LadderEvent>,
    pub modes: Vec<ModeEvent>,
    /// The spent set turned before its time, being full: replays are known for a shorter time.
    pub spent_early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDoor {
    #[error("this space has a door already")]
    Open,
    #[error("a hall has {DOORS_MAX} doors at most")]
    Full,
    #[error(transparent)]
    Settings(#[from] BadSettings),
}

impl Usher {
    pub fn new(hall: Arc<Hall>) -> Self {
        let (cohorts_at, peaks_at, spent_at) = (Now(0), Now(0), Now(0));
        Self {
            hall,
            doors: Vec::new(),
            ladder: Ladder::default(),
            began: None,
            cohorts_at,
            peaks_at,
            spent_at,
        }
    }

    /// Opens a space's door. `epoch` counts up when the same space is opened anew; the guarantee is a share of the seats,
    /// None for the node's setting.
    ///
    /// # Errors
    /// When the space has a door, there are too many, or the guarantee is no share.
    pub fn open(
        &mut self,
        space: SpaceId,
        epoch: DoorEpoch,
        guarantee: Option<f64>,
        times: Times,
    ) -> Result<Arc<Door>, BadDoor> {
        let guarantee = guarantee.unwrap_or(self.hall.settings.guarantee);
        check_guarantee(guarantee)?;
        if self
            .doors
            .iter()
            .flatten()
            .any(|booked| *booked.door.space() == space)
        {
            return Err(BadDoor::Open);
        }
        let slot = self
            .doors
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.doors.len());
        if slot >= DOORS_MAX {
            return Err(BadDoor::Full);
        }
        let door = Arc::new(Door::new(
            self.hall.clone(),
            space,
            epoch,
            slot as u16,
            times.now,
        ));
        let booked = Booked::new(door.clone(), guarantee);
        if slot == self.doors.len() {
            self.doors.push(Some(booked))
        } else {
            self.doors[slot] = Some(booked)
        }
        self.budget();
        Ok(door)
    }

    /// What an operator wishes of one space: its guaranteed share (none: the node's), listeners at most (none: as many as
    /// there are seats), and whether it is shut: nobody new enters, those inside stay, and those who were inside come back.
    ///
    /// # Errors
    /// When the guarantee is no share; then nothing is changed. A space without a door is no error.
    pub fn settle(
        &mut self,
        space: &SpaceId,
        guarantee: Option<f64>,
        limit: Option<u32>,
        shut: Shut,
    ) -> Result<(), BadSettings> {
        let guarantee = guarantee.unwrap_or(self.hall.settings.guarantee);
        check_guarantee(guarantee)?;
        let mut booked = self.doors.iter_mut().flatten();
        if let Some(booked) = booked.find(|booked| booked.door.space() == space) {
            booked.guarantee = guarantee;
            booked.limit_back = limit.unwrap_or(u32::MAX);
            booked.limit = if shut == Shut::No {
                booked.limit_back
            } else {
                0
            };
            booked.door.shut.store(shut as u8, Relaxed);
        }
        Ok(())
    }

    /// Nobody enters any more; those inside keep their passes. Take the gates' tallies before the slot is used again.
    pub fn close(&mut self, space: &SpaceId) {
        let of = |booked: &mut Booked| booked.door.space() == space;
        for booked in self.doors.iter_mut().filter_map(|slot| slot.take_if(of)) {
            booked.door.closed.store(true, Release);
        }
    }

    pub fn doors(&self) -> impl Iterator<Item = &Arc<Door>> {
        self.doors.iter().flatten().map(|booked| &booked.door)
    }

    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Every 100 ms. `load` is the node's, its `cpu` and cadence those of the busiest shard.
    pub fn tick(&mut self, load: &Load, times: Times) -> UsherReport {
        let began = *self.began.get_or_insert(times.now);
        // Seconds begin at 1 so that nothing looks left at 0.
        let second = 1 + (times.now.since(began) / 1_000_000) as u32;
        self.hall.second.store(second, Relaxed);
        let (capacity, short) = load.seats(self.hall.inside(), self.hall.settings.seats);
        self.hall.set_capacity(capacity);
        self.doors.iter_mut().flatten().for_each(Booked::see);
        self.budget();
        let mut modes = Vec::new();
        for booked in self.doors.iter_mut().flatten() {
            booked.returns(second);
            modes.extend(booked.look(short, times));
            booked.deal(times);
            booked.slowly();
        }
        let spent_early = self.turn(times.now);
        let taken = f64::from(self.hall.inside()) / f64::from(capacity.max(1));
        let ladder = self.ladder.look(load, taken, times.now, times.wall);
        UsherReport {
            capacity,
            short,
            ladder,
            modes,
            spent_early,
        }
    }

    /// How many seats each space may hold: its guarantee, and of what is idle an equal part; first come those below their guarantee.
    fn budget(&mut self) {
        let capacity = self.hall.capacity();
        let free = capacity.saturating_sub(self.hall.inside());
        let all: f64 = self
            .doors
            .iter()
            .flatten()
            .map(|booked| booked.guarantee)
            .sum();
        let scale = f64::from(capacity) / all.max(1.0);
        let (mut owed, mut quiet, mut borrowers) = (0_u32, 0_u32, 0_u32);
        for booked in self.doors.iter().flatten() {
            let below = booked.below(scale);
            match (booked.wants(), below) {
                (true, 0) => borrowers += u32::from(booked.door.inside() < booked.limit),
                (true, _) => {
                    let soon = booked.soon(below);
                    owed = owed.saturating_add(soon);
                    quiet = quiet.saturating_add(below - soon);
                }
                (false, _) => quiet = quiet.saturating_add(below),
            }
        }
        let kept = (capacity / QUIET_KEPT_PART).max(QUIET_KEPT_MIN.min(capacity / 10));
        let spare = free.saturating_sub(owed).saturating_sub(quiet.min(kept));
        for booked in self.doors.iter_mut().flatten() {
            let taken = booked.door.inside();
            let wants = booked.wants();
            let part = if wants {
                spare.div_ceil(borrowers.max(1))
            } else {
                spare
            };
            let guaranteed = taken.saturating_add(booked.below(scale));
            let all = guaranteed.max(taken.saturating_add(part)).min(capacity);
            let allowed = all.min(booked.limit);
            booked.door.allowed.store(allowed, Relaxed);
            let back = all.min(booked.limit_back);
            booked.door.allowed_back.store(back, Relaxed);
            booked.seen.room = allowed.saturating_sub(taken).min(free);
        }
    }

    fn turn(&mut self, now: Now) -> bool {
        let due = |at: &mut Now, every: u64| {
            let due = now.since(*at) >= every * 1_000;
            if due {
                *at = now;
            }
            due
        };
        if due(&mut self.cohorts_at, COHORTS_EVERY_MS) {
            self.doors
                .iter_mut()
                .flatten()
                .for_each(Booked::adjust_puzzles);
        }
        if due(&mut self.peaks_at, PEAK_PERIOD_MS) {
            self.hall.prefixes.turn();
        }
        let early = self.hall.spent.full();
        if due(&mut self.spent_at, SPENT_PERIOD_MS) || early {
            self.spent_at = now;
            self.hall.spent.turn();
        }
        early
    }
}
