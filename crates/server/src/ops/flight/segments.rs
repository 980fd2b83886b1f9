//! The files of the chain: one after the other, the newest appended to, the oldest removed when all are too large.

mod end;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hustings_control::ids::UnixMillis;
use hustings_evidence::chain::{Dropped, Head, Lost, Tip, Writer};

use self::end::{killed_at, last_line, mend};
use super::limits::{SEGMENT_BYTES_MAX, SEGMENT_PART, SEGMENTS_MAX};

const ENDING: &str = "jsonl";

/// The chain on the disk, open for appending.
pub(super) struct Segments {
    folder: PathBuf,
    writer: Writer,
    /// The newest segment and its length; none before the first line, and after a failure to make one.
    open: Option<Newest>,
    /// All others, oldest first, with their bytes and their last lines.
    old: Vec<Old>,
    keep_bytes: u64,
}

struct Newest {
    path: PathBuf,
    file: File,
    bytes: u64,
}

struct Old {
    path: PathBuf,
    bytes: u64,
    last: Tip,
}

/// What was found at the start.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// To be written: a line was torn, or the chain does not hold.
    pub(super) lost: Option<Lost>,
    /// The time of the last row, when the run before did not end in order.
    pub(super) killed_at: Option<UnixMillis>,
    /// There is a chain already.
    pub(super) goes_on: bool,
}

impl Segments {
    /// Goes on with the chain in `folder`; `fresh` says that the key was made now, so that what lies there is another's.
    pub(super) fn open(
        folder: &Path,
        secret: &[u8; 32],
        fresh: bool,
        keep_bytes: u64,
    ) -> io::Result<(Self, Found)> {
        if fresh {
            put_aside(folder)?;
        }
        let mut found = Found::default();
        let mut old = Vec::new();
        let mut open: Option<Newest> = None;
        let mut tip = Tip::default();
        for path in list(folder)? {
            old.extend(open.take().map(|newest| newest.into_old(tip)));
            let file = File::options().read(true).write(true).open(&path)?;
            let end = last_line(&file)?;
            let Some(last) = end.tip else {
                // Made, and nothing written any more before the end.
                std::fs::remove_file(&path)?;
                continue;
            };
            tip = last;
            open = Some(Newest {
                path,
                file,
                bytes: end.whole,
            });
        }
        found.goes_on = open.is_some();
        if let Some(newest) = &open {
            found.killed_at = killed_at(&newest.file, newest.bytes)?;
            found.lost = mend(&newest.file, newest.bytes)?;
        }
        let segments = Self {
            folder: folder.to_owned(),
            writer: Writer::new(secret, tip),
            open,
            old,
            keep_bytes,
        };
        Ok((segments, found))
    }

    /// Appends what `lines` makes, and syncs. Nothing of it is in the chain when this fails.
    pub(super) fn append(
        &mut self,
        at: UnixMillis,
        lines: impl FnOnce(&mut Writer, &mut Vec<u8>),
    ) -> io::Result<()> {
        let segment_max = (self.keep_bytes / SEGMENT_PART).min(SEGMENT_BYTES_MAX);
        if self
            .open
            .as_ref()
            .is_none_or(|newest| newest.bytes >= segment_max)
        {
            self.next_segment(at)?;
        }
        let before = self.writer.tip();
        let mut out = Vec::new();
        lines(&mut self.writer, &mut out);
        if let Err(error) = self.write(&out) {
            self.writer.back_to(before);
            return Err(error);
        }
        self.drop_oldest();
        Ok(())
    }

    /// Signs the newest line. To be published when it has succeeded.
    pub(super) fn sign(&mut self, at: UnixMillis) -> io::Result<Head> {
        let mut head = None;
        self.append(at, |writer, out| head = Some(writer.sign(at, out)))?;
        head.ok_or_else(|| io::Error::other("nothing was signed"))
    }

    pub(super) fn bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, |newest| newest.bytes);
        self.old.iter().map(|old| old.bytes).sum::<u64>() + open
    }

    fn write(&mut self, out: &[u8]) -> io::Result<()> {
        let Some(Newest { file, bytes, .. }) = &mut self.open else {
            return Err(io::Error::other("no segment is open"));
        };
        let written = file
            .write_all_at(out, *bytes)
            .and_then(|()| file.sync_data());
        if written.is_err() {
            // What was written of it must not stand in the way; where this fails too, the next line is written over it.
            let _ = file.set_len(*bytes);
        } else {
            *bytes += out.len() as u64;
        }
        written
    }

    fn next_segment(&mut self, at: UnixMillis) -> io::Result<()> {
        let before = self.writer.tip();
        let path = self.folder.join(format!("{:020}.{ENDING}", before.n + 1));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let mut out = Vec::new();
        self.writer.begin(at, &mut out);
        let made = file
            .write_all_at(&out, 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if let Err(error) = made {
            self.writer.back_to(before);
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let bytes = out.len() as u64;
        let newest = self.open.replace(Newest { path, file, bytes });
        self.old
            .extend(newest.map(|newest| newest.into_old(before)));
        Ok(())
    }

    /// What is to go is named in the chain first, on the disk, and then removed.
    fn drop_oldest(&mut self) {
        let mut going = 0;
        let mut bytes = self.bytes();
        for old in &self.old {
            if bytes <= self.keep_bytes && self.old.len() - going < SEGMENTS_MAX {
                break;
            }
            bytes -= old.bytes;
            going += 1;
        }
        let Some(last) = going.checked_sub(1).and_then(|at| self.old.get(at)) else {
            return;
        };
        let dropped = Dropped {
            through: last.last.n,
            hash: last.last.hash,
        };
        let before = self.writer.tip();
        let mut out = Vec::new();
        self.writer.dropped(dropped, &mut out);
        if let Err(error) = self.write(&out) {
            // What was appended before this stands: only the removal waits.
            self.writer.back_to(before);
            tracing::warn!(%error, "an old segment of the flight recorder stays for now");
            return;
        }
        for old in self.old.drain(..going) {
            if let Err(error) = std::fs::remove_file(&old.path) {
                tracing::warn!(path = %old.path.display(), %error, "an old segment of the flight recorder cannot be removed");
            }
        }
    }
}

impl Newest {
    fn into_old(self, last: Tip) -> Old {
        Old {
            path: self.path,
            bytes: self.bytes,
            last,
        }
    }
}

/// Segments in a folder, oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// A chain whose key is not here any more stays readable beside the new one.
fn put_aside(folder: &Path) -> io::Result<()> {
    let all = list(folder)?;
    let Some(first) = all.first().and_then(|path| path.file_stem()) else {
        return Ok(());
    };
    let aside = (0..1_000)
        .map(|number| folder.join(format!("before-{}-{number}", first.to_string_lossy())))
        .find(|aside| !aside.exists())
        .ok_or_else(|| io::Error::other("too many chains lie aside"))?;
    std::fs::create_dir(&aside)?;
    tracing::warn!(to = %aside.display(), "the flight recorder's key is gone: its chain is put aside, a new one begins");
    for path in all {
        if let Some(name) = path.file_name() {
            std::fs::rename(&path, aside.join(name))?;
        }
    }
    Ok(())
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests;
