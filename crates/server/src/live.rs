//! What the parts of a running node share about its spaces: a directory of handles, read without locks.

mod rehearsed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use hustings_control::gate::Door;
use hustings_control::ids::SpaceId;
use hustings_control::numbers::PAGE_MS;
use hustings_control::reactions::{self, Reaction};
use hustings_control::spaces::Space;
use hustings_media::fanout::Ring;
use hustings_media::fanout::shard::Leave;
use hustings_media::stage::SourceState;
use tokio::sync::{broadcast, mpsc, watch};

pub use self::rehearsed::Rehearsed;
use crate::numbers::Uniques;
use crate::pace::Pace;
use crate::rehearsal::Rehearsals;
use crate::stage::StageCall;
use crate::usher::Serving;

/// The three containers of one program.
#[derive(Clone, Debug)]
pub struct Rings {
    pub ogg: Ring,
    pub webm: Ring,
    pub mp4: Ring,
}

/// The numbers of one space, by their definitions in `hustings_control::numbers`. Written by shards and pages, read by
/// pages, API, metrics and the flight recorder.
#[derive(Debug, Default)]
pub struct Counts {
    pub attempts: AtomicU64,
    pub listening: AtomicU64,
    pub peak: AtomicU64,
    /// `Number::Admitted`.
    pub joins: AtomicU64,
    pub stayed: AtomicU64,
    /// Pages of sound (100 ms each) that listeners were sent: `Number::ListenerMinutes`.
    pub sound_pages: AtomicU64,
    pub uniques: Uniques,
    pub plays: AtomicU64,
    pub too_slow: AtomicU64,
    /// Listeners whose connection ended from their side, or broke.
    pub left: AtomicU64,
    /// Listeners of a shard that was started again.
    pub lost: AtomicU64,
    /// Listeners whose seat was taken over.
    pub replaced: AtomicU64,
    /// Listeners who heard the sound to its end.
    pub heard_out: AtomicU64,
    /// Of the joins: with a right or a mark, as our own page asks.
    pub as_page: AtomicU64,
    /// Pages of the space that were sent.
    pub pages: AtomicU64,
    /// Looks at `serving.json`.
    pub polls: AtomicU64,
    /// Looks at `state.json`, and event streams.
    pub looks: AtomicU64,
    pub stays: Stays,
    pub rehearsed: Rehearsed,
}

/// Seconds that `Stays` holds apart: a minute, and time for a recorder that is late.
const STAYS_S: usize = 128;
/// Whole seconds inside after which somebody has stayed.
const SHORT_STAY_S: u32 = 10;
const LONG_STAY_S: u32 = 60;

/// How long listeners stay, by the second in which they came: exact, and nothing for each listener but that second.
#[derive(Debug)]
pub struct Stays {
    /// Of those who came in this second, how many are inside. Below 0 for a moment at most.
    inside: [AtomicI32; STAYS_S],
    /// Gone before their 10th second; after it and before their 60th.
    pub gone_early: AtomicU64,
    pub gone_later: AtomicU64,
}

impl Default for Stays {
    fn default() -> Self {
        Self {
            inside: [const { AtomicI32::new(0) }; STAYS_S],
            gone_early: AtomicU64::new(0),
            gone_later: AtomicU64::new(0),
        }
    }
}

impl Stays {
    pub fn came(&self, second: u32) {
        self.of(second).fetch_add(1, Ordering::Relaxed);
    }

