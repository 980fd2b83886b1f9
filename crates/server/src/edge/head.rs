//! A request's head: read into a bounded buffer with a deadline, and looked at just far enough to know whether it asks
//! for sound.

use hustings_control::gate::Shows;
use hustings_control::gate::puzzle::SOLUTION_CHARS;
use hustings_control::ids::SpaceId;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::limits::{
    HEAD_BYTES_FIRST, HEAD_BYTES_MAX, HEAD_DEADLINE, HEAD_LINES_MAX, KNOCK_BYTES_MAX,
};
use super::socket::Stream;
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
}

/// `GET /s/{id}/serving.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServingRequest {
    pub(super) space: Option<SpaceId>,
    /// What the client has already.
    pub(super) etag: Option<u64>,
}

/// What a head asks for. What a crowd asks for again and again is answered in the shard, the rest by the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Sound(SoundRequest),
    Knock(KnockRequest),
    Serving(ServingRequest),
    Page,
}

impl Asked {
    fn of<'a>(
        method: &str,
        target: &str,
        head_len: usize,
        line: impl Fn(&str) -> Option<&'a [u8]> + Copy,
    ) -> Self {
        if let Some(sound) = SoundRequest::parse(method, target, line) {
            return Self::Sound(sound);
        }
        match (method, of_space(target)) {
            ("GET", Some((space, "serving.json", _))) => Self::Serving(ServingRequest {
                space: SpaceId::parse(space).ok(),
                etag: line("if-none-match").and_then(etag_of),
            }),
            ("POST", Some((space, "knock", _))) => match plain_length(line) {
                Some(length) => Self::Knock(KnockRequest {
                    space: SpaceId::parse(space).ok(),
                    length,
                    head_len,
                }),
                None => Self::Page,
            },
            _ => Self::Page,
        }
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

/// The head of a connection's first request, and what was read after it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    pub(super) asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHead {
    /// The peer went: there is nobody to answer.
    Gone,
    /// Nothing at all came until the deadline.
    Silent,
    Late,
    TooLarge,
    Malformed,
}

/// What a whole head asks for. `None` for what is not whole or no head: `read` says more.
pub(super) fn asked_in(bytes: &[u8]) -> Option<Asked> {
    parse(bytes).ok().flatten()
}

/// The values of `X-Forwarded-For` in a whole head.
pub(super) fn forwarded(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    if request.parse(head).is_err() {
        return Vec::new();
    }
    let forwarded =
        |line: &&httparse::Header<'_>| line.name.eq_ignore_ascii_case("x-forwarded-for");
    request
        .headers
        .iter()
        .filter(forwarded)
        .map(|line| line.value.to_vec())
        .collect()
}

/// Reads on from `first` until the head is whole. The buffer is small at first and never larger than `HEAD_BYTES_MAX`.
pub(super) async fn read(stream: &mut Stream, first: Vec<u8>) -> Result<Head, BadHead> {
    let deadline = Instant::now() + HEAD_DEADLINE;
    let mut len = first.len();
    let mut bytes = first;
    if len > 0
        && let Some(asked) = look(&bytes, &bytes)?
    {
        return Ok(Head { bytes, asked });
    }
    bytes.resize(len.max(HEAD_BYTES_FIRST), 0);
    loop {
        if len == bytes.len() {
            if len == HEAD_BYTES_MAX {
                return Err(BadHead::TooLarge);
            }
            bytes.resize(HEAD_BYTES_MAX, 0);
        }
        let Some(room) = bytes.get_mut(len..) else {
            return Err(BadHead::TooLarge);
        };
        let read = match timeout_at(deadline, stream.read(room)).await {
            Ok(Ok(0)) | Ok(Err(_)) => return Err(BadHead::Gone),
            Ok(Ok(read)) => read,
            Err(_) if len == 0 => return Err(BadHead::Silent),
            Err(_) => return Err(BadHead::Late),
        };
        let looked_at = len.saturating_sub(END_BYTES_MAX);
        len += read;
        let (so_far, fresh) = (bytes.get(..len), bytes.get(looked_at..len));
        if let Some(asked) = look(so_far.unwrap_or_default(), fresh.unwrap_or_default())? {
            bytes.truncate(len);
            return Ok(Head { bytes, asked });
        }
    }
}

/// Parsing waits for the end of the head, so that a head sent byte by byte is not parsed as often.
fn look(so_far: &[u8], fresh: &[u8]) -> Result<Option<Asked>, BadHead> {
    match so_far.first() {
        Some(b'\r' | b'\n' | b'A'..=b'Z') => {}
        _ => return Err(BadHead::Malformed),
    }
    if ends_within(fresh) {
        parse(so_far)
    } else {
        Ok(None)
    }
}

/// Bytes of the empty line that ends a head, less one: it may begin in what was read before.
const END_BYTES_MAX: usize = 3;

/// `None`: not whole yet.
fn parse(bytes: &[u8]) -> Result<Option<Asked>, BadHead> {
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    let head_len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooLarge),
        Err(_) => return Err(BadHead::Malformed),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(BadHead::Malformed);
    };
    let lines: &[httparse::Header<'_>] = request.headers;
    let line = |name: &str| {
        let found = lines
            .iter()
            .find(|line| line.name.eq_ignore_ascii_case(name));
        found.map(|line| line.value)
    };
    Ok(Some(Asked::of(method, target, head_len, line)))
}

fn ends_within(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|end| end == b"\n\r\n")
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
mod tests {
    use super::*;

