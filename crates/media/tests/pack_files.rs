//! Real files: what the packers write is read by ffmpeg and opusinfo, from the start and joined in mid-stream.
//! Needs `ffmpeg`, `ffprobe` and `opusinfo`.

#![allow(
    clippy::disallowed_methods,
    reason = "A test is not the plane: other programs read its files"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use hustings_media::limits::{PROGRAM_BITRATE, SAMPLE_RATE, TICK_SAMPLES};
use hustings_media::opus::Encoder;
use hustings_media::pack::mp4::Mp4Packer;
use hustings_media::pack::ogg::{LAST, OggPacker, rebase, serial_of};
use hustings_media::pack::webm::WebmPacker;
use hustings_media::pack::{Packer, ProgramPacket};
use hustings_media::time::{Epoch, MediaTime};

const TONE_HZ: f32 = 440.0;
const SECONDS: usize = 4;
const TICKS: usize = SECONDS * 50;
const PAGES: usize = SECONDS * 10;

/// A tone from `first_tick` of media time on, with another epoch from the middle on.
fn tone(first_tick: u64) -> Vec<ProgramPacket> {
    let mut encoder = Encoder::new(PROGRAM_BITRATE, false).expect("an encoder");
    let mut out = Vec::new();
    (0..TICKS)
        .map(|tick| {
            let at = |sample: usize| (tick * TICK_SAMPLES + sample) as f32 / SAMPLE_RATE as f32;
            let pcm: Vec<f32> = (0..TICK_SAMPLES)
                .map(|sample| 0.5 * (at(sample) * TONE_HZ * std::f32::consts::TAU).sin())
                .collect();
            encoder.encode(&pcm, &mut out).expect("a packet");
            let media_time = MediaTime((first_tick + tick as u64) * TICK_SAMPLES as u64);
            let epoch = Epoch(if tick < TICKS / 2 { 1 } else { 2 });
            ProgramPacket {
                epoch,
                media_time,
                opus: Bytes::copy_from_slice(&out),
            }
        })
        .collect()
}

fn pages(packer: &mut dyn Packer, first_tick: u64) -> Vec<Bytes> {
    let mut pages = Vec::new();
    for packet in tone(first_tick) {
        packer.roster(
            br#"{"phase":"live","people":[{"id":"a","name":"Ada","level":12}],"listening":40}"#,
        );
        pages.extend(packer.push(&packet).map(|page| page.bytes));
    }
    pages.extend(packer.flush().map(|page| page.bytes));
    assert_eq!(pages.len(), PAGES);
    pages
}

/// A file in the build's own temporary folder.
fn file(name: &str, parts: &[Bytes]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, parts.concat()).expect("a file in the build's folder");
    path
}

fn run(program: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {errors}");
    (output.stdout, errors)
}

/// Decodes with ffmpeg, which must have nothing to complain about, and checks length and tone.
fn decodes(path: &Path, seconds: f64) {
    let name = path.to_string_lossy();
    let decode = [
        "-v",
        "warning",
        "-err_detect",
        "explode",
        "-i",
        &name,
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "1",
        "-",
    ];
    let (raw, errors) = run("ffmpeg", &decode);
    assert_eq!(errors, "", "{name}");
    let pcm: Vec<f32> = raw
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    let got = pcm.len() as f64 / f64::from(SAMPLE_RATE);
    assert!(
        (got - seconds).abs() < 0.03,
        "{name}: {got} s instead of {seconds}"
    );
    // After the decoder has found its feet, the tone crosses zero upwards 440 times a second without a gap.
    let settled = &pcm[SAMPLE_RATE as usize / 10..];
    let crossings = settled
        .windows(2)
        .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
        .count() as f64;
    let hertz = crossings / (settled.len() as f64 / f64::from(SAMPLE_RATE));
    assert!(
        (hertz - f64::from(TONE_HZ)).abs() < 2.0,
        "{name}: {hertz} Hz"
    );
    assert!(
        settled
            .chunks(480)
            .all(|part| part.iter().any(|sample| sample.abs() > 0.2)),
        "{name}: a gap"
    );
}

fn first_time(path: &Path) -> f64 {
    let name = path.to_string_lossy();
    let (out, _) = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "packet=pts_time",
            "-of",
            "csv=p=0",
            &name,
        ],
    );
    let text = String::from_utf8_lossy(&out).into_owned();
    text.lines()
        .next()
        .and_then(|line| line.trim_end_matches(',').parse().ok())
        .expect("a first packet")
}

/// The whole stream, and one joined in the middle: the head, then pages from a start mark.
fn plays(name: &str, mut packer: Box<dyn Packer>) {
    let first_tick = 5_000;
    let sound = pages(packer.as_mut(), first_tick);
    let whole = [&[packer.head()], &sound[..]].concat();
    decodes(&file(&format!("whole.{name}"), &whole), SECONDS as f64);
    let joined = [&[packer.head()], &sound[PAGES / 4..]].concat();
    let joined = file(&format!("joined.{name}"), &joined);
    decodes(&joined, SECONDS as f64 * 0.75);
    // 100 s of media time and the second that was missed; the encoder's delay may count before.
    let first = first_time(&joined);
    assert!((first - 101.0).abs() < 0.03, "{name}: {first}");
}

#[test]
fn ogg_plays_from_the_start_and_from_the_middle() {
    plays(
        "ogg",
        Box::new(OggPacker::new(serial_of("a-space"), "A talk")),
    );
}

#[test]
fn webm_plays_from_the_start_and_from_the_middle() {
    plays("webm", Box::new(WebmPacker::new()));
}

#[test]
fn mp4_plays_from_the_start_and_from_the_middle() {
    plays("mp4", Box::new(Mp4Packer::new()));
}

#[test]
fn a_rebased_ogg_file_is_flawless_for_opusinfo() {
    let first_tick = 5_000;
    let mut packer = OggPacker::new(serial_of("a-space"), "A talk");
    let sound = pages(&mut packer, first_tick);
    let offset = first_tick * TICK_SAMPLES as u64;
    let mut parts = vec![packer.head()];
    for (page, number) in sound.iter().zip(2_u32..) {
        let flags = if number as usize == PAGES + 1 {
            LAST
        } else {
            0
        };
        parts.push(rebase(page, offset, number, flags).into());
    }
    let path = file("rebased.ogg", &parts);
    decodes(&path, SECONDS as f64);
    let (out, errors) = run("opusinfo", &[&path.to_string_lossy()]);
    let told = String::from_utf8_lossy(&out).into_owned() + &errors;
    assert!(
        !told.to_lowercase().contains("warning") && !told.to_lowercase().contains("error"),
        "{told}"
    );
    assert!(
        told.contains("TITLE=A talk") && told.contains("Playback length: 0m:03.99"),
        "{told}"
    );
}
