//! What an operator may set of the gate, checked before anything is built.

use super::lanes::Shares;
use super::limits::{SEATS_MAX, SHARDS_MAX};
use super::prefix::Caps;

#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The most listeners of the node. What the load allows may be fewer.
    pub seats: u32,
    /// Shards, each with a gate.
    pub shards: u32,
    /// Share of the node's seats that each space is guaranteed unless it says otherwise. With more spaces than fit, all shrink alike.
    pub guarantee: f64,
    pub shares: Shares,
    pub caps: Caps,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seats: 20_000,
            shards: 1,
            guarantee: 0.1,
            shares: Shares::default(),
            caps: Caps::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    #[error("seats must lie between 1 and {SEATS_MAX}")]
    Seats,
    #[error("shards must lie between 1 and {SHARDS_MAX}")]
    Shards,
    #[error("a space's guaranteed share lies between 0 and 1")]
    Guarantee,
    #[error("{0}")]
    Shares(&'static str),
    #[error("the caps for /64 and /48 are at least 1, and that for /48 is not the smaller")]
    Caps,
}

impl Settings {
    /// # Errors
    /// The first value that makes no sense.
    pub fn check(&self) -> Result<(), BadSettings> {
        if !(1..=SEATS_MAX).contains(&self.seats) {
            return Err(BadSettings::Seats);
        }
        if !(1..=SHARDS_MAX).contains(&self.shards) {
            return Err(BadSettings::Shards);
        }
        check_guarantee(self.guarantee)?;
        if let Some(fault) = self.shares.fault() {
            return Err(BadSettings::Shares(fault));
        }
        if self.caps.fine == 0 || self.caps.wide < self.caps.fine {
            return Err(BadSettings::Caps);
        }
        Ok(())
    }
}

pub(crate) fn check_guarantee(share: f64) -> Result<(), BadSettings> {
    if (0.0..=1.0).contains(&share) {
        Ok(())
    } else {
        Err(BadSettings::Guarantee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let good = Settings::default();
        assert_eq!(good.check(), Ok(()));
        let shares = |effort| Shares {
            effort,
            ..Shares::default()
        };
        let cases = [
            (Settings { seats: 0, ..good }, BadSettings::Seats),
            (
                Settings {
                    seats: SEATS_MAX + 1,
                    ..good
                },
                BadSettings::Seats,
            ),
            (Settings { shards: 0, ..good }, BadSettings::Shards),
            (
                Settings {
                    guarantee: 1.1,
                    ..good
                },
                BadSettings::Guarantee,
            ),
            (
                Settings {
                    guarantee: f64::NAN,
                    ..good
                },
                BadSettings::Guarantee,
            ),
            (
                Settings {
                    caps: Caps { fine: 0, wide: 1 },
                    ..good
                },
                BadSettings::Caps,
            ),
            (
                Settings {
                    caps: Caps { fine: 2, wide: 1 },
                    ..good
                },
                BadSettings::Caps,
            ),
        ];
        for (settings, fault) in cases {
            assert_eq!(settings.check(), Err(fault));
        }
        assert!(matches!(
            Settings {
                shares: shares(2.0),
                ..good
            }
            .check(),
            Err(BadSettings::Shares(_))
        ));
    }
}