    pub fn went(&self, came: u32, now: u32) {
        match now.saturating_sub(came) {
            0..SHORT_STAY_S => self.gone_early.fetch_add(1, Ordering::Relaxed),
            SHORT_STAY_S..LONG_STAY_S => self.gone_later.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
        self.of(came).fetch_sub(1, Ordering::Relaxed);
    }

    /// Who has stayed 10 s and 60 s in the second that has just gone by. To be asked once for each.
    pub fn stayed(&self, second: u32) -> (u32, u32) {
        let bound = |count: i32| u32::try_from(count).unwrap_or(0);
        let short = second.checked_sub(SHORT_STAY_S);
        let long = second.checked_sub(LONG_STAY_S);
        (
            short.map_or(0, |came| bound(self.of(came).load(Ordering::Relaxed))),
            long.map_or(0, |came| bound(self.of(came).swap(0, Ordering::Relaxed))),
        )
    }

    fn of(&self, second: u32) -> &AtomicI32 {
        &self.inside[second as usize % STAYS_S]
    }
}

impl Counts {
    /// Connections that are sent sound now.
    pub fn inside(&self) -> u64 {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let gone = [
            &self.left,
            &self.lost,
            &self.too_slow,
            &self.replaced,
            &self.heard_out,
        ];
        let gone = gone.into_iter().map(of).sum();
        of(&self.joins).saturating_sub(gone)
    }

    /// A listener in the second `now` of the node's clock; `as_page`: with a right or a mark.
    pub(crate) fn came(&self, now: u32, as_page: bool, rehearsed: bool) {
        if rehearsed {
            self.rehearsed.came(now);
        }
        self.joins.fetch_add(1, Ordering::Relaxed);
        self.as_page
            .fetch_add(u64::from(as_page), Ordering::Relaxed);
        self.stays.came(now);
    }

    pub fn gone(&self, why: Leave, came: u32, now: u32) {
        let count = match why {
            Leave::TooSlow => &self.too_slow,
            Leave::RingEnded => &self.heard_out,
            Leave::Closed => &self.left,
            Leave::Removed => &self.replaced,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.stays.went(came, now);
    }

    /// A listener was sent the first of the sound, from this address.
    pub(crate) fn note(&self, from: std::net::IpAddr, rehearsed: bool) {
        self.uniques.note(from);
        if rehearsed {
            self.rehearsed.uniques.note(from);
        }
    }

    pub fn listening(&self) -> u64 {
        self.listening.load(Ordering::Relaxed)
    }

    /// Milliseconds of sound that listeners were sent, in all.
    pub fn listened_ms(&self) -> u64 {
        self.sound_pages.load(Ordering::Relaxed) * PAGE_MS
    }

    /// Pages that one listener was sent since it was last counted, and whether it became one who stayed.
    pub(crate) fn heard(&self, (pages, stayed): (u64, bool)) {
        if pages > 0 {
            self.sound_pages.fetch_add(pages, Ordering::Relaxed);
        }
        if stayed {
            self.stayed.fetch_add(1, Ordering::Relaxed);
        }
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
    /// Milliseconds of the node's clock since which nobody is heard though the space is live; 0: somebody is.
    pub silent_since: AtomicU64,
    /// Hold music or an announcement plays in place of the stage.
    pub music: AtomicBool,
    /// Times that the stage was started again after a failure.
    pub stage_restarts: AtomicU64,
    /// The public's status page of this second; none for the moment before it is first made.
    pub status: ArcSwapOption<Serving>,
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
            silent_since: AtomicU64::new(0),
            music: AtomicBool::new(false),
            stage_restarts: AtomicU64::new(0),
            status: ArcSwapOption::empty(),
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

    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
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
    /// Rehearsals under way, so that what they do is told apart.
    pub rehearsals: Rehearsals,
    /// Strangers' requests on the stage listener that ended unanswered, to make room for others.
    pub strangers_dropped: AtomicU64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_who_stays_is_told_once_at_ten_and_at_sixty_seconds() {
        let stays = Stays::default();
        // One comes each second from the 5th to the 24th; every third goes after 3 s, and every other third after 30.
        let (mut short, mut long) = (0, 0);
        for second in 0..200_u32 {
            for came in 5..25_u32 {
                match came % 3 {
                    _ if second == came => stays.came(came),
                    0 if second == came + 3 => stays.went(came, second),
                    1 if second == came + 30 => stays.went(came, second),
                    2 if second == came + 100 => stays.went(came, second),
                    _ => {}
                }
            }
            let (ten, sixty) = stays.stayed(second);
            (short, long) = (short + ten, long + sixty);
        }
        assert_eq!((short, long), (13, 7));
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        assert_eq!((of(&stays.gone_early), of(&stays.gone_later)), (7, 6));
    }
}
