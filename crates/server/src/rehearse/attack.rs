//! What attackers send, and what of an answer counts as being let in.

use serde::{Deserialize, Serialize};

/// Knocks that are no visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assault {
    /// GETs for sound that show nothing, every second with a query of its own, and leave when they are answered.
    BareGets,
    /// Tickets that nobody sealed, for the sound and for a way in.
    Forged,
    /// One good right, shown again and again from everywhere.
    Replayed,
    /// Connections that say nothing.
    Silent,
    /// Heads that come a line every few seconds.
    SlowHeads,
}

impl Assault {
    /// The first line, lines of its own, and a body; none are sent by silent ones.
    pub(super) fn request(self, space: &str, number: u64, right: &str) -> Option<(String, String)> {
        let get = |target: String| Some((format!("GET {target} HTTP/1.1\r\n"), String::new()));
        match self {
            Self::BareGets if number.is_multiple_of(2) => {
                get(format!("/s/{space}/live.ogg?x={number}"))
            }
            Self::BareGets => get(format!("/s/{space}/live.ogg")),
            Self::Forged if number.is_multiple_of(2) => {
                get(format!("/s/{space}/live.ogg?t={}", forged(number)))
            }
            Self::Forged => {
                let body = format!(r#"{{"ask":"right","show":"{}"}}"#, forged(number));
                let lines = format!(
                    "POST /s/{space}/knock HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
                    body.len()
                );
                Some((lines, body))
            }
            Self::Replayed => get(format!("/s/{space}/live.ogg?t={right}")),
            Self::Silent => None,
            Self::SlowHeads => get(format!("/s/{space}/live.ogg")),
        }
    }

    /// Whether the head's end is kept back.
    pub(super) fn is_slow(self) -> bool {
        self == Self::SlowHeads
    }
}

/// 80 characters that look like a ticket, another one for each number.
fn forged(number: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[(state >> 33) as usize % LETTERS.len()])
    };
    (0..80).map(letter).collect()
}

/// Whether an answer lets its reader in: sound, or a ticket for it.
pub(super) fn lets_in(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&answer[..answer.len().min(1_024)]);
    let sound = text.starts_with("HTTP/1.1 200") && text.contains("audio/");
    sound || text.contains(r#""verdict":"enter""#)
}
