//! Reads a chain line by line and finds the first place that does not hold.

use std::collections::BTreeMap;
use std::fmt;

use hustings_control::ids::UnixMillis;

use super::entry::{Begin, Dropped, Entry};
use super::{FORMAT, Hash, LINE_BYTES_MAX, PublicKey, Tip, UNSIGNED_ROWS_MAX, signed_text};
use crate::row::What;

/// What is known from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The node's key; none: the one that the first segment names.
    pub key: Option<PublicKey>,
    /// Heads that were published.
    pub heads: Vec<Tip>,
    /// What is shown is a part of a chain: nothing is said of what came before it.
    pub part: bool,
}

/// Lines go in, in order; entries come out as long as all is whole.
pub struct Verifier {
    key: Option<PublicKey>,
    part: bool,
    /// Heads not met yet.
    heads: BTreeMap<u64, Hash>,
    segment: String,
    /// Of the segment, from 1.
    line: u64,
    tip: Option<Tip>,
    dropped: Option<Dropped>,
    first: Option<Begin>,
    unsigned_rows: u32,
    /// Bytes after the last whole line.
    torn: u64,
    told: Verified,
}

/// What a whole chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: u64,
    /// Serial of the first line that is left.
    pub first: u64,
    pub last: Tip,
    pub key: PublicKey,
    /// Times of the first and the last row.
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub node_rows: u64,
    pub space_rows: u64,
    pub happenings: u64,
    /// Lines of a newer version.
    pub unknown: u64,
    pub signatures: u64,
    /// Lines after the last signature: whoever can write the file could have cut some off.
    pub unsigned: u64,
    /// Rows that the chain says were lost.
    pub lost_rows: u64,
    /// Times that the node started.
    pub starts: u64,
    pub clock_steps: u64,
    /// Bytes of an unfinished last line: a node that was killed while it wrote, or that writes just now.
    pub torn_bytes: u64,
    /// Published heads that were found in it.
    pub heads_met: u64,
    /// Published heads that are older than what is left.
    pub heads_gone: u64,
}

/// The first bad place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    pub segment: String,
    /// From 1; 0: before the first.
    pub line: u64,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("there is nothing")]
    Empty,
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("this is no line of a hash and JSON")]
    NoLine,
    #[error(
        "its hash does not follow from it and from the line before: it was changed, moved, put in, or lines before it were taken out"
    )]
    Hash,
    #[error("its JSON cannot be read: {0}")]
    Json(String),
    #[error("its serial is {found} where {expected} must come")]
    Serial { expected: u64, found: u64 },
    #[error("a segment does not begin with its anchor")]
    NoBegin,
    #[error("an anchor stands within a segment")]
    BeginWithin,
    #[error("the segment does not go on from the one before: a segment is missing, or was moved")]
    NotAfter,
    #[error("the format is {0}, this version reads {FORMAT}")]
    Format(u32),
    #[error("the key is {0}, which is not the node's")]
    OtherKey(PublicKey),
    #[error("the signature is not the node's")]
    Signature,
    #[error("{UNSIGNED_ROWS_MAX} rows and more are not signed")]
    Unsigned,
    #[error("line {first} is the first, and nothing says that those before it went")]
    BeginningCut { first: u64 },
    #[error("a line is not finished, and more follows")]
    TornWithin,
    #[error("line {n} has another hash than its published head")]
    Head { n: u64 },
    #[error("the published head is at line {n}, and the chain ends before it: its end was cut off")]
    EndCut { n: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.segment, self.line, self.why)
    }
}

impl Verifier {
    pub fn new(expect: Expect) -> Self {
        Self {
            key: expect.key,
            part: expect.part,
            heads: expect
                .heads
                .iter()
                .map(|head| (head.n, head.hash))
                .collect(),
            segment: String::new(),
            line: 0,
            tip: None,
            dropped: None,
            first: None,
            unsigned_rows: 0,
            torn: 0,
            told: Verified::default(),
        }
    }

    /// The last line that holds.
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// The next lines are of this one.
    pub fn segment(&mut self, name: &str) {
        name.clone_into(&mut self.segment);
        self.line = 0;
        self.told.segments += 1;
    }

