//! What a head asks for, as far as the shard must know it: sound, a knock, the state of the line, or a page.

use hustings_control::gate::Shows;
use hustings_control::gate::puzzle::SOLUTION_CHARS;
use hustings_control::ids::SpaceId;

use super::limits::KNOCK_BYTES_MAX;
use crate::usher::mark_of;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Container {
    Ogg,
    Webm,
    Mp4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Burst {
    Short,
    Long,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// A request for a stream. The space may be none: its name need not even be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoundRequest {
    pub(super) space: Option<SpaceId>,
    pub(super) container: Container,
    pub(super) burst: Burst,
    pub(super) method: Method,
    pub(super) shown: Shown,
    /// A browser that would show what comes as a page: who must wait is sent to one that waits.
    pub(super) navigates: bool,
    /// A rehearsal's permit as it came, good or not.
    pub(super) permit: Option<Box<[u8]>>,
}

/// What a request for sound shows at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Mark(u64),
    /// The text as it came, up to the longest that means anything; longer is kept empty, which is no token either.
    Token {
        text: [u8; SOLUTION_CHARS],
        len: u8,
    },
}

impl Shown {
    fn token(token: &str) -> Self {
        let mut text = [0; SOLUTION_CHARS];
        let fits = token.len() <= SOLUTION_CHARS;
        let token = if fits { token.as_bytes() } else { b"" };
        text[..token.len()].copy_from_slice(token);
        Self::Token {
            text,
            len: token.len() as u8,
        }
    }

    pub(super) fn shows(&self) -> Shows<'_> {
        match self {
            Self::Nothing => Shows::Nothing,
            Self::Mark(mark) => Shows::Mark(*mark),
            Self::Token { text, len } => Shows::Token(&text[..usize::from(*len)]),
        }
    }
}

impl SoundRequest {
    /// `None` when the target is not a stream's path: the pages answer it. `line` gives a header's value by its name in
    /// lower case.
    pub(super) fn parse<'a>(
        method: &str,
        target: &str,
        line: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Option<Self> {
        let (space, file, query) = of_space(target)?;
        let container = match file {
            "live.ogg" => Container::Ogg,
            "live.webm" => Container::Webm,
            "live.mp4" => Container::Mp4,
            _ => return None,
        };
        let usual = if container == Container::Ogg {
            Burst::Long
        } else {
            Burst::Short
        };
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        };
        let mut request = Self {
            space: SpaceId::parse(space).ok(),
            container,
            burst: usual,
            method,
            shown: Shown::Nothing,
            permit: permit(&line),
            navigates: navigates(line),
        };
        for pair in query.split('&') {
            request.take(pair);
        }
        Some(request)
    }

    /// Of what is said twice the first counts; a token counts more than a mark.
    fn take(&mut self, pair: &str) {
        match pair.split_once('=') {
            Some(("burst" | "b", "short" | "s")) => self.burst = Burst::Short,
            Some(("burst" | "b", "long" | "l")) => self.burst = Burst::Long,
            Some(("t", token)) if !matches!(self.shown, Shown::Token { .. }) => {
                self.shown = Shown::token(token);
            }
            Some(("n", mark)) if self.shown == Shown::Nothing => {
                self.shown = mark_of(mark.as_bytes()).map_or(Shown::Nothing, Shown::Mark);
            }
            _ => {}
        }
    }
}

/// Nobody but a rehearsal's driver sends one.
fn permit<'a>(line: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Box<[u8]>> {
    line(crate::rehearsal::HEADER).map(Box::from)
}

/// The space's name, the file below it and the query, of a target `/s/{id}/{file}`.
fn of_space(target: &str) -> Option<(&str, &str, &str)> {
    let target = origin_form(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (space, file) = path.strip_prefix("/s/")?.split_once('/')?;
    Some((space, file, query))
}

/// Every browser since 2023 says so itself; before, what takes HTML is one.
fn navigates<'a>(line: impl Fn(&str) -> Option<&'a [u8]>) -> bool {
    match line("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => line("accept").is_some_and(|accept| {
            let html = b"text/html";
            accept
                .windows(html.len())
                .any(|part| part.eq_ignore_ascii_case(html))
        }),
    }
}

