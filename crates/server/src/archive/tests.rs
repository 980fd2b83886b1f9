//! Recordings as a player sees them: written, killed, gone on with, and decoded by the real ffmpeg.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::fanout::Ring;
use hustings_media::opus::Encoder;
use hustings_media::pack::ogg::OggPacker;
use hustings_media::pack::{Packer, ProgramPacket};
use hustings_media::time::{Epoch, MediaTime};

use super::*;

/// A program that hums, with its Ogg ring.
struct Program {
    ring: Ring,
    packer: OggPacker,
    encoder: Encoder,
    at: u64,
    epoch: Epoch,
}

impl Program {
    fn new(at: u64, epoch: u32) -> Self {
        let packer = OggPacker::new(77, "A test");
        let ring = Ring::new(packer.head(), 600);
        Self {
            ring,
            packer,
            encoder: Encoder::new(48_000, false).unwrap(),
            at,
            epoch: Epoch(epoch),
        }
    }

    fn hum(&mut self, seconds: u64) {
        for _ in 0..seconds * 50 {
            let pcm: Vec<f32> = (0..960)
                .map(|i| {
                    ((self.at + i) as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.5
                })
                .collect();
            let mut opus = Vec::new();
            self.encoder.encode(&pcm, &mut opus).unwrap();
            let packet = ProgramPacket {
                epoch: self.epoch,
                media_time: MediaTime(self.at),
                opus: Bytes::from(opus),
            };
            self.at += 960;
            if let Some(page) = self.packer.push(&packet) {
                assert!(self.ring.push(page));
            }
        }
    }
}

fn space() -> SpaceId {
    SpaceId::parse("town-hall").unwrap()
}

/// Seconds of sound that ffmpeg decodes, and what it complains about.
fn decoded(path: &Path) -> (f64, String) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ac", "1", "-ar", "48000", "-"])
        .output()
        .expect("ffmpeg is installed");
    (
        output.stdout.len() as f64 / 96_000.0,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn assert_plays(path: &Path, seconds: f64) {
    let (length, complaints) = decoded(path);
    assert!(
        (length - seconds).abs() < 0.1,
        "{length} s instead of {seconds} s"
    );
    assert_eq!(complaints, "");
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let told: f64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap();
    assert!(
        (told - seconds).abs() < 0.1,
        "ffprobe tells {told} s instead of {seconds} s"
    );
}

/// Waits for a state that another thread brings about; fails after 10 s.
fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !there() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::yield_now();
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

#[tokio::test]
async fn a_recording_plays_has_its_length_and_leaves_out_what_was_before() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    let mut program = Program::new(48_000 * 3_600, 3);
    program.hum(2);
    let from = program.ring.next_sequence();
    let recording = archive
        .record(&space(), program.ring.clone(), from, MediaTime(0))
        .unwrap();
    program.hum(5);
    let (object, millis) = recording.finish().await.unwrap();
    assert!((4_900..=5_000).contains(&millis), "{millis} ms");
    let (path, bytes) = archive.file(&object).unwrap();
    assert_eq!(bytes, length(&path));
    assert_plays(&path, millis as f64 / 1_000.0);
    let wave = archive.waveform(&object).unwrap();
    assert_eq!(wave.len(), 1_000);
    assert!(
        wave[500..900]
            .iter()
            .all(|&peak| (150..220).contains(&peak)),
        "a hum at half loudness: {wave:?}"
    );
    archive.delete(&object).unwrap();
    assert!(matches!(archive.file(&object), Err(ArchiveError::Missing)));
}

#[tokio::test]
async fn after_a_kill_within_a_page_the_recording_plays_and_is_gone_on_with() {
    let data = tempfile::tempdir().unwrap();
    let part = data.path().join("recordings/town-hall-1.ogg.part");
    let before = Archive::open(data.path()).unwrap();
    let mut program = Program::new(0, 1);
    let recording = before
        .record(&space(), program.ring.clone(), 0, MediaTime(0))
        .unwrap();
    program.hum(4);
    drop(recording);
    wait_for("the last page", || scan_granule(&part) == 4 * 48_000);
    // What a kill leaves: a page half written.
    let bytes = std::fs::read(&part).unwrap();
    std::fs::write(&part, &bytes[..bytes.len() - 100]).unwrap();

    let archive = Archive::open(data.path()).unwrap();
    let recovered = archive.recover();
    let [(whose, object, millis)] = recovered.as_slice() else {
        panic!("{recovered:?}")
    };
    assert_eq!((whose, object.as_str()), (&space(), "town-hall-1.ogg"));
    assert!(
        (3_800..=3_900).contains(millis),
        "one page of 100 ms is lost: {millis} ms"
    );
    assert_plays(&archive.file(object).unwrap().0, *millis as f64 / 1_000.0);
    assert_eq!(archive.recover(), []);

    let mut program = Program::new(48_000 * 30, 2);
    let recording = archive
        .record(&space(), program.ring.clone(), 0, MediaTime(0))
        .unwrap();
    program.hum(3);
    let (again, total) = recording.finish().await.unwrap();
    assert_eq!((&again, total), (object, millis + 3_000));
    assert_plays(&archive.file(object).unwrap().0, total as f64 / 1_000.0);
}

#[tokio::test]
async fn a_restarted_stage_goes_on_in_the_same_file() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    let mut first = Program::new(0, 1);
    first.hum(2);
    drop(
        archive
            .record(&space(), first.ring.clone(), 0, MediaTime(0))
            .unwrap(),
    );
    let mut second = Program::new(48_000 * 2, 2);
    second.hum(2);
    let (object, millis) = archive
        .record(&space(), second.ring.clone(), 0, MediaTime(0))
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert!((3_900..=4_000).contains(&millis), "{millis} ms");
    assert_plays(&archive.file(&object).unwrap().0, millis as f64 / 1_000.0);
}

