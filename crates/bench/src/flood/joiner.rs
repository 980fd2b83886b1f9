//! Honest people: some with script, who knock and come with a ticket, some without, who follow the line's page.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::attack::{get, knock, navigate};

/// Until somebody whose connection broke, or who got an answer that says nothing, tries again.
const AGAIN: Duration = Duration::from_secs(1);
/// Milliseconds that somebody waits at least, whatever is answered: nobody hammers by mistake of ours.
const WAIT_MS_MIN: u64 = 200;

/// One person, from the moment of the press.
pub(crate) struct Joiner {
    pub(crate) space: &'static str,
    pub(crate) script: bool,
    pub(crate) from: Ipv4Addr,
    /// When it meant to press: waits are counted from here.
    pub(crate) meant: Instant,
    pub(crate) heard: Option<Duration>,
    pub(crate) asks: Asks,
    mark: u64,
    /// The place in line.
    place: String,
    /// Requests sent.
    pub(crate) requests: u32,
    pub(crate) broken: u32,
}

/// What the next connection asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Sound,
    Knock,
    /// The sound, with this ticket.
    Seat(String),
    /// The line's page, at this address.
    Line(String),
}

/// What comes next for somebody who was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Listens.
    Inside,
    /// More of the answer is to come.
    More,
    /// Asks again at once.
    Ask,
    AskAfter(Duration),
}

impl Joiner {
    pub(crate) fn new(space: &'static str, script: bool, from: Ipv4Addr, meant: Instant) -> Self {
        Self {
            space,
            script,
            from,
            meant,
            heard: None,
            asks: Asks::Sound,
            mark: u64::from(u32::from(from)) << 20
                | u64::from(meant.elapsed().subsec_nanos() >> 12),
            place: String::new(),
            requests: 0,
            broken: 0,
        }
    }

    pub(crate) fn request(&self) -> Vec<u8> {
        let (space, mark) = (self.space, self.mark);
        match &self.asks {
            Asks::Sound if self.script => {
                get(&format!("/s/{space}/live.ogg?n={mark:x}&burst=short"))
            }
            Asks::Sound => navigate(&format!("/s/{space}/live.ogg")),
            Asks::Seat(ticket) if self.script => get(&format!(
                "/s/{space}/live.ogg?t={ticket}&n={mark:x}&burst=short"
            )),
            Asks::Seat(ticket) => get(&format!("/s/{space}/live.ogg?t={ticket}")),
            Asks::Knock if self.place.is_empty() => knock(space, r#"{"ask":"right"}"#),
            Asks::Knock => knock(
                space,
                &format!(r#"{{"ask":"right","show":"{}"}}"#, self.place),
            ),
            Asks::Line(address) => navigate(address),
        }
    }

    /// `ended`: nothing more comes. The answer is read as the page, or a browser without script, reads it.
    pub(crate) fn read(&mut self, answer: &[u8], ended: bool) -> Next {
        let sound = matches!(self.asks, Asks::Sound | Asks::Seat(_));
        if sound && answer.starts_with(b"HTTP/1.1 200") {
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
            if head.is_some_and(|end| answer.len() > end + 4) {
                return Next::Inside;
            }
        }
        if !ended {
            return Next::More;
        }
        if answer.is_empty() {
            self.broken += 1;
            return Next::AskAfter(AGAIN);
        }
        let text = String::from_utf8_lossy(answer).into_owned();
        let next = match &self.asks {
            Asks::Knock => self.knocked(&text),
            Asks::Line(_) => self.lined_up(&text),
            Asks::Sound | Asks::Seat(_) => self.turned_away(&text),
        };
        next.unwrap_or(Next::AskAfter(AGAIN))
    }

    fn turned_away(&mut self, text: &str) -> Option<Next> {
        if self.script {
            self.asks = Asks::Knock;
            return Some(Next::Ask);
        }
        match header(text, "location") {
            Some(line) => {
                self.asks = Asks::Line(line.to_owned());
                Some(Next::Ask)
            }
            None => {
                self.asks = Asks::Sound;
                let seconds = header(text, "retry-after")?.parse().ok()?;
                Some(Next::AskAfter(Duration::from_secs(seconds)))
            }
        }
    }

    fn knocked(&mut self, text: &str) -> Option<Next> {
        match field(text, "verdict")? {
            "enter" => {
                self.asks = match field(text, "ticket") {
                    Some(ticket) => Asks::Seat(ticket.to_owned()),
                    None => Asks::Sound,
                };
                Some(Next::Ask)
            }
            "wait" => {
                if let Some(place) = field(text, "place") {
                    self.place = place.to_owned();
                }
                after(number(text, "poll_ms")?)
            }
            _ => {
                self.place.clear();
                after(number(text, "retry_ms")?)
            }
        }
    }

    fn lined_up(&mut self, text: &str) -> Option<Next> {
        if let Some(refresh) = header(text, "refresh") {
            let (seconds, next) = refresh.split_once("; url=")?;
            self.asks = Asks::Line(next.to_owned());
            return after(seconds.parse::<u64>().ok()? * 1_000);
        }
        let ticket = text.split_once("live.ogg?t=").map(|(_, rest)| rest);
        self.asks = match ticket.and_then(|rest| rest.get(..80)) {
            Some(ticket) => Asks::Seat(ticket.to_owned()),
            None => Asks::Sound,
        };
        Some(Next::Ask)
    }
}

fn after(millis: u64) -> Option<Next> {
    Some(Next::AskAfter(Duration::from_millis(
        millis.max(WAIT_MS_MIN),
    )))
}

/// A header's value; names are compared without regard to case.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let head = text.split_once("\r\n\r\n").map_or(text, |(head, _)| head);
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// A text of a flat JSON object, without escapes in it, as the door's answers are.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!(r#""{name}":""#))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.split_once(&format!(r#""{name}":"#))?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joiner(script: bool) -> Joiner {
        Joiner::new("demo", script, Ipv4Addr::LOCALHOST, Instant::now())
    }

