//! Every bound of the usher: its unit, the reason for its size, and what happens there.

use std::time::Duration;

/// Time between two ticks: what was dealt lasts that long.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Ticks between two `serving.json`s of a door: it is cacheable for 1 s. A door whose mode changes has a new one at once.
pub(super) const SERVING_EVERY: u64 = 10;
/// Time between two writes of what a restart must not lose. A killed node knows who was inside as of then.
pub(super) const KEPT_EVERY: Duration = Duration::from_secs(3);
/// Seconds over which the uplink is measured: longer than the widest cadence, so that no sweep falls between.
pub(super) const UPLINK_WINDOW_S: usize = 4;
/// Parts of a thousand that headers of IP and TCP, and acknowledgements, add to what is sent at a usual cadence.
pub(super) const WIRE_PERMILLE: u64 = 1_060;
/// Events of the ladder and of modes that are kept in memory for `/door.json`; older ones are in the records.
pub(super) const EVENTS_SHOWN: usize = 128;
/// Events on their way to the records; one more is only logged.
pub(super) const EVENTS_QUEUED: usize = 1_024;
/// Time that a key seals before the next one does.
pub(super) const KEY_SEALS_MS: u64 = 7 * 24 * 3_600_000;
/// Time that a key checks after it has begun to seal: as long as an invited ticket made on its last day may be good.
/// Five keys overlap at most; a ring holds eight.
pub(super) const KEY_CHECKS_MS: u64 = 28 * 24 * 3_600_000;
/// Life of an invited ticket at most: what is left of its key's time when it was sealed on the key's last day.
pub(crate) const INVITED_LIFE_MS: u64 = KEY_CHECKS_MS - KEY_SEALS_MS;
/// Time between the making of a key and its first seal: every gate has it within a second.
pub(super) const KEY_AHEAD_MS: u64 = 60_000;
/// Time a door that is shut stays in the usher's book, so that every gate has told what it counted there.
pub(super) const SHUT_KEPT_MS: u64 = 3_000;
/// Milliseconds between sweeps that the ladder asks for at its steps: fewer and larger writes for the same sound. Those
/// inside hear it later, and nothing else.
pub(super) const FLOOR_CADENCE_MS: u64 = 300;
pub(super) const FLOOR_SIDE_MS: u64 = 600;
pub(super) const FLOOR_LINE_MS: u64 = 1_000;
/// Seconds between two looks at `state.json` that pages are told to take when events are shed.
pub(super) const POLL_S: u32 = 5;
/// Milliseconds from the opening of an announced space's doors to the draw among those who find no seat: pages that waited for it hear
/// of it by an event within two seconds, or by a look within six. Later ones go by arrival.
pub(super) const OPENING_DRAW_MS: u64 = 10_000;
/// Of reactions, one in so many counts while side features are shed.
pub(crate) const REACTIONS_KEPT: u32 = 4;
/// Bytes of the files that a restart reads; larger ones are not ours.
pub(super) const KEPT_BYTES_MAX: u64 = 1 << 30;
