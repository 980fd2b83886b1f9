//! How long people waited: counts of tenths of a second, so that millions take little room and quantiles are exact to 0.1 s.

#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    tenths: Vec<u32>,
    count: u64,
}

impl Waits {
    pub(crate) fn add(&mut self, millis: u32) {
        let tenth = (millis / 100) as usize;
        if tenth >= self.tenths.len() {
            self.tenths.resize(tenth + 1, 0);
        }
        self.tenths[tenth] += 1;
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Seconds that this share of them waited at most; `None` when nobody did.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (count, tenth) in self.tenths.iter().zip(0_u32..) {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(f64::from(tenth) / 10.0);
            }
        }
        None
    }

    /// Share of them that waited at most so many seconds.
    pub(crate) fn within(&self, seconds: u32) -> f64 {
        let most = self.tenths.len().min(seconds as usize * 10 + 1);
        let within: u64 = self.tenths[..most]
            .iter()
            .map(|count| u64::from(*count))
            .sum();
        within as f64 / self.count.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile(0.5), None);
        (0..100).for_each(|second| waits.add(second * 1_000));
        assert_eq!(waits.quantile(0.5), Some(49.0));
        assert_eq!(waits.quantile(0.99), Some(98.0));
        assert_eq!(waits.quantile(1.0), Some(99.0));
        assert_eq!(waits.within(49), 0.5);
        assert_eq!(waits.count(), 100);
    }
}
