//! Every bound of the house's listeners: its unit, the reason for its size, and what happens there.

use std::time::Duration;

use crate::edge::prefixes::PerLevel;

/// Connections a listener of the house holds at once; for one more a stranger goes, and without strangers it waits in the
/// kernel's queue.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Of them those by which nobody has shown a right yet; for one more the oldest of the most crowded prefix is dropped. Half,
/// so that no crowd of strangers takes the place of those who run the evening.
pub(super) const STRANGERS_MAX: usize = CONNECTIONS_MAX / 2;
/// Strangers' connections of one prefix; for one more its own oldest is dropped. A browser without HTTP/2 opens six, and a
/// prefix from which somebody has shown a right is a friend and has no such bound.
pub(super) const STRANGERS_MAX_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 96,
    v6_64: 48,
    v6_56: 96,
    v6_48: 192,
};
/// Strangers dropped at once when the process has no file left for a newcomer.
pub(super) const DROPPED_WHEN_SHORT: usize = 16;
/// New connections a second of one prefix, and seconds' worth of them at once; one more is closed unread.
pub(super) const CONNECTIONS_PER_S_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 40,
    v6_64: 20,
    v6_56: 40,
    v6_48: 80,
};
/// Requests a second of the strangers of one prefix; one more is answered 429 and its connection ends (with HTTP/2 after
/// some). A studio's page with
/// all its files is some twenty.
pub(super) const REQUESTS_PER_S_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 40,
    v6_64: 20,
    v6_56: 40,
    v6_48: 80,
};
/// Seconds' worth of connections and requests that may come at once.
pub(super) const BURST_S: u32 = 10;
/// TLS handshakes a second of strangers: each costs up to 1 ms (RSA) of the threads that mix the sound. One more waits for
/// its turn before anything is computed; whose turn comes too late is closed.
pub(super) const HANDSHAKES_PER_S: u32 = 100;
/// The same for one prefix; one more is closed.
pub(super) const HANDSHAKES_PER_S_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 25,
    v6_64: 10,
    v6_56: 25,
    v6_48: 50,
};
/// Seconds' worth of handshakes that may come at once.
pub(super) const HANDSHAKES_BURST_S: u32 = 2;
/// Prefixes remembered as friends; the one not seen for longest makes room.
pub(super) const FRIENDS_MAX: usize = 4_096;
/// A TLS handshake that is not complete by then ends its connection.
pub(super) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// A peer that takes nothing of what is sent to it for so long is cut by the kernel.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);
/// After an accept that failed (most often: no more open files).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
