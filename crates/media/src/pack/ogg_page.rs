//! Ogg's framing (RFC 3533): a page's header, lacing and checksum; written, told apart and renumbered.

use std::ops::Range;

use bytes::Bytes;

/// Flag of a page whose first packet began on the page before.
pub const CONTINUED: u8 = 1;
/// Flag of a stream's first page.
pub const FIRST: u8 = 2;
/// Flag of a stream's last page.
pub const LAST: u8 = 4;

const HEADER_BYTES: usize = 27;
const FLAGS: usize = 5;
const GRANULE: Range<usize> = 6..14;
const NUMBER: Range<usize> = 18..22;
const CHECKSUM: Range<usize> = 22..26;
/// Granule position of a page on which no packet ends.
const NO_GRANULE: u64 = u64::MAX;

/// Why bytes are no Ogg pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("the Ogg page at byte {0} does not begin with OggS and version 0")]
    Capture(usize),
    #[error("the Ogg page at byte {0} is cut off")]
    Short(usize),
    #[error("the Ogg page at byte {0} has a wrong checksum")]
    Checksum(usize),
}

/// Appends one page. The packets must fit: 255 lacing values in all, a named limit of the format.
pub(super) fn write_page<'a>(
    out: &mut Vec<u8>,
    flags: u8,
    granule: u64,
    serial: u32,
    number: u32,
    packets: impl Iterator<Item = &'a [u8]> + Clone,
) {
    let begin = out.len();
    out.extend(b"OggS\0");
    out.push(flags);
    out.extend(granule.to_le_bytes());
    out.extend(serial.to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend([0; 5]);
    let lacing = out.len();
    for packet in packets.clone() {
        out.resize(out.len() + packet.len() / 255, 255);
        out.push((packet.len() % 255) as u8);
    }
    let segments = out.len() - lacing;
    assert!(
        segments <= 255,
        "{segments} lacing values do not fit in an Ogg page"
    );
    out[lacing - 1] = segments as u8;
    for packet in packets {
        out.extend(packet);
    }
    seal(&mut out[begin..]);
}

/// The pages in `bytes`, each checked; an error names the place of the first that is wrong.
pub fn split_pages(bytes: &Bytes) -> impl Iterator<Item = Result<Bytes, PageError>> {
    let bytes = bytes.clone();
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let found = page_len(&bytes[at..], at).and_then(|len| {
            let page = bytes.slice(at..at + len);
            if checksum_of(&page) == page[CHECKSUM] {
                Ok((len, page))
            } else {
                Err(PageError::Checksum(at))
            }
        });
        Some(match found {
            Ok((len, page)) => {
                at += len;
                Ok(page)
            }
            Err(error) => {
                at = bytes.len();
                Err(error)
            }
        })
    })
}

/// The same page with `granule_offset` taken from its granule position (not below zero), another page number and other
/// flags. For recordings, which count from zero. Bytes that are no page come back as they are.
pub fn rebase(page: &[u8], granule_offset: u64, page_sequence: u32, flags: u8) -> Vec<u8> {
    let mut page = page.to_vec();
    if page_len(&page, 0) != Ok(page.len()) {
        return page;
    }
    let granule = granule_of(&page);
    if granule != NO_GRANULE {
        page[GRANULE].copy_from_slice(&granule.saturating_sub(granule_offset).to_le_bytes());
    }
    page[FLAGS] = flags;
    page[NUMBER].copy_from_slice(&page_sequence.to_le_bytes());
    seal(&mut page);
    page
}

/// Granule position of a page; zero when the bytes are too short to be one.
pub fn granule_of(page: &[u8]) -> u64 {
    page.get(GRANULE)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// Length of the page that `bytes` begins with.
fn page_len(bytes: &[u8], at: usize) -> Result<usize, PageError> {
    let magic = bytes.get(..5).ok_or(PageError::Short(at))?;
    if magic != b"OggS\0" {
        return Err(PageError::Capture(at));
    }
    let segments = usize::from(*bytes.get(HEADER_BYTES - 1).ok_or(PageError::Short(at))?);
    let lacing = bytes
        .get(HEADER_BYTES..HEADER_BYTES + segments)
        .ok_or(PageError::Short(at))?;
    let len = HEADER_BYTES
        + segments
        + lacing
            .iter()
            .map(|&value| usize::from(value))
            .sum::<usize>();
    if bytes.len() < len {
        Err(PageError::Short(at))
    } else {
        Ok(len)
    }
}

fn seal(page: &mut [u8]) {
    let sum = checksum_of(page);
    page[CHECKSUM].copy_from_slice(&sum);
}

/// Checksum as it stands in a page, counted as if its own field were zero.
fn checksum_of(page: &[u8]) -> [u8; 4] {
    let sum = crc(0, &page[..CHECKSUM.start]);
    let sum = crc(sum, &[0; 4]);
    crc(sum, &page[CHECKSUM.end..]).to_le_bytes()
}

fn crc(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, &byte| {
        (sum << 8) ^ CRC_TABLE[usize::from((sum >> 24) as u8 ^ byte)]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000_0000 == 0 {
                value << 1
            } else {
                (value << 1) ^ 0x04c1_1db7
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn page(granule: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        write_page(&mut out, 0, granule, 5, number, packets.iter().copied());
        out
    }

    #[test]
    fn rebased_pages_are_what_would_have_been_written() {
        let live = page(1_000_000, 210, &[&[1; 120], &[2; 255], &[]]);
        let rebased = rebase(&live, 995_200, 2, LAST);
        let mut written = Vec::new();
        write_page(
            &mut written,
            LAST,
            4_800,
            5,
            2,
            [&[1; 120][..], &[2; 255], &[]].into_iter(),
        );
        assert_eq!(rebased, written);
        assert_eq!(granule_of(&rebased), 4_800);
        assert_eq!(granule_of(&rebase(&live, 2_000_000, 2, 0)), 0);
        assert_eq!(
            granule_of(&rebase(&page(NO_GRANULE, 1, &[&[1]]), 5, 2, 0)),
            NO_GRANULE
        );
    }

    #[test]
    fn pages_are_told_apart_and_damage_is_named() {
        let (one, two) = (page(1, 0, &[&[1; 300]]), page(2, 1, &[&[2; 30]]));
        let both = Bytes::from([&one[..], &two[..]].concat());
        let pages: Vec<_> = split_pages(&both).collect();
        assert_eq!(
            pages,
            [Ok(Bytes::from(one.clone())), Ok(Bytes::from(two.clone()))]
        );
        let cut = both.slice(..both.len() - 1);
        assert_eq!(
            split_pages(&cut).last(),
            Some(Err(PageError::Short(one.len())))
        );
        let mut hurt = both.to_vec();
        hurt[100] ^= 1;
        assert_eq!(
            split_pages(&Bytes::from(hurt)).collect::<Vec<_>>(),
            [Err(PageError::Checksum(0))]
        );
        assert_eq!(
            split_pages(&both.slice(1..)).next(),
            Some(Err(PageError::Capture(0)))
        );
        assert_eq!(split_pages(&Bytes::new()).count(), 0);
    }

    #[test]
    fn what_is_no_page_is_left_alone() {
        for bytes in [&b""[..], b"OggS", b"RIFFxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"] {
            assert_eq!(rebase(bytes, 1, 1, 0), bytes);
        }
        let mut longer = page(1, 1, &[&[1]]);
        longer.push(0);
        assert_eq!(rebase(&longer, 1, 1, 0), longer);
    }
}
