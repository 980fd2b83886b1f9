//! The shell round the gate: what the gates of all threads share, the thread that deals out seats, and the files that let
//! a restart know who was inside.
//!
//! `Entrance` is what everybody may hold; `Wicket` is the gate of one thread; `thread` ticks the usher; `measure` reads the
//! machine; `keep` and `secret` are the files; `words` reads knocks and writes answers.

mod handle;
mod happened;
mod keep;
mod limits;
mod measure;
mod secret;
mod thread;
mod told;
mod wicket;
mod words;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use hustings_control::gate::spread::Spread;
use hustings_control::gate::{
    Door, DoorEpoch, Hall, KeyRing, Load, Mode, Settings, Step, Tally, Used,
};
use hustings_control::ids::SpaceId;
use tokio::sync::mpsc;

use self::handle::UsherHandle;
pub use self::keep::Keeper;
pub(crate) use self::limits::{INVITED_LIFE_MS, REACTIONS_KEPT};
pub use self::measure::{Measure, Rate, measure};
pub use self::thread::UsherThread;
pub use self::told::{DoorWish, NodeEvent, Serving, Standing};
pub use self::wicket::Wicket;
pub(crate) use self::wicket::times;
pub(crate) use self::words::{Asked, answer_knock, mark_of};
use crate::clock::Clock;
use crate::ops::flight::Flight;

type SharedKeys = Arc<KeyRing>;

/// What all threads of a node share of its door.
pub struct Entrance {
    hall: Arc<Hall>,
    keys: ArcSwap<KeyRing>,
    load: SharedLoad,
    step: AtomicU8,
    floor_ms: AtomicU64,
    standing: ArcSwap<Option<Standing>>,
    doors: ArcSwap<Vec<Arc<Door>>>,
    /// What gates have counted, by space; a space that is over is forgotten, its counts stay in the sum.
    book: Mutex<Book>,
    wishes: Mutex<HashMap<SpaceId, DoorWish>>,
    epochs: Mutex<HashMap<SpaceId, DoorEpoch>>,
    events: Mutex<VecDeque<NodeEvent>>,
    to_store: Mutex<Option<mpsc::Sender<NodeEvent>>>,
    flight: Mutex<Option<Flight>>,
    gates: AtomicU32,
    /// The thread that reads this; none before it has started.
    usher: Mutex<Option<UsherHandle>>,
    clock: Clock,
}

#[derive(Default)]
pub struct Book {
    pub sum: Tally,
    pub spaces: HashMap<SpaceId, Tally>,
    /// What was counted since the flight recorder last took it.
    fresh: HashMap<SpaceId, (Tally, Spread)>,
    /// The newest second's spread over prefixes: knocks, distinct prefixes, bits of entropy. Of the busiest gate.
    pub spread: (u32, f64, f64),
}

#[derive(Default)]
struct SharedLoad([AtomicU64; 6]);

impl Entrance {
    /// Reads what the last run kept in the data folder, if there is one. `settings.shards` counts shards; the pages' gate
    /// is added here.
    ///
    /// # Errors
    /// When a setting makes no sense or a file cannot be read; the message says what to do.
    pub fn open(
        mut settings: Settings,
        data: Option<&Path>,
        clock: Clock,
    ) -> anyhow::Result<(Arc<Self>, Option<Keeper>)> {
        settings.shards += 1;
        let (secret, keeper, kept) = match data {
            Some(data) => {
                let secret = secret::Secret::open(data, clock.wall())?;
                let (keeper, kept) = Keeper::open(data);
                (secret, Some(keeper), kept)
            }
            None => (
                secret::Secret::fresh(clock.wall())?,
                None,
                keep::Kept::default(),
            ),
        };
        let hall = Hall::new(settings, secret.salt())?;
        kept.restore_hall(&hall);
        let entrance = Arc::new(Self {
            hall,
            keys: ArcSwap::from_pointee(secret.ring()?),
            load: SharedLoad::default(),
            step: AtomicU8::new(0),
            floor_ms: AtomicU64::new(0),
            standing: ArcSwap::from_pointee(None),
            doors: ArcSwap::default(),
            book: Mutex::default(),
            wishes: Mutex::new(kept.wishes()),
            epochs: Mutex::new(kept.epochs()),
            events: Mutex::default(),
            to_store: Mutex::default(),
            flight: Mutex::default(),
            gates: AtomicU32::new(0),
            usher: Mutex::default(),
            clock,
        });
        let keeper = keeper.map(|keeper| keeper.with(kept, secret));
        Ok((entrance, keeper))
    }

