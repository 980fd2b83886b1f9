//! Fragmented MP4 with Opus: one `moof` and `mdat` a page, the roster in an `emsg` box before them.
//!
//! The pre-roll of Opus stands once, in the head: a `roll` sample group that is the default of all samples (ISO/IEC 14496-12,
//! `sgpd` version 2), so that no fragment has to map its samples, which would cost 5 % of the bytes.

use bytes::Bytes;
use mp4_atom::{
    Emsg, EmsgTimestamp, Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples,
};

use super::aside::{Aside, AsidePurse};
use super::collect::Cut;
use super::mp4_head::{self, TRACK};
use super::paged::{Container, Paged};
use crate::limits::{MP4_ROSTER_BYTES_PER_PAGE, PAGE_SAMPLES, SAMPLE_RATE};

/// Scheme of the `emsg` boxes that carry a roster.
pub const ROSTER_SCHEME: &str = "urn:hustings:roster:1";
/// First bytes of a `free` box that carries levels; the message follows. An `emsg` would cost 43 bytes more each time.
pub const LEVELS_MAGIC: &[u8; 4] = b"HLV1";

const BOX_HEADER_BYTES: usize = 8;
/// Bytes of an `emsg` beside its scheme and message.
const EMSG_BYTES: usize = 34;

/// The container; `Mp4Packer` packs for it.
pub struct Mp4;
pub type Mp4Packer = Paged<Mp4>;

impl Container for Mp4 {
    const CONTENT_TYPE: &'static str = "audio/mp4; codecs=\"opus\"";
    const ASIDE_BYTES_PER_PAGE: i64 = MP4_ROSTER_BYTES_PER_PAGE;

    fn head() -> Vec<u8> {
        let (ftyp, moov) = mp4_head::boxes();
        let mut head = Vec::new();
        put(&mut head, &ftyp);
        put(&mut head, &moov);
        head
    }

    fn page(cut: &Cut, asides: &mut AsidePurse) -> Vec<u8> {
        let payload: usize = cut.packets.iter().map(Bytes::len).sum();
        let mut page = Vec::with_capacity(payload + 256);
        // Wraps after 13 years of sound; the numbers of a stream must only grow within what one player hears.
        let number = (cut.media_time.0 / PAGE_SAMPLES) as u32;
        let aside = asides.take(|aside| match aside {
            Aside::Roster(json) => EMSG_BYTES + ROSTER_SCHEME.len() + json.len(),
            Aside::Levels(message) => BOX_HEADER_BYTES + LEVELS_MAGIC.len() + message.len(),
        });
        match aside {
            Some(Aside::Roster(json)) => put(&mut page, &emsg(cut.media_time.0, number, json)),
            Some(Aside::Levels(message)) => {
                let body = [&LEVELS_MAGIC[..], &message].concat();
                page.extend(((BOX_HEADER_BYTES + body.len()) as u32).to_be_bytes());
                page.extend(b"free");
                page.extend(body);
            }
            None => {}
        }
        // The offset to the sound is known when the box before it has its length.
        let mut moof = moof(cut, number);
        let mut measured = Vec::new();
        put(&mut measured, &moof);
        moof.traf[0].trun[0].data_offset = Some((measured.len() + BOX_HEADER_BYTES) as i32);
        put(&mut page, &moof);
        page.extend(((payload + BOX_HEADER_BYTES) as u32).to_be_bytes());
        page.extend(b"mdat");
        for packet in &cut.packets {
            page.extend(&packet[..]);
        }
        page
    }
}

fn put(out: &mut Vec<u8>, atom: &impl Encode) {
    // Memory takes any box; what could fail is a box that this file filled against the format.
    assert!(
        atom.encode(out).is_ok(),
        "a box of our own making cannot be written"
    );
}

fn emsg(media_time: u64, number: u32, json: Vec<u8>) -> Emsg {
    Emsg {
        timescale: SAMPLE_RATE,
        presentation_time: EmsgTimestamp::Absolute(media_time),
        event_duration: 0,
        id: number,
        scheme_id_uri: ROSTER_SCHEME.into(),
        value: String::new(),
        message_data: json,
    }
}

