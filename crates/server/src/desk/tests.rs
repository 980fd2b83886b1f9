//! The desk on a real store. Time is a number that the tests move.

use std::sync::atomic::{AtomicU64, Ordering};

use hustings_control::ids::{InviteId, PersonId};
use hustings_control::limits::{SEAT_KEPT_MS, SPACES_MAX};
use hustings_control::spaces::{Event, Phase, Role, Seat};
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

use super::*;

const START: u64 = 1_700_000_000_000;
const PERSON: PersonId = PersonId(7);
/// A title that makes the judge of these tests panic.
const PANIC: &str = "panic";

struct House {
    desk: Desk,
    directory: Arc<Directory>,
    store: Store,
    time: Arc<AtomicU64>,
}

fn judge(
    space: &Space,
    by: Actor,
    command: Command,
    now: UnixMillis,
) -> Result<Vec<Event>, Refusal> {
    assert!(
        !matches!(&command, Command::Edit { title: Some(title), .. } if title == PANIC),
        "as the test wants"
    );
    space.decide(by, command, now)
}

async fn house(folder: &TempDir) -> House {
    house_at(folder, START).await
}

async fn house_at(folder: &TempDir, at: u64) -> House {
    let store = Store::open(folder.path()).await.unwrap();
    let directory = Arc::new(Directory::default());
    let time = Arc::new(AtomicU64::new(at));
    let read = Arc::clone(&time);
    let hours = Hours::reading(Arc::new(move || {
        let now = read.load(Ordering::SeqCst);
        (UnixMillis(now), now)
    }));
    let desk = Desk::start_with(store.clone(), Arc::clone(&directory), hours, judge)
        .await
        .unwrap();
    House {
        desk,
        directory,
        store,
        time,
    }
}

fn id(text: &str) -> SpaceId {
    SpaceId::parse(text).unwrap()
}

fn draft() -> Draft {
    Draft {
        title: "Town hall".into(),
        listed: true,
        ..Draft::default()
    }
}

fn edit(title: &str) -> Command {
    Command::Edit {
        title: Some(title.into()),
        description: None,
        listed: None,
        starts_at: None,
        record: None,
    }
}

impl House {
    async fn does(&self, space: &str, by: Actor, command: Command) -> Vec<Recorded> {
        self.desk.command(&id(space), by, command).await.unwrap()
    }

    /// A live space with one speaker on stage.
    async fn live(&self, space: &str) {
        self.desk
            .create(Actor::Operator, Some(id(space)), draft())
            .await
            .unwrap();
        self.does(space, Actor::Operator, Command::GoLive).await;
        let invite = InviteId(1);
        let made = Command::Invite {
            invite,
            role: Role::Speaker,
            name: "Ann".into(),
            expires_at: None,
        };
        self.does(space, Actor::Operator, made).await;
        self.does(
            space,
            Actor::Person(PERSON),
            Command::Enter {
                person: PERSON,
                invite,
                name: None,
            },
        )
        .await;
        self.does(space, Actor::Node, Command::TakeSeat { person: PERSON })
            .await;
    }

    fn state(&self, space: &str) -> Arc<Space> {
        self.directory.get(&id(space)).unwrap().snapshot.load_full()
    }
}

async fn next(notices: &mut Receiver<Notice>) -> Notice {
    timeout(Duration::from_secs(10), notices.recv())
        .await
        .expect("a notice within 10 s")
        .unwrap()
}

#[tokio::test]
async fn a_command_is_stored_then_shown_then_told() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    let mut notices = house.desk.notices();
    let handle = house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await
        .unwrap();
    let told = next(&mut notices).await;
    assert!(matches!(told.recorded.event, Event::Created { .. }));
    let events = house.does("hall", Actor::Operator, Command::GoLive).await;
    assert_eq!(
        events.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [2, 3]
    );
    for event in &events {
        let told = next(&mut notices).await;
        assert_eq!(*told.recorded, *event);
        assert!(
            told.space.snapshot.load().seq >= event.seq,
            "told before it was shown"
        );
    }
    assert_eq!(handle.snapshot.load().phase, Phase::Live);
    assert_eq!(house.store.log(&id("hall"), 1, 10).await.unwrap(), events);
    assert_eq!(house.desk.log(&id("hall"), 1, 10).await.unwrap(), events);
    assert!(matches!(
        house.desk.log(&id("none"), 0, 10).await,
        Err(DeskError::NoSpace(_))
    ));
}

