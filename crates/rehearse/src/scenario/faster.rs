//! A night in less time: the same people, troubles and attackers, all of them so many times as soon.

use super::night::{Group, Night, Space, Timed, Trouble};

/// Times as fast at most: an hour in less than a minute, and a judge that needs a minute of rows says nothing.
pub const FASTER_MOST: f64 = 100.0;

impl Night {
    /// The same night `times` as fast, 1 to [`FASTER_MOST`]. How long the node is down, and how often an attacker knocks, stays as it
    /// is: machines do not hurry. The same people in less time are a steeper crowd.
    #[must_use]
    pub fn faster(mut self, times: f64) -> Self {
        let times = times.clamp(1.0, FASTER_MOST);
        let sooner = |millis: &mut u32| *millis = (f64::from(*millis) / times) as u32;
        sooner(&mut self.millis);
        for Space {
            draw_ms, live_ms, ..
        } in &mut self.spaces
        {
            draw_ms.iter_mut().chain(live_ms).for_each(sooner);
        }
        for group in &mut self.groups {
            let Group {
                from_ms,
                over_ms,
                stay_ms,
                patience_ms,
                knocks,
                ..
            } = group;
            [from_ms, over_ms, patience_ms].into_iter().for_each(sooner);
            knocks
                .iter_mut()
                .for_each(|knocks| sooner(&mut knocks.until_ms));
            *stay_ms /= times;
        }
        for Timed { at_ms, trouble } in &mut self.troubles {
            sooner(at_ms);
            if let Trouble::Leave { over_ms, .. } = trouble {
                sooner(over_ms);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{LIBRARY, Sight, What, Wish, library};

    #[test]
    fn every_night_is_the_same_so_many_times_as_soon() {
        for (name, _) in LIBRARY {
            let wish = Wish {
                seed: 5,
                sight: Sight::Seen,
                scale: None,
            };
            let file = library(name).expect("known").expect("good");
            let night = file.night(wish).expect("drawn");
            let fast = night.clone().faster(4.0);
            assert_eq!(
                (fast.people(), fast.millis),
                (night.people(), night.millis / 4),
                "{name}"
            );
            let troubles = |night: &crate::Night| {
                night
                    .actions()
                    .filter(|one| matches!(one.what, What::Trouble(_)))
                    .count()
            };
            assert_eq!(troubles(&fast), troubles(&night), "{name}");
            let last = |night: &crate::Night| night.actions().last().expect("somebody comes").at_ms;
            assert!(last(&fast).abs_diff(last(&night) / 4) <= 2, "{name}");
            assert_eq!(night.clone().faster(1.0), night, "{name}");
        }
    }
}
