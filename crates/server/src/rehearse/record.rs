//! What is kept of a rehearsal, and how the records of several drivers become one. The JSON is a promise: docs/rehearse.md
//! describes it.

use anyhow::{Context as _, ensure};
use hustings_rehearse::fit::{Claim, Driver, Point};
use serde::{Deserialize, Serialize};

use super::points;
use super::seen::Seen;

/// Changes when what a record means does.
pub const FORMAT: u32 = 1;
/// Drivers of one rehearsal.
pub const PARTS_MAX: u32 = 64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    /// Host and port.
    pub target: String,
    /// The scenario's name, or `claim`.
    pub what: String,
    pub seed: u64,
    pub scale: f64,
    /// Parts that are in it, counted from 1, and of how many.
    pub parts: Vec<u32>,
    pub of: u32,
    /// Unix milliseconds.
    pub begun_ms: u64,
    pub lasted_s: f64,
    /// The permit's id; none: this machine, without one.
    pub permit: Option<String>,
    /// Why it ended before its time.
    pub ended_early: Option<String>,
    /// Why the driver was what was measured, over the whole time or while one of the loads was held.
    #[serde(default)]
    pub bottleneck: Option<String>,
    pub seen: Seen,
    pub points: Vec<Point>,
    pub not_rehearsed: Vec<String>,
    /// Made of the points when they are complete.
    #[serde(skip_deserializing)]
    pub claim: Option<Claim>,
    /// The same scenario in the virtual world, and by how much it differs.
    pub simulated: Vec<Beside>,
}

/// One figure of both worlds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    pub what: String,
    pub wire: f64,
    pub simulated: f64,
}

impl Record {
    /// Says what the driver and the points allow to say.
    pub fn conclude(&mut self) {
        self.bottleneck = self.driver().saturated();
        if self.points.is_empty() {
            return;
        }
        let mut claim = Claim::of(&self.points, self.seed, &self.not_rehearsed);
        if self.parts.len() as u32 != self.of {
            claim.capacity = None;
            claim.refused.push(format!(
                "{} of {} drivers' records are here",
                self.parts.len(),
                self.of
            ));
        }
        if let Some(why) = &self.ended_early {
            claim.capacity = None;
            claim
                .refused
                .push(format!("the rehearsal ended early: {why}"));
        }
        self.claim = Some(claim);
    }

    /// How the driver fared over the whole time; while loads are held it is looked at with each of them.
    pub(super) fn driver(&self) -> Driver {
        let held = self.points.iter().map(|point| &point.driver);
        held.fold(self.seen.driver, |all, one| all.worse(one))
    }

    /// One record of the parts of one rehearsal.
    ///
    /// # Errors
    /// When they are not parts of the same.
    pub fn merge(records: &[Self]) -> anyhow::Result<Self> {
        let first = records.first().context("no records to put together")?;
        let mut all = first.clone();
        let held: Vec<&[Point]> = records
            .iter()
            .map(|record| record.points.as_slice())
            .collect();
        all.points = points::together(&held);
        for record in records {
            ensure!(
                record.format == FORMAT,
                "a record of format {}, and this is {FORMAT}",
                record.format
            );
        }
        for record in &records[1..] {
            let same = (&record.target, &record.what, record.seed, record.of)
                == (&first.target, &first.what, first.seed, first.of)
                && record.scale.to_bits() == first.scale.to_bits();
            ensure!(
                same,
                "these are records of different rehearsals: {} of {}, and {} of {}",
                first.what,
                first.target,
                record.what,
                record.target
            );
            for part in &record.parts {
                ensure!(!all.parts.contains(part), "part {part} stands twice");
            }
            all.parts.extend(&record.parts);
            all.seen.merge(&record.seen);
            all.begun_ms = all.begun_ms.min(record.begun_ms);
            all.lasted_s = all.lasted_s.max(record.lasted_s);
            all.ended_early = all
                .ended_early
                .take()
                .or_else(|| record.ended_early.clone());
            // Each figure of one part says nothing of the whole.
            all.simulated.clear();
        }
        all.parts.sort_unstable();
        all.conclude();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use hustings_control::gate::Resource;
    use hustings_rehearse::fit::Use;

    use super::*;

    fn record(part: u32) -> Record {
        let mut points = Vec::new();
        for round in 1..=2 {
            for load in [100.0, 200.0, 300.0, 400.0, 500.0_f64] {
                let uses = vec![Use {
                    resource: Resource::Files,
                    used: load * 2.0 + 4.0,
                    limit: 1_504.0,
                }];
                points.push(Point {
                    round,
                    listeners: load,
                    uses,
                    ..Point::default()
                });
            }
        }
        Record {
            format: FORMAT,
            target: "127.0.0.1:8080".into(),
            what: "claim".into(),
            seed: 1,
            scale: 1.0,
            parts: vec![part],
            of: 2,
            begun_ms: 1,
            lasted_s: 60.0,
            permit: None,
            ended_early: None,
            bottleneck: None,
            seen: Seen::default(),
            points,
            not_rehearsed: Vec::new(),
            claim: None,
            simulated: Vec::new(),
        }
    }

    #[test]
    fn two_halves_claim_what_one_half_may_not() {
        let mut half = record(1);
        half.conclude();
        let claim = half.claim.expect("concluded");
        assert!(
            claim.capacity.is_none()
                && claim
                    .refused
                    .iter()
                    .any(|why| why.contains("1 of 2 drivers"))
        );
        let json = serde_json::to_string(&record(2)).unwrap();
        let other: Record = serde_json::from_str(&json).unwrap();
        let whole = Record::merge(&[record(1), other]).unwrap();
        let capacity = whole
            .claim
            .and_then(|claim| claim.capacity)
            .expect("a claim");
        // Of 1,500 seats 15 are kept for who comes back.
        assert_eq!(
            (capacity.listeners.value, capacity.ends_first),
            (1_485.0, Some(Resource::Files))
        );
    }

    #[test]
    fn a_driver_that_was_the_bottleneck_is_told_with_a_claim_and_without() {
        let mut night = Record {
            points: Vec::new(),
            ..record(1)
        };
        night.conclude();
        assert_eq!(night.bottleneck, None);
        night.seen.driver.cpu = 0.9;
        night.conclude();
        let why = night.bottleneck.as_deref().unwrap_or_default();
        assert!(why.contains("90 % of its core"), "{why}");
        let mut claim = record(1);
        claim.points[3].driver.late_p99_ms = 80.0;
        claim.conclude();
        let json = serde_json::to_value(&claim).expect("JSON");
        let why = json["bottleneck"].as_str().unwrap_or_default();
        assert!(why.contains("80 ms late"), "{why}");
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        assert!(Record::merge(&[]).is_err());
        assert!(Record::merge(&[record(1), record(1)]).is_err());
        let other = Record {
            target: "127.0.0.1:9999".into(),
            ..record(2)
        };
        assert!(Record::merge(&[record(1), other]).is_err());
        let newer = Record {
            format: 2,
            ..record(2)
        };
        assert!(Record::merge(&[record(1), newer]).is_err());
        let cut = Record {
            ended_early: Some("the operator ended it".into()),
            ..record(2)
        };
        assert!(
            Record::merge(&[record(1), cut])
                .unwrap()
                .claim
                .unwrap()
                .capacity
                .is_none()
        );
    }
}
