//! One run of one stage: ticks it, packs what it plays, sends the people on it what they shall hear, says who is loud.
//! What a run must know of the space it reads from the snapshot, so a missed notice cannot leave it wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hustings_control::ids::{PersonId, SpaceId, UnixMillis};
use hustings_control::reactions::Recent;
use hustings_control::spaces::{Command, Phase, Seat, Space};
use hustings_media::limits::{SAMPLE_RATE, TICK_SAMPLES};
use hustings_media::opus::SILENCE;
use hustings_media::pack::{
    Packer, ProgramPacket, mp4::Mp4Packer, ogg::OggPacker, webm::WebmPacker,
};
use hustings_media::stage::{Bed, SourceKey, SourceState, Stage, StageAlarm, TickOutput};
use hustings_media::time::{Epoch, MediaTime, Now};
use tokio::sync::{mpsc, oneshot, watch};

use super::beat::Beat;
use super::roster::{LiveFacts, Roster};
use super::{Heard, StageCall};
use crate::archive::{Archive, ArchiveError};
use crate::clock::Clock;
use crate::live::{Rings, SpaceHandle};
use crate::pace::Pace;
use crate::store::Store;

/// Calls taken between two looks at the clock, so that a flood of packets cannot hold up a tick.
const CALLS_AT_ONCE_MAX: usize = 64;
/// Ticks between looks at levels, snapshot and roster (100 ms).
const LOOK_TICKS: u64 = 5;
/// Milliseconds without anybody seated until hold music begins on a live stage.
const EMPTY_MUSIC_AFTER_MS: u64 = 2_000;
/// Milliseconds between rosters when only levels or counts changed.
const ROSTER_EVERY_MS: u64 = 1_000;
/// Milliseconds between rosters inside the sound when only levels changed: more often would cost listeners more bytes than promised.
const CARRIED_ROSTER_EVERY_MS: u64 = 2_000;
/// Milliseconds between levels inside the sound when nothing changed.
const LEVELS_EVERY_MS: u64 = 1_000;
/// Milliseconds between two tries to tell the desk of the same seat.
const TELL_AGAIN_MS: u64 = 1_000;
/// Milliseconds a seat may be taken without a source (after a restart, say) before the desk is told that its connection is lost.
const ORPHAN_AFTER_MS: u64 = 2_000;
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

