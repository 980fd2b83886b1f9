//! A seeded simulation of sweeps in slices: whatever comes between two slices, each sweep visits everybody who stays once,
//! nobody twice, and no slice more listeners than it may. `SEED=n` replays one seed.

#![allow(
    clippy::disallowed_methods,
    reason = "A test is not the plane: it may ask the environment which seed to replay"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

use bytes::Bytes;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::shard::{ListenerKey, RingKey, Shard, Sink};
use hustings_media::time::{Epoch, MediaTime, Now};

const SEEDS: u64 = 300;
const SWEEPS: usize = 60;
const RINGS: usize = 4;
const PAGE: &[u8] = b"a page";

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % bound
    }
}

#[derive(Default)]
struct Seen {
    visits: u32,
    heard: usize,
    breaks: bool,
}

#[derive(Clone)]
struct Tap(Rc<RefCell<Seen>>);

impl Sink for Tap {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let taken = bufs.iter().map(|buf| buf.len()).sum();
        self.0.borrow_mut().heard += taken;
        Ok(taken)
    }

    /// The first thing that a visit does, and as long as the ring is open the only time.
    fn flush(&mut self) -> io::Result<bool> {
        let mut seen = self.0.borrow_mut();
        seen.visits += 1;
        if seen.breaks {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(true)
    }
}

#[derive(Clone)]
struct Inside {
    tap: Tap,
    ring: usize,
    /// The first page that it is owed.
    first: u64,
}

struct World {
    random: Random,
    shard: Shard<Tap>,
    rings: Vec<(RingKey, Ring)>,
    inside: BTreeMap<usize, Inside>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut shard = Shard::new(1_000);
        let ring = |_| {
            let ring = Ring::new(Bytes::new(), 1_000);
            (shard.add_ring(ring.clone()), ring)
        };
        Self {
            rings: (0..RINGS).map(ring).collect(),
            shard,
            random: Random(seed),
            inside: BTreeMap::new(),
        }
    }

    fn join(&mut self) {
        let at = self.random.below(RINGS as u64) as usize;
        let (key, ring) = &self.rings[at];
        let tap = Tap(Rc::default());
        let cursor = ring.cursor_behind(0);
        let joined = self
            .shard
            .join(*key, cursor, Bytes::new(), tap.clone(), Now(0));
        let Ok(key) = joined else {
            panic!("the shard has room")
        };
        let inside = Inside {
            tap,
            ring: at,
            first: cursor.sequence,
        };
        assert!(self.inside.insert(key.0, inside).is_none());
    }

    fn push(&mut self) {
        let at = self.random.below(RINGS as u64) as usize;
        let ring = &self.rings[at].1;
        let pushed = ring.push(CutPage {
            epoch: Epoch(1),
            media_time: MediaTime(ring.next_sequence() * 4_800),
            duration: 4_800,
            start: true,
            bytes: Bytes::from_static(PAGE),
        });
        assert!(pushed);
    }

    fn somebody(&mut self) -> Option<usize> {
        let nth = self.random.below(self.inside.len().max(1) as u64) as usize;
        self.inside.keys().nth(nth).copied()
    }

    /// What the shell and the stage do between two slices.
    fn meanwhile(&mut self) {
        for _ in 0..self.random.below(6) {
            match self.random.below(6) {
                0 | 1 => self.join(),
                2 => {
                    if let Some(who) = self.somebody() {
                        assert!(self.shard.leave(ListenerKey(who)).is_some());
                        self.inside.remove(&who);
                    }
                }
                3 => {
                    if let Some(who) = self.somebody() {
                        self.inside[&who].tap.0.borrow_mut().breaks = true;
                    }
                }
                4 => self.change_ring(),
                _ => self.push(),
            }
        }
    }

    /// A ring without listeners goes, and another comes in its place.
    fn change_ring(&mut self) {
        let at = self.random.below(RINGS as u64) as usize;
        let empty = self.inside.values().all(|inside| inside.ring != at);
        assert_eq!(self.shard.remove_ring(self.rings[at].0), empty);
        if empty {
            let ring = Ring::new(Bytes::new(), 1_000);
            self.rings[at] = (self.shard.add_ring(ring.clone()), ring);
        }
    }

    /// One sweep with its interruptions; how many slices it took.
    fn sweep(&mut self, now: Now) -> usize {
        for inside in self.inside.values_mut() {
            inside.tap.0.borrow_mut().visits = 0;
        }
        let stood = self.inside.clone();
        let next: Vec<u64> = self
            .rings
            .iter()
            .map(|(_, ring)| ring.next_sequence())
            .collect();
        let (mut slices, mut left) = (0, Vec::new());
        loop {
            let at_most = 1 + self.random.below(7) as usize;
            let report = self.shard.sweep_slice(now, at_most, &mut left);
            slices += 1;
            assert!(report.listeners <= at_most);
            assert_eq!(report.left, left.len() as u64);
            for (key, _, _, tap) in left.drain(..) {
                let gone = self.inside.remove(&key.0).expect("who leaves was inside");
                assert!(Rc::ptr_eq(&gone.tap.0, &tap.0));
                assert!(tap.0.borrow().breaks, "left for no reason");
            }
            if report.whole {
                break;
            }
            assert_eq!(report.listeners, at_most, "a slice was cut short");
            self.meanwhile();
        }
        for (who, then) in stood {
            let seen = then.tap.0.borrow();
            let stays = self
                .inside
                .get(&who)
                .is_some_and(|inside| Rc::ptr_eq(&inside.tap.0, &then.tap.0));
            assert!(seen.visits <= 1, "{who} was visited twice");
            if stays {
                assert_eq!(seen.visits, 1, "{who} was passed over");
                let heard = then.first + (seen.heard / PAGE.len()) as u64;
                assert!(heard >= next[then.ring], "{who} lacks pages");
            }
        }
        let newcomers = self.inside.values();
        assert!(newcomers.map(|one| one.tap.0.borrow().visits).max() <= Some(1));
        slices
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => vec![seed],
        None => (0..SEEDS).collect(),
    }
}

#[test]
fn a_sweep_in_slices_visits_everybody_once_whoever_comes_and_goes() {
    let (mut slices, mut most) = (0, 0);
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..20 {
            world.join();
        }
        for number in 0..SWEEPS {
            world.meanwhile();
            slices += world.sweep(Now::from_millis(number as u64 * 100));
            most = most.max(world.inside.len());
            let hear: usize = world
                .rings
                .iter()
                .map(|(key, _)| world.shard.listening(*key))
                .sum();
            assert!(hear <= world.inside.len());
        }
        assert_eq!(world.shard.listeners(), world.inside.len());
    }
    // Else nothing came between.
    assert!(slices > 3 * SWEEPS * seeds().len(), "{slices}");
    assert!(most > 30, "{most}");
}
