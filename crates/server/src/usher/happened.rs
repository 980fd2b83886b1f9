//! What the door does, as the flight recorder writes it.

use hustings_control::gate::{ModeOf, Step};
use hustings_evidence::row::{Happening, Text, What, Who};

use super::NodeEvent;

impl NodeEvent {
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
        }
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
