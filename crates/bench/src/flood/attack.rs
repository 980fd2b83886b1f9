//! What attackers send, and what of an answer counts as being let in.

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
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::BareGets,
        Self::Forged,
        Self::Replayed,
        Self::Silent,
        Self::Pages,
        Self::Stayers,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareGets => "bare GETs",
            Self::Stayers => "bare GETs that stay",
            Self::Forged | Self::ForgedSound => "forged tickets",
            Self::Replayed => "replayed tickets",
            Self::Silent => "silent connections",
            Self::Pages => "pages and state",
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
        Kind::Pages | Kind::Silent => false,
        _ => {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(1_024)]);
            let sound = text.starts_with("HTTP/1.1 200") && text.contains("audio/");
            sound || text.contains(r#""verdict":"enter""#)
        }
    }
}
