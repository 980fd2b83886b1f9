//! Floods on the wire: the same honest crowd without and with ten times as many knocks of one kind, in one run, with
//! thousands inside whose sound is followed page by page.

mod attack;
mod ears;
mod foreign;
mod joiner;
mod narrow;
mod node;
mod others;
mod phase;
mod refused;
mod rows;
mod stage;
mod voices;
pub(crate) mod wire;

pub(crate) use self::foreign::report as foreign;
pub(crate) use self::narrow::{Narrow, report as narrow};
pub(crate) use self::refused::report as refused;
pub(crate) use self::stage::report as stage;

use std::time::Duration;

use anyhow::Context as _;

pub(crate) use self::attack::Kind;
use self::node::Node;
use self::others::Others;
use self::phase::{Outcome, measure, measure_beside};
use self::rows::{others_of_all, rows, share_of_stayers};
use self::voices::Voices;
use self::wire::{Stretch, Wire};
use crate::driver::connections_max;
use crate::table::{Bound, Table};

/// Listeners who are inside before anything begins.
const INSIDE: usize = 5_000;
/// Of these, those whose sound is looked at the moment it comes.
const WATCHED: usize = 100;
/// Seats of the node while there are to be enough.
const SEATS: usize = 16_000;
/// Joiners for each seat left, where there are to be too few.
const OVERBOOKED: f64 = 2.0;
/// How long the honest press.
const PRESS: Duration = Duration::from_secs(5);
/// How long before them a flood begins.
const AHEAD: Duration = Duration::from_secs(1);
/// From the flood's beginning to the end of counting.
const LASTS: Duration = Duration::from_secs(16);
/// Between two floods: the door calms down within 10 s.
const REST: Duration = Duration::from_secs(13);
/// Rests after which it must be calm: a line that nobody uses any more is called within half a minute.
const RESTS_MAX: usize = 5;
/// Flood knocks for each honest one.
const TIMES: f64 = 10.0;
/// Share of its core that the driver may use, so that it is not what is measured.
const DRIVER_MAX: f64 = 0.7;
/// Microseconds by which its 99th knock of a hundred may be late.
const LATE_MAX_US: u32 = 50_000;
/// Honest joins a second that are tried for.
const RATE_MAX: f64 = 1_000.0;
/// Connections of the slow, and honest joins a second beside them.
const SLOW_IN_ALL: f64 = 50_000.0;
const SLOW_HONEST_PER_S: f64 = 500.0;
/// Seconds after which none of them may stand: the deadline of 5 s, and a second for both ends' clocks and queues.
const SLOW_KEPT_S: f64 = 6.0;

/// Knocks that want in.
pub(crate) fn knocks(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    report(
        table,
        binary,
        &[Kind::BareGets, Kind::Forged, Kind::Replayed],
    )
}

/// Those who want something else, and those who stay.
pub(crate) fn noise(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    report(table, binary, &[Kind::Silent, Kind::Pages, Kind::Stayers])
}

/// Kinds of flood by their words.
pub(crate) fn one(binary: &str, words: &[&str]) -> anyhow::Result<()> {
    let named = |word: &&str| Kind::ALL.into_iter().find(|kind| kind.word() == *word);
    let kinds: Option<Vec<Kind>> = words.iter().map(named).collect();
    let mut table = Table::default();
    report(
        &mut table,
        binary,
        &kinds.context("gets, forged, replayed, silent, pages, stayers, heads or bodies")?,
    )?;
    table.print();
    Ok(())
}

/// The floods named, with the baseline of the same server.
fn report(table: &mut Table, binary: &str, kinds: &[Kind]) -> anyhow::Result<()> {
    let mut hall = Hall::open(binary, SEATS)?;
    let rate = hall.rate()?;
    let mut before = hall.phase("no flood", rate, None)?;
    let (mut calms, mut storms) = (vec![before.other.clone()], Vec::new());
    for kind in kinds {
        let ticket = hall.calm_and_ticket(*kind)?;
        let name = kind.name();
        let storm = hall.phase(name, rate, Some((*kind, rate * TIMES, &ticket)))?;
        let after = hall.calm(rate)?;
        rows(table, name, [&before, &after], &storm, (rate, RATE_MAX));
        if *kind == Kind::Stayers {
            share_of_stayers(table, &storm, SEATS - hall.inside);
        }
        calms.push(after.other.clone());
        storms.push(storm.other);
        before = after;
    }
    // The same kind in turns: what happens beside on the machine does not happen to one side only.
    if let [first, _, ..] = kinds
        && kinds.iter().all(|kind| kind == first)
    {
        others_of_all(table, first.name(), &calms, &storms);
    }
    Ok(())
}

/// More joiners than seats, against those who want one.
pub(crate) fn scarce(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    overbooked(table, binary, &[Kind::BareGets, Kind::Stayers])
}

/// The same against all others.
pub(crate) fn scarce_rest(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let rest = [Kind::Forged, Kind::Replayed, Kind::Silent, Kind::Pages];
    overbooked(table, binary, &rest)
}

fn overbooked(table: &mut Table, binary: &str, kinds: &[Kind]) -> anyhow::Result<()> {
    let seats =
        INSIDE.min(connections_max() / 2) + (RATE_MAX * PRESS.as_secs_f64() / OVERBOOKED) as usize;
    let mut hall = Hall::open(binary, seats)?;
    let rate = hall.rate()?;
    let mut before = hall.phase("more joiners than seats, no flood", rate, None)?;
    for kind in kinds {
        let ticket = hall.calm_and_ticket(*kind)?;
        let name = format!("more joiners than seats, {}", kind.name());
        let storm = hall.phase(&name, rate, Some((*kind, rate * TIMES, &ticket)))?;
        let after = hall.calm(rate)?;
        rows(table, &name, [&before, &after], &storm, (rate, RATE_MAX));
        if *kind == Kind::Stayers {
            share_of_stayers(table, &storm, seats - hall.inside);
        }
        before = after;
    }
    Ok(())
}

