//! The stage of one space: up to 13 sources in, one program out, and a mix-minus for each picked source.

mod air;
mod bed;
mod feedback;
mod level;
mod mix;
mod pick;
mod play;
mod seat;

use std::sync::Arc;

use bytes::Bytes;

use self::air::{Air, AirWatch, Reason};
use self::bed::Music;
use self::level::{decibels, energy};
use self::mix::{Limiter, Tick, add};
use self::seat::Seat;
pub use crate::jitter::SourcePacket;
use crate::jitter::{JitterCounts, samples_of};
use crate::limits::{PROGRAM_BITRATE, STAGE_SEATS_MAX, TICK_SAMPLES};
use crate::opus::{Encoder, SILENCE};
use crate::pack::ProgramPacket;
use crate::time::{Epoch, MediaTime, Now};

/// Samples (0.5 s, 25 ticks). If ticks are later than the caller makes up for, the clock of playing jumps to now.
const CLOCK_LATE_MAX: i64 = 25 * TICK_SAMPLES as i64;
/// Samples (40 ms). Ticks may come so early before the clock of playing is set back.
const CLOCK_EARLY_MAX: i64 = 2 * TICK_SAMPLES as i64;
/// dB. A stage quieter than this is dead air.
const SILENT_DB: f32 = -60.0;
/// Seats with those that fade out; more leave at once, with a click that nobody will blame us for.
const SEATS_AND_LEAVING_MAX: usize = 2 * STAGE_SEATS_MAX;

/// Who a source is, is none of the media plane's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub u32);

/// What plays when nobody is on stage or before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bed {
    None,
    HoldMusic,
}

/// 0..=9 as the lamps of the pages show it (0: nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceState {
    pub source: SourceKey,
    pub level: u8,
    pub picked: bool,
    pub lost: bool,
    pub muted: bool,
    /** Open and connected, but only digital zeros for 3 s. */
    pub zeros: bool,
}

/// Warnings of the stage; edges, not states: each is emitted once when it begins and once when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageAlarm {
    DeadAir {
        silent_ms: u64,
        all_muted: bool,
        zeros: bool,
        lost: bool,
    },
    DeadAirOver,
    SourceLost(SourceKey),
    SourceBack(SourceKey),
}

/// Reused by the caller from tick to tick, so that a tick allocates nothing of its own.
#[derive(Default)]
pub struct TickOutput {
    pub program: Option<ProgramPacket>,
    /// Mix-minus packets for picked sources; all others are sent `program`.
    pub minus: Vec<(SourceKey, Bytes)>,
    pub alarms: Vec<StageAlarm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all seats on the stage are taken")]
pub struct StageFull;

pub struct Stage {
    epoch: Epoch,
    media_time: MediaTime,
    /// Samples on the line of `Now`: when this tick should have been.
    clock: Option<i64>,
    now: Now,
    on_air: bool,
    bed: Bed,
    music: Music,
    seats: Vec<Seat>,
    watch: AirWatch,
    encoder: Encoder,
    limiter: Limiter,
    /// What the program held in the last tick.
    before: Box<Tick>,
    packet: Vec<u8>,
    /// Of sources that have left, so that the sums never fall.
    counts_before: JitterCounts,
}

impl Stage {
    pub fn new(epoch: Epoch, start: MediaTime, now: Now) -> Self {
        Self {
            epoch,
            media_time: start,
            clock: None,
            now,
            on_air: false,
            bed: Bed::None,
            music: Music::default(),
            seats: Vec::with_capacity(SEATS_AND_LEAVING_MAX),
            watch: AirWatch::default(),
            encoder: Encoder::new(PROGRAM_BITRATE, false)
                .expect("the codec takes our own constant settings"),
            limiter: Limiter::default(),
            before: Box::new([0.0; TICK_SAMPLES]),
            packet: Vec::new(),
            counts_before: JitterCounts::default(),
        }
    }

    /// A source that has a seat already keeps it as it is.
    pub fn seat(&mut self, source: SourceKey, now: Now) -> Result<(), StageFull> {
        self.now = self.now.max(now);
        if self.present(source).is_some() {
            return Ok(());
        }
        if self.seats.iter().filter(|seat| !seat.leaving).count() >= STAGE_SEATS_MAX {
            return Err(StageFull);
        }
        if self.seats.len() >= SEATS_AND_LEAVING_MAX
            && let Some(index) = self.seats.iter().position(|seat| seat.leaving)
        {
            self.remove(index);
        }
        self.seats.push(Seat::new(source));
        Ok(())
    }

    pub fn unseat(&mut self, source: SourceKey) {
        if let Some(seat) = self.present(source) {
            seat.leaving = true;
        }
    }

    pub fn mute(&mut self, source: SourceKey, muted: bool) {
        let now = self.now;
        if let Some(seat) = self.present(source) {
            seat.mute(muted, now);
        }
    }

    /// Live or not: dead air is watched only while live; before, sources are metered (sound check) but not heard.
    pub fn on_air(&mut self, on: bool, now: Now) {
        self.now = self.now.max(now);
        self.on_air = on;
    }

    /// Own echo for the sound check: the source's minus is its own sound.
    pub fn echo(&mut self, source: SourceKey, on: bool) {
        if let Some(seat) = self.present(source) {
            seat.echo(on);
        }
    }

