//! What runs beside the listeners until the node ends.

use std::sync::Arc;
use std::time::Duration;

use hustings_control::spaces::{Actor, Command as SpaceCommand};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::api::App;
use crate::config::Serve;
use crate::store::{Store, StoreError};
use crate::usher::NodeEvent;

/// Between looks for recordings that are older than `--keep-recordings`.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3_600);

pub(super) fn begin(app: &App, config: &Serve, store: Store) -> tokio::task::JoinSet<()> {
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
    chores.spawn(store_events(app.entrance.store_events(), store));
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

async fn store_events(mut events: mpsc::Receiver<NodeEvent>, store: Store) {
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