/// Connections that never say all they promised: 50,000 in the time of a flood.
pub(crate) fn slow(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let mut hall = Hall::open(binary, SEATS)?;
    let rate = hall.rate()?.min(SLOW_HONEST_PER_S);
    let mut before = hall.phase("no flood", rate, None)?;
    for kind in [Kind::HalfHeads, Kind::HalfBodies] {
        hall.rest()?;
        let name = kind.name();
        let per_s = SLOW_IN_ALL / LASTS.as_secs_f64();
        let storm = hall.phase(name, rate, Some((kind, per_s, "")))?;
        let after = hall.calm(rate)?;
        rows(
            table,
            name,
            [&before, &after],
            &storm,
            (rate, SLOW_HONEST_PER_S),
        );
        before = after;
        table.add(
            format!("{name}: longest that one of {} was kept", storm.flood_sent),
            storm.kept_max_s,
            "s",
            Bound::AtMost(SLOW_KEPT_S),
        );
    }
    Ok(())
}

/// A node with its crowd, and the driver.
struct Hall {
    /// Before the node, for they end before it.
    voices: Voices,
    node: Node,
    wire: Wire,
    others: Others,
    inside: usize,
}

impl Hall {
    fn open(binary: &str, seats: usize) -> anyhow::Result<Self> {
        let node = Node::start(binary, &["--seats", &seats.to_string()], &[])?;
        let files = connections_max() - Others::FILES;
        let mut wire = Wire::new(node.server.target.address, files)?;
        let wanted = INSIDE.min(files / 2);
        let inside = wire.settle(wanted, WATCHED, Duration::from_secs(60))?;
        anyhow::ensure!(inside >= wanted, "only {inside} of {wanted} came inside");
        println!("  {inside} inside, {seats} seats, {files} files for the driver's connections");
        let voices = Voices::start(&node.server)?;
        let mut hall = Self {
            voices,
            others: Others::new(node.server.target.address)?,
            node,
            wire,
            inside,
        };
        hall.rest()?;
        Ok(hall)
    }

    /// Honest joins a second, such that ten times as many knocks of a flood use half of the driver's core.
    fn rate(&mut self) -> anyhow::Result<f64> {
        let knocks = RATE_MAX * TIMES / 2.0;
        let trial = Stretch {
            honest_per_s: 0.0,
            honest_begin: Duration::ZERO,
            honest_last: Duration::ZERO,
            other_per_s: 0.0,
            flood: Some((Kind::Forged, knocks, "")),
            lasts: Duration::from_secs(2),
            host: None,
        };
        let outcome = measure(&self.node, &mut self.wire, &trial)?;
        // The honest ask twice and stay: they cost about as much again.
        let possible = RATE_MAX / 2.0 * (DRIVER_MAX - 0.15) / outcome.driver_cpu.max(0.01);
        let rate = (possible / 50.0).floor() * 50.0;
        let rate = rate.clamp(50.0, RATE_MAX);
        println!(
            "  {:.0} forged tickets a second use {:.0} % of the driver's core, {:.0} % of the server's: {rate} honest joins a second",
            outcome.flood_sent as f64 / 2.0,
            outcome.driver_cpu * 100.0,
            outcome.server_cpu * 100.0
        );
        self.rest()?;
        Ok(rate)
    }

    /// All who came go, and the door becomes calm: what it still holds of one crowd decides how the next one fares.
    fn rest(&mut self) -> anyhow::Result<()> {
        self.wire.clear();
        let nothing = Stretch {
            honest_per_s: 0.0,
            honest_begin: Duration::ZERO,
            honest_last: Duration::ZERO,
            other_per_s: 0.0,
            flood: None,
            lasts: REST,
            host: None,
        };
        for _ in 0..RESTS_MAX {
            self.wire.run(&nothing)?;
            if self.node.is_calm()? {
                return Ok(());
            }
        }
        anyhow::bail!("the door was not calm after {RESTS_MAX} rests")
    }

    /// The ticket that is replayed, if one is. It is got from a calm door; the driver reads nothing meanwhile, and hears the rest
    /// before it is asked who was silent.
    fn calm_and_ticket(&mut self, kind: Kind) -> anyhow::Result<String> {
        self.rest()?;
        if kind != Kind::Replayed {
            return Ok(String::new());
        }
        let ticket = self.node.resume_ticket()?;
        self.rest()?;
        Ok(ticket)
    }

    /// The same crowd without flood, once more.
    fn calm(&mut self, rate: f64) -> anyhow::Result<Outcome> {
        self.rest()?;
        self.phase("no flood, after it", rate, None)
    }

    fn phase(
        &mut self,
        name: &str,
        rate: f64,
        flood: Option<(Kind, f64, &str)>,
    ) -> anyhow::Result<Outcome> {
        let request = self.node.host_request()?;
        let stage = self
            .node
            .server
            .stage
            .parse()
            .context("the stage's address")?;
        let stretch = Stretch {
            honest_per_s: rate,
            honest_begin: AHEAD,
            honest_last: PRESS,
            other_per_s: 0.0,
            flood,
            lasts: LASTS,
            host: Some((stage, &request)),
        };
        self.voices.mark();
        let others = Some(&mut self.others);
        let mut outcome = measure_beside(&self.node, &mut self.wire, &stretch, others)?;
        outcome.tone = Some(self.voices.tone());
        outcome.tell(name);
        Ok(outcome)
    }
}
