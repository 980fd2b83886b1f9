//! Whether a claim holds: capacity predicted from loads up to half of it, against the load that is then really reached. Once
//! where files end first, and once where a share of a core does.

use std::time::Duration;

use anyhow::Context as _;
use hustings::api::auth::Keys;
use hustings::clock::Clock;
use hustings::rehearsal::{Permit, target_of};
use hustings::rehearse::{Loads, REST, Target, Wire, sentence};
use hustings_rehearse::fit::{Claim, Point};

use crate::driver::connections_max;
use crate::process::{Server, hustings_with};
use crate::table::{Bound, Table};

/// Open files of the node whose files end first: the crowd gets some 2,200 of them.
const FILES: &str = "--nofile=3000:3000";
/// Listeners of its highest load: half of what those files carry, or nothing would end within twice of it.
const FILES_TOP: u32 = 1_075;
/// Share of its core that the other node's sweeps may take, such that the driver is not at its end before.
const CORE_SHARE: &str = "0.15";
/// Listeners by whom is found out where about half of that lies.
const TRIAL: u32 = 400;
const LOADS: u32 = 5;
const ROUNDS: u32 = 2;
const HOLD: Duration = Duration::from_secs(8);
/// Presses a second.
const RATE: f64 = 150.0;
/// Listeners at most, whatever is claimed.
const MOST: u32 = 15_000;
const SEED: u64 = 12;

pub(crate) fn files(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let node = hustings_with(
        binary,
        "/s/demo/live.ogg",
        None,
        &["--cadence-min", "1000", "--cadence-max", "1000"],
        &["prlimit", FILES],
    )?;
    holds(table, "files end first", &node, FILES_TOP)
}

pub(crate) fn core(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let fixed = [
        "--cadence-min",
        "100",
        "--cadence-max",
        "100",
        "--core-share",
        CORE_SHARE,
    ];
    let node = hustings_with(binary, "/s/demo/live.ogg", None, &fixed, &[])?;
    let trial = Loads {
        points: 1,
        rounds: 1,
        ..loads(TRIAL)
    };
    let mut wire = wire(&node)?;
    let points = trial.hold_all(&mut wire, tell)?;
    let point = points.first().context("no trial")?;
    let cpu = point
        .uses
        .iter()
        .find(|one| one.resource == hustings_control::gate::Resource::Cpu);
    let cpu = cpu.context("the node does not tell its cores' load")?;
    // Not quite half, for the trial is short.
    let top = point.listeners * cpu.limit / cpu.used.max(1e-3) * 0.48;
    drop(wire);
    std::thread::sleep(REST);
    holds(
        table,
        "a share of a core ends first",
        &node,
        (top as u32).clamp(50, MOST / 2),
    )
}

fn loads(top: u32) -> Loads {
    Loads {
        space: "demo".into(),
        top,
        points: LOADS,
        rounds: ROUNDS,
        hold: HOLD,
        rate: RATE,
        part: (0, 1),
    }
}

fn tell(point: &Point) {
    let uses: Vec<String> = point
        .uses
        .iter()
        .map(|one| format!("{:?} {:.4} of {:.4}", one.resource, one.used, one.limit))
        .collect();
    println!(
        "    {:.0} inside, {} harmed, driver at {:.0} %: {}",
        point.listeners,
        point.harmed,
        point.driver.cpu * 100.0,
        uses.join(", ")
    );
}

fn wire(node: &Server) -> anyhow::Result<Wire> {
    let (clock, url) = (Clock::start(), format!("http://{}", node.target.address));
    let now_s = u32::try_from(clock.wall().0 / 1_000)?;
    let permit = Permit {
        id: u64::from(now_s),
        target: target_of(&url).context("a target")?,
        from_s: now_s,
        until_s: now_s + 3_600,
        rate: 10_000,
        people: MOST * 2,
    };
    let sealed = Keys::read(node.data())?.permits().seal(&permit)?;
    let target = Target::new(&url, Some(&sealed), None, clock.wall())?;
    Wire::new(target, connections_max())
}

fn holds(table: &mut Table, name: &str, node: &Server, top: u32) -> anyhow::Result<()> {
    let mut driver = wire(node)?;
    let points = loads(top).hold_all(&mut driver, tell)?;
    drop(driver);
    let claim = Claim::of(&points, SEED, &[]);
    let capacity = claim
        .capacity
        .with_context(|| format!("no claim: {}", claim.refused.join("; ")))?;
    println!("  {}", sentence(&capacity, claim.tested));
    std::thread::sleep(REST);
    let reached = loads(MOST).reach(&mut wire(node)?, MOST)?;
    let claimed = capacity.listeners;
    table.add(
        format!(
            "{name} ({:?}): predicted from loads up to {:.0}",
            capacity.ends_first, claim.tested
        ),
        claimed.value,
        "listeners",
        Bound::Beside,
    );
    table.add(
        format!(
            "{name}: really reached, within {:.0} to {:.0}",
            claimed.low, claimed.high
        ),
        reached,
        "listeners",
        Bound::AtLeast(claimed.low),
    );
    // Where nothing ends within twice what was tested only "at least" is claimed, and more is no error.
    if capacity.ends_first.is_some() {
        table.add(
            format!("{name}: reached above the interval's end"),
            (reached - claimed.high).max(0.0),
            "listeners",
            Bound::AtMost(0.0),
        );
    }
    Ok(())
}