fn moof(cut: &Cut, number: u32) -> Moof {
    let samples = cut.packets.iter().map(|packet| TrunEntry {
        size: Some(packet.len() as u32),
        ..TrunEntry::default()
    });
    Moof {
        mfhd: Mfhd {
            sequence_number: number,
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: TRACK,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: cut.media_time.0,
            }),
            trun: vec![Trun {
                data_offset: Some(0),
                samples: TrunSamples::Explicit(samples.collect()),
            }],
            ..Traf::default()
        }],
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Decode, Ftyp, Mdat, Moov};

    use super::mp4_head::pre_roll;
    use super::*;
    use crate::fanout::ring::CutPage;
    use crate::limits::TICK_SAMPLES;
    use crate::pack::{Packer as _, ProgramPacket};
    use crate::time::{Epoch, MediaTime};

    fn packet(tick: u64) -> ProgramPacket {
        let media_time = MediaTime(tick * TICK_SAMPLES as u64);
        ProgramPacket {
            epoch: Epoch(1),
            media_time,
            opus: Bytes::from(vec![tick as u8; 120]),
        }
    }

    #[test]
    fn a_page_reads_back_with_its_roster() {
        let mut packer = Mp4Packer::new();
        packer.roster(b"{}");
        let page = (500..505)
            .find_map(|tick| packer.push(&packet(tick)))
            .expect("a page");
        let mut bytes = &page.bytes[..];
        let emsg = Emsg::decode(&mut bytes).expect("an emsg");
        assert_eq!(
            (emsg.scheme_id_uri.as_str(), &emsg.message_data[..]),
            (ROSTER_SCHEME, &b"{}"[..])
        );
        assert_eq!(
            page.bytes.len() - bytes.len(),
            EMSG_BYTES + ROSTER_SCHEME.len() + 2
        );
        let before = bytes.len();
        let moof = Moof::decode(&mut bytes).expect("a moof");
        let traf = &moof.traf[0];
        assert_eq!(
            traf.tfdt.as_ref().map(|tfdt| tfdt.base_media_decode_time),
            Some(480_000)
        );
        assert_eq!(
            traf.trun[0].data_offset,
            Some((before - bytes.len() + BOX_HEADER_BYTES) as i32)
        );
        assert_eq!(
            traf.trun[0]
                .samples
                .iter()
                .filter_map(|sample| sample.size)
                .collect::<Vec<_>>(),
            [120; 5]
        );
        assert_eq!(Mdat::decode(&mut bytes).expect("an mdat").data.len(), 600);
        assert!(bytes.is_empty());
    }

    #[test]
    fn the_head_says_the_pre_roll_for_all_samples() {
        let head = Mp4Packer::new().head();
        let mut bytes = &head[..];
        Ftyp::decode(&mut bytes).expect("an ftyp");
        let moov = Moov::decode(&mut bytes).expect("a moov");
        assert_eq!(moov.trak[0].mdia.minf.stbl.sgpd, [pre_roll()]);
        let written = b"sgpd\x02\0\0\0roll\0\0\0\x02\0\0\0\x01\0\0\0\x01\xff\xfc";
        assert!(head.windows(written.len()).any(|seen| seen == written));
    }

    #[test]
    fn levels_come_in_a_free_box_between_two_rosters() {
        let mut packer = Mp4Packer::new();
        packer.roster(b"{}");
        let pages: Vec<CutPage> = (0..20)
            .filter_map(|tick| {
                packer.levels(&[7, 1, 0x90]);
                packer.push(&packet(tick))
            })
            .collect();
        assert_eq!(&pages[1].bytes[4..8], b"moof");
        assert_eq!(pages[2].bytes[..15], *b"\0\0\0\x0ffreeHLV1\x07\x01\x90");
        assert_eq!(&pages[2].bytes[19..23], b"moof");
    }

    #[test]
    fn costs_at_most_24_percent_beside_the_payload_with_a_new_roster_each_page() {
        for len in [60, 150, 700] {
            let mut packer = Mp4Packer::new();
            let mut bytes = 0;
            for tick in 0..5 * 600 {
                packer.roster(&vec![b'x'; len]);
                packer.levels(&[0; 9]);
                bytes += packer
                    .push(&packet(tick))
                    .map_or(0, |page| page.bytes.len());
            }
            assert!(bytes as f64 <= 600.0 * 600.0 * 1.24, "{len}: {bytes}");
        }
    }
}
