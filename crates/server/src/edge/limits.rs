//! Every bound of the crowd's door: its unit, the reason for its size, and what happens there.

use std::time::Duration;

use super::prefixes::PerLevel;

/// Connections the kernel completes before we accept them; more must try again. The kernel caps it by `somaxconn`.
pub(super) const BACKLOG: i32 = 4_096;
/// Connections accepted before other tasks of the shard get a turn: sound goes before newcomers.
pub(super) const ACCEPTS_PER_TURN: usize = 64;
/// How long accepting pauses when the machine has no file or memory for one more connection.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections of one shard that have not sent a whole head yet; for one more the oldest of
/// the most crowded prefix is dropped.
pub(super) const SILENT_MAX: usize = 2_048;
/// Silent connections of one prefix in one shard; for one more the oldest of the same prefix is dropped. A browser says
/// what it wants within a round trip, so that even a /24 full of people behind one address has few at once. TLS
/// handshakes under way are silent too.
pub(super) const SILENT_MAX_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 256,
    v6_64: 128,
    v6_56: 256,
    v6_48: 512,
};
/// New connections a second from one prefix to the node, and seconds' worth of them at once; one more is closed unread.
/// Ten thousand people behind one address who come within ten seconds are let in. `--prefix-connections` sets the first,
/// and the others in proportion.
pub const CONNECTIONS_PER_S_DEFAULT: u32 = 1_000;
pub(super) const fn connections_per_s(v4_24: u32) -> PerLevel {
    PerLevel {
        v4_24,
        v6_64: v4_24.div_ceil(10),
        v6_56: v4_24.div_ceil(3),
        v6_48: v4_24,
    }
}
pub(super) const CONNECTIONS_BURST_S: u32 = 10;
/// TLS handshakes a second of one shard, and seconds' worth of them at once: one costs up to 1 ms (RSA), and a core must
/// be left for sound. One more waits for its turn before anything is computed; whose turn comes too late is closed.
/// `--handshakes` sets it.
pub const HANDSHAKES_PER_S_DEFAULT: u32 = 400;
pub(super) const HANDSHAKES_BURST_S: u32 = 1;
/// The same for one prefix; one more is closed.
pub(super) const HANDSHAKES_PER_S_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 200,
    v6_64: 50,
    v6_56: 100,
    v6_48: 200,
};
/// Places of the tables of rates, for one shard: 4 x 2,048 prefixes of 48 bytes; one more takes the place of the one of
/// its set that is longest at rest.
pub(super) const RATE_SETS: usize = 2_048;
pub(super) const RATE_WAYS: usize = 4;
/// Silent connections dropped at once, oldest of the most crowded prefix first, when files run short.
pub(super) const SILENT_DROPPED_WHEN_SHORT: usize = 16;
/// Connections of one shard that are read by HTTP (pages, replays, roster events); for one more the oldest of the most crowded
/// prefix ends once it has answered.
pub(super) const HTTP_MAX: u64 = 8_192;
/// Connections beyond that which were told to end and have not yet (events, downloads); one more is answered 503.
pub(super) const HTTP_ENDING_MAX: u64 = 2_048;
/// The part of all connections that pages may hold, one in so many: most stand idle, and a listener needs a file too. Beyond
/// it the same happens.
pub(super) const HTTP_PART: u64 = 4;
/// Connections of one prefix in one shard that HTTP reads; for one more its own oldest ends once it has answered. A browser
/// comes again unseen, so that a crowd behind one address loses nothing.
pub(super) const HTTP_MAX_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 2_048,
    v6_64: 512,
    v6_56: 1_024,
    v6_48: 2_048,
};
/// From so many on, new ones are kept alive only for `KEEP_ALIVE_CROWDED`, so that idle ones make room.
pub(super) const HTTP_CROWDED: u64 = HTTP_MAX / 4;
/// Threads that answer pages, for all shards together. Two, so that one page that takes long does not hold up the rest;
/// not more, so that a flood of pages takes no more than two cores' time from the sound.
pub(super) const PAGE_THREADS: usize = 2;
/// Steps by which these threads stand behind the others of the node where cores are short: a third of their time. A flood of
/// pages then takes less from sound and newcomers.
pub(super) const PAGE_NICENESS: i32 = 5;
/// Threads that read files for them (replays, waveforms); one more read waits.
pub(super) const PAGE_BLOCKING_THREADS_MAX: usize = 8;
/// Connections on their way from the pages' threads back to one shard; one more waits there.
pub(super) const RETURNS_MAX: usize = 1_024;
/// Listeners of one shard; one more is answered 503. Open files end sooner on most machines.
pub(super) const LISTENERS_MAX: usize = 131_072;
/// Rings that one shard holds listeners on: three for each space a node may have, and those that are ending. A listener
/// of one more is answered 503, for the media plane takes more as a broken caller.
pub(super) const RINGS_MAX: usize = 16_384;

/// Listeners visited in one slice of a sweep, 1 to 2 ms; then newcomers have their turn (`ACCEPTS_PER_TURN`), and the
/// sweep goes on.
pub(super) const SLICE_LISTENERS: usize = 256;
/// Milliseconds between two looks for listeners whose seat another connection of theirs has taken over.
pub(super) const WEED_EVERY_MS: u64 = 500;
/// Slots looked at for it, and for the count of what was heard, in one slice, well below 1 ms; the rest is for the next slices.
pub(super) const WEED_SLOTS: usize = 4_096;
/// Milliseconds between two counts of what listeners were sent: a walk over all of them, so not in each sweep.
pub(super) const COUNT_EVERY_MS: u64 = 1_000;

