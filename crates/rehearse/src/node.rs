//! The node: its hall, usher, gates and doors, and what happens to them when it is killed and starts again.

use std::sync::Arc;

use hustings_control::gate::InsideSnapshot;
use hustings_control::gate::spread::Spread;
use hustings_control::gate::{
    Door, DoorEpoch, DoorSnapshot, Gate, Hall, Held, Key, KeyRing, Salt, Settings, Tally, Times,
    Usher,
};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

use crate::dice::mix;
use crate::report::Broken;
use crate::scenario::Night;

pub(crate) struct Node {
    pub(crate) seats: u32,
    pub(crate) hall: Arc<Hall>,
    pub(crate) usher: Usher,
    pub(crate) gates: Vec<Gate>,
    pub(crate) held: Vec<Held>,
    pub(crate) doors: Vec<Arc<Door>>,
}

/// What a node writes down every few seconds, and begins with after a restart.
pub(crate) struct Kept {
    inside: InsideSnapshot,
    doors: Vec<DoorSnapshot>,
}

impl Node {
    pub(crate) fn start(
        night: &Night,
        seats: u32,
        keys: &KeyRing,
        kept: Option<&Kept>,
        times: Times,
    ) -> Result<Self, Broken> {
        let seed = night.seed;
        let settings = Settings {
            seats,
            shards: night.shards,
            ..Settings::default()
        };
        let salt = Salt([mix(seed ^ 0x5a17), mix(seed ^ 0x7a57e)]);
        let hall = Hall::new(settings, salt).map_err(|why| Broken::Setting(why.to_string()))?;
        // Of another number of seats it says nothing, as in production.
        if let Some(kept) = kept {
            hall.restore_inside(&kept.inside);
        }
        let mut usher = Usher::new(hall.clone());
        let mut doors = Vec::new();
        for (space, at) in night.spaces.iter().zip(0..) {
            let id = SpaceId::parse(&space.id).map_err(|why| Broken::Setting(why.to_string()))?;
            let door = usher
                .open(id, DoorEpoch(1), space.guarantee, times)
                .map_err(|why| Broken::Setting(why.to_string()))?;
            match (
                kept.and_then(|kept| kept.doors.get::<usize>(at)),
                space.draw_ms,
            ) {
                (Some(kept), _) => door.restore(kept, times),
                (None, Some(draw)) => {
                    door.draw_at(Now::from_millis(BEGAN + u64::from(draw)));
                }
                (None, None) => {}
            }
            doors.push(door);
        }
        let gate = |shard: u32| {
            let mut bytes = [0; 32];
            let random = mix(seed ^ u64::from(shard) << 32 ^ times.now.0 << 8);
            bytes[..8].copy_from_slice(&random.to_le_bytes());
            Gate::new(hall.clone(), shard, keys.clone(), bytes)
        };
        Ok(Self {
            seats,
            gates: (0..night.shards).map(gate).collect(),
            held: (0..night.shards).map(|_| Held::default()).collect(),
            hall,
            usher,
            doors,
        })
    }

    pub(crate) fn keep(&self, times: Times) -> Kept {
        let doors = self.doors.iter().map(|door| door.snapshot(times));
        Kept {
            inside: self.hall.inside_snapshot(),
            doors: doors.collect(),
        }
    }

    /// Tallies and spreads of all gates since they were last taken, of this door.
    pub(crate) fn take_counted(&mut self, door: usize) -> (Tally, Spread) {
        let (mut tally, mut spread) = (Tally::default(), Spread::default());
        for gate in &mut self.gates {
            tally.add(&gate.take_tally(&self.doors[door]));
            spread.add(&gate.take_spread(&self.doors[door]));
        }
        (tally, spread)
    }
}

/// Milliseconds that the machine's clock shows at the beginning: none is ever 0.
pub(crate) const BEGAN: u64 = 1_000;

pub(crate) fn key(seed: u64, id: u8, seals_from: u64) -> Key {
    let mut secret = [id; 32];
    secret[..8].copy_from_slice(&mix(seed ^ u64::from(id) << 56).to_le_bytes());
    Key {
        id,
        secret,
        seals_from: UnixMillis(seals_from),
        checks_until: UnixMillis(u64::MAX),
    }
}
