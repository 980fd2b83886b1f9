//! What goes wrong: the node is killed and starts again, limits change, certificates expire, connections break.

use std::collections::VecDeque;

use hustings_control::gate::{Shut, Used};
use hustings_evidence::row::What;

use crate::crowd::{NONE, State};
use crate::kind::Kind;
use crate::limits::{AGAIN_MS, HEAD_MS, SILENT_SHED, SLOT_MS, SLOW_MAX_A_SHARD, TICK_SLOTS};
use crate::node::{Node, key};
use crate::recorder::Gone;
use crate::report::Broken;
use crate::scenario::Trouble;
use crate::world::World;

/// Whether the node can be reached, and what else is wrong with it.
#[derive(Debug)]
pub(crate) struct Reach {
    down: Option<Down>,
    pub(crate) certificate_expired: bool,
    pub(crate) disk_full: bool,
    /// Since when.
    pub(crate) database_gone: Option<u32>,
    pub(crate) speaker_lost: bool,
    pub(crate) muted: bool,
    /// Share of seconds of which the recorder keeps nothing.
    pub(crate) rows_lost: f64,
    /// Operators' limits by space: kept over a restart.
    pub(crate) limits: Vec<Option<u32>>,
    /// When each half head is given up.
    pub(crate) slow: VecDeque<u32>,
}

/// Killed or stopped; starts again at this moment with so many seats.
#[derive(Clone, Copy, Debug)]
struct Down {
    up_ms: u32,
    seats: u32,
    deploy: bool,
}

impl Reach {
    pub(crate) fn new(spaces: usize) -> Self {
        Self {
            down: None,
            certificate_expired: false,
            disk_full: false,
            database_gone: None,
            speaker_lost: false,
            muted: false,
            rows_lost: 0.0,
            limits: vec![None; spaces],
            slow: VecDeque::new(),
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.is_some()
    }
}

impl World<'_> {
    /// One trouble begins or ends.
    pub(crate) fn trouble(&mut self, trouble: Trouble) -> Result<(), Broken> {
        match trouble {
            Trouble::ConnectionsLost { share } => self.fall_out(share),
            Trouble::NodeDown {
                down_ms,
                seats,
                deploy,
            } => return self.go_down(down_ms, seats, deploy),
            Trouble::Limit { space, seats } => {
                self.reach.limits[usize::from(space)] = seats;
                self.settle(usize::from(space))?;
            }
            Trouble::Certificate { expired } => self.reach.certificate_expired = expired,
            Trouble::Disk { full } => self.reach.disk_full = full,
            Trouble::Database { gone } => {
                self.reach.database_gone = gone.then_some(self.ms());
            }
            Trouble::Speaker { lost } => self.reach.speaker_lost = lost,
            Trouble::Muted { muted } => self.reach.muted = muted,
            Trouble::RowsLost { share } => self.reach.rows_lost = share,
            Trouble::Leave { share, over_ms } => self.many_leave(share, over_ms),
            Trouble::ClockOff { by_ms } => self.off = by_ms,
        }
        Ok(())
    }

    /// Whether a new connection comes through; if not, it is counted by whose fault it was.
    pub(crate) fn connects(&mut self) -> bool {
        if self.reach.is_down() {
            self.gathered.unreachable += 1;
            return false;
        }
        if self.reach.certificate_expired {
            self.gathered.handshakes_failed += 1;
            return false;
        }
        true
    }

    /// Tries again a little later, as it was.
    pub(crate) fn tries_again(&mut self, who: u32, state: State) {
        let millis = self.dice.between(AGAIN_MS.0, AGAIN_MS.1);
        self.later(who, state, millis);
    }

    /// Connections are lost: of those inside at the crowd's door this share, who come back within seconds.
    fn fall_out(&mut self, share: f64) {
        for who in 0..self.crowd.people.len() as u32 {
            let person = &self.crowd.people[who as usize];
            let inside = person.seat != NONE && person.state == State::Inside && person.door == 0;
            if inside && !person.kind.only_knocks() && self.dice.part() < share {
                self.falls_out(who, Gone::Left);
            }
        }
    }

    fn falls_out(&mut self, who: u32, why: Gone) {
        self.stand_up(who, why);
        self.gathered.fell_out += 1;
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        (person.since, person.returns) = (ms, true);
        // With jitter, so that not all come in the same second.
        let millis = self.dice.between(200, 6_000);
        self.later(who, State::Away, millis);
    }

