//! The host task: follows the desk's notices and sees that each space that is open or live has its stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hustings_control::ids::SpaceId;
use hustings_control::spaces::{Actor, Command, Phase};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use super::space::{Keeper, publish_still};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::desk::Desk;
use crate::live::{Directory, SpaceHandle};
use crate::store::Store;

/// Commands of the stages that wait for the desk; more are dropped and told again by the stage a second later.
const TELLS_MAX: usize = 256;
/// Stages that have not flushed by then are left behind at the stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

pub struct StageHost {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl StageHost {
    /// Starts the host task: follows `desk.notices()`, runs a stage for each space that is open or live (also those found so
    /// at start), puts rings and call queue into the `SpaceHandle`s, takes levels out, and rebuilds `state_json`/roster.
    pub fn start(
        desk: Desk,
        store: Store,
        directory: Arc<Directory>,
        archive: Archive,
        clock: Clock,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        // Subscribed before the first look at the directory, so that nothing falls between the two.
        let notices = desk.notices();
        let (tell, told) = mpsc::channel(TELLS_MAX);
        tokio::spawn(tell_desk(desk.clone(), told));
        let keeper = Keeper {
            pace: Arc::clone(&directory.pace),
            desk,
            store,
            archive,
            clock,
            stop: stopped,
            tell,
        };
        let host = Host {
            keeper,
            directory,
            stages: BTreeMap::new(),
        };
        Self {
            stop,
            task: tokio::spawn(host.follow_all(notices)),
        }
    }

    /// Stops all stages, last pages pushed, rings closed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(STOP_DEADLINE, self.task)
            .await
            .is_err()
        {
            tracing::warn!("some stages did not stop in time");
        }
    }
}

/// Stages must not wait for the desk; this task does. Refusals are news that came too late: the stage looks again.
async fn tell_desk(desk: Desk, mut told: mpsc::Receiver<(SpaceId, Command)>) {
    while let Some((space, command)) = told.recv().await {
        if let Err(error) = desk.command(&space, Actor::Node, command).await {
            tracing::debug!(%space, %error, "the desk did not take what the stage told");
        }
    }
}

struct Host {
    keeper: Keeper,
    directory: Arc<Directory>,
    stages: BTreeMap<SpaceId, JoinHandle<()>>,
}

impl Host {
    async fn follow_all(mut self, mut notices: broadcast::Receiver<crate::desk::Notice>) {
        self.close_left_open().await;
        self.follow_directory();
        let mut stop = self.keeper.stop.clone();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                notice = notices.recv() => match notice {
                    Ok(notice) => self.follow(&notice.space),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.follow_directory(),
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            }
        }
        for (_, stage) in self.stages {
            let _ = stage.await;
        }
    }

    fn follow_directory(&mut self) {
        for handle in self.directory.all().values() {
            self.follow(handle);
        }
    }

    fn follow(&mut self, handle: &Arc<SpaceHandle>) {
        let running = self
            .stages
            .get(&handle.id)
            .is_some_and(|stage| !stage.is_finished());
        if running {
            return;
        }
        if matches!(handle.snapshot.load().phase, Phase::Open | Phase::Live) {
            let stage = tokio::spawn(self.keeper.clone().keep(Arc::clone(handle)));
            self.stages.insert(handle.id.clone(), stage);
        } else {
            self.stages.remove(&handle.id);
            publish_still(handle);
        }
    }

    /// Recordings that a crash left open: those of spaces that are over are closed in the records too; a live space's goes on.
    async fn close_left_open(&self) {
        let archive = self.keeper.archive.clone();
        let left = match tokio::task::spawn_blocking(move || archive.recover()).await {
            Ok(left) => left,
            Err(error) => {
                return tracing::error!(%error, "recordings left open could not be looked through");
            }
        };
        for (space, object, millis) in left {
            let live = self
                .directory
                .get(&space)
                .is_some_and(|handle| handle.snapshot.load().phase == Phase::Live);
            if live {
                continue;
            }
            let closed = Command::RecordingClosed { object, millis };
            if let Err(error) = self.keeper.desk.command(&space, Actor::Node, closed).await {
                tracing::warn!(%space, %error, "a recording that a crash left open is not in the records");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hustings_control::spaces::space::Draft;

    use super::*;
    use crate::stage::StageCall;

    /// Looks each 10 ms until it is so, for at most 20 s.
    async fn until(what: &str, so: impl Fn() -> bool) {
        let looks = async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(20), looks)
                .await
                .is_ok(),
            "never: {what}"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stage_that_panics_starts_again_in_the_same_rings() {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(data.path()).await.unwrap();
        let directory = Arc::new(Directory::default());
        let archive = Archive::open(data.path()).unwrap();
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock)
            .await
            .unwrap();
        let host = StageHost::start(desk.clone(), store, directory, archive, clock);
        let draft = Draft {
            title: "Panic".to_owned(),
            ..Draft::default()
        };
        let handle = desk.create(Actor::Operator, None, draft).await.unwrap();
        desk.command(&handle.id, Actor::Operator, Command::Open)
            .await
            .unwrap();
        until("pages", || {
            handle
                .rings
                .load()
                .as_ref()
                .as_ref()
                .is_some_and(|rings| rings.ogg.next_sequence() > 3)
        })
        .await;
        let rings = handle.rings.load_full().as_ref().clone().unwrap();
        let first = handle.stage.load_full().as_ref().clone().unwrap();
        first.try_send(StageCall::Panic).ok().unwrap();
        until("another run", || {
            handle
                .stage
                .load()
                .as_ref()
                .as_ref()
                .is_some_and(|next| !next.same_channel(&first))
        })
        .await;
        let at = rings.ogg.next_sequence();
        until("pages go on in the rings that listeners read", || {
            rings.ogg.next_sequence() > at + 3
        })
        .await;
        let mut pages = Vec::new();
        rings.ogg.pages_from(0, 1_000, &mut pages);
        assert!(
            pages
                .windows(2)
                .all(|two| two[0].media_time < two[1].media_time && two[0].epoch <= two[1].epoch)
        );
        assert!(pages.first().unwrap().epoch < pages.last().unwrap().epoch);
        host.stop().await;
        assert!(rings.ogg.is_closed());
        assert!(handle.rings.load().is_none());
    }
}
