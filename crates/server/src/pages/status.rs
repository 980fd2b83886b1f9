//! `/s/{id}/status`: what is going on now, in honest words, for everybody. A thread of its own makes it anew each second and
//! the shards send it, so that it is there when pages, house and usher are not. It says of when it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hustings_control::gate::{Mode, Step};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::numbers::Number;
use hustings_control::spaces::{Phase, Space};
use hustings_evidence::chain::Head;
use maud::{Markup, html};

use super::frame::{self, Page};
use super::parts;
use super::words::{As, moment, number};
use crate::api::App;
use crate::clock::Clock;
use crate::glance::Glance;
use crate::live::Directory;
use crate::ops::flight::Flight;
use crate::usher::Entrance;

/// Time between two makings of the pages of spaces that are not over; those of the others are made when something changes.
const MADE_EVERY: Duration = Duration::from_secs(1);
/// Seconds that caches may keep it.
const CACHE: &str = "public, max-age=2";
/// Seconds after which a browser without script looks again by itself; the script does so in place.
const REFRESH_S: u32 = 10;

/// Running; ends when dropped.
pub struct StatusThread {
    /// Dropped, it ends the thread.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusThread {
    /// # Errors
    /// When the thread cannot be started.
    pub fn of(app: &App) -> anyhow::Result<Self> {
        let (directory, entrance) = (Arc::clone(&app.directory), Arc::clone(&app.entrance));
        Self::start(directory, entrance, app.clock, app.flight.clone())
            .context("the thread of the status pages cannot be started")
    }

    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        directory: Arc<Directory>,
        entrance: Arc<Entrance>,
        clock: Clock,
        flight: Flight,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let mut maker = Maker {
            directory,
            entrance,
            clock,
            flight,
            over: HashMap::new(),
        };
        maker.make();
        let thread = std::thread::Builder::new()
            .name("status".into())
            .spawn(move || {
                while stopped.recv_timeout(MADE_EVERY) == Err(RecvTimeoutError::Timeout) {
                    maker.make();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for StatusThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread of the status pages had panicked");
        }
    }
}

struct Maker {
    directory: Arc<Directory>,
    entrance: Arc<Entrance>,
    clock: Clock,
    flight: Flight,
    /// Of spaces that are over, the event that their page was last made after: it changes with their records only.
    over: HashMap<SpaceId, u64>,
}

impl Maker {
    fn make(&mut self) {
        let now = NodeNow {
            at: self.clock.wall(),
            step: self.entrance.step(),
            head: self.flight.head(),
        };
        for handle in self.directory.all().values() {
            let glance = Glance::of(handle, &self.entrance);
            if !glance.space.is_going()
                && self.over.insert(handle.id.clone(), glance.space.seq) == Some(glance.space.seq)
            {
                continue;
            }
            let made = frame::prepared(whole(&glance, &now), CACHE);
            handle.status.store(Some(Arc::new(made)));
        }
    }
}

/// For connections that HTTP reads already: the same bytes.
pub(super) async fn page(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return super::home::lost(&app, "There is no space under this link.");
    };
    let Some(told) = handle.status.load_full() else {
        let again = [(header::RETRY_AFTER, "1")];
        return (StatusCode::SERVICE_UNAVAILABLE, again).into_response();
    };
    let etag = format!("\"{:016x}\"", told.etag);
    let known = headers.get(header::IF_NONE_MATCH).map(|v| v.as_bytes()) == Some(etag.as_bytes());
    frame::send_prepared(&told, etag, CACHE, known)
}

/// What is the same for all spaces of the node.
struct NodeNow {
    at: UnixMillis,
    step: Step,
    head: Option<Head>,
}

fn whole(glance: &Glance, node: &NodeNow) -> Page<'static> {
    let (space, now) = (&glance.space, node.at);
    let said = said(glance, now);
    let runs = matches!(space.phase, Phase::Open | Phase::Live);
    Page {
        title: format!("{}: {}", said.title, space.title),
        scripts: if space.is_going() {
            &["status.js"]
        } else {
            &[]
        },
        refresh: space.is_going().then_some(REFRESH_S),
        skip: "Skip to what is going on",
        main: html! { div class="wrap" { div class="sect stack loose near" id="status" {
            div class="stack tight" {
                p class="soft" { (space.title) }
                h1 { (said.head) }
                p class="stand" { (said.more) }
                @if !space.message.is_empty() { p id="message" { b { "From the operator: " } bdi { (space.message) } } }
            }
            @if runs { (door(glance, node.step)) (numbers(glance)) }
            p class="small soft" { "As of " (moment(now, As::Stamped, now)) ". "
                @if space.is_going() { "This page looks again by itself." } }
            p { a class="btn" href={ "/s/" (space.id) } { "To the space" } }
            @if let Some(head) = &node.head { @if space.is_going() { (chain(head, now)) } }
        } } },
        ..Page::default()
    }
}

struct Said {
    title: &'static str,
    head: &'static str,
    more: Markup,
}