/// `POST /s/{id}/knock`, as far as its head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnockRequest {
    pub(super) space: Option<SpaceId>,
    /// Bytes of the body, which begins after so many of the head.
    pub(super) length: usize,
    pub(super) head_len: usize,
    pub(super) permit: Option<Box<[u8]>>,
}

/// An answer that is ready for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// `GET /s/{id}/serving.json`.
    Line,
    /// `GET /s/{id}/status`.
    Status,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServingRequest {
    pub(super) ready: Ready,
    pub(super) space: Option<SpaceId>,
    /// What the client has already.
    pub(super) etag: Option<u64>,
    pub(super) permit: Option<Box<[u8]>>,
}

/// What a head asks for. What a crowd asks for again and again is answered in the shard, the rest by the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Sound(SoundRequest),
    Knock(KnockRequest),
    Serving(ServingRequest),
    /// `GET /s/{id}/state.json`, by whom no rehearsal has to mark.
    State(SpaceId),
    Page,
}

impl Asked {
    pub(super) fn of<'a>(
        method: &str,
        target: &str,
        head_len: usize,
        line: impl Fn(&str) -> Option<&'a [u8]> + Copy,
    ) -> Self {
        if let Some(sound) = SoundRequest::parse(method, target, line) {
            return Self::Sound(sound);
        }
        match (method, of_space(target)) {
            ("GET", Some((space, "serving.json", _))) => Self::serving(Ready::Line, space, line),
            ("GET", Some((space, "status", _))) => Self::serving(Ready::Status, space, line),
            ("GET", Some((space, "state.json", _))) if line(crate::rehearsal::HEADER).is_none() => {
                SpaceId::parse(space).map_or(Self::Page, Self::State)
            }
            ("POST", Some((space, "knock", _))) => match plain_length(line) {
                Some(length) => Self::Knock(KnockRequest {
                    space: SpaceId::parse(space).ok(),
                    length,
                    head_len,
                    permit: permit(line),
                }),
                None => Self::Page,
            },
            _ => Self::Page,
        }
    }

    fn serving<'a>(ready: Ready, space: &str, line: impl Fn(&str) -> Option<&'a [u8]>) -> Self {
        Self::Serving(ServingRequest {
            ready,
            space: SpaceId::parse(space).ok(),
            etag: line("if-none-match").and_then(etag_of),
            permit: permit(line),
        })
    }
}

/// Bytes of the body of a knock that is as it should be. Whatever is unusual about it is the pages' to judge: their
/// answer explains.
fn plain_length<'a>(line: impl Fn(&str) -> Option<&'a [u8]>) -> Option<usize> {
    if line("transfer-encoding").is_some() || line("expect").is_some() || is_foreign(&line) {
        return None;
    }
    let length = match line("content-length") {
        None => 0,
        Some(digits) => std::str::from_utf8(digits).ok()?.trim().parse().ok()?,
    };
    let json = line("content-type").is_some_and(is_json);
    (length <= KNOCK_BYTES_MAX && (json || length == 0)).then_some(length)
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// A page of somebody else lets its visitors' browsers knock here.
fn is_foreign<'a>(line: impl Fn(&str) -> Option<&'a [u8]>) -> bool {
    line("sec-fetch-site") == Some(b"cross-site")
}

fn etag_of(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    u64::from_str_radix(text, 16).ok()
}

/// Takes scheme and authority off, which proxies send.
fn origin_form(target: &str) -> &str {
    let Some(rest) = target
        .strip_prefix("http://")
        .or_else(|| target.strip_prefix("https://"))
    else {
        return target;
    };
    rest.find('/')
        .and_then(|slash| rest.get(slash..))
        .unwrap_or("/")
}

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
