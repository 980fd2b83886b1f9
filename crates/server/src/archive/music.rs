//! Uploaded hold music: taken only when it decodes, kept as it came.

use std::path::Path;
use std::sync::Arc;

use hustings_control::ids::SpaceId;

use super::{ArchiveError, missing_or_disk};

/// Bytes. Twenty minutes of MP3 at 128 kbit/s; larger uploads are refused with `TooLarge`.
pub const MUSIC_BYTES_MAX: usize = 20 * 1024 * 1024;

/// The name is the content's hash, so that the same upload twice is one file.
pub(super) fn store(folder: &Path, space: &SpaceId, file: &[u8]) -> Result<String, ArchiveError> {
    if file.len() > MUSIC_BYTES_MAX {
        return Err(ArchiveError::TooLarge(MUSIC_BYTES_MAX));
    }
    hustings_media::music::decode(file)?;
    let hash = blake3::hash(file).to_hex();
    let object = format!("{space}-{}.sound", &hash[..32]);
    write_whole(&folder.join(&object), file).map_err(ArchiveError::Disk)?;
    Ok(object)
}

pub(super) fn load(path: &Path) -> Result<Arc<[f32]>, ArchiveError> {
    let file = std::fs::read(path).map_err(missing_or_disk)?;
    Ok(hustings_media::music::decode(&file)?.into())
}

/// Either the whole file is there afterwards or none.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("tmp");
    let written = std::fs::write(&draft, bytes)
        .and_then(|()| std::fs::File::open(&draft)?.sync_all())
        .and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}
