//! Spaces from their logs: at the start, and after something went wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::{Recorded, Space};

use super::super::DeskError;
use super::{Clerk, Reread, broken};
use crate::live::SpaceHandle;
use crate::store::{LOG_ROWS_MAX, StoreError};

impl Clerk {
    /// The log is right: what it holds beyond the snapshot has happened, and is told now.
    pub(super) async fn read_again(
        &mut self,
        handle: &Arc<SpaceHandle>,
        reread: Reread,
    ) -> Result<(), DeskError> {
        let before = handle.snapshot.load_full();
        let from = if reread == Reread::Everything {
            0
        } else {
            before.seq
        };
        let log = self.whole_log(&handle.id, from).await?;
        let rebuilt = catch_unwind(AssertUnwindSafe(|| match reread {
            Reread::Everything => Space::replay(&log),
            Reread::Rest => {
                let mut space = Space::clone(&before);
                log.iter().for_each(|recorded| space.apply(recorded));
                Some(space)
            }
        }));
        let Ok(Some(space)) = rebuilt else {
            tracing::error!(space = %handle.id, "the space cannot be rebuilt from its log");
            return Err(broken());
        };
        if let Some(book) = self.books.get_mut(&handle.id) {
            book.reread = None;
        }
        let untold: Vec<Recorded> = log
            .into_iter()
            .filter(|recorded| recorded.seq > before.seq)
            .collect();
        self.show(handle, space, &untold);
        Ok(())
    }

    /// Takes a space over from the store; gives the time of its newest event while it goes on. A space whose log makes
    /// no sense is left out and told of: it must not keep the others from starting.
    pub(super) async fn adopt(&mut self, id: &SpaceId) -> Result<Option<UnixMillis>, DeskError> {
        let log = match self.whole_log(id, 0).await {
            Err(DeskError::Store(StoreError::Unreadable { why, .. })) => {
                self.leave_out(id, &why);
                return Ok(None);
            }
            log => log?,
        };
        match catch_unwind(AssertUnwindSafe(|| Space::replay(&log))) {
            Ok(Some(space)) => {
                let newest = log
                    .last()
                    .map(|recorded| recorded.at)
                    .filter(|_| space.is_going());
                self.shelve(space);
                Ok(newest)
            }
            Ok(None) | Err(_) => {
                self.leave_out(id, "its events do not follow from each other");
                Ok(None)
            }
        }
    }

    fn leave_out(&mut self, id: &SpaceId, why: &str) {
        tracing::error!(space = %id, why, "the space cannot be rebuilt from its log and is left out; the others go on");
        self.left_out.insert(id.clone());
    }

    async fn whole_log(&self, id: &SpaceId, after: u64) -> Result<Vec<Recorded>, DeskError> {
        let mut log: Vec<Recorded> = Vec::new();
        loop {
            let from = log.last().map_or(after, |recorded| recorded.seq);
            let rows = self
                .store
                .log(id, from, LOG_ROWS_MAX)
                .await
                .map_err(DeskError::Store)?;
            let last = rows.len() < LOG_ROWS_MAX as usize;
            log.extend(rows);
            if last {
                return Ok(log);
            }
        }
    }
}
