//! The desk's task. Each command: decide, make the new state on a copy, store the events, show the new state, tell.
//! The copy comes before the store, so that an event that cannot be applied never gets into the log.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::limits::SPACES_MAX;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Recorded, Seat, Space};
use tokio::sync::{broadcast, mpsc};

use super::call::Call;
use super::hours::Hours;
use super::judge::{Decide, judge};
use super::{DeskError, Notice, names};
use crate::live::{Directory, SpaceHandle};
use crate::store::{Store, StoreError};

/// Milliseconds after which a tick that failed, or changed nothing, is given again.
const TICK_AGAIN_MS: u64 = 1_000;
/// The desk looks at the clock at least so often, for the wall clock may jump while it sleeps.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Random ids tried before the desk gives up; each is taken with less than one chance in a million.
const DRAWS_MAX: usize = 8;

/// What the desk knows of a space beside its handle.
struct Book {
    handle: Arc<SpaceHandle>,
    /// The log may hold more than the snapshot (an append whose end nobody saw), or the state is not to be trusted
    /// (a panic): it is read again before anything else.
    reread: Option<Reread>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reread {
    Rest,
    Everything,
}

pub(super) struct Clerk {
    store: Store,
    directory: Arc<Directory>,
    hours: Hours,
    decide: Decide,
    notices: broadcast::Sender<Notice>,
    books: BTreeMap<SpaceId, Book>,
    /// Spaces whose log makes no sense. Their names stay taken, for the log may yet be mended.
    left_out: BTreeSet<SpaceId>,
    /// When each space that waits for time to pass is to be ticked.
    due: BTreeMap<SpaceId, UnixMillis>,
}

impl Clerk {
    pub(super) async fn open(
        store: Store,
        directory: Arc<Directory>,
        hours: Hours,
        decide: Decide,
        notices: broadcast::Sender<Notice>,
    ) -> Result<Self, DeskError> {
        let mut clerk = Self {
            store,
            directory,
            hours,
            decide,
            notices,
            books: BTreeMap::new(),
            left_out: BTreeSet::new(),
            due: BTreeMap::new(),
        };
        for id in clerk.store.spaces().await.map_err(DeskError::Store)? {
            if let Some(newest) = clerk.adopt(&id).await? {
                clerk.hours.not_before(newest);
            }
        }
        clerk.lose_all_connections().await?;
        Ok(clerk)
    }

