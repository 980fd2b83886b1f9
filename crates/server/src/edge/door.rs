//! Connections that have not said what they want. When there are too many, the oldest goes first: it had the most time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::AbortHandle;

use super::counters::ShardCounters;
use super::limits::SILENT_MAX;
use super::shard_loop::Local;

#[derive(Default)]
pub(super) struct Door {
    next: u64,
    silent: BTreeMap<u64, AbortHandle>,
}

impl Door {
    /// The number of the next connection.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Notes the task of a silent connection; gives the number of those dropped for it.
pub(super) fn note(door: &RefCell<Door>, number: u64, task: AbortHandle) -> u64 {
    door.borrow_mut().silent.insert(number, task);
    let over = door.borrow().silent.len().saturating_sub(SILENT_MAX);
    drop_oldest(door, over)
}

/// Drops up to `count` silent connections, oldest first.
pub(super) fn drop_oldest(door: &RefCell<Door>, count: usize) -> u64 {
    let mut dropped = 0;
    for _ in 0..count {
        // The borrow ends before the abort, which may run the task's own clean-up.
        let oldest = door.borrow_mut().silent.pop_first();
        let Some((_, task)) = oldest else { break };
        task.abort();
        dropped += 1;
    }
    dropped
}

/// Held by a connection's task while it is silent.
pub(super) struct Silent {
    local: Rc<Local>,
    number: u64,
}

impl Silent {
    pub(super) fn new(local: Rc<Local>, number: u64) -> Self {
        Self { local, number }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.local.door.borrow_mut().silent.remove(&self.number);
    }
}

/// Held by a connection's task from its beginning to its end, to count it.
pub(super) struct Counted(Arc<ShardCounters>);

impl Counted {
    pub(super) fn new(counters: Arc<ShardCounters>) -> Self {
        counters.tasks.fetch_add(1, Relaxed);
        Self(counters)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tasks.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_first() {
        let tasks = tokio::task::LocalSet::new();
        let one_more = |door: &RefCell<Door>| {
            let task = tasks.spawn_local(std::future::pending::<()>());
            let number = door.borrow_mut().number();
            (note(door, number, task.abort_handle()), task)
        };
        let door = RefCell::default();
        let mut noted: Vec<_> = (0..SILENT_MAX + 3).map(|_| one_more(&door)).collect();
        let dropped: Vec<u64> = noted.iter().map(|(dropped, _)| *dropped).collect();
        assert!(dropped.iter().take(SILENT_MAX).all(|dropped| *dropped == 0));
        assert_eq!(dropped.iter().sum::<u64>(), 3);
        assert_eq!(drop_oldest(&door, 2), 2);
        let kept = noted.split_off(5);
        tasks
            .run_until(async {
                for (_, task) in noted {
                    assert!(task.await.is_err_and(|e| e.is_cancelled()));
                }
            })
            .await;
        assert!(kept.iter().all(|(_, task)| !task.is_finished()));
        assert_eq!(drop_oldest(&door, usize::MAX), kept.len() as u64);
    }
}
