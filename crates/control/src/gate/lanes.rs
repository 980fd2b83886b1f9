//! Lanes: the four ways in when seats are short, and how free seats are dealt out among them.

use super::limits::SEATS_MAX;

/// The four ways in when seats are short.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Was inside: always first.
    Resume = 0,
    /// Ticket issued before the event.
    Invited = 1,
    /// Waits, computes nothing. All who show nothing count here.
    Free = 2,
    /// Has solved a puzzle.
    Effort = 3,
}

pub const LANES: usize = 4;

impl Lane {
    pub const ALL: [Self; LANES] = [Self::Resume, Self::Invited, Self::Free, Self::Effort];

    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    pub fn name(self) -> &'static str {
        ["resume", "invited", "free", "effort"][self as usize]
    }
}

/// Guaranteed shares of the admissions that remain when resume has had its own; what a lane does not use flows to the others.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    pub invited: f64,
    /// At least 0.3: waiting must always be a way in.
    pub free: f64,
    /// At most 0.3, and never more while others wait: native solvers are thousands of times faster than browsers.
    pub effort: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            invited: 0.4,
            free: 0.5,
            effort: 0.1,
        }
    }
}

impl Shares {
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let all = [self.invited, self.free, self.effort];
        if all
            .iter()
            .any(|share| !share.is_finite() || !(0.0..=1.0).contains(share))
        {
            Some("a lane's share lies between 0 and 1")
        } else if all.iter().sum::<f64>() > 1.0 + 1e-9 {
            Some("the lanes' shares are more than 1 together")
        } else if self.free < 0.3 {
            Some("the free lane has at least 0.3 of the seats")
        } else if self.effort > 0.3 {
            Some("the effort lane has at most 0.3 of the seats")
        } else {
            None
        }
    }

    fn of(&self, lane: usize) -> f64 {
        [1.0, self.invited, self.free, self.effort][lane]
    }
}

/// Deals seats to lanes by stride: each seat goes to the lane that has had least of its share. A lane that was idle does
/// not save up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dealer {
    had: [f64; LANES],
}

impl Dealer {
    /// What was really used since the last time.
    pub(crate) fn used(&mut self, shares: &Shares, used: [u32; LANES]) {
        for (lane, used) in used.into_iter().enumerate().skip(1) {
            self.had[lane] += f64::from(used) / shares.of(lane).max(1e-3);
        }
    }

    /// Credits for each lane, `seats` in all: resume first, then what is wanted, then the rest.
    pub(crate) fn deal(
        &mut self,
        shares: &Shares,
        seats: u32,
        wanted: [u32; LANES],
    ) -> [u32; LANES] {
        debug_assert!(seats <= SEATS_MAX);
        let mut dealt = [0; LANES];
        let mut left = seats;
        dealt[0] = wanted[0].min(left);
        left -= dealt[0];
        // An idle lane starts level with the busy ones when it comes back.
        let busy = (1..LANES).filter(|lane| wanted[*lane] > 0);
        let floor = busy
            .map(|lane| self.had[lane])
            .fold(f64::INFINITY, f64::min);
        if floor.is_finite() {
            for lane in 1..LANES {
                self.had[lane] = (self.had[lane].max(floor) - floor).min(f64::from(SEATS_MAX));
            }
        }
        left -= self.stride(shares, left, &wanted, &mut dealt);
        // What nobody has asked for lies ready for who comes first, in the same shares.
        self.stride(shares, left, &[0, u32::MAX, u32::MAX, u32::MAX], &mut dealt);
        dealt
    }

    /// Deals in at most some hundred strides, however many seats there are; returns how many it dealt.
    fn stride(
        &self,
        shares: &Shares,
        seats: u32,
        wanted: &[u32; LANES],
        dealt: &mut [u32; LANES],
    ) -> u32 {
        let had =
            |lane: usize, dealt: u32| self.had[lane] + f64::from(dealt) / shares.of(lane).max(1e-3);
        let mut left = seats;
        while left > 0 {
            // Of equals the free lane is first.
            let open = [2, 1, 3]
                .into_iter()
                .filter(|lane| dealt[*lane] < wanted[*lane]);
            let least = open.min_by(|a, b| had(*a, dealt[*a]).total_cmp(&had(*b, dealt[*b])));
            let Some(lane) = least else { break };
            let stride = (left / 32).max(1).min(wanted[lane] - dealt[lane]);
            dealt[lane] += stride;
            left -= stride;
        }
        seats - left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(wanted: [u32; LANES], seats: u32, times: u32) -> [u32; LANES] {
        let (shares, mut dealer, mut sum) = (Shares::default(), Dealer::default(), [0; LANES]);
        for _ in 0..times {
            let dealt = dealer.deal(&shares, seats, wanted);
            dealer.used(&shares, dealt);
            for lane in 0..LANES {
                sum[lane] += dealt[lane];
            }
        }
        sum
    }

    #[test]
    fn shares_hold_when_all_want_and_flow_when_not() {
        let close = |a: u32, b: u32| a.abs_diff(b) <= 20;
        for seats in [1, 3, 10, 1_000] {
            let sum = run([0, 9_999, 9_999, 9_999], seats, 1_000 / seats);
            let all: u32 = sum.iter().sum();
            assert!(
                close(sum[1], all * 4 / 10) && close(sum[2], all / 2),
                "{seats}: {sum:?}"
            );
        }
        assert_eq!(
            run([0, 0, 0, 500], 1, 100),
            [0, 0, 0, 100],
            "unused shares flow"
        );
        let sum = run([0, 0, 900, 900], 6, 100);
        assert!(close(sum[3], 100), "{sum:?}");
        assert_eq!(run([4, 9, 9, 9], 3, 1), [3, 0, 0, 0], "resume first");
        assert_eq!(run([0, 0, 1, 0], 1, 1), [0, 0, 1, 0], "who wants is first");
        assert_eq!(
            run([0, 1, 1, 1], 300, 1).iter().sum::<u32>(),
            300,
            "nothing lies idle"
        );
    }

    #[test]
    fn an_idle_lane_saves_nothing_up() {
        let (shares, mut dealer) = (Shares::default(), Dealer::default());
        for _ in 0..1_000 {
            let dealt = dealer.deal(&shares, 10, [0, 0, 100, 0]);
            dealer.used(&shares, dealt);
        }
        let dealt = dealer.deal(&shares, 100, [0, 0, 100, 100]);
        assert!(dealt[3] < 25, "{dealt:?}");
    }

    #[test]
    fn shares_are_checked() {
        let good = Shares::default();
        assert_eq!(good.fault(), None);
        for bad in [
            Shares {
                invited: 0.9,
                ..good
            },
            Shares { free: 0.29, ..good },
            Shares {
                effort: 0.31,
                invited: 0.1,
                ..good
            },
            Shares {
                effort: -0.1,
                ..good
            },
            Shares {
                invited: f64::NAN,
                ..good
            },
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
