//! The claim: how many listeners an installation holds, by what was measured at some loads, and when nothing may be claimed.

use hustings_control::gate::Resource;
use hustings_control::gate::limits::{RESUME_READY_FROM, RESUME_READY_MAX, RESUME_READY_PART};
use serde::{Deserialize, Serialize};

use super::asking::Asking;
use super::curve::{Estimate, Line, Sample, Universal};

/// Loads that differ, and times that each is held: fewer tell a line from nothing.
pub const POINTS_LEAST: usize = 5;
pub const ROUNDS_LEAST: usize = 2;
/// No further than so many times the highest load tested.
pub const BEYOND_MOST: f64 = 2.0;
/// Share of a core above which the driver may be what was measured.
pub const DRIVER_CPU_MOST: f64 = 0.7;
/// Milliseconds by which the 99th of a hundred presses may be late for the same reason.
pub const DRIVER_LATE_MOST_MS: f64 = 50.0;
/// Of a hundred presses so many may fail for want of a port or a file of the driver's.
pub const DRIVER_UNSENT_MOST: f64 = 0.01;
/// A bend counts when it surely makes the furthest load claimed dearer by this share.
const BEND_LEAST: f64 = 0.02;

/// One load, held for a while.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Which time it was held, from 1.
    pub round: u32,
    /// Listeners inside, the mean of the time.
    pub listeners: f64,
    pub lasted_s: f64,
    pub uses: Vec<Use>,
    /// Listeners whose sound had a gap, or whose connection broke, and presses that were not let in.
    pub harmed: u64,
    /// Open files beside those of listeners, the most while people pressed to reach this load: whoever asks holds one too.
    #[serde(default)]
    pub asking: f64,
    pub driver: Driver,
}

/// What was used of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    pub resource: Resource,
    pub used: f64,
    /// Up to which the door lets people in.
    pub limit: f64,
}

/// How the driver itself fared. Of several processes the worst counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// Share of a core.
    pub cpu: f64,
    pub late_p99_ms: f64,
    /// Presses, and those of them that no port or file was left for.
    pub pressed: u64,
    pub unsent: u64,
}

impl Driver {
    /// Why what it measured says nothing about the server.
    pub fn saturated(&self) -> Option<String> {
        let unsent = self.unsent as f64 > self.pressed as f64 * DRIVER_UNSENT_MOST;
        if self.cpu > DRIVER_CPU_MOST {
            return Some(format!("it used {:.0} % of its core", self.cpu * 100.0));
        }
        if self.late_p99_ms > DRIVER_LATE_MOST_MS {
            return Some(format!(
                "its presses came up to {:.0} ms late",
                self.late_p99_ms
            ));
        }
        unsent.then(|| {
            format!(
                "{} of {} presses had no port or file left",
                self.unsent, self.pressed
            )
        })
    }

    pub fn worse(&self, other: &Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            late_p99_ms: self.late_p99_ms.max(other.late_p99_ms),
            pressed: self.pressed + other.pressed,
            unsent: self.unsent + other.unsent,
        }
    }
}

/// What the points say. `capacity` is none when something forbids a claim; `refused` says what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    pub capacity: Option<Capacity>,
    pub refused: Vec<String>,
    /// The highest load tested, in listeners.
    pub tested: f64,
    pub points: usize,
    pub resources: Vec<Fit>,
    pub not_rehearsed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Capacity {
    pub listeners: Estimate,
    /// True: nothing ends within twice what was tested, and more than that is not claimed.
    pub at_least: bool,
    /// What ends first there.
    pub ends_first: Option<Resource>,
}

/// How one resource is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    pub resource: Resource,
    pub at_rest: f64,
    /// By one listener more.
    pub each: f64,
    pub limit: f64,
    /// Of a point about the line, as a share.
    pub scatter: f64,
    /// Listeners with which it ends; none when listeners do not use it up.
    pub ends_at: Option<Estimate>,
    /// The law of listeners carried by what they use, in blocks of the smallest load.
    pub universal: Option<Universal>,
    pub bends: bool,
}

/// What no rehearsal of this kind sees, whatever it measures.
const UNSEEN: [&str; 4] = [
    "the uplink and all networks between: what was carried stayed short of them, or on one machine",
    "a CDN or proxy before the node, where the rehearsal went past it",
    "real phones and browsers: their sleeping, changing networks and playing are modelled",
    "other programs that this machine may run on the night",
];

impl Claim {
    /// The same points and seed give the same claim. `more` is what else was not rehearsed.
    pub fn of(points: &[Point], seed: u64, more: &[String]) -> Self {
        let tested = points
            .iter()
            .map(|point| point.listeners)
            .fold(0.0, f64::max);
        let mut refused = Vec::new();
        let loads = distinct(points);
        if loads.len() < POINTS_LEAST {
            refused.push(format!(
                "{} loads were held, and {POINTS_LEAST} are needed",
                loads.len()
            ));
        }
        if let Some(once) = loads.iter().find(|(_, times)| *times < ROUNDS_LEAST) {
            refused.push(format!("about {:.0} listeners were held only once; each load is to be held {ROUNDS_LEAST} times", once.0));
        }
        for point in points {
            if let Some(why) = point.driver.saturated() {
                refused.push(format!(
                    "the driver was the bottleneck with {:.0} listeners: {why}",
                    point.listeners
                ));
            }
            if point.harmed > 0 {
                refused.push(format!(
                    "{} of about {:.0} listeners were harmed: that load is not held already",
                    point.harmed, point.listeners
                ));
            }
        }
        let resources = fits(points, tested, seed);
        if resources.is_empty() {
            refused.push("the target did not tell what it uses: that needs a permit".to_owned());
        }
        for fit in resources.iter().filter(|fit| fit.bends) {
            refused.push(format!("each listener makes the others dearer ({:?}): no line may be drawn beyond {tested:.0}", fit.resource).to_lowercase());
        }
        let capacity = if refused.is_empty() {
            capacity(&resources, tested)
        } else {
            None
        };
        let not_rehearsed = UNSEEN
            .iter()
            .map(|one| (*one).to_owned())
            .chain(more.iter().cloned())
            .collect();
        Self {
            capacity,
            refused,
            tested,
            points: points.len(),
            resources,
            not_rehearsed,
        }
    }
}