struct SeatEntry {
    source: SourceKey,
    person: PersonId,
    out: mpsc::Sender<Heard>,
    muted: bool,
    told_at: Option<Now>,
}

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

    fn speak_to_seats(&mut self) {
        let Some(program) = &self.output.program else {
            return;
        };
        let minus = &self.output.minus;
        let stage = &mut self.stage;
        self.seats.retain(|seat| {
            let own = minus
                .iter()
                .find(|(source, _)| *source == seat.source)
                .map(|(_, opus)| opus);
            let sound = Heard::Sound {
                media_time: program.media_time.0,
                opus: own.unwrap_or(&program.opus).clone(),
            };
            // Full: the session stands still, and newer sound is dropped. Closed: the session is gone.
            let gone = matches!(
                seat.out.try_send(sound),
                Err(mpsc::error::TrySendError::Closed(_))
            );
            if gone {
                stage.unseat(seat.source);
            }
            !gone
        });
    }

    fn sound_alarms(&mut self) {
        for alarm in self.output.alarms.drain(..) {
            match alarm {
                StageAlarm::DeadAir { .. } => self.dead_air = true,
                StageAlarm::DeadAirOver => self.dead_air = false,
                // Who is lost is told from the state, each tenth of a second: an edge could be missed.
                StageAlarm::SourceLost(_) | StageAlarm::SourceBack(_) => {}
            }
            for seat in &self.seats {
                let _ = seat.out.try_send(Heard::Alarm(alarm.clone()));
            }
        }
    }

    fn take_calls(&mut self, first: StageCall) {
        let now = self.parts.clock.now();
        self.take_call(first, now);
        for _ in 1..CALLS_AT_ONCE_MAX {
            let Ok(call) = self.parts.calls.try_recv() else {
                break;
            };
            self.take_call(call, now);
        }
    }

    fn take_call(&mut self, call: StageCall, now: Now) {
        match call {
            StageCall::Packet { source, packet } => self.stage.packet(source, packet, now),
            StageCall::Seat {
                person,
                source,
                out,
            } => self.seat(person, source, out, now),
            StageCall::Unseat { source } => {
                self.seats.retain(|seat| seat.source != source);
                self.stage.unseat(source);
            }
            StageCall::Echo { source, on } => self.stage.echo(source, on),
            StageCall::Hush { millis } => self
                .stage
                .hush(Now(now.0.saturating_add(millis.saturating_mul(1_000)))),
            StageCall::Seats { reply } => {
                let _ = reply.send(
                    self.seats
                        .iter()
                        .map(|seat| (seat.source, seat.person))
                        .collect(),
                );
            }
            #[cfg(test)]
            StageCall::Panic => panic!("a test asked for this"),
        }
    }

    /// Seats a source in its person's seat; whatever sat there before leaves. Refusing means dropping `out`.
    fn seat(&mut self, person: PersonId, source: SourceKey, out: mpsc::Sender<Heard>, now: Now) {
        let space = self.parts.handle.snapshot.load_full();
        let Some(known) = space
            .people
            .get(&person)
            .filter(|known| known.seat != Seat::None)
        else {
            return;
        };
        for old in self.seats.extract_if(.., |seat| seat.person == person) {
            self.stage.unseat(old.source);
        }
        if self.stage.seat(source, now).is_err() {
            return;
        }
        let muted = known.muted || known.muted_by_host;
        self.stage.mute(source, muted);
        self.seats.push(SeatEntry {
            source,
            person,
            out,
            muted,
            told_at: Some(now),
        });
        self.follow_bed(&space, now);
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

    fn follow_bed(&mut self, space: &Space, now: Now) {
        let empty =
            self.seats.is_empty() && now.since(self.empty_since) >= EMPTY_MUSIC_AFTER_MS * 1_000;
        let bed = match space.phase {
            Phase::Open => Bed::HoldMusic,
            Phase::Live if space.hold_music || empty => Bed::HoldMusic,
            _ => Bed::None,
        };
        self.set_bed(bed);
    }

    fn set_bed(&mut self, bed: Bed) {
        if self.bed != bed {
            self.bed = bed;
            self.stage.bed(bed);
        }
    }

    /// Decoding a file takes longer than a tick, so another thread does it.
    fn ask_music(&mut self, object: Option<String>) {
        self.music_asked = Some(object.clone());
        let archive = self.parts.archive.clone();
        let (reply, music) = oneshot::channel();
        self.music = Some(music);
        tokio::task::spawn_blocking(move || {
            let decoded = archive.music(object.as_deref());
            let _ = reply.send(if decoded.is_err() && object.is_some() {
                archive.music(None)
            } else {
                decoded
            });
        });
    }

    fn take_music(&mut self) {
        let Some(music) = &mut self.music else { return };
        match music.try_recv() {
            Ok(Ok(pcm)) => self.stage.hold_music(pcm),
            Ok(Err(error)) => {
                tracing::error!(space = %self.parts.handle.id, %error, "no hold music can be played")
            }
            Err(oneshot::error::TryRecvError::Empty) => return,
            Err(oneshot::error::TryRecvError::Closed) => {}
        }
        self.music = None;
    }

    /// Levels for everybody, and lost or found connections for the desk.
    fn measure(&mut self, space: &Space, now: Now) {
        self.states.clear();
        self.stage.states(&mut self.states);
        self.levels.clear();
        for state in &self.states {
            let Some(seat) = self
                .seats
                .iter_mut()
                .find(|seat| seat.source == state.source)
            else {
                continue;
            };
            self.levels.push((seat.person, *state));
            let known = space
                .people
                .get(&seat.person)
                .map_or(Seat::None, |person| person.seat);
            let command = match (state.lost, known) {
                (true, Seat::Taken) => Command::LoseConnection {
                    person: seat.person,
                },
                // A muted source owes no packets: of it only its session knows whether it is back.
                (false, Seat::LostSince(_)) if !state.muted => Command::TakeSeat {
                    person: seat.person,
                },
                _ => continue,
            };
            if seat
                .told_at
                .is_none_or(|at| now.since(at) >= TELL_AGAIN_MS * 1_000)
            {
                let told = self
                    .parts
                    .tell
                    .try_send((self.parts.handle.id.clone(), command))
                    .is_ok();
                seat.told_at = told.then_some(now);
            }
        }
        self.parts
            .handle
            .levels
            .store(Arc::new(self.states.clone()));
        self.tell_orphans(space, now);
    }

    fn tell_orphans(&mut self, space: &Space, now: Now) {
        let seats = &self.seats;
        let orphan = |id: &PersonId| {
            space
                .people
                .get(id)
                .is_some_and(|person| person.seat == Seat::Taken)
                && !seats.iter().any(|seat| seat.person == *id)
        };
        self.orphans.retain(|id, _| orphan(id));
        for id in space.people.keys().filter(|id| orphan(id)) {
            let since = self.orphans.entry(*id).or_insert(now);
            if now.since(*since) >= ORPHAN_AFTER_MS * 1_000 {
                *since = now;
                let _ = self.parts.tell.try_send((
                    self.parts.handle.id.clone(),
                    Command::LoseConnection { person: *id },
                ));
            }
        }
    }

    fn publish(&mut self, space: &Space, now: Now) {
        // Counted on the stage's own clock, which cannot be set back.
        let reactions = self
            .reactions
            .add(self.parts.handle.presses.take(), UnixMillis(now.0 / 1_000));
        let roster = Roster::of(
            space,
            &LiveFacts {
                listening: self.parts.handle.counts.listening(),
                recording: self.parts.recording.load(Ordering::Relaxed),
                music: self.bed == Bed::HoldMusic,
                dead_air: self.dead_air,
                cadence_ms: self.parts.pace.announced_ms(),
                media_ms: self.stage.media_time().as_millis(),
                reactions,
                sources: &self.levels,
            },
        );
        self.carry_levels(&roster, now);
        let quiet = roster.clone().quiet();
        let due = |at: Now, every_ms: u64| now.since(at) >= every_ms * 1_000;
        let news = self.last_roster.as_ref() != Some(&quiet);
        let unmoved = quiet.clone().unmoved();
        let carry = self.last_carried.as_ref() != Some(&unmoved)
            || due(self.carried_at, CARRIED_ROSTER_EVERY_MS);
        if !(news || carry || due(self.roster_at, ROSTER_EVERY_MS)) {
            return;
        }
        let json = roster.json();
        if carry {
            self.carried_at = now;
            self.last_carried = Some(unmoved);
            for packer in &mut self.packers {
                packer.roster(&json);
            }
        }
        if news || due(self.roster_at, ROSTER_EVERY_MS) {
            self.roster_at = now;
            self.last_roster = Some(quiet);
            self.parts.handle.state_json.store(Arc::new(json.clone()));
            let _ = self.parts.handle.roster.send(json);
        }
    }

    /// Between two rosters the sound carries levels alone; unchanged ones now and then, for who has just come.
    fn carry_levels(&mut self, roster: &Roster, now: Now) {
        let levels = roster.levels();
        let due = now.since(self.levels_at) >= LEVELS_EVERY_MS * 1_000;
        if levels != self.last_levels || due {
            for packer in &mut self.packers {
                packer.levels(&levels);
            }
            self.last_levels = levels;
            self.levels_at = now;
        }
    }

    fn keep_media_time(&mut self, now: Now) {
        let samples = self.stage.media_time().0;
        if now.since(self.media_time_at) >= MEDIA_TIME_EVERY_MS * 1_000 {
            self.media_time_at = now;
            let (store, id) = (self.parts.store.clone(), self.parts.handle.id.clone());
            tokio::spawn(async move {
                if let Err(error) = store.media_time(&id, samples).await {
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
            .media_time(&self.parts.handle.id, samples)
            .await
        {
            tracing::warn!(space = %self.parts.handle.id, %error, "the media time could not be kept");
        }
        tracing::info!(space = %self.parts.handle.id, epoch = self.parts.epoch.0, ?outcome, "the stage ends");
    }
}
