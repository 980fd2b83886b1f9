//! The head of the MP4 stream: one Opus track whose samples stand in the fragments.

use mp4_atom::{
    AnySampleGroupEntry, Audio, Codec, Dinf, Dops, Dref, DrefEntry, FixedPoint, FourCC, Ftyp, Hdlr,
    Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Opus, Sgpd, SgpdEntry, Smhd, Stbl, Stco, Stsd, Tkhd, Trak,
    Trex, Url,
};

use crate::limits::{PROGRAM_PRE_SKIP, SAMPLE_RATE, TICK_SAMPLES};

/// The one track of the stream.
pub(super) const TRACK: u32 = 1;
/// Sample flags: depends on no other sample, so it is a sync sample.
const SYNC_SAMPLE: u32 = 0x0200_0000;
/// Packets before the one that is to be right: 80 ms.
const PRE_ROLL_PACKETS: i16 = -4;

/// The two boxes before the fragments.
pub(super) fn boxes() -> (Ftyp, Moov) {
    let brand = FourCC::new;
    let ftyp = Ftyp {
        major_brand: brand(b"iso6"),
        minor_version: 0,
        compatible_brands: vec![brand(b"iso6"), brand(b"cmfc"), brand(b"mp41")],
    };
    let moov = Moov {
        mvhd: Mvhd {
            timescale: SAMPLE_RATE,
            next_track_id: TRACK + 1,
            ..Mvhd::default()
        },
        trak: vec![trak()],
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex {
                track_id: TRACK,
                default_sample_description_index: 1,
                default_sample_duration: TICK_SAMPLES as u32,
                default_sample_size: 0,
                default_sample_flags: SYNC_SAMPLE,
            }],
        }),
        ..Moov::default()
    };
    (ftyp, moov)
}

fn trak() -> Trak {
    let opus = Opus {
        audio: Audio {
            data_reference_index: 1,
            channel_count: 1,
            sample_size: 16,
            sample_rate: FixedPoint::from(SAMPLE_RATE as u16),
        },
        dops: Dops {
            output_channel_count: 1,
            pre_skip: PROGRAM_PRE_SKIP,
            input_sample_rate: SAMPLE_RATE,
            output_gain: 0,
            channel_mapping: None,
        },
        btrt: None,
    };
    Trak {
        tkhd: Tkhd {
            track_id: TRACK,
            enabled: true,
            in_movie: true,
            volume: FixedPoint::from(1),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: SAMPLE_RATE,
                language: "und".into(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(b"soun"),
                name: "Hustings".into(),
            },
            minf: Minf {
                smhd: Some(Smhd::default()),
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                stbl: Stbl {
                    stsd: Stsd {
                        codecs: vec![Codec::Opus(opus)],
                    },
                    stco: Some(Stco::default()),
                    sgpd: vec![pre_roll()],
                    ..Stbl::default()
                },
                ..Minf::default()
            },
        },
        ..Trak::default()
    }
}

/// A decoder that begins anywhere decodes so much before it is right (RFC 7845 section 4.6).
pub(super) fn pre_roll() -> Sgpd {
    let distance = PRE_ROLL_PACKETS.to_be_bytes().to_vec();
    Sgpd {
        grouping_type: FourCC::new(b"roll"),
        default_length: Some(distance.len() as u32),
        default_group_description_index: Some(1),
        static_group_description: false,
        static_mapping: false,
        essential: false,
        entries: vec![SgpdEntry {
            description_length: Some(distance.len() as u32),
            entry: AnySampleGroupEntry::UnknownGroupingType(FourCC::new(b"roll"), distance),
        }],
    }
}
