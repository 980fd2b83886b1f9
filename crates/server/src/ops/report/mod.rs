//! The report about a space: what happened, minute by minute, in words, charts and tables. One HTML file that needs nothing
//! else, and the same as JSON; for operators, and for the public without what could point to somebody.

mod chart;
mod drawn;
mod load;
mod page;

use hustings_control::ids::SpaceId;
use hustings_evidence::judge::words::plain;
use hustings_evidence::judge::{Facts, Finding, Minute, Proven, Second, judge, minutes, say};
use hustings_evidence::row::{Happening, What};
use serde::Serialize;

pub use self::load::{load, of_virtual};

/// Happenings that a report lists; later ones are counted.
const HAPPENINGS_MAX: usize = 1_000;

/// What a report is made of.
pub struct Records {
    pub space: SpaceId,
    pub title: String,
    /// Of this space.
    pub seconds: Vec<Second>,
    pub happenings: Vec<Happening>,
    pub proof: Proof,
    pub proven: Option<Proven>,
}

/// Whether the records are as the node wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    pub whole: bool,
    /// In a sentence: what was checked, or the first place that does not hold.
    pub words: String,
    /// The last line's hash and the node's key, in hex digits: to compare with what was published.
    pub hash: String,
    pub key: String,
}

/// Each with its definition in `NUMBERS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    pub attempts: u64,
    pub admitted: u64,
    pub peak: u64,
    /// Seconds since 1970.
    pub peak_at: u64,
    pub listened_60s: u64,
    pub listener_minutes: u64,
    pub told_to_wait: u64,
    pub turned_away: u64,
    /// Of attempts, admitted, those who listened for 60 s, and listener-minutes: a rehearsal's.
    pub rehearsed: u64,
    pub rehearsed_admitted: u64,
    pub rehearsed_60s: u64,
    pub rehearsed_minutes: u64,
    /// Most listeners of rehearsals at once.
    pub rehearsed_peak: u64,
}

/// The JSON is a promise: docs/verdict.md describes it. Add, never change.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub version: u32,
    pub space: SpaceId,
    pub title: String,
    /// For everybody: without what could point to somebody.
    pub public: bool,
    pub proof: Proof,
    pub finding: Finding,
    pub numbers: Numbers,
    pub minutes: Vec<Minute>,
    pub happenings: Vec<Told>,
    /// Beyond those told.
    pub happenings_more: usize,
    #[serde(skip)]
    seconds: Vec<Second>,
}

/// A happening as the report tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Seconds since 1970.
    pub at: u64,
    pub what: What,
    pub words: String,
}

impl Report {
    pub fn new(records: &Records, public: bool) -> Self {
        let seconds = records.seconds.clone();
        let span = (
            seconds.first().map_or(0, |first| first.at),
            seconds.last().map_or(0, |last| last.at),
        );
        let happenings: Vec<Happening> = records
            .happenings
            .iter()
            .filter(|happening| concerns(happening, &records.space, span))
            .map(|happening| {
                if public {
                    without_names(happening)
                } else {
                    happening.clone()
                }
            })
            .collect();
        let facts = Facts {
            seconds: &seconds,
            happenings: &happenings,
            proven: records.proven,
        };
        let mut finding = judge(&facts);
        if public {
            for each in &mut finding.explanations {
                each.supporting.retain(|evidence| !evidence.private);
                each.against.retain(|evidence| !evidence.private);
            }
        }
        let told = happenings
            .iter()
            .take(HAPPENINGS_MAX)
            .map(|happening| Told {
                at: happening.at.0 / 1_000,
                what: happening.what,
                words: say(happening),
            });
        Self {
            version: 1,
            space: records.space.clone(),
            title: plain(&records.title),
            public,
            proof: Proof {
                words: plain(&records.proof.words),
                ..records.proof.clone()
            },
            numbers: numbers(&seconds),
            minutes: minutes(&seconds, &happenings),
            happenings: told.collect(),
            happenings_more: happenings.len().saturating_sub(HAPPENINGS_MAX),
            finding,
            seconds,
        }
    }

    /// One file with everything in it: no link leads out, no script runs.
    pub fn html(&self) -> String {
        page::page(self).into_string()
    }

    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

/// Of this space or of the node, within half an hour before the first row and after the last.
fn concerns(happening: &Happening, space: &SpaceId, (from, to): (u64, u64)) -> bool {
    const ROUND: u64 = 1_800;
    let at = happening.at.0 / 1_000;
    let near = at.saturating_add(ROUND) >= from && at <= to.saturating_add(ROUND);
    near && happening.space.as_ref().is_none_or(|of| of == space)
}

/// What people wrote by hand stays out of the public report; which setting was changed from what to what stays in.
fn without_names(happening: &Happening) -> Happening {
    let mut happening = happening.clone();
    if matches!(
        happening.what,
        What::OperatorActed | What::SpaceChanged | What::SpeakerLost | What::SpeakerBack
    ) {
        happening.name = "".into();
        happening.before = "".into();
        happening.after = "".into();
    }
    happening
}

fn numbers(seconds: &[Second]) -> Numbers {
    let mut numbers = Numbers::default();
    let (mut listener_seconds, mut rehearsed_seconds) = (0_u64, 0_u64);
    for second in seconds {
        numbers.attempts += u64::from(second.knocks.offered);
        numbers.admitted += u64::from(second.knocks.admitted());
        numbers.turned_away += u64::from(second.knocks.turned_away.sum());
        numbers.told_to_wait += u64::from(second.knocks.waiting.sum());
        numbers.listened_60s = numbers.listened_60s.saturating_add(second.stayed_60s);
        rehearsed(&mut numbers, second);
        rehearsed_seconds = rehearsed_seconds.saturating_add(second.rehearsed_inside);
        listener_seconds = listener_seconds.saturating_add(second.inside);
        if second.inside > numbers.peak {
            (numbers.peak, numbers.peak_at) = (second.inside, second.at);
        }
    }
    numbers.listener_minutes = listener_seconds / 60;
    numbers.rehearsed_minutes = rehearsed_seconds / 60;
    numbers
}

fn rehearsed(numbers: &mut Numbers, second: &Second) {
    for (sum, more) in [
        (&mut numbers.rehearsed, second.rehearsed),
        (&mut numbers.rehearsed_admitted, second.rehearsed_entered),
        (&mut numbers.rehearsed_60s, second.rehearsed_60s),
    ] {
        *sum = sum.saturating_add(more);
    }
    numbers.rehearsed_peak = numbers.rehearsed_peak.max(second.rehearsed_inside);
}

#[cfg(test)]
mod tests;
