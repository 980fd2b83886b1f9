//! Every number that is published, with its one definition. Pages, API, metrics and docs/numbers.md take the words from
//! here, so that no number stands anywhere without saying what it counts and how exact it is.

/// Pages of sound (100 ms each) after which a listener counts as one who stayed.
pub const STAYED_PAGES: u64 = 600;
/// Milliseconds of sound in a page, the unit in which listening is counted.
pub const PAGE_MS: u64 = 100;
/// Registers of the sketch that counts uniques, as a power of two: 4 KiB a space.
pub const UNIQUES_LG_K: u8 = 12;
/// Standard error of uniques in parts of 10,000: 1.04 divided by the root of the number of registers, rounded up.
pub const UNIQUES_ERROR: u32 = 163;

/// How far a number may be from what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    Exact,
    /// Two of three values lie within so many parts of 10,000.
    StandardError(u32),
    /// Exact or not by what the words say.
    Words(&'static str),
}

impl std::fmt::Display for Exactness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::StandardError(parts) => {
                write!(f, "standard error {}.{:02} %", parts / 100, parts % 100)
            }
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// A number that is published. The first of them are counted for each space, and for a node as the sum over its spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    Attempts,
    Admitted,
    Listening,
    Peak,
    Stayed,
    ListenerMinutes,
    Uniques,
    Plays,
    Waiting,
    TooSlow,
    Reactions,
    Cadence,
    NeededCadence,
    ProjectedLoad,
    Level,
    Behind,
    RecordingLength,
}

/// What is said of one number wherever it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// As API and rows call it; never changed.
    pub key: &'static str,
    pub title: &'static str,
    /// Of one unit: `1` when it counts things.
    pub unit: &'static str,
    /// What it counts, without a full stop.
    pub words: &'static str,
    pub exactness: Exactness,
}

impl Number {
    pub const ALL: [Self; 17] = [
        Self::Attempts,
        Self::Admitted,
        Self::Listening,
        Self::Peak,
        Self::Stayed,
        Self::ListenerMinutes,
        Self::Uniques,
        Self::Plays,
        Self::Waiting,
        Self::TooSlow,
        Self::Reactions,
        Self::Cadence,
        Self::NeededCadence,
        Self::ProjectedLoad,
        Self::Level,
        Self::Behind,
        Self::RecordingLength,
    ];
    /// Those that are counted for each space.
    pub const OF_A_SPACE: [Self; 9] = [
        Self::Attempts,
        Self::Admitted,
        Self::Listening,
        Self::Peak,
        Self::Stayed,
        Self::ListenerMinutes,
        Self::Uniques,
        Self::Plays,
        Self::Waiting,
    ];

    pub const fn definition(self) -> Definition {
        DEFINITIONS[self as usize]
    }
}

