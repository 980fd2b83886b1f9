//! What the media plane costs by itself: a full stage, and the bytes that containers add.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hustings_media::limits::{PROGRAM_BITRATE, STAGE_SEATS_MAX, TICK_MS, TICK_SAMPLES};
use hustings_media::music;
use hustings_media::opus::Encoder;
use hustings_media::pack::{
    Packer, ProgramPacket, mp4::Mp4Packer, ogg::OggPacker, webm::WebmPacker,
};
use hustings_media::stage::{SourceKey, SourcePacket, Stage, TickOutput};
use hustings_media::time::{Epoch, MediaTime, Now};

use crate::table::{Bound, Table};

/// Ticks: 20 s of sound.
const TICKS: u64 = 1_000;
/// Ticks between two rosters.
const ROSTER_EVERY: u64 = 25;
/// Ticks between two messages of levels.
const LEVELS_EVERY: u64 = 10;

pub(crate) fn report(table: &mut Table) -> anyhow::Result<()> {
    full_stage(table, &speech())?;
    overhead(table);
    Ok(())
}

fn speech() -> Vec<Bytes> {
    let Ok(mut encoder) = Encoder::new(PROGRAM_BITRATE, false) else {
        return Vec::new();
    };
    let (mut pcm, mut packet) = (vec![0.0; TICK_SAMPLES], Vec::new());
    (0..TICKS)
        .filter_map(|tick| {
            music::voice(0, tick * TICK_SAMPLES as u64, &mut pcm);
            encoder.encode(&pcm, &mut packet).ok()?;
            Some(Bytes::copy_from_slice(&packet))
        })
        .collect()
}

fn full_stage(table: &mut Table, packets: &[Bytes]) -> anyhow::Result<()> {
    let mut stage = Stage::new(Epoch(1), MediaTime(0), Now(0));
    let sources: Vec<SourceKey> = (0..STAGE_SEATS_MAX as u32).map(SourceKey).collect();
    for source in &sources {
        anyhow::ensure!(stage.seat(*source, Now(0)).is_ok(), "a seat was refused");
    }
    stage.on_air(true, Now(0));
    let mut out = TickOutput::default();
    let (mut minus, before) = (0, own_cpu()?);
    for (tick, opus) in (0..TICKS).zip(packets) {
        let now = Now::from_millis(tick * TICK_MS);
        for source in &sources {
            let level = Some(20 + (source.0 as u8));
            let timestamp = (tick * TICK_SAMPLES as u64) as u32;
            stage.packet(
                *source,
                SourcePacket {
                    sequence: tick,
                    timestamp,
                    opus: opus.clone(),
                    level,
                },
                now,
            );
        }
        stage.tick(now, &mut out);
        minus += out.minus.len();
    }
    let share = (own_cpu()? - before).as_secs_f64() / (TICKS * TICK_MS) as f64 * 1e5;
    println!("  {:.1} mix-minus a tick", minus as f64 / TICKS as f64);
    table.add(
        "stage of 13, all talking",
        share,
        "% of a core",
        Bound::AtMost(5.0),
    );
    Ok(())
}

/// CPU time of this thread, by the scheduler's nanoseconds.
fn own_cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ran = stat.split_whitespace().next().context("an odd schedstat")?;
    Ok(Duration::from_nanos(ran.parse()?))
}

/// At a true 48 kbit/s: 120 bytes every 20 ms.
fn overhead(table: &mut Table) {
    const PACKET: [u8; (PROGRAM_BITRATE as u64 * TICK_MS / 8_000) as usize] = [0x78; 120];
    let roster = br#"{"v":1,"phase":"live","listening":41208,"hands":14,"people":[{"id":"0011223344556677","name":"City treasurer","level":7},{"id":"1011223344556677","name":"Committee chair","level":0},{"id":"2011223344556677","name":"Director of parks","level":0}]}"#;
    let packers: [(&str, f64, Box<dyn Packer>); 3] = [
        ("Ogg", 6.0, Box::new(OggPacker::new(1, "bench"))),
        ("WebM with roster", 13.0, Box::new(WebmPacker::new())),
        ("MP4 with roster", 24.0, Box::new(Mp4Packer::new())),
    ];
    for (what, most, mut packer) in packers {
        let (mut sound, mut sent) = (0, 0);
        for tick in 0..TICKS {
            if tick % ROSTER_EVERY == 0 {
                packer.roster(roster);
            }
            if tick % LEVELS_EVERY == 0 {
                packer.levels(&[7, 1, 0x70 | (tick % 10) as u8, 0x10]);
            }
            sound += PACKET.len();
            let media_time = MediaTime(tick * TICK_SAMPLES as u64);
            if let Some(page) = packer.push(&ProgramPacket {
                epoch: Epoch(1),
                media_time,
                opus: Bytes::from_static(&PACKET),
            }) {
                sent += page.bytes.len();
            }
        }
        let share = (sent as f64 / sound as f64 - 1.0) * 100.0;
        table.add(
            format!("{what} beside the Opus payload"),
            share,
            "%",
            Bound::AtMost(most),
        );
    }
}
