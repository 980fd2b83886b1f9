//! What a gate hands out: places and waits, tickets, puzzles; and the numbers for them.

use super::door::Door;
use super::knock::{Gate, Shown};
use super::lanes::Lane;
use super::limits::{
    PLACE_AGE_MIN_MS, PLACE_LIFE_MS, POLL_MS_MIN, PUZZLE_LIFE_MS, RESUME_LIFE_MS, TICKET_LIFE_MS,
};
use super::line::{Estimate, Place, poll_after};
use super::mode::Mode;
use super::prefix::Charge;
use super::puzzle::Cohort;
use super::seats::SeatId;
use super::ticket::{Kind, Token, TokenText};
use super::verdict::{Ask, Cause, Knock, Puzzle, Shows, Times, Verdict, Waiting};
use crate::ids::UnixMillis;

impl Gate {
    pub(super) fn wait(
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
    pub(super) fn kept(
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

    pub(super) fn place(
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

    pub(super) fn ticket(
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

    pub(super) fn puzzle(&mut self, door: &Door, charge: &Charge, times: Times) -> Puzzle {
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
    pub(super) fn seal(
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

/// Numbers nobody outside can foresee: keyed BLAKE3 of a counter, four at a time.
pub(super) struct Dice {
    seed: [u8; 32],
    count: u64,
    left: [u64; 4],
    at: usize,
}

impl Dice {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            count: 0,
            left: [0; 4],
            at: 4,
        }
    }

    pub(super) fn roll(&mut self) -> u64 {
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
