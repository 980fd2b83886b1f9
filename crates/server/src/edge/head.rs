//! A request's head: read into a bounded buffer with a deadline, and looked at just far enough to know whether it asks
//! for sound.

use hustings_control::ids::SpaceId;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::limits::{HEAD_BYTES_FIRST, HEAD_BYTES_MAX, HEAD_DEADLINE, HEAD_LINES_MAX};
use super::socket::Stream;

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
}

impl SoundRequest {
    /// `None` when the target is not a stream's path: the pages answer it.
    pub(super) fn parse(method: &str, target: &str) -> Option<Self> {
        let (path, query) = origin_form(target)
            .split_once('?')
            .unwrap_or((origin_form(target), ""));
        let (space, file) = path.strip_prefix("/s/")?.split_once('/')?;
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
        let burst = query.split('&').find_map(burst_of).unwrap_or(usual);
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        };
        Some(Self {
            space: SpaceId::parse(space).ok(),
            container,
            burst,
            method,
        })
    }
}

/// The head of a connection's first request, and what was read after it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    pub(super) sound: Option<SoundRequest>,
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

/// What a whole head asks for, when that is sound. `None` also for what is not whole or no head: `read` says more.
pub(super) fn sound_in(bytes: &[u8]) -> Option<SoundRequest> {
    parse(bytes).ok().flatten().flatten()
}

/// Reads on from `first` until the head is whole. The buffer is small at first and never larger than `HEAD_BYTES_MAX`.
pub(super) async fn read(stream: &mut Stream, first: Vec<u8>) -> Result<Head, BadHead> {
    let deadline = Instant::now() + HEAD_DEADLINE;
    let mut len = first.len();
    let mut bytes = first;
    if len > 0
        && let Some(sound) = look(&bytes, &bytes)?
    {
        return Ok(Head { bytes, sound });
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
        if let Some(sound) = look(so_far.unwrap_or_default(), fresh.unwrap_or_default())? {
            bytes.truncate(len);
            return Ok(Head { bytes, sound });
        }
    }
}

/// Parsing waits for the end of the head, so that a head sent byte by byte is not parsed as often.
#[allow(clippy::option_option)]
fn look(so_far: &[u8], fresh: &[u8]) -> Result<Option<Option<SoundRequest>>, BadHead> {
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

/// `None`: not whole yet. `Some(None)`: whole, and no sound.
#[allow(clippy::option_option)]
fn parse(bytes: &[u8]) -> Result<Option<Option<SoundRequest>>, BadHead> {
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooLarge),
        Err(_) => return Err(BadHead::Malformed),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(BadHead::Malformed);
    };
    Ok(Some(SoundRequest::parse(method, target)))
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

fn burst_of(pair: &str) -> Option<Burst> {
    match pair {
        "burst=short" | "b=s" => Some(Burst::Short),
        "burst=long" | "b=l" => Some(Burst::Long),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, expected: Option<(Option<&str>, Container, Burst)>) {
        let got = SoundRequest::parse("GET", target);
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
        let whole =
            |text: &str| parse(text.as_bytes()).map(|head| head.map(|sound| sound.is_some()));
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
}
