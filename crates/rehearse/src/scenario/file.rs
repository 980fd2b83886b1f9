//! A scenario as it stands in its file. docs/scenarios.md describes it for people, docs/scenario.schema.json for editors.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::label::Label;
use super::range::Number;
use super::shape::Shape;
use crate::kind::Kind;

/// A scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// 3 to 64 characters of a-z, 0-9 and '-'.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// What a report about it must say: flash-crowd, attack:KIND, reconnect-storm, own-mistake:WHAT, dependency-failure:WHAT,
    /// undetermined or quiet. Several when several things happen.
    pub label: Vec<Label>,
    /// What people, seats and files are multiplied by, unless `--scale` says another.
    #[serde(default = "whole")]
    pub scale: f64,
    /// Minutes.
    pub minutes: Number,
    /// Whatever happens by chance happens by this number, unless the caller says another.
    #[serde(default = "one")]
    pub seed: u64,
    /// Seats of the node. `--scale` multiplies them.
    pub seats: Number,
    /// Cores that carry listeners, each with its gate. 0: as many as the seats need.
    #[serde(default)]
    pub shards: u32,
    /// Open files that the node may have for the crowd. 0: they are never short. `--scale` multiplies them.
    #[serde(default = "zero")]
    pub files: Number,
    /// Networks that the crowd comes from, each with as many people. 0: one for eight people, some with many and most with few.
    #[serde(default = "zero")]
    pub networks: Number,
    /// What people and knocks cost a core; in the virtual world only.
    #[serde(default)]
    pub costs: FileCosts,
    /// Spaces of the node. What happens, happens to the first; the others show whether they notice.
    pub space: Vec<FileSpace>,
    /// Who comes to listen.
    #[serde(default)]
    pub crowd: Vec<FileCrowd>,
    /// Who comes to do harm.
    #[serde(default)]
    pub attack: Vec<FileAttack>,
    /// What else goes wrong.
    #[serde(default)]
    pub trouble: FileTroubles,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileSpace {
    /// As it stands in links.
    pub id: String,
    /// Seconds at which it begins: who was given a place before takes part in a draw.
    #[serde(default)]
    pub draw_s: Option<Number>,
    /// Seconds at which it goes live; music plays before. Default: with the draw, else from the first moment.
    #[serde(default)]
    pub live_s: Option<Number>,
    /// Share of the seats that it is guaranteed, 0 to 1. Default: the node's.
    #[serde(default)]
    pub guarantee: Option<Number>,
}

