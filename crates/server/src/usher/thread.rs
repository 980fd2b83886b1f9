//! The usher's thread: measures ten times a second, deals out seats, tells all gates, and opens and shuts the doors of
//! spaces. A thread and not a task, for it must not wait behind the house's or the pages' work.

use std::collections::HashMap;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use hustings_control::gate::limits::DRAW_MS_MAX;
use hustings_control::gate::{
    Door, DoorEpoch, LadderEvent, Resource, Shut, Times, Usher, serving_json,
};
use hustings_control::ids::SpaceId;
use hustings_control::spaces::Phase;

use super::handle::{LOOKS_MAX, UsherHandle};
use super::keep::KeeperThread;
use super::limits::{OPENING_DRAW_MS, SERVING_EVERY, SHUT_KEPT_MS, TICK};
use super::{Entrance, Keeper, Measure, NodeEvent, Serving, Standing, Wicket, lock, times};
use crate::clock::Clock;
use crate::live::{Directory, SpaceHandle};

/// Running. Dropped without `stop`, the thread ends by itself.
pub struct UsherThread {
    handle: UsherHandle,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    keeper: Option<KeeperThread>,
}

impl UsherThread {
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        entrance: Arc<Entrance>,
        directory: Arc<Directory>,
        measure: Measure,
        pages: Option<Arc<Mutex<Wicket>>>,
        keeper: Option<Keeper>,
    ) -> std::io::Result<Self> {
        let (looks, wanted) = sync_channel(LOOKS_MAX);
        let mut booth = Booth::new(Arc::clone(&entrance), directory, measure);
        booth.pages = pages;
        let keeper = match keeper {
            Some(mut keeper) => {
                booth.kept = std::mem::take(&mut keeper.kept);
                Some(keeper)
            }
            None => None,
        };
        // The spaces that are open already have their doors before anybody knocks.
        booth.look();
        let files = Arc::clone(&entrance);
        let keeper = keeper.map(|keeper| keeper.start(files)).transpose()?;
        let ended = Arc::new(AtomicBool::new(false));
        let thread = {
            let ended = Arc::clone(&ended);
            std::thread::Builder::new()
                .name("usher".into())
                .spawn(move || booth.run(&wanted, &ended))?
        };
        let handle = UsherHandle {
            looks,
            keeper: keeper.as_ref().map(KeeperThread::writer),
        };
        lock(&entrance.usher).replace(handle.clone());
        Ok(Self {
            handle,
            ended,
            thread: Some(thread),
            keeper,
        })
    }

    pub fn handle(&self) -> UsherHandle {
        self.handle.clone()
    }

    /// Ends the thread and writes what a restart needs, before those inside are sent away. Blocks for a tick and for the
    /// disk.
    pub fn stop(mut self) {
        self.end();
        let files = self.keeper.take().and_then(KeeperThread::stop);
        for thread in files.into_iter().chain(self.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a thread of the door had panicked");
            }
        }
    }

    fn end(&self) {
        self.ended.store(true, Release);
        self.handle.look();
    }
}

impl Drop for UsherThread {
    fn drop(&mut self) {
        self.end();
        // Its thread writes once more by itself.
        drop(self.keeper.take().and_then(KeeperThread::stop));
    }
}

struct Booth {
    entrance: Arc<Entrance>,
    directory: Arc<Directory>,
    measure: Measure,
    /// The gate of the pages' threads, which have no sweep to tick it.
    pages: Option<Arc<Mutex<Wicket>>>,
    usher: Usher,
    clock: Clock,
    open: HashMap<SpaceId, Opened>,
    /// Doors that nobody finds any more, with the microsecond since which.
    shut: Vec<(u64, SpaceId)>,
    kept: super::keep::Kept,
    ticks: u64,
}

struct Opened {
    handle: Arc<SpaceHandle>,
    door: Arc<Door>,
    /// What the usher was told last.
    told: (Option<f64>, Option<u32>, Shut),
    /// Its doors have not been opened yet: who comes in the moment in which they are takes part in a draw.
    posted: bool,
}

impl Booth {
    fn new(entrance: Arc<Entrance>, directory: Arc<Directory>, measure: Measure) -> Self {
        Self {
            usher: Usher::new(Arc::clone(entrance.hall())),
            clock: entrance.clock,
            entrance,
            directory,
            measure,
            pages: None,
            open: HashMap::new(),
            shut: Vec::new(),
            kept: super::keep::Kept::default(),
            ticks: 0,
        }
    }