/// In the order of the numbers.
const DEFINITIONS: [Definition; Number::ALL.len()] = [
    Definition {
        key: "attempts",
        title: "attempts",
        unit: "1",
        words: "GETs of a space's sound that were read whole, whatever was answered, since the node started. Who is refused and comes again, and who reconnects, is counted each time",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "admitted",
        title: "admitted",
        unit: "1",
        words: "attempts that were sent a stream's head, since the node started; a reconnect is admitted once more",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "listening",
        title: "listening now",
        unit: "1",
        words: "connections that were sent sound in the last 10 s. One person on two devices counts twice; who pauses does not count",
        exactness: Exactness::Words("exact for one node"),
    },
    Definition {
        key: "peak",
        title: "peak",
        unit: "1",
        words: "the highest \"listening now\" since the node started",
        exactness: Exactness::Words("exact, looked at once a sweep"),
    },
    Definition {
        key: "stayed_60s",
        title: "60 s listeners",
        unit: "1",
        words: "connections that were sent 60 s of sound (600 pages of 100 ms, the burst at the start included), since the node started. Who reconnects begins anew",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "listener_minutes",
        title: "listener-minutes",
        unit: "min",
        words: "sound that connections were sent since the node started, from each one's first page to its newest: the burst included, and what a slow one was skipped over. Counted in pages of 100 ms",
        exactness: Exactness::Words(
            "exact to the page, up to 1 s late; who closes is noticed by the next sweep, which still counts",
        ),
    },
    Definition {
        key: "uniques",
        title: "unique listeners",
        unit: "1",
        words: "different addresses (of IPv6 the /64) that were admitted, since the node started. A household behind one address counts once, a phone that changes networks twice. A HyperLogLog over a hash that is salted for each space is kept, and no address",
        exactness: Exactness::StandardError(UNIQUES_ERROR),
    },
    Definition {
        key: "replay_plays",
        title: "replay plays",
        unit: "1",
        words: "GETs of a recording from its first byte that were answered with sound, since the node started; jumps within it do not count, and somebody who starts it again counts again",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "waiting",
        title: "waiting",
        unit: "1",
        words: "places in line whose turn has not come. Who left without giving the place away is counted until then",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "too_slow",
        title: "too slow",
        unit: "1",
        words: "listeners closed because they fell off the ring (60 s behind) and skipping did not help, or took nothing for 15 s",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "reactions",
        title: "reactions",
        unit: "1",
        words: "presses of each word in the last 10 s, counted in windows of half a second; one network (/24, /56) may press 40 times at once and 10 times a second. While side features are shed one press in four counts",
        exactness: Exactness::Words("exact, of those taken"),
    },
    Definition {
        key: "cadence",
        title: "cadence",
        unit: "s",
        words: "the time between two writes to a listener, the widest of all shards: 100 ms when idle, up to 2 s under load. `--cadence-min` and `--cadence-max` (milliseconds; both alike: fixed) bound it, and `PUT /api/v1/cadence` moves the bounds while the node runs",
        exactness: Exactness::Exact,
    },
    Definition {
        key: "needed_cadence",
        title: "needed cadence",
        unit: "s",
        words: "time between sweeps at which they take a quarter of a core, from the same costs as the projected load: at 150 ms the ladder takes its first step, at 125 ms it leaves it",
        exactness: Exactness::Words("estimate"),
    },
    Definition {
        key: "projected_load",
        title: "projected load",
        unit: "ratio",
        words: "share of a core that sweeps would take at the widest cadence, from the cost of the last 50 or so sweeps: a fixed part and one for each second of sound. While all sweeps were alike, their cost is divided 1 : 0.43 a second between the two",
        exactness: Exactness::Words("estimate"),
    },
    Definition {
        key: "level",
        title: "level",
        unit: "1",
        words: "0 to 9, of the last tenth of a second; 0 is nothing",
        exactness: Exactness::Words("-"),
    },
    Definition {
        key: "behind",
        title: "behind the stage",
        unit: "s",
        words: "what the player has buffered and not yet played, plus the page's 100 ms; measured in the browser",
        exactness: Exactness::Words("about 0.1 s"),
    },
    Definition {
        key: "recording_length",
        title: "recording's length",
        unit: "s",
        words: "the granule position of the file's last page",
        exactness: Exactness::Words("exact to 20 ms"),
    },
];

/// docs/numbers.md, whole.
pub fn document() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "# What the numbers mean\nThis page is written from `crates/control/src/numbers.rs`, where each number has its one definition.\n\n| number | key | unit | definition | exact? |\n|---|---|---|---|---|\n",
    );
    for number in Number::ALL {
        let Definition {
            key,
            title,
            unit,
            words,
            exactness,
        } = number.definition();
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {title} | `{key}` | {unit} | {words} | {exactness} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the page is a file that a test may be told to write"
    )]
    fn the_page_of_numbers_is_that_of_the_code() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/numbers.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, document()).unwrap();
        }
        let there = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            there == document(),
            "docs/numbers.md is not what the code says: run `UPDATE=1 cargo test -p hustings-control --lib numbers`"
        );
    }

    #[test]
    fn each_number_has_a_key_of_its_own_and_words_that_end_openly() {
        for (at, number) in Number::ALL.into_iter().enumerate() {
            assert_eq!(number as usize, at);
        }
        let mut keys: Vec<_> = Number::ALL.map(|number| number.definition().key).into();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Number::ALL.len());
        for number in Number::ALL {
            let Definition { key, words, .. } = number.definition();
            assert!(
                key.bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
            );
            assert!(
                !words.is_empty() && !words.ends_with('.') && !words.contains('|'),
                "{key}"
            );
        }
        let error = 1.04 / f64::from(1_u32 << UNIQUES_LG_K).sqrt();
        assert_eq!(UNIQUES_ERROR, (error * 10_000.0).ceil() as u32);
    }
}