    #[test]
    fn with_script_one_knocks_waits_and_comes_with_a_ticket() {
        let mut one = joiner(true);
        assert_eq!(
            one.read(b"HTTP/1.1 503 Full\r\n\r\nlater", false),
            Next::More
        );
        assert_eq!(one.read(b"HTTP/1.1 503 Full\r\n\r\nlater", true), Next::Ask);
        assert_eq!(one.asks, Asks::Knock);
        let wait = br#"x{"verdict":"wait","cause":"no_right","place":"PLACE","ahead":4,"position":5,"wait":null,"poll_ms":2100,"puzzle_offered":false}"#;
        assert_eq!(
            one.read(wait, true),
            Next::AskAfter(Duration::from_millis(2_100))
        );
        assert!(String::from_utf8_lossy(&one.request()).contains(r#""show":"PLACE""#));
        assert_eq!(
            one.read(br#"{"verdict":"enter","ticket":"T","held_ms":30000}"#, true),
            Next::Ask
        );
        assert!(String::from_utf8_lossy(&one.request()).contains("live.ogg?t=T&"));
        assert_eq!(one.read(b"HTTP/1.1 200 OK\r\n\r\n", false), Next::More);
        assert_eq!(one.read(b"HTTP/1.1 200 OK\r\n\r\nO", false), Next::Inside);
    }

    #[test]
    fn without_script_one_follows_the_page() {
        let mut one = joiner(false);
        let sent = b"HTTP/1.1 303 See Other\r\nLocation: /s/demo/line?place=P\r\n\r\n";
        assert_eq!(one.read(sent, true), Next::Ask);
        let page = b"HTTP/1.1 200 OK\r\nrefresh: 3; url=/s/demo/line?place=Q\r\n\r\n<html>";
        assert_eq!(one.read(page, true), Next::AskAfter(Duration::from_secs(3)));
        assert_eq!(one.asks, Asks::Line("/s/demo/line?place=Q".to_owned()));
        let ticket = "t".repeat(80);
        let turn = format!("HTTP/1.1 200 OK\r\n\r\n<audio src=\"/s/demo/live.ogg?t={ticket}\">");
        assert_eq!(one.read(turn.as_bytes(), true), Next::Ask);
        assert_eq!(one.asks, Asks::Seat(ticket));
    }
}
