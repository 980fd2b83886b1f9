//! What the usher and the operators tell: events, wishes, prepared answers, how the node stands.

use std::io::Write as _;

use bytes::Bytes;
use hustings_control::gate::{LadderEvent, Load, ModeEvent, Resource, Shut, Step};
use hustings_control::ids::SpaceId;
use hustings_evidence::row::Happening;

/// What happened to the node: at its door, by its operators, and its alarms: stored, shown, and named in the report.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum NodeEvent {
    Ladder(LadderEvent),
    Mode(ModeEvent),
    /// A start, a change of the configuration, an operator's action.
    Happening(Happening),
    /// An operator did something.
    Action(crate::actions::Done),
    /// An alarm has come or gone.
    Alarm(crate::alarms::Change),
}

impl NodeEvent {
    pub(super) fn log(&self) {
        match self {
            Self::Happening(happening) => tracing::info!(
                what = ?happening.what, name = happening.name.as_str(), before = happening.before.as_str(),
                after = happening.after.as_str(), space = happening.space.as_ref().map(SpaceId::as_str), "this happened"
            ),
            Self::Ladder(step) => tracing::info!(
                from = ?step.from, to = ?step.to, because = ?step.because, permille = step.permille, "the ladder moved a step"
            ),
            Self::Mode(mode) => tracing::info!(
                of = ?mode.of, from = mode.from.name(), to = mode.to.name(), because = ?mode.because, "the door's mode changed"
            ),
            Self::Action(done) => {
                tracing::info!(does = done.does, space = ?done.space, what = done.what, "an operator acted");
            }
            Self::Alarm(change) if change.raised => tracing::warn!(
                alarm = change.alarm.alarm.name(), space = ?change.alarm.space, what = change.alarm.what, "an alarm was raised"
            ),
            Self::Alarm(change) => tracing::info!(
                alarm = change.alarm.alarm.name(), space = ?change.alarm.space, "an alarm has cleared"
            ),
        }
    }
}

/// What an operator says about one space's door.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorWish {
    /// Share of the node's seats that this space always gets; none: the node's setting.
    pub guaranteed: Option<f64>,
    /// Listeners at most; none: as many as there are seats.
    pub limit: Option<u32>,
    /// Nobody new comes in; those inside stay.
    pub paused: bool,
    /// There is no public door at all: newcomers do not even wait. Those inside stay.
    pub dropped: bool,
}

impl DoorWish {
    pub fn shut(&self) -> Shut {
        match self {
            Self { dropped: true, .. } => Shut::Dropped,
            Self { paused: true, .. } => Shut::Paused,
            Self { .. } => Shut::No,
        }
    }
}

/// An answer that is made once a second and sent to everybody who asks: `serving.json`, or the status page.
pub struct Serving {
    pub body: Bytes,
    /// 16 hex digits, without quotes.
    pub etag: u64,
    /// Response head and body, for the hot path.
    pub whole: Bytes,
}

impl Serving {
    /// `lines` are the header lines that it has of its own, each with its end.
    pub fn new(body: Vec<u8>, lines: &str) -> Self {
        let hash = blake3::hash(&body);
        let mut etag = [0; 8];
        etag.copy_from_slice(&hash.as_bytes()[..8]);
        let etag = u64::from_be_bytes(etag);
        let mut whole = Vec::with_capacity(body.len() + lines.len() + 256);
        // Writing to a Vec does not fail.
        let _ = write!(
            whole,
            "HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\nETag: \"{etag:016x}\"\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\n\r\n",
            body.len()
        );
        whole.extend_from_slice(&body);
        Self {
            body: Bytes::from(body),
            etag,
            whole: Bytes::from(whole),
        }
    }
}

/// What the usher has told last.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub capacity: u32,
    pub out: u32,
    pub short: Resource,
    pub step: Step,
    pub load: Load,
}
