//! What those take who only ask: of open files, while a crowd presses.

use hustings_control::gate::Resource;

use super::claim::Point;
use super::curve::Estimate;

/// Files of those who ask, while people press: what is told of a load that is held has none of them.
pub(super) struct Asking {
    mean: f64,
    most: f64,
}

impl Asking {
    pub(super) fn of(resource: Resource, points: &[Point]) -> Self {
        let files = points.iter().filter(|_| resource == Resource::Files);
        let count = files.clone().count().max(1) as f64;
        let (sum, most) = files.fold((0.0, 0.0_f64), |(sum, most), point| {
            (sum + point.asking, most.max(point.asking))
        });
        Self {
            mean: sum / count,
            most,
        }
    }

    /// How many listeners fit beside them: as many ask as did in the mean, or the most, or nobody.
    pub(super) fn beside(&self, ends: Estimate, each: f64) -> Estimate {
        Estimate {
            value: ends.value - self.mean / each,
            low: ends.low - self.most / each,
            high: ends.high,
        }
    }
}
