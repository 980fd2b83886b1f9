//! WebM with Opus: a segment without end, one cluster a page, the roster in a Void element, which other players skip.

use super::aside::{Aside, AsidePurse};
use super::collect::Cut;
use super::opus_head;
use super::paged::{Container, Paged};
use crate::limits::{PROGRAM_PRE_SKIP, SAMPLE_RATE, TICK_SAMPLES, WEBM_ROSTER_BYTES_PER_PAGE};
use crate::time::MediaTime;

/// First bytes of a Void element that carries a roster; the JSON follows.
pub const ROSTER_MAGIC: &[u8; 4] = b"HRO1";
/// First bytes of a Void element that carries levels; the message follows.
pub const LEVELS_MAGIC: &[u8; 4] = b"HLV1";

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const AUDIO: u32 = 0xe1;
const CLUSTER: u32 = 0x1f43_b675;
const CLUSTER_TIME: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const VOID: u32 = 0xec;

const NANOS_PER_SAMPLE_NUM: u64 = 62_500;
const NANOS_PER_SAMPLE_DEN: u64 = 3;
/// Nanoseconds. What a decoder needs to find its feet (RFC 7845 section 4.6).
const SEEK_PRE_ROLL_NS: u64 = 80_000_000;

/// The container; `WebmPacker` packs for it.
pub struct Webm;
pub type WebmPacker = Paged<Webm>;

impl Container for Webm {
    const CONTENT_TYPE: &'static str = "audio/webm; codecs=\"opus\"";
    const ASIDE_BYTES_PER_PAGE: i64 = WEBM_ROSTER_BYTES_PER_PAGE;

    fn head() -> Vec<u8> {
        head()
    }

    fn page(cut: &Cut, asides: &mut AsidePurse) -> Vec<u8> {
        let mut page = Vec::with_capacity(
            cut.packets
                .iter()
                .map(|packet| packet.len() + 16)
                .sum::<usize>()
                + 64,
        );
        let magic_and_body = |aside: &Aside| match aside {
            Aside::Roster(json) => [&ROSTER_MAGIC[..], json].concat(),
            Aside::Levels(message) => [&LEVELS_MAGIC[..], message].concat(),
        };
        // An id of one byte, a size of at most two.
        if let Some(aside) = asides.take(|aside| magic_and_body(aside).len() + 3) {
            element(&mut page, VOID, &magic_and_body(&aside));
        }
        let mut cluster = Vec::with_capacity(page.capacity());
        unsigned(&mut cluster, CLUSTER_TIME, cut.media_time.as_millis());
        for (packet, tick) in cut.packets.iter().zip(0_u64..) {
            let at = MediaTime(cut.media_time.0 + tick * TICK_SAMPLES as u64);
            // A page is short, so the distance fits in the block's 16 bits.
            let relative = (at.as_millis() - cut.media_time.as_millis()) as i16;
            id(&mut cluster, SIMPLE_BLOCK);
            size(&mut cluster, packet.len() + 4);
            // Track 1, the time, "key frame".
            cluster.push(0x81);
            cluster.extend(relative.to_be_bytes());
            cluster.push(0x80);
            cluster.extend(&packet[..]);
        }
        element(&mut page, CLUSTER, &cluster);
        page
    }
}

