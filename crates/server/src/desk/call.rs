//! What the desk is asked, and where its answer goes.

use std::sync::Arc;

use hustings_control::ids::SpaceId;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Recorded};
use tokio::sync::oneshot;

use super::DeskError;
use crate::live::SpaceHandle;

pub(super) enum Call {
    Create {
        by: Actor,
        id: Option<SpaceId>,
        draft: Draft,
        answer: oneshot::Sender<Result<Arc<SpaceHandle>, DeskError>>,
    },
    Command {
        space: SpaceId,
        by: Actor,
        command: Command,
        answer: oneshot::Sender<Result<Vec<Recorded>, DeskError>>,
    },
    /// Whether a command would be answered, and what came of it stored.
    Ready {
        answer: oneshot::Sender<Result<(), DeskError>>,
    },
}
