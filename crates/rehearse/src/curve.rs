//! How a crowd arrives: the share that has come by each share of the time, as lines between points, so that every machine
//! computes the same.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// As many each second.
    Steady,
    /// Announced for a quarter of the time in: a third is early and takes part in the draw, most come at the start.
    Announced,
    /// A notification goes out early on, and half of all come within the next twentieth of the time.
    Push,
    /// All come in the first third; at half time the sound breaks for everybody inside, and all come again.
    Cliff,
}

impl Curve {
    pub const ALL: [Self; 4] = [Self::Steady, Self::Announced, Self::Push, Self::Cliff];

    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Announced => "announced",
            Self::Push => "push",
            Self::Cliff => "cliff",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// Share of the time at which the draw is, if there is one.
    pub(crate) fn draw(self) -> Option<f64> {
        (self == Self::Announced).then_some(0.25)
    }

    /// Share of the time at which everybody inside falls out.
    pub(crate) fn falls(self) -> Option<f64> {
        (self == Self::Cliff).then_some(0.5)
    }

    /// How many of `people` have come by this share of the time.
    #[cfg(test)]
    pub(crate) fn arrived(self, people: u32, time: f64) -> u32 {
        let mut before = (0.0, 0.0);
        for point in self.points() {
            if time < point.0 {
                let part = (time - before.0) / (point.0 - before.0);
                let share = before.1 + part * (point.1 - before.1);
                return (share * f64::from(people)) as u32;
            }
            before = *point;
        }
        people
    }

    pub(crate) fn points(self) -> &'static [(f64, f64)] {
        match self {
            Self::Steady => &[(0.98, 1.0)],
            Self::Announced => &[
                (0.15, 0.08),
                (0.22, 0.2),
                (0.25, 0.33),
                (0.28, 0.6),
                (0.35, 0.8),
                (0.5, 0.92),
                (0.95, 1.0),
            ],
            Self::Push => &[
                (0.05, 0.01),
                (0.06, 0.08),
                (0.1, 0.5),
                (0.15, 0.72),
                (0.25, 0.9),
                (0.5, 0.98),
                (0.95, 1.0),
            ],
            Self::Cliff => &[(0.05, 0.1), (0.2, 0.8), (0.33, 1.0)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_and_nobody_goes_back() {
        for curve in Curve::ALL {
            let mut before = 0;
            for step in 0..=1_000 {
                let arrived = curve.arrived(1_000_003, f64::from(step) / 1_000.0);
                assert!(before <= arrived, "{curve:?} at {step}");
                before = arrived;
            }
            assert_eq!(before, 1_000_003, "{curve:?}");
            assert_eq!(Curve::from_name(curve.name()), Some(curve));
        }
    }
}
