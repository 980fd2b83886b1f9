//! What the flight recorder costs: its thread's time, as its own rows tell it, on a node at rest and under 10,000 knocks a
//! second; beside the gate alone deciding about as many.

use std::time::Duration;

use anyhow::Context as _;
use hustings::ops::flight::read;
use hustings_evidence::chain::Expect;
use hustings_evidence::row::NodeRow;

use crate::driver::connections_max;
use crate::flood::Kind;
use crate::flood::wire::{Stretch, Wire};
use crate::gate;
use crate::process::hustings;
use crate::table::{Bound, Table};

/// Knocks a second.
const KNOCKS_PER_S: f64 = 10_000.0;
const LASTS: Duration = Duration::from_secs(12);
/// How long the node is left at rest, before and for the last row to be written.
const IDLE: Duration = Duration::from_secs(5);
/// A second in which fewer of the knocks arrived is the flood's first or last.
const FULL_SECOND: u32 = 8_000;

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let knock_us = gate::bare_knock_us()?;
    table.add(
        "gate alone, 10,000 knocks: of a core",
        knock_us * KNOCKS_PER_S / 1e6 * 100.0,
        "%",
        Bound::Beside,
    );
    let node = hustings(binary, "/s/demo/live.ogg", None)?;
    std::thread::sleep(IDLE);
    let mut wire = Wire::new(node.target.address, connections_max())?;
    wire.run(&Stretch {
        honest_per_s: 0.0,
        honest_begin: Duration::ZERO,
        honest_last: Duration::ZERO,
        other_per_s: 0.0,
        flood: Some((Kind::ForgedSound, KNOCKS_PER_S, "")),
        lasts: LASTS,
        host: None,
    })?;
    std::thread::sleep(Duration::from_secs(2));
    let mut rows = Vec::new();
    let told = read(node.data(), Expect::default(), |entry| {
        rows.extend(entry.node);
    })?;
    println!(
        "  {} rows, {} bytes a row",
        rows.len(),
        bytes(node.data())? / told.last.n.max(1)
    );
    let at_rest = mean(rows.iter().filter(|row| row.knocks.sum().offered == 0));
    let busy = || {
        rows.iter()
            .filter(|row| row.knocks.sum().offered >= FULL_SECOND)
    };
    let knocks: u32 = busy().map(|row| row.knocks.sum().offered).sum();
    let seconds = u32::try_from(busy().count())?;
    let most = rows.iter().map(|row| row.knocks.sum().offered).max();
    anyhow::ensure!(
        seconds > 2,
        "the driver and the node came to {} knocks a second, and not to {FULL_SECOND}",
        most.unwrap_or(0)
    );
    println!("  {} knocks in {seconds} full seconds", knocks);
    table.add(
        "flight recorder, node at rest: of a core",
        at_rest.context("no row at rest")?,
        "%",
        Bound::Beside,
    );
    table.add(
        format!(
            "flight recorder, {} knocks a second: of a core",
            knocks / seconds
        ),
        mean(busy()).context("no busy row")?,
        "%",
        Bound::AtMost(1.0),
    );
    Ok(())
}

/// Percent of a core that the recorder's thread took.
fn mean<'a>(rows: impl Iterator<Item = &'a Box<NodeRow>>) -> Option<f64> {
    let (sum, count) = rows.fold((0, 0), |(sum, count), row| {
        (sum + row.cpu.flight, count + 1)
    });
    (count > 0).then(|| f64::from(sum) / f64::from(count) / 10.0)
}

fn bytes(data: &std::path::Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for file in std::fs::read_dir(data.join("flight"))? {
        let file = file?;
        if file
            .path()
            .extension()
            .is_some_and(|ending| ending == "jsonl")
        {
            sum += file.metadata()?.len();
        }
    }
    Ok(sum)
}
