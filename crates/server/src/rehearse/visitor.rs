//! One person, from the press to the last byte: the page, the sound, the door when there is one, listening, coming back.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hustings_control::gate::limits::{DRAW_SPREAD_MS, STAY_MIN_S};
use hustings_control::gate::line::{Estimate, poll_after};
use serde::{Deserialize, Serialize};

use super::answer::{field, header, number, numbers, status};
use super::ears::Ears;

/// Until somebody who got an answer that says nothing tries again.
const AGAIN: Duration = Duration::from_secs(1);
/// Milliseconds after which somebody whose connection broke tries again, as our page does: the least, and the most after many
/// tries. Each try doubles what is drawn from.
const BACKOFF_MS: (u64, u64) = (250, 8_000);
/// Milliseconds until the page looks first when nobody knows how long it takes; each later look comes after twice as long.
const SOON_MS: u32 = 6_000;
/// Milliseconds that somebody waits at least, whatever is answered: nobody hammers by mistake of ours.
const WAIT_MS_MIN: u64 = 200;
/// Until the page asks for the right to come back, once it hears.
pub(super) const RESUME_AFTER: Duration = Duration::from_secs(STAY_MIN_S as u64 + 1);

/// How somebody listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// The page with script: WebM into a MediaSource, knocks, sleeps by `serving.json`, a right to come back.
    Page,
    /// The page without script: Ogg, and the line's page.
    NoScript,
    /// A player that knows the stream's address only: Ogg.
    Player,
}

/// Who comes, and how long for.
#[derive(Clone, Debug)]
pub struct Coming {
    pub manner: Manner,
    pub space: std::sync::Arc<str>,
    pub from: Ipv4Addr,
    pub stays: Duration,
    /// From the press on, while nothing is heard.
    pub patience: Option<Duration>,
    /// Tells this person from all others of the rehearsal.
    pub number: u64,
    /// Its right to come back is the one that attackers replay.
    pub thief: bool,
}

pub(super) struct Visitor {
    pub(super) who: Coming,
    /// When it meant to press, or to come back: waits are counted from here.
    pub(super) meant: Instant,
    pub(super) state: State,
    pub(super) asks: Asks,
    /// Comes back after it was inside.
    pub(super) returns: bool,
    /// When it leaves, once it has heard.
    pub(super) leaves: Option<Instant>,
    place: String,
    position: u64,
    /// At the line, since the last knock.
    looks: u32,
    pub(super) ticket: Option<String>,
    pub(super) requests: u32,
    pub(super) broken: u32,
    /// Tries since something was answered.
    failed: u32,
    chance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Comes,
    Inside,
    Left,
    GaveUp,
}

/// What the next connection asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Page,
    Sound,
    Knock,
    Serving,
    /// The line's page, at this address.
    Line(String),
    /// The right to come back.
    Resume,
}

/// What comes next for somebody who was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Hears the sound from this byte of the answer on.
    Inside(usize),
    /// More of the answer is to come.
    More,
    Ask,
    AskAfter(Duration),
    /// Nothing more is asked for by this connection.
    Done,
}

