//! Rehearsals that are over, as the data folder keeps them: what preflight, reports and the board go by.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Rehearsals that are kept; of more the oldest go.
const KEPT_MAX: usize = 200;
/// In the data folder.
const FILE: &str = "rehearsals.json";
/// Bytes of that file: all that are kept, each with all of its drivers, are fewer.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Drivers of one rehearsal that are heard.
pub(crate) const DRIVERS_MAX: u32 = 64;
/// Characters of what a driver calls its rehearsal, or of why it stopped.
const WORDS_MAX: usize = 80;

/// A rehearsal that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Kept {
    /// The permit's, 16 hex digits.
    pub id: String,
    /// Unix milliseconds of its first and its last request.
    pub begun: u64,
    pub ended: u64,
    /// The operator ended it.
    pub stopped: bool,
    /// Requests for sound that were let in, and listeners at once at most: this node's own count.
    pub joins: u64,
    pub peak: u64,
    /// Its listeners whom this node closed because they fell off the ring.
    pub too_slow: u64,
    /// Requests refused for being more than the permit allows.
    pub over: u64,
    /// What its drivers told when they had done; empty when they did not come so far.
    pub outcomes: Vec<Outcome>,
}

/// What one driver tells of its part when it has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Outcome {
    /// The scenario's name, or `claim`.
    pub what: String,
    /// This driver, counted from 1, and of how many.
    pub part: u32,
    pub of: u32,
    pub came: u64,
    pub heard: u64,
    /// Never heard anything: waited to the end, or gave up.
    pub unheard: u64,
    /// Streams with gaps, streams that were none, and connections lost that nobody had planned.
    pub harmed: u64,
    /// Why the driver was the bottleneck, if it was.
    pub bottleneck: Option<String>,
    /// Why it ended before its time, if it did.
    pub ended_early: Option<String>,
    /// What was claimed; none: no claim was asked for, or none could be made.
    pub claimed: Option<Claimed>,
}

/// Listeners that were claimed, with the 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Claimed {
    pub listeners: f64,
    pub low: f64,
    pub high: f64,
}

impl Outcome {
    /// Bounded and without what would garble a page; none when it is no part of anything.
    pub(crate) fn bounded(mut self) -> Option<Self> {
        self.what = short(&self.what);
        self.bottleneck = self.bottleneck.as_deref().map(short);
        self.ended_early = self.ended_early.as_deref().map(short);
        let finite = |one: &Claimed| {
            [one.listeners, one.low, one.high]
                .iter()
                .all(|n| n.is_finite())
        };
        self.claimed = self.claimed.filter(finite);
        let whole = (1..=self.of).contains(&self.part) && self.of <= DRIVERS_MAX;
        whole.then_some(self)
    }
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect()
}

impl Kept {
    /// Whether all of its drivers have told.
    pub fn is_whole(&self) -> bool {
        let of = self.outcomes.first().map_or(0, |first| first.of);
        of > 0 && self.outcomes.len() == of as usize
    }

    /// Every driver came to its end without being the bottleneck, and nobody who listened was harmed.
    pub fn passed(&self) -> bool {
        let well = |one: &Outcome| {
            one.harmed == 0 && one.bottleneck.is_none() && one.ended_early.is_none()
        };
        !self.stopped
            && self.peak > 0
            && self.too_slow == 0
            && self.is_whole()
            && self.outcomes.iter().all(well)
    }

    /// Listeners at once that it has shown this node to hold; 0 when it did not pass.
    pub fn held(&self) -> u64 {
        if self.passed() { self.peak } else { 0 }
    }

    /// In words: what it was, and how it went.
    pub fn words(&self) -> String {
        let sum = |of: fn(&Outcome) -> u64| self.outcomes.iter().map(of).sum::<u64>();
        let Some(first) = self.outcomes.first() else {
            let why = if self.stopped {
                "the operator ended it"
            } else {
                "its driver told no end"
            };
            return format!("{why}; {} listened at once", self.peak);
        };
        let how = if self.stopped {
            "the operator ended it".to_owned()
        } else if self.passed() {
            "passed".to_owned()
        } else if let Some(why) = self
            .outcomes
            .iter()
            .find_map(|one| one.ended_early.as_ref().or(one.bottleneck.as_ref()))
        {
            format!("not passed: {why}")
        } else if self.is_whole() {
            format!(
                "not passed: {} were harmed",
                sum(|one| one.harmed) + self.too_slow
            )
        } else {
            format!(
                "not passed: {} of {} drivers told their end",
                self.outcomes.len(),
                first.of
            )
        };
        format!(
            "{}, {how}; {} of {} heard, {} listened at once",
            first.what,
            sum(|one| one.heard),
            sum(|one| one.came),
            self.peak
        )
    }
}