fn said(glance: &Glance, now: UnixMillis) -> Said {
    let space = &glance.space;
    let (title, head, more) = match space.phase {
        Phase::Posted | Phase::Open => before(space, now),
        Phase::Live if glance.stage.host_lost => (
            "Hold on",
            "The host has lost the connection.",
            html! { "Listeners hear hold music. The sound continues by itself." },
        ),
        Phase::Live if glance.stage.music => (
            "Live",
            "Hold music.",
            html! { "It is live, and music plays until somebody speaks." },
        ),
        Phase::Live if glance.stage.dead_air => (
            "Live",
            "The stage is silent.",
            html! { "It is live, and nobody has been heard for some seconds. Your sound is fine." },
        ),
        Phase::Live => (
            "Live",
            "It is live.",
            html! { @if let Some(at) = space.live_at { "Since " (moment(at, As::Clock, now)) "." } },
        ),
        Phase::Ended => ("Ended", "It has ended.", ended(space, now)),
        Phase::Cancelled => (
            "Cancelled",
            "Cancelled by the host.",
            html! { (space.cancel_reason) @if !space.cancel_reason.is_empty() { " " } "Nothing will happen at this link." },
        ),
    };
    Said { title, head, more }
}

fn before(space: &Space, now: UnixMillis) -> (&'static str, &'static str, Markup) {
    let music = if space.phase == Phase::Open {
        "The doors are open and hold music plays."
    } else {
        "The doors are still closed."
    };
    match space.starts_at {
        Some(at) if at < now => (
            "Not started yet",
            "Not started yet.",
            html! { "It was planned for " (moment(at, As::Dated, now)) ". " (music) },
        ),
        at if space.phase == Phase::Open => (
            "Doors open",
            "The doors are open.",
            html! { "Hold music plays." @if let Some(at) = at { " It starts at " (moment(at, As::Clock, now)) "." } },
        ),
        Some(at) => (
            "Posted",
            "It has not begun.",
            html! { "It starts " (moment(at, As::Dated, now)) "." },
        ),
        None => (
            "Posted",
            "It has not begun.",
            html! { "No time is set yet." },
        ),
    }
}

fn ended(space: &Space, now: UnixMillis) -> Markup {
    let deleted = space.recording.as_ref().is_some_and(|r| r.deleted);
    html! {
        @if let Some(at) = space.ended_at { "It ended " (moment(at, As::Dated, now)) ". " }
        @if parts::replay_of(space).is_some() { "The recording is under the link of the space." }
        @else if deleted { "The host has deleted the recording." }
        @else if space.record && space.live_at.is_some() { "The recording will be under the link of the space." }
        @else { "No recording was kept." }
    }
}

/// What newcomers meet, and what those inside notice of a load.
fn door(glance: &Glance, step: Step) -> Markup {
    let door = match glance.door {
        Some(door) if door.wish.dropped => {
            "The door is closed to newcomers. Who is inside hears on."
        }
        Some(door) if door.wish.paused => {
            "The operator has paused the door: nobody new comes in for now, and places in line are kept. Who is inside hears on."
        }
        None => "The door is about to open.",
        Some(door) => match door.mode {
            Mode::Calm => "Everybody who comes gets in at once.",
            Mode::Busy => "Many come at once: getting in takes a second or two, by itself.",
            Mode::Storm => {
                "More people want in than there are seats. There is a line, and it goes by arrival. Who is inside stays inside and hears on."
            }
        },
    };
    let load = match step {
        Step::Ground => "",
        Step::Cadence => {
            "The server is busy: the sound comes in larger pieces, up to a second or two later than usual."
        }
        Step::Side | Step::Line => {
            "The server is very busy: the sound comes in larger pieces, and names and hands are updated less often, so that the sound has room."
        }
    };
    html! { ul class="plain" { li { span class="grow" id="door" { (door) } } @if !load.is_empty() { li { span class="grow" id="load" { (load) } } } } }
}

/// Whoever keeps it can prove later that nothing before it was changed: docs/flight.md.
fn chain(head: &Head, now: UnixMillis) -> Markup {
    html! { details id="chain" { summary class="small" { "For the record" }
        p class="small" { "What happens here is written down each second in a chain that cannot be changed unseen. Whoever keeps this line can check the record later against it." }
        p class="small" { code id="head" { (head.n) ":" (head.hash) } ", " (moment(head.at, As::Stamped, now)) ", signed with the key " code { (head.key) } "." }
    } }
}

fn numbers(glance: &Glance) -> Markup {
    html! {
        dl class="nums" {
            div { dt { "Listening now" } dd class="big" { (number(glance.listening)) } dd class="means" { (parts::means(Number::Listening)) } }
            div { dt { "Waiting" } dd class="big" { (number(glance.waiting())) } dd class="means" { (parts::means(Number::Waiting)) } }
            div { dt { "Peak" } dd class="big" { (number(glance.peak)) } dd class="means" { (parts::means(Number::Peak)) } }
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