impl Visitor {
    pub(super) fn new(who: Coming, meant: Instant) -> Self {
        let asks = if who.manner == Manner::Player {
            Asks::Sound
        } else {
            Asks::Page
        };
        let chance = who.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            who,
            meant,
            state: State::Comes,
            asks,
            returns: false,
            leaves: None,
            place: String::new(),
            position: 0,
            looks: 0,
            ticket: None,
            requests: 0,
            broken: 0,
            failed: 0,
            chance,
        }
    }

    pub(super) fn ears(&self) -> Ears {
        if self.who.manner == Manner::Page {
            Ears::webm()
        } else {
            Ears::ogg()
        }
    }

    /// The connection was lost: comes again with what it holds.
    pub(super) fn falls_out(&mut self, now: Instant) {
        self.state = State::Comes;
        self.returns = true;
        self.meant = now;
        self.asks = Asks::Sound;
    }

    /// The first line and the lines of its own, of what is asked for next; and a body.
    pub(super) fn request(&self) -> (String, String) {
        let space = &self.who.space;
        let mark = self.who.number;
        let get = |target: String| (format!("GET {target} HTTP/1.1\r\n"), String::new());
        let navigate = |target: String| {
            (
                format!(
                    "GET {target} HTTP/1.1\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n"
                ),
                String::new(),
            )
        };
        match &self.asks {
            Asks::Page => navigate(format!("/s/{space}")),
            Asks::Sound => match (self.who.manner, &self.ticket) {
                (Manner::Page, Some(ticket)) => get(format!("/s/{space}/live.webm?t={ticket}")),
                (Manner::Page, None) => get(format!("/s/{space}/live.webm?n={mark:x}")),
                (_, Some(ticket)) => get(format!("/s/{space}/live.ogg?t={ticket}")),
                // A press on the link; without script the browser goes there and is sent on.
                (Manner::NoScript, None) => navigate(format!("/s/{space}/live.ogg")),
                (Manner::Player, None) => get(format!("/s/{space}/live.ogg")),
            },
            Asks::Serving => get(format!("/s/{space}/serving.json")),
            Asks::Knock if self.place.is_empty() => self.knock(r#"{"ask":"right"}"#.to_owned()),
            Asks::Knock => self.knock(format!(r#"{{"ask":"right","show":"{}"}}"#, self.place)),
            Asks::Resume => match &self.ticket {
                Some(ticket) => self.knock(format!(r#"{{"ask":"resume","show":"{ticket}"}}"#)),
                None => self.knock(format!(r#"{{"ask":"resume","n":"{mark:x}"}}"#)),
            },
            Asks::Line(address) => navigate(address.clone()),
        }
    }

    fn knock(&self, body: String) -> (String, String) {
        let space = &self.who.space;
        let lines = format!(
            "POST /s/{space}/knock HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        (lines, body)
    }

    /// `ended`: nothing more comes. The answer is read as the page, or a browser without script, reads it.
    pub(super) fn read(&mut self, answer: &[u8], ended: bool) -> Next {
        if self.asks == Asks::Sound && answer.starts_with(b"HTTP/1.1 200") {
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = head.filter(|end| answer.len() > end + 4) {
                return Next::Inside(end + 4);
            }
        }
        if !ended {
            return Next::More;
        }
        if answer.is_empty() {
            self.broken += 1;
            return if self.asks == Asks::Resume {
                Next::Done
            } else {
                Next::AskAfter(self.backoff())
            };
        }
        self.failed = 0;
        let text = String::from_utf8_lossy(answer).into_owned();
        let next = match &self.asks {
            Asks::Page => self.saw_the_page(&text),
            Asks::Knock => self.knocked(&text),
            Asks::Serving => self.saw_the_line(&text),
            Asks::Line(_) => self.lined_up(&text),
            Asks::Sound => self.turned_away(&text),
            Asks::Resume => {
                if let Some(ticket) = field(&text, "ticket") {
                    self.ticket = Some(ticket.to_owned());
                }
                Some(Next::Done)
            }
        };
        next.unwrap_or(Next::AskAfter(AGAIN))
    }

    fn saw_the_page(&mut self, text: &str) -> Option<Next> {
        if status(text) != Some(200) {
            return Some(Next::AskAfter(Duration::from_secs(
                header(text, "retry-after")?.parse().ok()?,
            )));
        }
        self.asks = Asks::Sound;
        Some(Next::Ask)
    }

    fn turned_away(&mut self, text: &str) -> Option<Next> {
        if let Some(line) = header(text, "location") {
            self.asks = Asks::Line(line.to_owned());
            return Some(Next::Ask);
        }
        // Too many for the permit: neither the door nor the visitor did anything wrong.
        let over = status(text) == Some(429);
        if self.who.manner == Manner::Page && !over && status(text) == Some(503) {
            self.ticket = None;
            self.asks = Asks::Knock;
            return Some(Next::Ask);
        }
        let seconds: u64 = header(text, "retry-after")?.parse().ok()?;
        let spread = self.roll() % 1_000;
        Some(Next::AskAfter(Duration::from_millis(
            seconds * 1_000 + spread,
        )))
    }

    fn knocked(&mut self, text: &str) -> Option<Next> {
        match field(text, "verdict")? {
            "enter" => {
                self.ticket = field(text, "ticket").map(str::to_owned);
                self.asks = Asks::Sound;
                Some(Next::Ask)
            }
            "wait" => {
                if let Some(place) = field(text, "place") {
                    self.place = place.to_owned();
                }
                self.position = number(text, "position").unwrap_or(self.position);
                // Of all else only a seat is missing, and the line's page says nothing of that.
                let to_come = matches!(field(text, "cause"), Some("no_right" | "not_your_turn"));
                self.asks = if self.place.is_empty() || !to_come {
                    Asks::Knock
                } else {
                    Asks::Serving
                };
                self.looks = 0;
                after(number(text, "poll_ms")?)
            }
            "prove" => after(1_000),
            _ => {
                self.place.clear();
                after(number(text, "retry_ms")?)
            }
        }
    }

    /// As the page does: knock when called, and where nobody needs to be, for what it reads is a second old and the line may have
    /// moved since; else sleep until three quarters of the way.
    fn saw_the_line(&mut self, text: &str) -> Option<Next> {
        let called = number(text, "called")?;
        self.looks = self.looks.saturating_add(1);
        let calm = field(text, "mode").is_some_and(|mode| mode != "storm");
        if calm || self.position <= called {
            self.asks = Asks::Knock;
            return Some(Next::Ask);
        }
        let random = (self.roll() >> 32) as u32;
        if let Some(draw) = number(text, "draw_ms") {
            return after(draw + u64::from(random % DRAW_SPREAD_MS));
        }
        let ahead = (self.position - called) as f64;
        let wait = numbers(text, "pace").map_or(Estimate::Unknown, |(slow, quick)| {
            let seconds = |pace: f64| (ahead / pace.max(1e-6)).ceil() as u32;
            Estimate::Between(seconds(quick), seconds(slow.min(quick)))
        });
        let most = poll_after(wait, random);
        let soon = match wait {
            Estimate::Unknown => SOON_MS << self.looks.min(8),
            Estimate::Between(..) => most,
        };
        after(u64::from(most.min(soon)))
    }

    fn lined_up(&mut self, text: &str) -> Option<Next> {
        if let Some(refresh) = header(text, "refresh") {
            let (seconds, next) = refresh.split_once("; url=")?;
            self.asks = Asks::Line(next.to_owned());
            return after(seconds.parse::<u64>().ok()? * 1_000);
        }
        let ticket = text.split_once("live.ogg?t=").map(|(_, rest)| rest);
        self.ticket = ticket.and_then(|rest| rest.get(..80)).map(str::to_owned);
        self.asks = Asks::Sound;
        Some(Next::Ask)
    }

    fn backoff(&mut self) -> Duration {
        let (least, most) = BACKOFF_MS;
        let within = most.min(least << (self.failed + 2).min(10)) - least;
        self.failed += 1;
        Duration::from_millis(least + (self.roll() >> 32) % within)
    }

    fn roll(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance
    }
}

fn after(millis: u64) -> Option<Next> {
    Some(Next::AskAfter(Duration::from_millis(
        millis.max(WAIT_MS_MIN),
    )))
}

#[cfg(test)]
mod tests;
