//! Floods under TLS: h2load (which others wrote) and hellos against the stage's own listener, hellos against the public one.
//! The host talks on all the while, and listeners hear.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::attack::Kind;
use super::foreign::install;
use super::node::Node;
use super::phase::measure;
use super::rows::tone_rows;
use super::voices::{Voices, seats_taken};
use super::wire::{Stretch, Wire};
use crate::driver::{Crowd, connections_max};
use crate::table::{Bound, Table};
use crate::tls;

/// Listeners with TLS.
const SEALED: usize = 200;
/// Bytes a second that one of them hears at least; the demo talks with more.
const HEARD_BYTES_PER_S: f64 = 1_500.0;
/// Seconds that an attack lasts.
const LASTS_S: u64 = 12;
/// Hellos a second, from 1,024 prefixes: what the driver's core can send beside the rest.
const PUBLIC_HELLOS_PER_S: f64 = 5_000.0;
const STAGE_HELLOS_PER_S: f64 = 2_000.0;
/// Share of its core that the node may use for all of it.
const CPU_MAX_PERCENT: f64 = 70.0;

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    install("h2load", "nghttp2-client")?;
    let away = Away::start()?;
    let folder = tempfile::tempdir()?;
    let files = tls::Files::make(folder.path())?;
    let node = Node::sealed(binary, &files)?;
    let crowd = Crowd::join(&node.server.target, SEALED)?;
    let mut hall = Hall {
        voices: Voices::start(&node.server)?,
        crowd,
        node,
    };
    hall.phase(table, "TLS, no flood", |_| {
        std::thread::sleep(Duration::from_secs(LASTS_S));
        Ok(())
    })?;
    hall.phase(table, "h2load on the stage's listener", |node| {
        away.h2load(&node.server.stage)
    })?;
    let (public, stage) = (
        hall.node.server.target.address,
        hall.node.server.stage.parse()?,
    );
    hall.phase(table, "TLS hellos on the stage's listener", |node| {
        hellos(node, stage, STAGE_HELLOS_PER_S)
    })?;
    hall.phase(table, "TLS hellos on the public listener", |node| {
        hellos(node, public, PUBLIC_HELLOS_PER_S)
    })
}

struct Hall {
    voices: Voices,
    crowd: Crowd,
    node: Node,
}

impl Hall {
    fn phase(
        &mut self,
        table: &mut Table,
        name: &str,
        flood: impl FnOnce(&Node) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let inside = self.crowd.inside();
        let (begun, before, cpu) = (Instant::now(), self.crowd.bytes(), self.node.cpu()?);
        self.voices.mark();
        flood(&self.node)?;
        let tone = self.voices.tone();
        let took = begun.elapsed().as_secs_f64();
        let heard = (self.crowd.bytes() - before) as f64 / inside.max(1) as f64 / took;
        let cpu = self.node.cpu()?.saturating_sub(cpu).as_secs_f64() / took;
        tone_rows(table, name, tone);
        table.add(
            format!("{name}: seats of host and speaker that are still taken"),
            seats_taken(&self.node.server)? as f64,
            "",
            Bound::AtLeast(2.0),
        );
        table.add(
            format!("{name}: disconnected of {inside} inside"),
            (inside - self.crowd.inside()) as f64,
            "",
            Bound::AtMost(0.0),
        );
        table.add(
            format!("{name}: sound heard by each inside"),
            heard,
            "bytes/s",
            Bound::AtLeast(HEARD_BYTES_PER_S),
        );
        table.add(
            format!("{name}: the node's share of its core"),
            cpu * 100.0,
            "%",
            Bound::AtMost(CPU_MAX_PERCENT),
        );
        Ok(())
    }
}

fn hellos(node: &Node, to: SocketAddr, per_s: f64) -> anyhow::Result<()> {
    let mut wire = Wire::new(to, connections_max() / 2)?;
    let stretch = Stretch {
        honest_per_s: 0.0,
        honest_begin: Duration::ZERO,
        honest_last: Duration::ZERO,
        other_per_s: 0.0,
        flood: Some((Kind::Hellos, per_s, "")),
        lasts: Duration::from_secs(LASTS_S),
        host: None,
    };
    let outcome = measure(node, &mut wire, &stretch)?;
    outcome.tell("TLS hellos");
    anyhow::ensure!(
        outcome.does_not_count().is_none(),
        "the driver was the bottleneck: {:?}",
        outcome.does_not_count()
    );
    Ok(())
}

/// A network namespace, joined to this one: who attacks from there has an address that is not the node's own.
struct Away(String);

impl Away {
    fn start() -> anyhow::Result<Self> {
        let name = format!("hb{}", std::process::id());
        let away = Self(name.clone());
        for words in [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name up0 netns {name}"),
            format!("addr add 10.79.1.1/24 dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} addr add 10.79.1.2/24 dev up0"),
            format!("-n {name} link set up0 up"),
        ] {
            anyhow::ensure!(ip(&words), "ip {words} (network namespaces need root)");
        }
        Ok(away)
    }

    /// 200 connections of 100 streams each, as fast as they are answered.
    fn h2load(&self, stage: &str) -> anyhow::Result<()> {
        let port = stage.rsplit_once(':').context("a port")?.1;
        let attack = Command::new("ip")
            .args(["netns", "exec", &self.0, "h2load", "-c", "200", "-m", "100"])
            .args(["-D", &LASTS_S.to_string()])
            .arg(format!("https://10.79.1.1:{port}/studio"))
            .stdin(Stdio::null())
            .output()
            .context("h2load is missing")?;
        let said = String::from_utf8_lossy(&attack.stdout).into_owned();
        let mut lines = said.lines().peekable();
        anyhow::ensure!(lines.peek().is_some(), "h2load said nothing");
        for line in lines.filter(|line| {
            [
                "requests:",
                "status codes:",
                "finished",
                "Application protocol",
            ]
            .iter()
            .any(|begin| line.starts_with(begin))
        }) {
            println!("  h2load: {line}");
        }
        Ok(())
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.0));
    }
}

fn ip(words: &str) -> bool {
    let done = Command::new("ip").args(words.split_whitespace()).output();
    done.is_ok_and(|done| done.status.success())
}