#[tokio::test]
async fn a_refusal_says_why_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await
        .unwrap();
    let before = house.state("hall");
    let refused = house
        .desk
        .command(&id("hall"), Actor::Person(PERSON), Command::GoLive)
        .await;
    assert!(matches!(
        refused,
        Err(DeskError::Refused(Refusal::NotAllowed {
            needed: Role::CoHost
        }))
    ));
    assert_eq!(house.state("hall"), before);
    assert_eq!(house.store.log(&id("hall"), 0, 10).await.unwrap().len(), 1);
    let nowhere = house
        .desk
        .command(&id("nowhere"), Actor::Operator, Command::GoLive)
        .await;
    assert!(matches!(nowhere, Err(DeskError::NoSpace(space)) if space == id("nowhere")));
    let twice = house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await;
    assert!(matches!(twice, Err(DeskError::Exists(_))));
    let untitled = house
        .desk
        .create(Actor::Operator, None, Draft::default())
        .await;
    assert!(matches!(
        untitled,
        Err(DeskError::Refused(Refusal::Empty { .. }))
    ));
}

#[tokio::test]
async fn after_a_restart_all_is_there_and_who_sat_may_take_the_seat_back() {
    let folder = tempfile::tempdir().unwrap();
    let first = house(&folder).await;
    first.live("hall").await;
    let before = first.state("hall");
    drop(first);
    // The machine's clock was set back meanwhile; time in the log must not run backwards.
    let second = house_at(&folder, START - 3_600_000).await;
    let after = second.state("hall");
    assert_eq!((after.phase, after.live_at), (Phase::Live, before.live_at));
    assert_eq!(
        after.people[&PERSON].seat,
        Seat::LostSince(UnixMillis(START))
    );
    second
        .does("hall", Actor::Node, Command::TakeSeat { person: PERSON })
        .await;
    assert_eq!(second.state("hall").people[&PERSON].seat, Seat::Taken);
}

#[tokio::test]
async fn a_seat_runs_out_by_itself_when_its_time_comes() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house.live("hall").await;
    let mut notices = house.desk.notices();
    house
        .does(
            "hall",
            Actor::Node,
            Command::LoseConnection { person: PERSON },
        )
        .await;
    next(&mut notices).await;
    // The desk now sleeps for milliseconds at a time, and nothing but its timer can wake it.
    house
        .time
        .store(START + SEAT_KEPT_MS - 10, Ordering::SeqCst);
    house
        .does("hall", Actor::Operator, Command::LockStage { locked: true })
        .await;
    next(&mut notices).await;
    assert!(matches!(
        house.state("hall").people[&PERSON].seat,
        Seat::LostSince(_)
    ));
    house.time.store(START + SEAT_KEPT_MS, Ordering::SeqCst);
    let told = next(&mut notices).await;
    assert_eq!(
        told.recorded.event,
        Event::SeatLeft {
            person: PERSON,
            ran_out: true
        }
    );
    assert_eq!(told.recorded.by, Actor::Node);
}

#[tokio::test]
async fn a_conflict_changes_nothing_and_the_log_is_caught_up_with() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await
        .unwrap();
    let before = house.state("hall");
    let foreign = Recorded {
        seq: 2,
        at: UnixMillis(START),
        by: Actor::Operator,
        event: Event::Opened,
    };
    house
        .store
        .append(&id("hall"), 1, std::slice::from_ref(&foreign))
        .await
        .unwrap();
    let mut notices = house.desk.notices();
    let failed = house
        .desk
        .command(&id("hall"), Actor::Operator, edit("Mine"))
        .await;
    assert!(matches!(
        failed,
        Err(DeskError::Store(StoreError::Conflict { expected: 1 }))
    ));
    assert_eq!(house.state("hall"), before);
    house.does("hall", Actor::Operator, edit("Mine")).await;
    assert_eq!(*next(&mut notices).await.recorded, foreign);
    assert_eq!(next(&mut notices).await.recorded.seq, 3);
    let after = house.state("hall");
    assert_eq!((after.phase, after.title.as_str()), (Phase::Open, "Mine"));
}

