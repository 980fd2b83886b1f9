//! Ogg Opus (RFC 7845), endless: one serial number from the space id, a granule position that runs on.
//!
//! Granule position and page number both follow from media time, so every node and every epoch numbers alike. Who joins
//! in mid-stream sees pages 0 and 1 (the head) and then a jump to the present, which decoders take for lost pages.

use bytes::Bytes;

use super::collect::{Collector, Cut};
use super::{Packer, ProgramPacket, opus_head};
use crate::fanout::ring::CutPage;
use crate::limits::{PAGE_SAMPLES, PROGRAM_PRE_SKIP};

use super::ogg_page::write_page;
pub use super::ogg_page::{CONTINUED, FIRST, LAST, PageError, granule_of, rebase, split_pages};

/// Pages before the first page of sound: the head and the tags.
pub const HEAD_PAGES: u32 = 2;

/// The serial number of a space's stream: a hash of its id (FNV-1a), the same on every node.
pub fn serial_of(space_id: &str) -> u32 {
    space_id.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

pub struct OggPacker {
    serial: u32,
    head: Bytes,
    collector: Collector,
}

impl OggPacker {
    /// `serial` is `serial_of` the space's id; `title` goes into the tags.
    pub fn new(serial: u32, title: &str) -> Self {
        let mut head = Vec::new();
        write_page(
            &mut head,
            FIRST,
            0,
            serial,
            0,
            [&opus_head(PROGRAM_PRE_SKIP)[..]].into_iter(),
        );
        write_page(
            &mut head,
            0,
            0,
            serial,
            1,
            [&opus_tags(title)[..]].into_iter(),
        );
        Self {
            serial,
            head: head.into(),
            collector: Collector::default(),
        }
    }

    fn cut(&self, cut: &Cut) -> CutPage {
        let payload: usize = cut.packets.iter().map(Bytes::len).sum();
        let mut bytes = Vec::with_capacity(payload + payload / 255 + 64);
        // Media time says where a packet's sound begins without the encoder's delay, and a granule position counts that
        // delay in: both cancel out.
        let granule = cut.media_time.0 + u64::from(cut.duration);
        // Wraps after 13 years of sound.
        let number = (cut.media_time.0 / PAGE_SAMPLES) as u32;
        let number = number.wrapping_add(HEAD_PAGES);
        write_page(
            &mut bytes,
            0,
            granule,
            self.serial,
            number,
            cut.packets.iter().map(|packet| &packet[..]),
        );
        cut.page(bytes)
    }
}

impl Packer for OggPacker {
    fn head(&self) -> Bytes {
        self.head.clone()
    }

    fn push(&mut self, packet: &ProgramPacket) -> Option<CutPage> {
        self.collector.push(packet).map(|cut| self.cut(&cut))
    }

    /// The last page is not marked as such: a stage that starts again would have ended the stream for everybody.
    fn flush(&mut self) -> Option<CutPage> {
        self.collector.flush().map(|cut| self.cut(&cut))
    }

    fn content_type(&self) -> &'static str {
        "audio/ogg; codecs=opus"
    }
}

/// Comment header. A long title is cut, for the head is sent to everyone.
fn opus_tags(title: &str) -> Vec<u8> {
    const TITLE_BYTES_MAX: usize = 400;
    let vendor = b"Hustings";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    let title = &title[..title.floor_char_boundary(TITLE_BYTES_MAX)];
    let comment = format!("TITLE={title}");
    tags.extend(u32::from(!title.is_empty()).to_le_bytes());
    if !title.is_empty() {
        tags.extend((comment.len() as u32).to_le_bytes());
        tags.extend(comment.as_bytes());
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TICK_SAMPLES;
    use crate::time::{Epoch, MediaTime};

    fn packet(epoch: u32, tick: u64) -> ProgramPacket {
        let media_time = MediaTime(tick * TICK_SAMPLES as u64);
        ProgramPacket {
            epoch: Epoch(epoch),
            media_time,
            opus: Bytes::from(vec![tick as u8; 120]),
        }
    }

    fn header(page: &CutPage) -> (u64, u32, u32) {
        let at = |from: usize| {
            u32::from_le_bytes(page.bytes[from..from + 4].try_into().unwrap_or_default())
        };
        (u64::from(at(6)) | u64::from(at(10)) << 32, at(14), at(18))
    }

    #[test]
    fn granule_and_page_number_follow_media_time_over_epochs_and_holes() {
        let mut packer = OggPacker::new(7, "A talk");
        let mut pages: Vec<CutPage> = (0..10)
            .filter_map(|tick| packer.push(&packet(1, tick)))
            .collect();
        assert_eq!(
            pages.iter().map(header).collect::<Vec<_>>(),
            [(4_800, 7, 2), (9_600, 7, 3)]
        );
        // Another node goes on later, and has sent nothing of this page before.
        let mut other = OggPacker::new(7, "A talk");
        pages = (103..110)
            .filter_map(|tick| other.push(&packet(2, tick)))
            .collect();
        assert_eq!(
            pages.iter().map(header).collect::<Vec<_>>(),
            [(105 * 960, 7, 22), (110 * 960, 7, 23)]
        );
        assert_eq!(pages[0].duration, 1_920);
        assert_eq!(packer.head(), other.head());
    }

    #[test]
    fn what_is_collected_comes_out_at_the_end() {
        let mut packer = OggPacker::new(7, "");
        assert!(packer.flush().is_none());
        assert!(packer.push(&packet(1, 5)).is_none());
        let page = packer.flush().expect("a page of one packet");
        assert_eq!(
            (page.duration, page.media_time, page.start),
            (960, MediaTime(4_800), true)
        );
        assert_eq!(header(&page).0, 5_760);
        assert!(packer.flush().is_none());
    }

    #[test]
    fn the_ogg_crate_reads_it_back() {
        let mut packer = OggPacker::new(9, "Grüße");
        let mut stream = packer.head().to_vec();
        for tick in 500..520 {
            stream.extend(
                packer
                    .push(&packet(1, tick))
                    .into_iter()
                    .flat_map(|page| page.bytes),
            );
        }
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(stream));
        let mut packets = Vec::new();
        while let Some(packet) = reader
            .read_packet()
            .expect("valid pages with a valid checksum")
        {
            assert_eq!(packet.stream_serial(), 9);
            packets.push(packet.data);
        }
        assert!(packets[0].starts_with(b"OpusHead") && packets[1].starts_with(b"OpusTags"));
        assert_eq!(packets.len(), 22);
        assert_eq!(packets[2], vec![500_u64 as u8; 120]);
    }

    #[test]
    fn costs_at_most_6_percent_beside_the_payload() {
        let mut packer = OggPacker::new(9, "A talk");
        let page = (0..5)
            .find_map(|tick| packer.push(&packet(1, tick)))
            .expect("a page");
        assert!(
            page.bytes.len() as f64 <= 600.0 * 1.06,
            "{}",
            page.bytes.len()
        );
    }

    #[test]
    fn serials_differ_by_space() {
        assert_ne!(serial_of("a-space"), serial_of("b-space"));
        assert_eq!(serial_of(""), 0x811c_9dc5);
    }
}
