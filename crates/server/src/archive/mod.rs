//! Recordings and uploaded sounds: files under the data folder.
//!
//! `recordings/{space}-{n}.ogg.part` while it is written, `.ogg` when closed, `.wave` beside it for the waveform;
//! `music/{space}-{hash}.sound` for uploads. A space has one recording: what follows a crash or a restarted stage goes
//! into the same file, directly after the last page that was kept (time that nobody recorded is not filled with silence).

mod growing;
mod music;
mod pages;
mod record;
mod recover;
#[cfg(test)]
mod tests;
mod wave;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::numbers::PAGE_MS;
use hustings_media::fanout::Ring;
use hustings_media::time::MediaTime;

pub use music::MUSIC_BYTES_MAX;
pub use record::Recording;

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the recordings folder {0} cannot be used: {1}")]
    Folder(String, std::io::Error),
    #[error("there is no such file")]
    Missing,
    #[error("the disk does not take the recording: {0}")]
    Disk(std::io::Error),
    #[error(transparent)]
    Music(#[from] hustings_media::music::MusicError),
    #[error("the upload is larger than {0} bytes")]
    TooLarge(usize),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

struct Inner {
    recordings: PathBuf,
    music: PathBuf,
    /// Why a recording is not taken at the moment, by space.
    troubles: Mutex<BTreeMap<SpaceId, String>>,
    /// Pages of the ring that the disk has not taken, by space.
    behind: Mutex<BTreeMap<SpaceId, u64>>,
    /// One writer for each space; a second one waits until the first has let the file go.
    writers: Mutex<BTreeMap<SpaceId, Arc<Mutex<()>>>>,
    hold_loop: std::sync::OnceLock<Arc<[f32]>>,
}

/// Bytes. A space's id has 64 at most; with counter or hash and ending no name of ours is longer.
const OBJECT_BYTES_MAX: usize = 120;

impl Archive {
    pub fn open(data: &Path) -> Result<Self, ArchiveError> {
        let [recordings, music] = ["recordings", "music"].map(|name| data.join(name));
        for folder in [&recordings, &music] {
            prepare(folder)
                .map_err(|error| ArchiveError::Folder(folder.display().to_string(), error))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                recordings,
                music,
                troubles: Mutex::default(),
                behind: Mutex::default(),
                writers: Mutex::default(),
                hold_loop: std::sync::OnceLock::new(),
            }),
        })
    }

    /// Begins, or goes on with, the recording of a space from `from_sequence` of its Ogg ring; what of that page
    /// is older than `from` is not heard. Holes in the media time are filled with silence. Writes what the ring gives,
    /// fdatasync at least each second, granules counted from the recording's start. A disk that refuses is no error
    /// here: `trouble` tells it, and the writer tries on.
    pub fn record(
        &self,
        space: &SpaceId,
        ring: Ring,
        from_sequence: u64,
        from: MediaTime,
    ) -> Result<Recording, ArchiveError> {
        Recording::start(
            Arc::clone(&self.inner),
            space.clone(),
            ring,
            from_sequence,
            from,
        )
    }

    /// Recordings left open by a crash are closed (truncated to the last whole page) so that they play: (space, object,
    /// millis). Call it once, before the first `record`; a space that is still live goes on with its file by `record`.
    pub fn recover(&self) -> Vec<(SpaceId, String, u64)> {
        recover::recover(&self.inner.recordings)
    }

    /// A finished recording's or upload's path and length in bytes.
    pub fn file(&self, object: &str) -> Result<(PathBuf, u64), ArchiveError> {
        let path = self.path(object)?;
        let length = std::fs::metadata(&path).map_err(missing_or_disk)?.len();
        Ok((path, length))
    }

    pub fn delete(&self, object: &str) -> Result<(), ArchiveError> {
        let path = self.path(object)?;
        std::fs::remove_file(&path).map_err(missing_or_disk)?;
        // There may be no waveform yet; a left-over one is overwritten by the next of this name.
        let _ = std::fs::remove_file(wave::beside(&path));
        Ok(())
    }

    /// Keeps an uploaded sound after decoding it; gives its object name.
    pub fn store_music(&self, space: &SpaceId, file: &[u8]) -> Result<String, ArchiveError> {
        music::store(&self.inner.music, space, file)
    }

    /// PCM (48 kHz mono) of a stored sound, or the bundled loop for None.
    pub fn music(&self, object: Option<&str>) -> Result<Arc<[f32]>, ArchiveError> {
        match object {
            None => Ok(Arc::clone(
                self.inner
                    .hold_loop
                    .get_or_init(|| hustings_media::music::hold_loop().into()),
            )),
            Some(object) => music::load(&self.path(object)?),
        }
    }

    /// Loudness peaks (0..255), about 1,000 over the whole recording, for the waveform. Blocks while it is computed the
    /// first time (about 4 s for an hour of sound).
    pub fn waveform(&self, object: &str) -> Result<Vec<u8>, ArchiveError> {
        wave::of(&self.file(object)?.0)
    }

    /// Set while the disk does not take recordings, with the reason: for the operator, who may know of every space.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.inner.troubles).values().next().cloned()
    }

    /// Whole seconds of a recording that the disk has not taken, when its writer last looked.
    pub fn behind_s(&self, space: &SpaceId) -> u32 {
        let pages = lock(&self.inner.behind).get(space).copied().unwrap_or(0);
        u32::try_from(pages.saturating_mul(PAGE_MS) / 1_000).unwrap_or(u32::MAX)
    }

    /// The same of one space, for its host.
    pub fn trouble_of(&self, space: &SpaceId) -> Option<String> {
        lock(&self.inner.troubles).get(space).cloned()
    }

    /// Deletes recordings closed more than `days` ago; gives their objects.
    pub fn expire(&self, days: u32, now: UnixMillis) -> Vec<String> {
        let kept = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        let Some(limit) = Duration::from_millis(now.0).checked_sub(kept) else {
            return Vec::new();
        };
        let mut expired = Vec::new();
        for (path, object) in recover::files(&self.inner.recordings) {
            let closed = std::fs::metadata(&path).and_then(|data| data.modified());
            let old =
                closed.is_ok_and(|at| at.duration_since(UNIX_EPOCH).is_ok_and(|at| at < limit));
            if old && self.delete(&object).is_ok() {
                expired.push(object);
            }
        }
        expired
    }

    /// Names come from the outside (paths of requests, rows of a database): only what we could have given ourselves passes.
    fn path(&self, object: &str) -> Result<PathBuf, ArchiveError> {
        let (stem, ending) = object.rsplit_once('.').ok_or(ArchiveError::Missing)?;
        let plain = stem
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if stem.is_empty() || !plain || object.len() > OBJECT_BYTES_MAX {
            return Err(ArchiveError::Missing);
        }
        match ending {
            "ogg" => Ok(self.inner.recordings.join(object)),
            "sound" => Ok(self.inner.music.join(object)),
            _ => Err(ArchiveError::Missing),
        }
    }
}

/// Makes the folder and shows that files can be made in it, so that a start says it and not the first recording.
fn prepare(folder: &Path) -> std::io::Result<()> {
    // Recordings that nobody has published are nobody's to hear but the node's.
    crate::api::secrets::own_folder(folder)?;
    let probe = folder.join("probe.tmp");
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(probe)
}

fn missing_or_disk(error: std::io::Error) -> ArchiveError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ArchiveError::Missing,
        _ => ArchiveError::Disk(error),
    }
}

/// What these locks guard is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
