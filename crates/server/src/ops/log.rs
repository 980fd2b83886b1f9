//! The log: text for a person at a terminal, JSON lines for everything else. Secrets and addresses never come here. Of each
//! kind of message only some a while are written; how many were left out is told in a summary, and in `/metrics`.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Messages of one kind (one place in the code) that are written in one window; more are counted and left out. A trouble that
/// comes with each connection would else fill the disk that it tells of.
const KIND_MAX: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// Between two summaries of what was left out.
pub(crate) const SUMMARY_EVERY: Duration = Duration::from_secs(10);

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text at a terminal, JSON lines else.
    #[default]
    Auto,
    Text,
    Json,
}

/// Begins to log to standard error; `HUSTINGS_LOG` says how much (for example `hustings=debug`), default `info`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("HUSTINGS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,str0m=warn,sqlx=warn"));
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().with_filter(Sparing(&LIMIT)).boxed()
    } else {
        lines.with_filter(Sparing(&LIMIT)).boxed()
    };
    // A second node in one process (tests) keeps the first one's log.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
}

/// Tells what was left out since the last summary, one line a kind.
pub(crate) fn summarize() {
    for (name, left_out) in LIMIT.take() {
        tracing::warn!(
            kind = name,
            left_out,
            "messages of this kind were left out of the log"
        );
    }
}

/// Messages left out since the process began.
pub(super) fn left_out() -> u64 {
    LIMIT.all.load(Relaxed)
}

static LIMIT: LazyLock<Limit> = LazyLock::new(Limit::default);

/// Kinds are places in the code, so that there are never more of them than the binary has.
struct Limit<K = Identifier> {
    kinds: Mutex<HashMap<K, Kind>>,
    all: AtomicU64,
}

impl<K> Default for Limit<K> {
    fn default() -> Self {
        Self {
            kinds: Mutex::default(),
            all: AtomicU64::new(0),
        }
    }
}

struct Kind {
    name: String,
    began: Instant,
    written: u32,
    left_out: u64,
}

impl<K: Hash + Eq> Limit<K> {
    fn admits(&self, kind: K, name: impl FnOnce() -> String, now: Instant) -> bool {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(kind).or_insert_with(|| Kind {
            name: name(),
            began: now,
            written: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(kind.began) >= WINDOW {
            (kind.began, kind.written) = (now, 0);
        }
        if kind.written < KIND_MAX {
            kind.written += 1;
            return true;
        }
        kind.left_out += 1;
        self.all.fetch_add(1, Relaxed);
        false
    }

    fn take(&self) -> Vec<(String, u64)> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let told = kinds.values_mut().filter(|kind| kind.left_out > 0);
        told.map(|kind| (kind.name.clone(), std::mem::take(&mut kind.left_out)))
            .collect()
    }
}

/// File and line, as a person finds the message in the code.
fn place_of(metadata: &Metadata<'_>) -> String {
    match (metadata.file(), metadata.line()) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => metadata.target().to_owned(),
    }
}

struct Sparing(&'static LazyLock<Limit>);

impl<S: Subscriber> Filter<S> for Sparing {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let name = || place_of(metadata);
        self.0.admits(metadata.callsite(), name, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_kind_that_comes_too_often_is_counted_and_others_are_written() {
        static OWN: LazyLock<Limit> = LazyLock::new(Limit::default);
        let lines = Lines::default();
        let writer = {
            let lines = lines.clone();
            move || lines.clone()
        };
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .with_writer(writer)
            .with_filter(Sparing(&OWN));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..1_000 {
                tracing::warn!(number, "often");
            }
            tracing::warn!("once");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let of = |message: &str| {
            let lines = text.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["fields"]["message"].clone()
            });
            lines.filter(|said| said == message).count()
        };
        assert_eq!((of("often"), of("once")), (KIND_MAX as usize, 1));
        let left: Vec<_> = OWN.take();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].1, 1_000 - u64::from(KIND_MAX));
        assert!(left[0].0.contains("log.rs:"), "{}", left[0].0);
        assert!(OWN.take().is_empty(), "told once");
        assert_eq!(OWN.all.load(Relaxed), left[0].1);
    }

    #[test]
    fn after_a_window_a_kind_is_written_again() {
        let limit = Limit::<u8>::default();
        let began = Instant::now();
        let admits = |at| limit.admits(7, || "seven".to_owned(), at);
        assert!((0..KIND_MAX).all(|_| admits(began)));
        assert!(!admits(began + WINDOW / 2));
        assert!(admits(began + WINDOW));
        assert!(limit.admits(8, || "eight".to_owned(), began));
    }
}
