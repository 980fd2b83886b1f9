//! Attackers whom others wrote: slowhttptest against the public listener, h2load against the stage's under TLS. What
//! counts is not what they say, but what those inside and those who come meanwhile notice.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::node::Node;
use super::phase::measure;
use super::wire::{Stretch, Wire};
use super::{honest, unharmed};
use crate::driver::{Crowd, connections_max};
use crate::process;
use crate::table::{Bound, Table};
use crate::tls;

/// Listeners inside meanwhile.
const INSIDE: usize = 500;
const WATCHED: usize = 100;
const HONEST_PER_S: f64 = 50.0;
/// Seconds that an attack lasts.
const LASTS_S: u64 = 14;
/// Listeners with TLS while the stage's listener is attacked.
const SEALED: usize = 100;
/// Bytes a second that one of them hears at least; the demo talks with more.
const HEARD_BYTES_PER_S: f64 = 1_500.0;

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    install("slowhttptest", "slowhttptest")?;
    install("h2load", "nghttp2-client")?;
    public(table, binary)?;
    stage(table, binary)
}

/// Debian's packages, fetched when they are missing.
fn install(program: &str, package: &str) -> anyhow::Result<()> {
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
        honest(table, &name, &calm, &storm);
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

fn stage(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let files = tls::Files::make(folder.path())?;
    let server = process::hustings_with(binary, "/s/demo/live.ogg", Some(&files), &[], &[])?;
    let crowd = Crowd::join(&server.target, SEALED)?;
    let url = format!("https://{}/studio", server.stage);
    let before = crowd.bytes();
    let attack = Command::new("h2load")
        .args(["-c", "200", "-m", "100", "-D", &LASTS_S.to_string(), &url])
        .stdin(Stdio::null())
        .output()
        .context("h2load is missing")?;
    let said = String::from_utf8_lossy(&attack.stdout).into_owned();
    for line in said
        .lines()
        .filter(|line| line.starts_with("requests:") || line.starts_with("finished"))
    {
        println!("  h2load: {line}");
    }
    let heard = (crowd.bytes() - before) as f64 / SEALED as f64 / LASTS_S as f64;
    let gone = SEALED - crowd.inside();
    table.add(
        "h2load on the stage's listener: disconnected of those inside",
        gone as f64,
        "",
        Bound::AtMost(0.0),
    );
    table.add(
        "h2load on the stage's listener: sound heard by each inside",
        heard,
        "bytes/s",
        Bound::AtLeast(HEARD_BYTES_PER_S),
    );
    Ok(())
}
