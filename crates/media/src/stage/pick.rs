//! Who is decoded and mixed: the loudest few, held long enough that nobody flaps.

use crate::limits::PICKED_MAX;

/// dB. Louder counts as speaking.
const SPEAKING_DB: f32 = -52.0;
/// Ticks (2 s). A pause for breath or thought keeps the place.
const HOLD_TICKS: u32 = 100;
/// dB by which a newcomer must be louder than the quietest who is picked …
const OUTBID_DB: f32 = 6.0;
/// … for so many ticks in a row (200 ms), when all places are taken by people speaking.
const OUTBID_TICKS: u32 = 10;

/// A source's standing between ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    pub(super) picked: bool,
    quiet_ticks: u32,
    bidding_ticks: u32,
}

/// Who can be picked.
pub(super) trait Candidate {
    fn standing(&self) -> &Standing;
    fn standing_mut(&mut self) -> &mut Standing;
    fn loudness_db(&self) -> f32;
    /// Unmuted, here, on air.
    fn may(&self) -> bool;
}

/// Renews the pick. `candidates` are in seat order, which breaks ties, so that the same input gives the same pick.
pub(super) fn pick<C: Candidate>(candidates: &mut [C]) {
    for candidate in candidates.iter_mut() {
        let may = candidate.may();
        let speaking = may && candidate.loudness_db() > SPEAKING_DB;
        let standing = candidate.standing_mut();
        standing.quiet_ticks = if speaking {
            0
        } else {
            standing.quiet_ticks.saturating_add(1)
        };
        standing.picked &= may && standing.quiet_ticks <= HOLD_TICKS;
        if !speaking || standing.picked {
            standing.bidding_ticks = 0;
        }
    }
    for _ in 0..PICKED_MAX {
        let Some(best) = loudest_waiting(candidates) else {
            return;
        };
        let taken = candidates
            .iter()
            .filter(|candidate| candidate.standing().picked)
            .count();
        if taken >= PICKED_MAX && !make_room(candidates, best) {
            return;
        }
        let standing = candidates[best].standing_mut();
        standing.picked = true;
        standing.bidding_ticks = 0;
    }
}

fn speaking<C: Candidate>(candidate: &C) -> bool {
    candidate.standing().quiet_ticks == 0
}

fn loudest_waiting<C: Candidate>(candidates: &[C]) -> Option<usize> {
    let waiting = candidates
        .iter()
        .enumerate()
        .filter(|(_, c)| speaking(*c) && !c.standing().picked);
    waiting
        .reduce(|best, other| {
            if other.1.loudness_db() > best.1.loudness_db() {
                other
            } else {
                best
            }
        })
        .map(|(index, _)| index)
}

/// Takes the place of the longest silent, else of the quietest if the newcomer has outbid it long enough.
fn make_room<C: Candidate>(candidates: &mut [C], newcomer: usize) -> bool {
    let bid = candidates[newcomer].loudness_db();
    let holders = |speaks: bool| {
        candidates
            .iter()
            .enumerate()
            .filter(move |(_, c)| c.standing().picked && speaking(*c) == speaks)
    };
    let silent = holders(false).reduce(|most, other| {
        if other.1.standing().quiet_ticks > most.1.standing().quiet_ticks {
            other
        } else {
            most
        }
    });
    let quietest = holders(true).reduce(|least, other| {
        if other.1.loudness_db() < least.1.loudness_db() {
            other
        } else {
            least
        }
    });
    let silent = silent.map(|(index, _)| index);
    let outbid = quietest
        .filter(|(_, c)| bid >= c.loudness_db() + OUTBID_DB)
        .map(|(index, _)| index);
    let standing = candidates[newcomer].standing_mut();
    standing.bidding_ticks = if outbid.is_some() {
        standing.bidding_ticks + 1
    } else {
        0
    };
    let waited = standing.bidding_ticks >= OUTBID_TICKS;
    let Some(leaves) = silent.or(outbid.filter(|_| waited)) else {
        return false;
    };
    candidates[leaves].standing_mut().picked = false;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Speaker {
        standing: Standing,
        loudness_db: f32,
    }

    impl Candidate for Speaker {
        fn standing(&self) -> &Standing {
            &self.standing
        }
        fn standing_mut(&mut self) -> &mut Standing {
            &mut self.standing
        }
        fn loudness_db(&self) -> f32 {
            self.loudness_db
        }
        fn may(&self) -> bool {
            true
        }
    }

    struct Table {
        speakers: Vec<Speaker>,
        changes: usize,
    }

    impl Table {
        fn new(seats: usize) -> Self {
            Self {
                speakers: (0..seats).map(|_| Speaker::default()).collect(),
                changes: 0,
            }
        }

        fn run(&mut self, ticks: usize, loudness: impl Fn(usize, usize) -> f32) -> Vec<usize> {
            for tick in 0..ticks {
                let before: Vec<bool> = self.speakers.iter().map(|s| s.standing.picked).collect();
                for (seat, speaker) in self.speakers.iter_mut().enumerate() {
                    speaker.loudness_db = loudness(seat, tick);
                }
                pick(&mut self.speakers);
                self.changes += self
                    .speakers
                    .iter()
                    .zip(before)
                    .filter(|(s, was)| s.standing.picked != *was)
                    .count();
            }
            self.speakers
                .iter()
                .enumerate()
                .filter(|(_, s)| s.standing.picked)
                .map(|(seat, _)| seat)
                .collect()
        }
    }

    #[test]
    fn the_loudest_are_picked_at_once() {
        let mut table = Table::new(13);
        let picked = table.run(1, |seat, _| {
            if seat % 2 == 0 {
                -20.0 - seat as f32
            } else {
                -90.0
            }
        });
        assert_eq!(picked, [0, 2, 4, 6, 8, 10]);
    }

    #[test]
    fn a_pause_keeps_the_place_and_silence_frees_it() {
        let mut table = Table::new(2);
        assert_eq!(
            table.run(1, |seat, _| if seat == 0 { -20.0 } else { -90.0 }),
            [0]
        );
        assert_eq!(table.run(100, |_, _| -90.0), [0]);
        assert!(table.run(1, |_, _| -90.0).is_empty());
    }

    #[test]
    fn equals_do_not_flap() {
        let mut table = Table::new(13);
        table.run(1_000, |seat, tick| {
            -20.0 - ((seat * 31 + tick * 17) % 5) as f32
        });
        assert_eq!(table.changes, PICKED_MAX);
    }

    #[test]
    fn a_much_louder_one_gets_in_after_a_moment() {
        let mut table = Table::new(7);
        table.run(10, |seat, _| if seat < 6 { -30.0 } else { -90.0 });
        let shout = |seat: usize, _| if seat < 6 { -30.0 } else { -20.0 };
        assert!(!table.run(9, shout).contains(&6));
        assert!(table.run(1, shout).contains(&6));
        assert_eq!(table.run(100, shout).len(), PICKED_MAX);
    }
}
