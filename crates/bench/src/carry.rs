//! What it costs to carry listeners. All servers carry their crowds at the same time on the same core, so that whatever
//! else the machine does falls on all of them alike; CPU time is counted for each process by itself.

use std::time::{Duration, Instant};

use crate::driver::{self, Crowd, connections_max};
use crate::process::{self, Server};
use crate::table::{Bound, Table};
use crate::tls;

/// Listeners of each server. All crowds are one process' files.
const LISTENERS: usize = 4_000;
/// It lets in some dozens a second.
const ICECAST: &str = "Icecast";
/// Joins of each server, but Icecast's, before its memory is looked at first.
const WARM_UP: usize = 600;
/// Between the last join and the first count: what joining left behind is over by then.
const SETTLE: Duration = Duration::from_secs(6);
/// One window; all windows together count. Long, for a cadence of 2 s puts half a sweep more or less into each.
const WINDOW: Duration = Duration::from_secs(20);
const WINDOWS: usize = 3;

struct Carried {
    server: Server,
    crowd: Crowd,
    memory: f64,
    /// Microseconds of CPU a listener-second, one for each window.
    cpu_us: Vec<f64>,
}

impl Carried {
    fn join(name: &str, server: Server, count: usize) -> anyhow::Result<Self> {
        // What handshakes under way need at once is the server's, not the listeners' who come after.
        if name != ICECAST {
            drop(driver::burst(&server.target, WARM_UP.min(count), true));
            std::thread::sleep(Duration::from_secs(2));
        }
        let before = server.resident_bytes()?;
        let begun = Instant::now();
        let crowd = Crowd::join(&server.target, count)?;
        let inside = crowd.inside();
        let grown = server.resident_bytes()?.saturating_sub(before);
        println!(
            "  {name}: {inside} of {count} joined in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        anyhow::ensure!(
            inside * 100 >= count * 99,
            "only {inside} of {count} were let in"
        );
        Ok(Self {
            server,
            crowd,
            memory: grown as f64 / inside as f64,
            cpu_us: Vec::new(),
        })
    }

    fn mean(&self) -> f64 {
        self.cpu_us.iter().sum::<f64>() / self.cpu_us.len() as f64
    }
}

pub(crate) fn report(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let files = tls::Files::make(folder.path())?;
    let room = connections_max();
    let count = LISTENERS.min(room / 5);
    // Icecast lets in the slowest: first, so that the others need not wait inside.
    let icecast = Carried::join(ICECAST, process::icecast()?, count);
    let mut all = vec![
        Carried::join("bare loop", process::own(&["bare"], None)?, count)?,
        Carried::join(
            "Hustings, 1 s",
            process::own(&["edge", "1000"], None)?,
            count,
        )?,
        Carried::join(
            "Hustings, 2 s",
            process::own(&["edge", "2000"], None)?,
            count,
        )?,
        Carried::join(
            "Hustings, 1 s, TLS",
            process::own(&["edge", "1000"], Some(&files))?,
            count,
        )?,
    ];
    let with_icecast = match icecast {
        Ok(icecast) => {
            all.push(icecast);
            true
        }
        Err(why) => {
            table.missing("Hustings / Icecast, carrying", &why);
            false
        }
    };
    std::thread::sleep(SETTLE);
    for _ in 0..WINDOWS {
        window(&mut all)?;
    }
    tell(table, &all, with_icecast);
    Ok(())
}

fn window(all: &mut [Carried]) -> anyhow::Result<()> {
    let before: Vec<(Duration, u64)> = all
        .iter()
        .map(|one| Ok((one.server.cpu()?, one.crowd.bytes())))
        .collect::<anyhow::Result<_>>()?;
    let begun = Instant::now();
    std::thread::sleep(WINDOW);
    for (one, (cpu, bytes)) in all.iter_mut().zip(before) {
        let inside = one.crowd.inside().max(1) as f64;
        let listener_seconds = begun.elapsed().as_secs_f64() * inside;
        let spent = one.server.cpu()?.saturating_sub(cpu);
        let rate = (one.crowd.bytes() - bytes) as f64 / listener_seconds;
        let cpu_us = spent.as_secs_f64() * 1e6 / listener_seconds;
        println!("    {inside} inside, {rate:.0} bytes/s each, {cpu_us:.2} us a listener-second");
        one.cpu_us.push(cpu_us);
    }
    Ok(())
}

fn tell(table: &mut Table, all: &[Carried], with_icecast: bool) {
    let (bare, ours, wide, sealed) = (&all[0], &all[1], &all[2], &all[3]);
    let cpu = |one: &Carried| one.mean();
    table.add(
        "CPU a listener-second: bare loop",
        cpu(bare),
        "us",
        Bound::Beside,
    );
    table.add(
        "CPU a listener-second: Hustings plain",
        cpu(ours),
        "us",
        Bound::Beside,
    );
    table.add(
        "Hustings / bare loop",
        cpu(ours) / cpu(bare),
        "x",
        Bound::AtMost(1.25),
    );
    if with_icecast {
        table.add(
            "CPU a listener-second: Icecast",
            cpu(&all[4]),
            "us",
            Bound::Beside,
        );
        table.add(
            "Hustings / Icecast",
            cpu(ours) / cpu(&all[4]),
            "x",
            Bound::AtMost(1.0),
        );
    }
    table.add(
        "cadence 2 s / 1 s",
        cpu(wide) / cpu(ours),
        "x",
        Bound::AtMost(0.65),
    );
    table.add(
        "TLS 1.3 / plain",
        cpu(sealed) / cpu(ours),
        "x",
        Bound::AtMost(1.6),
    );
    table.add(
        "memory a listener, plain",
        ours.memory,
        "bytes",
        Bound::AtMost(1_024.0),
    );
    table.add(
        "memory a listener, TLS",
        sealed.memory,
        "bytes",
        Bound::AtMost(10_240.0),
    );
}
