//! The recorder's thread: once a second it gathers, writes, syncs; once a minute it signs and publishes the head. A full
//! disk loses rows and not the thread: what was lost is written as soon as there is room again.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hustings_control::ids::UnixMillis;
use hustings_evidence::chain::{Head, Lost, LostWhy};
use hustings_evidence::row::{Happening, Row, What};
use tokio::sync::watch;

use super::gather::{Gatherer, Second, Sources};
use super::limits::{EVERY, HEAD_EVERY_ROWS, NOTES_A_SECOND, NOTES_KEPT};
use super::meter::Meter;
use super::segments::{Segments, is_full};
use super::start::of_this_start;
use super::{Flight, Line, happening, key, written};

/// How long the end waits for the last second to be on the disk; a disk that stands still is not waited for.
const END_WAIT: Duration = Duration::from_millis(500);

/// Where the chain lies, and what this run is.
pub struct FlightConfig {
    /// The data folder; the chain is in `flight` below it.
    pub data: PathBuf,
    pub keep_mib: u64,
    /// Names and values of what the node was told.
    pub settings: BTreeMap<String, String>,
}

/// Running. Dropped without `stop`, the thread ends by itself.
pub struct FlightThread {
    flight: Flight,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl FlightThread {
    /// Gives the thread, and what is to be said of this start.
    ///
    /// # Errors
    /// When the folder or the key cannot be used; the message says what to do.
    pub fn start(
        config: &FlightConfig,
        sources: Sources,
        flight: &Flight,
        line: Line,
    ) -> anyhow::Result<(Self, Vec<Happening>)> {
        let folder = config.data.join("flight");
        let (secret, fresh) = key::open(&folder)?;
        let keep = config.keep_mib.saturating_mul(1 << 20);
        let (segments, found) = Segments::open(&folder, &secret, fresh, keep)
            .with_context(|| format!("the flight recorder's folder {} cannot be used; give this user the right to write there", folder.display()))?;
        let said = of_this_start(&folder, config, &sources, &found);
        let Line { noted, publish } = line;
        let (end, ended) = sync_channel(1);
        let recorder = Recorder {
            gatherer: Gatherer::new(sources),
            segments,
            publish,
            disk: Meter::default(),
            waiting: VecDeque::new(),
            missing: found.lost,
            missed: 0,
            trouble: false,
            unsigned: None,
        };
        let thread = std::thread::Builder::new()
            .name("flight".into())
            .spawn(move || {
                recorder.run(&noted);
                // Whoever asked for the end may not wait any more.
                let _ = end.try_send(());
            })
            .context("the flight recorder's thread cannot be started")?;
        let thread = Self {
            flight: flight.clone(),
            ended,
            thread: Some(thread),
        };
        Ok((thread, said))
    }

    /// Writes the last second and that the node ends, signed. Blocks for the disk, half a second at most.
    pub fn stop(mut self) {
        self.flight.note(Happening {
            what: What::NodeStopped,
            ..Happening::default()
        });
        if self.ended.recv_timeout(END_WAIT).is_err() {
            tracing::warn!("the flight recorder's last second is not on the disk");
        } else if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flight recorder had panicked");
        }
    }
}

struct Recorder {
    gatherer: Gatherer,
    segments: Segments,
    publish: watch::Sender<Option<Head>>,
    /// This recorder's own writes.
    disk: Meter,
    /// Happenings that are not on the disk yet.
    waiting: VecDeque<Happening>,
    /// Rows that could not be written, to be told.
    missing: Option<Lost>,
    /// Of them, those since the last row of the node.
    missed: u64,
    trouble: bool,
    /// Rows since the last head; none before the first.
    unsigned: Option<u32>,
}