    /// Everything as it comes, nothing kept: for tests and for the bench.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn passing(settings: Settings, clock: Clock) -> anyhow::Result<Arc<Self>> {
        Ok(Self::open(settings, None, clock)?.0)
    }

    /// A gate for one more thread.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn wicket(self: &Arc<Self>) -> anyhow::Result<Wicket> {
        let number = self.gates.fetch_add(1, Relaxed);
        Ok(Wicket::new(Arc::clone(self), number, random()?, self.clock))
    }

    pub fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }

    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    pub fn doors(&self) -> Arc<Vec<Arc<Door>>> {
        self.doors.load_full()
    }

    pub fn standing(&self) -> Option<Standing> {
        **self.standing.load()
    }

    /// Where the node stands on the ladder. One atomic load.
    pub fn step(&self) -> Step {
        match self.step.load(Relaxed) {
            0 => Step::Ground,
            1 => Step::Cadence,
            2 => Step::Side,
            _ => Step::Line,
        }
    }

    /// Whether roster events are shed in favour of `state.json`, and reactions thinned.
    pub fn sheds_side_features(&self) -> bool {
        self.step() >= Step::Side
    }

    /// Milliseconds between sweeps that are the least by the ladder; 0: none.
    pub fn cadence_floor_ms(&self) -> u64 {
        self.floor_ms.load(Relaxed)
    }

    /// The newest events, oldest first.
    pub fn events(&self) -> Vec<NodeEvent> {
        lock(&self.events).iter().cloned().collect()
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub fn wish(&self, space: &SpaceId) -> DoorWish {
        lock(&self.wishes).get(space).copied().unwrap_or_default()
    }

    /// Holds from the usher's next tick on; kept over a restart.
    pub(crate) fn set_wish(&self, space: &SpaceId, wish: DoorWish) {
        let mut wishes = lock(&self.wishes);
        if wish == DoorWish::default() {
            wishes.remove(space);
        } else {
            wishes.insert(space.clone(), wish);
        }
    }

    /// Spaces or wishes have changed: the usher looks now, and not only at its next tick.
    pub(crate) fn look(&self) {
        if let Some(usher) = lock(&self.usher).as_ref() {
            usher.look();
        }
    }

    /// True when what operators wished is on the disk, or nothing is kept at all.
    pub(crate) async fn keep_now(&self) -> bool {
        let usher = lock(&self.usher).clone();
        match usher {
            Some(usher) => usher.keep_now().await,
            None => true,
        }
    }

    /// What gates have counted since the last call, by space. Whatever is not taken stays in one sum for each space.
    pub(crate) fn take_counted(&self) -> HashMap<SpaceId, (Tally, Spread)> {
        std::mem::take(&mut lock(&self.book).fresh)
    }

    /// What earlier runs have stored, before anything happens in this one.
    pub(crate) fn recall(&self, stored: &[String]) {
        let known = stored
            .iter()
            .filter_map(|body| serde_json::from_str(body).ok());
        let mut events = lock(&self.events);
        let newer = std::mem::take(&mut *events);
        events.extend(known);
        events.extend(newer);
        let over = events.len().saturating_sub(limits::EVENTS_SHOWN);
        events.drain(..over);
    }

    fn count(&self, space: &SpaceId, tally: &Tally, spread: &Spread) {
        if spread.knocks() == 0 {
            return;
        }
        let mut book = lock(&self.book);
        book.sum.add(tally);
        book.spaces.entry(space.clone()).or_default().add(tally);
        let (counted, seen) = book.fresh.entry(space.clone()).or_default();
        counted.add(tally);
        seen.add(spread);
        book.spread = (spread.knocks(), spread.distinct(), spread.entropy());
    }

    fn load(&self, cpu: f64, cadence_ms: u64) -> Load {
        let of = |at: usize| Used {
            used: self.load.0[at].load(Relaxed),
            limit: self.load.0[at + 1].load(Relaxed),
        };
        Load {
            cpu,
            cadence_ms,
            memory: of(0),
            files: of(2),
            uplink: of(4),
        }
    }

    fn tell(&self, standing: Standing) {
        let load = &standing.load;
        for (at, used) in [(0, load.memory), (2, load.files), (4, load.uplink)] {
            self.load.0[at].store(used.used, Relaxed);
            self.load.0[at + 1].store(used.limit, Relaxed);
        }
        let floor = match standing.step {
            Step::Ground => 0,
            Step::Cadence => limits::FLOOR_CADENCE_MS,
            Step::Side => limits::FLOOR_SIDE_MS,
            Step::Line => limits::FLOOR_LINE_MS,
        };
        self.floor_ms.store(floor, Relaxed);
        self.step.store(standing.step as u8, Relaxed);
        self.standing.store(Arc::new(Some(standing)));
    }
}

/// `"door":…` and, when events are shed, `"poll_s":…`, put into the JSON object of `state.json`.
pub(crate) fn with_door(state: &Bytes, mode: Mode, shed: bool) -> Bytes {
    let Some(open) = state.strip_suffix(b"}").filter(|open| open.len() > 1) else {
        return Bytes::clone(state);
    };
    let poll = if shed {
        format!(r#","poll_s":{}"#, limits::POLL_S)
    } else {
        String::new()
    };
    let mut text = Vec::with_capacity(state.len() + 40);
    text.extend_from_slice(open);
    text.extend_from_slice(format!(r#","door":"{}"{poll}}}"#, mode.name()).as_bytes());
    text.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("the system gives no randomness: {e}"))?;
    Ok(bytes)
}
