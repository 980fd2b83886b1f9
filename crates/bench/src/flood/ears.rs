//! What a listener hears, told from the headers of Ogg pages alone: no page is opened, so that thousands can be followed.

use std::time::Instant;

use hustings_media::pack::ogg_heads::{PageHead, PageHeads};

const SAMPLES_PER_S: f64 = 48_000.0;

/// One listener's stream, fed as it comes.
#[derive(Default)]
pub(crate) struct Ears {
    heads: PageHeads,
    pub(crate) told: Told,
    pub(crate) broken: bool,
}

/// What the pages so far have told.
#[derive(Default)]
pub(crate) struct Told {
    serial: u32,
    /// The number of the last page of sound.
    number: Option<u32>,
    /// When the first page of sound came, and at which sample it ended.
    began: Option<(Instant, u64)>,
    granule: u64,
    pub(crate) pages: u64,
    /// Pages of sound that never came, by their numbers.
    pub(crate) lost: u64,
    /// Seconds by which the latest page came after a player that began at the first byte had played all before it.
    pub(crate) stalled_s: f64,
}

impl Ears {
    pub(crate) fn hear(&mut self, bytes: &[u8], now: Instant) {
        let Self {
            heads,
            told,
            broken,
        } = self;
        *broken = *broken || !heads.follow(bytes, |head| told.page(head, now));
    }
}

impl Told {
    fn page(&mut self, head: PageHead, now: Instant) {
        let PageHead {
            granule,
            serial,
            number: page,
        } = head;
        if serial != self.serial || granule == 0 {
            // A head: what follows it begins anew.
            self.serial = serial;
            self.number = None;
            return;
        }
        if let Some(last) = self.number {
            self.lost += u64::from(page.wrapping_sub(last).wrapping_sub(1));
        }
        let before = self.granule;
        self.number = Some(page);
        self.granule = granule;
        self.pages += 1;
        let Some((began, first)) = self.began else {
            self.began = Some((now, granule));
            return;
        };
        // It begins to be needed when all before it was played.
        let needed_s = before.saturating_sub(first) as f64 / SAMPLES_PER_S;
        let late_s = now.duration_since(began).as_secs_f64() - needed_s;
        self.stalled_s = self.stalled_s.max(late_s);
    }
}

#[cfg(test)]
mod tests {
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
            let (mut ears, now) = (Ears::default(), Instant::now());
            stream.chunks(cut).for_each(|part| ears.hear(part, now));
            assert_eq!(
                (ears.told.pages, ears.told.lost, ears.broken),
                (5, 2, false),
                "{cut}"
            );
            assert!(ears.told.stalled_s <= 0.0);
        }
        let mut ears = Ears::default();
        ears.hear(b"this is no page of sound at all, and long", Instant::now());
        assert!(ears.broken);
    }

    #[test]
    fn a_page_that_comes_late_is_silence() {
        let (mut ears, now) = (Ears::default(), Instant::now());
        let after = |millis| now + std::time::Duration::from_millis(millis);
        ears.hear(&page(0, 0), now);
        ears.hear(&page(10, 48_000), now);
        ears.hear(&page(11, 52_800), after(0));
        assert!(ears.told.stalled_s <= 0.0);
        ears.hear(&page(12, 57_600), after(350));
        assert!(
            (ears.told.stalled_s - 0.25).abs() < 1e-6,
            "{}",
            ears.told.stalled_s
        );
    }
}
