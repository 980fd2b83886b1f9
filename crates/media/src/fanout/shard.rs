//! The listeners of one core. The shell gives each listener a sink; the shard walks a slab and writes from each
//! cursor to the ring's head, many pages in one vectored write. No allocation in a sweep, no task per listener.

use std::io::{self, IoSlice};

use crate::time::Now;
use super::ring::{Cursor, Ring};

/// A non-blocking sink: a socket (plain or TLS) in the shell, a model in the sims.
pub trait Sink {
    /// Writes what fits. `WouldBlock` means full; any other error ends the listener.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Bytes accepted earlier but still held back (TLS); called each sweep, true when nothing is left.
    fn flush(&mut self) -> io::Result<bool> { Ok(true) }
}

/// Why a listener is no longer in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave { Closed, TooSlow, RingEnded, Removed }

/// Key of a listener in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerKey(pub usize);

/// Index of a ring that the shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RingKey(pub u32);

/// What one sweep did. Counts, so that the shell can measure its cost per listener.
#[derive(Clone, Copy, Debug, Default)]
pub struct SweepReport { pub listeners: usize, pub bytes: u64, pub writes: u64, pub full: u64, pub skipped: u64, pub left: u64 }

pub struct Shard<S> { _todo: std::marker::PhantomData<S> }

impl<S: Sink> Shard<S> {
    pub fn new(listeners_max: usize) -> Self { let _ = listeners_max; todo!() }
    pub fn add_ring(&mut self, ring: Ring) -> RingKey { let _ = ring; todo!() }
    /// Forgets a ring that has no listeners; true when forgotten.
    pub fn remove_ring(&mut self, key: RingKey) -> bool { let _ = key; todo!() }
    /// Admits a listener; `opening` (response head and container head) is sent before the cursor's first page.
    /// Gives the sink back when the shard is full.
    pub fn join(&mut self, ring: RingKey, cursor: Cursor, opening: bytes::Bytes, sink: S, now: Now) -> Result<ListenerKey, S> { let _ = (ring, cursor, opening, now); Err(sink) }
    pub fn leave(&mut self, key: ListenerKey) -> Option<S> { let _ = key; todo!() }
    /// Writes one listener at once (its opening and burst), so that a join does not wait for the next sweep.
    pub fn serve(&mut self, key: ListenerKey, now: Now) -> Option<Leave> { let _ = (key, now); todo!() }
    /// One pass over all listeners. `left` receives who is gone and why, with their sinks.
    pub fn sweep(&mut self, now: Now, left: &mut Vec<(ListenerKey, RingKey, Leave, S)>) -> SweepReport { let _ = (now, left); todo!() }
    pub fn listeners(&self) -> usize { todo!() }
    /// Listeners on one ring that took bytes within the last 10 s (the "listening now" of docs).
    pub fn listening(&self, ring: RingKey, now: Now) -> usize { let _ = (ring, now); todo!() }
}

/// The elastic cadence: 100 ms when idle, to 2 s, by the share of time that sweeps take. Widens slower than players stretch.
pub struct Cadence { _todo: () }
impl Cadence {
    pub const MS_MIN: u64 = 100;
    pub const MS_MAX: u64 = 2_000;
    pub fn new() -> Self { todo!() }
    /// Tells what a sweep cost (microseconds of CPU or wall time); returns milliseconds until the next.
    pub fn after_sweep(&mut self, cost_us: u64, now: Now) -> u64 { let _ = (cost_us, now); todo!() }
    pub fn current_ms(&self) -> u64 { todo!() }
    /// Share (0..) of one core the sweeps would need at the widest cadence: the gate's load signal.
    pub fn projected_load(&self) -> f64 { todo!() }
}