    /// Silence meant: no dead-air alarm until `until`.
    pub fn hush(&mut self, until: Now) {
        self.watch.hush(until);
    }

    /// Packets of sources without a seat are dropped.
    pub fn packet(&mut self, source: SourceKey, packet: SourcePacket, now: Now) {
        self.now = self.now.max(now);
        if let Some(seat) = self.present(source) {
            seat.packet(packet, now);
        }
    }

    /// PCM of 48 kHz mono, played in a loop when the bed is `HoldMusic`, crossfaded in and out.
    pub fn hold_music(&mut self, pcm: Arc<[f32]>) {
        self.music.set(pcm);
    }

    /// The music plays before the start, and on air while no seat is taken.
    pub fn bed(&mut self, bed: Bed) {
        self.bed = bed;
    }

    /// Every 20 ms. Late ticks are made up by the caller calling once per missed tick, at most 25, then silence is skipped over by media time.
    pub fn tick(&mut self, now: Now, out: &mut TickOutput) {
        self.now = self.now.max(now);
        let now = self.now;
        let clock = self.step_clock();
        out.program = None;
        out.minus.clear();
        out.alarms.clear();
        for seat in &mut self.seats {
            out.alarms.extend(seat.watch(now));
            seat.listen(clock, self.on_air);
        }
        pick::pick(&mut self.seats);
        for seat in &mut self.seats {
            seat.render(clock);
        }
        let mut program = [0.0; TICK_SAMPLES];
        self.seats
            .iter()
            .filter_map(Seat::heard)
            .for_each(|heard| add(&mut program, heard));
        let sound = decibels(energy(&program)) > SILENT_DB;
        let mut music = [0.0; TICK_SAMPLES];
        let playing = self.music.play(self.wants_music(), &mut music);
        add(&mut program, &music);
        let comes = self.music.comes(self.wants_music() && !playing, now);
        let air = match (self.on_air && !playing, comes) {
            (false, _) => Air::Unwatched,
            (true, true) => Air::MusicComes,
            (true, false) => Air::Watched,
        };
        out.alarms
            .extend(self.watch.tick(air, sound, self.reason(), now));
        self.answer(&music, &mut out.minus);
        self.limiter.apply(&mut program);
        let encoded = self.encoder.encode(&program, &mut self.packet);
        let opus = if encoded.is_ok() {
            Bytes::copy_from_slice(&self.packet)
        } else {
            Bytes::from_static(SILENCE)
        };
        *self.before = program;
        out.program = Some(ProgramPacket {
            epoch: self.epoch,
            media_time: self.media_time,
            opus,
        });
        self.media_time.0 += TICK_SAMPLES as u64;
        while let Some(index) = self.seats.iter().position(Seat::is_gone) {
            self.remove(index);
        }
    }

    pub fn states(&self, out: &mut Vec<SourceState>) {
        out.clear();
        out.extend(
            self.seats
                .iter()
                .filter(|seat| !seat.leaving)
                .map(Seat::state),
        );
    }

    pub fn media_time(&self) -> MediaTime {
        self.media_time
    }

    /// What became of all packets of all sources so far.
    pub fn packet_counts(&self) -> JitterCounts {
        self.seats
            .iter()
            .fold(self.counts_before, |sum, seat| sum.plus(seat.counts()))
    }

    /// Gives each source whose sound is in the program everything but its own.
    fn answer(&mut self, music: &Tick, minus: &mut Vec<(SourceKey, Bytes)>) {
        for index in 0..self.seats.len() {
            if !self.seats[index].needs_own() {
                self.seats[index].rest();
                continue;
            }
            let mut others = *music;
            let rest = self
                .seats
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index);
            rest.filter_map(|(_, seat)| seat.heard())
                .for_each(|heard| add(&mut others, heard));
            let seat = &mut self.seats[index];
            let answer = seat.answer(&mut others, &self.before, &mut self.packet);
            minus.push((
                seat.key,
                answer.unwrap_or_else(|| Bytes::from_static(SILENCE)),
            ));
        }
    }

    fn wants_music(&self) -> bool {
        self.bed == Bed::HoldMusic && !(self.on_air && self.seats.iter().any(|seat| !seat.leaving))
    }

    fn reason(&self) -> Reason {
        let mut here = self.seats.iter().filter(|seat| !seat.leaving).peekable();
        let mut reason = Reason {
            all_muted: here.peek().is_some(),
            ..Reason::default()
        };
        for seat in here.filter(|seat| !seat.muted) {
            reason.all_muted = false;
            reason.zeros |= seat.zeros();
            reason.lost |= seat.lost;
        }
        reason
    }

    fn step_clock(&mut self) -> i64 {
        let now = samples_of(self.now);
        let next = self.clock.map_or(now, |clock| clock + TICK_SAMPLES as i64);
        let clock = if (now - CLOCK_LATE_MAX..=now + CLOCK_EARLY_MAX).contains(&next) {
            next
        } else {
            now
        };
        self.clock = Some(clock);
        clock
    }

    fn present(&mut self, source: SourceKey) -> Option<&mut Seat> {
        self.seats
            .iter_mut()
            .find(|seat| seat.key == source && !seat.leaving)
    }

    fn remove(&mut self, index: usize) {
        let seat = self.seats.remove(index);
        self.counts_before = self.counts_before.plus(seat.counts());
    }
}
