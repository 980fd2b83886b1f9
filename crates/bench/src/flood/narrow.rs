//! The ladder on the wire: one resource of the node is really narrow, honest people come until it is used up, and leave
//! again. What counts is that the steps are taken in their order and back, and that nobody inside loses sound.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::node::Node;
use super::phase::{Outcome, measure};
use super::wire::{Stretch, Wire};
use crate::driver::connections_max;
use crate::table::{Bound, Table};

/// Those whose sound is followed all the while.
const INSIDE: usize = 100;
/// How long people come, and how long those who found no seat are watched waiting.
const PRESS: Duration = Duration::from_secs(22);
const LINGERS: Duration = Duration::from_secs(8);
/// From the crowd's leaving until the ground: three steps of 10 s of quiet, and what measuring takes.
const BACK: Duration = Duration::from_secs(45);
/// The steps as they must be taken.
const ORDER: [&str; 6] = ["cadence", "side", "line", "side", "cadence", "ground"];
/// Open files of the whole node: it keeps a quarter for the house.
const FILES: &str = "--nofile=2000";
/// What the node is told that its link carries: some 900 listeners.
const UPLINK: &str = "60M";
/// Share of a core that the node's group of processes gets.
const CPU_SHARE: f64 = 0.3;
/// Microseconds in which that share is used up or not: short, so that it is like a slower core.
const CPU_PERIOD_US: u64 = 10_000;
/// The most there is, so that what else runs on the machine does not take of that share.
const CPU_WEIGHT: &str = "10000";
const CPU_WEIGHT_OLDER: &str = "262144";

#[derive(Clone, Copy)]
pub(crate) enum Narrow {
    Files,
    Uplink,
    Cpu,
}

impl Narrow {
    /// As the node calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Uplink => "uplink",
            Self::Cpu => "cpu",
        }
    }

    /// Honest people a second.
    fn per_s(self) -> f64 {
        match self {
            Self::Files => 120.0,
            Self::Uplink => 80.0,
            Self::Cpu => 350.0,
        }
    }
}

pub(crate) fn report(table: &mut Table, binary: &str, narrow: Narrow) -> anyhow::Result<()> {
    let group = match narrow {
        Narrow::Cpu => Some(Group::new(CPU_SHARE)?),
        _ => None,
    };
    let within = group.as_ref().map(Group::enter);
    let (more, before): (&[&str], Vec<&str>) = match narrow {
        Narrow::Files => (&[], vec!["prlimit", FILES]),
        Narrow::Uplink => (&["--uplink", UPLINK], vec![]),
        // The cadence cannot widen by itself, so that the cores are used up before the driver's files are.
        Narrow::Cpu => (
            &["--cadence-min", "100", "--cadence-max", "100"],
            vec!["sh", "-c", within.as_deref().unwrap_or_default()],
        ),
    };
    let node = Node::start(binary, more, &before)?;
    let mut wire = Wire::new(node.server.target.address, connections_max())?;
    let inside = wire.settle(INSIDE, INSIDE, Duration::from_secs(20))?;
    anyhow::ensure!(inside >= INSIDE, "only {inside} came inside");
    let began = stamp(&node)?;
    let stretch = |per_s, lasts| Stretch {
        honest_per_s: per_s,
        honest_begin: Duration::ZERO,
        honest_last: PRESS,
        other_per_s: 0.0,
        flood: None,
        lasts,
        host: None,
    };
    let crowd = measure(&node, &mut wire, &stretch(narrow.per_s(), PRESS + LINGERS))?;
    let name = format!("narrow {}", narrow.name());
    crowd.tell(&name);
    let seats = door(&node)?["standing"]["seats"].as_u64().unwrap_or(0);
    println!("    seats: {seats}; now all who came leave");
    wire.clear();
    let after = measure(&node, &mut wire, &stretch(0.0, BACK))?;
    let steps = tell_steps(&node, began)?;
    let of_it = steps
        .iter()
        .filter(|(_, because)| because == narrow.name())
        .count();
    let right = steps.iter().map(|(to, _)| to.as_str()).eq(ORDER) && of_it >= ORDER.len() / 2;
    tell(table, &name, right, seats, [&crowd, &after]);
    Ok(())
}

