//! How fast the prefixes may knock, over however few connections: for the whole node, as shards and pages all hear knocks.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};

use super::answers;
use super::limits::{CONNECTIONS_BURST_S, connections_per_s};
use super::rates::Rates;
use crate::clock::Clock;

/// A connection brings one knock, but for those that HTTP keeps alive. So knocks have the same rate as connections, and who
/// opens one for each is never held up here first.
pub(super) struct Knocks {
    clock: Clock,
    rates: Mutex<Rates>,
}

impl Knocks {
    /// Knocks a second of one /24; other prefixes in proportion.
    pub(super) fn new(clock: Clock, per_s: u32) -> Self {
        let rates = Rates::new(connections_per_s(per_s), CONNECTIONS_BURST_S);
        Self {
            clock,
            rates: Mutex::new(rates),
        }
    }

    /// Whether one more may be heard; always without an address that is bounded.
    pub(super) fn allow(&self, from: Option<IpAddr>) -> bool {
        from.is_none_or(|address| {
            // A rate's table is whole at any time.
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.allow(address, self.clock.now().0)
        })
    }
}

/// Whether the pages ask the gate for this: a knock by JSON, or by the page that waits without script.
pub(super) fn is_knock(method: &Method, path: &str) -> bool {
    let file = path
        .strip_prefix("/s/")
        .and_then(|of_space| of_space.split_once('/'));
    match file {
        Some((_, "knock")) => *method == Method::POST,
        Some((_, "line")) => *method == Method::GET,
        _ => false,
    }
}

/// The answer to one too many. The connection ends with it: the next one costs the prefix a connection.
pub(super) fn too_many() -> Response<Body> {
    let mut answer = Response::new(Body::from(answers::KNOCKS_TEXT));
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (header::RETRY_AFTER, "5"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knocks_are_known_by_their_target() {
        assert!(is_knock(&Method::POST, "/s/town-hall/knock"));
        assert!(is_knock(&Method::GET, "/s/town-hall/line"));
        assert!(!is_knock(&Method::GET, "/s/town-hall/knock"));
        assert!(!is_knock(&Method::GET, "/s/town-hall"));
        assert!(!is_knock(&Method::POST, "/s/town-hall/rsvp"));
    }

    #[test]
    fn the_short_answer_says_the_same() {
        let short = std::str::from_utf8(answers::TOO_MANY_KNOCKS.whole).expect("text");
        assert!(short.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
        assert!(short.ends_with(answers::KNOCKS_TEXT) && short.contains("\r\nRetry-After: 5\r\n"));
    }
}
