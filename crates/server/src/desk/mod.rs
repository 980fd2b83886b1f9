//! The desk: the one task that owns a node's spaces. Commands come in by a bounded queue; accepted events are stored
//! before anyone sees them; then snapshots, rings and stages follow.

use std::sync::Arc;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Recorded, Refusal};

use crate::clock::Clock;
use crate::live::{Directory, SpaceHandle};
use crate::store::Store;

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
    Store(#[source] crate::store::StoreError),
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
    // helper desk: queue sender + notices broadcast::Sender<Notice>
}

impl Desk {
    /// Replays the store into the directory and starts the desk's task on the current tokio runtime.
    pub async fn start(store: Store, directory: Arc<Directory>, clock: Clock) -> Result<Self, DeskError> { let _ = (store, directory, clock); todo!() }
    /// `id: None` draws a readable random id.
    pub async fn create(&self, by: Actor, id: Option<SpaceId>, draft: Draft) -> Result<Arc<SpaceHandle>, DeskError> { let _ = (by, id, draft); todo!() }
    /// Gives back the events that came of it.
    pub async fn command(&self, space: &SpaceId, by: Actor, command: Command) -> Result<Vec<Recorded>, DeskError> { let _ = (space, by, command); todo!() }
    /// The audit trail.
    pub async fn log(&self, space: &SpaceId, after: u64, max: u32) -> Result<Vec<Recorded>, DeskError> { let _ = (space, after, max); todo!() }
    pub fn notices(&self) -> tokio::sync::broadcast::Receiver<Notice> { todo!() }
}

pub type At = UnixMillis;
