//! An attacker whom others wrote: slowhttptest against the public listener. What counts is not what it says, but what those
//! inside and those who come meanwhile notice.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::node::Node;
use super::phase::measure;
use super::rows::{honest, unharmed};
use super::wire::{Stretch, Wire};
use crate::driver::connections_max;
use crate::table::Table;

/// Listeners inside meanwhile.
const INSIDE: usize = 500;
const WATCHED: usize = 100;
const HONEST_PER_S: f64 = 50.0;
/// Seconds that an attack lasts.
const LASTS_S: u64 = 14;

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    install("slowhttptest", "slowhttptest")?;
    public(table, binary)
}

/// Debian's packages, fetched when they are missing.
pub(super) fn install(program: &str, package: &str) -> anyhow::Result<()> {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()?;
    if !there.success() {
        let done = Command::new("apt-get")
            .args(["install", "-y", package])
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(
            done.success(),
            "{program} is missing: apt-get install {package}"
        );
    }
    Ok(())
}

fn public(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let node = Node::start(binary, &[], &[])?;
    let public = node.server.target.address;
    let mut wire = Wire::new(public, connections_max())?;
    let inside = wire.settle(INSIDE, WATCHED, Duration::from_secs(20))?;
    anyhow::ensure!(inside >= INSIDE, "only {inside} came inside");
    let request = node.host_request()?;
    let stretch = || -> anyhow::Result<Stretch<'_>> {
        Ok(Stretch {
            honest_per_s: HONEST_PER_S,
            honest_begin: Duration::from_secs(2),
            honest_last: Duration::from_secs(LASTS_S - 6),
            other_per_s: HONEST_PER_S,
            flood: None,
            lasts: Duration::from_secs(LASTS_S),
            host: Some((node.server.stage.parse::<SocketAddr>()?, &request)),
        })
    };
    let calm = measure(&node, &mut wire, &stretch()?)?;
    let slow_head = "-H -c 3000 -r 1000 -i 5 -t GET -p 2";
    let slow_body = "-B -c 3000 -r 1000 -i 5 -s 8192 -t POST -p 2";
    let slow_read = "-X -c 3000 -r 1000 -w 10 -y 20 -n 5 -z 32 -k 3 -p 2";
    for (name, flags, path) in [
        ("slow heads", slow_head, "/s/demo"),
        ("slow bodies", slow_body, "/s/demo/knock"),
        ("slow reads", slow_read, "/s/demo"),
        ("slow reads of the sound", slow_read, "/s/demo/live.ogg"),
    ] {
        wire.clear();
        let attacker = slowhttptest(flags, &format!("http://{public}{path}"))?;
        let storm = measure(&node, &mut wire, &stretch()?)?;
        drop(attacker);
        let name = format!("slowhttptest, {name}");
        storm.tell(&name);
        honest(table, &name, [&calm, &calm], &storm);
        unharmed(table, &name, &storm);
    }
    Ok(())
}

fn slowhttptest(flags: &str, url: &str) -> anyhow::Result<Attacker> {
    let child = Command::new("slowhttptest")
        .args(flags.split_whitespace())
        .args(["-l", &LASTS_S.to_string(), "-u", url])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("slowhttptest is missing")?;
    Ok(Attacker(child))
}

/// Ends with what it attacks.
struct Attacker(Child);

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
