//! The night of eight million: 1,000,000 seats, 20 virtual minutes, on one core. Those inside cost what a real shard with
//! sample sockets on loopback cost a moment before.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::shard::{Shard, Sink};
use hustings_media::time::{Epoch, MediaTime, Now};
use hustings_rehearse::{Costs, Scenario, simulate, table as table_of};

use crate::table::{Bound, Table};

const LISTENERS: u32 = 8_000_000;
const SEATS: u32 = 1_000_000;
const MINUTES: u32 = 20;
/// Sockets of the sample: few enough for any limit of open files.
const SAMPLE: usize = 400;
/// Sweeps of each length; the first quarter warms up.
const SWEEPS: u32 = 40;
/// Bytes of a second of pages at 48 kbit/s, in ten pages.
const PAGE: usize = 600;
const KIB_A_GIB: f64 = 1_048_576.0;

pub(crate) fn report(table: &mut Table) -> anyhow::Result<()> {
    let costs = measured()?;
    let scenario = Scenario {
        listeners: LISTENERS,
        seats: SEATS,
        minutes: MINUTES,
        beside: LISTENERS / 100,
        costs,
        ..Scenario::default()
    };
    let before = own_cpu()?;
    let report = simulate(&scenario)?;
    let took = own_cpu()? - before;
    print!("{}", table_of(&report));
    table.add(
        "8,000,000 joiners, 1,000,000 seats, 20 virtual minutes",
        took,
        "s of one core",
        Bound::AtMost(60.0),
    );
    table.add(
        "the same: most memory of the process",
        peak_kib()? / KIB_A_GIB,
        "GiB",
        Bound::AtMost(4.0),
    );
    Ok(())
}

struct Socket(TcpStream);

impl Sink for Socket {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }
}

/// A listener's part of a sweep, for short and for long pages, by a real shard with real sockets.
fn measured() -> anyhow::Result<Costs> {
    let (short, long) = (sweep_ns(1)?, sweep_ns(20)?);
    let second_ns = ((long - short) / 1.9).max(100.0);
    let sweep_ns = (short - second_ns * 0.1).max(100.0);
    println!(
        "  a listener's part of a sweep: {short:.0} ns for 0.1 s of pages, {long:.0} ns for 2 s"
    );
    Ok(Costs {
        sweep_ns,
        second_ns,
        ..Costs::default()
    })
}

fn sweep_ns(pages: u32) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let ring = Ring::new(Bytes::new(), 120);
    let mut shard = Shard::new(SAMPLE);
    let key = shard.add_ring(ring.clone());
    let mut ears = Vec::with_capacity(SAMPLE);
    for _ in 0..SAMPLE {
        let ear = TcpStream::connect(address)?;
        ear.set_nonblocking(true)?;
        let (socket, _) = listener.accept()?;
        socket.set_nonblocking(true)?;
        let joined = shard.join(
            key,
            ring.cursor_behind(0),
            ring.head(),
            Socket(socket),
            Now(0),
        );
        anyhow::ensure!(joined.is_ok(), "the shard is full");
        ears.push(ear);
    }
    let (mut left, mut buffer, mut costs) = (Vec::new(), vec![0; 1 << 16], Vec::new());
    let mut pushed = 0;
    for sweep in 0..SWEEPS {
        for _ in 0..pages {
            pushed += 1;
            ring.push(CutPage {
                epoch: Epoch(1),
                media_time: MediaTime(pushed * 4_800),
                duration: 4_800,
                start: true,
                bytes: Bytes::from(vec![0x5a; PAGE]),
            });
        }
        let now = Now::from_millis(pushed * 100);
        let before = Instant::now();
        shard.sweep(now, &mut left);
        if sweep >= SWEEPS / 4 {
            costs.push(before.elapsed().as_nanos() as f64 / SAMPLE as f64);
        }
        for ear in &mut ears {
            while matches!(ear.read(&mut buffer), Ok(bytes) if bytes > 0) {}
        }
    }
    anyhow::ensure!(left.is_empty(), "somebody fell out of the sample");
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().context("no sweeps")
}

/// Seconds that this thread ran.
fn own_cpu() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ran = stat.split_whitespace().next().context("an odd schedstat")?;
    Ok(ran.parse::<u64>()? as f64 / 1e9)
}

fn peak_kib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.split_whitespace().next());
    Ok(peak.context("no VmHWM")?.parse()?)
}
