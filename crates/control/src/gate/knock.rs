//! The gate of one shard: reads what is shown, cheapest first, and decides. Nothing here allocates or waits.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::door::{Door, Hall};
use super::keys::KeyRing;
use super::lanes::{LANES, Lane};
use super::limits::{
    DOORS_MAX, LEASE_MAX, PLACE_AGE_MIN_MS, PLACE_LIFE_MS, POLL_MS_MIN, PUZZLE_LIFE_MS,
    RESUME_LIFE_MS, TICKET_LIFE_MS,
};
use super::line::{Estimate, Place, poll_after};
use super::load::{Load, Resource};
use super::mode::{Keeper, Mode, ModeEvent, ModeOf, by_share};
use super::pass::Pass;
use super::prefix::Charge;
use super::puzzle::{Cohort, Proof, SOLUTION_CHARS, tries_of};
use super::seats::{Claim, Found, SeatId};
use super::spread::Spread;
use super::tally::Tally;
use super::ticket::{Kind, TOKEN_CHARS, Token, TokenFault, TokenText};
use super::verdict::{
    Ask, Cause, Counted, Entry, Knock, Puzzle, Reason, Shows, Times, Verdict, Waiting,
};
use crate::ids::UnixMillis;

/// The gate of one shard. Owned by the shard's thread; shares only atomics with the others.
pub struct Gate {
    hall: Arc<Hall>,
    shard: u32,
    keys: KeyRing,
    dice: Dice,
    /// Seats in hand.
    leased: u32,
    mode: Keeper,
    tallies: Box<[Tally]>,
    spreads: Box<[Spread]>,
}

/// What a knock shows, once it is believed.
#[derive(Clone, Copy, Default)]
struct Shown {
    id: Option<SeatId>,
    right: Option<Right>,
    moved: bool,
}

#[derive(Clone, Copy)]
struct Right {
    lane: Lane,
    /// Good for one seat once; resume rights are good as long as they last.
    once: bool,
    /// A place, with its token.
    place: Option<(Place, Token)>,
    /// By the allowance of the prefix, not by anything shown.
    returns: bool,
}

impl Right {
    const RESUMES: Self = Self {
        lane: Lane::Resume,
        once: false,
        place: None,
        returns: false,
    };
    const RETURNS: Self = Self {
        returns: true,
        ..Self::RESUMES
    };
}

impl Gate {
    /// `seed` is random and another for every gate and start.
    pub fn new(hall: Arc<Hall>, shard: u32, keys: KeyRing, seed: [u8; 32]) -> Self {
        Self {
            hall,
            shard,
            keys,
            dice: Dice {
                seed,
                count: 0,
                left: [0; 4],
                at: 4,
            },
            leased: 0,
            mode: Keeper::default(),
            tallies: vec![Tally::default(); DOORS_MAX].into(),
            spreads: vec![Spread::default(); DOORS_MAX].into(),
        }
    }

    /// Decides about one knock.
    pub fn knock(&mut self, knock: &Knock<'_>, load: &Load, times: Times) -> Verdict {
        let slot = usize::from(knock.door.slot);
        let charge = Charge::new(knock.from, knock.door.number, &self.hall.salt);
        let (counted, verdict) = self.decide(knock, &charge, load, times);
        self.tallies[slot].count(counted.lane, counted.moved, &verdict);
        self.spreads[slot].count(charge.spread());
        verdict
    }

    /// The right to come back, for who is inside now and shows the ticket or mark that the seat is bound to. Good for
    /// `RESUME_LIFE_MS`; over a restart too. None for anybody else.
    pub fn resume_ticket(&mut self, knock: &Knock<'_>, times: Times) -> Option<TokenText> {
        let charge = Charge::new(knock.from, knock.door.number, &self.hall.salt);
        let (shown, _) = self.read(knock, &charge, times).ok()?;
        let id = shown.id?;
        let second = self.hall.second.load(Relaxed);
        match self.hall.seats.find(self.hall.hash(id), second) {
            Found::Live(_) => Some(self.ticket(knock.door, Lane::Resume, id, &charge, times)),
            Found::Left | Found::Nobody => None,
        }
    }