    /// One line with its `\n`. What has no `\n` is unfinished: fine at the end of all, nowhere else.
    ///
    /// # Errors
    /// When this is the first line that does not hold.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Entry>, Fault> {
        self.line += 1;
        match self.check(line) {
            Ok(entry) => Ok(entry),
            Err(why) => Err(self.fault(why)),
        }
    }

    /// # Errors
    /// When something is missing at the beginning or at the end.
    pub fn end(mut self) -> Result<Verified, Fault> {
        let (Some(tip), Some(_)) = (self.tip, self.first) else {
            return Err(self.fault(Why::Empty));
        };
        let first = self.told.first;
        if first > 1 && !self.part && !self.says_dropped(first) {
            self.line = 0;
            return Err(self.fault(Why::BeginningCut { first }));
        }
        if let Some((n, _)) = self.heads.range(tip.n + 1..).next() {
            let why = Why::EndCut { n: *n };
            return Err(self.fault(why));
        }
        self.told.heads_gone = self.heads.len() as u64;
        self.told.last = tip;
        self.told.torn_bytes = self.torn;
        Ok(self.told)
    }

    fn fault(&self, why: Why) -> Fault {
        Fault {
            segment: self.segment.clone(),
            line: self.line,
            why,
        }
    }

    fn check(&mut self, line: &[u8]) -> Result<Option<Entry>, Why> {
        if self.torn > 0 {
            return Err(Why::TornWithin);
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(Why::TooLong);
        }
        let Some(line) = line.strip_suffix(b"\n") else {
            self.torn = line.len() as u64;
            return Ok(None);
        };
        let (hash, json) = line.split_at_checked(64).ok_or(Why::NoLine)?;
        let json = json.strip_prefix(b" ").ok_or(Why::NoLine)?;
        let hash: Hash = std::str::from_utf8(hash)
            .ok()
            .and_then(|hash| hash.parse().ok())
            .ok_or(Why::NoLine)?;
        if let Some(tip) = self.tip
            && self.line > 1
            && Hash::of_line(tip.hash, json) != hash
        {
            return Err(Why::Hash);
        }
        let entry: Entry =
            serde_json::from_slice(json).map_err(|error| Why::Json(error.to_string()))?;
        match (&entry.begin, self.line) {
            (Some(begin), 1) => self.begin(begin, &entry, json, hash)?,
            (None, 1) => return Err(Why::NoBegin),
            (Some(_), _) => return Err(Why::BeginWithin),
            (None, _) => {}
        }
        self.follow(&entry, Tip { n: entry.n, hash })?;
        self.count(&entry);
        Ok(Some(entry))
    }

    fn begin(&mut self, begin: &Begin, entry: &Entry, json: &[u8], hash: Hash) -> Result<(), Why> {
        if begin.format != FORMAT {
            return Err(Why::Format(begin.format));
        }
        let before = match self.tip {
            Some(tip) => tip.hash,
            None if entry.n == 1 => Hash::default(),
            None => begin.after,
        };
        if begin.after != before {
            return Err(Why::NotAfter);
        }
        if Hash::of_line(before, json) != hash {
            return Err(Why::Hash);
        }
        if *self.key.get_or_insert(begin.key) != begin.key {
            return Err(Why::OtherKey(begin.key));
        }
        if self.first.is_none() {
            self.first = Some(*begin);
            self.told.first = entry.n;
            self.told.key = begin.key;
        }
        Ok(())
    }

    fn follow(&mut self, entry: &Entry, tip: Tip) -> Result<(), Why> {
        if let Some(before) = self.tip {
            let expected = before.n + 1;
            if entry.n != expected {
                return Err(Why::Serial {
                    expected,
                    found: entry.n,
                });
            }
            if let Some(signed) = &entry.signed {
                let text = signed_text(before, signed.at);
                if !self
                    .key
                    .is_some_and(|key| key.has_signed(&text, &signed.sig))
                {
                    return Err(Why::Signature);
                }
            }
        } else if entry.n == 0 {
            return Err(Why::Serial {
                expected: 1,
                found: 0,
            });
        }
        self.told.unsigned += 1;
        self.unsigned_rows += u32::from(entry.node.is_some());
        if entry.signed.is_some() {
            (self.told.unsigned, self.unsigned_rows) = (0, 0);
        }
        if self.unsigned_rows > UNSIGNED_ROWS_MAX {
            return Err(Why::Unsigned);
        }
        if let Some(head) = self.heads.remove(&entry.n) {
            if head != tip.hash {
                return Err(Why::Head { n: entry.n });
            }
            self.told.heads_met += 1;
        }
        self.tip = Some(tip);
        Ok(())
    }

    fn count(&mut self, entry: &Entry) {
        let told = &mut self.told;
        if let Some(row) = &entry.node {
            told.node_rows += 1;
            told.clock_steps += u64::from(row.clock_step_ms != 0);
            if told.from == UnixMillis(0) {
                told.from = row.at;
            }
            told.to = row.at;
        } else if entry.space.is_some() {
            told.space_rows += 1;
        } else if let Some(happening) = &entry.happening {
            told.happenings += 1;
            told.starts += u64::from(happening.what == What::NodeStarted);
        } else if entry.signed.is_some() {
            told.signatures += 1;
        } else if let Some(lost) = &entry.lost {
            told.lost_rows += lost.rows;
        } else if let Some(dropped) = &entry.dropped {
            let newest = self
                .dropped
                .is_none_or(|before| dropped.through >= before.through);
            if newest {
                self.dropped = Some(*dropped);
            }
        } else if entry.begin.is_none() {
            told.unknown += 1;
        }
    }

    /// A segment is named as gone before it is removed, so one that is named may still be there.
    fn says_dropped(&self, first: u64) -> bool {
        let after = self.first.map(|begin| begin.after);
        self.dropped.is_some_and(|dropped| {
            dropped.through >= first || dropped.through + 1 == first && after == Some(dropped.hash)
        })
    }
}
