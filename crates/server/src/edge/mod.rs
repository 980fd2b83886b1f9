//! The crowd's door: the public listener. GETs for sound end in shards (no task a listener); all else goes to axum with
//! the bytes already read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Clock;
use crate::live::Directory;

pub struct EdgeConfig {
    pub listen: SocketAddr,
    /// Certificate and key files; reloaded when they change.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// One shard thread for each.
    pub shards: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("the public address {0} cannot be used: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("the TLS files cannot be used: {0}")]
    Tls(String),
}

/// What metrics read of all shards together.
#[derive(Clone, Copy, Debug, Default)]
pub struct EdgeStats { pub listeners: u64, pub joins: u64, pub sweeps: u64, pub sweep_us: u64, pub bytes: u64, pub cadence_ms: u64, pub projected_load: f64, pub too_slow: u64, pub refused: u64, pub http_connections: u64 }

pub struct Edge;

impl Edge {
    /// Binds one SO_REUSEPORT listener a shard and starts the shard threads; `pages` answers what is not sound.
    pub fn start(config: EdgeConfig, directory: Arc<Directory>, pages: axum::Router, clock: Clock) -> Result<Self, EdgeError> { let _ = (config, directory, pages, clock); todo!() }
    pub fn local_addr(&self) -> SocketAddr { todo!() }
    pub fn stats(&self) -> EdgeStats { todo!() }
    /// Ends after the rings are closed and sent, at most 5 s.
    pub fn stop(self) { todo!() }
}