#[tokio::test]
async fn what_a_restart_leaves_out_of_the_media_time_is_silence_in_the_file() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    let mut first = Program::new(48_000 * 90, 1);
    first.hum(2);
    let recording = archive
        .record(&space(), first.ring.clone(), 0, MediaTime(0))
        .unwrap();
    drop(recording);
    let part = data.path().join("recordings/town-hall-1.ogg.part");
    wait_for("two seconds", || scan_granule(&part) == 2 * 48_000);
    drop(archive);
    // Another process: what it knows of the first is in the file.
    let archive = Archive::open(data.path()).unwrap();
    assert_eq!(archive.recover().len(), 1);
    let mut second = Program::new(48_000 * 93 + 2 * 960, 2);
    second.hum(2);
    let (object, millis) = archive
        .record(&space(), second.ring.clone(), 0, MediaTime(0))
        .unwrap()
        .finish()
        .await
        .unwrap();
    let whole = 2_000 + 1_000 + 40 + 2_000;
    assert!((whole - 100..=whole).contains(&millis), "{millis} ms");
    let (path, _) = archive.file(&object).unwrap();
    assert_plays(&path, millis as f64 / 1_000.0);
    let scan = recover::scan(&path).unwrap().unwrap();
    assert_eq!(scan.origin, Some(MediaTime(48_000 * 90)));
    let wave = archive.waveform(&object).unwrap();
    let at = |ms: u64| wave[(ms * 1_000 / millis) as usize];
    assert!(at(1_500) > 100 && at(3_500) > 100, "{wave:?}");
    assert_eq!(at(2_500), 0, "{wave:?}");
}

#[tokio::test]
async fn a_recording_begins_within_a_page_where_it_is_told() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    let mut program = Program::new(0, 1);
    let from = MediaTime(3 * 960);
    let recording = archive
        .record(&space(), program.ring.clone(), 0, from)
        .unwrap();
    program.hum(2);
    let (object, millis) = recording.finish().await.unwrap();
    assert_eq!(millis, (2 * 48_000 - 3 * 960 - 312) / 48);
    let (path, _) = archive.file(&object).unwrap();
    let (seconds, complaints) = decoded(&path);
    assert_eq!(
        ((seconds * 1_000.0) as u64, complaints.as_str()),
        (millis, "")
    );
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_and_harms_nobody() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    // Root may write anywhere, so the folder is taken away instead of its permissions.
    let folder = data.path().join("recordings");
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, b"in the way").unwrap();
    let mut program = Program::new(0, 1);
    let recording = archive
        .record(&space(), program.ring.clone(), 0, MediaTime(0))
        .unwrap();
    program.hum(2);
    wait_for("the trouble", || {
        archive
            .trouble()
            .is_some_and(|text| text.contains("town-hall"))
    });
    wait_for("how far behind it is", || archive.behind_s(&space()) >= 1);
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    let (object, millis) = recording.finish().await.unwrap();
    assert!(
        (1_900..=2_000).contains(&millis),
        "the ring had kept everything: {millis} ms"
    );
    assert_plays(&archive.file(&object).unwrap().0, millis as f64 / 1_000.0);
    assert_eq!((archive.trouble(), archive.behind_s(&space())), (None, 0));
}

