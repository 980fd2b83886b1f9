//! `/s/{id}/state.json` and `/s/{id}/events`: who speaks and how many listen, for pages that do not play.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hustings_control::gate::Mode;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::parts;
use crate::api::App;
use crate::api::knock::client;
use crate::edge::prefixes::{PerLevel, Prefix, prefixes};
use crate::live::SpaceHandle;
use crate::usher;

/// Readers of events on this node. Each holds a task and a connection; more are told to read state.json instead.
const EVENT_READERS_MAX: usize = 2_000;
/// The same of one prefix: an eighth, so that one network leaves room for others. More are told the same, and lose but some
/// seconds: their pages read state.json.
const EVENT_READERS_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 250,
    v6_64: 64,
    v6_56: 125,
    v6_48: 250,
};
/// Seconds after which a refused reader may ask again.
const RETRY_AFTER_S: &str = "15";
/// Middle boxes close what says nothing for half a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Time between two looks whether events are shed.
const SHED_LOOK: Duration = Duration::from_secs(1);

static READERS: LazyLock<Readers> = LazyLock::new(Readers::default);

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

pub(super) async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return unknown();
    };
    handle
        .counts
        .looks
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let room = (!app.entrance.sheds_side_features())
        .then(|| READERS.seat(client(&request)))
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

/// Who reads events now: at most `EVENT_READERS_MAX`, and three prefixes of each.
#[derive(Default)]
struct Readers(Mutex<Book>);

#[derive(Default)]
struct Book {
    all: usize,
    by_prefix: HashMap<Prefix, u32>,
}

impl Readers {
    /// None when all readers, or those of one of the address's prefixes, are as many as may be. This machine itself, an
    /// operator's own proxy that was not named, has no bound but that of all.
    fn seat(&'static self, from: IpAddr) -> Option<Seat> {
        let from = from.to_canonical();
        let is_this_machine =
            from == IpAddr::from([127, 0, 0, 1]) || from == IpAddr::from(Ipv6Addr::LOCALHOST);
        let bounded = (!is_this_machine).then_some(from);
        let mut book = self.book();
        let full = prefixes(bounded).any(|prefix| {
            book.by_prefix
                .get(&prefix)
                .is_some_and(|readers| *readers >= EVENT_READERS_OF_PREFIX.of(&prefix))
        });
        if full || book.all >= EVENT_READERS_MAX {
            return None;
        }
        book.all += 1;
        for prefix in prefixes(bounded) {
            *book.by_prefix.entry(prefix).or_default() += 1;
        }
        Some(Seat {
            readers: self,
            bounded,
        })
    }

    /// Counts are whole at any time: a panic elsewhere changes nothing.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place, given back when its stream is dropped.
struct Seat {
    readers: &'static Readers,
    bounded: Option<IpAddr>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut book = self.readers.book();
        book.all -= 1;
        for prefix in prefixes(self.bounded) {
            let left = book.by_prefix.get_mut(&prefix).map(|readers| {
                *readers -= 1;
                *readers
            });
            if left == Some(0) {
                book.by_prefix.remove(&prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_bounded_and_their_places_come_back() {
        let readers: &'static Readers = Box::leak(Box::default());
        let from = |net: u8| IpAddr::from([203, 0, net, 1]);
        let of_one: Vec<_> = std::iter::from_fn(|| readers.seat(from(0))).collect();
        assert_eq!(of_one.len(), EVENT_READERS_OF_PREFIX.v4_24 as usize);
        let others: Vec<_> = (1..=100)
            .flat_map(|net| (0..100).map_while(move |_| readers.seat(from(net))))
            .collect();
        assert_eq!(of_one.len() + others.len(), EVENT_READERS_MAX);
        assert!(readers.seat([127, 0, 0, 1].into()).is_none());
        drop((of_one, others));
        assert!(readers.seat(from(0)).is_some());
        let book = readers.book();
        assert!(book.all == 0 && book.by_prefix.is_empty());
    }
}