#[tokio::test]
async fn a_making_that_was_stored_unseen_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    let event = Space::create(id("hall"), draft(), UnixMillis(START)).unwrap();
    let first = Recorded {
        seq: 1,
        at: UnixMillis(START),
        by: Actor::Operator,
        event,
    };
    house.store.append(&id("hall"), 0, &[first]).await.unwrap();
    let made = house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await;
    assert!(matches!(made, Err(DeskError::Exists(_))));
    house.does("hall", Actor::Operator, Command::GoLive).await;
}

#[tokio::test]
async fn a_store_that_fails_changes_nothing_and_the_desk_goes_on_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house.live("hall").await;
    let before = house.state("hall");
    // Somebody else holds the database's write lock for longer than the store waits.
    let path = folder.path().join("hustings.db");
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!(
        "sqlite:{}",
        path.display()
    ))
    .await
    .unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let failed = house
        .desk
        .command(&id("hall"), Actor::Operator, Command::End)
        .await;
    assert!(
        matches!(failed, Err(DeskError::Store(StoreError::Query(_)))),
        "{failed:?}"
    );
    assert_eq!(house.state("hall"), before);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    house.does("hall", Actor::Operator, Command::End).await;
    assert_eq!(house.state("hall").phase, Phase::Ended);
}

#[tokio::test]
async fn a_panic_costs_its_space_one_answer_and_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house.live("hall").await;
    house.live("other").await;
    let before = house.state("hall");
    let failed = house
        .desk
        .command(&id("hall"), Actor::Operator, edit(PANIC))
        .await;
    assert!(matches!(failed, Err(DeskError::Store(_))), "{failed:?}");
    house.does("other", Actor::Operator, edit("Fine")).await;
    let events = house.does("hall", Actor::Operator, edit("Fine")).await;
    assert_eq!(events[0].seq, before.seq + 1);
    let after = house.state("hall");
    assert_eq!(
        (after.title.as_str(), &after.people),
        ("Fine", &before.people)
    );
}

#[tokio::test]
async fn many_callers_at_once_leave_a_log_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    house
        .desk
        .create(Actor::Operator, Some(id("hall")), draft())
        .await
        .unwrap();
    let callers: Vec<_> = (0..40)
        .map(|at| {
            let desk = house.desk.clone();
            tokio::spawn(async move {
                desk.command(&id("hall"), Actor::Operator, edit(&format!("T{at}")))
                    .await
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let log = house.desk.log(&id("hall"), 0, 100).await.unwrap();
    assert_eq!(
        log.iter().map(|recorded| recorded.seq).collect::<Vec<_>>(),
        (1..=41).collect::<Vec<_>>()
    );
    assert_eq!(Space::replay(&log).as_ref(), Some(&*house.state("hall")));
}

#[tokio::test]
async fn a_node_holds_so_many_spaces_and_no_more_until_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder).await;
    let mut last = None;
    for _ in 0..SPACES_MAX {
        last = Some(
            house
                .desk
                .create(Actor::Operator, None, draft())
                .await
                .unwrap(),
        );
    }
    let more = house.desk.create(Actor::Operator, None, draft()).await;
    assert!(matches!(more, Err(DeskError::TooManySpaces(SPACES_MAX))));
    let cancel = Command::Cancel {
        reason: "too many".into(),
    };
    house
        .does(last.unwrap().id.as_str(), Actor::Operator, cancel)
        .await;
    house
        .desk
        .create(Actor::Operator, None, draft())
        .await
        .unwrap();
}
