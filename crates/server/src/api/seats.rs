//! What operators set of a space's door, tickets given out before the event, and their RSVP on the public page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use hustings_control::gate::limits::SEATS_MAX;
use hustings_control::gate::{Door, Lane, TokenText, invitation};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::Phase;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::auth::TokenRole;
use super::door::{In, from_own_page};
use super::knock::{client, over};
use super::problem::{Answer, Problem};
use super::reactions::prefix;
use super::who::InSpace;
use crate::actions;
use crate::live::SpaceHandle;
use crate::usher::{DoorWish, INVITED_LIFE_MS};

/// Tickets of one request; a host who needs more asks again.
const TICKETS_MAX: u32 = 1_000;
/// Looks for the door of a space that was made just now, and the time between two.
const DOOR_LOOKS: usize = 50;
const DOOR_WAIT: Duration = Duration::from_millis(20);
/// Of the tickets that RSVPs may get, the part of one prefix (/24, /56), and never fewer than so many.
const RSVP_PREFIX_PART: u32 = 64;
const RSVP_PREFIX_MIN: u32 = 4;
/// Shares of a prefix that a /48 of IPv6 has, whose parts cost who has it nothing.
const RSVP_WIDE_SHARES: u32 = hustings_control::gate::limits::WIDE_LEVELS;

/// What an operator sets of one space's door.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetDoor {
    /// Share of the node's seats that this space always gets, 0 to 1; null: the node's `--space-share`.
    guaranteed: Option<f64>,
    /// Listeners at most; null: as many as there are seats.
    limit: Option<u32>,
    /// Nobody new comes in: newcomers wait. Those inside stay, and come back after a lost connection.
    #[serde(default)]
    paused: bool,
    /// There is no public door: newcomers are turned away. Those inside stay, and come back after a lost connection.
    #[serde(default)]
    dropped: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct DoorView {
    guaranteed: Option<f64>,
    limit: Option<u32>,
    paused: bool,
    dropped: bool,
    /// `calm`, `busy` or `storm`.
    mode: &'static str,
    /// Listeners inside, seats held for tickets included; and by the lane they came by.
    inside: u32,
    resume: u32,
    invited: u32,
    free: u32,
    effort: u32,
    /// Places given out, and how many have had their turn.
    issued: u64,
    called: u64,
}

/// How a space's door is set, and how it stands
#[utoipa::path(get, path = "/api/v1/spaces/{id}/door", tag = "door", params(("id" = String, Path)),
    responses((status = 200, body = DoorView), (status = "4XX", body = Problem)))]
pub(super) async fn get(at: InSpace) -> Answer<Json<DoorView>> {
    at.needs_manager()?;
    view(&at.app, &at.space).await.map(Json)
}

/// Set a space's guaranteed share and limit, or pause its door; only for operators
#[utoipa::path(put, path = "/api/v1/spaces/{id}/door", tag = "door", params(("id" = String, Path)), request_body = SetDoor,
    responses((status = 200, body = DoorView), (status = "4XX", body = Problem)))]
pub(super) async fn put(at: InSpace, In(set): In<SetDoor>) -> Answer<Json<DoorView>> {
    if at.node != Some(TokenRole::Operator) {
        at.actor()?;
        return Err(Problem::caller(
            StatusCode::FORBIDDEN,
            "operator-only",
            "Only an operator may set a space's door.",
        ));
    }
    let wrong =
        |detail: String| Problem::caller(StatusCode::UNPROCESSABLE_ENTITY, "bad-door", detail);
    if let Some(share) = set.guaranteed.filter(|share| !(0.0..=1.0).contains(share)) {
        return Err(wrong(format!(
            "`guaranteed` is a share of the node's seats between 0 and 1, such as 0.25; {share} is none"
        )));
    }
    if set.limit == Some(0) {
        return Err(wrong(
            "a `limit` of 0 would keep everybody out; to take nobody in for now, set `paused`"
                .to_owned(),
        ));
    }
    if let Some(limit) = set.limit.filter(|limit| *limit > SEATS_MAX) {
        return Err(wrong(format!(
            "a node has {SEATS_MAX} seats at most, so a `limit` of {limit} says nothing; leave it away"
        )));
    }
    let wish = DoorWish {
        guaranteed: set.guaranteed,
        limit: set.limit,
        paused: set.paused,
        dropped: set.dropped,
    };
    match actions::set_door(&at.app, &at.space, wish).await {
        Err(problem) if problem.code() == "no-change" => {}
        done => done?,
    }
    view(&at.app, &at.space).await.map(Json)
}