/// The most listeners at once that a rehearsal which passed has shown in this data folder, of those over before `until` (Unix
/// milliseconds). None without such a rehearsal.
///
/// # Errors
/// When the file cannot be read.
pub fn proven(data: &Path, until: u64) -> anyhow::Result<Option<u64>> {
    let before = read(data)?.into_iter().filter(|one| one.ended < until);
    Ok(before.map(|one| one.held()).filter(|held| *held > 0).max())
}

/// Of those that ended since then (Unix milliseconds) the one that has held most; the newest when none passed.
pub(crate) fn best(all: &[Kept], since: u64) -> Option<&Kept> {
    let recent = all.iter().filter(|one| one.ended >= since);
    recent.max_by_key(|one| (one.held(), one.ended))
}

/// All that the data folder keeps, oldest first; none when nothing was ever rehearsed.
///
/// # Errors
/// When the file cannot be read.
pub fn read(data: &Path) -> anyhow::Result<Vec<Kept>> {
    let file = data.join(FILE);
    let told = || format!("{} cannot be read", file.display());
    let len = match std::fs::metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.with_context(told)?.len(),
    };
    ensure!(
        len <= FILE_BYTES_MAX,
        "{} is larger than any that a node writes",
        file.display()
    );
    serde_json::from_str(&std::fs::read_to_string(&file).with_context(told)?).with_context(told)
}

/// One more; the oldest beyond what is kept go.
pub(super) fn add(all: &mut Vec<Kept>, one: Kept) {
    all.push(one);
    let more = all.len().saturating_sub(KEPT_MAX);
    all.drain(..more);
}

/// # Errors
/// When the file cannot be written.
pub(super) fn write(data: &Path, all: &[Kept]) -> anyhow::Result<()> {
    crate::api::secrets::write(&data.join(FILE), &serde_json::to_string(all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(peak: u64, ended: u64) -> Kept {
        let outcome = Outcome {
            what: "claim".to_owned(),
            part: 1,
            of: 1,
            came: peak,
            heard: peak,
            ..Outcome::default()
        };
        Kept {
            peak,
            ended,
            joins: peak,
            outcomes: vec![outcome],
            ..Kept::default()
        }
    }

    #[test]
    fn a_rehearsal_passes_when_all_of_it_went_well() {
        let good = kept(40, 5);
        assert_eq!((good.passed(), good.held()), (true, 40));
        assert_eq!(
            good.words(),
            "claim, passed; 40 of 40 heard, 40 listened at once"
        );
        let with = |change: fn(&mut Kept)| {
            let mut one = kept(40, 5);
            change(&mut one);
            one
        };
        for bad in [
            with(|one| one.stopped = true),
            with(|one| one.too_slow = 1),
            with(|one| one.peak = 0),
            with(|one| one.outcomes.clear()),
            with(|one| one.outcomes[0].of = 2),
            with(|one| one.outcomes[0].harmed = 1),
            with(|one| one.outcomes[0].bottleneck = Some("it used 90 % of its core".to_owned())),
            with(|one| one.outcomes[0].ended_early = Some("it was ended".to_owned())),
        ] {
            assert_eq!((bad.passed(), bad.held()), (false, 0), "{}", bad.words());
            assert!(!bad.words().contains(", passed"), "{}", bad.words());
        }
    }

    #[test]
    fn the_most_that_was_held_before_is_what_is_proven() {
        let data = tempfile::tempdir().expect("a folder");
        assert_eq!(proven(data.path(), 100).expect("read"), None);
        let mut all = Vec::new();
        for (peak, ended) in [(40, 5), (90, 9), (200, 50)] {
            add(&mut all, kept(peak, ended));
        }
        all[1].outcomes[0].harmed = 3;
        write(data.path(), &all).expect("written");
        assert_eq!(read(data.path()).expect("read"), all);
        let best = |since| best(&all, since).map(|one| one.ended);
        assert_eq!((best(0), best(6), best(51)), (Some(50), Some(50), None));
        assert_eq!(proven(data.path(), 40).expect("read"), Some(40));
        assert_eq!(proven(data.path(), 100).expect("read"), Some(200));
        std::fs::write(data.path().join(FILE), "nonsense").expect("written");
        assert!(proven(data.path(), 100).is_err());
    }

    #[test]
    fn no_more_are_kept_than_may_be_and_drivers_words_are_bounded() {
        let mut all = Vec::new();
        (0..KEPT_MAX as u64 + 5).for_each(|at| add(&mut all, kept(at, at)));
        assert_eq!((all.len(), all[0].peak), (KEPT_MAX, 5));
        let outcome = |part, of, what: &str| Outcome {
            part,
            of,
            what: what.to_owned(),
            ..Outcome::default()
        };
        let long = outcome(1, 1, &"a\n".repeat(500)).bounded().expect("a part");
        assert_eq!(long.what, "a".repeat(WORDS_MAX));
        for (part, of) in [(0, 1), (2, 1), (0, 0), (1, DRIVERS_MAX + 1)] {
            assert_eq!(outcome(part, of, "x").bounded(), None, "{part} of {of}");
        }
    }
}
