//! What runs beside the listeners until the node ends.

use std::sync::Arc;
use std::time::Duration;

use hustings_control::ids::UnixMillis;
use hustings_control::spaces::{Actor, Command as SpaceCommand, Event};
use hustings_evidence::row::{Happening, What, Who};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::alarms;
use crate::api::App;
use crate::config::Serve;
use crate::desk::Notice;
use crate::edge::EdgeMeter;
use crate::ops::flight;
use crate::ops::log::{self, SUMMARY_EVERY};
use crate::rehearsal::Turn;
use crate::store::{Store, StoreError};
use crate::usher::NodeEvent;

/// Between looks for recordings that are older than `--keep-recordings`.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3_600);

/// Between looks for rehearsals that are over.
const REHEARSALS_EVERY: Duration = Duration::from_secs(1);
/// Events of earlier runs that the board shows.
const EVENTS_RECALLED: u32 = 64;

pub(super) fn begin(
    app: &App,
    config: &Serve,
    edge: EdgeMeter,
    store: Store,
) -> tokio::task::JoinSet<()> {
    let mut chores = tokio::task::JoinSet::new();
    if config.demo {
        chores.spawn(crate::stage::demo::run_demo(
            app.desk.clone(),
            Arc::clone(&app.directory),
            app.clock,
        ));
    }
    if let Some(days) = config.keep_recordings {
        chores.spawn(expire_recordings(app.clone(), days));
    }
    chores.spawn(open_doors(app.clone()));
    chores.spawn(record_spaces(app.clone()));
    chores.spawn(tend_rehearsals(app.clone()));
    chores.spawn(tell_left_out());
    let watched = Arc::clone(&app.watched);
    if let Some(webhook) = watched.webhook.clone() {
        chores.spawn(alarms::watch::tell_heads(app.clone(), webhook));
    }
    chores.spawn(alarms::watch::run(app.clone(), edge, watched));
    chores.spawn(store_events(
        app.clone(),
        app.entrance.store_events(),
        store,
    ));
    chores
}

/// A space that opens has its door at once, and not only at the usher's next tick.
async fn open_doors(app: App) {
    let mut notices = app.desk.notices();
    // Of what was missed nothing is lost: the usher looks at all spaces.
    while !matches!(notices.recv().await, Err(RecvError::Closed)) {
        app.entrance.look();
    }
}

/// What happens to spaces stands in their own records; the flight recorder has the time and the kind of it.
async fn record_spaces(app: App) {
    let mut notices = app.desk.notices();
    loop {
        match notices.recv().await {
            Ok(notice) => {
                if let Some(happening) = happening_of(&notice) {
                    let up_ms = app.clock.now().0 / 1_000;
                    app.flight.note(Happening { up_ms, ..happening });
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "the flight recorder does not say all that happened to spaces"
                );
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn happening_of(notice: &Notice) -> Option<Happening> {
    let on = |on: bool| if on { "on" } else { "off" };
    let (what, after) = match &notice.recorded.event {
        Event::Created { .. } => (What::SpaceCreated, ""),
        Event::Edited { .. } => (What::SpaceChanged, ""),
        Event::Opened => (What::SpaceOpened, ""),
        Event::WentLive => (What::SpaceLive, ""),
        Event::Ended { .. } => (What::SpaceEnded, ""),
        Event::Cancelled { .. } => (What::SpaceCancelled, ""),
        Event::ConnectionLost { .. } => (What::SpeakerLost, ""),
        Event::SeatTaken { .. } => (What::SpeakerBack, ""),
        Event::EmptyWarned => (What::StageEmpty, ""),
        Event::HoldMusic { on: playing, .. } => (What::HoldMusic, on(*playing)),
        _ => return None,
    };
    Some(Happening {
        at: notice.recorded.at,
        what,
        who: match notice.recorded.by {
            Actor::Operator => Who::Operator,
            Actor::Person(_) => Who::Host,
            Actor::Node => Who::Node,
        },
        space: Some(notice.space.id.clone()),
        after: after.into(),
        ..Happening::default()
    })
}

/// Rehearsals that begin and end are told to the records, and kept.
async fn tend_rehearsals(app: App) {
    let mut interval = tokio::time::interval(REHEARSALS_EVERY);
    loop {
        interval.tick().await;
        let (directory, clock) = (Arc::clone(&app.directory), app.clock);
        let tended =
            tokio::task::spawn_blocking(move || directory.rehearsals.tend(clock.wall())).await;
        let Ok(turns) = tended else { return };
        for turn in turns {
            app.entrance.happened(happening_of_turn(&app, &turn));
        }
    }
}

fn happening_of_turn(app: &App, turn: &Turn) -> Happening {
    let told = Happening {
        rehearsal: true,
        ..flight::happening(&app.clock)
    };
    match turn {
        Turn::Began {
            at,
            id,
            rate,
            people,
        } => Happening {
            at: UnixMillis(*at),
            what: What::RehearsalBegan,
            who: Who::Outside,
            name: format!("{id:016x}").as_str().into(),
            after: format!("at most {people} listeners, and {rate} requests a second")
                .as_str()
                .into(),
            number: (*people).into(),
            ..told
        },
        Turn::Over(kept) => Happening {
            what: What::RehearsalEnded,
            who: if kept.stopped {
                Who::Operator
            } else {
                Who::Outside
            },
            name: kept.id.as_str().into(),
            after: kept.words().as_str().into(),
            number: kept.peak.cast_signed(),
            ..told
        },
    }
}

/// What the log left out is told even when nothing of the kind is logged any more.
async fn tell_left_out() {
    let mut interval = tokio::time::interval(SUMMARY_EVERY);
    loop {
        interval.tick().await;
        log::summarize();
    }
}

/// What earlier runs have stored is shown again; then this run's events are stored.
async fn store_events(app: App, mut events: mpsc::Receiver<NodeEvent>, store: Store) {
    match store.node_events(EVENTS_RECALLED).await {
        Ok(stored) => app.entrance.recall(&stored),
        Err(error) => tracing::warn!(%error, "what happened before cannot be read"),
    }
    while let Some(event) = events.recv().await {
        let stored = match serde_json::to_string(&event) {
            Ok(body) => store.note_node_event(&body).await,
            Err(error) => Err(StoreError::Query(error.to_string())),
        };
        if let Err(error) = stored {
            tracing::warn!(%error, "an event of the door could not be stored");
        }
    }
}

async fn expire_recordings(app: App, days: u32) {
    let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        interval.tick().await;
        let archive = app.archive.clone();
        let now = app.clock.wall();
        let Ok(expired) = tokio::task::spawn_blocking(move || archive.expire(days, now)).await
        else {
            return;
        };
        for space in app.directory.all().values() {
            let recording = space.snapshot.load().recording.clone();
            if recording
                .is_some_and(|recording| !recording.deleted && expired.contains(&recording.object))
                && let Err(error) = app
                    .desk
                    .command(&space.id, Actor::Operator, SpaceCommand::DeleteRecording)
                    .await
            {
                tracing::warn!(space = %space.id, %error, "an expired recording is gone but could not be marked so");
            }
        }
    }
}