impl Recorder {
    fn run(mut self, noted: &Receiver<Happening>) {
        let mut next = Instant::now() + EVERY;
        loop {
            let wait = next.saturating_duration_since(Instant::now());
            match noted.recv_timeout(wait) {
                Ok(note) if note.what == What::NodeStopped => {
                    noted.try_iter().for_each(|note| self.keep(note));
                    return self.end();
                }
                Ok(note) => self.keep(note),
                Err(RecvTimeoutError::Timeout) => {
                    self.second();
                    // From now, so that a machine that slept does not run after lost time.
                    next = (next + EVERY).max(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
    }

    fn keep(&mut self, note: Happening) {
        if self.waiting.len() >= NOTES_KEPT
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.miss(1, oldest.at, LostWhy::DiskFull);
        }
        self.waiting.push_back(note);
    }

    fn second(&mut self) {
        let second = self
            .gatherer
            .second(self.disk.take(), std::mem::take(&mut self.missed));
        self.write(second);
        let due = self.unsigned.is_none_or(|rows| rows >= HEAD_EVERY_ROWS);
        if due && !self.trouble {
            self.publish_head();
        }
    }

    fn end(mut self) {
        let ends = Happening {
            what: What::NodeStopped,
            ..happening(self.gatherer.clock())
        };
        self.keep(ends);
        self.second();
        self.publish_head();
    }

    fn write(&mut self, second: Second) {
        let Second {
            node,
            spaces,
            happenings,
        } = second;
        happenings.into_iter().for_each(|note| self.keep(note));
        let at = node.at;
        let rows = spaces.len() as u64 + 1;
        let notes = self.waiting.len().min(NOTES_A_SECOND);
        let all = self.waiting.iter().take(notes).cloned().map(Row::Happening);
        let all = all.chain([Row::Node(node)]);
        let all: Vec<Row> = all
            .chain(spaces.into_iter().map(|row| Row::Space(Box::new(row))))
            .collect();
        let missing = self.missing;
        let began = Instant::now();
        let written = self.segments.append(at, |chain, out| {
            if let Some(lost) = missing {
                chain.lost(lost, out);
            }
            all.iter().for_each(|row| chain.row(row, out));
        });
        match written {
            Ok(()) => {
                self.disk
                    .answered(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
                self.missing = None;
                self.waiting.drain(..notes);
                self.unsigned = self.unsigned.map(|rows| rows + 1);
                self.well(at);
            }
            Err(error) => {
                self.disk.failed();
                self.miss(rows, at, why(&error));
                self.unwell(&error, at);
            }
        }
    }

    fn publish_head(&mut self) {
        match self.segments.sign(self.gatherer.clock().wall()) {
            Ok(head) => {
                self.unsigned = Some(0);
                let (n, hash, at) = (head.n, head.hash.to_string(), written(head.at));
                let bytes = self.segments.bytes();
                tracing::info!(n, hash, at, bytes, "the flight recorder's head");
                self.publish.send_replace(Some(head));
            }
            Err(error) => {
                self.disk.failed();
                let at = self.gatherer.clock().wall();
                self.unwell(&error, at);
            }
        }
    }

    fn miss(&mut self, rows: u64, at: UnixMillis, why: LostWhy) {
        self.missed += rows;
        let lost = self.missing.get_or_insert(Lost {
            why,
            from: at,
            ..Lost::default()
        });
        if lost.rows == 0 {
            (lost.from, lost.why) = (at, why);
        }
        lost.rows += rows;
        lost.to = at;
    }

    /// Told once, and again when it is over.
    fn unwell(&mut self, error: &std::io::Error, at: UnixMillis) {
        if std::mem::replace(&mut self.trouble, true) {
            return;
        }
        tracing::warn!(%error, "the flight recorder cannot write; what is lost will be told");
        self.keep(Happening {
            at,
            what: What::DiskFull,
            name: error.to_string().as_str().into(),
            ..happening(self.gatherer.clock())
        });
    }

    fn well(&mut self, at: UnixMillis) {
        if std::mem::replace(&mut self.trouble, false) {
            tracing::info!("the flight recorder writes again");
            self.keep(Happening {
                at,
                what: What::DiskBack,
                ..happening(self.gatherer.clock())
            });
        }
    }
}

fn why(error: &std::io::Error) -> LostWhy {
    if is_full(error) {
        LostWhy::DiskFull
    } else {
        LostWhy::DiskFailed
    }
}
