//! Jitter buffer: reorders, follows the measured jitter, tells loss from silence; decodes nothing before a packet is due.
//!
//! Everything is counted in samples on two lines: the sender's (its extended RTP time) and ours. The difference of a packet's
//! arrival and its time is its transit; the smallest transit of late is the base, what others take longer is the jitter.

#[cfg(test)]
mod tests;
mod transit;

use bytes::Bytes;

use self::transit::Transit;
pub use self::transit::{DELAY_SAMPLES_MAX, DELAY_SAMPLES_MIN};
use crate::limits::TICK_SAMPLES;
use crate::opus::packet_samples;
use crate::time::Now;

/// Packets. What one source may have waiting: 320 ms even of the shortest packets, more than the largest delay. Further ahead is an absurd jump.
pub const WINDOW_PACKETS: u64 = 128;
/// Samples (2 s). A packet whose time is further off belongs to another clock: the sender began anew.
const RESYNC_SAMPLES: i64 = 96_000;

/// A packet as it came from its source.
#[derive(Clone, Debug)]
pub struct SourcePacket {
    /// Extended by the receiver so that it never wraps.
    pub sequence: u64,
    /// RTP time, 48 kHz.
    pub timestamp: u32,
    pub opus: Bytes,
    /// RFC 6464: -dBov, 0 loudest .. 127 silence, when the sender tells it.
    pub level: Option<u8>,
}

/// What became of packets, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounts {
    pub taken: u64,
    pub late: u64,
    pub duplicate: u64,
    /// Not an Opus packet by its size or its first bytes.
    pub refused: u64,
    /// Sequence number or time far from all others.
    pub absurd: u64,
    pub lost: u64,
    pub resyncs: u64,
}

impl JitterCounts {
    pub fn plus(self, other: Self) -> Self {
        Self {
            taken: self.taken.saturating_add(other.taken),
            late: self.late.saturating_add(other.late),
            duplicate: self.duplicate.saturating_add(other.duplicate),
            refused: self.refused.saturating_add(other.refused),
            absurd: self.absurd.saturating_add(other.absurd),
            lost: self.lost.saturating_add(other.lost),
            resyncs: self.resyncs.saturating_add(other.resyncs),
        }
    }
}

/// A packet waiting for its time.
#[derive(Clone, Debug)]
pub struct Held {
    pub sequence: u64,
    /// Extended sender's time of its first sample.
    pub at: i64,
    pub samples: usize,
    pub level: Option<u8>,
    pub opus: Bytes,
}

/// What the cursor meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The window is empty.
    Nothing,
    /// No packet is missing, but the next begins so many samples later: the sender was silent.
    Gap(usize),
    /// Packets are missing before the next, which begins so many samples later. `one`: the sound of exactly one is, so the next may
    /// hold its FEC; packets of padding alone are numbered too, and no sound is missing with them.
    Lost { samples: usize, one: bool },
    /// The next packet; it should have begun so many samples ago.
    Packet { late: usize, samples: usize },
}

pub struct Jitter {
    slots: Vec<Option<Held>>,
    held: usize,
    /// Sequence number that is to be played next.
    next: u64,
    /// Sender's time of the next sample that is not yet played; none until the first packet since a start.
    cursor: Option<i64>,
    started: bool,
    /// Nothing of this run was played, so an earlier packet may still become the first.
    fresh: bool,
    last_time: (u32, i64),
    /// The sequence number that would prove that a jump was meant.
    probe: Option<u64>,
    transit: Transit,
    counts: JitterCounts,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            slots: (0..WINDOW_PACKETS).map(|_| None).collect(),
            held: 0,
            next: 0,
            cursor: None,
            started: false,
            fresh: true,
            last_time: (0, 0),
            probe: None,
            transit: Transit::default(),
            counts: JitterCounts::default(),
        }
    }
}

impl Jitter {
    /// False if the packet was dropped (and counted).
    pub fn push(&mut self, packet: SourcePacket, now: Now) -> bool {
        let Some(samples) = packet_samples(&packet.opus) else {
            self.counts.refused += 1;
            return false;
        };
        if !self.started {
            self.restart(&packet);
        }
        let arrival = samples_of(now);
        let mut at = self.extend(packet.timestamp);
        if self.is_absurd(packet.sequence, arrival - at) {
            if self.probe != Some(packet.sequence) {
                self.probe = packet.sequence.checked_add(1);
                self.counts.absurd += 1;
                return false;
            }
            self.restart(&packet);
            self.counts.resyncs += 1;
            at = self.extend(packet.timestamp);
        }
        self.probe = None;
        self.transit.note(arrival - at, arrival);
        if packet.sequence < self.next {
            if !self.fresh {
                self.counts.late += 1;
                return false;
            }
            self.next = packet.sequence;
        }
        self.hold(Held {
            sequence: packet.sequence,
            at,
            samples,
            level: packet.level,
            opus: packet.opus,
        })
    }

