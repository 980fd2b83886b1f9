//! A request's head: read into a bounded buffer with a deadline, and looked at just far enough to know what it asks for.

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::asked::Asked;
use super::limits::{HEAD_BYTES_FIRST, HEAD_BYTES_MAX, HEAD_DEADLINE, HEAD_LINES_MAX};
use super::socket::Stream;

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

/// What a whole head asks for, in a word: for fuzzers, who meet it as strangers' bytes do.
pub fn asks_for(bytes: &[u8]) -> Option<&'static str> {
    asked_in(bytes).map(|asked| match asked {
        Asked::Sound(_) => "sound",
        Asked::Knock(_) => "knock",
        Asked::Serving(_) => "serving",
        Asked::State(_) => "state",
        Asked::Page => "page",
    })
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
    if !one_length(lines) {
        return Err(BadHead::Malformed);
    }
    let line = |name: &str| {
        let found = lines
            .iter()
            .find(|line| line.name.eq_ignore_ascii_case(name));
        found.map(|line| line.value)
    };
    Ok(Some(Asked::of(method, target, head_len, line)))
}

/// RFC 9112, 6.3: whoever says two lengths, or one that is no number, is not to be believed either.
fn one_length(lines: &[httparse::Header<'_>]) -> bool {
    let lengths = |line: &&httparse::Header<'_>| line.name.eq_ignore_ascii_case("content-length");
    let mut lengths = lines.iter().filter(lengths).map(|line| line.value);
    let Some(first) = lengths.next() else {
        return true;
    };
    !first.is_empty() && first.iter().all(u8::is_ascii_digit) && lengths.all(|more| more == first)
}

fn ends_within(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|end| end == b"\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lengths_are_no_head() {
        let parsed = |lines: &str| {
            let head = format!("POST /s/town-hall/knock HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
            parse(head.as_bytes()).map(|asked| asked.is_some())
        };
        assert_eq!(parsed("Content-Length: 2\r\n"), Ok(true));
        assert_eq!(
            parsed("Content-Length: 2\r\nContent-Length: 2\r\n"),
            Ok(true)
        );
        for wrong in [
            "Content-Length: 2\r\ncontent-length: 5\r\n",
            "Content-Length: +2\r\n",
            "Content-Length: 2, 5\r\n",
            "Content-Length: \r\n",
        ] {
            assert_eq!(parsed(wrong), Err(BadHead::Malformed), "{wrong}");
        }
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
