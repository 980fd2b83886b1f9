//! The constant answers of the hot path: response heads of the streams, and refusals. Nothing here is formatted at run
//! time, so that turning somebody away costs one write.

use super::asked::Container;
use crate::rehearsal::Refusal;

macro_rules! stream_head {
    ($content_type:literal) => {
        concat!(
            "HTTP/1.1 200 OK\r\nContent-Type: ",
            $content_type,
            "\r\nCache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n",
            "Access-Control-Allow-Origin: *\r\n\r\n"
        )
        .as_bytes()
    };
}

/// The head before an endless stream: no length and no chunks, the connection's end is the stream's end.
pub(super) const fn stream_head(container: Container) -> &'static [u8] {
    match container {
        Container::Ogg => stream_head!("audio/ogg; codecs=opus"),
        Container::Webm => stream_head!("audio/webm; codecs=opus"),
        Container::Mp4 => stream_head!("audio/mp4; codecs=opus"),
    }
}

/// A refusal with its head as a constant, once with its text and once for HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) whole: &'static [u8],
    pub(super) head_len: usize,
}

impl Answer {
    /// What is sent for GET, or for HEAD.
    pub(super) fn bytes(self, head_only: bool) -> &'static [u8] {
        if head_only {
            self.whole.get(..self.head_len).unwrap_or(self.whole)
        } else {
            self.whole
        }
    }
}

/// A refusal that says how long to wait, or where: written into a buffer of its own, without an allocation.
pub(super) struct Told {
    bytes: [u8; TOLD_BYTES_MAX],
    len: usize,
    head_len: usize,
}

/// Bytes. The longest is a redirect with a space's name and a place.
const TOLD_BYTES_MAX: usize = 640;
const TOLD_TEXT: &str = "The door is busy; please come again.\n";

impl Told {
    pub(super) fn bytes(&self, head_only: bool) -> &[u8] {
        let len = if head_only { self.head_len } else { self.len };
        self.bytes.get(..len).unwrap_or_default()
    }

    /// A player comes again after so many milliseconds.
    pub(super) fn come_again(poll_ms: u32) -> Self {
        let seconds = poll_ms.div_ceil(1_000).max(1);
        Self::write(
            format_args!(
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nRetry-After: {seconds}\r\n{TOLD_LINES}",
                TOLD_TEXT.len()
            ),
            TOLD_TEXT,
        )
    }

    /// A browser goes where a page waits for it.
    pub(super) fn to_the_line(space: &str, place: &str) -> Self {
        let (ask, place) = if place.is_empty() {
            ("", "")
        } else {
            ("?place=", place)
        };
        Self::write(
            format_args!(
                "HTTP/1.1 303 See Other\r\nLocation: /s/{space}/line{ask}{place}\r\nContent-Length: 0\r\n{TOLD_LINES}"
            ),
            "",
        )
    }

    fn write(head: std::fmt::Arguments<'_>, text: &str) -> Self {
        use std::io::Write as _;
        let mut told = Self {
            bytes: [0; TOLD_BYTES_MAX],
            len: 0,
            head_len: 0,
        };
        let mut room = &mut told.bytes[..];
        // Names and places have bounds that fit.
        let _ = room.write_fmt(head);
        let left = room.len();
        let _ = room.write_all(text.as_bytes());
        let rest = room.len();
        told.head_len = TOLD_BYTES_MAX - left;
        told.len = TOLD_BYTES_MAX - rest;
        told
    }
}

const TOLD_LINES: &str = "Cache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\n\r\n";

macro_rules! answer {
    ($name:ident, $status:literal, $more:literal, $length:literal, $text:literal) => {
        pub(super) const $name: Answer = {
            const HEAD: &str = concat!(
                "HTTP/1.1 ",
                $status,
                "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ",
                $length,
                "\r\nCache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n",
                "Access-Control-Allow-Origin: *\r\n",
                $more,
                "\r\n"
            );
            const WHOLE: &str = concat!(
                "HTTP/1.1 ",
                $status,
                "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ",
                $length,
                "\r\nCache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n",
                "Access-Control-Allow-Origin: *\r\n",
                $more,
                "\r\n",
                $text
            );
            // A text whose length is not the one announced does not build.
            assert!(WHOLE.len() - HEAD.len() == $length);
            Answer { whole: WHOLE.as_bytes(), head_len: HEAD.len() }
        };
    };
}

