//! The figures of BENCHMARKS.md. Servers run on core 0, the crowd on core 1; everything stays on loopback and is bounded
//! in number and time. Ratios between rows of one run count; absolute times are this machine's.

mod bare;
mod crowd;
mod peers;
mod planes;

use std::time::Duration;

use anyhow::{Context as _, bail};

/// Listeners of the carrying figures: both ends of each connection lie within 20,000 open files a process.
const LISTENERS: usize = 4_000;
/// Joins of one burst.
const BURST: usize = 4_000;
/// How long carrying is measured.
const CARRY: Duration = Duration::from_secs(15);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("bare") => bare::serve(&arguments.next().context("bare needs an address")?),
        Some("all") => all(&arguments
            .next()
            .context("all needs the path of the hustings binary")?),
        _ => bail!("usage: hustings-bench all HUSTINGS-BINARY | bare ADDRESS"),
    }
}

struct Row {
    what: &'static str,
    cpu_us: f64,
    memory_bytes: f64,
    joins_per_cpu_s: f64,
    first_byte_p99: Duration,
}

type Start = fn(&str) -> anyhow::Result<peers::Server>;

fn all(binary: &str) -> anyhow::Result<()> {
    planes::report();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    let names: [(&str, Start); 3] = [
        ("bare loop", peers::bare),
        ("Hustings", peers::hustings),
        ("Icecast", peers::icecast),
    ];
    for (what, start) in names {
        let server = start(binary)?;
        rows.push(runtime.block_on(measure(what, &server))?);
    }
    println!("\n{LISTENERS} listeners, {} s, plain:", CARRY.as_secs());
    println!(
        "| server | CPU a listener-second, us | resident memory a listener, bytes | joins a CPU-second | first byte p99, ms |"
    );
    println!("|---|---|---|---|---|");
    for row in &rows {
        let Row {
            what,
            cpu_us,
            memory_bytes,
            joins_per_cpu_s,
            first_byte_p99,
        } = row;
        let p99 = first_byte_p99.as_secs_f64() * 1e3;
        println!("| {what} | {cpu_us:.2} | {memory_bytes:.0} | {joins_per_cpu_s:.0} | {p99:.1} |");
    }
    let ratio = |of: usize, to: usize| rows[of].cpu_us / rows[to].cpu_us;
    println!(
        "Hustings / bare loop: {:.2} (to reach: 1.25). Hustings / Icecast: {:.2} (to reach: 1.00).",
        ratio(1, 0),
        ratio(1, 2)
    );
    Ok(())
}

async fn measure(what: &'static str, server: &peers::Server) -> anyhow::Result<Row> {
    // What the server does without listeners (mixing, encoding) is not the listeners' cost.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle_before = server.cpu()?;
    tokio::time::sleep(CARRY).await;
    let idle = server.cpu()? - idle_before;
    let memory_before = server.resident_bytes()?;
    let crowd = crowd::Crowd::join(&server.address, &server.path, LISTENERS).await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let memory = server.resident_bytes()?.saturating_sub(memory_before);
    let before = server.cpu()?;
    let heard_before = crowd.bytes();
    tokio::time::sleep(CARRY).await;
    let cost = (server.cpu()? - before).saturating_sub(idle);
    let inside = crowd.inside();
    let rate = (crowd.bytes() - heard_before) as f64 / CARRY.as_secs_f64() / inside.max(1) as f64;
    println!("{what}: {inside} of {LISTENERS} inside to the end, {rate:.0} bytes a second each");
    drop(crowd);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let joins_before = server.cpu()?;
    let burst = crowd::burst(&server.address, &server.path, BURST).await?;
    let joins_cost = server.cpu()? - joins_before;
    println!(
        "{what}: burst of {BURST}: {} heard, {:.0} joins a second by the clock",
        burst.heard, burst.per_second
    );
    Ok(Row {
        what,
        cpu_us: cost.as_secs_f64() * 1e6 / CARRY.as_secs_f64() / inside.max(1) as f64,
        memory_bytes: memory as f64 / LISTENERS as f64,
        joins_per_cpu_s: burst.heard as f64 / joins_cost.as_secs_f64().max(1e-6),
        first_byte_p99: burst.p99,
    })
}
