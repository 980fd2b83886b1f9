//! What a refused knock costs, beside a loop that does nothing but accept, read, say no and close. The same driver, the
//! same knocks, in turns.

use std::time::Duration;

use super::attack::Kind;
use super::wire::{Stretch, Wire};
use crate::driver::connections_max;
use crate::process::{Server, hustings, own_silent};
use crate::table::{Bound, Table};

/// Knocks a second: both servers keep up with ease, so that neither saves by batches.
const KNOCKS_PER_S: f64 = 4_000.0;
const LASTS: Duration = Duration::from_secs(4);
/// Stretches of each server; the median counts.
const TURNS: usize = 5;
/// How long a server is watched at rest.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let bare = own_silent(&["refuse"], None)?;
    let ours = hustings(binary, "/s/demo/live.ogg", None)?;
    std::thread::sleep(IDLE);
    let (mut bare_us, mut ours_us) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare_us.push(each_us("bare loop", &bare)?);
        ours_us.push(each_us("Hustings", &ours)?);
    }
    let median = |of: &mut Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    let (bare, ours) = (median(&mut bare_us), median(&mut ours_us));
    table.add(
        "CPU a refused knock: bare accept, answer, close",
        bare,
        "us",
        Bound::Beside,
    );
    table.add(
        "CPU a refused knock: Hustings, forged tickets",
        ours,
        "us",
        Bound::Beside,
    );
    table.add(
        "a refused knock, Hustings / bare loop",
        ours / bare,
        "x",
        Bound::AtMost(1.5),
    );
    Ok(())
}

/// Microseconds of the server's CPU for one knock, what it uses at rest taken off.
fn each_us(name: &str, server: &Server) -> anyhow::Result<f64> {
    let mut wire = Wire::new(server.target.address, connections_max())?;
    let knocks = Stretch {
        honest_per_s: 0.0,
        honest_begin: Duration::ZERO,
        honest_last: Duration::ZERO,
        other_per_s: 0.0,
        flood: Some((Kind::ForgedSound, KNOCKS_PER_S, "")),
        lasts: LASTS,
        host: None,
    };
    let resting = server.cpu()?;
    std::thread::sleep(IDLE);
    let before = server.cpu()?;
    wire.run(&knocks)?;
    let spent = server.cpu()?.saturating_sub(before).as_secs_f64();
    let idle = before.saturating_sub(resting).as_secs_f64() / IDLE.as_secs_f64();
    let seen = &wire.seen;
    let answered = seen.refused;
    anyhow::ensure!(seen.passes == 0, "{name} let {} in", seen.passes);
    anyhow::ensure!(
        answered * 100 > seen.sent * 99,
        "{name} answered {answered} of {}",
        seen.sent
    );
    let us = (spent - idle * LASTS.as_secs_f64()).max(0.0) * 1e6 / answered as f64;
    println!("  {name}: {answered} refused, {us:.1} us each");
    Ok(us)
}
