//! A listener that reads Ogg pages and knows how far the sound has come.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use crate::world::Node;

pub(crate) struct Listener {
    from: BufReader<TcpStream>,
    /// Samples of 48 kHz at the end of the last page.
    pub(crate) at: u64,
}

impl Listener {
    #[track_caller]
    pub(crate) fn join(node: &Node, space: &str) -> Self {
        let stream = node.say(
            8080,
            &format!("GET /s/{space}/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
        let mut from = BufReader::new(stream);
        let mut line = String::new();
        from.read_line(&mut line).expect("a status line");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            from.read_line(&mut line).expect("a head");
        }
        Self { from, at: 0 }
    }

    /// The next page; false at the end of the stream, orderly or not.
    pub(crate) fn page(&mut self) -> bool {
        let mut head = [0; 27];
        if self.from.read_exact(&mut head).is_err() {
            return false;
        }
        assert_eq!(&head[..4], b"OggS");
        let mut sizes = vec![0; usize::from(head[26])];
        if self.from.read_exact(&mut sizes).is_err() {
            return false;
        }
        let mut sound = vec![0; sizes.iter().map(|size| usize::from(*size)).sum()];
        if self.from.read_exact(&mut sound).is_err() {
            return false;
        }
        let granule: [u8; 8] = head[6..14].try_into().expect("eight bytes");
        self.at = u64::from_le_bytes(granule);
        true
    }

    /// Listens until the sound has come to `at`.
    #[track_caller]
    pub(crate) fn until(&mut self, at: u64) {
        while self.at < at {
            assert!(self.page(), "the sound broke off at {} samples", self.at);
        }
    }

    /// Past what lay ready in the ring, up to what is played just now.
    #[track_caller]
    pub(crate) fn catch_up(&mut self) {
        let mut began = std::time::Instant::now();
        // A page that was waited for is a new one.
        while began.elapsed().as_millis() < 20 {
            began = std::time::Instant::now();
            assert!(self.page(), "the sound broke off at {} samples", self.at);
        }
    }

    pub(crate) fn finish(&mut self) {
        while self.page() {}
    }
}
