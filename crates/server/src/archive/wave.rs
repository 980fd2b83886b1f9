//! The waveform of a recording: one peak for each thousandth of its length, kept beside the file.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hustings_media::opus::Decoder;

use super::pages::OggPage;
use super::{ArchiveError, missing_or_disk, music, recover};

/// Peaks over the whole recording: more than a phone is wide, little enough to stand in a page.
const PEAKS: usize = 1_000;
/// Samples an Opus packet can hold (120 ms).
const PACKET_SAMPLES_MAX: usize = 5_760;

/// Where a recording's waveform is kept.
pub(super) fn beside(recording: &Path) -> PathBuf {
    recording.with_extension("wave")
}

/// The kept waveform, or a new one when there is none.
pub(super) fn of(recording: &Path) -> Result<Vec<u8>, ArchiveError> {
    let kept = beside(recording);
    if let Ok(peaks) = std::fs::read(&kept)
        && !peaks.is_empty()
    {
        return Ok(peaks);
    }
    let peaks = compute(recording)?;
    if let Err(error) = music::write_whole(&kept, &peaks) {
        tracing::warn!(%error, "the waveform is not kept and will be computed again");
    }
    Ok(peaks)
}

fn compute(recording: &Path) -> Result<Vec<u8>, ArchiveError> {
    let scan = recover::scan(recording)
        .map_err(missing_or_disk)?
        .ok_or(ArchiveError::Missing)?;
    let total = usize::try_from(scan.granule).unwrap_or(usize::MAX).max(1);
    let mut peaks = vec![0_f32; PEAKS.min(total)];
    let count = peaks.len();
    let unusable = |_| ArchiveError::Disk(std::io::Error::other("no Opus decoder"));
    let mut decoder = Decoder::new().map_err(unusable)?;
    let mut pcm = vec![0.0; PACKET_SAMPLES_MAX];
    let mut reader =
        BufReader::with_capacity(1 << 16, File::open(recording).map_err(missing_or_disk)?);
    let (mut at, mut number) = (0_usize, 0);
    while let Some(page) = OggPage::read(&mut reader).map_err(ArchiveError::Disk)? {
        number += 1;
        if number <= HEAD_PAGES {
            continue;
        }
        for packet in page.packets() {
            // One spoiled packet makes one gap in a drawing; the rest is worth having.
            let Ok(samples) = decoder.decode(packet, &mut pcm) else {
                continue;
            };
            for &sample in &pcm[..samples] {
                let peak = &mut peaks[(at * count / total).min(count - 1)];
                *peak = peak.max(sample.abs());
                at += 1;
            }
        }
    }
    Ok(peaks.into_iter().map(shade).collect())
}

/// Pages before the sound: OpusHead and OpusTags.
const HEAD_PAGES: u32 = 2;

/// The square root makes quiet speech visible beside loud laughter.
fn shade(peak: f32) -> u8 {
    (peak.clamp(0.0, 1.0).sqrt() * 255.0) as u8
}
