//! What a run tells. The JSON is a promise: docs/simulate.md describes it.

use serde::Serialize;

use crate::harm::{InsideHarm, SampleHarm};
use crate::kind::Kind;
use crate::scenario::{BadScenario, Night, Scenario};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the flags said; none of a scenario's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
    /// All that was rehearsed, whole.
    pub night: Night,
    pub shards: u32,
    pub sums: Sums,
    pub kinds: Vec<KindReport>,
    pub inside_most: u32,
    pub inside_at_end: u32,
    /// The fewest seats that the load left.
    pub capacity_least: u32,
    /// Knocks at the gates, and in the busiest second.
    pub knocks: u64,
    pub knocks_busiest_second: u64,
    /// Resume tickets asked for by those inside.
    pub renewals: u64,
    pub places_issued: u64,
    pub places_called: u64,
    /// Times that the node made `serving.json`, and times that a cache answered with it.
    pub serving_made: u64,
    pub serving_read: u64,
    /// Seats held for a ticket that did not come.
    pub held_unused: u64,
    /// Connections lost by the scenario's troubles.
    pub fell_out: u64,
    /// Attempts that met no node, and those whose TLS handshake failed.
    pub unreachable: u64,
    pub handshakes_failed: u64,
    /// Connections whose heads never ended, and those of them that were closed before their deadline to make room.
    pub slow_heads: u64,
    pub slow_heads_shed: u64,
    /// Seats that the replayed right had at once.
    pub most_seats_of_one_right: u32,
    pub puzzles: u64,
    pub puzzle_hardest: u32,
    /// Seconds that nine of ten honest solvers needed at most.
    pub puzzle_p90_s: Option<f64>,
    pub inside: InsideHarm,
    pub sample: SampleHarm,
    /// The second space's wait when nobody else was there.
    pub beside_wait_p99_alone_s: Option<f64>,
    pub events: Vec<Event>,
    /// Events beyond those told.
    pub events_more: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Vec<PrefixShare>>,
}

/// People: `offered` is the sum of the others, exactly; else there is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sums {
    pub offered: u64,
    /// Heard the sound.
    pub admitted: u64,
    /// Still wait at the end.
    pub waiting: u64,
    /// Gave up waiting.
    pub left: u64,
    /// Only ever knocked and were never let in.
    pub shed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindReport {
    pub kind: Kind,
    pub people: u64,
    pub admitted: u64,
    pub waiting_at_end: u64,
    pub gave_up: u64,
    pub shed: u64,
    pub inside_at_end: u64,
    /// Were inside and left when they wanted to.
    pub left: u64,
    /// Seconds from the first knock to the sound, of those admitted.
    pub wait_p50_s: Option<f64>,
    pub wait_p99_s: Option<f64>,
    /// Reads of `serving.json`, reloads and retries, a person who had to wait.
    pub polls_per_waiter: Option<f64>,
    /// Knocks, and what became of them: `seated`, `took_over`, `proving` and all of `refused` are their sum.
    pub knocks: u64,
    pub seated: u64,
    /// Of those seated: while the door was calm and everybody was let in.
    pub seated_calm: u64,
    pub took_over: u64,
    pub proving: u64,
    pub refused: Vec<Refused>,
    /// Of those who lost the connection: who heard again, and how soon.
    pub back: u64,
    pub back_p50_s: Option<f64>,
    pub back_within_30_s: Option<f64>,
}

/// Knocks told to wait for this cause, or turned away for this reason, by the gate's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub reason: &'static str,
    pub knocks: u64,
}

/// A change of mode or a step of the ladder, as the usher told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub wall_ms: u64,
    pub what: String,
}

/// What one network of the crowd had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PrefixShare {
    pub network: u32,
    pub people: u64,
    pub admitted: u64,
    pub inside: u64,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Scenario(#[from] BadScenario),
    #[error("the gate refuses its settings: {0}")]
    Setting(String),
    #[error("{inside} seats are taken or leased, of {seats}")]
    Seats { inside: u32, seats: u32 },
    #[error("of {1} people of kind {0}, {2} are accounted for")]
    People(&'static str, u64, u64),
    #[error("the gates counted other knocks than were made")]
    Knocks,
    #[error("{0} seats did not come back")]
    Returned(u32),
    #[error("a forged or foreign right was let in")]
    Forged,
}

impl Report {
    pub fn kind(&self, kind: Kind) -> Option<&KindReport> {
        self.kinds.iter().find(|report| report.kind == kind)
    }

    pub(crate) fn beside_alone(&mut self, alone: &Self) {
        self.beside_wait_p99_alone_s = alone.kind(Kind::Beside).and_then(|kind| kind.wait_p99_s);
    }
}
