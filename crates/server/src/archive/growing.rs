//! One recording's file while it grows: whole pages with granules and numbers of its own, and silence for holes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hustings_control::ids::SpaceId;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::limits::{PAGE_SAMPLES, SAMPLE_RATE, TICK_SAMPLES};
use hustings_media::opus::SILENCE;
use hustings_media::pack::ogg::OggPacker;
use hustings_media::pack::{Packer, ProgramPacket};
use hustings_media::page::Page;
use hustings_media::time::MediaTime;

use super::pages::{Head, OggPage, head_of_recording};
use super::{recover, wave};

/// Pages before the sound: OpusHead and OpusTags.
const HEAD_PAGES: u32 = 2;
/// Samples (10 s). A longer hole in the media time is not one restart: the file goes on without it.
const HOLE_SAMPLES_MAX: u64 = 10 * SAMPLE_RATE as u64;

/// A `.part` and where its next page goes.
pub(super) struct OpenFile {
    file: File,
    /// The closed file's name, and the folder.
    object: String,
    folder: PathBuf,
    head: Head,
    /// The ring's head, and where the recording shall begin, until its first page is known.
    begins: Option<(Bytes, MediaTime)>,
    /// Media time at which granules count from zero; `None` for files of before until the next page.
    origin: Option<MediaTime>,
    serial: u32,
    /// Bytes that are whole pages.
    length: u64,
    granule: u64,
    number: u32,
    /// The last page and where it stands: its end-of-stream flag is set when the file is closed.
    last: Option<(u64, OggPage)>,
}

impl OpenFile {
    /// Goes on with the space's newest recording, or begins one with the ring's head.
    pub(super) fn open(
        folder: &Path,
        space: &SpaceId,
        ring: &Ring,
        from: MediaTime,
    ) -> io::Result<Self> {
        let newest = recover::newest(folder, space);
        if let Some((counter, path)) = &newest
            && let Some(scan) = recover::scan(path)?
        {
            let object = recover::object(space, *counter);
            let part = folder.join(format!("{object}.part"));
            std::fs::rename(path, &part)?;
            let _ = std::fs::remove_file(wave::beside(path));
            let file = OpenOptions::new().read(true).write(true).open(part)?;
            file.set_len(scan.length)?;
            let mut open = Self {
                file,
                object,
                folder: folder.to_owned(),
                head: scan.head,
                begins: None,
                origin: scan.origin,
                serial: scan.serial,
                length: scan.length,
                granule: scan.granule,
                number: scan.pages,
                last: scan.last,
            };
            open.mark_end(false)?;
            return Ok(open);
        }
        // A file without a whole head cannot be gone on with; it stays aside for people to look at.
        let object = recover::object(space, newest.map_or(1, |(counter, _)| counter + 1));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(folder.join(format!("{object}.part")))?;
        let head_bytes = ring.head();
        let broken = || io::Error::other("the ring has no Ogg Opus head");
        let first = OggPage::first_of(&head_bytes).ok_or_else(broken)?;
        let head = Head::of(&first).ok_or_else(broken)?;
        // Written at once, so that there is a head whatever comes, and once more when the first page is known.
        file.write_all_at(&head_bytes, 0)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Self {
            file,
            object,
            folder: folder.to_owned(),
            head,
            begins: Some((head_bytes, from)),
            origin: None,
            serial: first.serial(),
            length: 0,
            granule: 0,
            number: HEAD_PAGES,
            last: None,
        })
    }

    /// Writes a page of the ring with granules and numbers of this file, and silence for what is missing before it.
    /// Nothing changes when the disk refuses. False when the ring gave something that is no Ogg page.
    pub(super) fn append(&mut self, page: &Page) -> io::Result<bool> {
        let Some(ogg) = OggPage::first_of(&page.bytes) else {
            return Ok(false);
        };
        self.begin(page.media_time)?;
        self.fill(page)?;
        self.put(ogg, page.duration)?;
        Ok(true)
    }

    /// The head of a new recording, once it is known where its first page begins.
    fn begin(&mut self, first: MediaTime) -> io::Result<()> {
        let Some((ring_head, from)) = &self.begins else {
            return Ok(());
        };
        let trim = from.0.saturating_sub(first.0).min(PAGE_SAMPLES);
        let broken = || io::Error::other("the head of the ring cannot become that of a recording");
        let bytes = head_of_recording(ring_head, trim, first).ok_or_else(broken)?;
        self.file.write_all_at(&bytes, 0)?;
        self.length = bytes.len() as u64;
        self.head.pre_skip += trim;
        self.origin = Some(first);
        self.begins = None;
        Ok(())
    }

    /// Opus silence from the file's end to the page's begin, when media time has gone on without the file.
    fn fill(&mut self, page: &Page) -> io::Result<()> {
        let end = self.origin.map(|origin| origin.0 + self.granule);
        let hole = end.map_or(0, |end| page.media_time.0.saturating_sub(end));
        if hole > HOLE_SAMPLES_MAX || end.is_none_or(|end| page.media_time.0 < end) {
            tracing::warn!(object = %self.object, hole, "a recording goes on with another media time");
            self.origin = Some(MediaTime(page.media_time.0.saturating_sub(self.granule)));
            return Ok(());
        }
        let mut packer = OggPacker::new(self.serial, "");
        let from = page.media_time.0 - hole;
        for at in (from..page.media_time.0).step_by(TICK_SAMPLES) {
            let silence = packer.push(&ProgramPacket {
                epoch: page.epoch,
                media_time: MediaTime(at),
                opus: SILENCE.into(),
            });
            self.put_cut(silence)?;
        }
        self.put_cut(packer.flush())
    }

    fn put_cut(&mut self, cut: Option<CutPage>) -> io::Result<()> {
        match cut.and_then(|cut| Some((OggPage::first_of(&cut.bytes)?, cut.duration))) {
            Some((ogg, duration)) => self.put(ogg, duration),
            None => Ok(()),
        }
    }

    fn put(&mut self, mut ogg: OggPage, duration: u32) -> io::Result<()> {
        let granule = self.granule + u64::from(duration);
        ogg.place(granule, self.number);
        self.file.write_all_at(ogg.bytes(), self.length)?;
        let at = self.length;
        self.length += ogg.bytes().len() as u64;
        self.granule = granule;
        self.number += 1;
        self.last = Some((at, ogg));
        Ok(())
    }

    fn mark_end(&mut self, end: bool) -> io::Result<()> {
        if let Some((at, page)) = &mut self.last {
            page.end_stream(end);
            self.file.write_all_at(page.bytes(), *at)?;
        }
        Ok(())
    }

    /// What was written is on the disk when this is through.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Marks the end, and gives the file its name; object and milliseconds.
    pub(super) fn close(mut self) -> io::Result<(String, u64)> {
        // What a refused write may have left behind the last whole page.
        self.file.set_len(self.length)?;
        self.mark_end(true)?;
        self.file.sync_all()?;
        std::fs::rename(
            self.folder.join(format!("{}.part", self.object)),
            self.folder.join(&self.object),
        )?;
        File::open(&self.folder)?.sync_all()?;
        Ok((self.object, self.head.millis(self.granule)))
    }
}
