//! Records: the log of each space, and small node settings. SQLite through sqlx under the data folder.

mod lock;
mod schema;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::Recorded;
use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

pub use lock::DataLock;

use crate::api::secrets::own_file;
use crate::ops::flight::Meter;

/// The database's file under the data folder.
const FILE: &str = "hustings.db";
/// How long a query waits for a connection of the pool; then the store does not answer.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(1);
/// How long SQLite waits for another writer of the same file; then the query fails.
const BUSY_DEADLINE: Duration = Duration::from_secs(1);
/// How long any call waits altogether: a disk that hangs must not hold up the desk for longer. What was to be written
/// may have been written all the same; the next append at the old sequence then conflicts.
const QUERY_DEADLINE: Duration = Duration::from_secs(3);
/// How long opening may take, with the replay of a journal that a killed node left and with migrations.
const OPEN_DEADLINE: Duration = Duration::from_secs(30);
/// Connections: the desk writes by one at a time, stages note their media time, pages read the audit trail.
const CONNECTIONS_MAX: u32 = 4;
/// Rows that one call of `log` gives at most; readers ask again after the last.
pub const LOG_ROWS_MAX: u32 = 10_000;
/// Events of the node that are kept: steps of its door, some a minute at the worst.
const NODE_EVENTS_MAX: i64 = 20_000;
/// Media time is noted about once a second, so a killed stage may have come further than was noted. Where the clock does
/// not tell how much, a new run starts this much later (48 kHz samples, 2 s), for media time never runs backwards.
pub const MEDIA_TIME_MARGIN: u64 = 96_000;
/// Milliseconds. A node that was away for longer is not one restart: media time goes on by the margin.
const HOLE_MS_MAX: u64 = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the data folder {path} cannot be used: {why}; choose another with --data, or give this user the right to write there"
    )]
    Folder { path: String, why: String },
    #[error("the database {path} cannot be opened: {why}")]
    Open { path: String, why: String },
    #[error(
        "the database was written by a newer version of Hustings (schema {found}, this one knows {known}); use that version"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "another node runs on this data folder ({path}); stop it, or give this one another folder by --data"
    )]
    InUse { path: String },
    #[error("another node writes to this log (expected sequence {expected})")]
    Conflict { expected: u64 },
    /// The log is there, but not as this version writes it.
    #[error("an event of {space} cannot be read: {why}")]
    Unreadable { space: SpaceId, why: String },
    #[error("the database did not answer: {0}")]
    Query(String),
}

#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    meter: Arc<Meter>,
}

impl Store {
    /// Opens (making it when missing) `hustings.db` under `data`; WAL, synchronous FULL; migrates; refuses newer schemas.
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        let path = data.join(FILE);
        let failed = |why: String| StoreError::Open {
            path: path.display().to_string(),
            why,
        };
        // Names and questions stand in it; SQLite gives the files beside it the same mode.
        std::fs::create_dir_all(data)
            .and_then(|()| own_file(&path))
            .map_err(|error| failed(error.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_DEADLINE);
        let opening = async {
            let pool = SqlitePoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(ACQUIRE_DEADLINE)
                .after_release(|connection, _| Box::pin(is_whole(connection)))
                .connect_with(options)
                .await
                .map_err(|error| failed(error.to_string()))?;
            let migrated = schema::migrate(&pool).await;
            if migrated.is_err() {
                pool.close().await;
            }
            let meter = Arc::default();
            migrated.map(|()| Self { pool, meter })
        };
        match tokio::time::timeout(OPEN_DEADLINE, opening).await {
            Ok(Err(StoreError::Query(why))) => Err(failed(why)),
            Ok(opened) => opened,
            Err(_) => Err(failed(format!(
                "no answer within {} s",
                OPEN_DEADLINE.as_secs()
            ))),
        }
    }