answer!(
    MALFORMED,
    "400 Bad Request",
    "",
    33,
    "This is not an HTTP/1.1 request.\n"
);
/// `serving.json` as the client has it already.
pub(super) const NOT_MODIFIED: Answer = {
    const WHOLE: &str = "HTTP/1.1 304 Not Modified\r\nCache-Control: public, max-age=1\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\n\r\n";
    Answer {
        whole: WHOLE.as_bytes(),
        head_len: WHOLE.len(),
    }
};
answer!(
    UNKNOWN,
    "404 Not Found",
    "",
    24,
    "There is no such space.\n"
);
answer!(
    NOT_YET,
    "503 Service Unavailable",
    "Retry-After: 1\r\n",
    39,
    "This space is new; it is told shortly.\n"
);
answer!(
    METHOD,
    "405 Method Not Allowed",
    "Allow: GET, HEAD\r\n",
    32,
    "Sound is only to be had by GET.\n"
);
answer!(
    HEAD_LATE,
    "408 Request Timeout",
    "",
    37,
    "The request did not come within 5 s.\n"
);
answer!(ENDED, "410 Gone", "", 22, "This space has ended.\n");
answer!(CANCELLED, "410 Gone", "", 26, "This space was cancelled.\n");
/// What a prefix that knocks too fast is told, by shards and pages alike.
pub(super) const KNOCKS_TEXT: &str = "Your network knocks too fast; please wait 5 s.\n";
answer!(
    TOO_MANY_KNOCKS,
    "429 Too Many Requests",
    "Retry-After: 5\r\n",
    47,
    "Your network knocks too fast; please wait 5 s.\n"
);
answer!(
    HEAD_LARGE,
    "431 Request Header Fields Too Large",
    "",
    35,
    "A request's head is at most 8 KiB.\n"
);
answer!(
    NOT_OPEN,
    "503 Service Unavailable",
    "Retry-After: 10\r\n",
    28,
    "This space is not open yet.\n"
);
answer!(
    NO_SOUND,
    "503 Service Unavailable",
    "Retry-After: 1\r\n",
    33,
    "The sound is about to come back.\n"
);
answer!(
    FULL,
    "503 Service Unavailable",
    "Retry-After: 5\r\n",
    38,
    "This node is full; please come again.\n"
);
answer!(
    BAD_KNOCK,
    "400 Bad Request",
    "",
    31,
    "This is no knock; see the API.\n"
);

macro_rules! refuse {
    ($status:literal, $lines:literal, $length:literal, $text:literal) => {{
        answer!(REFUSED, $status, $lines, $length, $text);
        REFUSED
    }};
}

/// What somebody with a permit is told who is not answered as they ask. The header says it to the driver.
pub(super) const fn rehearsal(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Forged => refuse!(
            "403 Forbidden",
            "Rehearsal: forged\r\n",
            58,
            "The rehearsal permit was not signed by this installation.\n"
        ),
        Refusal::OtherTarget => refuse!(
            "403 Forbidden",
            "Rehearsal: other-target\r\n",
            50,
            "The rehearsal permit is for another installation.\n"
        ),
        Refusal::Early => refuse!(
            "403 Forbidden",
            "Rehearsal: early\r\n",
            40,
            "The rehearsal permit does not hold yet.\n"
        ),
        Refusal::Expired => refuse!(
            "403 Forbidden",
            "Rehearsal: expired\r\n",
            34,
            "The rehearsal permit has run out.\n"
        ),
        Refusal::Rate => refuse!(
            "429 Too Many Requests",
            "Rehearsal: rate\r\nRetry-After: 1\r\n",
            57,
            "More requests a second than the rehearsal permit allows.\n"
        ),
        Refusal::People => refuse!(
            "429 Too Many Requests",
            "Rehearsal: people\r\nRetry-After: 5\r\n",
            47,
            "As many listen as the rehearsal permit allows.\n"
        ),
        Refusal::Ended => refuse!(
            "410 Gone",
            "Rehearsal: ended\r\n",
            35,
            "The operator ended this rehearsal.\n"
        ),
        Refusal::Crowded => refuse!(
            "429 Too Many Requests",
            "Rehearsal: crowded\r\nRetry-After: 60\r\n",
            40,
            "Too many rehearsals are under way here.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_answers_fit() {
        let (space, place) = ("s".repeat(64), "p".repeat(128));
        let told = Told::to_the_line(&space, &place);
        let text = String::from_utf8_lossy(told.bytes(false));
        assert!(text.contains(&format!("Location: /s/{space}/line?place={place}\r\n")));
        assert!(text.ends_with("\r\n\r\n"));
        let told = Told::come_again(u32::MAX);
        assert!(told.bytes(false).ends_with(TOLD_TEXT.as_bytes()));
        assert!(told.bytes(true).ends_with(b"\r\n\r\n"));
        assert!(
            String::from_utf8_lossy(Told::come_again(1_001).bytes(true))
                .contains("Retry-After: 2\r\n")
        );
    }
}
