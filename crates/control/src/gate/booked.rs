//! One door as the usher keeps it: what was asked of it, its mode, the level prefixes are held to, its lanes and its line.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::call::Caller;
use super::door::Door;
use super::lanes::{Dealer, LANES, Lane};
use super::limits::{
    CALM_BURST_MIN, CALM_BURST_PART, GUARANTEE_AHEAD_S, LOSS_BACK_TIMES, LOSS_KEPT_S, LOSS_MIN,
    LOSS_PART, LOSS_RETURN_S, LOSS_SEEN_S, LOSS_UNUSUAL, RESTART_KEPT_S, RESUME_READY_FROM,
    RESUME_READY_MAX, RESUME_READY_PART, RESUME_READY_SMALL, RETURNS_MIN, RETURNS_PART,
    RETURNS_SHARE, RUSH_MIN,
};
use super::load::Resource;
use super::mode::{Keeper, Mode, ModeEvent, ModeOf, by_share};
use super::verdict::Times;

mod level;

/// How fast the memory of unmet demand fades, a tick: those who were told to wait come again after some seconds.
const DEMAND_FADES: f64 = 0.95;
/// Below it nobody wants any more: somebody who has not come again for six seconds.
const DEMAND_MIN: f64 = 0.05;
/// Ticks in which a lane may leave its credits unused before they go to lanes that would use them.
const IDLE_TICKS: u32 = 10;

/// A door and what the usher remembers of it.
pub(super) struct Booked {
    pub(super) door: Arc<Door>,
    pub(super) guarantee: f64,
    /// Listeners at most, by the operator's wish.
    pub(super) limit: u32,
    /// The same for those who were inside: a door that is shut has none for newcomers.
    pub(super) limit_back: u32,
    keeper: Keeper,
    dealer: Dealer,
    caller: Caller,
    /// Who came in and who would have, fading, by lane.
    demand: [f64; LANES],
    /// Who would have come in by the free lane and comes again by itself, fading.
    seeking: f64,
    /// Ticks in which credits lay unused though nothing hindered.
    idle: [u32; LANES],
    /// Parts of the next seat that a prefix with its share may take.
    slowly: f64,
    /// Ticks in which those below the level found no seat.
    sink: u32,
    /// Ticks since seats were last short in which those above the level wanted one.
    spare: u32,
    /// Who came in or would have, a second.
    a_second: f64,
    /// How many left in each tenth of the last three seconds, having been inside.
    losses: [u32; 30],
    usual_loss: f64,
    /// When connections were lost: how many, how many came back since, and until which second the seats of the others are kept.
    lost: u32,
    back: u32,
    kept: u32,
    kept_until: u32,
    /// The second from which only so many seats are kept as by those who have come back are still to be expected.
    kept_all_until: u32,
    /// Parts of the next return earned by admissions.
    earned: u32,
    /// Of this tick.
    pub(super) seen: Seen,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    left: [u32; LANES],
    used: [u32; LANES],
    unmet: [u32; LANES],
    over_level: u32,
    /// Seats the door may take now.
    pub(super) room: u32,
}

impl Booked {
    pub(super) fn new(door: Arc<Door>, guarantee: f64) -> Self {
        Self {
            door,
            guarantee,
            limit: u32::MAX,
            limit_back: u32::MAX,
            keeper: Keeper::default(),
            dealer: Dealer::default(),
            caller: Caller::default(),
            demand: [0.0; LANES],
            seeking: 0.0,
            idle: [0; LANES],
            slowly: 0.0,
            sink: 0,
            spare: 0,
            a_second: 0.0,
            losses: [0; 30],
            usual_loss: 0.0,
            lost: 0,
            back: 0,
            kept: 0,
            kept_until: 0,
            kept_all_until: 0,
            earned: 0,
            seen: Seen::default(),
        }
    }

    /// Takes what the gates have counted since the last tick.
    pub(super) fn see(&mut self) {
        let door = &self.door;
        for (lane, counts) in door.lanes.iter().enumerate() {
            // Credits stay where they are until new ones are dealt: gates do not wait for the usher.
            self.seen.left[lane] = counts.credits.load(Relaxed);
            self.seen.used[lane] = counts.entered.swap(0, Relaxed);
            self.seen.unmet[lane] = counts.unmet.swap(0, Relaxed);
            let now = f64::from(self.seen.used[lane] + self.seen.unmet[lane]);
            self.demand[lane] = now.max(self.demand[lane] * DEMAND_FADES);
            let idle = self.seen.left[lane] > 0 && self.seen.used[lane] == 0;
            self.idle[lane] = if idle {
                self.idle[lane].saturating_add(1)
            } else {
                0
            };
        }
        let unmet = f64::from(self.seen.unmet[Lane::Free as usize]);
        self.seeking = unmet.max(self.seeking * DEMAND_FADES);
        self.seen.over_level = door.over_level.swap(0, Relaxed);
        self.dealer.used(door.shares(), self.seen.used);
    }

