//! After a crash: what is whole in a recording, and closing what was left open.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hustings_control::ids::SpaceId;
use hustings_media::time::MediaTime;

use super::pages::{Head, OggPage, origin_of};

/// What a file holds up to its last whole page.
pub(super) struct Scan {
    pub(super) head: Head,
    /// Media time at which granules count from zero, if the file says so.
    pub(super) origin: Option<MediaTime>,
    pub(super) serial: u32,
    /// Bytes of whole pages.
    pub(super) length: u64,
    /// All whole pages, with the two of the head.
    pub(super) pages: u32,
    pub(super) granule: u64,
    /// The last page with sound and where it stands.
    pub(super) last: Option<(u64, OggPage)>,
}

/// Closes every `.part`. What has no sound is removed; what cannot be read or written stays as it is and is told.
pub(super) fn recover(folder: &Path) -> Vec<(SpaceId, String, u64)> {
    let mut recovered = Vec::new();
    for (path, name) in listed(folder) {
        let Some(object) = name.strip_suffix(".part") else {
            continue;
        };
        let Some((space, _)) = parse(object) else {
            continue;
        };
        match close(folder, &path, object) {
            Ok(Some(millis)) => recovered.push((space, object.to_owned(), millis)),
            Ok(None) => tracing::info!(object, "an empty recording was removed"),
            Err(error) => {
                tracing::error!(object, %error, "the recording left by a crash cannot be closed")
            }
        }
    }
    recovered
}

/// Closed recordings: path and object.
pub(super) fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    listed(folder)
        .into_iter()
        .filter(|(_, name)| parse(name).is_some())
        .collect()
}

/// The space's recording with the highest counter, open or closed.
pub(super) fn newest(folder: &Path, space: &SpaceId) -> Option<(u32, PathBuf)> {
    listed(folder)
        .into_iter()
        .filter_map(|(path, name)| {
            let (whose, counter) = parse(name.strip_suffix(".part").unwrap_or(&name))?;
            (whose == *space).then_some((counter, path))
        })
        .max()
}

/// `None` when the file does not begin with the head of a recording.
pub(super) fn scan(path: &Path) -> io::Result<Option<Scan>> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let Some(first) = OggPage::read(&mut reader)? else {
        return Ok(None);
    };
    let Some(head) = Head::of(&first) else {
        return Ok(None);
    };
    let Some(tags) = OggPage::read(&mut reader)? else {
        return Ok(None);
    };
    let length = (first.bytes().len() + tags.bytes().len()) as u64;
    let mut scan = Scan {
        head,
        origin: origin_of(&tags),
        serial: first.serial(),
        length,
        pages: tags.number() + 1,
        granule: 0,
        last: None,
    };
    while let Some(page) = OggPage::read(&mut reader)? {
        let at = scan.length;
        scan.length += page.bytes().len() as u64;
        scan.pages += 1;
        scan.granule = page.granule();
        scan.last = Some((at, page));
    }
    Ok(Some(scan))
}

pub(super) fn object(space: &SpaceId, counter: u32) -> String {
    format!("{space}-{counter}.ogg")
}

fn parse(object: &str) -> Option<(SpaceId, u32)> {
    let (space, counter) = object.strip_suffix(".ogg")?.rsplit_once('-')?;
    Some((SpaceId::parse(space).ok()?, counter.parse().ok()?))
}

fn close(folder: &Path, path: &Path, object: &str) -> io::Result<Option<u64>> {
    let Some(Scan {
        head,
        length,
        granule,
        last: Some((at, mut page)),
        ..
    }) = scan(path)?
    else {
        std::fs::remove_file(path)?;
        return Ok(None);
    };
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    page.end_stream(true);
    file.write_all_at(page.bytes(), at)?;
    file.sync_all()?;
    std::fs::rename(path, folder.join(object))?;
    File::open(folder)?.sync_all()?;
    Ok(Some(head.millis(granule)))
}

/// Files of the folder by name. One that cannot be read counts as empty: each caller finds out when it writes.
fn listed(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)))
        .collect();
    files.sort();
    files
}
