//! What the parts of a running node share about its spaces: a directory of handles, read without locks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use hustings_control::gate::Door;
use hustings_control::ids::SpaceId;
use hustings_control::reactions::{self, Reaction};
use hustings_control::spaces::Space;
use hustings_media::fanout::Ring;
use hustings_media::stage::SourceState;
use tokio::sync::{broadcast, mpsc, watch};

use crate::pace::Pace;
use crate::stage::StageCall;
use crate::usher::Serving;

/// The three containers of one program.
#[derive(Clone, Debug)]
pub struct Rings {
    pub ogg: Ring,
    pub webm: Ring,
    pub mp4: Ring,
}

/// Listeners of one space, counted exactly. Written by shards, read by pages and metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Listeners that were sent sound within the last 10 s.
    pub listening: AtomicU64,
    /// Highest `listening` since the space opened.
    pub peak: AtomicU64,
    /// Joins since the node started (connections that were sent a stream head).
    pub joins: AtomicU64,
    /// Listeners closed because they fell off the ring.
    pub too_slow: AtomicU64,
}

impl Counts {
    pub fn listening(&self) -> u64 {
        self.listening.load(Ordering::Relaxed)
    }
}

/// Presses of reactions since the stage last took them. Written by the crowd's door, taken by the stage.
#[derive(Debug, Default)]
pub struct Presses([AtomicU32; Reaction::ALL.len()]);

impl Presses {
    pub fn press(&self, reaction: Reaction) {
        if let Some(count) = self.0.get(reaction.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn take(&self) -> reactions::Counts {
        std::array::from_fn(|index| self.0[index].swap(0, Ordering::Relaxed))
    }
}

/// A snapshot of a space, replaced as a whole at each change by its desk.
pub type Snapshot = Arc<Space>;

/// One space of this node, whatever its phase. Handles live as long as the node knows the space.
pub struct SpaceHandle {
    pub id: SpaceId,
    pub snapshot: ArcSwap<Space>,
    /// `None` while no stage runs (posted, ended, cancelled). Replaced when a stage starts.
    pub rings: ArcSwap<Option<Rings>>,
    /// Calls to the running stage; `None` while none runs. Bounded: use `try_send`.
    pub stage: ArcSwap<Option<mpsc::Sender<StageCall>>>,
    /// Levels of the sources, newest tick of a tenth of a second; empty when no stage runs.
    pub levels: ArcSwap<Vec<SourceState>>,
    /// Roster changes as JSON (state.json's body), for SSE; lagging readers skip.
    pub roster: broadcast::Sender<Bytes>,
    /// The newest roster JSON: the body of `/s/{id}/state.json`.
    pub state_json: ArcSwap<Bytes>,
    pub counts: Counts,
    pub presses: Presses,
    /// Where listeners knock; none when the space is over, and for the moment before the usher has opened it.
    pub door: ArcSwapOption<Door>,
    /// `serving.json` of this second.
    pub serving: ArcSwapOption<Serving>,
}

impl SpaceHandle {
    pub fn new(space: Space) -> Self {
        Self {
            id: space.id.clone(),
            snapshot: ArcSwap::from_pointee(space),
            rings: ArcSwap::from_pointee(None),
            stage: ArcSwap::from_pointee(None),
            levels: ArcSwap::from_pointee(Vec::new()),
            roster: broadcast::channel(ROSTER_BACKLOG).0,
            state_json: ArcSwap::from_pointee(Bytes::from_static(b"{}")),
            counts: Counts::default(),
            presses: Presses::default(),
            door: ArcSwapOption::empty(),
            serving: ArcSwapOption::empty(),
        }
    }
}

/// Roster messages an SSE reader may lag behind before it skips to the newest.
const ROSTER_BACKLOG: usize = 16;

/// Tells what would go on for ever (streams of events) that the node ends. Cheap to clone.
#[derive(Clone)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// The ending, and the sender that begins it with `true`.
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (begin, begun) = watch::channel(false);
        (begin, Self(begun))
    }

    /// Waits until the node begins to end.
    pub async fn begun(mut self) {
        if self.0.wait_for(|begun| *begun).await.is_err() {
            // Nobody is left to begin it.
            std::future::pending().await
        }
    }
}

/// All spaces of this node, swapped as a whole when one is made.
#[derive(Default)]
pub struct Directory {
    /// How often the shards write, and between what bounds.
    pub pace: Arc<Pace>,
    spaces: ArcSwap<HashMap<SpaceId, Arc<SpaceHandle>>>,
}

impl Directory {
    pub fn get(&self, id: &SpaceId) -> Option<Arc<SpaceHandle>> {
        self.spaces.load().get(id).cloned()
    }

    pub fn by_text(&self, id: &str) -> Option<Arc<SpaceHandle>> {
        SpaceId::parse(id).ok().and_then(|id| self.get(&id))
    }

    pub fn all(&self) -> Arc<HashMap<SpaceId, Arc<SpaceHandle>>> {
        self.spaces.load_full()
    }

    pub fn insert(&self, handle: Arc<SpaceHandle>) {
        self.spaces.rcu(|spaces| {
            let mut next = HashMap::clone(spaces);
            next.insert(handle.id.clone(), Arc::clone(&handle));
            next
        });
    }
}
