//! Ogg pages (RFC 3533) as a recording needs them: read whole ones, give them another place in another stream.

use std::io::{self, Read};

use hustings_media::time::MediaTime;

const HEADER_BYTES: usize = 27;
const FLAGS: usize = 5;
const GRANULE: usize = 6;
const SERIAL: usize = 14;
const NUMBER: usize = 18;
const CHECKSUM: usize = 22;
const SEGMENTS: usize = 26;
const END_OF_STREAM: u8 = 4;

/// One whole page: header, lacing and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OggPage(Vec<u8>);

impl OggPage {
    /// The first whole page of `bytes`, if they begin with one whose checksum is right.
    pub(super) fn first_of(mut bytes: &[u8]) -> Option<Self> {
        Self::read(&mut bytes).ok().flatten()
    }

    /// The next page; `None` at the end of the file and where no whole and sound page follows.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut page = Vec::with_capacity(4_096);
        if !fill(from, &mut page, HEADER_BYTES)? || !page.starts_with(b"OggS\0") {
            return Ok(None);
        }
        let segments = usize::from(page[SEGMENTS]);
        if !fill(from, &mut page, segments)? {
            return Ok(None);
        }
        let body = page[HEADER_BYTES..]
            .iter()
            .map(|&length| usize::from(length))
            .sum();
        if !fill(from, &mut page, body)? {
            return Ok(None);
        }
        let page = Self(page);
        Ok((page.checksum() == page.u32_at(CHECKSUM)).then_some(page))
    }

    /// The same page with one packet instead of its own. `None` when the packet is too long for one page.
    pub(super) fn holding(&self, packet: &[u8]) -> Option<Self> {
        let segments = u8::try_from(packet.len() / 255 + 1).ok()?;
        let mut page = self.0[..SEGMENTS].to_vec();
        page.push(segments);
        page.extend(std::iter::repeat_n(255, usize::from(segments) - 1));
        page.push((packet.len() % 255) as u8);
        page.extend_from_slice(packet);
        let mut page = Self(page);
        page.seal();
        Some(page)
    }

    pub(super) fn serial(&self) -> u32 {
        self.u32_at(SERIAL)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn granule(&self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|i| self.0[GRANULE + i]))
    }

    pub(super) fn number(&self) -> u32 {
        self.u32_at(NUMBER)
    }

    /// Gives the page its place: granule at its end and number in the stream.
    pub(super) fn place(&mut self, granule: u64, number: u32) {
        self.0[GRANULE..GRANULE + 8].copy_from_slice(&granule.to_le_bytes());
        self.0[NUMBER..NUMBER + 4].copy_from_slice(&number.to_le_bytes());
        self.0[FLAGS] &= !END_OF_STREAM;
        self.seal();
    }

    pub(super) fn end_stream(&mut self, end: bool) {
        self.0[FLAGS] = self.0[FLAGS] & !END_OF_STREAM | if end { END_OF_STREAM } else { 0 };
        self.seal();
    }

    /// Packets that end on this page. Our packers never let one run over to the next page; pieces of such are left out.
    pub(super) fn packets(&self) -> Vec<&[u8]> {
        let segments = usize::from(self.0[SEGMENTS]);
        let (lacing, body) = self.0[HEADER_BYTES..].split_at(segments);
        let (mut packets, mut from, mut to) = (Vec::new(), 0, 0);
        for &length in lacing {
            to += usize::from(length);
            if length < 255 {
                packets.push(&body[from..to]);
                from = to;
            }
        }
        packets
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|i| self.0[at + i]))
    }

    fn seal(&mut self) {
        let checksum = self.checksum();
        self.0[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Over the whole page, with zeros where the checksum itself stands.
    fn checksum(&self) -> u32 {
        let outside = |i: usize| !(CHECKSUM..CHECKSUM + 4).contains(&i);
        self.0.iter().enumerate().fold(0, |sum: u32, (i, &byte)| {
            let byte = if outside(i) { byte } else { 0 };
            sum << 8 ^ CRC[usize::from((sum >> 24) as u8 ^ byte)]
        })
    }
}

/// What the two pages before the sound say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Samples that a player throws away at the start.
    pub(super) pre_skip: u64,
}

impl Head {
    pub(super) fn of(page: &OggPage) -> Option<Self> {
        let packet = page.packets().first().copied()?;
        let fits = packet.starts_with(b"OpusHead") && packet.len() >= 19;
        fits.then(|| Self {
            pre_skip: u64::from(u16::from_le_bytes([packet[10], packet[11]])),
        })
    }

