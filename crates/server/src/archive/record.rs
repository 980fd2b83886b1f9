//! The recorder: a reader of the Ogg ring that never skips, on a thread of its own so that a slow disk stops nobody.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
use tokio::sync::oneshot;

use super::pages::{Head, OggPage, head_of_recording};
use super::{ArchiveError, Inner, lock, recover, wave};

/// How long the writer waits for new pages. A page holds 100 ms; this much is lost by a kill beside what is in the packer.
const POLL: Duration = Duration::from_millis(100);
/// A power cut loses at most what was written since: PRODUCT.md allows 1 s of sound with the two other delays.
const SYNC_EACH: Duration = Duration::from_millis(700);
/// A disk that refused is asked again after this. The ring holds 60 s, so a short trouble loses nothing.
const RETRY: Duration = Duration::from_secs(5);
/// Pages before the sound: OpusHead and OpusTags.
const HEAD_PAGES: u32 = 2;
/// Samples (10 s). A longer hole in the media time is not one restart: the file goes on without it.
const HOLE_SAMPLES_MAX: u64 = 10 * SAMPLE_RATE as u64;
/// Pages taken from the ring at once (6 s of sound), so that a long backlog does not sit in memory twice.
const BATCH_PAGES_MAX: usize = 64;

/// A recording under way: a reader of the Ogg ring that never skips. Dropping it without `finish` leaves a file that plays.
pub struct Recording {
    stop: mpsc::Sender<Stop>,
}

/// What the writer is told at the end, and where its answer goes.
enum Stop {
    /// Close the file: the space is over.
    Close(oneshot::Sender<Result<(String, u64), ArchiveError>>),
    /// Let it go as it is, all of it on the disk: the node ends, and the next one goes on with it.
    Leave(oneshot::Sender<()>),
}

impl Recording {
    pub(super) fn start(
        inner: Arc<Inner>,
        space: SpaceId,
        ring: Ring,
        from_sequence: u64,
        from: MediaTime,
    ) -> Result<Self, ArchiveError> {
        let (stop, stopped) = mpsc::channel();
        let turn = Arc::clone(lock(&inner.writers).entry(space.clone()).or_default());
        let writer = Writer {
            inner,
            space,
            ring,
            next: from_sequence,
            from,
            missed: 0,
            file: None,
        };
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run(&turn, &stopped))
            .map_err(ArchiveError::Disk)?;
        Ok(Self { stop })
    }

    /// Ends the file after the ring's pages up to now; gives object and milliseconds.
    pub async fn finish(self) -> Result<(String, u64), ArchiveError> {
        let gone = || ArchiveError::Disk(io::Error::other("the recorder has ended before"));
        let (reply, answer) = oneshot::channel();
        self.stop.send(Stop::Close(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until the ring's pages up to now are on the disk, and leaves the file for the node's next run.
    pub async fn leave(self) {
        let (reply, left) = oneshot::channel();
        if self.stop.send(Stop::Leave(reply)).is_ok() {
            // A writer that is gone has nothing more to write.
            let _ = left.await;
        }
    }
}

struct Writer {
    inner: Arc<Inner>,
    space: SpaceId,
    ring: Ring,
    /// Sequence of the ring's page that is written next.
    next: u64,
    /// Where a new recording begins, within that page.
    from: MediaTime,
    /// Pages that left the ring before the disk took them.
    missed: u64,
    file: Option<OpenFile>,
}

impl Writer {
    fn run(mut self, turn: &Mutex<()>, stopped: &mpsc::Receiver<Stop>) {
        let _turn = lock(turn);
        let mut synced = Instant::now();
        loop {
            let result = self.write_all(&mut synced);
            self.tell(&result);
            match stopped.recv_timeout(if result.is_err() { RETRY } else { POLL }) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.leave(),
                Ok(Stop::Close(reply)) => return self.close(reply),
                Ok(Stop::Leave(reply)) => {
                    self.leave();
                    // Who no longer waits is told nothing.
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    /// Writes what the ring holds, and syncs when it is time. What failed is written again from the same place.
    fn write_all(&mut self, synced: &mut Instant) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenFile::open(
                &self.inner.recordings,
                &self.space,
                &self.ring,
                self.from,
            )?),
        };
        let mut batch: Vec<Page> = Vec::with_capacity(BATCH_PAGES_MAX);
        loop {
            self.ring.pages_from(self.next, BATCH_PAGES_MAX, &mut batch);
            let Some(first) = batch.first() else { break };
            self.missed += first.sequence.saturating_sub(self.next);
            for page in &batch {
                self.missed += u64::from(!file.append(page)?);
                self.next = page.sequence + 1;
            }
        }
        if synced.elapsed() >= SYNC_EACH {
            file.file.sync_data()?;
            *synced = Instant::now();
        }
        Ok(())
    }

    fn tell(&self, result: &io::Result<()>) {
        let mut troubles = lock(&self.inner.troubles);
        match result {
            Ok(()) => {
                if troubles.remove(&self.space).is_some() {
                    tracing::info!(space = %self.space, missed = self.missed, "the disk takes the recording again");
                }
            }
            Err(error) => {
                let text = format!(
                    "The recording of {} is not being written: {error}",
                    self.space
                );
                if troubles.insert(self.space.clone(), text).is_none() {
                    tracing::error!(space = %self.space, %error, "the disk does not take the recording; the live sound goes on");
                }
            }
        }
    }

    /// Nobody asked to close: the stage has gone, or the node is ending. The `.part` stays for the next to go on with.
    fn leave(mut self) {
        let _ = self.write_all(&mut Instant::now());
        if let Some(file) = self.file.take() {
            let _ = file.file.sync_data();
        }
        lock(&self.inner.troubles).remove(&self.space);
    }

    fn close(mut self, reply: oneshot::Sender<Result<(String, u64), ArchiveError>>) {
        // Should the disk refuse the last pages, the file is closed with what it has.
        let last = self.write_all(&mut Instant::now());
        lock(&self.inner.troubles).remove(&self.space);
        if self.missed > 0 {
            tracing::warn!(space = %self.space, pages = self.missed, "the recording has a hole: the disk was too slow");
        }
        let closed = match (self.file.take(), last) {
            (Some(file), _) => file.close().map_err(ArchiveError::Disk),
            (None, Err(error)) => Err(ArchiveError::Disk(error)),
            (None, Ok(())) => Err(ArchiveError::Missing),
        };
        let made = closed
            .as_ref()
            .ok()
            .map(|(object, _)| self.inner.recordings.join(object));
        // The host must not wait for the waveform of a long evening.
        let _ = reply.send(closed);
        if let Some(path) = made
            && let Err(error) = wave::of(&path)
        {
            tracing::warn!(space = %self.space, %error, "the waveform could not be computed");
        }
    }
}

/// A `.part` and where its next page goes.
struct OpenFile {
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
    fn open(
        folder: &std::path::Path,
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
    fn append(&mut self, page: &Page) -> io::Result<bool> {
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

    fn close(mut self) -> io::Result<(String, u64)> {
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
