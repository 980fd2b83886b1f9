//! The gate of one shard: reads what is shown, cheapest first, and decides. Nothing here allocates or waits.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::dice::Dice;
use super::door::Door;
use super::hall::Hall;
use super::keys::KeyRing;
use super::lanes::{LANES, Lane};
use super::limits::{DOORS_MAX, LEASE_MAX, PUZZLE_LIFE_MS, STAY_MIN_S};
use super::line::Place;
use super::load::{Load, Resource};
use super::mode::{Keeper, Mode, ModeEvent, ModeOf, by_share};
use super::prefix::Charge;
use super::puzzle::{Proof, SOLUTION_CHARS, tries_of};
use super::seats::{Found, SeatId};
use super::spread::Spread;
use super::tally::Tally;
use super::ticket::{Kind, TOKEN_CHARS, Token, TokenFault, TokenText};
use super::verdict::{Ask, Counted, Knock, Reason, Shows, Times, Verdict};

/// The gate of one shard. Owned by the shard's thread; shares only atomics with the others.
pub struct Gate {
    pub(super) hall: Arc<Hall>,
    shard: u32,
    pub(super) keys: KeyRing,
    pub(super) dice: Dice,
    /// Seats in hand.
    pub(super) leased: u32,
    pub(super) mode: Keeper,
    tallies: Box<[Tally]>,
    spreads: Box<[Spread]>,
}

/// What a knock shows, once it is believed.
#[derive(Clone, Copy, Default)]
pub(super) struct Shown {
    pub(super) id: Option<SeatId>,
    pub(super) right: Option<Right>,
    pub(super) moved: bool,
    /// A seat was held for it of late, and it did not come.
    pub(super) lapsed: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Right {
    pub(super) lane: Lane,
    /// Good for one seat once; resume rights are good as long as they last.
    pub(super) once: bool,
    /// A place, with its token.
    pub(super) place: Option<(Place, Token)>,
    /// By the allowance of the prefix, not by anything shown.
    pub(super) returns: bool,
}

impl Right {
    pub(super) const RESUMES: Self = Self {
        lane: Lane::Resume,
        once: false,
        place: None,
        returns: false,
    };
    pub(super) const RETURNS: Self = Self {
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
            dice: Dice::new(seed),
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

    /// The right to come back, for who is inside now and has been for `STAY_MIN_S`, and shows the ticket or mark that the seat
    /// is bound to. Good for `RESUME_LIFE_MS`; over a restart too. None for anybody else.
    pub fn resume_ticket(&mut self, knock: &Knock<'_>, times: Times) -> Option<TokenText> {
        let charge = Charge::new(knock.from, knock.door.number, &self.hall.salt);
        let (shown, _) = self.read(knock, &charge, times).ok()?;
        let id = shown.id?;
        let second = self.hall.second.load(Relaxed);
        let since = self.hall.seats.since(self.hall.hash(id))?;
        (second.saturating_sub(since) >= STAY_MIN_S)
            .then(|| self.ticket(knock.door, Lane::Resume, id, &charge, times))
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
            // An element cannot change its address: what it shows is as good as nothing, and no worse.
            Err(reason) if self.may_ignore(knock, reason) => (Shown::default(), None),
            Err(reason) => return (counted, Verdict::TurnAway(reason)),
        };
        counted.moved = shown.moved;
        let hash = shown.id.map(|id| self.hall.hash(id));
        let second = self.hall.second.load(Relaxed);
        let found = hash.map_or(Found::Nobody, |hash| self.hall.seats.find(hash, second));
        let known = hash.filter(|_| found != Found::Nobody);
        if let Some(rest_s) = known.map(|hash| self.hall.seats.again_in(hash, second))
            && rest_s > 0
        {
            counted.lane = shown.right.map_or(Lane::Free, |right| right.lane);
            return (counted, self.too_often(rest_s));
        }
        let unseated = matches!(found, Found::Visited | Found::Nobody);
        let fresh = unseated && shown.right.is_some_and(|right| right.once);
        if fresh && hash.is_some_and(|hash| self.hall.spent.has(hash)) {
            shown = match self.once_more(knock, charge, shown) {
                Ok(shown) => shown,
                Err(reason) => return (counted, Verdict::TurnAway(reason)),
            };
        }
        if let Some((proof, token)) = proof
            && !solved(knock, &proof, &token, times)
        {
            return (counted, Verdict::TurnAway(Reason::WrongSolution));
        }
        match (found, shown.id) {
            // Who only asks for the right has it: the seat stays with who hears by it, or as long as it is held.
            (Found::Live(lane), Some(id)) if knock.ask != Ask::Sound => {
                counted.lane = lane;
                let right = shown.right.map(|right| (right.lane, id));
                return (counted, self.open(knock.door, right, charge, times));
            }
            (Found::Live(lane), _) => {
                counted.lane = lane;
                if let Some(claim) = hash.and_then(|hash| self.hall.seats.take_over(hash, second)) {
                    return (counted, self.seated_again(knock, charge, &shown, claim));
                }
                // Left in this very instant.
                shown.right = Some(Right::RESUMES);
            }
            (Found::Left, _) => shown.right = Some(Right::RESUMES),
            (Found::Visited, _) => shown.lapsed = shown.right.is_some_and(|right| !right.returns),
            (Found::Nobody, _) => {}
        }
        counted.lane = shown.right.map_or(Lane::Free, |right| right.lane);
        let (lane, verdict) = self.admit(knock, charge, shown, load, times);
        counted.lane = lane;
        (counted, verdict)
    }

    /// One who was inside, and of whom a spent right is all that is left, comes back as if with nothing in hand.
    fn once_more(
        &self,
        knock: &Knock<'_>,
        charge: &Charge,
        mut shown: Shown,
    ) -> Result<Shown, Reason> {
        if self.may_return(knock.door, charge) {
            shown.right = Some(Right::RETURNS);
            Ok(shown)
        } else if self.may_ignore(knock, Reason::Spent) {
            Ok(Shown::default())
        } else {
            Err(Reason::Spent)
        }
    }

    /// The door's mode, or this shard's own if that is the stricter.
    pub(super) fn mode_at(&self, door: &Door) -> Mode {
        door.mode().max(self.mode.mode())
    }

    /// What was good once and is over says nothing against who shows it and asks for the sound.
    fn may_ignore(&self, knock: &Knock<'_>, reason: Reason) -> bool {
        let calm = self.mode_at(knock.door) == Mode::Calm;
        let over = match reason {
            Reason::Token(TokenFault::Expired) => true,
            // In a storm it is asked for a right, and somebody may be showing one from everywhere.
            Reason::Token(TokenFault::WrongEpoch) | Reason::Spent => calm,
            _ => false,
        };
        knock.ask == Ask::Sound && over
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
            lapsed: false,
        };
        Ok((shown, proof.map(|proof| (proof, token))))
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

/// Whether the proof solves the puzzle it was shown with; how long that took makes its cohort's next puzzles.
fn solved(knock: &Knock<'_>, proof: &Proof, token: &Token, times: Times) -> bool {
    let text = if let Shows::Token(text) = knock.shows {
        text
    } else {
        &[]
    };
    if !proof.solves(&text[..TOKEN_CHARS], tries_of(token)) {
        return false;
    }
    let since_ms = times.wall.0.saturating_sub(token.issued.0);
    let taken = since_ms.min(PUZZLE_LIFE_MS) as u32;
    let cohorts = &knock.door.cohorts;
    cohorts[token.detail.1 as usize % cohorts.len()].solved(proof.millis.min(taken));
    true
}
