//! Reactions of listeners: a few words, counted for a space as a whole. Nobody is remembered, nothing is stored.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::ids::UnixMillis;
use crate::limits::{
    REACTION_BUCKETS, REACTION_BURST, REACTION_REFILL_MS, REACTION_WINDOW_MS, REACTION_WINDOWS,
};
use crate::spaces::{Phase, Refusal, Space};

/// What a listener can say by one press. The order is that of [`Counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    Applaud,
    Agree,
    Disagree,
    /// "Speak up": whoever talks is too quiet.
    Louder,
}

impl Reaction {
    pub const ALL: [Self; 4] = [Self::Applaud, Self::Agree, Self::Disagree, Self::Louder];

    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Presses of each reaction, in the order of [`Reaction::ALL`].
pub type Counts = [u32; Reaction::ALL.len()];

impl Space {
    /// Reactions are to what is said: they are counted while it is live.
    ///
    /// # Errors
    /// [`Refusal::WrongPhase`] in every other phase.
    pub fn takes_reactions(&self) -> Result<(), Refusal> {
        if self.phase == Phase::Live {
            Ok(())
        } else {
            Err(Refusal::WrongPhase {
                phase: self.phase,
                why: "reactions are counted while it is live",
            })
        }
    }
}

/// Presses of the last `REACTION_WINDOWS` windows. A press is forgotten with its window.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Number of the window and what was pressed in it, oldest first.
    windows: VecDeque<(u64, Counts)>,
    sum: Counts,
}

impl Recent {
    /// Adds what was pressed since the last call, and gives the sum over the windows that count now.
    pub fn add(&mut self, pressed: Counts, now: UnixMillis) -> Counts {
        let window = now.0 / REACTION_WINDOW_MS;
        // A clock that was set back must not keep old windows for ever.
        self.windows
            .retain(|(at, _)| *at <= window && window - *at < REACTION_WINDOWS);
        if pressed.iter().any(|count| *count > 0) {
            match self.windows.back_mut() {
                Some((at, counts)) if *at == window => add(counts, pressed),
                _ => self.windows.push_back((window, pressed)),
            }
        }
        self.sum = Counts::default();
        for (_, counts) in &self.windows {
            add(&mut self.sum, *counts);
        }
        self.sum
    }
}

fn add(to: &mut Counts, more: Counts) {
    for (count, more) in to.iter_mut().zip(more) {
        *count = count.saturating_add(more);
    }
}

/// How often one network may press. It knows no addresses, only the salted hash that the shell makes of a prefix; two
/// prefixes that fall into one bucket share its rate.
#[derive(Clone, Debug)]
pub struct PressLimit {
    /// Milliseconds at which the bucket would be full again.
    full_at: Vec<u64>,
}

impl Default for PressLimit {
    fn default() -> Self {
        Self {
            full_at: vec![0; REACTION_BUCKETS],
        }
    }
}

impl PressLimit {
    /// False: this press is one too many for its network just now.
    pub fn press(&mut self, prefix_hash: u64, now: UnixMillis) -> bool {
        let buckets = self.full_at.len() as u64;
        let index = usize::try_from(prefix_hash % buckets).unwrap_or_default();
        let Some(full_at) = self.full_at.get_mut(index) else {
            return false;
        };
        let most = REACTION_BURST * REACTION_REFILL_MS;
        // After the clock was set back a bucket is at most empty, not closed for hours.
        let from = (*full_at).clamp(now.0, now.0 + most);
        let allowed = from + REACTION_REFILL_MS <= now.0 + most;
        *full_at = from + if allowed { REACTION_REFILL_MS } else { 0 };
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPLAUSE: Counts = [1, 0, 0, 0];

    #[test]
    fn presses_count_for_their_windows_and_are_forgotten() {
        let mut recent = Recent::default();
        let span = REACTION_WINDOW_MS * REACTION_WINDOWS;
        assert_eq!(recent.add(APPLAUSE, UnixMillis(span)), [1, 0, 0, 0]);
        assert_eq!(
            recent.add([2, 0, 5, 0], UnixMillis(span + 600)),
            [3, 0, 5, 0]
        );
        assert_eq!(
            recent.add(Counts::default(), UnixMillis(2 * span - 1)),
            [3, 0, 5, 0]
        );
        assert_eq!(
            recent.add(Counts::default(), UnixMillis(2 * span)),
            [2, 0, 5, 0]
        );
        assert_eq!(
            recent.add(Counts::default(), UnixMillis(2 * span + 600)),
            Counts::default()
        );
        assert!(recent.windows.is_empty());
    }

    #[test]
    fn presses_neither_overflow_nor_outlast_a_clock_that_goes_back() {
        let mut recent = Recent::default();
        let now = UnixMillis(1_000_000);
        recent.add([u32::MAX; 4], now);
        assert_eq!(recent.add([u32::MAX; 4], now), [u32::MAX; 4]);
        assert_eq!(recent.add(APPLAUSE, UnixMillis(5_000)), APPLAUSE);
        for at in 0..10_000 {
            recent.add(APPLAUSE, UnixMillis(at * 10));
        }
        assert!(recent.windows.len() as u64 <= REACTION_WINDOWS);
    }

    #[test]
    fn a_network_presses_a_burst_and_then_at_its_rate() {
        let mut limit = PressLimit::default();
        let now = UnixMillis(10_000_000);
        let burst = (0..1_000).filter(|_| limit.press(7, now)).count() as u64;
        assert_eq!(burst, REACTION_BURST);
        let later = UnixMillis(now.0 + 10 * REACTION_REFILL_MS);
        assert_eq!((0..1_000).filter(|_| limit.press(7, later)).count(), 10);
        assert!(limit.press(8, now), "another network has its own rate");
        let back = UnixMillis(1_000);
        assert!(!limit.press(7, back), "a clock set back gives nothing away");
        assert!(
            limit.press(7, UnixMillis(back.0 + 60_000)),
            "and closes nothing for hours"
        );
    }
}