    fn go_down(&mut self, down_ms: u32, seats: u32, deploy: bool) -> Result<(), Broken> {
        self.take_tallies();
        if deploy {
            self.tell(What::NodeStopped, |_| {});
        }
        for who in 0..self.crowd.people.len() as u32 {
            let person = &self.crowd.people[who as usize];
            match (person.seat != NONE, person.state) {
                (true, State::Inside) => self.falls_out(who, Gone::Killed),
                (true, _) => self.stand_up(who, Gone::Killed),
                (false, _) => {}
            }
        }
        self.loot.forget_seats();
        self.node.held.fill_with(Default::default);
        self.cores.empty();
        self.reach.slow.clear();
        let left = self.node.hall.inside();
        if left > 0 {
            return Err(Broken::Returned(left));
        }
        let up_ms = self.ms().saturating_add(down_ms);
        self.reach.down = Some(Down {
            up_ms,
            seats,
            deploy,
        });
        if let Some(recorder) = &mut self.recorder {
            recorder.node_gone();
        }
        Ok(())
    }

    /// Starts the node again when its time has come: with its keys, and with what the one before wrote down.
    pub(crate) fn recover(&mut self) -> Result<(), Broken> {
        let Some(down) = self.reach.down.take() else {
            return Ok(());
        };
        if self.ms() < down.up_ms {
            self.reach.down = Some(down);
            return Ok(());
        }
        let (before, seats) = (self.node.seats, down.seats);
        let times = self.times();
        self.node = Node::start(self.night, seats, &self.keys, Some(&self.kept), times)?;
        let changed = (before != seats).then_some((before, seats));
        self.tell_start(changed, !down.deploy);
        for space in 0..self.reach.limits.len() {
            self.settle(space)?;
        }
        Ok(())
    }

    fn settle(&mut self, space: usize) -> Result<(), Broken> {
        if self.reach.is_down() {
            return Ok(());
        }
        let limit = self.reach.limits[space];
        let guarantee = self.night.spaces[space].guarantee;
        let id = self.node.doors[space].space().clone();
        // An operator who lets nobody in has paused the door: who was inside comes back.
        let shut = if limit == Some(0) {
            Shut::Paused
        } else {
            Shut::No
        };
        let limit = limit.filter(|limit| *limit > 0);
        let settled = self.node.usher.settle(&id, guarantee, limit, shut);
        settled.map_err(|why| Broken::Setting(why.to_string()))
    }

    fn many_leave(&mut self, share: f64, over_ms: u32) {
        let ms = self.ms();
        for who in 0..self.crowd.people.len() as u32 {
            let person = &self.crowd.people[who as usize];
            let inside = person.seat != NONE && person.state == State::Inside && person.door == 0;
            if inside && self.dice.part() < share {
                let millis = self.dice.below(over_ms.max(1));
                let person = &mut self.crowd.people[who as usize];
                person.until = person.until.min(ms + millis);
                self.later(who, State::Inside, millis);
            }
        }
    }

    /// A key changes in the middle of every night.
    pub(crate) fn change_keys(&mut self) {
        let tick_ms = TICK_SLOTS * SLOT_MS;
        let (ms, middle) = (self.ms(), self.night.millis / 2);
        if !(ms..ms + tick_ms).contains(&middle) {
            return;
        }
        let from = self.times().wall.0 + 2_000;
        let new = key(self.night.seed, self.next_key, from);
        if self.keys.add(new).is_ok() {
            self.next_key += 1;
            for gate in &mut self.node.gates {
                gate.set_keys(self.keys.clone());
            }
        }
    }

    /// A connection whose head never ends: it takes a file until its deadline, or until files or places run short.
    pub(crate) fn opens_slowly(&mut self) {
        let shard = self.dice.below(self.node.gates.len() as u32) as usize;
        self.cores.knock(shard);
        self.gathered.slow_heads += 1;
        let most = SLOW_MAX_A_SHARD * self.node.gates.len();
        let short = self.files_used().share() >= 1.0;
        let shed = match (short, self.reach.slow.len() >= most) {
            (true, _) => SILENT_SHED,
            (false, true) => 1,
            (false, false) => 0,
        };
        for _ in 0..shed.min(self.reach.slow.len()) {
            self.reach.slow.pop_front();
            self.gathered.silent_shed += 1;
        }
        let until = self.ms() + HEAD_MS;
        self.reach.slow.push_back(until);
    }

    pub(crate) fn files_used(&mut self) -> Used {
        let ms = self.ms();
        while self.reach.slow.front().is_some_and(|until| *until <= ms) {
            self.reach.slow.pop_front();
            self.gathered.slow_ended += 1;
        }
        let used = u64::from(self.node.hall.inside()) + self.reach.slow.len() as u64;
        let limit = u64::from(self.night.files);
        Used { used, limit }
    }

    /// Whether somebody of this kind needs the node for what it is about to do.
    pub(crate) fn needs_node(state: State, kind: Kind) -> bool {
        let idle = [State::Gone, State::GaveUp, State::Hoards, State::Inside];
        !idle.contains(&state) && !kind.only_knocks()
    }
}
