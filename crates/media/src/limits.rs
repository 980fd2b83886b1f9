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
/// Pages kept in a ring (60 s). A reader further behind skips to the oldest start mark.
pub const RING_PAGES_MAX: usize = 600;
/// Bytes. Largest Opus packet taken from a network source (RFC 6716 section 3.4); larger is dropped and counted.
pub const OPUS_PACKET_BYTES_MAX: usize = 1_275 * 3 + 7;
/// Bits a second of the program's encode. Mono speech at this rate is transparent to most ears.
pub const PROGRAM_BITRATE: u32 = 48_000;
