//! One run of one stage: ticks it, packs what it plays, sends the people on it what they shall hear, says who is loud.
//! What a run must know of the space it reads from the snapshot, so a missed notice cannot leave it wrong.

mod bed;
mod news;
mod seats;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hustings_control::ids::{PersonId, SpaceId};
use hustings_control::reactions::Recent;
use hustings_control::spaces::{Command, Phase, Seat, Space};
use hustings_media::limits::{SAMPLE_RATE, TICK_SAMPLES};
use hustings_media::opus::SILENCE;
use hustings_media::pack::{
    Packer, ProgramPacket, mp4::Mp4Packer, ogg::OggPacker, webm::WebmPacker,
};
use hustings_media::stage::{Bed, SourceState, Stage, TickOutput};
use hustings_media::time::{Epoch, MediaTime, Now};
use tokio::sync::{mpsc, oneshot, watch};

use self::seats::SeatEntry;
use super::StageCall;
use super::beat::Beat;
use super::roster::Roster;
use crate::archive::{Archive, ArchiveError};
use crate::clock::Clock;
use crate::live::{Rings, SpaceHandle};
use crate::pace::Pace;
use crate::store::Store;

/// Ticks between looks at levels, snapshot and roster (100 ms).
const LOOK_TICKS: u64 = 5;
/// Milliseconds between two records of the media time.
const MEDIA_TIME_EVERY_MS: u64 = 1_000;
/// Samples (5 s) of silence at most before a run that goes on after one that failed; a longer hole stays one.
const FILLED_SAMPLES_MAX: u64 = 5 * SAMPLE_RATE as u64;
/// Ticks that a stage plays after the end, so that the sound fades instead of breaking off.
const FADE_TICKS: u64 = 25;

/// What a run is given. Rings and counters outlive it.
pub(super) struct Parts {
    pub(super) handle: Arc<SpaceHandle>,
    pub(super) store: Store,
    pub(super) archive: Archive,
    pub(super) clock: Clock,
    pub(super) pace: Arc<Pace>,
    pub(super) rings: Rings,
    pub(super) epoch: Epoch,
    pub(super) start: MediaTime,
    pub(super) calls: mpsc::Receiver<StageCall>,
    /// True: the node stops.
    pub(super) stop: watch::Receiver<bool>,
    /// Commands for the desk, by `try_send`.
    pub(super) tell: mpsc::Sender<(SpaceId, Command)>,
    /// Told the Ogg ring's next sequence, and the media time, when the space goes live.
    pub(super) went_live: mpsc::Sender<(u64, MediaTime)>,
    pub(super) recording: Arc<AtomicBool>,
    /// Samples; the newest media time, for the run after this one.
    pub(super) reached: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The space ended or was cancelled.
    Over,
    /// The node stops; the space goes on when it starts again.
    Stopped,
}

type Music = Result<Arc<[f32]>, ArchiveError>;

struct Run {
    parts: Parts,
    stage: Stage,
    packers: [Box<dyn Packer>; 3],
    seats: Vec<SeatEntry>,
    /// Seats taken in the records that no source sits on, and since when (or when it was last told).
    orphans: BTreeMap<PersonId, Now>,
    output: TickOutput,
    states: Vec<SourceState>,
    levels: Vec<(PersonId, SourceState)>,
    ticks: u64,
    seen: Option<u64>,
    live: bool,
    bed: Bed,
    empty_since: Now,
    dead_air: bool,
    music: Option<oneshot::Receiver<Music>>,
    music_asked: Option<Option<String>>,
    last_roster: Option<Roster>,
    last_carried: Option<Roster>,
    roster_at: Now,
    carried_at: Now,
    last_levels: Vec<u8>,
    levels_at: Now,
    media_time_at: Now,
    reactions: Recent,
}