    /// What comes at the cursor, which `settle` or `seek` has set.
    pub fn due(&self) -> Due {
        let (Some(cursor), Some(first)) = (self.cursor, self.first()) else {
            return Due::Nothing;
        };
        if first.at <= cursor {
            return Due::Packet {
                late: clip(cursor - first.at),
                samples: first.samples,
            };
        }
        let samples = clip(first.at - cursor);
        match first.sequence - self.next {
            0 => Due::Gap(samples),
            missing => Due::Lost {
                samples,
                one: missing == 1 || samples == first.samples,
            },
        }
    }

    /// The packet that is next, missing ones skipped.
    pub fn first(&self) -> Option<&Held> {
        if self.held == 0 {
            return None;
        }
        (0..WINDOW_PACKETS).find_map(|ahead| {
            let sequence = self.next.checked_add(ahead)?;
            self.slots[slot(sequence)]
                .as_ref()
                .filter(|held| held.sequence == sequence)
        })
    }

    /// Takes that packet out and puts the cursor behind it.
    pub fn pop(&mut self) -> Option<Held> {
        let sequence = self.first()?.sequence;
        let held = self.slots[slot(sequence)].take()?;
        self.held -= 1;
        self.counts.lost += sequence - self.next;
        self.next = sequence.saturating_add(1);
        self.cursor = Some(held.at + held.samples as i64);
        self.fresh = false;
        Some(held)
    }

    /// Moves the cursor on over sound that was made up.
    pub fn advance(&mut self, samples: usize) {
        if let Some(cursor) = &mut self.cursor {
            *cursor += samples as i64;
        }
    }

    /// Puts the cursor where it should be at `clock`.
    pub fn seek(&mut self, clock: i64) {
        if self.started {
            self.cursor = Some(self.ideal(clock));
        }
    }

    /// Samples by which the cursor is ahead of where it should be at `clock` (too little delay); sets it if a run begins.
    pub fn settle(&mut self, clock: i64) -> i64 {
        if !self.started {
            return 0;
        }
        let ideal = self.ideal(clock);
        *self.cursor.get_or_insert(ideal) - ideal
    }

    /// The loudest level told by the packets that fall into the coming tick, if any tells one.
    pub fn level_due(&self) -> Option<u8> {
        let end = self.cursor? + TICK_SAMPLES as i64;
        self.first()
            .filter(|held| held.at < end)
            .and_then(|held| held.level)
    }

    pub fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// Samples of delay it aims at now.
    pub fn delay(&self) -> i64 {
        self.transit.delay()
    }

    fn ideal(&self, clock: i64) -> i64 {
        clock - self.transit.base() - self.transit.delay()
    }

    fn is_absurd(&self, sequence: u64, transit: i64) -> bool {
        let far = if sequence >= self.next {
            sequence - self.next >= WINDOW_PACKETS
        } else {
            self.next - sequence > WINDOW_PACKETS
        };
        far || (self.transit.known() && (transit - self.transit.base()).abs() > RESYNC_SAMPLES)
    }

    fn extend(&mut self, time: u32) -> i64 {
        let (last, at) = self.last_time;
        at + i64::from(time.wrapping_sub(last) as i32)
    }

    fn hold(&mut self, held: Held) -> bool {
        let place = &mut self.slots[slot(held.sequence)];
        if place
            .as_ref()
            .is_some_and(|other| other.sequence >= held.sequence)
        {
            self.counts.duplicate += 1;
            return false;
        }
        if place.is_none() {
            self.held += 1;
        }
        self.last_time = (held.at as u32, held.at);
        *place = Some(held);
        self.counts.taken += 1;
        true
    }

    fn restart(&mut self, packet: &SourcePacket) {
        self.slots.fill_with(|| None);
        self.held = 0;
        self.next = packet.sequence;
        self.cursor = None;
        self.started = true;
        self.fresh = true;
        self.last_time = (packet.timestamp, i64::from(packet.timestamp));
        self.transit = Transit::default();
    }
}

/// Samples since the origin of `now`.
pub fn samples_of(now: Now) -> i64 {
    i64::try_from(u128::from(now.0) * 48 / 1_000).unwrap_or(i64::MAX / 4)
}

fn slot(sequence: u64) -> usize {
    (sequence % WINDOW_PACKETS) as usize
}

fn clip(samples: i64) -> usize {
    usize::try_from(samples).unwrap_or(0)
}
