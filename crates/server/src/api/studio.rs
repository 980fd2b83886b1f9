//! The studio's live view: one snapshot, and the same again by SSE at each change.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::door::Door;
use super::problem::{Answer, Problem};
use super::view::Studio;
use super::who::InSpace;

/// Snapshots that wait for a slow browser; while it does not read, newer ones are left out.
const WAITING_MAX: usize = 2;
/// Levels and quality change without events; they are shown anew at least so often.
const REFRESH: Duration = Duration::from_secs(2);
/// Changes closer together than this are shown as one.
const GATHER: Duration = Duration::from_millis(100);

/// All that a studio shows, once
#[utoipa::path(get, path = "/api/v1/spaces/{id}/studio.json", tag = "studio", params(("id" = String, Path)), responses((status = 200, body = Studio), (status = "4XX", body = Problem)))]
pub(super) async fn snapshot(at: InSpace) -> Answer<impl IntoResponse> {
    at.needs_stage()?;
    Ok((
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(Studio::of(&at)),
    ))
}

/// The same as server-sent events named `studio`, at each change; `over` when the caller may no longer see it
#[utoipa::path(get, path = "/api/v1/spaces/{id}/studio-events", tag = "studio", params(("id" = String, Path)),
    responses((status = 200, body = Studio, content_type = "text/event-stream"), (status = "4XX", body = Problem)))]
pub(super) async fn events(State(door): State<Door>, at: InSpace) -> Answer<impl IntoResponse> {
    at.needs_stage()?;
    let place = door
        .studios
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many studios are open; this page tries again"))?;
    let (to, from) = mpsc::channel(WAITING_MAX);
    let ending = at.app.ending.clone().begun();
    tokio::spawn(async move {
        tokio::select! {
            () = follow(at, to) => {}
            () = ending => {}
        }
        drop(place);
    });
    let stream = tokio_stream::StreamExt::map(ReceiverStream::new(from), Ok::<_, Infallible>);
    Ok((
        [("x-accel-buffering", "no")],
        Sse::new(stream).keep_alive(KeepAlive::default()),
    ))
}

/// Ends when the browser goes away (the channel closes) or the caller loses the right to look.
async fn follow(at: InSpace, to: mpsc::Sender<Event>) {
    let mut notices = at.app.desk.notices();
    let mut roster = at.space.roster.subscribe();
    loop {
        if at.needs_stage().is_err() {
            let why = format!(r#"{{"why":"{}"}}"#, why_over(&at));
            let _ = to.send(Event::default().event("over").data(why)).await;
            return;
        }
        let event = match Event::default().event("studio").json_data(Studio::of(&at)) {
            Ok(event) => event,
            Err(error) => return tracing::error!(%error, "a studio's snapshot is no JSON"),
        };
        if to.send(event).await.is_err() {
            return;
        }
        tokio::time::sleep(GATHER).await;
        tokio::select! {
            () = to.closed() => return,
            () = tokio::time::sleep(REFRESH) => {}
            alive = changed(&at, &mut notices) => if !alive { return },
            told = roster.recv() => if matches!(told, Err(RecvError::Closed)) { return },
        }
    }
}

/// A word for the page: what has taken the right to look.
fn why_over(at: &InSpace) -> &'static str {
    let space = at.space.snapshot.load();
    let Some(me) = at.me() else { return "removed" };
    let revoked = me
        .invite
        .and_then(|invite| space.invites.get(&invite))
        .is_some_and(|invite| invite.revoked);
    match (me.banned, revoked) {
        (true, _) => "banned",
        (_, true) => "revoked",
        _ => "removed",
    }
}

/// The next event of this space; what was missed while lagging is in the snapshot anyway. False: the desk has stopped.
async fn changed(
    at: &InSpace,
    notices: &mut tokio::sync::broadcast::Receiver<crate::desk::Notice>,
) -> bool {
    loop {
        match notices.recv().await {
            Ok(notice) if notice.space.id == at.space.id => return true,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}
