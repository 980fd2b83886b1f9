//! The constant answers of the hot path: response heads of the streams, and refusals. Nothing here is formatted at run
//! time, so that turning somebody away costs one write.

use super::head::Container;

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
answer!(
    UNKNOWN,
    "404 Not Found",
    "",
    24,
    "There is no such space.\n"
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
