//! How the rest of the node speaks to the usher.

use std::sync::mpsc::SyncSender;

use super::keep::KeeperHandle;

/// Looks that wait for the usher; one more would see nothing else.
pub(super) const LOOKS_MAX: usize = 1;

/// For whoever opens spaces or changes what an operator wished.
#[derive(Clone)]
pub struct UsherHandle {
    pub(super) looks: SyncSender<()>,
    pub(super) keeper: Option<KeeperHandle>,
}

impl UsherHandle {
    /// A space has opened or ended; without this it is seen at the next tick.
    pub fn look(&self) {
        // Full: a look is about to come.
        let _ = self.looks.try_send(());
    }

    pub(super) async fn keep_now(&self) -> bool {
        match &self.keeper {
            Some(keeper) => keeper.write_now().await,
            None => true,
        }
    }
}
