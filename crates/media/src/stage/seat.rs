//! A seat of the stage: one source's packets, sound, level, and what it gets back.

use bytes::Bytes;

use super::feedback::Feedback;
use super::level::{FLOOR_DB, Meter, TOLD_SILENCE, decibels, energy, is_zero};
use super::mix::{FADE_SAMPLES, Fade, Tick};
use super::pick::{Candidate, Standing};
use super::play::Player;
use super::{SourceKey, SourcePacket, SourceState, StageAlarm};
use crate::jitter::{Jitter, JitterCounts};
use crate::limits::TICK_SAMPLES;
use crate::time::Now;

/// Microseconds (1 s) without a packet of an open source before it is lost; a sender with DTX sends one each 0.4 s.
const LOST_US: u64 = 1_000_000;
/// Ticks for which a source that was heard still gets its minus: the limiter and the codec are that much behind.
const TAIL_TICKS: u8 = 2;

pub(super) struct Seat {
    pub(super) key: SourceKey,
    pub(super) muted: bool,
    /// Its chair is free, its last sound fades out.
    pub(super) leaving: bool,
    pub(super) lost: bool,
    returned: bool,
    /// The later of its last packet and its last unmuting, once a packet came.
    alive: Option<Now>,
    jitter: Jitter,
    player: Player,
    meter: Meter,
    standing: Standing,
    /// Its sender tells levels, so it can be judged undecoded.
    tells_level: bool,
    on_air: bool,
    played: bool,
    fade: Fade,
    tail: u8,
    /// As it came.
    raw: Tick,
    /// As it goes into the mix.
    heard: Tick,
    feedback: Feedback,
}

impl Seat {
    pub(super) fn new(key: SourceKey) -> Self {
        Self {
            key,
            muted: false,
            leaving: false,
            lost: false,
            returned: false,
            alive: None,
            jitter: Jitter::default(),
            player: Player::new(),
            meter: Meter::default(),
            standing: Standing::default(),
            tells_level: false,
            on_air: false,
            played: false,
            fade: Fade::over(FADE_SAMPLES),
            tail: 0,
            raw: [0.0; TICK_SAMPLES],
            heard: [0.0; TICK_SAMPLES],
            feedback: Feedback::new(),
        }
    }

    pub(super) fn packet(&mut self, packet: SourcePacket, now: Now) {
        let tells_level = packet.level.is_some();
        if self.jitter.push(packet, now) {
            self.tells_level = tells_level;
            self.alive = Some(now);
            self.returned |= std::mem::take(&mut self.lost);
        }
    }

    pub(super) fn mute(&mut self, muted: bool, now: Now) {
        if self.muted && !muted && self.alive.is_some() {
            // While muted it owed no packets.
            self.alive = Some(now);
        }
        self.muted = muted;
    }

    pub(super) fn echo(&mut self, on: bool) {
        self.feedback.echo(on);
    }

    /// Notices loss and return, each once.
    pub(super) fn watch(&mut self, now: Now) -> Option<StageAlarm> {
        if std::mem::take(&mut self.returned) {
            return Some(StageAlarm::SourceBack(self.key));
        }
        let gone = !self.muted
            && !self.leaving
            && self.alive.is_some_and(|alive| now.since(alive) > LOST_US);
        if self.lost || !gone {
            return None;
        }
        self.lost = true;
        self.meter.forget();
        Some(StageAlarm::SourceLost(self.key))
    }

    /// Learns how loud it is, from what its sender tells, else by decoding.
    pub(super) fn listen(&mut self, clock: i64, on_air: bool) {
        self.on_air = on_air;
        self.played = false;
        if self.muted || self.leaving {
            self.meter.forget();
        } else if self.must_play() || !self.tells_level {
            self.play(clock);
        } else {
            self.jitter.settle(clock);
            let told = self.jitter.level_due().map(|level| level & 0x7f);
            let db = told.map_or(FLOOR_DB, |level| -f32::from(level));
            self.meter.note(db, told.map(|level| level == TOLD_SILENCE));
        }
    }

    /// After the pick: its part of the mix. A source nobody hears is only passed over.
    pub(super) fn render(&mut self, clock: i64) {
        if !self.played {
            if self.must_play() || self.wanted() {
                self.play(clock);
            } else {
                self.player.skim(&mut self.jitter, clock);
                self.raw.fill(0.0);
            }
        }
        self.tail = self.tail.saturating_sub(1);
        if self.wanted() || !self.fade.is_off() {
            self.heard = self.raw;
            self.fade.apply(self.wanted(), &mut self.heard);
            self.tail = TAIL_TICKS;
        } else {
            self.heard.fill(0.0);
        }
    }

    /// Its sound of this tick, if it has any part in the mix.
    pub(super) fn heard(&self) -> Option<&Tick> {
        (self.tail == TAIL_TICKS).then_some(&self.heard)
    }

    /// Whether it must not be sent the program, which holds its own sound.
    pub(super) fn needs_own(&self) -> bool {
        !self.leaving && (self.tail > 0 || self.feedback.echoes())
    }

    /// Encodes what it gets back: `others`, or its echo, which is written there.
    pub(super) fn answer(
        &mut self,
        others: &mut Tick,
        before: &Tick,
        packet: &mut Vec<u8>,
    ) -> Option<Bytes> {
        if self.feedback.echoes() {
            *others = self.raw;
            if self.muted {
                others.fill(0.0);
            }
            self.feedback.echoed(others);
        }
        self.feedback.encode(others, before, packet)
    }

    pub(super) fn rest(&mut self) {
        self.feedback.rest();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.leaving && self.tail < TAIL_TICKS
    }

    pub(super) fn zeros(&self) -> bool {
        self.meter.zeros()
    }

    pub(super) fn counts(&self) -> JitterCounts {
        self.jitter.counts()
    }

    pub(super) fn state(&self) -> SourceState {
        SourceState {
            source: self.key,
            level: if self.muted { 0 } else { self.meter.lamp() },
            picked: self.standing.picked,
            lost: self.lost,
            muted: self.muted,
            zeros: self.meter.zeros(),
        }
    }

    fn wanted(&self) -> bool {
        self.standing.picked && self.may()
    }

    fn must_play(&self) -> bool {
        self.standing.picked || !self.fade.is_off() || self.feedback.echoes()
    }

    fn play(&mut self, clock: i64) {
        self.played = true;
        let real = self.player.play(&mut self.jitter, clock, &mut self.raw);
        let energy = energy(&self.raw);
        if !self.muted && !self.leaving {
            self.meter
                .note(decibels(energy), real.then(|| is_zero(energy)));
        }
    }
}

impl Candidate for Seat {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    fn loudness_db(&self) -> f32 {
        self.meter.loudness_db()
    }

    fn may(&self) -> bool {
        self.on_air && !self.muted && !self.leaving && !self.lost
    }
}
