//! A gate with what its thread keeps beside it: the seats it holds for fresh tickets, its copy of the keys, the load.

use std::net::IpAddr;
use std::sync::Arc;

use hustings_control::gate::{
    Ask, Door, Gate, Held, Knock, Load, Prefix, Shows, Times, TokenText, Verdict,
};
use hustings_media::time::Now;

use super::{Entrance, NodeEvent, SharedKeys};
use crate::clock::Clock;

/// Microseconds between two reports of what a gate has counted.
const REPORT_US: u64 = 1_000_000;

/// One for each shard, and one that the threads of the pages share.
pub struct Wicket {
    entrance: Arc<Entrance>,
    keys: SharedKeys,
    gate: Gate,
    held: Held,
    load: Load,
    clock: Clock,
    reported: Now,
}

impl Wicket {
    pub(super) fn new(entrance: Arc<Entrance>, number: u32, seed: [u8; 32], clock: Clock) -> Self {
        let keys = entrance.keys();
        let gate = Gate::new(Arc::clone(entrance.hall()), number, (*keys).clone(), seed);
        Self {
            entrance,
            keys,
            gate,
            held: Held::default(),
            load: Load::default(),
            clock,
            reported: Now(0),
        }
    }

    /// The clock that knocks are judged by.
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn entrance(&self) -> &Arc<Entrance> {
        &self.entrance
    }

    pub(crate) fn knock(
        &mut self,
        door: &Arc<Door>,
        from: IpAddr,
        ask: Ask,
        shows: Shows<'_>,
    ) -> Verdict {
        let from = prefix(from);
        let knock = Knock {
            door,
            from,
            ask,
            shows,
        };
        self.gate.knock(&knock, &self.load, times(&self.clock))
    }

    /// A way in was asked for and given: the seat waits for its ticket.
    pub(crate) fn hold(&mut self, pass: hustings_control::gate::Pass) {
        self.held.hold(pass, self.clock.now());
    }

    /// The right to come back, for who is inside now.
    pub(crate) fn resume(
        &mut self,
        door: &Arc<Door>,
        from: IpAddr,
        shows: Shows<'_>,
    ) -> Option<TokenText> {
        let from = prefix(from);
        let ask = Ask::Sound;
        let knock = Knock {
            door,
            from,
            ask,
            shows,
        };
        self.gate.resume_ticket(&knock, times(&self.clock))
    }

    /// Once a sweep: `cpu` and `cadence_ms` are this shard's own.
    pub(crate) fn tick(&mut self, cpu: f64, cadence_ms: u64) {
        let times = times(&self.clock);
        self.load = self.entrance.load(cpu, cadence_ms);
        self.held.let_go(times.now);
        if let Some(event) = self.gate.tick(&self.load, times) {
            self.entrance.note(NodeEvent::Mode(event));
        }
        if times.now.since(self.reported) < REPORT_US {
            return;
        }
        self.reported = times.now;
        let keys = self.entrance.keys();
        if !Arc::ptr_eq(&keys, &self.keys) {
            self.gate.set_keys((*keys).clone());
            self.keys = keys;
        }
        for door in self.entrance.doors().iter() {
            let (tally, spread) = (self.gate.take_tally(door), self.gate.take_spread(door));
            self.entrance.count(door.space(), &tally, &spread);
        }
    }
}

pub(crate) fn times(clock: &Clock) -> Times {
    Times {
        now: clock.now(),
        wall: clock.wall(),
    }
}

fn prefix(from: IpAddr) -> Prefix {
    match from {
        IpAddr::V4(v4) => Prefix::v4(v4.octets()),
        IpAddr::V6(v6) => Prefix::v6(v6.octets()),
    }
}
