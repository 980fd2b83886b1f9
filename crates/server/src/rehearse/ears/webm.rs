//! Clusters of WebM (RFC 8794, RFC 9559): each names its time, and each block in it how much later it is.

use std::time::Instant;

use super::Score;

/// With which every file begins.
const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const CLUSTER_TIME: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
/// Milliseconds of one block: an Opus packet of the program.
const BLOCK_MS: u64 = 20;
/// Bytes of an element's id and size at most (RFC 8794 section 4 and 5).
const HEADER_MAX: usize = 12;
/// Bytes of a time, or of a block before its sound: the track, the time and a byte of flags.
const BODY_MAX: usize = 8;
const BLOCK_HEADER: usize = 4;

#[derive(Default)]
pub(super) struct Webm {
    /// The header of the element that comes, as far as it is here.
    header: [u8; HEADER_MAX],
    filled: usize,
    /// The element whose first bytes are wanted, and those bytes.
    wants: Option<(u32, usize)>,
    body: [u8; BODY_MAX],
    body_filled: usize,
    /// Bytes that nobody looks at, now and after what is wanted.
    skip: u64,
    skip_after: u64,
    begun: bool,
    cluster_ms: u64,
    /// Where the newest block ended.
    upto_ms: Option<u64>,
}

impl Webm {
    /// False when this is no WebM.
    pub(super) fn hear(&mut self, mut bytes: &[u8], now: Instant, score: &mut Score) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let skipped = usize::try_from(self.skip)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                self.skip -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            bytes = rest;
            if let Some((id, wanted)) = self.wants {
                self.body[self.body_filled] = *first;
                self.body_filled += 1;
                if self.body_filled == wanted {
                    self.wants = None;
                    self.take(id, wanted, now, score);
                }
                continue;
            }
            self.header[self.filled] = *first;
            self.filled += 1;
            match element(&self.header[..self.filled]) {
                Parsed::More if self.filled < HEADER_MAX => {}
                Parsed::More | Parsed::Broken => return false,
                Parsed::Element(id, size) => {
                    self.filled = 0;
                    if !self.begin(id, size) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn begin(&mut self, id: u32, size: Option<u64>) -> bool {
        if !self.begun {
            self.begun = true;
            if id != EBML {
                return false;
            }
        }
        match (id, size) {
            // What is in them comes next.
            (SEGMENT | CLUSTER, _) => true,
            (_, None) => false,
            (CLUSTER_TIME, Some(size)) => {
                let fits = (1..=BODY_MAX as u64).contains(&size);
                self.want(id, size as usize);
                fits
            }
            (SIMPLE_BLOCK, Some(size)) => {
                self.want(id, BLOCK_HEADER);
                match size.checked_sub(BLOCK_HEADER as u64) {
                    Some(rest) => {
                        self.skip_after = rest;
                        true
                    }
                    None => false,
                }
            }
            (_, Some(size)) => {
                self.skip = size;
                true
            }
        }
    }

    fn want(&mut self, id: u32, bytes: usize) {
        self.wants = Some((id, bytes.min(BODY_MAX)));
        self.body_filled = 0;
        self.skip_after = 0;
    }

    fn take(&mut self, id: u32, len: usize, now: Instant, score: &mut Score) {
        self.skip = std::mem::take(&mut self.skip_after);
        let body = &self.body[..len];
        if id == CLUSTER_TIME {
            self.cluster_ms = body
                .iter()
                .fold(0, |time, byte| time << 8 | u64::from(*byte));
            return;
        }
        let later = i16::from_be_bytes([body[1], body[2]]);
        let at_ms = self.cluster_ms.saturating_add_signed(i64::from(later));
        let missing_ms = self.upto_ms.map_or(0, |upto| at_ms.saturating_sub(upto));
        self.upto_ms = Some(at_ms + BLOCK_MS);
        score.piece(at_ms + BLOCK_MS, BLOCK_MS, missing_ms, now);
    }
}

enum Parsed {
    More,
    Broken,
    /// An id, and a size unless it is unknown.
    Element(u32, Option<u64>),
}

fn element(bytes: &[u8]) -> Parsed {
    let Some(first) = bytes.first() else {
        return Parsed::More;
    };
    let id_len = first.leading_zeros() as usize + 1;
    if id_len > 4 {
        return Parsed::Broken;
    }
    let Some(second) = bytes.get(id_len) else {
        return Parsed::More;
    };
    let size_len = second.leading_zeros() as usize + 1;
    if size_len > 8 {
        return Parsed::Broken;
    }
    if bytes.len() < id_len + size_len {
        return Parsed::More;
    }
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
    };
    let bits = (1_u64 << (7 * size_len)) - 1;
    let size = number(&bytes[id_len..id_len + size_len]) & bits;
    Parsed::Element(
        number(&bytes[..id_len]) as u32,
        (size != bits).then_some(size),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use hustings_media::pack::webm::WebmPacker;
    use hustings_media::pack::{Packer as _, ProgramPacket};
    use hustings_media::time::{Epoch, MediaTime};

    use super::super::Ears;
    use super::*;

    /// Pages as the node's own packer makes them.
    fn pages() -> (Bytes, Vec<Bytes>) {
        let mut packer = WebmPacker::new();
        packer.roster(br#"{"speakers":[]}"#);
        let packet = |tick: u64| ProgramPacket {
            epoch: Epoch(1),
            media_time: MediaTime(tick * 960),
            opus: Bytes::from(vec![0x55; 90 + tick as usize % 60]),
        };
        let pages = (1_000..1_050).filter_map(|tick| packer.push(&packet(tick)));
        let pages = pages.map(|page| page.bytes).collect();
        (packer.head(), pages)
    }

    #[test]
    fn what_is_missing_is_counted_however_the_bytes_are_cut() {
        let (head, pages) = pages();
        assert_eq!(pages.len(), 10);
        let all: Vec<u8> = head.iter().chain(pages.iter().flatten()).copied().collect();
        let kept = pages
            .iter()
            .enumerate()
            .filter(|(at, _)| !(3..5).contains(at));
        let some: Vec<u8> = head
            .iter()
            .chain(kept.flat_map(|(_, page)| page))
            .copied()
            .collect();
        for cut in [1, 5, 64, 10_000] {
            let heard = |stream: &[u8]| {
                let mut ears = Ears::webm();
                stream
                    .chunks(cut)
                    .for_each(|part| ears.hear(part, Instant::now()));
                let score = ears.score();
                (
                    score.pieces,
                    score.heard_ms,
                    score.gaps,
                    score.lost_ms,
                    score.broken,
                )
            };
            assert_eq!(heard(&all), (50, 1_000, 0, 0, false), "{cut}");
            assert_eq!(heard(&some), (40, 800, 1, 200, false), "{cut}");
        }
    }

    #[test]
    fn what_is_no_webm_is_told_and_never_panics() {
        for bytes in [
            &b"<html>not found</html>"[..],
            &[0; 64],
            &[0xff; 64],
            b"OggS\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            let mut ears = Ears::webm();
            ears.hear(bytes, Instant::now());
            assert!(ears.score().broken, "{bytes:?}");
        }
        let mut state = 1_u64;
        for _ in 0..2_000 {
            let mut ears = Ears::webm();
            ears.hear(&pages().0, Instant::now());
            let noise: Vec<u8> = (0..200)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            ears.hear(&noise, Instant::now());
        }
    }

    #[test]
    fn a_block_that_comes_late_is_silence() {
        let (head, pages) = pages();
        let (mut ears, now) = (Ears::webm(), Instant::now());
        ears.hear(&head, now);
        pages[..5].iter().for_each(|page| ears.hear(page, now));
        assert_eq!(ears.score().silence, Duration::ZERO);
        // 500 ms were heard, and what came first is played for 20 ms of them.
        ears.hear(&pages[5], now + Duration::from_millis(780));
        assert_eq!(ears.score().silence, Duration::from_millis(300));
    }
}
