//! The hall of a node: what the doors of all spaces share. Atomics only: no core waits for another.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Relaxed},
};

use super::inside::{InsideSnapshot, Prefixes};
use super::limits::PEAK_PERIOD_MS;
use super::mints::Mints;
use super::prefix::Salt;
use super::seats::{SeatId, Seats};
use super::settings::{BadSettings, Settings};
use super::spent::Spent;

/// The seats of a node, and what is known of rights and prefixes.
pub struct Hall {
    pub(crate) settings: Settings,
    pub(crate) salt: Salt,
    pub(crate) seats: Seats,
    pub(crate) spent: Spent,
    pub(crate) prefixes: Prefixes,
    pub(crate) mints: Mints,
    capacity: AtomicU32,
    /// Seats taken and seats leased to shards. Never raised above the capacity.
    out: AtomicU32,
    /// Seats that somebody has.
    taken: AtomicU32,
    /// After a restart, until this second, all of whom the snapshot speaks may come back.
    restored_until: AtomicU32,
    /// Seconds since the hall's beginning, as the usher last told.
    pub(crate) second: AtomicU32,
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hall({} of {} seats out)", self.out(), self.capacity())
    }
}

impl Hall {
    /// # Errors
    /// When a setting makes no sense.
    pub fn new(settings: Settings, salt: Salt) -> Result<Arc<Self>, BadSettings> {
        settings.check()?;
        Ok(Arc::new(Self {
            settings,
            salt,
            seats: Seats::new(settings.seats),
            spent: Spent::new(settings.seats),
            prefixes: Prefixes::new(settings.seats),
            mints: Mints::new(settings.seats),
            capacity: AtomicU32::new(settings.seats),
            out: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            restored_until: AtomicU32::new(0),
            second: AtomicU32::new(0),
        }))
    }

    /// Seats the node has by its load now.
    pub fn capacity(&self) -> u32 {
        self.capacity.load(Relaxed)
    }

    /// Seats taken, and those leased to shards and not yet taken.
    pub fn out(&self) -> u32 {
        self.out.load(Relaxed)
    }

    /// Seats taken in all spaces, held ones included.
    pub fn inside(&self) -> u32 {
        self.taken.load(Relaxed)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// For the shell to store every few seconds: how many were inside by salted hash of their prefix. Off the hot path.
    pub fn inside_snapshot(&self) -> InsideSnapshot {
        self.prefixes.snapshot()
    }

    /// After a restart, with the same salt and as many seats. False if the snapshot is of another size and was left.
    pub fn restore_inside(&self, snapshot: &InsideSnapshot) -> bool {
        let fits = self.prefixes.restore(snapshot);
        if fits {
            let until = self.second.load(Relaxed) + (PEAK_PERIOD_MS / 1_000) as u32;
            self.restored_until.store(until, Relaxed);
        }
        fits
    }

    pub(crate) fn restored_until(&self) -> u32 {
        self.restored_until.load(Relaxed)
    }

    /// Whether those of whom the snapshot speaks may still come back by it.
    pub(crate) fn is_restored(&self) -> bool {
        self.second.load(Relaxed) < self.restored_until()
    }

    pub(crate) fn set_capacity(&self, seats: u32) {
        self.capacity.store(seats.min(self.settings.seats), Relaxed);
    }

    /// Takes up to so many seats out for a shard.
    pub(crate) fn lease(&self, most: u32) -> u32 {
        let mut got = 0;
        let capacity = self.capacity();
        let taken = self.out.fetch_update(AcqRel, Relaxed, |out| {
            got = capacity.saturating_sub(out).min(most);
            (got > 0).then(|| out + got)
        });
        if taken.is_ok() { got } else { 0 }
    }

    pub(crate) fn give_back(&self, seats: u32) {
        self.out.fetch_sub(seats, AcqRel);
    }

    pub(crate) fn enter(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.taken.fetch_sub(1, Relaxed);
        self.give_back(1);
    }

    pub(crate) fn hash(&self, id: SeatId) -> u64 {
        self.salt.hash(id.0, 0x5ea7)
    }

    /// What a listener calls itself becomes a seat's id nobody else can hit on purpose.
    pub(crate) fn marked(&self, mark: u64, door: u64) -> SeatId {
        SeatId(self.salt.hash(mark, door))
    }
}
