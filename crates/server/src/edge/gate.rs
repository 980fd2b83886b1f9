//! The door in a shard: knocks of those who ask for sound, and the small answers that a crowd at the door asks for again
//! and again. Everything here is answered at once, from bytes already read.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hustings_control::gate::{Ask, Mode, Pass, Shows, Verdict};
use hustings_control::ids::SpaceId;

use super::abuse::Abuse;
use super::answers::{self, Answer, Told};
use super::asked::{KnockRequest, Ready, ServingRequest, SoundRequest};
use super::shard_loop::Local;
use crate::live::SpaceHandle;
use crate::rehearsal::{Mark, Running};
use crate::usher::{Asked, Serving, answer_knock, with_door};

/// Bytes of `state.json` before anybody has made it.
const EMPTY_JSON: usize = 2;
/// Milliseconds until a player whose right is worth nothing may come again.
const TURNED_AWAY_MS: u32 = 5_000;

/// A seat, or what is said to who gets none.
#[expect(
    clippy::result_large_err,
    reason = "in a storm it is the usual answer, and is made without allocating"
)]
pub(super) fn admit(
    local: &Local,
    handle: &SpaceHandle,
    request: &SoundRequest,
    from: IpAddr,
) -> Result<Pass, Told> {
    let door = handle.door.load();
    let Some(door) = door.as_ref() else {
        // A space that is about to open, or just over.
        return Err(Told::come_again(1_000));
    };
    let shows = request.shown.shows();
    let verdict = local
        .wicket
        .borrow_mut()
        .knock(door, from, Ask::Sound, shows);
    let (place, poll_ms) = match verdict {
        Verdict::Enter(entry) => return Ok(entry.pass),
        Verdict::Wait(waiting) => (waiting.place, waiting.poll_ms),
        // It asked for no puzzle.
        Verdict::Prove(_) | Verdict::TurnAway(_) => {
            return Err(told(request, handle, "", TURNED_AWAY_MS));
        }
    };
    // A place that was shown is still good; only when it was sealed anew there is another.
    let shown = match (&place, shows) {
        (Some(place), _) => place.as_str(),
        (None, Shows::Token(text)) => std::str::from_utf8(text).unwrap_or_default(),
        (None, _) => "",
    };
    Err(told(request, handle, shown, poll_ms))
}

fn told(request: &SoundRequest, handle: &SpaceHandle, place: &str, poll_ms: u32) -> Told {
    if request.navigates {
        Told::to_the_line(handle.id.as_str(), place)
    } else {
        Told::come_again(poll_ms)
    }
}

/// Whose rehearsal a request belongs to; nobody's without a permit.
pub(super) fn rehearsed(
    local: &Local,
    permit: Option<&[u8]>,
    asks: Mark,
) -> Result<Option<Arc<Running>>, Answer> {
    if permit.is_none() {
        return Ok(None);
    }
    let rehearsals = &local.directory.rehearsals;
    let judged = rehearsals.judge(permit, asks, local.clock.wall());
    judged.map_err(answers::rehearsal)
}

/// What is sent for a knock, into `out`.
pub(super) fn knock(
    local: &Local,
    request: &KnockRequest,
    body: &[u8],
    from: IpAddr,
    out: &mut Vec<u8>,
) -> Option<Answer> {
    use std::io::Write as _;
    if !local.knocks.allow(local.abuse.bounded(from)) {
        local.counters.abuse.count(Abuse::KnockRate);
        return Some(answers::TOO_MANY_KNOCKS);
    }
    let rehearsed = match rehearsed(local, request.permit.as_deref(), Mark::Knock) {
        Ok(rehearsed) => rehearsed,
        Err(refused) => return Some(refused),
    };
    let handle = request
        .space
        .as_ref()
        .and_then(|id| local.directory.get(id));
    let Some(handle) = handle else {
        return Some(answers::UNKNOWN);
    };
    let door = handle.door.load();
    let Some(door) = door.as_ref() else {
        return Some(answers::ENDED);
    };
    let mut json = std::mem::take(&mut *local.json.borrow_mut());
    let answered = answer_knock(&mut local.wicket.borrow_mut(), door, from, body, &mut json);
    if rehearsed.is_some() && matches!(answered, Ok(Asked::Knocked)) {
        handle.counts.rehearsed.knocks.fetch_add(1, Relaxed);
    }
    out.clear();
    // Writing to a Vec does not fail.
    let _ = write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n",
        json.len()
    );
    out.extend_from_slice(&json);
    local.json.replace(json);
    answered.is_err().then_some(answers::BAD_KNOCK)
}

/// `serving.json` as the usher made it last, the status page as its own thread did, or what is said instead.
pub(super) fn serving(local: &Local, request: &ServingRequest) -> Result<Arc<Serving>, Answer> {
    rehearsed(local, request.permit.as_deref(), Mark::Page)?;
    let handle = request
        .space
        .as_ref()
        .and_then(|id| local.directory.get(id));
    let Some(handle) = handle else {
        return Err(answers::UNKNOWN);
    };
    handle.counts.polls.fetch_add(1, Relaxed);
    let serving = match request.ready {
        Ready::Line => handle.serving.load_full().ok_or(answers::ENDED)?,
        Ready::Status => handle.status.load_full().ok_or(answers::NOT_YET)?,
    };
    if request.etag == Some(serving.etag) {
        return Err(answers::NOT_MODIFIED);
    }
    Ok(serving)
}

/// `state.json` of this moment; none where only the pages can make it.
pub(super) fn state(local: &Local, space: &SpaceId) -> Option<Serving> {
    let handle = local.directory.get(space)?;
    let json = handle.state_json.load();
    if json.len() <= EMPTY_JSON {
        return None;
    }
    handle.counts.looks.fetch_add(1, Relaxed);
    let door = handle.door.load();
    let mode = door.as_ref().map_or(Mode::Calm, |door| door.mode());
    let shed = local.wicket.borrow().entrance().sheds_side_features();
    let body = with_door(&json, mode, shed);
    let lines = "Content-Type: application/json\r\nCache-Control: public, max-age=1\r\n";
    Some(Serving::new(body.into(), lines))
}
