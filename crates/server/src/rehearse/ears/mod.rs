//! What a listener hears, told from the framing of its stream alone: no packet is opened, so that thousands can be followed.
//! A gap is a place where the stream's own numbers or times say that something is missing.

mod ogg;
mod webm;

use std::time::{Duration, Instant};

use self::ogg::Ogg;
use self::webm::Webm;

/// Milliseconds of a page, by which a missing one is counted.
const PAGE_MS: u64 = 100;

enum Framing {
    Ogg(Box<Ogg>),
    Webm(Box<Webm>),
}

/// One listener's stream, fed as it comes.
pub struct Ears {
    framing: Framing,
    score: Score,
}

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Pieces of sound: pages, or blocks.
    pub pieces: u64,
    pub heard_ms: u64,
    pub gaps: u64,
    pub lost_ms: u64,
    /// What came was no stream of its kind.
    pub broken: bool,
    /// By how much the latest piece came after a player that began at the first byte had played all before it.
    pub silence: Duration,
    /// When the first piece came, and where in the stream that was, in milliseconds.
    began: Option<(Instant, u64)>,
    /// Where in the stream the newest piece ended.
    upto_ms: u64,
}

impl Score {
    /// A piece that ends at `end_ms` of the stream and lasts `len_ms`; `missing_ms` is what its numbers or times say did not
    /// come before it.
    fn piece(&mut self, end_ms: u64, len_ms: u64, missing_ms: u64, now: Instant) {
        self.pieces += 1;
        self.heard_ms += len_ms;
        if missing_ms > 0 {
            self.gaps += 1;
            self.lost_ms += missing_ms;
        }
        let Some((began, first_ms)) = self.began else {
            self.began = Some((now, end_ms));
            self.upto_ms = end_ms;
            return;
        };
        // It begins to be needed when all before it was played.
        let needed = began + Duration::from_millis(self.upto_ms.saturating_sub(first_ms));
        self.silence = self.silence.max(now.saturating_duration_since(needed));
        self.upto_ms = end_ms;
    }
}

impl Ears {
    pub fn ogg() -> Self {
        Self {
            framing: Framing::Ogg(Box::default()),
            score: Score::default(),
        }
    }

    pub fn webm() -> Self {
        Self {
            framing: Framing::Webm(Box::default()),
            score: Score::default(),
        }
    }

    pub fn hear(&mut self, bytes: &[u8], now: Instant) {
        if self.score.broken {
            return;
        }
        let fine = match &mut self.framing {
            Framing::Ogg(ogg) => ogg.hear(bytes, now, &mut self.score),
            Framing::Webm(webm) => webm.hear(bytes, now, &mut self.score),
        };
        self.score.broken = !fine;
    }

    pub fn score(&self) -> &Score {
        &self.score
    }
}
