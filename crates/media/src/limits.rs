//! Every bound of the media plane: its unit, the reason for its size, and what happens when it is reached.

/// Hertz. Opus works at 48 kHz inside; everything here does too.
pub const SAMPLE_RATE: u32 = 48_000;
/// Milliseconds. The stage's step, and the length of one Opus packet.
pub const TICK_MS: u64 = 20;
/// Samples a channel in one tick.
pub const TICK_SAMPLES: usize = 960;
/// People on stage at once. PRODUCT.md promises 13; one more is refused with `StageFull`.
pub const STAGE_SEATS_MAX: usize = 13;
/// Sources decoded and mixed at once. The loudest are picked; the rest is not decoded.
pub const PICKED_MAX: usize = 6;
/// Ticks. A page holds 100 ms of sound: fewer would cost bytes, more would cost delay.
pub const PAGE_TICKS: usize = 5;
/// Samples in one page.
pub const PAGE_SAMPLES: u64 = PAGE_TICKS as u64 * TICK_SAMPLES as u64;
/// Samples. The encoder's own delay, which players drop at the start (RFC 7845 section 4.2).
pub const PROGRAM_PRE_SKIP: u16 = 312;
/// Pages kept in a ring (60 s). A reader further behind skips to a start mark near the newest page.
pub const RING_PAGES_MAX: usize = 600;
/// Bytes. Largest Opus packet taken from a network source (RFC 6716 section 3.4); larger is dropped and counted.
pub const OPUS_PACKET_BYTES_MAX: usize = 1_275 * 3 + 7;
/// Bits a second of the program's encode. Mono speech at this rate is transparent to most ears.
pub const PROGRAM_BITRATE: u32 = 48_000;
/// Pages (and an opening) in one vectored write. Linux takes 1,024; more than 6 s at once would not make it cheaper.
pub const WRITE_PAGES_MAX: usize = 64;
/// Bytes of pages joined for one write: 10 s of sound. Where the newest pages are more, each is handed over by itself.
pub const JOINED_BYTES_MAX: usize = 64 * 1_024;
/// Listeners of a ring from which on joining its newest pages once is cheaper than a list of them for each.
pub const JOIN_PAGES_FROM: usize = 8;
/// Writes to one listener in one sweep. Enough for a whole ring; a sink that takes crumbs waits for the next sweep.
pub const LISTENER_WRITES_MAX: usize = 16;
/// Samples (5 s). How far behind the newest page a listener goes on who fell off the ring: what a plain player buffers.
pub const SKIP_BURST_SAMPLES: u64 = 5 * SAMPLE_RATE as u64;
/// Milliseconds. Who falls off the ring again within this time has too thin a line: closed as `TooSlow`.
pub const LISTENER_SKIP_AGAIN_MS: u64 = 120_000;
/// Milliseconds. Who takes no byte for this long while bytes wait is closed as `TooSlow`.
pub const LISTENER_STALL_MS: u64 = 15_000;
/// Milliseconds. "Listening now" counts who took bytes within this time.
pub const LISTENING_MS: u64 = 10_000;
/// Rings that one shard knows at once. More is a broken caller: `add_ring` panics.
pub const SHARD_RINGS_MAX: usize = 65_536;
/// Bytes. A roster longer than this is not carried; the pages go on without it and the last one stays true for players.
pub const ROSTER_BYTES_MAX: usize = 8 * 1_024;
/// Pages (500 ms). A roster is carried at most this often, or it would cost more bytes than PRODUCT.md allows.
pub const ROSTER_PAGES_MIN: u64 = 5;
/// Pages (200 ms). Levels between rosters are carried at most this often: more often, nobody would see it.
pub const LEVELS_PAGES_MIN: u64 = 2;
/// Bytes of one message of levels: 13 people at 4 bits and what stands before them. A longer one is not carried.
pub const LEVELS_BYTES_MAX: usize = 16;
/// Bytes that a page of WebM may add for roster and levels, on average (5 % of 48 kbit/s). Longer rosters go less often.
pub const WEBM_ROSTER_BYTES_PER_PAGE: i64 = 30;
/// Bytes that a page of MP4 may add for both, on average (4 %): its boxes cost more to begin with.
pub const MP4_ROSTER_BYTES_PER_PAGE: i64 = 24;
