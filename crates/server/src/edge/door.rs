//! Connections that have not said what they want. When there are too many, the oldest of the most crowded prefix goes
//! first: it had the most time, and its neighbours have the most places.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::AbortHandle;

use super::abuse::{Abuse, Caller};
use super::counters::ShardCounters;
use super::limits::{
    self, CONNECTIONS_BURST_S, HANDSHAKE_DEADLINE, HANDSHAKES_BURST_S, HANDSHAKES_PER_S_OF_PREFIX,
    SILENT_MAX, SILENT_MAX_OF_PREFIX,
};
use super::prefixes::Crowding;
use super::rates::{Pace, Rates};
use super::shard_loop::Local;

pub(super) struct Door {
    next: u64,
    silent: HashMap<u64, (AbortHandle, Caller)>,
    crowding: Crowding,
    connections: Rates,
    handshakes: Rates,
    handshake_pace: Pace,
}

impl Door {
    /// The door of one shard: connections a second are those of one /24 to this shard, handshakes those of all.
    pub(super) fn new(connections_per_s: u32, handshakes_per_s: u32) -> Self {
        Self {
            next: 0,
            silent: HashMap::new(),
            crowding: Crowding::new(SILENT_MAX_OF_PREFIX),
            connections: Rates::new(
                limits::connections_per_s(connections_per_s),
                CONNECTIONS_BURST_S,
            ),
            handshakes: Rates::new(HANDSHAKES_PER_S_OF_PREFIX, HANDSHAKES_BURST_S),
            handshake_pace: Pace::new(handshakes_per_s, HANDSHAKES_BURST_S),
        }
    }

    /// The number of the next connection.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether one more connection may come from there now. Those without bounds always may.
    pub(super) fn may_connect(&mut self, caller: &Caller, now_us: u64) -> bool {
        caller
            .bounded()
            .is_none_or(|address| self.connections.allow(address, now_us))
    }

    /// Microseconds until a handshake may begin, before anything is computed for it; none when it is refused.
    pub(super) fn handshake_in(&mut self, caller: &Caller, now_us: u64) -> Option<u64> {
        let allowed = caller
            .bounded()
            .is_none_or(|address| self.handshakes.allow(address, now_us));
        let longest = u64::try_from(HANDSHAKE_DEADLINE.as_micros()).unwrap_or(u64::MAX);
        self.handshake_pace
            .wait(now_us, longest)
            .filter(|_| allowed)
    }
}

/// Notes the task of a silent connection, and drops others when it is one too many.
pub(super) fn note(door: &RefCell<Door>, number: u64, caller: Caller, task: AbortHandle) {
    let address = caller.bounded();
    let crowded = {
        let mut door = door.borrow_mut();
        door.silent.insert(number, (task, caller));
        door.crowding.enter(number, address)
    };
    if let Some(victim) = crowded {
        drop_one(door, victim, Abuse::PrefixCrowded);
    }
    let over = door.borrow().crowding.len().saturating_sub(SILENT_MAX);
    shed(door, over);
}

/// The connection's client is known now, by its proxy; true when its prefixes may have one more connection.
pub(super) fn introduce(door: &RefCell<Door>, number: u64, caller: &Caller, now_us: u64) -> bool {
    let crowded = {
        let mut door = door.borrow_mut();
        if !door.may_connect(caller, now_us) {
            return false;
        }
        let Some((_, known)) = door.silent.get_mut(&number) else {
            return true;
        };
        known.clone_from(caller);
        door.crowding.leave(number);
        door.crowding.enter(number, caller.bounded())
    };
    if let Some(victim) = crowded {
        drop_one(door, victim, Abuse::PrefixCrowded);
    }
    true
}

/// Makes room for newcomers where files run short: silent connections go first, then those that only keep a page. False when
/// there is neither.
pub(super) fn make_room(local: &Local, count: usize) -> bool {
    let dropped = shed(&local.door, count);
    dropped + local.http_seats.shed(count - dropped) > 0
}