/// Bytes of a request's head; longer is answered 431.
pub(super) const HEAD_BYTES_MAX: usize = 8_192;
/// Bytes read at first: what nearly every head fits in.
pub(super) const HEAD_BYTES_FIRST: usize = 1_024;
/// Bytes of a knock's body; a longer one is answered 413 by the pages.
pub(super) const KNOCK_BYTES_MAX: usize = 1_024;
/// Bytes read of a connection that has just been accepted, before anything is made for it: a knock with its head.
pub(super) const FIRST_BYTES: usize = 2_048;
/// Header lines of one request; more are answered 431.
pub(super) const HEAD_LINES_MAX: usize = 64;
/// Time for a whole head since the connection stood; later is answered 408.
pub(super) const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of a PROXY header: its 16 fixed ones and what any load balancer adds; a longer one is malformed.
pub(super) const PROXY_HEADER_BYTES_MAX: usize = 536;
/// Time for a PROXY header: a proxy sends it with its first packet. Later is closed.
pub(super) const PROXY_DEADLINE: Duration = Duration::from_secs(2);
/// Hops of X-Forwarded-For that are looked at; the search ends there.
pub(super) const FORWARDED_HOPS_MAX: usize = 16;
/// Bytes a second that a request's body must bring on average, once `BODY_GRACE` has passed; slower is given up.
pub(super) const BODY_BYTES_PER_S_MIN: u64 = 1_024;
pub(super) const BODY_GRACE: Duration = Duration::from_secs(5);
/// Time for a TLS handshake; later is closed.
pub(super) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Time a kept-alive connection may take for its next head, the idle time before it included; later is closed.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The same when there are `HTTP_CROWDED` connections.
pub(super) const KEEP_ALIVE_CROWDED: Duration = Duration::from_secs(3);
/// Bytes hyper may hold of one connection's head or answer.
pub(super) const HTTP_BUFFER_MAX: usize = 16_384;
/// Time a page's reader may take no byte at all; later is closed. Paused players come back by a range.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(60);
/// Bytes a second that a page's reader must take on average while the socket is full, once `WRITE_STALL` is used up;
/// slower is closed. A recording plays at 4,000 bytes a second.
pub(super) const READ_BYTES_PER_S_MIN: u64 = 512;
/// Time a refused client gets to take its answer, and bytes of it that are read and thrown away meanwhile.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
pub(super) const FAREWELL_BYTES_MAX: usize = 65_536;

/// Bytes the kernel may hold of what a peer sends before we read it (it doubles the number). A head and a hello fit in; a
/// listener says nothing more, and what it sends all the same waits on its own side. The default is 128 KiB a listener.
pub(super) const RECEIVE_BUFFER_BYTES: usize = 16_384;
/// Bytes the kernel may hold for one listener (it doubles the number for its own needs). 64 KiB are about 10 s of
/// sound: enough for a long burst in one write. The default would grow to megabytes, that is minutes in which a
/// listener that stands still would look as if it heard.
pub(super) const SEND_BUFFER_BYTES: usize = 65_536;
/// Plain bytes that rustls may hold for one listener before it is written to the socket; more must wait.
pub(super) const TLS_BUFFER_BYTES: usize = 32_768;

/// Milliseconds of the long burst at least: plain `<audio>` elements start when they hold some seconds.
pub(super) const BURST_LONG_MS: u64 = 5_000;
/// Milliseconds at most, for sound of few bytes.
pub(super) const BURST_LONG_MS_MAX: u64 = 20_000;
/// Bytes. Chromium's plain element takes its bytes in blocks of 32 KiB and plays none before it is whole; with less than one
/// block and the widest cadence in store it was silent at the end of each block.
pub(super) const BURST_BLOCK_BYTES: u64 = 32_768;
/// Milliseconds of the short burst, for our own player; never less than the cadence needs, see `BURST_SPARE_MS`.
pub(super) const BURST_SHORT_MS: u64 = 400;
/// Milliseconds a short burst holds beyond the cadence, so that the next sweep comes before the sound ends.
pub(super) const BURST_SPARE_MS: u64 = 300;

/// Sweeps of one shard that may panic one after another before it is started again without its listeners.
pub(super) const SWEEP_PANICS_MAX: u32 = 3;
/// Between a panic and the next sweep, or the next start: a cause that stays must not burn the core.
pub(super) const AFTER_PANIC: Duration = Duration::from_millis(100);
/// Milliseconds between sweeps at most while the edge stops, so that the end of the sound goes out soon.
pub(super) const STOP_SWEEP_MS: u64 = 20;
/// Time that listeners get to be sent the rest of their rings when the edge stops. Who takes nothing for so long has
/// stood still before, and a node that is told to end ends within 2 s.
pub(super) const STOP_LISTENERS: Duration = Duration::from_millis(1_000);
/// Time that running page requests get after that.
pub(super) const STOP_HTTP: Duration = Duration::from_millis(500);
/// Time between looks at the certificate's files.
pub(super) const TLS_WATCH: Duration = Duration::from_secs(5);
