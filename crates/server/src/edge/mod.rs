//! The crowd's door: the public listener. GETs for sound end in shards (no task a listener); all else goes to axum with
//! the bytes already read.
//!
//! `listening` hears, `accept` takes connections in, `head` reads what they ask (`asked`), `quick` answers who has said it already, `sound` and `gate`
//! decide, `crowd` holds the listeners and `shard_loop` is the thread round it. `http` serves the pages, `tls` holds the certificate, `answers` the constants.

mod abuse;
mod accept;
mod answers;
mod asked;
mod counters;
mod crowd;
mod door;
mod farewell;
mod gate;
mod head;
mod http;
mod knocks;
mod limits;
mod listening;
mod paced;
pub(crate) mod prefixes;
pub mod proxy;
mod quick;
pub(crate) mod rates;
mod seated;
mod seats;
mod shard_loop;
#[cfg(test)]
mod shard_tests;
mod socket;
mod sound;
pub mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

pub use self::abuse::{Abuse, AbuseConfig, AbuseStats};
use self::counters::{Room, ShardCounters};
pub use self::head::asks_for;
use self::http::PageThreads;
use self::knocks::Knocks;
pub use self::limits::{CONNECTIONS_PER_S_DEFAULT, HANDSHAKES_PER_S_DEFAULT};
use self::shard_loop::ShardSeed;
use self::tls::TlsFiles;
use crate::clock::Clock;
use crate::live::Directory;
use crate::usher::Entrance;

pub struct EdgeConfig {
    pub listen: SocketAddr,
    /// Certificate and key files; reloaded when they change.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// One shard thread for each.
    pub shards: usize,
    /// Connections of all shards together. One more is answered 503, and an eighth beyond that nobody is heard at all.
    pub connections_max: u64,
    pub abuse: AbuseConfig,
    /// What all gates of the node share; each shard gets one.
    pub entrance: Arc<Entrance>,
}

#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("the public address {0} cannot be used; choose another with --listen: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("the TLS files cannot be used: {0}")]
    Tls(String),
    #[error("a thread of the public listener cannot be started: {0}")]
    Thread(std::io::Error),
}

/// What metrics read of all shards together.
#[derive(Clone, Copy, Debug, Default)]
pub struct EdgeStats {
    pub listeners: u64,
    pub joins: u64,
    pub sweeps: u64,
    pub sweep_us: u64,
    pub bytes: u64,
    /// The widest of all shards.
    pub cadence_ms: u64,
    /// What the sweeps' costs ask for, of the busiest shard, whoever holds the cadence.
    pub needed_ms: u64,
    /// The highest of all shards.
    pub projected_load: f64,
    pub too_slow: u64,
    /// Connections turned away or given up: bounds reached, bad heads, unknown spaces, failed handshakes.
    pub refused: u64,
    /// Connections that HTTP reads just now.
    pub http_connections: u64,
    /// Tasks of connections: those that have not said what they want, pages, refusals. Listeners have none.
    pub tasks: u64,
    /// Times that accepting paused because files or memory ran short.
    pub accept_pauses: u64,
    /// Sweeps that panicked; the listeners stayed.
    pub sweep_panics: u64,
    /// Shards that were started again, and lost their listeners to their reconnects.
    pub restarts: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// TLS handshakes finished.
    pub handshakes: u64,
    /// Scripts, styles and pictures that were asked for.
    pub assets: u64,
    /// Answers of the pages by their status: 400 to 499, 500 and above but for 503, 503.
    pub answers: [u64; 3],
    /// Connections refused, given up or not believed, by reason.
    pub abuse: AbuseStats,
}

/// Reads what the shards count; cheap to clone, and holds nothing of the edge but its numbers.
#[derive(Clone)]
pub struct EdgeMeter(Arc<[Arc<ShardCounters>]>);

impl EdgeMeter {
    pub fn stats(&self) -> EdgeStats {
        counters::together(self.0.iter().map(Arc::as_ref))
    }

    /// Requests that the pages answered since the last time, and the microseconds of the slowest.
    pub(crate) fn take_requests(&self) -> (u32, u32) {
        let all = self.0.iter().map(|shard| shard.requests.take());
        all.fold((0, 0), |(calls, worst), one| {
            (one.calls.saturating_add(calls), one.worst_us.max(worst))
        })
    }
}

/// The running listener. Dropped without `stop`, its threads end at once.
pub struct Edge {
    address: SocketAddr,
    meter: EdgeMeter,
    page_threads: PageThreads,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Edge {
    /// Binds one SO_REUSEPORT listener a shard and starts the shard threads; `pages` answers what is not sound.
    pub fn start(
        config: EdgeConfig,
        directory: Arc<Directory>,
        pages: axum::Router,
        clock: Clock,
    ) -> Result<Self, EdgeError> {
        let tls = match config.tls {
            Some((cert, key)) => Some(Arc::new(TlsFiles::load(cert, key).map_err(EdgeError::Tls)?)),
            None => None,
        };
        let unusable = |e| EdgeError::Bind(config.listen, e);
        let listeners = listening::bind(config.listen, config.shards).map_err(unusable)?;
        let address = listeners
            .first()
            .map_or(Ok(config.listen), std::net::TcpListener::local_addr)
            .map_err(unusable)?;
        let (stop, stopped) = watch::channel(false);
        let counters: Arc<[_]> = listeners
            .iter()
            .map(|_| Arc::new(ShardCounters::default()))
            .collect();
        let page_threads = PageThreads::start().map_err(EdgeError::Thread)?;
        let handle = page_threads.handle().ok_or_else(|| {
            EdgeError::Thread(std::io::Error::other("the pages' threads have ended"))
        })?;
        let knocks = Arc::new(Knocks::new(clock, config.abuse.connections_per_s));
        let mut edge = Self {
            address,
            meter: EdgeMeter(Arc::clone(&counters)),
            page_threads,
            stop,
            threads: Vec::new(),
        };
        for (number, (listener, counters)) in listeners.into_iter().zip(counters.iter()).enumerate()
        {
            let seed = ShardSeed {
                listener: Arc::new(listener),
                directory: Arc::clone(&directory),
                pages: pages.clone(),
                entrance: Arc::clone(&config.entrance),
                abuse: config.abuse.clone(),
                knocks: Arc::clone(&knocks),
                page_threads: handle.clone(),
                clock,
                counters: Arc::clone(counters),
                room: Room {
                    shards: Arc::clone(&edge.meter.0),
                    connections_max: config.connections_max,
                },
                tls: tls.clone(),
                watches_tls: number == 0,
                stop: stopped.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("edge-{number}"))
                .spawn(move || {
                    if let Err(e) = shard_loop::run(seed) {
                        tracing::error!("a shard of the public listener ended: {e}");
                    }
                });
            edge.threads.push(thread.map_err(EdgeError::Thread)?);
        }
        Ok(edge)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub fn stats(&self) -> EdgeStats {
        self.meter.stats()
    }

    /// For whoever tells of the edge while it runs, and must not keep it from ending.
    pub fn meter(&self) -> EdgeMeter {
        self.meter.clone()
    }

    /// Ends after the rings are closed and sent, at most 2 s. Blocks: on a runtime's thread, call it where blocking is
    /// allowed.
    pub fn stop(self) {
        let Self {
            stop,
            threads,
            page_threads,
            ..
        } = self;
        stop.send_replace(true);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard of the public listener had panicked");
            }
        }
        drop(page_threads);
    }
}
