//! What attackers send, and what of an answer counts as being let in.

use std::sync::OnceLock;

use crate::tls;

/// The kinds of knocks a flood consists of, one kind at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GETs for sound that show nothing, and leave when they are answered.
    BareGets,
    /// The same, but whoever is let in stays: exactly what listeners without script do.
    Stayers,
    /// Tickets that nobody sealed.
    Forged,
    /// The same, and for the sound only: what one refusal costs is measured by it.
    ForgedSound,
    /// One good ticket, shown again and again from everywhere.
    Replayed,
    /// Connections that say nothing.
    Silent,
    /// The space's page and its state.
    Pages,
    /// Half a head, and then nothing.
    HalfHeads,
    /// A head that promises a body, and little of it.
    HalfBodies,
    /// TLS hellos: whole ones whose handshake is never gone on with, halves, and garbage.
    Hellos,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::BareGets,
        Self::Forged,
        Self::Replayed,
        Self::Silent,
        Self::Pages,
        Self::Stayers,
        Self::HalfHeads,
        Self::HalfBodies,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareGets => "bare GETs",
            Self::Stayers => "bare GETs that stay",
            Self::Forged | Self::ForgedSound => "forged tickets",
            Self::Replayed => "replayed tickets",
            Self::Silent => "silent connections",
            Self::Pages => "pages and state",
            Self::HalfHeads => "half heads",
            Self::HalfBodies => "half bodies",
            Self::Hellos => "TLS hellos",
        }
    }

    /// As a part of the bench is called on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BareGets => "gets",
            Self::Stayers => "stayers",
            Self::Forged | Self::ForgedSound => "forged",
            Self::Replayed => "replayed",
            Self::Silent => "silent",
            Self::Pages => "pages",
            Self::HalfHeads => "heads",
            Self::HalfBodies => "bodies",
            Self::Hellos => "hellos",
        }
    }

    /// The bytes of knock `number`; none are sent by silent ones.
    pub(crate) fn request(self, space: &str, number: u64, ticket: &str) -> Option<Vec<u8>> {
        let get = |target: &str| Some(get(target));
        match self {
            // Every second is as caches are evaded, with a query of its own.
            Self::BareGets | Self::Stayers if number.is_multiple_of(2) => {
                get(&format!("/s/{space}/live.ogg?x={number}"))
            }
            Self::BareGets | Self::Stayers => get(&format!("/s/{space}/live.ogg")),
            Self::Forged | Self::ForgedSound => {
                let forged = forged(number);
                if number.is_multiple_of(2) || self == Self::ForgedSound {
                    get(&format!("/s/{space}/live.ogg?t={forged}"))
                } else {
                    Some(knock(
                        space,
                        &format!(r#"{{"ask":"right","show":"{forged}"}}"#),
                    ))
                }
            }
            Self::Replayed => get(&format!("/s/{space}/live.ogg?t={ticket}")),
            Self::Silent => None,
            Self::Pages if number.is_multiple_of(2) => get(&format!("/s/{space}")),
            Self::Pages => get(&format!("/s/{space}/state.json")),
            Self::HalfHeads => {
                Some(format!("GET /s/{space}/live.ogg HTTP/1.1\r\nHost: lo").into_bytes())
            }
            Self::HalfBodies => Some(half_body(space, number)),
            Self::Hellos => Some(hello(number)),
        }
    }
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// As a browser's navigation asks.
pub(crate) fn navigate(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

pub(crate) fn knock(space: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /s/{space}/knock HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Every second goes to the door's knocks, the others to the pages.
fn half_body(space: &str, number: u64) -> Vec<u8> {
    let (path, length) = match number % 2 {
        0 => ("knock", 900),
        _ => ("reactions", 8_192),
    };
    format!(
        "POST /s/{space}/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{"
    )
    .into_bytes()
}

/// Half of them are as a browser sends them, a quarter ends in its midst, a quarter is a record of nonsense.
fn hello(number: u64) -> Vec<u8> {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| tls::hello().unwrap_or_default());
    match number % 4 {
        0 | 1 => whole.clone(),
        2 => whole.get(..whole.len() / 2).unwrap_or_default().to_vec(),
        _ => {
            let mut nonsense = vec![0x16, 3, 1, 0, 200];
            nonsense.extend((0..200).map(|at| (number.wrapping_mul(31) + at) as u8));
            nonsense
        }
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
pub(crate) fn lets_in(kind: Kind, answer: &[u8]) -> bool {
    match kind {
        Kind::Pages | Kind::Silent | Kind::HalfHeads | Kind::HalfBodies | Kind::Hellos => false,
        _ => {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(1_024)]);
            let sound = text.starts_with("HTTP/1.1 200") && text.contains("audio/");
            sound || text.contains(r#""verdict":"enter""#)
        }
    }
}