    /// Settles how many may come back by their prefix's allowance.
    pub(super) fn returns(&mut self, second: u32) {
        let door = &self.door;
        let entered: u32 = self.seen.used.iter().sum();
        let inside = door.inside();
        self.losses.rotate_right(1);
        self.losses[0] = door.lost.swap(0, Relaxed);
        let lost: u32 = self.losses.iter().sum();
        let unusual = f64::from(lost) >= self.usual_loss * f64::from(LOSS_UNUSUAL);
        // A minute's mean of what leaves in three seconds.
        self.usual_loss += (f64::from(lost) - self.usual_loss) / 600.0;
        if unusual && lost >= LOSS_MIN.max((inside + lost) / LOSS_PART) {
            door.all_return_until.store(second + LOSS_RETURN_S, Relaxed);
            if second >= self.kept_until {
                (self.lost, self.back) = (0, 0);
                self.kept_all_until = second + LOSS_SEEN_S;
            }
            self.lost = self.lost.max(lost);
            self.kept_until = second + LOSS_KEPT_S;
        }
        let restored = door.restored.swap(0, Relaxed);
        if restored > 0 {
            (self.lost, self.back) = (restored, 0);
            self.kept_until = second + RESTART_KEPT_S;
            self.kept_all_until = self.kept_until;
        }
        self.back += self.seen.used[Lane::Resume as usize];
        let missing = self.lost.saturating_sub(self.back);
        self.kept = if second < self.kept_all_until {
            missing
        } else if second < self.kept_until {
            missing.min(self.back.saturating_mul(LOSS_BACK_TIMES))
        } else {
            0
        };
        self.earned += entered;
        let earned = self.earned / RETURNS_SHARE;
        self.earned %= RETURNS_SHARE;
        let most = RETURNS_MIN + inside / RETURNS_PART;
        let _ = door
            .returns
            .fetch_update(Relaxed, Relaxed, |left| Some((left + earned).min(most)));
    }

    pub(super) fn waiting(&self) -> u64 {
        let (issued, called) = self.door.line();
        issued.saturating_sub(called)
    }

    pub(super) fn wants(&self) -> bool {
        self.waiting() > 0
            || self.seen.over_level > 0
            || self.demand.iter().any(|demand| *demand >= DEMAND_MIN)
    }

    /// Seats that are missing to its guarantee.
    pub(super) fn below(&self, scale: f64) -> u32 {
        let guaranteed = ((self.guarantee * scale) as u32).min(self.limit);
        guaranteed.saturating_sub(self.door.inside())
    }

    /// Of the seats that are missing to its guarantee, those that it will want soon: no other space may borrow these.
    pub(super) fn soon(&self, below: u32) -> u32 {
        let unmet = self.seen.unmet.iter().any(|unmet| *unmet > 0);
        if unmet || self.keeper.mode() == Mode::Storm {
            return below;
        }
        below.min((self.a_second * GUARANTEE_AHEAD_S).ceil() as u32)
    }

