//! The desk: the one task that owns a node's spaces. Commands come in by a bounded queue; accepted events are stored
//! before anyone sees them; then snapshots, rings and stages follow.

mod call;
mod clerk;
mod hours;
mod judge;
mod names;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Recorded, Refusal, Space};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use self::call::Call;
use self::clerk::Clerk;
use self::hours::Hours;
use self::judge::Decide;
use crate::clock::Clock;
use crate::live::{Directory, SpaceHandle};
use crate::ops::flight::Meter;
use crate::store::{Store, StoreError};

/// Calls that wait for the desk at once. A caller that finds the queue full waits `QUEUE_WAIT` for a place.
const QUEUE_MAX: usize = 256;
/// How long a caller waits for a place in the queue; then it is told `DeskError::Busy`.
const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// How long a caller waits for the answer; then it is told `DeskError::Busy`, though the desk may still do the work.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Notices a subscriber may lag behind; then it is told so by the channel and looks at the snapshots again.
const NOTICES_BACKLOG: usize = 1_024;

#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no space {0}")]
    NoSpace(SpaceId),
    #[error("there is a space {0} already")]
    Exists(SpaceId),
    #[error("this node holds {0} spaces already")]
    TooManySpaces(usize),
    #[error("the records cannot be written now")]
    Store(#[source] StoreError),
    #[error("the desk is busy; try again in a second")]
    Busy,
}

/// Told about every stored event, in order. The stage host, the archive and the notices of sessions subscribe.
#[derive(Clone)]
pub struct Notice {
    pub space: Arc<SpaceHandle>,
    pub recorded: Arc<Recorded>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    calls: mpsc::Sender<Call>,
    notices: broadcast::Sender<Notice>,
    directory: Arc<Directory>,
    store: Store,
    meter: Arc<Meter>,
}

impl Desk {
    /// Replays the store into the directory and starts the desk's task on the current tokio runtime. Nobody is
    /// connected to a node that has just started: who had a seat has lost the connection and may take the seat back.
    pub async fn start(
        store: Store,
        directory: Arc<Directory>,
        clock: Clock,
    ) -> Result<Self, DeskError> {
        Self::start_with(store, directory, Hours::new(clock), Space::decide).await
    }

    async fn start_with(
        store: Store,
        directory: Arc<Directory>,
        hours: Hours,
        decide: Decide,
    ) -> Result<Self, DeskError> {
        let (notices, _) = broadcast::channel(NOTICES_BACKLOG);
        let clerk = Clerk::open(
            store.clone(),
            Arc::clone(&directory),
            hours,
            decide,
            notices.clone(),
        )
        .await?;
        let (calls, called) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(clerk.work(called));
        Ok(Self {
            calls,
            notices,
            directory,
            store,
            meter: Arc::default(),
        })
    }

    /// How long the desk takes to answer, and how often it does not.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// `id: None` draws a readable random id.
    pub async fn create(
        &self,
        by: Actor,
        id: Option<SpaceId>,
        draft: Draft,
    ) -> Result<Arc<SpaceHandle>, DeskError> {
        self.ask(|answer| Call::Create {
            by,
            id,
            draft,
            answer,
        })
        .await
    }

    /// Gives back the events that came of it; none when all was so already.
    pub async fn command(
        &self,
        space: &SpaceId,
        by: Actor,
        command: Command,
    ) -> Result<Vec<Recorded>, DeskError> {
        self.ask(|answer| Call::Command {
            space: space.clone(),
            by,
            command,
            answer,
        })
        .await
    }

    /// Comes through the same queue as commands: whether one would be answered now, and what came of it stored.
    pub async fn ready(&self) -> Result<(), DeskError> {
        self.ask(|answer| Call::Ready { answer }).await
    }

    /// The audit trail.
    pub async fn log(
        &self,
        space: &SpaceId,
        after: u64,
        max: u32,
    ) -> Result<Vec<Recorded>, DeskError> {
        if self.directory.get(space).is_none() {
            return Err(DeskError::NoSpace(space.clone()));
        }
        self.store
            .log(space, after, max)
            .await
            .map_err(DeskError::Store)
    }

    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn ask<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, DeskError>>) -> Call,
    ) -> Result<T, DeskError> {
        let measured = self.meter.begin();
        let answered = self.queue(call).await;
        measured.end(!matches!(
            answered,
            Err(DeskError::Busy | DeskError::Store(_))
        ));
        answered
    }

    async fn queue<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, DeskError>>) -> Call,
    ) -> Result<T, DeskError> {
        let (answer, answered) = oneshot::channel();
        match timeout(QUEUE_WAIT, self.calls.send(call(answer))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(DeskError::Busy),
        }
        match timeout(ANSWER_WAIT, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(DeskError::Busy),
        }
    }
}

pub type At = UnixMillis;
