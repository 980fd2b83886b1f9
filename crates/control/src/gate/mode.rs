//! Calm, busy, storm: how strict the door of one space is, and each shard. Stricter at once, laxer after a time of quiet.

use hustings_media::time::Now;

use super::limits::CALM_DOWN_MS;
use super::load::Resource;
use crate::ids::UnixMillis;

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everyone enters and shows nothing.
    #[default]
    Calm = 0,
    /// Newcomers show that they can come a second time: a place, a second old, lets them in.
    Busy = 1,
    /// Seats are short: lanes, shares, turns.
    Storm = 2,
}

impl Mode {
    pub(crate) fn from_index(index: u8) -> Self {
        [Self::Calm, Self::Busy][..]
            .get(usize::from(index))
            .copied()
            .unwrap_or(Self::Storm)
    }

    pub fn name(self) -> &'static str {
        ["calm", "busy", "storm"][self as usize]
    }
}

/// A change of mode, of a space or of a shard: stored by the shell like a step of the ladder. The JSON is a promise.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModeEvent {
    pub at: UnixMillis,
    pub of: ModeOf,
    pub from: Mode,
    pub to: Mode,
    pub because: Resource,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeOf {
    Space(crate::ids::SpaceId),
    Shard(u32),
}

/// Holds a mode until it has not been asked for during `CALM_DOWN_MS`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeper {
    mode: Mode,
    quiet: Option<Now>,
}

impl Keeper {
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// `up` is what the thresholds ask for, `down` what they ask for with their hysteresis. Returns the mode before, if it changed.
    pub(crate) fn look(&mut self, up: Mode, down: Mode, now: Now) -> Option<Mode> {
        let from = self.mode;
        if up > from {
            self.mode = up;
            self.quiet = None;
            return Some(from);
        }
        if down >= from {
            self.quiet = None;
            return None;
        }
        let since = *self.quiet.get_or_insert(now);
        if now.since(since) < CALM_DOWN_MS * 1_000 {
            return None;
        }
        self.quiet = Some(now);
        self.mode = if from == Mode::Storm {
            Mode::Busy.max(down)
        } else {
            down
        };
        Some(from)
    }
}

/// What a share of something used asks for: storm above `storm`, busy above `busy`.
pub(crate) fn by_share(share: f64, busy: f64, storm: f64) -> Mode {
    if share >= storm {
        Mode::Storm
    } else if share >= busy {
        Mode::Busy
    } else {
        Mode::Calm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stricter_at_once_and_laxer_after_quiet() {
        let mut keeper = Keeper::default();
        let look = |keeper: &mut Keeper, up, down, ms| keeper.look(up, down, Now::from_millis(ms));
        assert_eq!(
            look(&mut keeper, Mode::Storm, Mode::Storm, 0),
            Some(Mode::Calm)
        );
        assert_eq!(
            look(&mut keeper, Mode::Busy, Mode::Storm, 60_000),
            None,
            "hysteresis"
        );
        assert_eq!(look(&mut keeper, Mode::Calm, Mode::Calm, 61_000), None);
        assert_eq!(
            look(&mut keeper, Mode::Storm, Mode::Storm, 70_000),
            None,
            "quiet begins anew"
        );
        assert_eq!(look(&mut keeper, Mode::Calm, Mode::Calm, 71_000), None);
        assert_eq!(
            look(&mut keeper, Mode::Calm, Mode::Calm, 81_000),
            Some(Mode::Storm)
        );
        assert_eq!(keeper.mode(), Mode::Busy, "one at a time");
        assert_eq!(
            look(&mut keeper, Mode::Calm, Mode::Calm, 91_000),
            Some(Mode::Busy)
        );
        assert_eq!(keeper.mode(), Mode::Calm);
    }
}
