//! Where a listener's bytes go, and why a listener goes.

use std::io;
use std::io::IoSlice;

/// A non-blocking sink: a socket (plain or TLS) in the shell, a model in the sims.
pub trait Sink {
    /// Writes what fits. `WouldBlock` means full; any other error ends the listener.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Bytes accepted earlier but still held back (TLS); called each sweep, true when nothing is left.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }
    /// The listener is taken out: every page before `next` was sent whole or skipped.
    fn parted(&mut self, next: u64) {
        let _ = next;
    }
}

/// Why a listener is no longer in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The sink failed or was closed by its other end.
    Closed,
    /// It fell off the ring again soon after a skip, or took nothing for `LISTENER_STALL_MS`.
    TooSlow,
    /// The ring is closed and everything was sent.
    RingEnded,
    /// The shell took it out.
    Removed,
}

/// Index of a ring that the shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RingKey(pub u32);