#[test]
fn names_from_outside_stay_inside() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    std::fs::write(data.path().join("secret.ogg"), b"no").unwrap();
    let long = format!("{}.ogg", "a".repeat(200));
    for name in [
        "../secret.ogg",
        "/etc/passwd",
        "",
        ".ogg",
        "a/b.ogg",
        "a\0.ogg",
        "A.ogg",
        "x.part",
        "x.wave",
        &long,
    ] {
        assert!(
            matches!(archive.file(name), Err(ArchiveError::Missing)),
            "{name}"
        );
        assert!(
            matches!(archive.delete(name), Err(ArchiveError::Missing)),
            "{name}"
        );
        assert!(
            matches!(archive.music(Some(name)), Err(ArchiveError::Missing)),
            "{name}"
        );
    }
}

#[test]
fn uploads_are_kept_only_when_they_are_sound() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    assert!(matches!(
        archive.store_music(&space(), b"no sound at all"),
        Err(ArchiveError::Music(_))
    ));
    let large = vec![0; MUSIC_BYTES_MAX + 1];
    assert!(matches!(
        archive.store_music(&space(), &large),
        Err(ArchiveError::TooLarge(_))
    ));
    assert_eq!(
        std::fs::read_dir(data.path().join("music"))
            .unwrap()
            .count(),
        0
    );

    // The last 50 ms are blended into the beginning, so that it loops without a click.
    let object = archive.store_music(&space(), &wav(48_000)).unwrap();
    let pcm = archive.music(Some(&object)).unwrap();
    assert!(
        (45_500..=49_000).contains(&pcm.len()),
        "{} samples",
        pcm.len()
    );
    archive.delete(&object).unwrap();
    assert!(matches!(
        archive.music(Some(&object)),
        Err(ArchiveError::Missing)
    ));
}

#[tokio::test]
async fn old_recordings_expire_and_younger_stay() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::open(data.path()).unwrap();
    let mut program = Program::new(0, 1);
    program.hum(1);
    let (object, _) = archive
        .record(&space(), program.ring.clone(), 0, MediaTime(0))
        .unwrap()
        .finish()
        .await
        .unwrap();
    let closed = std::fs::metadata(archive.file(&object).unwrap().0)
        .unwrap()
        .modified()
        .unwrap();
    let closed = closed.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(
        archive.expire(7, UnixMillis(closed + 6 * day)),
        Vec::<String>::new()
    );
    assert_eq!(
        archive.expire(7, UnixMillis(closed + 8 * day)),
        std::slice::from_ref(&object)
    );
    assert!(matches!(archive.file(&object), Err(ArchiveError::Missing)));
}

fn scan_granule(path: &Path) -> u64 {
    recover::scan(path)
        .ok()
        .flatten()
        .map_or(0, |scan| scan.granule)
}

fn wav(samples: u32) -> Vec<u8> {
    let data = samples * 2;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + data).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&48_000_u32.to_le_bytes());
    wav.extend_from_slice(&96_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&data.to_le_bytes());
    wav.extend((0..samples).flat_map(|i| (((i * 37) % 2_000) as i16 - 1_000).to_le_bytes()));
    wav
}

/// Recordings that are not published are nobody's to hear but the node's, also in folders that an older version made.
#[test]
fn only_the_nodes_user_looks_into_the_folders() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("recordings")).unwrap();
    Archive::open(data.path()).unwrap();
    for folder in ["recordings", "music"] {
        let folder = std::fs::metadata(data.path().join(folder)).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }
}
