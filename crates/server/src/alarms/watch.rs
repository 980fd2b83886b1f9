//! Looks once a second at what alarms go by, and keeps ten minutes of what the board draws. The slow things (disk, store,
//! certificate) are looked at beside, so that one that hangs holds up no other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hustings_control::ids::UnixMillis;

use super::facts::{self, Slow};
use hustings_evidence::row::Latency;

use super::{Alarm, Alarms, Change, Facts, Webhook};
use crate::api::App;
use crate::edge::EdgeMeter;
use crate::usher::NodeEvent;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Samples kept: ten minutes.
pub const SAMPLES_MAX: usize = 600;

/// One second, as the board draws it. Counts are of this second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub at: UnixMillis,
    pub listening: u64,
    pub waiting: u64,
    pub entered: u64,
    pub in_line: u64,
    pub puzzles: u64,
    pub turned_away: u64,
    /// Listeners closed because they fell behind.
    pub harmed: u64,
}

/// What the watch has seen; shared with the board.
#[derive(Default)]
pub struct Watched {
    alarms: ArcSwap<Vec<Alarm>>,
    samples: Mutex<VecDeque<Sample>>,
    pub webhook: Option<Webhook>,
    /// Looks so far: a board that shows old ones can say so.
    looks: AtomicU64,
    /// Unix milliseconds; 0: there is no certificate, or it was not read yet.
    certificate_ends: AtomicU64,
}

impl Watched {
    pub fn new(webhook: Option<Webhook>) -> Arc<Self> {
        Arc::new(Self {
            webhook,
            ..Self::default()
        })
    }

    pub fn alarms(&self) -> Arc<Vec<Alarm>> {
        self.alarms.load_full()
    }

    /// Oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().copied().collect()
    }

    /// Seconds that the certificate is still good, below 0 when it is over; 0 when there is none.
    pub fn certificate_left_s(&self, now: UnixMillis) -> i64 {
        match self.certificate_ends.load(Relaxed) {
            0 => 0,
            ends if ends > now.0 => ((ends - now.0).div_ceil(1_000)).cast_signed(),
            ends => -((now.0 - ends) / 1_000 + 1).cast_signed(),
        }
    }

    /// What the webhook's receiver did since the last time.
    pub fn take_webhook(&self) -> Latency {
        let webhook = self.webhook.as_ref();
        webhook.map_or_else(Latency::default, |webhook| webhook.meter().take())
    }

    fn keep(&self, sample: Sample) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
        self.looks.fetch_add(1, Relaxed);
    }
}

/// Runs until it is dropped.
pub async fn run(app: App, edge: EdgeMeter, watched: Arc<Watched>) {
    let slow = Slow::begin(&app);
    let mut alarms = Alarms::default();
    let mut before = Totals::of(&app, &edge);
    let mut clock = ClockWatch::new(app.clock.wall());
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        let (now, wall) = (app.clock.now(), app.clock.wall());
        let facts = Facts {
            clock_off: Some(clock.off(wall)),
            ..facts::gather(&app, &slow, wall)
        };
        let ends = facts.certificate.as_ref().map_or(0, |seen| seen.ends.0);
        watched.certificate_ends.store(ends, Relaxed);
        let changes = alarms.look(&facts, now, wall);
        watched.alarms.store(Arc::new(alarms.up()));
        for change in changes {
            tell(&app, &watched, change);
        }
        let totals = Totals::of(&app, &edge);
        watched.keep(totals.since(&before, &app, wall));
        before = totals;
    }
}

/// Tells each head that the flight recorder publishes; ends with the recorder.
pub async fn tell_heads(app: App, webhook: Webhook) {
    let mut heads = app.flight.heads();
    loop {
        let head = *heads.borrow_and_update();
        if let Some(head) = head {
            webhook.head(serde_json::to_value(head).unwrap_or_default());
        }
        if heads.changed().await.is_err() {
            return;
        }
    }
}

fn tell(app: &App, watched: &Watched, change: Change) {
    if let Some(webhook) = &watched.webhook {
        webhook.alarm(&change);
    }
    app.entrance.note(NodeEvent::Alarm(change));
}

/// How far the wall's clock has left the steady one. What was set stays off for ever, so the deviation decays: an alarm that
/// nobody can ever clear would be taken for furniture.
struct ClockWatch {
    began: Instant,
    wall: UnixMillis,
}

impl ClockWatch {
    /// After this long without another step, the new time is taken for the right one.
    const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

    fn new(wall: UnixMillis) -> Self {
        Self {
            began: Instant::now(),
            wall,
        }
    }

    fn off(&mut self, wall: UnixMillis) -> u64 {
        let ran = self.began.elapsed();
        let expected = self
            .wall
            .0
            .saturating_add(u64::try_from(ran.as_millis()).unwrap_or(u64::MAX));
        if ran >= Self::FORGIVEN_AFTER {
            *self = Self::new(wall);
        }
        expected.abs_diff(wall.0)
    }
}

/// What only grows.
struct Totals {
    entered: u64,
    in_line: u64,
    puzzles: u64,
    turned_away: u64,
    harmed: u64,
}

impl Totals {
    fn of(app: &App, edge: &EdgeMeter) -> Self {
        let sum = app.entrance.book().sum.sum();
        Self {
            entered: sum.admitted(),
            in_line: sum.waiting.iter().sum(),
            puzzles: sum.proving,
            turned_away: sum.turned_away.iter().sum(),
            harmed: edge.stats().too_slow,
        }
    }

    fn since(&self, before: &Self, app: &App, at: UnixMillis) -> Sample {
        let spaces = app.directory.all();
        let glances = spaces
            .values()
            .map(|handle| crate::glance::Glance::of(handle, &app.entrance));
        let (listening, waiting) = glances.fold((0, 0), |(listening, waiting), glance| {
            (listening + glance.listening, waiting + glance.waiting())
        });
        Sample {
            at,
            listening,
            waiting,
            entered: self.entered.saturating_sub(before.entered),
            in_line: self.in_line.saturating_sub(before.in_line),
            puzzles: self.puzzles.saturating_sub(before.puzzles),
            turned_away: self.turned_away.saturating_sub(before.turned_away),
            harmed: self.harmed.saturating_sub(before.harmed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_off_by_as_much_in_either_direction() {
        let mut watch = ClockWatch::new(UnixMillis(1_000_000));
        assert!(watch.off(UnixMillis(1_000_000)) < 5_000);
        assert!(watch.off(UnixMillis(1_060_000)) > 50_000);
        assert!(watch.off(UnixMillis(940_000)) > 50_000);
    }

    #[test]
    fn a_certificate_that_is_over_is_below_nothing() {
        let watched = Watched::default();
        assert_eq!(watched.certificate_left_s(UnixMillis(5_000)), 0);
        watched.certificate_ends.store(10_000, Relaxed);
        let left =
            [4_500, 9_999, 10_000, 12_500].map(|at| watched.certificate_left_s(UnixMillis(at)));
        assert_eq!(left, [6, 1, -1, -3]);
    }

    #[test]
    fn ten_minutes_are_kept() {
        let watched = Watched::default();
        for second in 0..700 {
            watched.keep(Sample {
                at: UnixMillis(second),
                ..Sample::default()
            });
        }
        let samples = watched.samples();
        assert_eq!(
            (samples.len(), samples[0].at),
            (SAMPLES_MAX, UnixMillis(100))
        );
    }
}
