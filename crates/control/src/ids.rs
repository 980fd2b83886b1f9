//! Names of things. Parsed once at the edge, trusted after.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC: for what people plan and read. Never used to measure durations.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UnixMillis(pub u64);

/// 3 to 64 characters of a-z, 0-9 and '-', not beginning or ending with '-'. Stands in links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpaceId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a space's id has 3 to 64 characters of a-z, 0-9 and '-', and does not begin or end with '-'"
)]
pub struct BadSpaceId;

impl SpaceId {
    pub fn parse(text: &str) -> Result<Self, BadSpaceId> {
        let fits = (3..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSpaceId)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SpaceId {
    type Error = BadSpaceId;
    fn try_from(text: String) -> Result<Self, BadSpaceId> {
        Self::parse(&text)
    }
}

impl From<SpaceId> for String {
    fn from(id: SpaceId) -> Self {
        id.0
    }
}

impl std::fmt::Display for SpaceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody known to a space, by invitation or by a raised hand. Drawn at random by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonId(pub u64);

/// An invitation that a link carries; revoking it makes its links worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InviteId(pub u64);
