//! What happens at the door and to the node: told to the log, the records and the flight recorder.

use hustings_control::gate::{ModeOf, Step};
use hustings_control::ids::SpaceId;
use hustings_evidence::row::{Happening, Text, What, Who};
use tokio::sync::mpsc;

use super::{DoorWish, Entrance, NodeEvent, limits, lock};
use crate::alarms::{Change, Kind};
use crate::ops::flight::{self, Flight};

impl Entrance {
    /// Where events go to be stored. Whoever takes them may be slow: what does not fit is only logged.
    pub fn store_events(&self) -> mpsc::Receiver<NodeEvent> {
        let (sender, receiver) = mpsc::channel(limits::EVENTS_QUEUED);
        lock(&self.to_store).replace(sender);
        receiver
    }

    /// Where all that happens is recorded from now on.
    pub fn record_to(&self, flight: Flight) {
        lock(&self.flight).replace(flight);
    }

    /// Something that is not the door's own doing: stored and recorded with the door's events.
    pub fn happened(&self, happening: Happening) {
        self.note(NodeEvent::Happening(happening));
    }

    pub(crate) fn note(&self, event: NodeEvent) {
        event.log();
        if let Some(flight) = lock(&self.flight).as_ref() {
            let happening = event.happening(self.clock.now().0 / 1_000);
            // Of actions and alarms those are recorded where they happen that have a name of their own there.
            if event.is_recorded_here(&happening) {
                flight.note(happening);
            }
        }
        if let Some(store) = lock(&self.to_store).as_ref()
            && store.try_send(event.clone()).is_err()
        {
            tracing::warn!("an event of the door could not be stored");
        }
        let mut events = lock(&self.events);
        if events.len() >= limits::EVENTS_SHOWN {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// An operator has changed what a door goes by.
    pub(crate) fn wished(&self, space: &SpaceId, before: &DoorWish, wish: &DoorWish) {
        let told = |what, name: &str, before: String, after: String| {
            self.happened(Happening {
                what,
                who: Who::Operator,
                space: Some(space.clone()),
                name: name.into(),
                before: before.as_str().into(),
                after: after.as_str().into(),
                ..flight::happening(&self.clock)
            });
        };
        if before.paused != wish.paused {
            let what = if wish.paused {
                What::DoorPaused
            } else {
                What::DoorResumed
            };
            told(what, "", String::new(), String::new());
        }
        let limit = |limit: Option<u32>| limit.map_or_else(String::new, |limit| limit.to_string());
        if before.limit != wish.limit {
            let (before, after) = (limit(before.limit), limit(wish.limit));
            told(What::LimitChanged, "limit", before, after);
        }
        let share = |share: Option<f64>| share.map_or_else(String::new, |share| share.to_string());
        if before.guaranteed != wish.guaranteed {
            let (before, after) = (share(before.guaranteed), share(wish.guaranteed));
            told(What::LimitChanged, "guaranteed", before, after);
        }
    }
}

impl NodeEvent {
    pub(super) fn is_recorded_here(&self, happening: &Happening) -> bool {
        match self {
            Self::Action(done) => ["drop", "restore", "tell"].contains(&done.does.as_str()),
            Self::Alarm(_) => happening.what != What::default(),
            Self::Ladder(_) | Self::Mode(_) | Self::Happening(_) => true,
        }
    }

    /// `up_ms`: milliseconds since the node's start.
    pub(super) fn happening(&self, up_ms: u64) -> Happening {
        match self {
            Self::Ladder(step) => Happening {
                at: step.at,
                up_ms,
                what: What::Ladder,
                name: text(&step.because),
                before: name_of(step.from),
                after: name_of(step.to),
                number: i64::from(step.permille),
                ..Happening::default()
            },
            Self::Mode(mode) => Happening {
                at: mode.at,
                up_ms,
                what: What::Mode,
                who: Who::Node,
                space: match &mode.of {
                    ModeOf::Space(space) => Some(space.clone()),
                    ModeOf::Shard(_) => None,
                },
                name: text(&mode.because),
                before: mode.from.name().into(),
                after: mode.to.name().into(),
                ..Happening::default()
            },
            Self::Happening(happening) => happening.clone(),
            Self::Action(done) => Happening {
                at: done.at,
                up_ms,
                what: What::OperatorActed,
                who: Who::Operator,
                space: done.space.clone(),
                name: done.does.as_str().into(),
                ..Happening::default()
            },
            Self::Alarm(change) => alarm(change, up_ms),
        }
    }
}

/// Of those that have a name of their own; the others stand in the rows.
fn alarm(change: &Change, up_ms: u64) -> Happening {
    let what = match (change.alarm.alarm, change.raised) {
        (Kind::DeadAir, true) => What::DeadAir,
        (Kind::DeadAir, false) => What::DeadAirOver,
        (Kind::Disk, true) => What::DiskFull,
        (Kind::Disk, false) => What::DiskBack,
        (Kind::Dependency, true) => What::DatabaseGone,
        (Kind::Dependency, false) => What::DatabaseBack,
        (Kind::Certificate, true) => What::CertificateExpires,
        _ => What::default(),
    };
    Happening {
        at: change.at,
        up_ms,
        what,
        who: Who::Node,
        space: change.alarm.space.clone(),
        name: change.alarm.alarm.name().into(),
        ..Happening::default()
    }
}

fn name_of(step: Step) -> Text {
    text(&step)
}

/// The name that the JSON of an enum has.
fn text(value: &impl serde::Serialize) -> Text {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().into()
}
