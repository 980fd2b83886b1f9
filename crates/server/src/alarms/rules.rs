//! The rules, as one list: what raises an alarm, what clears it, and how long each must last. Pure. Between the two limits
//! of a rule an alarm stays as it is, so that a value which trembles does not ring all night.

use std::collections::{BTreeMap, BTreeSet};

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

use super::{Alarm, Change, Kind};

/// Share of the seats from which they are short, and below which they are not.
pub const SEATS_RAISE: f64 = 0.95;
pub const SEATS_CLEAR: f64 = 0.87;
/// Milliseconds that a certificate must still be good for; an hour more clears the alarm.
pub const CERTIFICATE_MS_MIN: u64 = 14 * 24 * 3_600_000;
pub const CERTIFICATE_CLEAR_MS: u64 = CERTIFICATE_MS_MIN + 3_600_000;
/// Bytes free under the data folder: some hours of recordings of several spaces. A quarter more clears the alarm.
pub const DISK_BYTES_MIN: u64 = 1 << 30;
pub const DISK_BYTES_CLEAR: u64 = DISK_BYTES_MIN + DISK_BYTES_MIN / 4;
/// Milliseconds by which the wall clock has left the steady one since the start: then it was set, or runs wrong.
pub const CLOCK_MS_MAX: u64 = 2_000;
pub const CLOCK_MS_CLEAR: u64 = 500;
/// Milliseconds in which the store answers; a look that is not answered at all counts as the longest there is.
pub const STORE_MS_MAX: u64 = 1_000;
pub const STORE_MS_CLEAR: u64 = 250;

/// What is known now. What is not known raises nothing and clears nothing.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Spaces that are live.
    pub live: Vec<LiveFacts>,
    /// Seats taken, and all there are.
    pub seats: Option<(u32, u32)>,
    pub certificate: Option<CertificateFacts>,
    pub disk: Option<DiskFacts>,
    /// Milliseconds.
    pub clock_off: Option<u64>,
    /// Milliseconds.
    pub store: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct LiveFacts {
    pub space: SpaceId,
    pub title: String,
    pub dead_air: bool,
    pub host_lost: bool,
}

#[derive(Clone, Debug)]
pub struct CertificateFacts {
    pub ends: UnixMillis,
    /// The end of the last event that is announced.
    pub needed_until: UnixMillis,
}

#[derive(Clone, Debug)]
pub struct DiskFacts {
    pub free: u64,
    /// Why recordings are not taken.
    pub trouble: Option<String>,
}

/// How long something must be so.
struct Patience {
    raise_ms: u64,
    clear_ms: u64,
}

const fn patience(kind: Kind) -> Patience {
    let (raise_ms, clear_ms) = match kind {
        // The stage itself waits 10 s before it says so.
        Kind::DeadAir => (0, 3_000),
        // A page that is loaded anew takes its seat back within this.
        Kind::HostLost => (3_000, 3_000),
        Kind::SeatsShort => (5_000, 30_000),
        Kind::Certificate | Kind::Disk => (0, 0),
        Kind::Clock => (0, 60_000),
        Kind::Dependency => (0, 10_000),
    };
    Patience { raise_ms, clear_ms }
}

enum Reading {
    Bad(String),
    /// Neither so bad that it rings nor so good that it stops.
    Between,
    Good,
}

type Key = (Kind, Option<SpaceId>);

#[derive(Default)]
struct State {
    up: Option<Alarm>,
    /// Since when it reads against what it is now.
    against: Option<Now>,
}

/// All alarms of a node.
#[derive(Default)]
pub struct Alarms(BTreeMap<Key, State>);

impl Alarms {
    /// What has changed. To be called once a second or so.
    pub fn look(&mut self, facts: &Facts, now: Now, wall: UnixMillis) -> Vec<Change> {
        let mut readings = read(facts, wall);
        // A space that is not live any more has no trouble.
        for (kind, space) in self.0.keys() {
            let over = space
                .as_ref()
                .is_some_and(|space| !facts.live.iter().any(|live| live.space == *space));
            if over {
                readings.insert((*kind, space.clone()), Reading::Good);
            }
        }
        let mut changes = Vec::new();
        for (key, reading) in readings {
            let state = self.0.entry(key.clone()).or_default();
            changes.extend(state.look(key, reading, now, wall));
        }
        let live: BTreeSet<&SpaceId> = facts.live.iter().map(|live| &live.space).collect();
        self.0.retain(|(_, space), state| {
            state.up.is_some() || space.as_ref().is_none_or(|space| live.contains(space))
        });
        changes
    }

    /// What is up, the worst first.
    pub fn up(&self) -> Vec<Alarm> {
        self.0
            .values()
            .filter_map(|state| state.up.clone())
            .collect()
    }
}