    /// Once a sweep: gives back what is leased and not needed, and says whether this shard's own mode has changed.
    pub fn tick(&mut self, load: &Load, times: Times) -> Option<ModeEvent> {
        let room = self.hall.capacity().saturating_sub(self.hall.out());
        let short = room < LEASE_MAX * self.hall.settings.shards;
        let keep = if short { 0 } else { self.leased.min(LEASE_MAX) };
        self.hall.give_back(self.leased - keep);
        self.leased = keep;
        let (up, down) = (
            by_share(load.cpu, 0.75, 0.92),
            by_share(load.cpu, 0.67, 0.84),
        );
        let from = self.mode.look(up, down, times.now)?;
        let to = self.mode.mode();
        Some(ModeEvent {
            at: times.wall,
            of: ModeOf::Shard(self.shard),
            from,
            to,
            because: Resource::Cpu,
        })
    }

    /// A rotation, on each shard before the new key's `seals_from`.
    pub fn set_keys(&mut self, keys: KeyRing) {
        self.keys = keys;
    }

    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// What this gate has counted for a door since it was last taken.
    pub fn take_tally(&mut self, door: &Door) -> Tally {
        std::mem::take(&mut self.tallies[usize::from(door.slot)])
    }

    /// How the knocks spread over prefixes since it was last taken.
    pub fn take_spread(&mut self, door: &Door) -> Spread {
        std::mem::take(&mut self.spreads[usize::from(door.slot)])
    }

    fn decide(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        load: &Load,
        times: Times,
    ) -> (Counted, Verdict) {
        let mut counted = Counted {
            lane: Lane::Free,
            moved: false,
        };
        if knock.door.is_closed() {
            return (counted, Verdict::TurnAway(Reason::Closed));
        }
        let (mut shown, proof) = match self.read(knock, charge, times) {
            Ok(shown) => shown,
            Err(reason) => return (counted, Verdict::TurnAway(reason)),
        };
        counted.moved = shown.moved;
        let hash = shown.id.map(|id| self.hall.hash(id));
        let second = self.hall.second.load(Relaxed);
        let found = hash.map_or(Found::Nobody, |hash| self.hall.seats.find(hash, second));
        let fresh = found == Found::Nobody && shown.right.is_some_and(|right| right.once);
        if fresh && hash.is_some_and(|hash| self.hall.spent.has(hash)) {
            // One who was inside, and of whom this is all that is left, comes back as if with nothing in hand.
            if !self.may_return(knock.door, charge) {
                return (counted, Verdict::TurnAway(Reason::Spent));
            }
            shown.right = Some(Right::RETURNS);
        }
        if let Some((proof, token)) = proof {
            let text = if let Shows::Token(text) = knock.shows {
                text
            } else {
                &[]
            };
            if !proof.solves(&text[..TOKEN_CHARS], tries_of(&token)) {
                return (counted, Verdict::TurnAway(Reason::WrongSolution));
            }
            let taken = times
                .wall
                .0
                .saturating_sub(token.issued.0)
                .min(PUZZLE_LIFE_MS) as u32;
            knock.door.cohorts[token.detail.1 as usize % knock.door.cohorts.len()]
                .solved(proof.millis.min(taken));
        }
        match found {
            Found::Live(lane) => {
                counted.lane = lane;
                if let Some(claim) = hash.and_then(|hash| self.hall.seats.take_over(hash)) {
                    return (
                        counted,
                        self.seated_again(knock, charge, (shown.id, shown.moved), claim, times),
                    );
                }
                // Left in this very instant.
                shown.right = Some(Right::RESUMES);
            }
            Found::Left => shown.right = Some(Right::RESUMES),
            Found::Nobody => {}
        }
        counted.lane = shown.right.map_or(Lane::Free, |right| right.lane);
        let (lane, verdict) = self.admit(knock, charge, shown, load, times);
        counted.lane = lane;
        (counted, verdict)
    }

