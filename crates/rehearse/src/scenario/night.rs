//! One night: a scenario whose numbers have been drawn. The input of the virtual world, and of whoever drives real sockets.

use serde::Serialize;

use super::label::Label;
use super::range::Sight;
use super::short::Costs;
use crate::kind::Kind;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Night {
    pub name: String,
    pub label: Vec<Label>,
    pub seed: u64,
    pub sight: Sight,
    pub millis: u32,
    pub seats: u32,
    /// Shards of the node, each with its gate and its core.
    pub shards: u32,
    /// Open files for the crowd; 0: never short.
    pub files: u32,
    pub networks: Networks,
    pub costs: Costs,
    /// The first is the one on trial.
    pub spaces: Vec<Space>,
    pub groups: Vec<Group>,
    /// By their times.
    pub troubles: Vec<Timed>,
    /// Whether the report tells what each network had.
    pub by_prefix: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Space {
    pub id: String,
    /// When it begins: places of before take part in a draw.
    pub draw_ms: Option<u32>,
    /// When it goes live; music plays before. None: it is live from the first moment.
    pub live_ms: Option<u32>,
    pub guarantee: Option<f64>,
}

/// Where honest people come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Networks {
    pub number: u32,
    /// Whether each has as many people; else some have many and most have few.
    pub alike: bool,
}

/// People who come by one curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub who: Who,
    pub people: u32,
    /// Index of the space.
    pub space: u8,
    /// The share that has come by each share of the time, ascending, with lines between.
    pub curve: Vec<(f64, f64)>,
    pub from_ms: u32,
    pub over_ms: u32,
    /// Mean.
    pub stay_ms: f64,
    /// Share that gives up waiting, and after how long at the earliest.
    pub impatient: f64,
    pub patience_ms: u32,
    /// For those who only knock: how often, and until when.
    pub knocks: Option<Knocks>,
    /// Networks of an attack; 0: as its kind does.
    pub networks: u32,
    /// Attackers in the crowd's own networks.
    pub among_the_crowd: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Weights of kinds.
    Mix(Vec<(Kind, f64)>),
    All(Kind),
}

/// One knock each so often, by half of it sooner or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Knocks {
    pub every_ms: u32,
    pub until_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timed {
    pub at_ms: u32,
    pub trouble: Trouble,
}

/// What goes wrong at one moment; what lasts begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Trouble {
    /// Connections of the first space, this share of those inside.
    ConnectionsLost {
        share: f64,
    },
    /// Killed; it listens again after so long, with so many seats. `deploy`: on purpose, and recorded as a change.
    NodeDown {
        down_ms: u32,
        seats: u32,
        deploy: bool,
    },
    /// A space's limit is set, or taken away.
    Limit {
        space: u8,
        seats: Option<u32>,
    },
    Certificate {
        expired: bool,
    },
    Disk {
        full: bool,
    },
    Database {
        gone: bool,
    },
    Speaker {
        lost: bool,
    },
    /// All who speak are muted.
    Muted {
        muted: bool,
    },
    /// The flight recorder loses this share of its seconds.
    RowsLost {
        share: f64,
    },
    /// Listeners of the first space leave, within so long.
    Leave {
        share: f64,
        over_ms: u32,
    },
    /// The wall's clock is off by so much from now on.
    ClockOff {
        by_ms: i64,
    },
}

impl Trouble {
    /// For people.
    pub fn words(self) -> String {
        let begins = |begins: bool, what: &str, over: &str| {
            let words = if begins { what } else { over };
            words.to_owned()
        };
        match self {
            Self::ConnectionsLost { share } => {
                format!("{:.0} % of the connections break", share * 100.0)
            }
            Self::NodeDown {
                down_ms,
                seats,
                deploy,
            } => {
                let how = if deploy { "is replaced" } else { "is killed" };
                let seconds = f64::from(down_ms) / 1_000.0;
                format!("the node {how}; up again after {seconds:.1} s with {seats} seats")
            }
            Self::Limit { seats, .. } => match seats {
                Some(seats) => format!("the space's limit is set to {seats}"),
                None => "the space's limit is taken away".to_owned(),
            },
            Self::Certificate { expired } => begins(
                expired,
                "the certificate expires",
                "a new certificate is there",
            ),
            Self::Disk { full } => begins(full, "the disk is full", "the disk has room again"),
            Self::Database { gone } => begins(gone, "the database is gone", "the database is back"),
            Self::Speaker { lost } => {
                begins(lost, "the speakers are lost", "the speakers are back")
            }
            Self::Muted { muted } => {
                begins(muted, "the speakers are muted", "the speakers are heard")
            }
            Self::RowsLost { share } => {
                format!("the recorder loses {:.0} % of its rows", share * 100.0)
            }
            Self::Leave { share, over_ms } => format!(
                "{:.0} % of those inside leave within {:.1} s",
                share * 100.0,
                f64::from(over_ms) / 1_000.0
            ),
            Self::ClockOff { by_ms } => format!("the wall's clock is off by {by_ms} ms"),
        }
    }
}

impl Night {
    /// Everybody who comes, attackers included.
    pub fn people(&self) -> u32 {
        self.groups.iter().map(|group| group.people).sum()
    }

    /// The spaces beside the first with nobody else there and nothing going wrong, to compare with.
    pub(crate) fn beside_alone(&self) -> Self {
        let mut night = self.clone();
        night.troubles.clear();
        night
            .groups
            .retain(|group| group.who == Who::All(Kind::Beside));
        night
    }

    pub(crate) fn has_beside(&self) -> bool {
        let beside = |group: &Group| group.who == Who::All(Kind::Beside) && group.people > 0;
        self.groups.iter().any(beside)
    }
}