    /// How long the records take to answer, and how often they do not.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let measured = self.meter.begin();
        let answered = within_deadline(work).await;
        // That another node writes, or that a log makes no sense, is an answer.
        let failed = matches!(answered, Err(StoreError::Query(_)));
        measured.end(!failed);
        answered
    }

    /// Whether the disk takes records now: a write that changes nothing.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        self.answer(schema::mark_again(&self.pool)).await
    }

    /// Appends in one transaction; `expected` is the sequence of the last event before these.
    pub async fn append(
        &self,
        space: &SpaceId,
        expected: u64,
        events: &[Recorded],
    ) -> Result<(), StoreError> {
        self.answer(async {
            // An immediate transaction has the write lock before it reads, so that it cannot be overtaken in between.
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let mut before = expected;
            for recorded in events {
                if recorded.seq != before + 1 {
                    return Err(StoreError::Query(format!(
                        "event {} cannot follow event {before}",
                        recorded.seq
                    )));
                }
                let body = serde_json::to_string(recorded)
                    .map_err(|error| StoreError::Query(error.to_string()))?;
                let written = sqlx::query(
                    "INSERT INTO events (space, seq, body) SELECT $1, $2, $3 \
                     WHERE (SELECT coalesce(max(seq), 0) FROM events WHERE space = $1) = $4",
                )
                .bind(space.as_str())
                .bind(signed(recorded.seq)?)
                .bind(body)
                .bind(signed(before)?)
                .execute(&mut *transaction)
                .await?;
                if written.rows_affected() == 0 {
                    return Err(StoreError::Conflict { expected: before });
                }
                before = recorded.seq;
            }
            if expected == 0 && !events.is_empty() {
                sqlx::query("INSERT INTO spaces (id) VALUES ($1)")
                    .bind(space.as_str())
                    .execute(&mut *transaction)
                    .await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// All spaces, oldest first.
    pub async fn spaces(&self) -> Result<Vec<SpaceId>, StoreError> {
        self.answer(async {
            let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM spaces ORDER BY number")
                .fetch_all(&self.pool)
                .await?;
            ids.iter()
                .map(|id| {
                    SpaceId::parse(id).map_err(|_| {
                        StoreError::Query(format!("{id:?} in the table of spaces is no space's id"))
                    })
                })
                .collect()
        })
        .await
    }

    /// Events after sequence `after`, in order, at most `max` and `LOG_ROWS_MAX`.
    pub async fn log(
        &self,
        space: &SpaceId,
        after: u64,
        max: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        self.answer(async {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT body FROM events WHERE space = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            )
            .bind(space.as_str())
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(max.min(LOG_ROWS_MAX))
            .fetch_all(&self.pool)
            .await?;
            rows.iter()
                .map(|body| {
                    serde_json::from_str(body).map_err(|error| StoreError::Unreadable {
                        space: space.clone(),
                        why: error.to_string(),
                    })
                })
                .collect()
        })
        .await
    }

    /// Keeps what happened to the node itself (JSON); of more than `NODE_EVENTS_MAX` the oldest are forgotten.
    pub async fn note_node_event(&self, body: &str) -> Result<(), StoreError> {
        self.answer(async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("INSERT INTO node_events (body) VALUES ($1)")
                .bind(body)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM node_events WHERE number <= (SELECT max(number) FROM node_events) - $1")
                .bind(NODE_EVENTS_MAX)
                .execute(&mut *transaction)
                .await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// The newest events of the node, oldest first, at most `max` and `LOG_ROWS_MAX`.
    pub async fn node_events(&self, max: u32) -> Result<Vec<String>, StoreError> {
        self.answer(async {
            let mut rows: Vec<String> =
                sqlx::query_scalar("SELECT body FROM node_events ORDER BY number DESC LIMIT $1")
                    .bind(max.min(LOG_ROWS_MAX))
                    .fetch_all(&self.pool)
                    .await?;
            rows.reverse();
            Ok(rows)
        })
        .await
    }

    /// Epoch for a new run of a space's stage: larger than any before; with the media time to go on from (48 kHz samples).
    /// It goes on by as much as the wall's clock says has gone by, and where that cannot be by `MEDIA_TIME_MARGIN`.
    pub async fn next_epoch(
        &self,
        space: &SpaceId,
        wall: UnixMillis,
    ) -> Result<(u32, u64), StoreError> {
        self.answer(async {
            let (epoch, samples): (i64, i64) = sqlx::query_as(
                "INSERT INTO stages (space, epoch, samples, told) VALUES ($1, 1, 0, $2) \
                 ON CONFLICT (space) DO UPDATE SET epoch = epoch + 1, told = $2, samples = samples + \
                 CASE WHEN samples = 0 THEN 0 WHEN $2 BETWEEN told AND told + $3 THEN (($2 - told) / 20 + 5) * 960 ELSE $4 END \
                 RETURNING epoch, samples",
            )
            .bind(space.as_str())
            .bind(signed(wall.0)?)
            .bind(signed(HOLE_MS_MAX)?)
            .bind(signed(MEDIA_TIME_MARGIN)?)
            .fetch_one(&self.pool)
            .await?;
            let epoch = u32::try_from(epoch).map_err(|_| StoreError::Query(format!("epoch {epoch} of {space} is out of range")))?;
            Ok((epoch, samples.cast_unsigned()))
        })
        .await
    }

    /// Remembers how far media time has come (called about once a second and at the end of a stage). Never goes back.
    pub async fn media_time(
        &self,
        space: &SpaceId,
        samples: u64,
        wall: UnixMillis,
    ) -> Result<(), StoreError> {
        self.answer(async {
            sqlx::query(
                "UPDATE stages SET samples = $2, told = $3 WHERE space = $1 AND samples < $2",
            )
            .bind(space.as_str())
            .bind(signed(samples)?)
            .bind(signed(wall.0)?)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}

/// A disk that is full makes SQLite end a transaction by itself. sqlx does not learn of that and would refuse every later
/// transaction on the connection, so such a connection is given up. Queued rollbacks are done when the ping is answered.
async fn is_whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn within_deadline<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(QUERY_DEADLINE, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Query(format!(
            "no answer within {} s",
            QUERY_DEADLINE.as_secs()
        ))),
    }
}

/// SQLite's integers are signed.
fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Query(format!("{value} is out of range")))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Query(error.to_string())
    }
}
