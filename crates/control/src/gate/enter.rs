//! Who has no seat yet: what hinders, and the taking of a seat.

use std::sync::atomic::Ordering::Relaxed;

use super::door::Door;
use super::knock::{Gate, Right, Shown};
use super::lanes::Lane;
use super::limits::{ALONE_MIN, LEASE_MAX, PLACE_AGE_MIN_MS, WIDE_LEVELS};
use super::load::Load;
use super::mode::Mode;
use super::pass::Pass;
use super::prefix::Charge;
use super::seats::{Claim, SeatId};
use super::shut::Shut;
use super::verdict::{Ask, Cause, Entry, Knock, Reason, Shows, Times, Verdict};

impl Gate {
    /// Who has no seat yet.
    pub(super) fn admit(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        mut shown: Shown,
        load: &Load,
        times: Times,
    ) -> (Lane, Verdict) {
        let door = knock.door;
        let mode = self.mode_at(door);
        let shut = door.shut();
        let strict = mode > Mode::Calm || shut != Shut::No;
        // Those without script come back by as many as were inside.
        if strict && shown.right.is_none() && self.may_return(door, charge) {
            shown.right = Some(Right::RETURNS);
        }
        let lane = shown.right.map_or(Lane::Free, |right| right.lane);
        if shut == Shut::Dropped && lane != Lane::Resume {
            return (lane, Verdict::TurnAway(Reason::Closed));
        }
        let storm = mode == Mode::Storm;
        let cause = self.hindrance(knock, charge, &shown, mode, load, times);
        let may_prove = matches!(cause, Some(Cause::NoRight | Cause::NotYourTurn));
        if may_prove && knock.ask == Ask::Puzzle && storm {
            return (lane, Verdict::Prove(self.puzzle(door, charge, times)));
        }
        if let Some(cause) = cause {
            return (lane, self.wait(knock, charge, &shown, cause, times));
        }
        // A seat was held for it once, and it did not come: it asks for the sound.
        if let Some(id) = shown.id.filter(|_| shown.lapsed && knock.ask != Ask::Sound) {
            if door.has_seat(lane, storm) {
                return (lane, self.open(door, Some((lane, id)), charge, times));
            }
            let cause = door.no_seat(lane);
            return (lane, self.wait(knock, charge, &shown, cause, times));
        }
        match self.seat(knock, charge, &shown, lane, storm, times) {
            Ok(verdict) => (lane, verdict),
            Err(cause) => (lane, self.wait(knock, charge, &shown, cause, times)),
        }
    }

    /// What keeps somebody out before seats are looked at.
    pub(super) fn hindrance(
        &self,
        knock: &Knock<'_>,
        charge: &Charge,
        shown: &Shown,
        mode: Mode,
        load: &Load,
        times: Times,
    ) -> Option<Cause> {
        let door = knock.door;
        if load.full().is_some() {
            return Some(Cause::NodeFull);
        }
        let Some(right) = shown.right else {
            return match (mode, knock.ask) {
                (Mode::Calm, _) if self.has_share(door, charge, mode) => Some(Cause::PrefixShare),
                (Mode::Calm, Ask::Sound) => (!door.take_calm()).then_some(Cause::NoRight),
                (Mode::Calm, _) => Some(Cause::Open),
                _ => Some(Cause::NoRight),
            };
        };
        if let Some((place, token)) = right.place.filter(|_| mode > Mode::Calm) {
            // Who comes while seats are not short need not wait for the draw.
            let drawing = door.line.is_drawing() && mode < Mode::Storm;
            if !drawing && !door.line.is_called(place) {
                return Some(Cause::NotYourTurn);
            }
            // A clock that stepped back makes nobody younger.
            let age = times.wall.0.checked_sub(token.issued.0);
            if age.is_some_and(|age| age < PLACE_AGE_MIN_MS) {
                return Some(Cause::NoRight);
            }
        }
        let capped = mode > Mode::Calm && self.hall.prefixes.capped(charge, door.caps());
        let hinders = match right.lane {
            // By its prefix's allowance: that is looked at already.
            Lane::Resume if right.returns => false,
            // Tickets to come back with can be gathered one after the other; no more of a prefix come back by them than were
            // inside at once, or than its share is.
            Lane::Resume => {
                // Who lost connections on purpose must not bring in whoever comes from elsewhere.
                let may = if shown.moved {
                    door.returns.load(Relaxed) > 0
                } else {
                    self.hall.prefixes.has_gone(charge)
                };
                !may && self.has_share(door, charge, mode)
            }
            Lane::Invited => capped,
            Lane::Free | Lane::Effort => capped || self.has_share(door, charge, mode),
        };
        hinders.then_some(Cause::PrefixShare)
    }

    /// Whether the prefix has its share: in a storm the level, which rises when seats lie idle for which it asks; else as many
    /// seats as are still free, and slowly more.
    fn has_share(&self, door: &Door, charge: &Charge, mode: Mode) -> bool {
        let storm = mode == Mode::Storm;
        let share = if storm {
            door.level.load(Relaxed)
        } else {
            let free = door.allowed.load(Relaxed).saturating_sub(door.inside());
            free.max(ALONE_MIN)
        };
        let prefixes = &self.hall.prefixes;
        let has = prefixes.inside(charge) >= share
            || prefixes.inside_wide(charge) >= share.saturating_mul(WIDE_LEVELS);
        if has && storm {
            door.over_level.fetch_add(1, Relaxed);
        }
        has && (storm || !door.take_slowly())
    }