    fn run(mut self, wanted: &Receiver<()>, ended: &AtomicBool) {
        let mut next = Instant::now();
        while !ended.load(Acquire) {
            let wait = next.saturating_duration_since(Instant::now());
            match wanted.recv_timeout(wait) {
                Ok(()) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    self.tick();
                    // From now on, so that a machine that slept does not run after lost time.
                    next = Instant::now() + TICK;
                }
            }
        }
    }

    fn tick(&mut self) {
        let times = times(&self.clock);
        let mut load = (self.measure)();
        // What the operator asks for anyway is no sign of load.
        if load.cadence_ms <= self.directory.pace.bounds().min_ms() {
            load.cadence_ms = 0;
        }
        let report = self.usher.tick(&load, times);
        // Before anybody hears of a new mode: a page that looks now is not sent past a line that has just begun.
        if !report.modes.is_empty() || self.ticks.is_multiple_of(SERVING_EVERY) {
            self.serve(times);
        }
        self.entrance.tell(Standing {
            capacity: report.capacity,
            out: self.entrance.hall.out(),
            short: report.short,
            step: self.usher.ladder().step(),
            load,
        });
        // Seats run short because something else does: that is what the operator can change.
        let ladder = report.ladder.map(|mut step| {
            if step.because == Resource::Seats {
                step.because = report.short;
            }
            step
        });
        self.tell(ladder, report.modes);
        if report.spent_early {
            tracing::warn!(
                "more tickets were used than are remembered for long; a used one may be good again sooner"
            );
        }
        self.ticks += 1;
        if let Some(pages) = &self.pages {
            lock(pages).tick(load.cpu, load.cadence_ms);
        }
    }

    fn tell(&self, ladder: Option<LadderEvent>, modes: Vec<hustings_control::gate::ModeEvent>) {
        if let Some(step) = ladder {
            self.entrance.note(NodeEvent::Ladder(step));
        }
        for mode in modes {
            self.entrance.note(NodeEvent::Mode(mode));
        }
    }

    /// Opens doors of spaces that have none, shuts those of spaces that are over, and passes on what operators wish.
    fn look(&mut self) {
        let times = times(&self.clock);
        let spaces = self.directory.all();
        let mut changed = false;
        for handle in spaces.values() {
            let phase = handle.snapshot.load().phase;
            let over = matches!(phase, Phase::Ended | Phase::Cancelled);
            let known = self.open.contains_key(&handle.id);
            if !over && !known {
                changed |= self.open(handle, times);
            } else if over && known {
                // Those inside hear the end of the ring; nobody new is expected.
                self.open.remove(&handle.id);
                handle.door.store(None);
                handle.serving.store(None);
                self.shut.push((times.now.0, handle.id.clone()));
                changed = true;
            }
        }
        for opened in self.open.values_mut() {
            opened.settle(&mut self.usher, &self.entrance);
            opened.draw(times);
        }
        changed |= self.forget(times);
        if changed {
            self.entrance
                .doors
                .store(Arc::new(self.usher.doors().cloned().collect()));
        }
    }

    fn open(&mut self, handle: &Arc<SpaceHandle>, times: Times) -> bool {
        if self.shut.iter().any(|(_, space)| *space == handle.id) {
            return false;
        }
        let epoch = *lock(&self.entrance.epochs)
            .entry(handle.id.clone())
            .or_insert(DoorEpoch(1));
        let door = match self.usher.open(handle.id.clone(), epoch, Some(0.0), times) {
            Ok(door) => door,
            Err(error) => {
                tracing::error!(space = %handle.id, %error, "a space has no door");
                return false;
            }
        };
        let posted = handle.snapshot.load().phase == Phase::Posted;
        if posted {
            // Before anybody can have a place; the opening says when.
            door.draw_at(times.now.plus_millis(DRAW_MS_MAX));
        }
        self.kept.restore_door(&door, &self.clock);
        let told = (Some(0.0), None, Shut::No);
        let opened = Opened {
            handle: Arc::clone(handle),
            door,
            told,
            posted,
        };
        handle
            .serving
            .store(Some(Arc::new(self.serving(&opened, times))));
        handle.door.store(Some(Arc::clone(&opened.door)));
        self.open.insert(handle.id.clone(), opened);
        true
    }

    /// A door's number is given to another only when every gate has told what it counted.
    fn forget(&mut self, times: Times) -> bool {
        let (usher, entrance) = (&mut self.usher, &self.entrance);
        let before = self.shut.len();
        self.shut.retain(|(since, space)| {
            let keep = times.now.0.saturating_sub(*since) < SHUT_KEPT_MS * 1_000;
            if !keep {
                usher.close(space);
                let mut book = lock(&entrance.book);
                book.spaces.remove(space);
                book.fresh.remove(space);
                drop(book);
                lock(&entrance.wishes).remove(space);
            }
            keep
        });
        before != self.shut.len()
    }

    fn serve(&self, times: Times) {
        for opened in self.open.values() {
            let serving = self.serving(opened, times);
            opened.handle.serving.store(Some(Arc::new(serving)));
        }
    }

    fn serving(&self, opened: &Opened, times: Times) -> Serving {
        let space = opened.handle.snapshot.load();
        let message = match space.message.as_str() {
            "" => String::new(),
            message => serde_json::Value::from(message).to_string(),
        };
        let body = serving_json(&opened.door, &self.entrance.keys(), times, &message);
        Serving::new(
            body,
            "Content-Type: application/json\r\nCache-Control: public, max-age=1\r\n",
        )
    }
}

impl Opened {
    /// All pages that waited for an announced start hear of the opening in the same moment: whose network is quicker wins
    /// nothing. Where nothing was announced nobody has waited, and places go by arrival.
    fn draw(&mut self, times: Times) {
        let space = self.handle.snapshot.load();
        if self.posted && space.phase != Phase::Posted {
            self.posted = false;
            let announced = space.starts_at.is_some();
            let after = if announced { OPENING_DRAW_MS } else { 0 };
            self.door.draw_at(times.now.plus_millis(after));
        }
    }

    /// Spaces that are posted and not open yet have no share: they would make all others' smaller.
    fn settle(&mut self, usher: &mut Usher, entrance: &Entrance) {
        let wish = entrance.wish(&self.handle.id);
        let open = self.handle.snapshot.load().phase != Phase::Posted;
        let guarantee = if open { wish.guaranteed } else { Some(0.0) };
        let now = (guarantee, wish.limit, wish.shut());
        if now == self.told {
            return;
        }
        self.told = now;
        if let Err(error) = usher.settle(&self.handle.id, guarantee, wish.limit, wish.shut()) {
            tracing::error!(space = %self.handle.id, %error, "what was wished of this door makes no sense");
        }
    }
}