fn tell(table: &mut Table, name: &str, right: bool, seats: u64, [crowd, after]: [&Outcome; 2]) {
    table.add(
        format!("{name}: cadence, side, line, and back to the ground, each once (1: yes)"),
        f64::from(u8::from(right)),
        "",
        Bound::AtLeast(1.0),
    );
    table.add(
        format!("{name}: honest who came in, for {seats} seats"),
        crowd.honest.heard as f64,
        "",
        Bound::Beside,
    );
    table.add(
        format!("{name}: disconnected of those inside"),
        (crowd.disconnects + after.disconnects) as f64,
        "",
        Bound::AtMost(0.0),
    );
    table.add(
        format!("{name}: sound lost by those inside"),
        crowd.lost_percent.max(after.lost_percent),
        "%",
        Bound::AtMost(0.1),
    );
    table.add(
        format!("{name}: longest silence of one inside"),
        crowd.stalled_s.max(after.stalled_s),
        "s",
        Bound::Beside,
    );
}

fn door(node: &Node) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(&node.server.operator)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /door.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, json) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok(serde_json::from_str(json)?)
}

fn ladder(node: &Node) -> anyhow::Result<Vec<Value>> {
    let door = door(node)?;
    let events = door["events"].as_array().context("no events")?;
    let of_it = events.iter().filter(|event| event["kind"] == "ladder");
    Ok(of_it.cloned().collect())
}

/// Milliseconds of the node's newest step, 0 where there is none: what comes after counts.
fn stamp(node: &Node) -> anyhow::Result<u64> {
    let steps = ladder(node)?;
    Ok(steps
        .iter()
        .filter_map(|step| step["at"].as_u64())
        .max()
        .unwrap_or(0))
}

/// Prints the steps taken since, with their times, and gives where each led and why.
fn tell_steps(node: &Node, since: u64) -> anyhow::Result<Vec<(String, String)>> {
    let mut steps = Vec::new();
    let mut first = None;
    for step in ladder(node)? {
        let at = step["at"].as_u64().context("a step without a time")?;
        if at <= since {
            continue;
        }
        let (from, to) = (step["from"].as_str(), step["to"].as_str());
        let because = step["because"].as_str().unwrap_or_default();
        println!(
            "    {:6.1} s: {} -> {}, {because} {:.1} %",
            at.saturating_sub(*first.get_or_insert(at)) as f64 / 1e3,
            from.unwrap_or_default(),
            to.unwrap_or_default(),
            step["permille"].as_f64().unwrap_or(0.0) / 10.0
        );
        steps.push((to.unwrap_or_default().to_owned(), because.to_owned()));
    }
    Ok(steps)
}

/// A group of processes with a share of a core; it goes when dropped.
struct Group(PathBuf);

impl Group {
    fn new(share: f64) -> anyhow::Result<Self> {
        let name = format!("hustings-bench-{}", std::process::id());
        let quota = (CPU_PERIOD_US as f64 * share) as u64;
        // The older interface where the controller is mounted by itself, else the newer one.
        let older = Path::new("/sys/fs/cgroup/cpu");
        let group = if older.is_dir() {
            let group = Self(older.join(name));
            std::fs::create_dir(&group.0)?;
            std::fs::write(group.0.join("cpu.cfs_period_us"), CPU_PERIOD_US.to_string())?;
            std::fs::write(group.0.join("cpu.cfs_quota_us"), quota.to_string())?;
            std::fs::write(group.0.join("cpu.shares"), CPU_WEIGHT_OLDER)?;
            group
        } else {
            let group = Self(Path::new("/sys/fs/cgroup").join(name));
            std::fs::create_dir(&group.0)?;
            std::fs::write(group.0.join("cpu.max"), format!("{quota} {CPU_PERIOD_US}"))?;
            std::fs::write(group.0.join("cpu.weight"), CPU_WEIGHT)?;
            group
        };
        Ok(group)
    }

    /// What a shell does before the binary takes its place.
    fn enter(&self) -> String {
        format!(
            "echo $$ > '{}/cgroup.procs' && exec \"$0\" \"$@\"",
            self.0.display()
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only when its processes have ended; the next look finds it empty.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
