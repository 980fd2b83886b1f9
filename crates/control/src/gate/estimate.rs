//! How long a wait will be, and when a waiter asks again.

use super::limits::{POLL_MS_MAX, POLL_MS_MIN, POLL_MS_UNKNOWN};

/// How long a wait will be, as far as the line's pace of the last minute tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// The line has no pace yet: nobody can know.
    Unknown,
    /// Seconds, from a quick to a slow minute.
    Between(u32, u32),
}

/// Milliseconds until the next poll: most of the way to the expected turn, and a twentieth of that as jitter, so that a
/// waiter asks about five times in all, however long it takes. `random` spreads those who came together.
pub fn poll_after(wait: Estimate, random: u32) -> u32 {
    let jitter =
        |ms: u32, part: u32| ms + ((u64::from(ms / part) * u64::from(random)) >> 32) as u32;
    match wait {
        Estimate::Unknown => jitter(POLL_MS_UNKNOWN, 1),
        Estimate::Between(quick, slow) => {
            let middle = (u64::from(quick) + u64::from(slow)) * 500;
            let sleep = middle * 17 / 20;
            if sleep < u64::from(POLL_MS_MIN) {
                return jitter(POLL_MS_MIN, 1);
            }
            jitter(sleep.min(u64::from(POLL_MS_MAX)) as u32, 20)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is told the truth asks about five times, from a wait of seconds to one of hours.
    #[test]
    fn about_five_answers_a_waiter() {
        for (seconds, most) in [(20_u32, 4), (60, 5), (300, 6), (1_200, 6), (7_200, 10)] {
            for random in [0, u32::MAX / 2, u32::MAX] {
                let (mut left, mut answers) = (i64::from(seconds) * 1_000, 1);
                while left > 0 {
                    let rest = (left / 1_000) as u32;
                    left -= i64::from(poll_after(
                        Estimate::Between(rest * 4 / 5, rest * 5 / 4),
                        random,
                    ));
                    answers += 1;
                }
                assert!(answers <= most, "{seconds} s: {answers} answers");
                assert!(left > -60_000, "{seconds} s: asks {left} ms too late");
            }
        }
    }
}
