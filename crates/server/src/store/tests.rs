//! The store's contract, on a real database in a folder of its own.

use hustings_control::ids::{PersonId, SpaceId, UnixMillis};
use hustings_control::spaces::{Actor, Event, Recorded};
use sqlx::{Connection, SqliteConnection};

use super::*;

fn id(text: &str) -> SpaceId {
    SpaceId::parse(text).unwrap()
}

fn created(space: &SpaceId) -> Recorded {
    let event = Event::Created {
        id: space.clone(),
        title: "Town hall".into(),
        description: "a\n\u{1f399}".into(),
        listed: true,
        starts_at: Some(UnixMillis(9)),
        record: true,
    };
    Recorded {
        seq: 1,
        at: UnixMillis(5),
        by: Actor::Operator,
        event,
    }
}

fn muted(seq: u64) -> Recorded {
    let event = Event::Muted {
        person: PersonId(u64::MAX),
        by_host: true,
    };
    Recorded {
        seq,
        at: UnixMillis(seq),
        by: Actor::Person(PersonId(7)),
        event,
    }
}

#[tokio::test]
async fn what_was_appended_is_there_after_the_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (id("zebra"), id("aardvark"));
    let store = Store::open(folder.path()).await.unwrap();
    store
        .append(&one, 0, &[created(&one), muted(2)])
        .await
        .unwrap();
    store.append(&one, 2, &[muted(3)]).await.unwrap();
    store.append(&two, 0, &[created(&two)]).await.unwrap();
    // As after kill -9: the files as they lie there while the first process still has them open, WAL unmerged.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    let again = Store::open(copy.path()).await.unwrap();
    assert_eq!(again.spaces().await.unwrap(), [one.clone(), two]);
    assert_eq!(
        again.log(&one, 0, 100).await.unwrap(),
        [created(&one), muted(2), muted(3)]
    );
    assert_eq!(again.log(&one, 1, 1).await.unwrap(), [muted(2)]);
    assert_eq!(again.log(&id("nobody"), 0, 100).await.unwrap(), []);
}

#[tokio::test]
async fn a_second_writer_conflicts_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let space = id("town-hall");
    let (first, second) = (
        Store::open(folder.path()).await.unwrap(),
        Store::open(folder.path()).await.unwrap(),
    );
    first.append(&space, 0, &[created(&space)]).await.unwrap();
    first.append(&space, 1, &[muted(2)]).await.unwrap();
    assert!(matches!(
        second.append(&space, 0, &[created(&space)]).await,
        Err(StoreError::Conflict { expected: 0 })
    ));
    assert!(matches!(
        second.append(&space, 1, &[muted(2), muted(3)]).await,
        Err(StoreError::Conflict { expected: 1 })
    ));
    assert!(matches!(
        second.append(&space, 7, &[muted(8)]).await,
        Err(StoreError::Conflict { expected: 7 })
    ));
    assert_eq!(
        first.log(&space, 0, 100).await.unwrap(),
        [created(&space), muted(2)]
    );
}

#[tokio::test]
async fn of_many_writers_at_once_exactly_one_wins_each_sequence() {
    let folder = tempfile::tempdir().unwrap();
    let space = id("town-hall");
    let store = Store::open(folder.path()).await.unwrap();
    store.append(&space, 0, &[created(&space)]).await.unwrap();
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (store, space) = (store.clone(), space.clone());
            tokio::spawn(
                async move { store.append(&space, 1, &[muted(2), muted(3)]).await.is_ok() },
            )
        })
        .collect();
    let mut won = 0;
    for attempt in tries {
        won += usize::from(attempt.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(store.log(&space, 0, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_gap_within_one_append_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let space = id("town-hall");
    let store = Store::open(folder.path()).await.unwrap();
    assert!(matches!(
        store.append(&space, 0, &[created(&space), muted(3)]).await,
        Err(StoreError::Query(_))
    ));
    assert_eq!(store.spaces().await.unwrap(), []);
    assert_eq!(store.log(&space, 0, 100).await.unwrap(), []);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).await.unwrap());
    let path = folder.path().join(FILE);
    let mut raw = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    sqlx::query("PRAGMA user_version = 7")
        .execute(&mut raw)
        .await
        .unwrap();
    let error = Store::open(folder.path()).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 7, known } if known == schema::newest()));
    assert!(error.to_string().contains("newer version"), "{error}");
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!(version, 7);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, b"no folder").unwrap();
    let error = Store::open(&file).await.err().unwrap().to_string();
    assert!(error.contains("data/hustings.db"), "{error}");
    assert!(
        DataLock::take(&file)
            .unwrap_err()
            .to_string()
            .contains("cannot be used")
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let garbage = vec![b'x'; 8192];
    std::fs::write(&path, &garbage).unwrap();
    assert!(matches!(
        Store::open(folder.path()).await,
        Err(StoreError::Open { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), garbage);
}

#[tokio::test]
async fn acknowledged_events_are_synced_to_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!((journal.as_str(), synchronous), ("wal", 2));
}

#[tokio::test]
async fn epochs_grow_and_media_time_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let space = id("town-hall");
    let store = Store::open(folder.path()).await.unwrap();
    let at = |ms: u64| UnixMillis(1_700_000_000_000 + ms);
    let next = async |store: &Store, ms: u64| store.next_epoch(&space, at(ms)).await.unwrap();
    assert_eq!(next(&store, 0).await, (1, 0));
    store.media_time(&space, 48_000, at(1_000)).await.unwrap();
    store.media_time(&space, 960, at(1_500)).await.unwrap();
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    // 1.2 s have gone by, and 100 ms are spare.
    assert_eq!(next(&store, 2_200).await, (2, 48_000 + 65 * 960));
    // A clock set back, and a night without the node: the margin.
    let so_far = 48_000 + 65 * 960 + MEDIA_TIME_MARGIN;
    assert_eq!(next(&store, 0).await, (3, so_far));
    assert_eq!(
        next(&store, 40_000_000).await,
        (4, so_far + MEDIA_TIME_MARGIN)
    );
    let another = store.next_epoch(&id("another"), at(0)).await.unwrap();
    assert_eq!(another, (1, 0));
}

#[test]
fn a_second_node_on_the_folder_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/when/missing");
    let held = DataLock::take(&data).unwrap();
    let error = DataLock::take(&data).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("another node runs on this data folder"),
        "{error}"
    );
    drop(held);
    DataLock::take(&data).unwrap();
}

/// Names and questions are nobody's to read but the node's, also in a file that an older version made.
#[tokio::test]
async fn only_the_nodes_user_reads_the_records() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join(FILE);
    std::fs::write(&file, b"").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let made = created(&id("hall"));
    store.append(&id("hall"), 0, &[made]).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert!(files >= 2, "the journal too");
}
