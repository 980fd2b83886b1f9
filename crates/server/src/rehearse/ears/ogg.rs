//! Pages of Ogg Opus (RFC 3533, RFC 7845): each has a number, and the time at which it ends.

use std::time::Instant;

use hustings_media::pack::ogg_heads::{PageHead, PageHeads};

use super::{PAGE_MS, Score};

/// Granules (samples at 48 kHz) of a millisecond.
const MS: u64 = 48;

#[derive(Default)]
pub(super) struct Ogg {
    heads: PageHeads,
    told: Told,
}

/// What the pages so far have told.
#[derive(Default)]
struct Told {
    serial: u32,
    /// The number and the end of the last page of sound.
    last: Option<(u32, u64)>,
}

impl Ogg {
    /// False when this is no Ogg.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Instant, score: &mut Score) -> bool {
        let Self { heads, told } = self;
        heads.follow(bytes, |head| told.page(head, now, score))
    }
}

impl Told {
    fn page(&mut self, head: PageHead, now: Instant, score: &mut Score) {
        let PageHead {
            granule: end,
            serial,
            number: page,
        } = head;
        if serial != self.serial || end == 0 {
            // A head: what follows it begins anew.
            self.serial = serial;
            self.last = None;
            return;
        }
        let (len_ms, missing_ms) = match self.last {
            None => (PAGE_MS, 0),
            Some((last, before)) => {
                let came_ms = end.saturating_sub(before) / MS;
                let by_number = u64::from(page.wrapping_sub(last).wrapping_sub(1)) * PAGE_MS;
                // A page that is numbered on but begins later than the one before ended has lost what lies between.
                let by_time = came_ms.saturating_sub(PAGE_MS);
                let missing = by_number.max(by_time);
                (came_ms.saturating_sub(missing), missing)
            }
        };
        self.last = Some((page, end));
        score.piece(end / MS, len_ms, missing_ms, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Ears;
    use super::*;

    fn page(number: u32, granule: u64) -> Vec<u8> {
        let mut page = b"OggS\0\0".to_vec();
        page.extend(granule.to_le_bytes());
        page.extend(7_u32.to_le_bytes());
        page.extend(number.to_le_bytes());
        page.extend([0; 4]);
        page.extend([2, 255, 45]);
        page.extend([0x55; 300]);
        page
    }

    #[test]
    fn what_is_missing_is_counted_however_the_bytes_are_cut() {
        let mut stream = [page(0, 0), page(1, 0)].concat();
        for number in [100, 101, 102, 105, 106] {
            stream.extend(page(number, u64::from(number) * 4_800));
        }
        for cut in [1, 7, 28, 300, 10_000] {
            let (mut ears, now) = (Ears::ogg(), Instant::now());
            stream.chunks(cut).for_each(|part| ears.hear(part, now));
            let score = ears.score();
            assert_eq!(
                (score.pieces, score.gaps, score.lost_ms, score.broken),
                (5, 1, 200, false),
                "{cut}"
            );
            assert_eq!((score.heard_ms, score.silence), (500, Duration::ZERO));
        }
        let mut ears = Ears::ogg();
        ears.hear(b"this is no page of sound at all, and long", Instant::now());
        assert!(ears.score().broken);
    }

    #[test]
    fn pages_numbered_on_over_a_hole_in_time_are_a_gap() {
        let (mut ears, now) = (Ears::ogg(), Instant::now());
        for (number, granule) in [(0, 0), (10, 48_000), (11, 52_800), (12, 72_000)] {
            ears.hear(&page(number, granule), now);
        }
        assert_eq!((ears.score().gaps, ears.score().lost_ms), (1, 300));
    }

    #[test]
    fn a_page_that_comes_late_is_silence() {
        let (mut ears, now) = (Ears::ogg(), Instant::now());
        let after = |millis| now + Duration::from_millis(millis);
        ears.hear(&page(0, 0), now);
        ears.hear(&page(10, 48_000), now);
        ears.hear(&page(11, 52_800), after(0));
        assert_eq!(ears.score().silence, Duration::ZERO);
        ears.hear(&page(12, 57_600), after(350));
        assert_eq!(ears.score().silence, Duration::from_millis(250));
    }
}