    /// Until the last `Desk` is dropped.
    pub(super) async fn work(mut self, mut calls: mpsc::Receiver<Call>) {
        loop {
            self.tick_due().await;
            tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => self.answer(call).await,
                    None => return,
                },
                () = tokio::time::sleep(self.until_due()) => {}
            }
        }
    }

    async fn answer(&mut self, call: Call) {
        // Who no longer waits for the answer is told nothing; what was done stays done.
        match call {
            Call::Create {
                by,
                id,
                draft,
                answer,
            } => drop(answer.send(self.create(by, id, draft).await)),
            Call::Command {
                space,
                by,
                command,
                answer,
            } => drop(answer.send(self.command(&space, by, command).await)),
            Call::Ready { answer } => {
                let stored = self.store.try_writing().await.map_err(DeskError::Store);
                drop(answer.send(stored));
            }
        }
    }

    async fn create(
        &mut self,
        by: Actor,
        id: Option<SpaceId>,
        draft: Draft,
    ) -> Result<Arc<SpaceHandle>, DeskError> {
        let going = self
            .books
            .values()
            .filter(|book| book.handle.snapshot.load().is_going())
            .count();
        if going >= SPACES_MAX {
            return Err(DeskError::TooManySpaces(SPACES_MAX));
        }
        let id = match id {
            Some(id) if self.is_taken(&id) => return Err(DeskError::Exists(id)),
            Some(id) => id,
            None => self.draw(draft.listed)?,
        };
        let at = self.hours.now();
        let event = Space::create(id.clone(), draft, at)?;
        let first = Recorded {
            seq: 1,
            at,
            by,
            event,
        };
        match self
            .store
            .append(&id, 0, std::slice::from_ref(&first))
            .await
        {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => {
                // An earlier attempt was stored after all, though its end was not seen.
                self.adopt(&id).await?;
                return Err(DeskError::Exists(id));
            }
            Err(error) => return Err(DeskError::Store(error)),
        }
        let space = Space::replay([&first]).ok_or_else(broken)?;
        let handle = self.shelve(space);
        self.tell(&handle, first);
        Ok(handle)
    }

    async fn command(
        &mut self,
        id: &SpaceId,
        by: Actor,
        command: Command,
    ) -> Result<Vec<Recorded>, DeskError> {
        let book = self
            .books
            .get(id)
            .ok_or_else(|| DeskError::NoSpace(id.clone()))?;
        let handle = Arc::clone(&book.handle);
        if let Some(reread) = book.reread {
            self.read_again(&handle, reread).await?;
        }
        let at = self.hours.now();
        let (decide, before) = (self.decide, handle.snapshot.load_full());
        let judged = catch_unwind(AssertUnwindSafe(|| judge(decide, &before, by, command, at)));
        let (after, recorded) = match judged {
            Ok(judged) => judged?,
            Err(_) => {
                tracing::error!(space = %id, "a command made the space panic; it is rebuilt from its log");
                self.mark(id, Reread::Everything);
                return Err(broken());
            }
        };
        if recorded.is_empty() {
            return Ok(recorded);
        }
        if let Err(error) = self.store.append(id, before.seq, &recorded).await {
            tracing::error!(space = %id, %error, "an event could not be stored; nothing was changed");
            self.mark(id, Reread::Rest);
            return Err(DeskError::Store(error));
        }
        self.show(&handle, after, &recorded);
        Ok(recorded)
    }

    fn is_taken(&self, id: &SpaceId) -> bool {
        self.books.contains_key(id) || self.left_out.contains(id)
    }

    async fn lose_all_connections(&mut self) -> Result<(), DeskError> {
        let mut seated = Vec::new();
        for (id, book) in &self.books {
            let space = book.handle.snapshot.load();
            let taken = space
                .people
                .iter()
                .filter(|(_, person)| person.seat == Seat::Taken);
            seated.extend(taken.map(|(person, _)| (id.clone(), *person)));
        }
        for (id, person) in seated {
            self.command(&id, Actor::Node, Command::LoseConnection { person })
                .await?;
        }
        Ok(())
    }

    async fn tick_due(&mut self) {
        let now = self.hours.now();
        let due: Vec<SpaceId> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            let done = self.command(&id, Actor::Node, Command::Tick).await;
            if !matches!(done, Ok(events) if !events.is_empty()) {
                // Else a store that fails, or a panic, would make this a busy loop.
                self.due
                    .insert(id, UnixMillis(now.0.saturating_add(TICK_AGAIN_MS)));
            }
        }
    }

    fn until_due(&mut self) -> Duration {
        let now = self.hours.now();
        let next = self.due.values().min();
        next.map_or(SLEEP_MAX, |at| {
            Duration::from_millis(at.0.saturating_sub(now.0)).min(SLEEP_MAX)
        })
    }

    fn draw(&self, listed: bool) -> Result<SpaceId, DeskError> {
        for _ in 0..DRAWS_MAX {
            match names::draw(listed) {
                Ok(id) if !self.is_taken(&id) => return Ok(id),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the system gives no random numbers");
                    break;
                }
            }
        }
        Err(DeskError::Busy)
    }

    fn shelve(&mut self, space: Space) -> Arc<SpaceHandle> {
        self.schedule(&space);
        let handle = Arc::new(SpaceHandle::new(space));
        self.books.insert(
            handle.id.clone(),
            Book {
                handle: Arc::clone(&handle),
                reread: None,
            },
        );
        self.directory.insert(Arc::clone(&handle));
        handle
    }

    fn show(&mut self, handle: &Arc<SpaceHandle>, space: Space, recorded: &[Recorded]) {
        self.schedule(&space);
        handle.snapshot.store(Arc::new(space));
        for recorded in recorded {
            self.tell(handle, recorded.clone());
        }
    }

    fn tell(&self, handle: &Arc<SpaceHandle>, recorded: Recorded) {
        // Nobody may be subscribed; that is nobody's fault.
        drop(self.notices.send(Notice {
            space: Arc::clone(handle),
            recorded: Arc::new(recorded),
        }));
    }

    fn schedule(&mut self, space: &Space) {
        match space.next_tick() {
            Some(at) => self.due.insert(space.id.clone(), at),
            None => self.due.remove(&space.id),
        };
    }

    fn mark(&mut self, id: &SpaceId, reread: Reread) {
        if let Some(book) = self.books.get_mut(id)
            && book.reread != Some(Reread::Everything)
        {
            book.reread = Some(reread);
        }
    }
}

fn broken() -> DeskError {
    DeskError::Store(StoreError::Query(
        "the space failed and is rebuilt from its log".into(),
    ))
}
