//! What a line says.

use hustings_control::ids::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{Hash, PublicKey, Signature};
use crate::row::{Happening, NodeRow, Row, SpaceRow};

/// One line: its serial and one of the others. None at all: a newer version's line, hashed and signed like the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// One more than the line before.
    pub n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin: Option<Begin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Box<NodeRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<Box<SpaceRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub happening: Option<Happening>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
}

/// The first line of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Hash of the last line of the segment before; zeros for the first.
    pub after: Hash,
    /// The node's key.
    pub key: PublicKey,
    pub at: UnixMillis,
}

/// Over [`super::signed_text`] of the line before this one, with this `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub at: UnixMillis,
    pub sig: Signature,
}

/// Rows that could not be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// Rows; 0 when only a line that was not finished went.
    pub rows: u64,
    /// The time of the first and of the last of them.
    pub from: UnixMillis,
    pub to: UnixMillis,
    /// Bytes of a line that was not finished.
    pub bytes: u64,
    pub why: LostWhy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostWhy {
    /// No room on the disk.
    DiskFull,
    /// The disk failed otherwise.
    DiskFailed,
    /// The node was killed while it wrote: the unfinished line was taken away.
    Torn,
    /// What was found at the node's start was no chain, or not this node's: the lines before this one do not hold.
    Broken,
    #[default]
    #[serde(other)]
    Unknown,
}

/// The oldest segments went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Serial of the last line that went.
    pub through: u64,
    /// Its hash: what is left goes on from it.
    pub hash: Hash,
}

impl From<&Row> for Entry {
    fn from(row: &Row) -> Self {
        let mut entry = Self::default();
        match row {
            Row::Node(row) => entry.node = Some(row.clone()),
            Row::Space(row) => entry.space = Some(row.clone()),
            Row::Happening(happening) => entry.happening = Some(happening.clone()),
        }
        entry
    }
}

impl Entry {
    /// The row that stands here, if one does.
    pub fn into_row(self) -> Option<Row> {
        let node = self.node.map(Row::Node);
        let space = || self.space.map(Row::Space);
        node.or_else(space).or(self.happening.map(Row::Happening))
    }
}