    fn check(target: &str, expected: Option<(Option<&str>, Container, Burst)>) {
        let got = SoundRequest::parse("GET", target, |_| None);
        let got = got
            .as_ref()
            .map(|r| (r.space.as_ref().map(SpaceId::as_str), r.container, r.burst));
        assert_eq!(got, expected, "{target}");
    }

    #[test]
    fn targets_are_told_apart() {
        check(
            "/s/town-hall/live.ogg",
            Some((Some("town-hall"), Container::Ogg, Burst::Long)),
        );
        check(
            "/s/town-hall/live.webm",
            Some((Some("town-hall"), Container::Webm, Burst::Short)),
        );
        check(
            "/s/town-hall/live.mp4?x=1&burst=long",
            Some((Some("town-hall"), Container::Mp4, Burst::Long)),
        );
        check(
            "/s/town-hall/live.ogg?b=s",
            Some((Some("town-hall"), Container::Ogg, Burst::Short)),
        );
        check(
            "/s/town-hall/live.ogg?burst=enormous",
            Some((Some("town-hall"), Container::Ogg, Burst::Long)),
        );
        check(
            "http://example.org/s/town-hall/live.ogg",
            Some((Some("town-hall"), Container::Ogg, Burst::Long)),
        );
        check(
            "/s/NOT A SPACE/live.ogg",
            Some((None, Container::Ogg, Burst::Long)),
        );
        check("/s//live.ogg", Some((None, Container::Ogg, Burst::Long)));
        check("/s/town-hall/live.mp3", None);
        check("/s/town-hall/x/live.ogg", None);
        check("/s/town-hall", None);
        check("/", None);
        check("http://example.org", None);
        check("*", None);
    }

    #[test]
    fn heads_are_parsed_when_whole() {
        let whole = |text: &str| {
            parse(text.as_bytes()).map(|asked| asked.map(|asked| asked != Asked::Page))
        };
        assert_eq!(
            whole("GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n"),
            Ok(Some(true))
        );
        assert_eq!(
            whole("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /s/a/live.ogg"),
            Ok(Some(false))
        );
        assert_eq!(whole("GET / HTTP/1.1\r\nHost: x\r\n"), Ok(None));
        assert_eq!(whole("GET / SIP/2.0\r\n\r\n"), Err(BadHead::Malformed));
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "A: b\r\n".repeat(HEAD_LINES_MAX + 1)
        );
        assert_eq!(whole(&many), Err(BadHead::TooLarge));
    }

    #[test]
    fn what_is_shown_is_read_from_the_query() {
        let shown = |query: &str| {
            let target = format!("/s/town-hall/live.webm?{query}");
            let request = SoundRequest::parse("GET", &target, |_| None).expect("sound");
            match request.shown.shows() {
                Shows::Nothing => "nothing".to_owned(),
                Shows::Mark(mark) => format!("mark {mark:x}"),
                Shows::Token(text) => format!("token {}", String::from_utf8_lossy(text)),
            }
        };
        assert_eq!(shown("n=8c1"), "mark 8c1");
        assert_eq!(shown("n=8c1&t=abc&n=1"), "token abc");
        assert_eq!(shown("t=abc&n=8c1&t=def"), "token abc");
        assert_eq!(shown("n=nohex&burst=long"), "nothing");
        assert_eq!(shown(&format!("t={}", "a".repeat(129))), "token ");
        assert_eq!(
            shown(&format!("t={}", "a".repeat(128))),
            format!("token {}", "a".repeat(128))
        );
    }

    #[test]
    fn what_a_crowd_asks_again_and_again_is_known() {
        let asked = |text: &str| asked_in(text.as_bytes()).expect("whole");
        let knock = "POST /s/town-hall/knock HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n";
        let Asked::Knock(known) = asked(&format!("{knock}\r\n{{}}")) else {
            panic!()
        };
        assert_eq!((known.length, known.head_len), (2, knock.len() + 2));
        for unusual in [
            "Sec-Fetch-Site: cross-site",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
        ] {
            assert_eq!(
                asked(&format!("{knock}{unusual}\r\n\r\n")),
                Asked::Page,
                "{unusual}"
            );
        }
        let long = "POST /s/town-hall/knock HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1025\r\n\r\n";
        assert_eq!(asked(long), Asked::Page);
        let Asked::Serving(serving) =
            asked("GET /s/town-hall/serving.json?x=1 HTTP/1.1\r\nIf-None-Match: \"00ff\"\r\n\r\n")
        else {
            panic!()
        };
        assert_eq!(serving.etag, Some(255));
        assert_eq!(
            asked("POST /s/town-hall/serving.json HTTP/1.1\r\n\r\n"),
            Asked::Page
        );
    }

    #[test]
    fn navigations_are_told_from_players() {
        let navigates = |lines: &str| match asked_in(
            format!("GET /s/town-hall/live.ogg HTTP/1.1\r\n{lines}\r\n").as_bytes(),
        ) {
            Some(Asked::Sound(request)) => request.navigates,
            other => panic!("{other:?}"),
        };
        assert!(navigates("Sec-Fetch-Mode: navigate\r\nAccept: */*\r\n"));
        assert!(!navigates(
            "Sec-Fetch-Mode: no-cors\r\nAccept: text/html\r\n"
        ));
        assert!(navigates(
            "Accept: application/xhtml+xml,TEXT/HTML;q=0.9\r\n"
        ));
        assert!(!navigates("Accept: audio/*\r\n") && !navigates(""));
    }
}
