//! Reactions of listeners, on the crowd's listener: one press, counted and forgotten. No cookie, no name, no address kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::StatusCode;
use hustings_control::reactions::{PressLimit, Reaction};
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::door::{BODY_READ_MAX, from_own_page, parse_json};
use super::problem::{Answer, Problem};
use crate::usher::REACTIONS_KEPT;

/// Bytes. The longest press has 24.
const PRESS_BYTES_MAX: usize = 128;
/// Bits of an address that stand for one network: a household or an office, not a person.
const V4_PREFIX_BITS: u32 = 24;
const V6_PREFIX_BITS: u32 = 56;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Press {
    /// `applaud`, `agree`, `disagree` or `louder`.
    #[schema(value_type = String)]
    reaction: Reaction,
}

/// The limit on presses, for all spaces of a node together.
pub fn limit() -> Extension<Limit> {
    let mut salt = [0; 32];
    // Without randomness the hash is one that others could make as well; it is kept in memory only, so nothing leaks.
    let _ = getrandom::fill(&mut salt);
    Extension(Limit {
        salt,
        buckets: Arc::default(),
        thinned: Arc::default(),
    })
}

#[derive(Clone)]
pub struct Limit {
    salt: [u8; 32],
    buckets: Arc<Mutex<PressLimit>>,
    thinned: Arc<AtomicU32>,
}

impl Limit {
    /// One of so many, while side features are shed.
    fn keeps(&self) -> bool {
        self.thinned
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(REACTIONS_KEPT)
    }

    fn allows(&self, app: &App, from: IpAddr) -> bool {
        let hash = blake3::keyed_hash(&self.salt, &prefix(from));
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        let hash = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        self.buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .press(hash, app.clock.wall())
    }
}

/// React to what is said, on the public listener; counted over 10 s and shown to everybody as numbers
#[utoipa::path(post, path = "/s/{id}/reactions", tag = "listening", params(("id" = String, Path)), request_body = Press, security(()),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn react(
    State(app): State<App>,
    Extension(limit): Extension<Limit>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<StatusCode> {
    from_own_page(&app, request.headers())?;
    let space = app
        .directory
        .by_text(&id)
        .ok_or_else(Problem::unknown_space)?;
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    if !limit.allows(&app, peer) {
        return Err(Problem::caller(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-reactions",
            "many reactions come from your network just now; try again in a moment",
        ));
    }
    space.snapshot.load().takes_reactions()?;
    if app.entrance.sheds_side_features() && !limit.keeps() {
        // Counted or not, the sum is a picture of the room: a part of the presses gives the same one.
        return Ok(StatusCode::NO_CONTENT);
    }
    let press: Press = parse_json(request, PRESS_BYTES_MAX, BODY_READ_MAX).await?;
    space.presses.press(press.reaction);
    Ok(StatusCode::NO_CONTENT)
}

/// The network's part of an address; the rest is dropped before anything is done with it.
pub(super) fn prefix(address: IpAddr) -> [u8; 17] {
    let mut out = [0; 17];
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            out[0] = 4;
            let kept = u32::from(v4) & (u32::MAX << (32 - V4_PREFIX_BITS));
            out[1..5].copy_from_slice(&kept.to_be_bytes());
        }
        IpAddr::V6(v6) => {
            out[0] = 6;
            let kept = u128::from(v6) & (u128::MAX << (128 - V6_PREFIX_BITS));
            out[1..].copy_from_slice(&kept.to_be_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_to_its_network() {
        let of = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), of("192.0.2.200"));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.7"), of("192.0.3.7"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:ff::2"));
        assert_ne!(of("2001:db8:0:100::1"), of("2001:db8:0:200::1"));
    }
}
