//! The seat of a session: asked of the desk, taken on the stage, told lost, let go.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hustings_control::spaces::{Actor, Command, Refusal};
use tokio::sync::mpsc;

use super::{End, Running};
use crate::desk::DeskError;
use crate::stage::{HEARD_MAX, StageCall, next_source};

/// ICE and DTLS must be through by then; a session that strangers opened, or whose peer cannot reach us, ends.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Without any datagram for this long the desk is told that the connection is lost. (The stage tells it sooner of missing sound.)
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Without any datagram for this long the session ends; as long as a lost speaker keeps the seat.
const KEPT_FOR: Duration = Duration::from_millis(hustings_control::limits::SEAT_KEPT_MS);
/// Between two tries to be seated.
const SEAT_AGAIN_AFTER: Duration = Duration::from_millis(250);

impl Running {
    /// Each tenth of a second: deadlines, seat, quality.
    pub(super) fn look(&mut self, now: Instant) {
        let quiet = now.saturating_duration_since(self.last_datagram);
        if !self.connected {
            if now.saturating_duration_since(self.begun) > CONNECT_DEADLINE {
                self.end = Some(End::NotConnected);
            }
            return;
        }
        *self
            .shared
            .quality
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.quality.report(now);
        if quiet > KEPT_FOR {
            self.end = Some(End::Silent);
        } else if quiet > LOST_AFTER {
            self.lose();
        } else if self.lost {
            self.lost = false;
            self.taken = false;
        }
        if self.lost || self.asking.is_some() || now < self.ask_at {
            return;
        }
        if !self.taken {
            self.ask(Command::TakeSeat {
                person: self.person,
            });
        } else if self.source.is_none() {
            self.seat();
        }
    }

    pub(super) fn lose(&mut self) {
        if self.taken && !self.lost && self.asking.is_none() {
            self.ask(Command::LoseConnection {
                person: self.person,
            });
        }
        self.lost = true;
    }

    /// The desk writes to disk before it answers; the sound does not wait for that.
    fn ask(&mut self, command: Command) {
        let (desk, space) = (self.desk.clone(), self.handle.id.clone());
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
        self.asking = Some(tokio::spawn(async move {
            desk.command(&space, Actor::Node, command).await.map(drop)
        }));
    }

    pub(super) fn answered(&mut self, answer: Result<(), DeskError>) {
        match answer {
            // What was lost meanwhile is not taken; the next look asks again.
            Ok(()) | Err(DeskError::Refused(Refusal::Already { .. })) => {
                self.taken = !self.lost;
                // Who has the seat is put on the stage at once: the wait is for tries that failed.
                self.ask_at = Instant::now();
                self.look_at = self.ask_at;
            }
            Err(DeskError::Refused(_)) if self.lost => {}
            Err(DeskError::Refused(refusal)) => {
                tracing::info!(space = %self.handle.id, %refusal, "a session is refused the seat");
                self.end = Some(End::Refused);
            }
            Err(DeskError::NoSpace(_)) => self.end = Some(End::Refused),
            Err(error) => {
                tracing::warn!(space = %self.handle.id, %error, "a session waits for the desk")
            }
        }
    }

    fn seat(&mut self) {
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
        let Some(stage) = self.handle.stage.load_full().as_ref().clone() else {
            return;
        };
        let source = next_source();
        let (out, heard) = mpsc::channel(HEARD_MAX);
        if stage
            .try_send(StageCall::Seat {
                person: self.person,
                source,
                out,
            })
            .is_ok()
        {
            (self.source, self.heard, self.stage) = (Some(source), Some(heard), Some(stage));
        }
    }

    /// The stage has let go: it was started anew, or the seat is no longer ours. Ask for it from the beginning.
    pub(super) fn unseated(&mut self) {
        (self.source, self.heard, self.stage) = (None, None, None);
        self.taken = false;
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
    }

    pub(super) fn unseat(&mut self) {
        if let (Some(source), Some(stage)) = (self.source.take(), self.stage.take()) {
            let _ = stage.try_send(StageCall::Unseat { source });
        }
        self.heard = None;
    }
}