    fn read(
        &self,
        knock: &Knock<'_>,
        charge: &Charge,
        times: Times,
    ) -> Result<(Shown, Option<(Proof, Token)>), Reason> {
        let door = knock.door;
        let text = match knock.shows {
            Shows::Nothing => return Ok((Shown::default(), None)),
            Shows::Mark(mark) => {
                let id = Some(self.hall.marked(mark, door.number));
                return Ok((
                    Shown {
                        id,
                        ..Shown::default()
                    },
                    None,
                ));
            }
            Shows::Token(text) => text,
        };
        let proof = match text.len() {
            TOKEN_CHARS => None,
            SOLUTION_CHARS => Some(
                Proof::read(&text[TOKEN_CHARS..]).ok_or(Reason::Token(TokenFault::Malformed))?,
            ),
            _ => return Err(Reason::Token(TokenFault::Malformed)),
        };
        let token = Token::open(
            &text[..TOKEN_CHARS],
            &self.keys,
            door.tag,
            door.epoch,
            times.wall,
        )
        .map_err(Reason::Token)?;
        let (lane, once) = match (token.kind, proof.is_some()) {
            (Kind::Puzzle, true) => (Lane::Effort, true),
            (Kind::Puzzle, false) => return Err(Reason::Unsolved),
            (_, true) => return Err(Reason::Token(TokenFault::Malformed)),
            (Kind::Resume, _) => (Lane::Resume, false),
            (Kind::Place, _) => (Lane::Free, true),
            (Kind::Ticket, _) => (token.lane, true),
        };
        let place = Place {
            bucket: token.detail.0,
            rank: token.detail.1,
        };
        let place = (token.kind == Kind::Place).then_some((place, token));
        let shown = Shown {
            id: Some(SeatId(token.id)),
            right: Some(Right {
                lane,
                once,
                place,
                returns: false,
            }),
            moved: token.prefix != 0 && token.prefix != charge.tag(),
        };
        Ok((shown, proof.map(|proof| (proof, token))))
    }

    /// Who has no seat yet.
    fn admit(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        mut shown: Shown,
        load: &Load,
        times: Times,
    ) -> (Lane, Verdict) {
        let door = knock.door;
        let mode = door.mode().max(self.mode.mode());
        let strict = mode > Mode::Calm;
        // Those without script come back by as many as were inside.
        if strict && shown.right.is_none() && self.may_return(door, charge) {
            shown.right = Some(Right::RETURNS);
        }
        let lane = shown.right.map_or(Lane::Free, |right| right.lane);
        let cause = self.hindrance(knock, charge, &shown, mode, load, times);
        let may_prove = matches!(cause, Some(Cause::NoRight | Cause::NotYourTurn));
        if may_prove && knock.ask == Ask::Puzzle && mode == Mode::Storm {
            return (lane, Verdict::Prove(self.puzzle(door, charge, times)));
        }
        if let Some(cause) = cause {
            return (lane, self.wait(knock, charge, &shown, cause, times));
        }
        match self.seat(knock, charge, &shown, lane, mode == Mode::Storm, times) {
            Ok(verdict) => (lane, verdict),
            Err(cause) => (lane, self.wait(knock, charge, &shown, cause, times)),
        }
    }