/// Microseconds of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileCosts {
    /// Each listener, each sweep.
    #[serde(default)]
    pub sweep_us: Option<Number>,
    /// More for each second of pages that a sweep writes to a listener.
    #[serde(default)]
    pub second_us: Option<Number>,
    /// A knock on a new connection.
    #[serde(default)]
    pub knock_us: Option<Number>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileCrowd {
    /// The space's id. Default: the first.
    #[serde(default)]
    pub space: Option<String>,
    /// `--scale` multiplies them.
    pub people: Number,
    /// Seconds at which the first come.
    #[serde(default = "zero")]
    pub from_s: Number,
    /// Seconds in which they come. Default: to the end.
    #[serde(default)]
    pub over_s: Option<Number>,
    /// How they arrive: steady, announced, push, cliff, or a list of points [share of the time, share of the people].
    #[serde(default)]
    pub curve: Shape,
    /// Kinds of people and their weights. Default: 550 page, 220 phone, 80 carrier, 50 no-script, 40 reloader, 30 invited, 20
    /// player, 10 effort.
    #[serde(default)]
    pub mix: BTreeMap<Kind, Number>,
    /// Mean minutes that somebody stays.
    #[serde(default = "quarter_hour")]
    pub stay_minutes: Number,
    /// Share that gives up waiting before the end, 0 to 1.
    #[serde(default = "zero")]
    pub impatient: Number,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileAttack {
    /// flood, forged, replay, native, prefixes, botnet, farm or slow-heads.
    pub kind: Kind,
    /// The space's id. Default: the first.
    #[serde(default)]
    pub space: Option<String>,
    /// So many times as many knocks (flood, forged, replay), connections (slow-heads), machines for a thousand (native) or
    /// people (the others) as there are people in all crowds together.
    pub factor: Number,
    /// Seconds at which it begins.
    #[serde(default = "zero")]
    pub from_s: Number,
    /// Seconds that it lasts. Default: to the end.
    #[serde(default)]
    pub for_s: Option<Number>,
    /// Mean minutes that those stay who get in and behave like people. Default: the whole night.
    #[serde(default)]
    pub stay_minutes: Option<Number>,
    /// Networks that it comes from. 0: as its kind does, mostly each machine from one of its own.
    #[serde(default = "zero")]
    pub networks: Number,
    /// Whether these are the crowd's own networks.
    #[serde(default)]
    pub from_the_crowds_networks: bool,
}

/// What else goes wrong, by kind, each any number of times.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FileTroubles {
    /// Connections of the first space are lost at once; their owners come again within seconds.
    pub connections_lost: Vec<LostConnections>,
    /// The node is killed and starts again: all connections are lost, and for a while nobody can connect.
    pub node_restart: Vec<Restart>,
    /// A new version or configuration is brought up, with other seats: a restart, and a change that is recorded.
    pub deploy: Vec<Deploy>,
    /// An operator sets how many a space may hold, and takes it back.
    pub limit_changed: Vec<LimitChanged>,
    /// No TLS handshake succeeds; in the virtual world only, and through a proxy of one's own.
    pub certificate_expired: Vec<Spell>,
    /// Nothing can be written: recordings stop, changes are refused, the sound goes on.
    pub disk_full: Vec<Spell>,
    /// Nothing can be changed or looked up: changes are refused after a time, the sound goes on.
    pub database_gone: Vec<Spell>,
    /// Whoever speaks is lost: dead air.
    pub speaker_lost: Vec<Spell>,
    /// Whoever speaks is muted, and nobody notices: dead air.
    pub speaker_muted: Vec<Spell>,
    /// The flight recorder loses rows: the evidence has holes.
    pub rows_lost: Vec<LostRows>,
    /// Listeners of the first space leave, as at the end of a match.
    pub leave: Vec<Leave>,
    /// The wall's clock steps.
    pub clock_step: Vec<ClockStep>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LostConnections {
    /// Seconds.
    pub at_s: Number,
    /// Of those inside, 0 to 1.
    pub share: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Seconds.
    pub at_s: Number,
    /// Seconds until it listens again.
    pub down_s: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Seconds.
    pub at_s: Number,
    /// Seconds until it listens again.
    pub down_s: Number,
    /// Of the seats before, 0 to 1.
    pub seats_share: Number,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitChanged {
    /// Seconds.
    pub at_s: Number,
    /// Seconds until it is taken back. Default: it is not.
    #[serde(default)]
    pub for_s: Option<Number>,
    /// The space's id. Default: the first.
    #[serde(default)]
    pub space: Option<String>,
    /// The new limit: share of the node's seats, 0 to 1.
    pub seats_share: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spell {
    /// Seconds.
    pub at_s: Number,
    /// Seconds that it lasts. Default: to the end.
    #[serde(default)]
    pub for_s: Option<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LostRows {
    /// Seconds.
    pub at_s: Number,
    /// Seconds that it lasts. Default: to the end.
    #[serde(default)]
    pub for_s: Option<Number>,
    /// Of the seconds, 0 to 1.
    pub share: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Seconds.
    pub at_s: Number,
    /// Of those inside, 0 to 1.
    pub share: Number,
    /// Seconds in which they go.
    pub over_s: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// Seconds.
    pub at_s: Number,
    /// Seconds by which the wall's clock is off from then on, up to five minutes either way.
    pub off_s: Number,
}

fn whole() -> f64 {
    1.0
}

fn one() -> u64 {
    1
}

fn zero() -> Number {
    Number::Said(0.0)
}

fn quarter_hour() -> Number {
    Number::Said(15.0)
}
