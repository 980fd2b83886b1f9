//! The sessions of a node by their names, and which of them end with a person's seat or with the space.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hustings_control::ids::{PersonId, SpaceId};
use hustings_control::spaces::{Event, Phase, Seat};
use tokio::sync::{broadcast, mpsc};

use super::session::{Control, Shared};
use super::{IngestError, SESSIONS_MAX};
use crate::desk::Notice;
use crate::live::Directory;

pub(super) struct Entry {
    pub(super) space: SpaceId,
    pub(super) person: PersonId,
    pub(super) connected: bool,
    pub(super) control: mpsc::Sender<Control>,
    pub(super) shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Registry {
    sessions: Mutex<HashMap<String, Entry>>,
}

impl Registry {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn drop_where(&self, mut which: impl FnMut(&str, &Entry) -> bool) {
        for (_, entry) in self.lock().extract_if(|name, entry| which(name, entry)) {
            // Its task ends by the order, or by the queue's end right after.
            let _ = entry.control.try_send(Control::Drop);
        }
    }

    /// Earlier offers of the same person that never connected are given up.
    pub(super) fn enter(&self, name: String, entry: Entry) -> Result<(), IngestError> {
        self.drop_where(|_, old| {
            !old.connected && old.space == entry.space && old.person == entry.person
        });
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX {
            return Err(IngestError::Full(SESSIONS_MAX));
        }
        sessions.insert(name, entry);
        Ok(())
    }

    /// The session is connected: it is the person's only one from now on.
    pub(super) fn connected(&self, session: &str) {
        let owner = {
            let mut sessions = self.lock();
            let Some(entry) = sessions.get_mut(session) else {
                return;
            };
            entry.connected = true;
            (entry.space.clone(), entry.person)
        };
        self.drop_where(|name, entry| {
            name != session && entry.connected && entry.space == owner.0 && entry.person == owner.1
        });
    }
}

/// Ends sessions whose person was removed or whose space is over.
pub(super) async fn follow(
    mut notices: broadcast::Receiver<Notice>,
    directory: Arc<Directory>,
    registry: Arc<Registry>,
) {
    loop {
        match notices.recv().await {
            Ok(notice) => match &notice.recorded.event {
                Event::Removed { person } | Event::Banned { person } => {
                    registry.drop_where(|_, entry| {
                        entry.space == notice.space.id && entry.person == *person
                    });
                }
                // The snapshot decides: the person may have taken the seat again since.
                Event::SeatLeft { person, .. } => {
                    let seat = notice
                        .space
                        .snapshot
                        .load()
                        .people
                        .get(person)
                        .map_or(Seat::None, |person| person.seat);
                    registry.drop_where(|_, entry| {
                        entry.connected
                            && entry.space == notice.space.id
                            && entry.person == *person
                            && seat == Seat::None
                    });
                }
                Event::Ended { .. } | Event::Cancelled { .. } => {
                    registry.drop_where(|_, entry| entry.space == notice.space.id)
                }
                _ => {}
            },
            Err(broadcast::error::RecvError::Lagged(_)) => registry.drop_where(|_, entry| {
                let Some(handle) = directory.get(&entry.space) else {
                    return true;
                };
                let space = handle.snapshot.load();
                let banned = space
                    .people
                    .get(&entry.person)
                    .is_none_or(|person| person.banned);
                banned || !matches!(space.phase, Phase::Open | Phase::Live)
            }),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
