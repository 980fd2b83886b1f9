//! One stretch on the wire and what came of it for everybody.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::attack::Kind;
use super::joiner::Joiner;
use super::node::Node;
use super::others::{Joined, Others};
use super::voices::Tone;
use super::wire::{OTHER, SPACE, Seen, Stretch, Wire};
use super::{DRIVER_MAX, LATE_MAX_US};

/// How one crowd fared; who did not hear anything by the end has the longest wait.
#[derive(Clone)]
pub(crate) struct Fared {
    pub(crate) pressed: usize,
    pub(crate) heard: usize,
    /// Microseconds, sorted.
    waits_us: Vec<u32>,
    broken: u32,
    requests: u32,
}

impl Fared {
    pub(super) fn of(joiners: &[Joiner], space: &str, longest: Duration) -> Self {
        let of: Vec<&Joiner> = joiners
            .iter()
            .filter(|joiner| joiner.space == space)
            .collect();
        let mut waits_us: Vec<u32> = of
            .iter()
            .map(|joiner| joiner.heard.unwrap_or(longest).as_micros() as u32)
            .collect();
        waits_us.sort_unstable();
        Self {
            pressed: of.len(),
            heard: of.iter().filter(|joiner| joiner.heard.is_some()).count(),
            waits_us,
            broken: of.iter().map(|joiner| joiner.broken).sum(),
            requests: of.iter().map(|joiner| joiner.requests).sum(),
        }
    }

    /// Several crowds as if they were one.
    pub(super) fn together(all: &[Self]) -> Self {
        let mut waits_us: Vec<u32> = all.iter().flat_map(|one| &one.waits_us).copied().collect();
        waits_us.sort_unstable();
        Self {
            pressed: all.iter().map(|one| one.pressed).sum(),
            heard: all.iter().map(|one| one.heard).sum(),
            waits_us,
            broken: all.iter().map(|one| one.broken).sum(),
            requests: all.iter().map(|one| one.requests).sum(),
        }
    }

    /// Share of those who pressed.
    pub(super) fn came(&self) -> f64 {
        self.heard as f64 / (self.pressed as f64).max(1.0)
    }

    /// Seconds that `share` of them waited at most.
    pub(super) fn wait_s(&self, share: f64) -> f64 {
        f64::from(of_sorted(&self.waits_us, share)) / 1e6
    }
}

pub(crate) struct Outcome {
    pub(crate) honest: Fared,
    pub(crate) other: Fared,
    other_late_p99_us: u32,
    flood: Option<Kind>,
    pub(crate) flood_sent: u64,
    passes: u64,
    refused: u64,
    dropped: u64,
    unsent: u64,
    pub(crate) stayers: usize,
    pub(crate) kept_max_s: f64,
    /// How another speaker heard the host's tone; none where nobody listened.
    pub(crate) tone: Option<Tone>,
    pub(crate) disconnects: u64,
    pub(crate) lost_percent: f64,
    pub(crate) stalled_s: f64,
    pub(crate) host_p99_ms: f64,
    host_answers: usize,
    pub(crate) host_failed: u64,
    /// Shares of a core.
    pub(crate) driver_cpu: f64,
    pub(crate) server_cpu: f64,
    late_p99_us: u32,
    late_max_us: u32,
    open_max: usize,
}

pub(crate) fn measure(
    node: &Node,
    wire: &mut Wire,
    stretch: &Stretch<'_>,
) -> anyhow::Result<Outcome> {
    measure_beside(node, wire, stretch, None)
}

/// The same while others join the other space.
pub(super) fn measure_beside(
    node: &Node,
    wire: &mut Wire,
    stretch: &Stretch<'_>,
    others: Option<&mut Others>,
) -> anyhow::Result<Outcome> {
    wire.seen = Seen::default();
    wire.forget_silence();
    let (pages, lost, _) = wire.ears();
    let (begun, server, driver) = (Instant::now(), node.cpu()?, own_cpu()?);
    let joined = run(wire, stretch, others)?;
    let took = begun.elapsed().as_secs_f64();
    let server_cpu = node.cpu()?.saturating_sub(server).as_secs_f64() / took;
    let mut driver = own_cpu()?.saturating_sub(driver);
    let mut other = Fared::of(&wire.joiners, OTHER, stretch.lasts);
    let mut other_late_us = Vec::new();
    if let Some(joined) = joined {
        driver += joined.cpu;
        (other, other_late_us) = (joined.fared, joined.late_us);
    }
    let driver_cpu = driver.as_secs_f64() / took;
    let (pages_after, lost_after, stalled_s) = wire.ears();
    let (came, missing) = (pages_after - pages, lost_after.saturating_sub(lost));
    let stayers = wire.stayers();
    wire.note_kept();
    let mut seen = std::mem::take(&mut wire.seen);
    let lost_audio = missing as f64 / (came + missing).max(1) as f64;
    Ok(Outcome {
        honest: Fared::of(&wire.joiners, SPACE, stretch.lasts),
        other,
        other_late_p99_us: percentile(&mut other_late_us, 0.99),
        flood: stretch.flood.map(|(kind, ..)| kind),
        flood_sent: seen.sent,
        passes: seen.passes,
        refused: seen.refused,
        dropped: seen.dropped,
        unsent: seen.unsent,
        stayers,
        kept_max_s: seen.kept_max.as_secs_f64(),
        tone: None,
        disconnects: seen.disconnects,
        lost_percent: lost_audio * 100.0,
        stalled_s,
        host_p99_ms: f64::from(percentile(&mut seen.host_us, 0.99)) / 1e3,
        host_answers: seen.host_us.len(),
        host_failed: seen.host_failed,
        driver_cpu,
        server_cpu,
        late_p99_us: percentile(&mut seen.late_us, 0.99),
        late_max_us: percentile(&mut seen.late_us, 1.0),
        open_max: seen.open_max,
    })
}

