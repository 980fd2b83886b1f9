//! Work of the media plane to count instructions of, by valgrind: `hustings-counts NAME ROUNDS`. Nothing here depends on
//! a clock or on chance, so two runs of one build execute the same instructions. `cargo xtask counts` does the counting.

use std::hint::black_box;
use std::io::{self, IoSlice};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::shard::{Shard, Sink};
use hustings_media::limits::{
    PAGE_SAMPLES, PROGRAM_BITRATE, RING_PAGES_MAX, STAGE_SEATS_MAX, TICK_MS, TICK_SAMPLES,
};
use hustings_media::music;
use hustings_media::opus::Encoder;
use hustings_media::pack::{
    Packer, ProgramPacket, mp4::Mp4Packer, ogg::OggPacker, webm::WebmPacker,
};
use hustings_media::stage::{SourceKey, SourcePacket, Stage, TickOutput};
use hustings_media::time::{Epoch, MediaTime, Now};

/// Listeners of the counted sweep.
const LISTENERS: usize = 1_000;
/// Microseconds of media and clock between two pages.
const PAGE_US: u64 = 100_000;
/// Packets that a round of a packer takes: one second.
const PACKETS: u64 = 50;
/// Packets between two rosters.
const ROSTER_EVERY: u64 = 25;
const ROSTER: &[u8] = br#"{"v":1,"phase":"live","listening":41208,"people":[{"id":"0011223344556677","name":"City treasurer","level":7},{"id":"1011223344556677","name":"Committee chair","level":0}]}"#;
/// Bytes of a packet at 48 kbit/s.
const PACKET: [u8; (PROGRAM_BITRATE as u64 * TICK_MS / 8_000) as usize] = [0x78; 120];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: hustings-counts sweep|join|tick|ogg|webm|mp4 ROUNDS";
    let name = arguments.next().context(usage)?;
    let rounds: u64 = arguments.next().context(usage)?.parse().context(usage)?;
    match name.as_str() {
        "sweep" => sweep(rounds),
        "join" => join(rounds),
        "tick" => tick(rounds)?,
        "ogg" => pack(Box::new(OggPacker::new(1, "counts")), rounds),
        "webm" => pack(Box::new(WebmPacker::new()), rounds),
        "mp4" => pack(Box::new(Mp4Packer::new()), rounds),
        _ => bail!(usage),
    }
    Ok(())
}

/// Takes everything.
struct Swallow;

impl Sink for Swallow {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(black_box(bufs).iter().map(|buf| buf.len()).sum())
    }
}

fn cut(number: u64) -> CutPage {
    CutPage {
        epoch: Epoch(1),
        media_time: MediaTime(number * PAGE_SAMPLES),
        duration: PAGE_SAMPLES as u32,
        start: true,
        bytes: Bytes::from_static(&[0x55; 635]),
    }
}

/// One sweep over `LISTENERS`, each owed one page.
fn sweep(rounds: u64) {
    let ring = Ring::new(Bytes::new(), RING_PAGES_MAX);
    let mut shard = Shard::new(LISTENERS);
    let key = shard.add_ring(ring.clone());
    for _ in 0..LISTENERS {
        let joined = shard.join(key, ring.cursor_behind(0), Bytes::new(), Swallow, Now(0));
        assert!(joined.is_ok(), "the shard has room");
    }
    let mut left = Vec::new();
    for number in 0..rounds {
        ring.push(cut(number));
        let report = shard.sweep(Now(number * PAGE_US), &mut left);
        assert_eq!(
            report.writes, LISTENERS as u64,
            "each listener is owed a page"
        );
    }
}

/// One listener comes, is sent the head and a short burst, and leaves.
fn join(rounds: u64) {
    let ring = Ring::new(Bytes::new(), RING_PAGES_MAX);
    let mut shard = Shard::new(LISTENERS);
    let key = shard.add_ring(ring.clone());
    for number in 0..RING_PAGES_MAX as u64 {
        ring.push(cut(number));
    }
    let opening = Bytes::from_static(&[0x55; 300]);
    for round in 0..rounds {
        let cursor = ring.cursor_behind(4 * PAGE_SAMPLES);
        let now = Now(round);
        let Ok(listener) = shard.join(key, cursor, opening.clone(), Swallow, now) else {
            panic!("the shard is empty")
        };
        assert_eq!(shard.serve(listener, now), None);
        assert!(shard.leave(listener).is_some());
    }
}

/// One tick of a full stage on which everybody talks.
fn tick(rounds: u64) -> anyhow::Result<()> {
    let mut stage = Stage::new(Epoch(1), MediaTime(0), Now(0));
    let sources: Vec<SourceKey> = (0..STAGE_SEATS_MAX as u32).map(SourceKey).collect();
    for source in &sources {
        anyhow::ensure!(stage.seat(*source, Now(0)).is_ok(), "a seat was refused");
    }
    stage.on_air(true, Now(0));
    let mut encoder = Encoder::new(PROGRAM_BITRATE, false)?;
    let (mut pcm, mut packet) = (vec![0.0; TICK_SAMPLES], Vec::new());
    let mut out = TickOutput::default();
    for number in 0..rounds {
        music::voice(0, number * TICK_SAMPLES as u64, &mut pcm);
        encoder.encode(&pcm, &mut packet)?;
        let opus = Bytes::copy_from_slice(&packet);
        let now = Now::from_millis(number * TICK_MS);
        for source in &sources {
            let said = SourcePacket {
                sequence: number,
                timestamp: (number * TICK_SAMPLES as u64) as u32,
                opus: opus.clone(),
                level: Some(20 + source.0 as u8),
            };
            stage.packet(*source, said, now);
        }
        stage.tick(now, &mut out);
        black_box(&out);
    }
    Ok(())
}

/// One second of sound into pages.
fn pack(mut packer: Box<dyn Packer>, rounds: u64) {
    for number in 0..rounds * PACKETS {
        if number % ROSTER_EVERY == 0 {
            packer.roster(ROSTER);
        }
        black_box(packer.push(&ProgramPacket {
            epoch: Epoch(1),
            media_time: MediaTime(number * TICK_SAMPLES as u64),
            opus: Bytes::from_static(&PACKET),
        }));
    }
}
