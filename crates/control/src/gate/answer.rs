//! What a gate hands out: places and waits, tickets, puzzles; and the numbers for them.

use std::sync::atomic::Ordering::Relaxed;

use super::door::Door;
use super::knock::{Gate, Shown};
use super::lanes::Lane;
use super::limits::{
    DRAW_SPREAD_MS, PLACE_AGE_MIN_MS, PLACE_LIFE_MS, POLL_MS_BUSY, POLL_MS_CALLED, POLL_MS_MIN,
    POLL_MS_UNKNOWN, POLL_OTHERS, PUZZLE_LIFE_MS, RESUME_LIFE_MS, TICKET_LIFE_MS,
};
use super::line::{Estimate, Place, poll_after};
use super::mode::Mode;
use super::prefix::Charge;
use super::puzzle::Cohort;
use super::seats::SeatId;
use super::ticket::{Kind, Token, TokenText};
use super::verdict::{Ask, Cause, Knock, Puzzle, Shows, Times, Verdict, Waiting};
use crate::ids::UnixMillis;

/// Why somebody stands in line; other causes are over in a moment, or none of the line's.
const FOR_A_SEAT: [Cause; 4] = [
    Cause::NotYourTurn,
    Cause::NoSeat,
    Cause::PrefixShare,
    Cause::NodeFull,
];

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
            // Who need not wait needs no place.
            (None, None, Ask::Right | Ask::Puzzle)
                if cause != Cause::Open
                    && !matches!(knock.shows, Shows::Token(_))
                    && self.may_mint(charge) =>
            {
                let place = line.mint((self.dice.roll() >> 32) as u32);
                let id = self.dice.roll();
                (
                    Some(place),
                    Some(self.place(knock.door, place, id, charge, times)),
                )
            }
            _ => (None, None),
        };
        let position = place.map_or(0, |place| line.position(place));
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
        let turn = Turn {
            wait,
            called,
            placed: place.is_some(),
            since: held.map_or(times.wall, |(_, token)| token.issued),
            lane: shown.right.map_or(Lane::Free, |right| right.lane),
        };
        let poll_ms = poll(knock.door, cause, &turn, times, random);
        if held.is_some() && FOR_A_SEAT.contains(&cause) {
            line.asking.told(poll_ms, times.now);
        }
        Verdict::Wait(Waiting {
            cause,
            place: text,
            ahead,
            position,
            wait,
            poll_ms,
        })
    }

    fn may_mint(&self, charge: &Charge) -> bool {
        let second = self.hall.second.load(Relaxed);
        self.hall.mints.take(charge.spread(), second)
    }

    /// The seat is there, or none is held any more: one asks for the sound; with a right, by this ticket.
    pub(super) fn open(
        &self,
        door: &Door,
        right: Option<(Lane, SeatId)>,
        charge: &Charge,
        times: Times,
    ) -> Verdict {
        let ticket = right.map(|(lane, id)| self.ticket(door, lane, id, charge, times));
        outside_the_line(Cause::Open, ticket, 0)
    }

    /// The right is good and has come in too often of late: it waits for so many seconds, and nothing else is done for it.
    pub(super) fn too_often(&mut self, rest_s: u32) -> Verdict {
        let random = (self.dice.roll() >> 32) as u32;
        let rest_ms = rest_s.saturating_mul(1_000);
        let poll_ms = rest_ms.saturating_add(((1_000 * u64::from(random)) >> 32) as u32);
        outside_the_line(Cause::TooOften, None, poll_ms)
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

/// Whom no place is before.
fn outside_the_line(cause: Cause, place: Option<TokenText>, poll_ms: u32) -> Verdict {
    Verdict::Wait(Waiting {
        cause,
        place,
        ahead: 0,
        position: 0,
        wait: Estimate::Between(0, 0),
        poll_ms,
    })
}

/// What one who waits has to go by.
struct Turn {
    wait: Estimate,
    called: bool,
    placed: bool,
    since: UnixMillis,
    lane: Lane,
}

/// Milliseconds until it is worth asking again.
fn poll(door: &Door, cause: Cause, turn: &Turn, times: Times, random: u32) -> u32 {
    let storm = door.mode() == Mode::Storm;
    match (cause, door.line.draws_in_ms(times.now)) {
        (Cause::Open, _) => 0,
        (Cause::NotYourTurn | Cause::NoRight, Some(draw)) if storm && !turn.called => {
            let spread = (u64::from(DRAW_SPREAD_MS) * u64::from(random)) >> 32;
            (draw.min(u64::from(u32::MAX / 2)) as u32).saturating_add(spread as u32)
        }
        // A busy door calls everyone within a tick; the place has to be old enough.
        (Cause::NoRight, _) if !storm => {
            PLACE_AGE_MIN_MS as u32 + ((u64::from(POLL_MS_BUSY) * u64::from(random)) >> 32) as u32
        }
        // A player keeps no place: there is nothing for it until the storm is over.
        (Cause::NoRight, None) if !turn.placed => poll_after(Estimate::Unknown, random),
        _ if turn.called => {
            let since_ms = times.wall.0.saturating_sub(turn.since.0);
            let others = match turn.lane {
                Lane::Resume => 0,
                lane => door.lanes[lane as usize].unmet.load(Relaxed),
            };
            poll_called(cause, since_ms, others, random)
        }
        _ => poll_after(turn.wait, random),
    }
}

/// Milliseconds until one whose turn has come asks again. Whose prefix has its share waits for others to leave, which may
/// take as long again: a quarter of the time since it got its place, so that it asks some ten times and not each second. Who
/// finds no seat asks the more seldom the more `others` found none in this tick, whoever came first: seats fall free one by one.
fn poll_called(cause: Cause, since_ms: u64, others: u32, random: u32) -> u32 {
    let least = u64::from(POLL_MS_MIN);
    let (sleep, most) = match cause {
        Cause::PrefixShare => (since_ms / 4, POLL_MS_CALLED),
        Cause::NoSeat => (least * u64::from(1 + others / POLL_OTHERS), POLL_MS_UNKNOWN),
        _ => (least, POLL_MS_MIN),
    };
    let sleep = sleep.clamp(least, u64::from(most));
    (sleep + ((sleep * u64::from(random)) >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_over_its_share_asks_seldom_and_who_lacks_a_seat_by_how_many_do() {
        let (mut at, mut asked) = (1_000, 0);
        while at < 15 * 60_000 {
            at += u64::from(poll_called(Cause::PrefixShare, at, 0, u32::MAX / 2));
            asked += 1;
        }
        assert!(
            (10..40).contains(&asked),
            "{asked} times in a quarter of an hour"
        );
        assert!(poll_called(Cause::PrefixShare, u64::MAX, 0, u32::MAX) <= 2 * POLL_MS_CALLED);
        assert!(poll_called(Cause::NoSeat, 900_000, 1, u32::MAX) <= 2 * POLL_MS_MIN);
        assert!(poll_called(Cause::NoSeat, 0, 1_000_000, 0) == POLL_MS_UNKNOWN);
    }
}
