//! The tables, and how an older database becomes a newer one.

use sqlx::sqlite::SqlitePool;

use super::StoreError;

/// Each entry brings the schema from its index to the next version, in one transaction. Entries are never changed.
const MIGRATIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE spaces (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
        "CREATE TABLE events (space TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (space, seq)) STRICT, WITHOUT ROWID",
        "CREATE TABLE stages (space TEXT PRIMARY KEY, epoch INTEGER NOT NULL, samples INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    ],
    &["CREATE TABLE node_events (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT"],
    // When the media time was told, in milliseconds since 1970: so that a hole is as long as it really was.
    &["ALTER TABLE stages ADD COLUMN told INTEGER NOT NULL DEFAULT 0"],
];

/// What `PRAGMA user_version` says when all migrations are done, and how each says so: pragmas take no parameters.
const VERSION_MARKS: &[&str] = &[
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 2",
    "PRAGMA user_version = 3",
];

pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    // Immediate: two nodes that start at once on a new folder migrate one after the other.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Newer {
            found,
            known: newest(),
        });
    }
    for (migration, mark) in MIGRATIONS.iter().zip(VERSION_MARKS).skip(done) {
        for statement in *migration {
            sqlx::query(*statement).execute(&mut *transaction).await?;
        }
        sqlx::query(*mark).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// Writes the newest mark again: a page of the file goes to the disk, and nothing is another than before.
pub(super) async fn mark_again(pool: &SqlitePool) -> Result<(), StoreError> {
    for mark in VERSION_MARKS.iter().rev().take(1) {
        sqlx::query(*mark).execute(pool).await?;
    }
    Ok(())
}

const _: () = assert!(MIGRATIONS.len() == VERSION_MARKS.len());
