//! Recordings and uploaded sounds: files under the data folder.

use std::path::Path;
use std::sync::Arc;

use hustings_control::ids::SpaceId;
use hustings_media::fanout::Ring;

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
pub struct Archive { /* helper: Arc<inner> with the folder */ }

/// A recording under way: a reader of the Ogg ring that never skips. Dropping it without `finish` leaves a file that plays.
pub struct Recording;

impl Archive {
    pub fn open(data: &Path) -> Result<Self, ArchiveError> { let _ = data; todo!() }
    /// Begins, or goes on with, the recording of a space from `from_sequence` of its Ogg ring: writes what the ring gives, fdatasync at least
    /// each second, granules counted from the recording's start.
    pub fn record(&self, space: &SpaceId, ring: Ring, from_sequence: u64) -> Result<Recording, ArchiveError> { let _ = (space, ring, from_sequence); todo!() }
    /// Recordings left open by a crash are closed (truncated to the last whole page) so that they play: (space, object, millis).
    pub fn recover(&self) -> Vec<(SpaceId, String, u64)> { todo!() }
    /// A finished recording's or upload's path and length in bytes.
    pub fn file(&self, object: &str) -> Result<(std::path::PathBuf, u64), ArchiveError> { let _ = object; todo!() }
    pub fn delete(&self, object: &str) -> Result<(), ArchiveError> { let _ = object; todo!() }
    /// Keeps an uploaded sound after decoding it; gives its object name.
    pub fn store_music(&self, space: &SpaceId, file: &[u8]) -> Result<String, ArchiveError> { let _ = (space, file); todo!() }
    /// PCM (48 kHz mono) of a stored sound, or the bundled loop for None.
    pub fn music(&self, object: Option<&str>) -> Result<Arc<[f32]>, ArchiveError> { let _ = object; todo!() }
    /// Loudness peaks (0..255), about 1,000 over the whole recording, for the waveform.
    pub fn waveform(&self, object: &str) -> Result<Vec<u8>, ArchiveError> { let _ = object; todo!() }
    /// Set while the disk does not take recordings, with the reason.
    pub fn trouble(&self) -> Option<String> { None }
    /// Deletes recordings closed more than `days` ago; gives their objects.
    pub fn expire(&self, days: u32, now: hustings_control::ids::UnixMillis) -> Vec<String> { let _ = (days, now); todo!() }
}

impl Recording {
    /// Ends the file after the ring's pages up to now; gives object and milliseconds.
    pub async fn finish(self) -> Result<(String, u64), ArchiveError> { todo!() }
}