/// The driver's stretch, and beside it that of the others in their own thread.
fn run(
    wire: &mut Wire,
    stretch: &Stretch<'_>,
    others: Option<&mut Others>,
) -> anyhow::Result<Option<Joined>> {
    std::thread::scope(|threads| {
        let others = others.map(|others| threads.spawn(|| others.run(stretch)));
        wire.run(stretch)?;
        let joined = others.map(|others| others.join());
        match joined {
            None => Ok(None),
            Some(Ok(joined)) => joined.map(Some),
            Some(Err(_)) => anyhow::bail!("the thread of the other space panicked"),
        }
    })
}

impl Outcome {
    /// Why this run says nothing about the server.
    pub(crate) fn does_not_count(&self) -> Option<String> {
        let late_ms = f64::from(self.late_p99_us) / 1e3;
        let busy = self.driver_cpu > DRIVER_MAX;
        let late = self.late_p99_us > LATE_MAX_US;
        let unsent = self.unsent * 100 > self.flood_sent;
        (busy || late || unsent).then(|| {
            format!(
                "{:.0} % of its core, knocks up to {late_ms:.0} ms late (p99), {} not sent",
                self.driver_cpu * 100.0,
                self.unsent
            )
        })
    }

    /// None where being let in is not what the flood is about.
    pub(crate) fn passed_percent(&self) -> Option<f64> {
        let counts = matches!(
            self.flood,
            Some(Kind::BareGets | Kind::Forged | Kind::Replayed)
        );
        counts.then(|| self.passes as f64 / (self.flood_sent as f64).max(1.0) * 100.0)
    }

    pub(crate) fn tell(&self, name: &str) {
        println!("  {name}:");
        for (who, fared) in [("honest", &self.honest), ("other space", &self.other)] {
            println!(
                "    {who}: {} of {} heard, wait p50 {:.1} p95 {:.1} p99 {:.1} ms, {:.1} requests each, {} connections broken",
                fared.heard,
                fared.pressed,
                fared.wait_s(0.5) * 1e3,
                fared.wait_s(0.95) * 1e3,
                fared.wait_s(0.99) * 1e3,
                f64::from(fared.requests) / fared.pressed.max(1) as f64,
                fared.broken
            );
        }
        if self.flood.is_some() {
            println!(
                "    flood: {} sent, {} let in, {} refused, {} closed without a word (after {:.1} s at most), {} not sent, {} stay",
                self.flood_sent,
                self.passes,
                self.refused,
                self.dropped,
                self.kept_max_s,
                self.unsent,
                self.stayers
            );
        }
        println!(
            "    inside: {} disconnected, {:.3} % of pages lost, longest silence {:.2} s; host's page: {} answers, p99 {:.1} ms, {} failed",
            self.disconnects,
            self.lost_percent,
            self.stalled_s,
            self.host_answers,
            self.host_p99_ms,
            self.host_failed
        );
        if let Some(tone) = self.tone {
            println!(
                "    host's tone: {:.3} % broken, longest gap {:.0} ms",
                tone.broken_percent, tone.longest_gap_ms
            );
        }
        println!(
            "    driver: {:.0} % of its core, late p99 {:.1} ms (most {:.0} ms; for the other space {:.2} ms), {} ports and files at most; server: {:.0} % of its core{}",
            self.driver_cpu * 100.0,
            f64::from(self.late_p99_us) / 1e3,
            f64::from(self.late_max_us) / 1e3,
            f64::from(self.other_late_p99_us) / 1e3,
            self.open_max,
            self.server_cpu * 100.0,
            self.does_not_count()
                .map(|_| "; DOES NOT COUNT")
                .unwrap_or_default()
        );
    }
}

fn percentile(of: &mut [u32], share: f64) -> u32 {
    of.sort_unstable();
    of_sorted(of, share)
}

fn of_sorted(of: &[u32], share: f64) -> u32 {
    let at = (of.len().saturating_sub(1) as f64 * share) as usize;
    of.get(at).copied().unwrap_or(0)
}

/// CPU time of this thread, by the scheduler's nanoseconds.
pub(super) fn own_cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ran = stat.split_whitespace().next().context("an odd schedstat")?;
    Ok(Duration::from_nanos(ran.parse()?))
}