    pub(super) fn millis(self, granule: u64) -> u64 {
        granule.saturating_sub(self.pre_skip) / 48
    }
}

/// The head of a recording: the ring's, with what only this recording knows. `None` when it is no head of Ogg Opus.
///
/// `trim` samples more are thrown away at the start: the rest of a page whose first packets do not belong to the recording.
/// The comment names the media time at which granules count from zero, so that who goes on with the file knows what it
/// misses.
pub(super) fn head_of_recording(ring_head: &[u8], trim: u64, origin: MediaTime) -> Option<Vec<u8>> {
    let first = OggPage::first_of(ring_head)?;
    let tags = OggPage::first_of(&ring_head[first.bytes().len()..])?;
    let head = Head::of(&first)?;
    let mut opus_head = first.packets().first()?.to_vec();
    let skip = u16::try_from(head.pre_skip + trim).ok()?;
    opus_head[10..12].copy_from_slice(&skip.to_le_bytes());
    let tags_packet = with_comment(tags.packets().first()?, &origin_comment(origin))?;
    let mut bytes = first.holding(&opus_head)?.0;
    bytes.extend(tags.holding(&tags_packet)?.0);
    Some(bytes)
}

const ORIGIN: &str = "HUSTINGS_MEDIA_TIME=";
/// Digits of the largest `u64`: the value is padded, so that it is found from the packet's end.
const ORIGIN_DIGITS: usize = 20;

fn origin_comment(origin: MediaTime) -> String {
    format!("{ORIGIN}{:0width$}", origin.0, width = ORIGIN_DIGITS)
}

/// The media time that the tags of a recording name; `None` for files of before, and of others.
pub(super) fn origin_of(tags: &OggPage) -> Option<MediaTime> {
    let packets = tags.packets();
    let packet = packets.first()?;
    let (rest, digits) = packet.split_at_checked(packet.len().checked_sub(ORIGIN_DIGITS)?)?;
    if !rest.ends_with(ORIGIN.as_bytes()) {
        return None;
    }
    Some(MediaTime(std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// OpusTags (RFC 7845 section 5.2) with one comment more, as the last.
fn with_comment(tags: &[u8], comment: &str) -> Option<Vec<u8>> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(*tags.get(at..)?.first_chunk()?));
    let count_at = 12_usize.checked_add(usize::try_from(u32_at(8)?).ok()?)?;
    let count = u32_at(count_at)?.checked_add(1)?;
    let mut all = tags.to_vec();
    all[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
    all.extend(u32::try_from(comment.len()).ok()?.to_le_bytes());
    all.extend(comment.as_bytes());
    Some(all)
}

/// Ogg's CRC-32: polynomial 0x04c11db7, not reflected, starting from zero.
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = (i as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = value << 1 ^ if value >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[i] = value;
        i += 1;
    }
    table
};

/// Appends `count` bytes; false when the source ends before.
fn fill(from: &mut impl Read, page: &mut Vec<u8>, count: usize) -> io::Result<bool> {
    Ok(from.by_ref().take(count as u64).read_to_end(page)? == count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page as another tool (ogg 0.9's writer) makes it: its checksum is the oracle for ours.
    fn sample() -> Vec<u8> {
        let mut page = OggPage(
            b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x02\x03\x02abcde".to_vec(),
        );
        page.seal();
        page.0
    }

    #[test]
    fn crc_table_is_the_published_one() {
        assert_eq!(CRC[1], 0x04c1_1db7);
        assert_eq!(CRC[255], 0xb1f7_40b4);
    }

    #[test]
    fn a_placed_page_is_sound_and_keeps_its_packets() {
        let mut page = OggPage::first_of(&sample()).expect("sound page");
        page.place(96_000, 7);
        page.end_stream(true);
        let again = OggPage::first_of(page.bytes()).expect("still sound");
        assert_eq!(
            (again.granule(), again.number(), again.0[FLAGS]),
            (96_000, 7, 6)
        );
        assert_eq!(again.packets(), [b"abc".as_slice(), b"de"]);
    }

    #[test]
    fn cut_and_spoiled_pages_are_not_taken() {
        let whole = sample();
        for cut in 0..whole.len() {
            assert_eq!(OggPage::first_of(&whole[..cut]), None, "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 0x10;
            assert_eq!(OggPage::first_of(&spoiled), None, "spoiled at {at}");
        }
    }
}