/// Drops up to `count` silent connections, the oldest of the most crowded prefix first; gives how many there were.
pub(super) fn shed(door: &RefCell<Door>, count: usize) -> usize {
    for dropped in 0..count {
        let Some(victim) = door.borrow().crowding.oldest_of_the_most_crowded() else {
            return dropped;
        };
        drop_one(door, victim, Abuse::SilentShed);
    }
    count
}

fn drop_one(door: &RefCell<Door>, number: u64, why: Abuse) {
    // The borrow ends before the abort, which may run the task's own clean-up.
    let dropped = {
        let mut door = door.borrow_mut();
        door.crowding.leave(number);
        door.silent.remove(&number)
    };
    if let Some((task, caller)) = dropped {
        task.abort();
        caller.blame(why);
    }
}

/// Held by a connection's task while it is silent.
pub(super) struct Silent {
    local: Rc<Local>,
    pub(super) number: u64,
}

impl Silent {
    pub(super) fn new(local: Rc<Local>, number: u64) -> Self {
        Self { local, number }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let mut door = self.local.door.borrow_mut();
        door.crowding.leave(self.number);
        door.silent.remove(&self.number);
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
    use std::net::SocketAddr;

    use tokio::task::{JoinHandle, LocalSet};

    use super::super::abuse::{AbuseConfig, AbuseStats};
    use super::*;

    struct World {
        door: RefCell<Door>,
        tasks: LocalSet,
        counters: Arc<ShardCounters>,
    }

    impl World {
        fn new() -> Self {
            Self {
                door: RefCell::new(Door::new(100, 400)),
                tasks: LocalSet::new(),
                counters: Arc::default(),
            }
        }

        fn connect(&self, from: [u8; 4]) -> JoinHandle<()> {
            let task = self.tasks.spawn_local(std::future::pending::<()>());
            let peer = SocketAddr::from((from, 1));
            let caller = Caller::new(peer, AbuseConfig::default(), Arc::clone(&self.counters));
            let number = self.door.borrow_mut().number();
            note(&self.door, number, caller, task.abort_handle());
            task
        }

        fn count(&self, abuse: Abuse) -> u64 {
            let mut stats = AbuseStats::default();
            self.counters.abuse.add_to(&mut stats);
            stats.of(abuse)
        }
    }

    async fn all_gone(tasks: Vec<JoinHandle<()>>) {
        for task in tasks {
            assert!(task.await.is_err_and(|e| e.is_cancelled()));
        }
    }

    #[tokio::test]
    async fn the_oldest_of_the_most_crowded_prefix_goes_first() {
        let world = World::new();
        let few: Vec<_> = (0..100).map(|n| world.connect([198, 51, n, 1])).collect();
        let mut many: Vec<_> = (0..20).map(|n| world.connect([203, 0, 113, n])).collect();
        shed(&world.door, 15);
        let kept = many.split_off(15);
        world.tasks.run_until(all_gone(many)).await;
        assert!(kept.iter().chain(&few).all(|task| !task.is_finished()));
        assert_eq!(world.count(Abuse::SilentShed), 15);
        shed(&world.door, usize::MAX);
        assert_eq!(world.count(Abuse::SilentShed), 120);
        assert!(world.door.borrow().silent.is_empty());
    }

    #[tokio::test]
    async fn a_prefix_at_its_cap_loses_its_own_oldest() {
        let world = World::new();
        let other = world.connect([198, 51, 100, 1]);
        let cap = SILENT_MAX_OF_PREFIX.v4_24 as usize;
        let mut many: Vec<_> = (0..cap + 3)
            .map(|_| world.connect([203, 0, 113, 9]))
            .collect();
        let kept = many.split_off(3);
        world.tasks.run_until(all_gone(many)).await;
        assert!(!other.is_finished() && kept.iter().all(|task| !task.is_finished()));
        assert_eq!(world.count(Abuse::PrefixCrowded), 3);
    }

    #[tokio::test]
    async fn there_are_never_more_than_the_shard_may_have() {
        let world = World::new();
        let first: Vec<_> = (0..SILENT_MAX + 5)
            .map(|n| world.connect([11, (n >> 8) as u8, n as u8, 1]))
            .collect();
        assert_eq!(world.door.borrow().silent.len(), SILENT_MAX);
        assert_eq!(world.count(Abuse::SilentShed), 5);
        drop(first);
    }
}
