//! Joins from the press to the first byte of sound, in bursts of as many as open files allow.

use std::time::Duration;

use crate::driver::{Burst, burst, connections_max};
use crate::process::{self, Server};
use crate::table::{Bound, Table};
use crate::tls;

/// Joins of one plain burst of who shows nothing: what a calm door gives away in a tenth of a second where 20,000 open files
/// are the shortest (one seat in 16). Who comes beyond it is asked to come twice: that is measured among the floods, not here.
const BURST: usize = 980;
/// Joins of one burst with TLS: the driver pays for a handshake too.
const SEALED_BURST: usize = 2_000;
/// Joins asked of Icecast, which lets in some dozens a second.
const ICECAST_BURST: usize = 1_000;
/// Bursts of each server; the median counts.
const BURSTS: usize = 15;
/// Until a server has noticed who has gone.
const CALM: Duration = Duration::from_secs(3);
/// How long it is watched while nobody comes, to know what it uses for itself.
const IDLE: Duration = Duration::from_secs(2);
/// Handshakes a second that the door may begin in this run: what it paces by itself is not what is measured.
const HANDSHAKES: &str = "100000";

/// Medians over the bursts of one server.
struct Joined {
    by_clock: f64,
    cpu_us: f64,
}

/// Those who press and `stay` do so until the last has heard, and then all close at once; else each closes when it hears.
/// What the server used before for itself, in the same time, is taken off.
fn measure(
    name: &str,
    server: &Server,
    count: usize,
    bursts: usize,
    stay: bool,
) -> anyhow::Result<Joined> {
    let (mut by_clock, mut cpu_us) = (Vec::new(), Vec::new());
    for _ in 0..bursts {
        std::thread::sleep(CALM);
        let resting = server.cpu()?;
        std::thread::sleep(IDLE);
        let before = server.cpu()?;
        let idle = before.saturating_sub(resting).as_secs_f64() / IDLE.as_secs_f64();
        let Some(Burst {
            heard,
            took,
            p99,
            inside,
        }) = burst(&server.target, count, stay)
        else {
            anyhow::bail!("nobody heard {name}");
        };
        let own = Duration::from_secs_f64(idle * took.as_secs_f64());
        let spent = server.cpu()?.saturating_sub(before).saturating_sub(own);
        drop(inside);
        by_clock.push(heard as f64 / took.as_secs_f64());
        cpu_us.push(spent.as_secs_f64() * 1e6 / heard as f64);
        println!(
            "  {name}: {heard} of {count} heard in {:.2} s, 99 % within {:.0} ms, {:.1} us of CPU each; at rest {:.1} % of the core",
            took.as_secs_f64(),
            p99.as_secs_f64() * 1e3,
            spent.as_secs_f64() * 1e6 / heard as f64,
            idle * 100.0,
        );
    }
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    Ok(Joined {
        by_clock: median(by_clock),
        cpu_us: median(cpu_us),
    })
}

pub(crate) fn plain(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let count = BURST.min(connections_max() / 20);
    let bare = measure(
        "bare accept loop",
        &process::own(&["accept"], None)?,
        count,
        BURSTS,
        true,
    )?;
    let start = |path| process::hustings(binary, path, None);
    let ours = measure(
        "Hustings, the player's burst",
        &start("/s/demo/live.ogg?burst=short")?,
        count,
        BURSTS,
        true,
    )?;
    let long = measure(
        "Hustings, 5 s of sound at once",
        &start("/s/demo/live.ogg")?,
        count,
        BURSTS,
        true,
    )?;
    table.add(
        "joins a CPU-second: bare accept loop",
        1e6 / bare.cpu_us,
        "/s",
        Bound::Beside,
    );
    table.add(
        "joins a CPU-second: Hustings",
        1e6 / ours.cpu_us,
        "/s",
        Bound::AtLeast(20_000.0),
    );
    table.add(
        "joins a second by the clock, driver included",
        ours.by_clock,
        "/s",
        Bound::AtLeast(20_000.0),
    );
    table.add(
        "joins a CPU-second with 5 s of sound each",
        1e6 / long.cpu_us,
        "/s",
        Bound::Beside,
    );
    match process::icecast()
        .and_then(|icecast| measure("Icecast", &icecast, ICECAST_BURST, 1, true))
    {
        Ok(icecast) => table.add(
            "joins by the clock, Hustings / Icecast",
            ours.by_clock / icecast.by_clock,
            "x",
            Bound::AtLeast(100.0),
        ),
        Err(why) => table.missing("joins by the clock, Hustings / Icecast", &why),
    }
    Ok(())
}

pub(crate) fn sealed(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let files = tls::Files::make(folder.path())?;
    let count = SEALED_BURST.min(connections_max());
    let accepting = process::own(&["accept"], Some(&files))?;
    let bare = measure("bare rustls loop", &accepting, count, BURSTS, false)?;
    drop(accepting);
    let path = "/s/demo/live.ogg?burst=short";
    let more = ["--handshakes", HANDSHAKES];
    let server = process::hustings_with(binary, path, Some(&files), &more, &[])?;
    let ours = measure("Hustings, TLS", &server, count, BURSTS, false)?;
    table.add(
        "CPU a TLS join: bare rustls loop",
        bare.cpu_us,
        "us",
        Bound::Beside,
    );
    table.add("CPU a TLS join: Hustings", ours.cpu_us, "us", Bound::Beside);
    table.add(
        "TLS joins, Hustings / bare rustls loop",
        ours.cpu_us / bare.cpu_us,
        "x",
        Bound::AtMost(1.3),
    );
    Ok(())
}