async fn view(app: &App, space: &SpaceHandle) -> Answer<DoorView> {
    let door = door_of(app, space).await?;
    let wish = app.entrance.wish(&space.id);
    let (issued, called) = door.line();
    Ok(DoorView {
        guaranteed: wish.guaranteed,
        limit: wish.limit,
        paused: wish.paused,
        dropped: wish.dropped,
        mode: door.mode().name(),
        inside: door.inside(),
        resume: door.inside_by_lane(Lane::Resume),
        invited: door.inside_by_lane(Lane::Invited),
        free: door.inside_by_lane(Lane::Free),
        effort: door.inside_by_lane(Lane::Effort),
        issued,
        called,
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTickets {
    /// 1 to 1,000.
    count: u32,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Tickets {
    /// Until when they let in, Unix milliseconds.
    expires_at: u64,
    /// Links with a ticket in the fragment; each is good for one listener.
    links: Vec<String>,
}

/// Tickets to give out before the event: whoever has one goes by the invited lane when seats are short
#[utoipa::path(post, path = "/api/v1/spaces/{id}/tickets", tag = "door", params(("id" = String, Path)), request_body = NewTickets,
    responses((status = 201, body = Tickets), (status = "4XX", body = Problem)))]
pub(super) async fn tickets(at: InSpace, In(new): In<NewTickets>) -> Answer<impl IntoResponse> {
    at.needs_manager()?;
    if !(1..=TICKETS_MAX).contains(&new.count) {
        return Err(Problem::caller(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-count",
            format!("`count` lies between 1 and {TICKETS_MAX}; ask again for more"),
        ));
    }
    let door = door_of(&at.app, &at.space).await?;
    let mut links = Vec::with_capacity(new.count as usize);
    let mut until = UnixMillis(0);
    for _ in 0..new.count {
        let (ticket, expires) = mint(&at.app, &door)?;
        until = expires;
        links.push(format!(
            "{}/s/{}#t={}",
            at.app.public_url,
            at.space.id,
            ticket.as_str()
        ));
    }
    let expires_at = until.0;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((
        StatusCode::CREATED,
        headers,
        Json(Tickets { expires_at, links }),
    ))
}

/// The door of a space that is not over; one that was made just now gets its door in this moment.
async fn door_of(app: &App, space: &SpaceHandle) -> Answer<Arc<Door>> {
    for _ in 0..DOOR_LOOKS {
        if let Some(door) = space.door.load_full() {
            return Ok(door);
        }
        if matches!(space.snapshot.load().phase, Phase::Ended | Phase::Cancelled) {
            break;
        }
        app.entrance.look();
        tokio::time::sleep(DOOR_WAIT).await;
    }
    Err(over())
}

fn mint(app: &App, door: &Door) -> Answer<(TokenText, UnixMillis)> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(|e| Problem::internal(&e))?;
    let wall = app.clock.wall();
    let expires = UnixMillis(wall.0.saturating_add(INVITED_LIFE_MS));
    let (space, epoch, keys) = (door.space(), door.epoch(), app.entrance.keys());
    Ok((
        invitation(space, epoch, &keys, u64::from_le_bytes(id), wall, expires),
        expires,
    ))
}

/// How many tickets RSVPs have got, by space and salted prefix. In memory: a restart gives as many once more.
#[derive(Clone)]
pub struct Rsvps {
    salt: [u8; 32],
    given: Arc<Mutex<HashMap<SpaceId, Given>>>,
}

#[derive(Default)]
struct Given {
    all: u32,
    by_prefix: HashMap<u64, u32>,
}

pub fn rsvps() -> Extension<Rsvps> {
    let mut salt = [0; 32];
    // Without randomness the hash is one that others could make as well; it is kept in memory only, so nothing leaks.
    let _ = getrandom::fill(&mut salt);
    Extension(Rsvps {
        salt,
        given: Arc::default(),
    })
}

impl Rsvps {
    /// Counts one more, when the space and the prefix may have it. The table has at most two rows a ticket.
    fn take(&self, space: &SpaceId, from: std::net::IpAddr, most: u32) -> Result<(), &'static str> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given.entry(space.clone()).or_default();
        if given.all >= most {
            return Err("all tickets of this kind are given out; come when it begins");
        }
        let share = (most / RSVP_PREFIX_PART).max(RSVP_PREFIX_MIN);
        let shares = [
            (prefix(from), share),
            (wide(from), share * RSVP_WIDE_SHARES),
        ];
        let rows = shares.map(|(prefix, most)| (self.hash(&prefix), most));
        let has = |row: &u64| given.by_prefix.get(row).copied().unwrap_or(0);
        if rows.iter().any(|(row, most)| has(row) >= *most) {
            return Err("your network has its share of tickets; come when it begins");
        }
        for (row, _) in rows {
            *given.by_prefix.entry(row).or_default() += 1;
        }
        given.all += 1;
        Ok(())
    }

    fn hash(&self, prefix: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(&self.salt, prefix);
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The /48 of IPv6; of IPv4 once more the /24, told apart from it.
fn wide(from: std::net::IpAddr) -> [u8; 17] {
    let mut out = prefix(from);
    out[0] += 100;
    out[7..].fill(0);
    out
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Rsvp {
    /// To ask for the sound with, `?t=`; good for one listener.
    ticket: String,
    /// Unix milliseconds.
    expires_at: u64,
}

/// Say before the start that one will listen, on the public listener: one ticket for the invited lane
#[utoipa::path(post, path = "/s/{id}/rsvp", tag = "listening", params(("id" = String, Path)), security(()),
    responses((status = 201, body = Rsvp), (status = "4XX", body = Problem)))]
pub(crate) async fn rsvp(
    State(app): State<App>,
    Extension(rsvps): Extension<Rsvps>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<impl IntoResponse> {
    from_own_page(&app, request.headers())?;
    let space = app
        .directory
        .by_text(&id)
        .ok_or_else(Problem::unknown_space)?;
    let door = door_of(&app, &space).await?;
    if space.snapshot.load().phase != Phase::Posted {
        return Err(Problem::caller(
            StatusCode::CONFLICT,
            "begun",
            "it has begun: come in",
        ));
    }
    let settings = door.hall().settings();
    let most = (f64::from(settings.seats) * settings.shares.invited) as u32;
    rsvps
        .take(&space.id, client(&request), most)
        .map_err(|why| Problem::caller(StatusCode::TOO_MANY_REQUESTS, "no-ticket", why))?;
    let (ticket, expires) = mint(&app, &door)?;
    let rsvp = Rsvp {
        ticket: ticket.as_str().to_owned(),
        expires_at: expires.0,
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(rsvp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_gets_its_share_and_all_get_what_there_is() {
        let Extension(rsvps) = rsvps();
        let space = SpaceId::parse("town-hall").unwrap();
        let from = |net: u8, host: u8| std::net::IpAddr::from([10, 0, net, host]);
        for host in 0..5 {
            assert!(rsvps.take(&space, from(1, host), 320).is_ok());
        }
        assert!(rsvps.take(&space, from(1, 77), 320).is_err());
        let got = (2..=255).filter(|net| rsvps.take(&space, from(*net, 1), 50).is_ok());
        assert_eq!(got.count(), 45, "fifty in all");
    }
}