pub(super) fn packers(space: &Space) -> [Box<dyn Packer>; 3] {
    let hash = blake3::hash(space.id.as_str().as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    [
        Box::new(OggPacker::new(
            u32::from_le_bytes([a, b, c, d]),
            &space.title,
        )),
        Box::new(WebmPacker::new()),
        Box::new(Mp4Packer::new()),
    ]
}

pub(super) async fn run(parts: Parts) -> Outcome {
    let now = parts.clock.now();
    let space = parts.handle.snapshot.load_full();
    let mut run = Run {
        stage: Stage::new(parts.epoch, parts.start, now),
        packers: packers(&space),
        seats: Vec::new(),
        orphans: BTreeMap::new(),
        output: TickOutput::default(),
        states: Vec::new(),
        levels: Vec::new(),
        ticks: 0,
        seen: None,
        live: false,
        bed: Bed::None,
        empty_since: now,
        dead_air: false,
        music: None,
        music_asked: None,
        last_roster: None,
        last_carried: None,
        roster_at: now,
        carried_at: now,
        last_levels: Vec::new(),
        levels_at: now,
        media_time_at: now,
        reactions: Recent::default(),
        parts,
    };
    run.fill_hole();
    run.look(now);
    let outcome = run.tick_until_over(now).await;
    run.close(outcome).await;
    outcome
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A host that is gone without a word has stopped as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Run {
    async fn tick_until_over(&mut self, now: Now) -> Outcome {
        let mut beat = Beat::new(now);
        let mut fade = None;
        loop {
            let wake = tokio::time::Instant::from_std(self.parts.clock.instant(beat.deadline()));
            let call = tokio::select! {
                biased;
                () = tokio::time::sleep_until(wake) => None,
                call = self.parts.calls.recv() => call,
                () = stopped(&mut self.parts.stop) => return Outcome::Stopped,
            };
            if let Some(call) = call {
                self.take_calls(call);
            }
            while let Some(due) = beat.due(self.parts.clock.now()) {
                self.tick(due);
                fade = match fade {
                    Some(0) => return Outcome::Over,
                    Some(left) => Some(left - 1),
                    None => None,
                };
            }
            if fade.is_none() && self.over() {
                self.leave_all();
                fade = Some(FADE_TICKS);
            }
        }
    }

    /// What a run that failed had not yet cut into pages is silence: in these rings media time has no hole.
    fn fill_hole(&mut self) {
        let Some(end) = self.parts.rings.ogg.end() else {
            return;
        };
        let start = self.parts.start.0;
        let from = end.0.max(start.saturating_sub(FILLED_SAMPLES_MAX));
        for at in (from..start).step_by(TICK_SAMPLES) {
            self.pack(&ProgramPacket {
                epoch: self.parts.epoch,
                media_time: MediaTime(at),
                opus: SILENCE.into(),
            });
        }
    }

    fn pack(&mut self, packet: &ProgramPacket) {
        let rings = [
            &self.parts.rings.ogg,
            &self.parts.rings.webm,
            &self.parts.rings.mp4,
        ];
        for (packer, ring) in self.packers.iter_mut().zip(rings) {
            if let Some(page) = packer.push(packet) {
                ring.push(page);
            }
        }
    }

    fn over(&self) -> bool {
        !matches!(
            self.parts.handle.snapshot.load().phase,
            Phase::Open | Phase::Live
        )
    }

    fn leave_all(&mut self) {
        for seat in std::mem::take(&mut self.seats) {
            self.stage.unseat(seat.source);
        }
        self.set_bed(Bed::None);
    }

    fn tick(&mut self, due: Now) {
        self.output.program = None;
        self.output.minus.clear();
        self.output.alarms.clear();
        self.stage.tick(due, &mut self.output);
        self.ticks += 1;
        let reached = self.stage.media_time().0;
        self.parts.reached.store(reached, Ordering::Relaxed);
        if let Some(program) = &self.output.program {
            let program = program.clone();
            self.pack(&program);
        }
        self.speak_to_seats();
        if !self.output.alarms.is_empty() {
            self.sound_alarms();
        }
        if self.ticks.is_multiple_of(LOOK_TICKS) {
            self.look(due);
        }
    }

    /// Each tenth of a second: what the space says, who is loud, what to tell.
    fn look(&mut self, now: Now) {
        let space = self.parts.handle.snapshot.load_full();
        if self.seen != Some(space.seq) {
            self.seen = Some(space.seq);
            self.follow(&space, now);
        }
        if !self.seats.is_empty() {
            self.empty_since = now;
        }
        self.follow_bed(&space, now);
        self.take_music();
        self.measure(&space, now);
        self.publish(&space, now);
        self.keep_media_time(now);
    }

    fn follow(&mut self, space: &Space, now: Now) {
        let stage = &mut self.stage;
        self.seats.retain_mut(|seat| {
            let Some(person) = space
                .people
                .get(&seat.person)
                .filter(|person| person.seat != Seat::None)
            else {
                stage.unseat(seat.source);
                return false;
            };
            let muted = person.muted || person.muted_by_host;
            if muted != seat.muted {
                seat.muted = muted;
                stage.mute(seat.source, muted);
            }
            true
        });
        if space.phase == Phase::Live && !self.live {
            self.live = true;
            self.empty_since = now;
            self.stage.on_air(true, now);
            let _ = self.parts.went_live.try_send((
                self.parts.rings.ogg.next_sequence(),
                self.stage.media_time(),
            ));
        }
        if self.music_asked.as_ref() != Some(&space.hold_music_object) {
            self.ask_music(space.hold_music_object.clone());
        }
    }

    fn keep_media_time(&mut self, now: Now) {
        let samples = self.stage.media_time().0;
        if now.since(self.media_time_at) >= MEDIA_TIME_EVERY_MS * 1_000 {
            self.media_time_at = now;
            let (store, id) = (self.parts.store.clone(), self.parts.handle.id.clone());
            let wall = self.parts.clock.wall();
            tokio::spawn(async move {
                if let Err(error) = store.media_time(&id, samples, wall).await {
                    tracing::warn!(space = %id, %error, "the media time could not be kept");
                }
            });
        }
    }

    async fn close(&mut self, outcome: Outcome) {
        let rings = [
            &self.parts.rings.ogg,
            &self.parts.rings.webm,
            &self.parts.rings.mp4,
        ];
        for (packer, ring) in self.packers.iter_mut().zip(rings) {
            if let Some(page) = packer.flush() {
                ring.push(page);
            }
        }
        let samples = self.stage.media_time().0;
        self.parts.reached.store(samples, Ordering::Relaxed);
        if let Err(error) = self
            .parts
            .store
            .media_time(&self.parts.handle.id, samples, self.parts.clock.wall())
            .await
        {
            tracing::warn!(space = %self.parts.handle.id, %error, "the media time could not be kept");
        }
        tracing::info!(space = %self.parts.handle.id, epoch = self.parts.epoch.0, ?outcome, "the stage ends");
    }
}
