//! The flight recorder: a thread of its own that writes a row a second, and what happens between, into a chain of files
//! under `flight/` in the data folder. docs/flight.md says what is in it and how anybody checks it.
//!
//! `gather` reads what the parts of the node count anyway, `proc` what the kernel counts, `segments` are the files,
//! `recorder` is the thread, `meter` times what the node depends on, `read` reads the files back.

mod edges;
mod gather;
mod key;
mod limits;
mod meter;
mod proc;
mod read;
mod recorder;
mod segments;
mod settings;
mod space;
mod start;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use hustings_control::ids::UnixMillis;
use hustings_evidence::chain::Head;
use hustings_evidence::row::Happening;
use tokio::sync::watch;

pub use self::gather::Sources;
pub use self::limits::{KEEP_MIB_DEFAULT, KEEP_MIB_MAX, KEEP_MIB_MIN};
pub use self::meter::{Measured, Meter};
pub use self::read::{BadChain, read};
pub use self::recorder::{FlightConfig, FlightThread};
pub use self::settings::settings;

/// What the rest of the node has of the recorder. Cheap to clone; the default is that of a node without one.
#[derive(Clone)]
pub struct Flight {
    notes: Option<SyncSender<Happening>>,
    heads: watch::Receiver<Option<Head>>,
}

impl Flight {
    /// Never waits. More than the queue takes are counted as lost rows by nobody but the log.
    pub fn note(&self, happening: Happening) {
        let Some(notes) = &self.notes else { return };
        if let Err(TrySendError::Full(_)) = notes.try_send(happening) {
            tracing::warn!("the flight recorder is behind: what happened is not in it");
        }
    }

    /// The newest published head; none in the first second, or when there is no recorder.
    pub fn head(&self) -> Option<Head> {
        *self.heads.borrow()
    }

    /// To wait for each new head.
    pub fn heads(&self) -> watch::Receiver<Option<Head>> {
        self.heads.clone()
    }
}

/// The recorder's end of a [`Flight`].
pub struct Line {
    noted: Receiver<Happening>,
    publish: watch::Sender<Option<Head>>,
}

impl Flight {
    /// What is noted before the recorder begins waits for it.
    pub fn line() -> (Self, Line) {
        let (notes, noted) = sync_channel(limits::NOTES_QUEUED);
        let (publish, heads) = watch::channel(None);
        let notes = Some(notes);
        (Self { notes, heads }, Line { noted, publish })
    }
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            notes: None,
            heads: watch::channel(None).1,
        }
    }
}

/// The times of a happening, by the node's clocks.
pub fn happening(clock: &crate::clock::Clock) -> Happening {
    Happening {
        at: clock.wall(),
        up_ms: clock.now().0 / 1_000,
        ..Happening::default()
    }
}

/// As people read it: `2026-11-21T20:15:03Z`.
pub fn written(at: UnixMillis) -> String {
    use time::format_description::well_known::Rfc3339;
    let seconds = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{} ms", at.0))
}