    /// Takes a seat, or says that there is none. What was taken on the way is given back.
    pub(super) fn seat(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        shown: &Shown,
        lane: Lane,
        storm: bool,
        times: Times,
    ) -> Result<Verdict, Cause> {
        let door = knock.door;
        let credit = self.take(door, lane, storm)?;
        let wants_ticket = knock.ask != Ask::Sound;
        let id = shown
            .id
            .or_else(|| wants_ticket.then(|| SeatId(self.dice.roll())));
        let second = self.hall.second.load(Relaxed);
        let (mut key, mut since) = (None, second);
        if let Some(id) = id {
            let hash = self.hall.hash(id);
            match self.hall.seats.claim(hash, lane, second) {
                Claim::Sits {
                    key: sits,
                    since: inside,
                } => (key, since) = (Some(sits), inside),
                claim => {
                    door.taken.fetch_sub(1, Relaxed);
                    self.leased += 1;
                    credit.into_iter().for_each(|lane| door.return_credit(lane));
                    return Ok(self.seated_again(knock, charge, shown, claim));
                }
            }
            // What a seat is only held for is spent when it is heard.
            if knock.ask == Ask::Sound {
                self.spend(shown, hash);
            }
        }
        self.count_in(door, charge, shown, lane);
        let ticket = id
            .filter(|_| wants_ticket)
            .map(|id| self.ticket(door, lane, id, charge, times));
        let (door, charge) = (door.clone(), *charge);
        let pass = Pass {
            door,
            lane,
            key,
            charge,
            since,
            proven: shown.right.is_some_and(|right| !right.returns),
            unused: false,
        };
        Ok(Verdict::Enter(Entry {
            pass,
            ticket,
            took_over: None,
        }))
    }

    fn count_in(&self, door: &Door, charge: &Charge, shown: &Shown, lane: Lane) {
        self.hall.enter();
        self.hall.prefixes.enter(charge, false);
        if let Some(right) = shown.right.filter(|right| right.lane == Lane::Resume) {
            self.hall.prefixes.came_back(charge, right.returns);
            if right.returns || shown.moved {
                door.note_return();
            }
        }
        let counts = &door.lanes[lane as usize];
        counts.inside.fetch_add(1, Relaxed);
        counts.entered.fetch_add(1, Relaxed);
        if shown.right.is_some_and(|right| right.place.is_some()) {
            door.line.came.fetch_add(1, Relaxed);
        }
    }

    /// Takes a seat of the space and of the hall, and in a storm a credit, whose lane it tells. All or nothing.
    fn take(&mut self, door: &Door, lane: Lane, storm: bool) -> Result<Option<Lane>, Cause> {
        // Who was inside takes any seat there is, dealt or not: a player asks once.
        let credit = match (storm, lane) {
            (true, Lane::Resume) => door.take_credit(lane),
            (true, _) => Some(door.take_credit(lane).ok_or_else(|| door.no_seat(lane))?),
            (false, _) => None,
        };
        let seated = door.take_seat(lane);
        if seated && self.lease() {
            return Ok(credit);
        }
        if seated {
            door.taken.fetch_sub(1, Relaxed);
        }
        credit.into_iter().for_each(|lane| door.return_credit(lane));
        Err(door.no_seat(lane))
    }

    /// A right that had its seat already and asks for the sound. The prefix it comes from now is charged for it.
    pub(super) fn seated_again(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        shown: &Shown,
        claim: Claim,
    ) -> Verdict {
        let Claim::TookOver {
            key,
            from,
            lane,
            since,
        } = claim
        else {
            return Verdict::TurnAway(Reason::Race);
        };
        self.hall.prefixes.enter(charge, !shown.moved);
        if let Some(id) = shown.id {
            self.spend(shown, self.hall.hash(id));
        }
        let pass = Pass {
            door: knock.door.clone(),
            lane,
            key: Some(key),
            charge: *charge,
            since,
            proven: matches!(knock.shows, Shows::Token(_)),
            unused: false,
        };
        Verdict::Enter(Entry {
            pass,
            ticket: None,
            took_over: Some(from),
        })
    }

    /// What is good once has been heard now.
    fn spend(&self, shown: &Shown, hash: u64) {
        let once = shown.right.is_some_and(|right| right.once);
        if once && !self.hall.spent.has(hash) {
            self.hall.spent.add(hash);
        }
    }

    /// Whether somebody who shows nothing, or only what is spent, may come back for one of the prefix who was inside.
    pub(super) fn may_return(&self, door: &Door, charge: &Charge) -> bool {
        self.hall.prefixes.may_come_back(charge) && door.may_return()
    }

    pub(super) fn lease(&mut self) -> bool {
        if self.leased == 0 {
            let room = self.hall.capacity().saturating_sub(self.hall.out());
            let part = room / (8 * self.hall.settings.shards);
            self.leased = self.hall.lease(part.clamp(1, LEASE_MAX));
        }
        let got = self.leased > 0;
        self.leased -= u32::from(got);
        got
    }
}