fn head() -> Vec<u8> {
    let mut ebml = Vec::new();
    unsigned(&mut ebml, 0x4286, 1);
    unsigned(&mut ebml, 0x42f7, 1);
    unsigned(&mut ebml, 0x42f2, 4);
    unsigned(&mut ebml, 0x42f3, 8);
    element(&mut ebml, 0x4282, b"webm");
    unsigned(&mut ebml, 0x4287, 4);
    unsigned(&mut ebml, 0x4285, 2);

    let mut info = Vec::new();
    // Times are in milliseconds.
    unsigned(&mut info, 0x2a_d7b1, 1_000_000);
    element(&mut info, 0x4d80, b"Hustings");
    element(&mut info, 0x5741, b"Hustings");

    let mut tracks = Vec::new();
    element(&mut tracks, TRACK_ENTRY, &track());

    let mut head = Vec::new();
    element(&mut head, EBML, &ebml);
    id(&mut head, SEGMENT);
    // "Unknown size": the segment ends with the stream.
    head.extend([0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    element(&mut head, INFO, &info);
    element(&mut head, TRACKS, &tracks);
    head
}

fn track() -> Vec<u8> {
    let mut audio = Vec::new();
    element(&mut audio, 0xb5, &(SAMPLE_RATE as f32).to_be_bytes());
    unsigned(&mut audio, 0x9f, 1);

    let mut track = Vec::new();
    unsigned(&mut track, 0xd7, 1);
    unsigned(&mut track, 0x73c5, 1);
    // An audio track, without lacing.
    unsigned(&mut track, 0x83, 2);
    unsigned(&mut track, 0x9c, 0);
    element(&mut track, 0x86, b"A_OPUS");
    element(&mut track, 0x63a2, &opus_head(PROGRAM_PRE_SKIP));
    unsigned(
        &mut track,
        0x56aa,
        u64::from(PROGRAM_PRE_SKIP) * NANOS_PER_SAMPLE_NUM / NANOS_PER_SAMPLE_DEN,
    );
    unsigned(&mut track, 0x56bb, SEEK_PRE_ROLL_NS);
    element(&mut track, AUDIO, &audio);
    track
}

/// An element's id holds its own length marker: leading zero bytes are not written.
fn id(out: &mut Vec<u8>, id: u32) {
    out.extend(id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0));
}

/// The shortest size that says `len`; a size of all ones would mean "unknown".
fn size(out: &mut Vec<u8>, len: usize) {
    let mut bytes = 1;
    while bytes < 8 && len as u64 >= (1 << (7 * bytes)) - 1 {
        bytes += 1;
    }
    let marked = len as u64 | 1 << (7 * bytes);
    out.extend(&marked.to_be_bytes()[8 - bytes..]);
}

fn element(out: &mut Vec<u8>, element: u32, body: &[u8]) {
    id(out, element);
    size(out, body.len());
    out.extend(body);
}

fn unsigned(out: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take(7).take_while(|&&byte| byte == 0).count();
    element(out, id, &bytes[zeros..]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fanout::ring::CutPage;
    use crate::pack::{Packer as _, ProgramPacket};
    use crate::time::Epoch;

    fn packet(tick: u64) -> ProgramPacket {
        let media_time = MediaTime(tick * TICK_SAMPLES as u64);
        ProgramPacket {
            epoch: Epoch(1),
            media_time,
            opus: Bytes::from(vec![tick as u8; 120]),
        }
    }

    #[test]
    fn sizes_are_the_shortest_that_do_not_mean_unknown() {
        let sized = |len| {
            let mut out = Vec::new();
            size(&mut out, len);
            out
        };
        assert_eq!(sized(0), [0x80]);
        assert_eq!(sized(126), [0xfe]);
        assert_eq!(sized(127), [0x40, 0x7f]);
        assert_eq!(sized(16_382), [0x7f, 0xfe]);
        assert_eq!(sized(16_383), [0x20, 0x3f, 0xff]);
    }

    #[test]
    fn a_page_is_a_cluster_with_times_of_its_own() {
        let mut packer = WebmPacker::new();
        let page = (500..505)
            .find_map(|tick| packer.push(&packet(tick)))
            .expect("a page");
        assert_eq!(
            (page.media_time, page.duration, page.start),
            (MediaTime(480_000), 4_800, true)
        );
        assert_eq!(
            page.bytes[..10],
            [0x1f, 0x43, 0xb6, 0x75, 0x42, 0x7a, 0xe7, 0x82, 0x27, 0x10]
        );
        assert_eq!(page.bytes[10..16], [0xa3, 0xfc, 0x81, 0, 0, 0x80]);
        assert_eq!(page.bytes[136..142], [0xa3, 0xfc, 0x81, 0, 20, 0x80]);
        assert_eq!(page.bytes.len(), 10 + 5 * 126);
    }

    #[test]
    fn the_roster_comes_before_the_cluster() {
        let mut packer = WebmPacker::new();
        packer.roster(b"{\"people\":[]}");
        let page = (0..5)
            .find_map(|tick| packer.push(&packet(tick)))
            .expect("a page");
        assert!(
            page.bytes
                .starts_with(b"\xec\x91HRO1{\"people\":[]}\x1f\x43\xb6\x75")
        );
    }

    #[test]
    fn levels_come_between_two_rosters() {
        let mut packer = WebmPacker::new();
        packer.roster(b"{}");
        let pages: Vec<CutPage> = (0..20)
            .filter_map(|tick| {
                packer.levels(&[7, 1, 0x90]);
                packer.push(&packet(tick))
            })
            .collect();
        assert!(pages[0].bytes.starts_with(b"\xec\x86HRO1{}"));
        assert!(pages[1].bytes.starts_with(b"\x1f\x43\xb6\x75"));
        assert!(
            pages[2]
                .bytes
                .starts_with(b"\xec\x87HLV1\x07\x01\x90\x1f\x43")
        );
    }

    #[test]
    fn costs_at_most_13_percent_beside_the_payload_with_a_new_roster_each_page() {
        for len in [60, 150, 700] {
            let mut packer = WebmPacker::new();
            let mut bytes = 0;
            for tick in 0..5 * 600 {
                packer.roster(&vec![b'x'; len]);
                packer.levels(&[0; 9]);
                bytes += packer
                    .push(&packet(tick))
                    .map_or(0, |page| page.bytes.len());
            }
            assert!(bytes as f64 <= 600.0 * 600.0 * 1.13, "{len}: {bytes}");
        }
    }
}