/// Loads that differ by more than a twentieth, and how often each was held.
fn distinct(points: &[Point]) -> Vec<(f64, usize)> {
    let mut sorted: Vec<f64> = points
        .iter()
        .map(|point| point.listeners)
        .filter(|load| *load >= 1.0)
        .collect();
    sorted.sort_by(f64::total_cmp);
    let mut loads: Vec<(f64, usize)> = Vec::new();
    for load in sorted {
        match loads.last_mut() {
            Some((first, times)) if load <= *first * 1.05 => *times += 1,
            _ => loads.push((load, 1)),
        }
    }
    loads
}

fn fits(points: &[Point], tested: f64, seed: u64) -> Vec<Fit> {
    let all = [
        Resource::Cpu,
        Resource::Memory,
        Resource::Files,
        Resource::Uplink,
        Resource::Seats,
    ];
    all.into_iter()
        .filter_map(|resource| fit(resource, points, tested, seed))
        .collect()
}

fn fit(resource: Resource, points: &[Point], tested: f64, seed: u64) -> Option<Fit> {
    let of = |point: &Point| {
        let used = point.uses.iter().find(|one| one.resource == resource)?;
        (used.limit > 0.0 && point.listeners >= 1.0).then_some((point.listeners, *used))
    };
    let uses: Vec<_> = points.iter().filter_map(of).collect();
    let asking = Asking::of(resource, points);
    // The tightest that was told: limits move with what else the machine does.
    let limit = uses
        .iter()
        .map(|(_, one)| one.limit)
        .fold(f64::INFINITY, f64::min);
    let samples: Vec<Sample> = uses
        .iter()
        .map(|(load, one)| Sample {
            load: *load,
            value: one.used,
        })
        .collect();
    let line = Line::fit(&samples)?;
    let universal = universal(&samples, seed);
    let bends = universal.is_some_and(|law| surely_bends(&law, &samples, (tested, limit)));
    Some(Fit {
        resource,
        at_rest: line.at_rest(),
        each: line.each(),
        limit,
        scatter: line.scatter(),
        ends_at: line
            .reaches(limit, seed)
            .map(|ends| asking.beside(ends, line.each())),
        universal,
        bends,
    })
}

/// Blocks of the smallest load are what is multiplied: what one listener alone would cost is nobody's to know.
fn universal(samples: &[Sample], seed: u64) -> Option<Universal> {
    let block = samples
        .iter()
        .map(|one| one.load)
        .fold(f64::INFINITY, f64::min);
    let blocks: Vec<Sample> = samples
        .iter()
        .map(|one| Sample {
            load: one.load / block,
            value: one.load / block / one.value,
        })
        .collect();
    Universal::fit(&blocks, seed)
}

/// Whether more is surely dearer than a line says, and so much that it may end within what would be claimed. What is used so
/// little that no bend brings it to its limit there forbids nothing.
fn surely_bends(law: &Universal, samples: &[Sample], (tested, limit): (f64, f64)) -> bool {
    let block = samples
        .iter()
        .map(|one| one.load)
        .fold(f64::INFINITY, f64::min);
    let far = tested * BEYOND_MOST / block;
    let dearer = |sigma: f64, kappa: f64| 1.0 + sigma * (far - 1.0) + kappa * far * (far - 1.0);
    let bend = law.kappa.low * far * (far - 1.0);
    let most =
        dearer(law.sigma.high.max(0.0), law.kappa.high) / law.lambda.low.max(f64::MIN_POSITIVE);
    law.bends() && bend > BEND_LEAST * dearer(law.sigma.value.max(0.0), 0.0) && most >= limit
}

/// Down to a person; what is off by the last digits only is not.
fn whole(listeners: f64) -> f64 {
    (listeners + 1e-6).floor()
}

/// Of so many seats, those that newcomers get: when they are short, the door keeps some ready for who was inside and comes back.
fn let_in(seats: f64) -> f64 {
    if seats < f64::from(RESUME_READY_FROM) {
        return seats;
    }
    let ready = (whole(seats) / f64::from(RESUME_READY_PART)).floor();
    seats - ready.clamp(1.0, f64::from(RESUME_READY_MAX))
}

fn capacity(resources: &[Fit], tested: f64) -> Option<Capacity> {
    let most = tested * BEYOND_MOST;
    let ends = resources
        .iter()
        .filter_map(|fit| Some((fit.resource, fit.ends_at?)));
    let first = ends.min_by(|a, b| a.1.value.total_cmp(&b.1.value));
    match first {
        Some((resource, ends)) if let_in(ends.low) <= most => Some(Capacity {
            listeners: Estimate {
                value: whole(let_in(ends.value).min(most)),
                low: whole(let_in(ends.low.max(0.0))),
                high: (let_in(ends.high) - 1e-6).ceil(),
            },
            at_least: false,
            ends_first: Some(resource),
        }),
        _ => Some(Capacity {
            listeners: Estimate {
                value: most.floor(),
                low: most.floor(),
                high: most.floor(),
            },
            at_least: true,
            ends_first: None,
        }),
    }
}

#[cfg(test)]
mod tests;
