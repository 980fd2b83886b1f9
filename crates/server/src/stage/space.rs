//! Keeps one space's stage running: starts a run, starts another when it panics, and holds what must outlive a run: the
//! rings that listeners read, and the recording.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hustings_control::ids::SpaceId;
use hustings_control::spaces::{Actor, Command, Phase};
use hustings_media::fanout::Ring;
use hustings_media::limits::RING_PAGES_MAX;
use hustings_media::time::{Epoch, MediaTime};
use tokio::sync::{mpsc, watch};

use super::STAGE_CALLS_MAX;
use super::roster::{LiveFacts, Roster};
use super::run::{self, Outcome, Parts};
use crate::archive::{Archive, Recording};
use crate::clock::Clock;
use crate::desk::Desk;
use crate::live::{Rings, SpaceHandle};
use crate::pace::Pace;
use crate::store::Store;

/// Between the end of a run that failed and the next: soon enough not to be missed, slow enough not to burn a core.
const RESTART_AFTER: Duration = Duration::from_millis(100);
/// When the records do not answer, the stage cannot have an epoch; it asks again after this.
const EPOCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A recording that cannot be closed within this is left to the next start.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);
/// A node that ends waits so long for the disk to take what was recorded.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) desk: Desk,
    pub(super) store: Store,
    pub(super) archive: Archive,
    pub(super) clock: Clock,
    pub(super) pace: Arc<Pace>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) tell: mpsc::Sender<(SpaceId, Command)>,
}

/// Makes state.json true for a space whose stage does not run.
pub(super) fn publish_still(handle: &SpaceHandle) {
    let facts = LiveFacts {
        listening: handle.counts.listening(),
        ..LiveFacts::default()
    };
    let json = Roster::of(&handle.snapshot.load(), &facts).json();
    handle.state_json.store(Arc::new(json.clone()));
    let _ = handle.roster.send(json);
}

impl Keeper {
    /// Runs until the space is over or the node stops.
    pub(super) async fn keep(self, handle: Arc<SpaceHandle>) {
        let rings = new_rings(&handle);
        handle.rings.store(Arc::new(Some(rings.clone())));
        let recording_on = Arc::new(AtomicBool::new(false));
        let reached = Arc::new(AtomicU64::new(0));
        let (went_live, mut live_at) = mpsc::channel(1);
        let mut recording: Option<Recording> = None;
        let outcome = loop {
            let Some((epoch, stored)) = self.next_epoch(&handle.id).await else {
                break Outcome::Stopped;
            };
            let (sender, calls) = mpsc::channel(STAGE_CALLS_MAX);
            let start = stored.max(reached.load(Ordering::Relaxed));
            let mut run = tokio::spawn(run::run(Parts {
                handle: Arc::clone(&handle),
                store: self.store.clone(),
                archive: self.archive.clone(),
                clock: self.clock,
                pace: Arc::clone(&self.pace),
                rings: rings.clone(),
                epoch: Epoch(epoch),
                start: MediaTime(start),
                calls,
                stop: self.stop.clone(),
                tell: self.tell.clone(),
                went_live: went_live.clone(),
                recording: Arc::clone(&recording_on),
                reached: Arc::clone(&reached),
            }));
            handle.stage.store(Arc::new(Some(sender)));
            tracing::info!(space = %handle.id, epoch, "the stage begins");
            let ended = loop {
                tokio::select! {
                    ended = &mut run => break ended,
                    Some((sequence, from)) = live_at.recv() => {
                        if recording.is_none() {
                            recording = self.record(&handle, &rings.ogg, sequence, from);
                            recording_on.store(recording.is_some(), Ordering::Relaxed);
                        }
                    }
                }
            };
            handle.stage.store(Arc::new(None));
            match ended {
                Ok(outcome) => break outcome,
                Err(error) => {
                    handle.stage_restarts.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(space = %handle.id, %error, "the stage failed and is started again")
                }
            }
            tokio::time::sleep(RESTART_AFTER).await;
        };
        recording_on.store(false, Ordering::Relaxed);
        for ring in [&rings.ogg, &rings.webm, &rings.mp4] {
            ring.close();
        }
        match (recording, outcome) {
            (Some(recording), Outcome::Over) => self.finish(&handle.id, recording).await,
            (Some(recording), Outcome::Stopped) => self.leave(&handle.id, recording).await,
            (None, _) => {}
        }
        handle.rings.store(Arc::new(None));
        handle.levels.store(Arc::new(Vec::new()));
        handle.silent_since.store(0, Ordering::Relaxed);
        handle.music.store(false, Ordering::Relaxed);
        publish_still(&handle);
    }

    /// `None` when the node stops before the records answer.
    async fn next_epoch(&self, id: &SpaceId) -> Option<(u32, u64)> {
        let mut stop = self.stop.clone();
        loop {
            if *stop.borrow() {
                return None;
            }
            match self.store.next_epoch(id, self.clock.wall()).await {
                Ok(epoch) => return Some(epoch),
                Err(error) => {
                    tracing::error!(space = %id, %error, "the stage waits for the records")
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EPOCH_AGAIN_AFTER) => {}
                _ = stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    fn record(
        &self,
        handle: &SpaceHandle,
        ring: &Ring,
        sequence: u64,
        from: MediaTime,
    ) -> Option<Recording> {
        let space = handle.snapshot.load();
        if !space.record || space.phase != Phase::Live {
            return None;
        }
        match self
            .archive
            .record(&handle.id, ring.clone(), sequence, from)
        {
            Ok(recording) => Some(recording),
            Err(error) => {
                tracing::error!(space = %handle.id, %error, "the space is not recorded");
                None
            }
        }
    }

    /// The space goes on when the node starts again; its recording too.
    async fn leave(&self, id: &SpaceId, recording: Recording) {
        if tokio::time::timeout(LEAVE_DEADLINE, recording.leave())
            .await
            .is_err()
        {
            tracing::error!(space = %id, "the disk did not take the end of the recording in time");
        }
    }

    async fn finish(&self, id: &SpaceId, recording: Recording) {
        let (object, millis) = match tokio::time::timeout(FINISH_DEADLINE, recording.finish()).await
        {
            Ok(Ok(closed)) => closed,
            Ok(Err(error)) => {
                return tracing::error!(space = %id, %error, "the recording could not be closed");
            }
            Err(_) => {
                return tracing::error!(space = %id, "the recording was not closed in time; the next start closes it");
            }
        };
        if let Err(error) = self
            .desk
            .command(id, Actor::Node, Command::RecordingClosed { object, millis })
            .await
        {
            tracing::error!(space = %id, %error, "the recording is closed, but the record of it was refused");
        }
    }
}

fn new_rings(handle: &SpaceHandle) -> Rings {
    let [ogg, webm, mp4] = run::packers(&handle.snapshot.load());
    let ring = |head| Ring::new(head, RING_PAGES_MAX);
    Rings {
        ogg: ring(ogg.head()),
        webm: ring(webm.head()),
        mp4: ring(mp4.head()),
    }
}