impl State {
    fn look(
        &mut self,
        (kind, space): Key,
        reading: Reading,
        now: Now,
        wall: UnixMillis,
    ) -> Option<Change> {
        let patience = patience(kind);
        let (turns, what, wait_ms) = match (&mut self.up, reading) {
            (Some(up), Reading::Bad(what)) => {
                up.what = what;
                (false, String::new(), 0)
            }
            (None, Reading::Bad(what)) => (true, what, patience.raise_ms),
            (Some(up), Reading::Good) => (true, up.what.clone(), patience.clear_ms),
            _ => (false, String::new(), 0),
        };
        if !turns {
            self.against = None;
            return None;
        }
        let since = *self.against.get_or_insert(now);
        if now.since(since) < wait_ms * 1_000 {
            return None;
        }
        self.against = None;
        let raised = self.up.is_none();
        let alarm = match self.up.take() {
            Some(alarm) => alarm,
            None => {
                let alarm = Alarm {
                    alarm: kind,
                    space,
                    since: wall,
                    what,
                };
                self.up = Some(alarm.clone());
                alarm
            }
        };
        Some(Change {
            at: wall,
            raised,
            alarm,
        })
    }
}

fn read(facts: &Facts, wall: UnixMillis) -> BTreeMap<Key, Reading> {
    let mut readings = BTreeMap::new();
    for live in &facts.live {
        let title = &live.title;
        let (silent, lost) = (
            format!("{title}: nobody has been heard for 10 s."),
            format!("{title}: the host has lost the connection."),
        );
        let mut put = |kind, so: bool, what| {
            let reading = if so {
                Reading::Bad(what)
            } else {
                Reading::Good
            };
            readings.insert((kind, Some(live.space.clone())), reading);
        };
        put(Kind::DeadAir, live.dead_air, silent);
        put(Kind::HostLost, live.host_lost, lost);
    }
    let of_node = [
        (Kind::SeatsShort, facts.seats.map(seats)),
        (
            Kind::Certificate,
            facts
                .certificate
                .as_ref()
                .map(|facts| certificate(facts, wall)),
        ),
        (Kind::Disk, facts.disk.as_ref().map(disk)),
        (Kind::Clock, facts.clock_off.map(clock)),
        (Kind::Dependency, facts.store.map(store)),
    ];
    for (kind, reading) in of_node {
        if let Some(reading) = reading {
            readings.insert((kind, None), reading);
        }
    }
    readings
}

fn seats((taken, all): (u32, u32)) -> Reading {
    let share = f64::from(taken) / f64::from(all.max(1));
    if share >= SEATS_RAISE {
        Reading::Bad(format!("{taken} of {all} seats are taken: newcomers wait."))
    } else if share < SEATS_CLEAR {
        Reading::Good
    } else {
        Reading::Between
    }
}

fn certificate(facts: &CertificateFacts, wall: UnixMillis) -> Reading {
    let left = facts.ends.0.saturating_sub(wall.0);
    let days = left / (24 * 3_600_000);
    if left == 0 {
        Reading::Bad("The certificate has run out.".to_owned())
    } else if facts.ends < facts.needed_until {
        Reading::Bad(format!(
            "The certificate ends in {days} days, before the end of an event that is announced."
        ))
    } else if left < CERTIFICATE_MS_MIN {
        Reading::Bad(format!("The certificate ends in {days} days."))
    } else if left >= CERTIFICATE_CLEAR_MS {
        Reading::Good
    } else {
        Reading::Between
    }
}

fn disk(facts: &DiskFacts) -> Reading {
    if let Some(trouble) = &facts.trouble {
        return Reading::Bad(format!("The disk does not take a recording: {trouble}."));
    }
    let megabytes = facts.free >> 20;
    if facts.free < DISK_BYTES_MIN {
        Reading::Bad(format!("{megabytes} MiB are free under the data folder."))
    } else if facts.free >= DISK_BYTES_CLEAR {
        Reading::Good
    } else {
        Reading::Between
    }
}

fn clock(off_ms: u64) -> Reading {
    if off_ms > CLOCK_MS_MAX {
        Reading::Bad(format!(
            "The machine's clock was set by {:.1} s while the node ran.",
            off_ms as f64 / 1_000.0
        ))
    } else if off_ms <= CLOCK_MS_CLEAR {
        Reading::Good
    } else {
        Reading::Between
    }
}

fn store(took_ms: u64) -> Reading {
    if took_ms == u64::MAX {
        Reading::Bad("The records cannot be written.".to_owned())
    } else if took_ms > STORE_MS_MAX {
        Reading::Bad(format!("The records took {took_ms} ms to be written."))
    } else if took_ms <= STORE_MS_CLEAR {
        Reading::Good
    } else {
        Reading::Between
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
