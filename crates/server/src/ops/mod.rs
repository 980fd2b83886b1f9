//! The operator listener: `/metrics`, `/healthz`, `/readyz`, `/door.json`; and the log. Never reachable by the crowd's door.

pub mod flight;
pub mod log;
mod metrics;
pub mod report;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use tokio::time::timeout;

use crate::api::App;
use crate::desk::DeskError;
use crate::edge::EdgeMeter;
use crate::shield::ShieldMeter;

/// How long the desk may take to answer whether it is ready: longer than the database waits for another writer, shorter
/// than who asks will wait.
const DESK_DEADLINE: Duration = Duration::from_secs(2);
/// How long it may take to answer at all. Whoever does not answer then is restarted by orchestrators, which ends the sound of
/// everybody inside: far longer than any write.
const ALIVE_DEADLINE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Operator {
    app: App,
    edge: EdgeMeter,
    shield: Option<ShieldMeter>,
    rendered: Arc<metrics::Rendered>,
}

pub fn router(app: App, edge: EdgeMeter, shield: Option<ShieldMeter>) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/door.json", get(door))
        .with_state(Operator {
            app,
            edge,
            shield,
            rendered: Arc::default(),
        })
}

async fn scrape(State(operator): State<Operator>) -> impl IntoResponse {
    let text = operator.rendered.text(|| {
        metrics::render(
            &operator.app,
            &operator.edge.stats(),
            operator.shield.as_ref().map(ShieldMeter::stats),
        )
    });
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
}

/// How the door stands: seats, the ladder with its newest steps, and each space.
async fn door(State(operator): State<Operator>) -> impl IntoResponse {
    let entrance = &operator.app.entrance;
    let standing = entrance.standing().map(|standing| {
        json!({
            "seats": standing.capacity,
            "seats_out": standing.out,
            "short": standing.short,
            "step": standing.step,
            "load": {
                "cpu": standing.load.cpu,
                "memory": standing.load.memory.share(),
                "files": standing.load.files.share(),
                "uplink": standing.load.uplink.share(),
            },
        })
    });
    let doors = entrance.doors();
    let spaces = doors.iter().map(|door| {
        let (issued, called) = door.line();
        json!({
            "space": door.space(),
            "mode": door.mode(),
            "inside": door.inside(),
            "issued": issued,
            "called": called,
            "hardest_puzzle": door.hardest(),
            "wish": entrance.wish(door.space()),
        })
    });
    let spaces: Vec<_> = spaces.collect();
    let rehearsals = &operator.app.directory.rehearsals;
    axum::Json(json!({
        "standing": standing,
        "events": entrance.events(),
        "spaces": spaces,
        "rehearsals": rehearsals.told(operator.app.clock.wall()),
        "flight": operator.app.flight.head(),
    }))
}

/// Alive: the desk answers, whatever it says. A node whose records cannot be written is alive: a restart would not help it,
/// and would end the sound of those inside.
async fn alive(State(operator): State<Operator>) -> (StatusCode, &'static str) {
    match timeout(ALIVE_DEADLINE, operator.app.desk.ready()).await {
        Ok(Err(DeskError::Busy)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "desk: its queue is full, or it has ended\n",
        ),
        Ok(_) => (StatusCode::OK, "alive\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "desk: no answer\n"),
    }
}

/// Ready: the node is not ending, the desk answers, its records can be written, and the disk takes recordings. This listener
/// is bound last, so whoever hears its answer knows that the others are. A node that is not ready goes on carrying sound.
async fn ready(State(operator): State<Operator>) -> (StatusCode, String) {
    let mut troubles = String::new();
    if operator.app.ending.has_begun() {
        troubles.push_str("node: it is ending, and takes nobody in\n");
    }
    if let Some(trouble) = operator.app.archive.trouble() {
        troubles.push_str(&format!("recordings: {trouble}\n"));
    }
    match timeout(DESK_DEADLINE, operator.app.desk.ready()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let why = error.source().map(|why| format!(" ({why})"));
            troubles.push_str(&format!("desk: {error}{}\n", why.unwrap_or_default()));
        }
        Err(_) => troubles.push_str(&format!(
            "desk: no answer within {} s\n",
            DESK_DEADLINE.as_secs()
        )),
    }
    if troubles.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, troubles)
    }
}
