//! Who sits on the stage of a run: calls of the sessions, what each hears, and lost connections told to the desk.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hustings_control::ids::PersonId;
use hustings_control::spaces::{Command, Seat, Space};
use hustings_media::stage::{SourceKey, StageAlarm};
use hustings_media::time::Now;
use tokio::sync::mpsc;

use super::Run;
use crate::stage::{Heard, StageCall};

/// Calls taken between two looks at the clock, so that a flood of packets cannot hold up a tick.
const CALLS_AT_ONCE_MAX: usize = 64;
/// Milliseconds between two tries to tell the desk of the same seat.
const TELL_AGAIN_MS: u64 = 1_000;
/// Milliseconds a seat may be taken without a source (after a restart, say) before the desk is told that its connection is lost.
const ORPHAN_AFTER_MS: u64 = 2_000;

pub(super) struct SeatEntry {
    pub(super) source: SourceKey,
    pub(super) person: PersonId,
    out: mpsc::Sender<Heard>,
    pub(super) muted: bool,
    told_at: Option<Now>,
}

impl Run {
    pub(super) fn speak_to_seats(&mut self) {
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

    pub(super) fn sound_alarms(&mut self) {
        for alarm in self.output.alarms.drain(..) {
            match alarm {
                StageAlarm::DeadAir { silent_ms, .. } => {
                    self.dead_air = true;
                    let since = (self.parts.clock.now().0 / 1_000).saturating_sub(silent_ms);
                    let since = since.max(1);
                    self.parts.handle.silent_since.store(since, Relaxed);
                }
                StageAlarm::DeadAirOver => {
                    self.dead_air = false;
                    self.parts.handle.silent_since.store(0, Relaxed);
                }
                // Who is lost is told from the state, each tenth of a second: an edge could be missed.
                StageAlarm::SourceLost(_) | StageAlarm::SourceBack(_) => {}
            }
            for seat in &self.seats {
                let _ = seat.out.try_send(Heard::Alarm(alarm.clone()));
            }
        }
    }

    pub(super) fn take_calls(&mut self, first: StageCall) {
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

    /// Levels for everybody, and lost or found connections for the desk.
    pub(super) fn measure(&mut self, space: &Space, now: Now) {
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
}
