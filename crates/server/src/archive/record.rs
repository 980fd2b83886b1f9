//! The recorder: a reader of the Ogg ring that never skips, on a thread of its own so that a slow disk stops nobody.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hustings_control::ids::SpaceId;
use hustings_media::fanout::Ring;
use hustings_media::page::Page;
use hustings_media::time::MediaTime;
use tokio::sync::oneshot;

use super::growing::OpenFile;
use super::{ArchiveError, Inner, lock, wave};

/// How long the writer waits for new pages. A page holds 100 ms; this much is lost by a kill beside what is in the packer.
const POLL: Duration = Duration::from_millis(100);
/// A power cut loses at most what was written since: PRODUCT.md allows 1 s of sound with the two other delays.
const SYNC_EACH: Duration = Duration::from_millis(700);
/// A disk that refused is asked again after this. The ring holds 60 s, so a short trouble loses nothing.
const RETRY: Duration = Duration::from_secs(5);
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
            file.sync()?;
            *synced = Instant::now();
        }
        Ok(())
    }

    fn tell(&self, result: &io::Result<()>) {
        let behind = self.ring.next_sequence().saturating_sub(self.next);
        lock(&self.inner.behind).insert(self.space.clone(), behind);
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
            let _ = file.sync();
        }
        lock(&self.inner.troubles).remove(&self.space);
        lock(&self.inner.behind).remove(&self.space);
    }

    fn close(mut self, reply: oneshot::Sender<Result<(String, u64), ArchiveError>>) {
        // Should the disk refuse the last pages, the file is closed with what it has.
        let last = self.write_all(&mut Instant::now());
        lock(&self.inner.troubles).remove(&self.space);
        lock(&self.inner.behind).remove(&self.space);
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
