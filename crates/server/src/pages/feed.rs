//! `/s/{id}/state.json` and `/s/{id}/events`: who speaks and how many listen, for pages that do not play.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hustings_control::gate::Mode;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::parts;
use crate::api::App;
use crate::live::SpaceHandle;
use crate::usher;

/// Readers of events on this node. Each holds a task and a connection; more are told to read state.json instead.
const EVENT_READERS_MAX: usize = 2_000;
/// Seconds after which a refused reader may ask again.
const RETRY_AFTER_S: &str = "15";
/// Middle boxes close what says nothing for half a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Time between two looks whether events are shed.
const SHED_LOOK: Duration = Duration::from_secs(1);

static READERS: AtomicUsize = AtomicUsize::new(0);

pub(super) async fn state(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return unknown();
    };
    handle
        .counts
        .looks
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mode = handle
        .door
        .load()
        .as_ref()
        .map_or(Mode::Calm, |door| door.mode());
    let body = usher::with_door(&newest(&handle), mode, app.entrance.sheds_side_features());
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=1"),
        ],
        body,
    )
        .into_response()
}

pub(super) async fn events(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return unknown();
    };
    handle
        .counts
        .looks
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let room = (!app.entrance.sheds_side_features())
        .then(Seat::take)
        .flatten();
    let Some(seat) = room else {
        let headers = [
            (header::RETRY_AFTER, RETRY_AFTER_S),
            (header::CACHE_CONTROL, "no-store"),
        ];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            headers,
            "Names are updated from state.json for now.\n",
        )
            .into_response();
    };
    // Subscribed before the first state is read, so that no change falls between the two.
    let changes = BroadcastStream::new(handle.roster.subscribe());
    let first = tokio_stream::once(newest(&handle));
    let stream = first
        .chain(changes.filter_map(Result::ok))
        .map(move |json| {
            let _held = &seat;
            Ok::<_, Infallible>(Event::default().data(String::from_utf8_lossy(&json)))
        });
    // A browser comes back by itself; an ending node must not wait for it, nor one that sheds side features.
    let stream = futures_util::StreamExt::take_until(stream, shed_or_end(app.clone()));
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEPALIVE));
    (
        [
            (header::CACHE_CONTROL, "no-store"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ],
        sse,
    )
        .into_response()
}

async fn shed_or_end(app: App) {
    let shed = async {
        let mut looks = tokio::time::interval(SHED_LOOK);
        while !app.entrance.sheds_side_features() {
            looks.tick().await;
        }
    };
    tokio::select! {
        () = shed => {}
        () = app.ending.clone().begun() => {}
    }
}

/// The roster as the stage host wrote it, or one made from the snapshot while no stage has run.
pub(super) fn newest(handle: &Arc<SpaceHandle>) -> Bytes {
    let json = Bytes::clone(&handle.state_json.load());
    if json.len() > 2 {
        json
    } else {
        parts::roster_of(&handle.snapshot.load(), handle.counts.listening())
    }
}

fn unknown() -> Response {
    let body = r#"{"type":"urn:hustings:problem:no-space","title":"There is no space under this link","status":404,"fault":"caller"}"#;
    (
        StatusCode::NOT_FOUND,
        [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CACHE_CONTROL, "public, max-age=2"),
        ],
        body,
    )
        .into_response()
}

/// A reader's place, given back when its stream is dropped.
struct Seat;

impl Seat {
    fn take() -> Option<Self> {
        READERS
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < EVENT_READERS_MAX).then_some(n + 1)
            })
            .ok()
            .map(|_| Self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_bounded_and_their_places_come_back() {
        let seats: Vec<_> = std::iter::from_fn(Seat::take).collect();
        assert_eq!(seats.len(), EVENT_READERS_MAX);
        assert!(Seat::take().is_none());
        drop(seats);
        assert!(Seat::take().is_some());
    }
}