    /// What keeps somebody out before seats are looked at.
    fn hindrance(
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
                (Mode::Calm, Ask::Sound) => None,
                (Mode::Calm, _) => Some(Cause::Open),
                _ => Some(Cause::NoRight),
            };
        };
        if mode == Mode::Calm {
            return None;
        }
        if let Some((place, token)) = right.place {
            if !door.line.is_called(place) {
                return Some(Cause::NotYourTurn);
            }
            // A clock that stepped back makes nobody younger.
            let age = times.wall.0.checked_sub(token.issued.0);
            if age.is_some_and(|age| age < PLACE_AGE_MIN_MS) {
                return Some(Cause::NoRight);
            }
        }
        if right.lane == Lane::Resume {
            return None;
        }
        if self.hall.prefixes.capped(charge, door.caps()) {
            return Some(Cause::PrefixShare);
        }
        let shared = mode == Mode::Storm && matches!(right.lane, Lane::Free | Lane::Effort);
        if shared && self.hall.prefixes.inside(charge) >= door.level.load(Relaxed) {
            door.over_level.fetch_add(1, Relaxed);
            return Some(Cause::PrefixShare);
        }
        None
    }

    /// Takes a seat, or says that there is none. What was taken on the way is given back.
    fn seat(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        shown: &Shown,
        lane: Lane,
        storm: bool,
        times: Times,
    ) -> Result<Verdict, Cause> {
        let door = knock.door;
        let unmet = |door: &Door| {
            door.lanes[lane as usize].unmet.fetch_add(1, Relaxed);
            Cause::NoSeat
        };
        let credit = if storm {
            Some(door.take_credit(lane).ok_or_else(|| unmet(door))?)
        } else {
            None
        };
        let back = |door: &Door| credit.into_iter().for_each(|lane| door.return_credit(lane));
        if !door.take_seat() {
            back(door);
            return Err(unmet(door));
        }
        if !self.lease() {
            door.taken.fetch_sub(1, Relaxed);
            back(door);
            return Err(unmet(door));
        }
        let wants_ticket = knock.ask != Ask::Sound;
        let id = shown
            .id
            .or_else(|| wants_ticket.then(|| SeatId(self.dice.roll())));
        let mut key = None;
        if let Some(id) = id {
            let (hash, second) = (self.hall.hash(id), self.hall.second.load(Relaxed));
            match self.hall.seats.claim(hash, lane, second) {
                Claim::Sits(sits) => key = Some(sits),
                claim => {
                    door.taken.fetch_sub(1, Relaxed);
                    self.leased += 1;
                    back(door);
                    return Ok(self.seated_again(
                        knock,
                        charge,
                        (Some(id), shown.moved),
                        claim,
                        times,
                    ));
                }
            }
            if shown.right.is_none_or(|right| right.once) && !matches!(knock.shows, Shows::Mark(_))
            {
                self.hall.spent.add(hash);
            }
        }
        self.hall.enter();
        self.hall.prefixes.enter(charge, false);
        if shown.right.is_some_and(|right| right.returns) {
            door.note_return();
        }
        let counts = &door.lanes[lane as usize];
        counts.inside.fetch_add(1, Relaxed);
        counts.entered.fetch_add(1, Relaxed);
        if shown.right.is_some_and(|right| right.place.is_some()) {
            door.line.came.fetch_add(1, Relaxed);
        }
        let ticket = id
            .filter(|_| wants_ticket)
            .map(|id| self.ticket(door, lane, id, charge, times));
        let pass = Pass {
            door: door.clone(),
            lane,
            key,
            charge: *charge,
        };
        Ok(Verdict::Enter(Entry {
            pass,
            ticket,
            took_over: None,
        }))
    }

    /// A right that had its seat already. The prefix it comes from now is charged for it.
    fn seated_again(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        (id, moved): (Option<SeatId>, bool),
        claim: Claim,
        times: Times,
    ) -> Verdict {
        let Claim::TookOver { key, from, lane } = claim else {
            return Verdict::TurnAway(Reason::Race);
        };
        self.hall.prefixes.enter(charge, !moved);
        let ticket = match (knock.ask, id) {
            (Ask::Right | Ask::Puzzle, Some(id)) => {
                Some(self.ticket(knock.door, lane, id, charge, times))
            }
            _ => None,
        };
        let pass = Pass {
            door: knock.door.clone(),
            lane,
            key: Some(key),
            charge: *charge,
        };
        Verdict::Enter(Entry {
            pass,
            ticket,
            took_over: Some(from),
        })
    }

    /// Whether somebody who shows nothing, or only what is spent, may come back for one of the prefix who was inside.
    fn may_return(&self, door: &Door, charge: &Charge) -> bool {
        self.hall.prefixes.may_come_back(charge) && door.may_return()
    }

    fn lease(&mut self) -> bool {
        if self.leased == 0 {
            let room = self.hall.capacity().saturating_sub(self.hall.out());
            let part = room / (8 * self.hall.settings.shards);
            self.leased = self.hall.lease(part.clamp(1, LEASE_MAX));
        }
        let got = self.leased > 0;
        self.leased -= u32::from(got);
        got
    }

    fn wait(
        &mut self,
        knock: &Knock<'_>,
        charge: &Charge,
        shown: &Shown,
        cause: Cause,
        times: Times,
    ) -> Verdict {
        let line = &knock.door.line;
        let held = shown.right.and_then(|right| right.place);
        let (place, text) = match (held, shown.right.filter(|right| !right.returns), knock.ask) {
            (Some((place, token)), ..) => (Some(place), self.kept(&token, knock, charge, times)),
            (None, None, Ask::Right | Ask::Puzzle) if !matches!(knock.shows, Shows::Token(_)) => {
                let place = line.mint(times.now, (self.dice.roll() >> 32) as u32);
                let id = self.dice.roll();
                (
                    Some(place),
                    Some(self.place(knock.door, place, id, charge, times)),
                )
            }
            _ => (None, None),
        };
        let position = place.map_or(0, |place| line.position(place, times.now));
        let called = place.is_none_or(|place| line.is_called(place));
        let ahead = if called {
            0
        } else {
            position.saturating_sub(line.called()).max(1)
        };
        let wait = if called {
            Estimate::Between(0, 0)
        } else {
            line.estimate(ahead)
        };
        let random = (self.dice.roll() >> 32) as u32;
        let poll_ms = match (cause, line.draws_in_ms(times.now)) {
            (Cause::Open, _) => 0,
            (Cause::NotYourTurn | Cause::NoRight, Some(draw)) if !called => {
                (draw.min(u64::from(u32::MAX / 2)) as u32)
                    .saturating_add(poll_after(Estimate::Unknown, random) / 2)
            }
            // A busy door calls everyone within a tick; the place has to be old enough.
            (Cause::NoRight, None) if knock.door.mode() < Mode::Storm => {
                PLACE_AGE_MIN_MS as u32 + 200 + ((1_000 * u64::from(random)) >> 32) as u32
            }
            _ if called => {
                POLL_MS_MIN + ((u64::from(POLL_MS_MIN) * u64::from(random)) >> 32) as u32
            }
            _ => poll_after(wait, random),
        };
        Verdict::Wait(Waiting {
            cause,
            place: text,
            ahead,
            position,
            wait,
            poll_ms,
        })
    }

    /// The place as it was shown, or sealed anew when half its life is gone, so that waiting loses nothing.
    fn kept(
        &self,
        token: &Token,
        knock: &Knock<'_>,
        charge: &Charge,
        times: Times,
    ) -> Option<TokenText> {
        let young = times.wall.0.saturating_sub(token.issued.0) < PLACE_LIFE_MS / 2;
        if young {
            // What was shown is known already; None says: come again with that.
            return None;
        }
        let place = Place {
            bucket: token.detail.0,
            rank: token.detail.1,
        };
        Some(self.place(knock.door, place, token.id, charge, times))
    }

    fn place(
        &self,
        door: &Door,
        place: Place,
        id: u64,
        charge: &Charge,
        times: Times,
    ) -> TokenText {
        self.seal(
            door,
            Kind::Place,
            Lane::Free,
            (id, PLACE_LIFE_MS),
            (place.bucket, place.rank),
            charge,
            times,
        )
    }

    fn ticket(
        &self,
        door: &Door,
        lane: Lane,
        id: SeatId,
        charge: &Charge,
        times: Times,
    ) -> TokenText {
        let (kind, life) = match lane {
            Lane::Resume => (Kind::Resume, RESUME_LIFE_MS),
            _ => (Kind::Ticket, TICKET_LIFE_MS),
        };
        self.seal(door, kind, lane, (id.0, life), (0, 0), charge, times)
    }

    fn puzzle(&mut self, door: &Door, charge: &Charge, times: Times) -> Puzzle {
        let cohort = Cohort::of(charge.tag());
        let tries = door.cohorts[cohort].tries();
        let id = self.dice.roll();
        let detail = (tries, cohort as u32);
        let token = self.seal(
            door,
            Kind::Puzzle,
            Lane::Effort,
            (id, PUZZLE_LIFE_MS),
            detail,
            charge,
            times,
        );
        Puzzle { token, tries }
    }

    #[expect(clippy::too_many_arguments, reason = "a token says that much")]
    fn seal(
        &self,
        door: &Door,
        kind: Kind,
        lane: Lane,
        (id, life): (u64, u64),
        detail: (u32, u32),
        charge: &Charge,
        times: Times,
    ) -> TokenText {
        let expires = UnixMillis(times.wall.0.saturating_add(life));
        let (space, epoch, prefix) = (door.tag, door.epoch, charge.tag());
        let issued = times.wall;
        Token {
            kind,
            lane,
            space,
            epoch,
            prefix,
            issued,
            expires,
            id,
            detail,
        }
        .seal(&self.keys, times.wall)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.hall.give_back(self.leased);
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Gate({}, {} leased, {LANES} lanes)",
            self.shard, self.leased
        )
    }
}

/// Numbers nobody outside can foresee: keyed BLAKE3 of a counter, four at a time.
struct Dice {
    seed: [u8; 32],
    count: u64,
    left: [u64; 4],
    at: usize,
}

impl Dice {
    fn roll(&mut self) -> u64 {
        if self.at == 4 {
            self.count += 1;
            let hash = blake3::keyed_hash(&self.seed, &self.count.to_le_bytes());
            for (number, bytes) in self.left.iter_mut().zip(hash.as_bytes().chunks(8)) {
                *number = bytes
                    .iter()
                    .fold(0, |number, byte| number << 8 | u64::from(*byte));
            }
            self.at = 0;
        }
        self.at += 1;
        self.left[self.at - 1]
    }
}
