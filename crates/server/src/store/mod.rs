//! Records: the log of each space, and small node settings. SQLite through sqlx under the data folder.

use std::path::Path;

use hustings_control::ids::SpaceId;
use hustings_control::spaces::Recorded;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be opened: {why}")]
    Open { path: String, why: String },
    #[error("the database was written by a newer version of Hustings (schema {found}, this one knows {known}); use that version")]
    Newer { found: i64, known: i64 },
    #[error("another node writes to this log (expected sequence {expected})")]
    Conflict { expected: u64 },
    #[error("the database did not answer: {0}")]
    Query(String),
}

#[derive(Clone)]
pub struct Store { /* helper: sqlx::SqlitePool */ }

impl Store {
    /// Opens (making it when missing) `hustings.db` under `data`; WAL, synchronous FULL; migrates; refuses newer schemas.
    pub async fn open(data: &Path) -> Result<Self, StoreError> { let _ = data; todo!() }
    /// Appends in one transaction; `expected` is the sequence of the last event before these.
    pub async fn append(&self, space: &SpaceId, expected: u64, events: &[Recorded]) -> Result<(), StoreError> { let _ = (space, expected, events); todo!() }
    pub async fn spaces(&self) -> Result<Vec<SpaceId>, StoreError> { todo!() }
    pub async fn log(&self, space: &SpaceId, after: u64, max: u32) -> Result<Vec<Recorded>, StoreError> { let _ = (space, after, max); todo!() }
    /// Epoch for a new run of a space's stage: larger than any before; with the media time to go on from (48 kHz samples).
    pub async fn next_epoch(&self, space: &SpaceId) -> Result<(u32, u64), StoreError> { let _ = space; todo!() }
    /// Remembers how far media time has come (called about once a second and at the end of a stage).
    pub async fn media_time(&self, space: &SpaceId, samples: u64) -> Result<(), StoreError> { let _ = (space, samples); todo!() }
}
