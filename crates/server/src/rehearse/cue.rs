//! What a night asks of somebody else than its crowd.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use hustings_rehearse::Night;
use hustings_rehearse::scenario::Trouble;
use serde::Serialize;

/// What is to be done to the target, and not by its crowd.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cue {
    Trouble(Trouble),
    Space(SpaceCue),
}

/// Names are the target's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpaceCue {
    /// Its doors open: who waited takes part in the draw.
    Opens { space: Arc<str> },
    /// It goes live; music played before.
    Live { space: Arc<str> },
}

impl Cue {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Trouble(trouble) => trouble.words(),
            Self::Space(SpaceCue::Opens { space }) => {
                format!("the doors of {space} open, with a draw among those who waited")
            }
            Self::Space(SpaceCue::Live { space }) => format!("{space} goes live"),
        }
    }
}

/// When which of the target's spaces opens and goes live; the latest first. Spaces of the night that have none of their own at the
/// target do nothing.
pub(super) fn cues(night: &Night, spaces: &[&str]) -> Vec<(Duration, SpaceCue)> {
    let mut cues = Vec::new();
    for (space, name) in night.spaces.iter().zip(spaces) {
        let space_of = || Arc::from(*name);
        let at = |millis: u32| Duration::from_millis(u64::from(millis));
        // Of one moment the later deed stands first, for the last is taken first.
        cues.extend(
            space
                .live_ms
                .map(|live| (at(live), SpaceCue::Live { space: space_of() })),
        );
        cues.extend(
            space
                .draw_ms
                .map(|draw| (at(draw), SpaceCue::Opens { space: space_of() })),
        );
    }
    cues.sort_by_key(|(at, _)| Reverse(*at));
    cues
}