    /// Settles the mode, and the level that prefixes are held to.
    pub(super) fn look(&mut self, short: Resource, times: Times) -> Option<ModeEvent> {
        let door = &self.door;
        // The seats of lost connections are as good as taken.
        let kept = self.kept.min(self.seen.room);
        let taken = f64::from(door.inside() + kept);
        let room = f64::from(self.seen.room - kept);
        let fill = if taken + room > 0.0 {
            taken / (taken + room)
        } else {
            1.0
        };
        // A second's mean: one who comes in one tick is not ten a second.
        let come: u32 = self.seen.used.iter().chain(&self.seen.unmet).sum();
        self.a_second += f64::from(come) - self.a_second / 10.0;
        let a_second = self.a_second;
        let calm = ((self.seen.room - kept) / CALM_BURST_PART).max(CALM_BURST_MIN);
        let burst = door.calm.swap(calm, Relaxed) == 0;
        let unmet = self.seen.unmet.iter().any(|unmet| *unmet > 0);
        let rush = if unmet || a_second > room.max(RUSH_MIN) {
            Mode::Storm
        } else if burst || a_second * 5.0 > room && a_second >= RUSH_MIN {
            Mode::Busy
        } else {
            Mode::Calm
        };
        // After a restart in the midst of it newcomers come twice, though seats seem plenty, as long as others may come back.
        let restored = self.door.hall().is_restored() && self.door.was_strict.load(Relaxed);
        let rush = rush.max(if restored { Mode::Busy } else { Mode::Calm });
        let up = by_share(fill, 0.85, 0.97).max(rush);
        let line = if self.waiting() > 0 && self.keeper.mode() == Mode::Storm {
            Mode::Storm
        } else {
            Mode::Calm
        };
        let down = by_share(fill, 0.77, 0.89).max(rush).max(line);
        let from = self.keeper.look(up, down, times.now);
        let to = self.keeper.mode();
        door.set_mode(to);
        let of = ModeOf::Space(door.space().clone());
        self.level();
        from.map(|from| ModeEvent {
            at: times.wall,
            of,
            from,
            to,
            because: short,
        })
    }

    /// Deals credits to the lanes and calls the line by what the free lane gets.
    pub(super) fn deal(&mut self, times: Times) {
        let door = &self.door;
        door.line.roll(times.now);
        let came = door.line.came.swap(0, Relaxed);
        if self.keeper.mode() < Mode::Storm {
            let called = self.waiting();
            door.line.call(u64::MAX);
            self.caller.note(called, came, times.now);
            door.line.set_pace(0.0, 0.0);
            for counts in &door.lanes {
                counts.credits.store(0, Relaxed);
            }
            return;
        }
        let room = self.seen.room;
        let others = (0..LANES)
            .filter(|lane| *lane != 2)
            .any(|lane| self.seen.unmet[lane] > 0);
        let mut wanted = self.demand.map(of_demand);
        let idle = self.idle[2] >= IDLE_TICKS && others;
        if !idle {
            let line = self
                .waiting()
                .saturating_add(u64::from(self.seen.over_level));
            wanted[2] = wanted[2]
                .max(u32::try_from(line).unwrap_or(u32::MAX))
                .max(self.caller.expected());
        }
        // Who lost the connection is first, though the line is quicker.
        let kept = self.kept.max(self.ready()).min(room);
        let mut dealt = self.dealer.deal(door.shares(), room - kept, wanted);
        dealt[Lane::Resume as usize] += kept;
        for ((counts, dealt), left) in door.lanes.iter().zip(dealt).zip(self.seen.left) {
            // What was taken since the look is taken off.
            let _ = counts.credits.fetch_update(Relaxed, Relaxed, |now| {
                Some((dealt + now).saturating_sub(left))
            });
        }
        // Those who come again by themselves need no call; when a seat lies free for them a while they were but a memory.
        let here = if self.idle[2] >= IDLE_TICKS {
            0
        } else {
            of_demand(self.seeking)
        };
        let (seats, over) = (dealt[2].saturating_sub(here), self.seen.over_level);
        let more = self
            .caller
            .call(seats, came, over, self.waiting(), times.now);
        door.line.call(more);
        let (slow, quick) = self.caller.pace().unwrap_or_default();
        door.line.set_pace(slow, quick);
    }

    /// Seats that lie ready for those who were inside, whoever presses in. A small space has none to spare: there it is the
    /// seat that somebody has just left.
    fn ready(&self) -> u32 {
        let all = self.door.inside().saturating_add(self.seen.room);
        if all < RESUME_READY_FROM {
            let left: u32 = self.losses.iter().sum();
            return left.min(all.div_ceil(RESUME_READY_SMALL));
        }
        (all / RESUME_READY_PART).clamp(1, RESUME_READY_MAX)
    }

    pub(super) fn adjust_puzzles(&mut self) {
        let cohorts = &self.door.cohorts;
        let entered = self.door.inside_by_lane(Lane::Effort);
        let fair = entered / cohorts.len() as u32;
        cohorts.iter().for_each(|cohort| cohort.adjust(fair));
    }
}

/// How many want a seat by a demand that fades.
fn of_demand(demand: f64) -> u32 {
    if demand < DEMAND_MIN {
        0
    } else {
        demand.ceil() as u32
    }
}
