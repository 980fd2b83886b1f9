//! What the kernel counts: `/proc`, once a second. What cannot be read is 0, and counts that went back count as nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hustings_evidence::row::{Cpu, Network, Used};

use super::limits::{PROC_BYTES_MAX, THREADS_MAX};

/// Nanoseconds of a thread's time by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Edge,
    Pages,
    House,
    Keeping,
    Flight,
    Other,
}

/// What was read the last time.
#[derive(Default)]
pub(super) struct Proc {
    threads: HashMap<u32, (Kind, u64)>,
    machine: [u64; 8],
    network: Totals,
}

/// Sums since the machine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    interfaces: [u64; 6],
    tcp_ext: [u64; 3],
    snmp: [u64; 5],
}

impl Proc {
    /// Thousandths of a core over `took_ms` since the last time; `sweeps` is for others to fill in.
    pub(super) fn cpu(&mut self, took_ms: u64) -> Cpu {
        let mut cpu = Cpu::default();
        let now = self.threads_now();
        for (id, (kind, ns)) in &now {
            let before = self.threads.get(id).map_or(0, |seen| seen.1);
            let share = permille(ns.saturating_sub(before), took_ms);
            cpu.process += share;
            match kind {
                Kind::Edge => {
                    cpu.edge += share;
                    cpu.edge_busiest = cpu.edge_busiest.max(share);
                }
                Kind::Pages => cpu.pages += share,
                Kind::House => cpu.house += share,
                Kind::Keeping => cpu.keeping += share,
                Kind::Flight => {
                    cpu.keeping += share;
                    cpu.flight += share;
                }
                Kind::Other => {}
            }
        }
        self.threads = now;
        let machine = read("/proc/stat").map_or([0; 8], |text| machine_of(&text));
        let since = std::array::from_fn(|at| machine[at].saturating_sub(self.machine[at]));
        self.machine = machine;
        tell_machine(&mut cpu, since);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        cpu.cores_permille = u32::try_from(cores * 1_000).unwrap_or(u32::MAX);
        cpu
    }

    /// Threads of this process that there are now.
    pub(super) fn threads(&self) -> u32 {
        u32::try_from(self.threads.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn network(&mut self) -> Network {
        let now = Totals {
            interfaces: read("/proc/net/dev").map_or([0; 6], |text| interfaces_of(&text)),
            tcp_ext: read("/proc/net/netstat").map_or([0; 3], |text| {
                named(
                    &text,
                    "TcpExt:",
                    ["ListenOverflows", "ListenDrops", "SyncookiesSent"],
                )
            }),
            snmp: read("/proc/net/snmp").map_or([0; 5], |text| {
                let [resent, resets] = named(&text, "Tcp:", ["RetransSegs", "EstabResets"]);
                let [udp, errors, nobody] =
                    named(&text, "Udp:", ["InDatagrams", "InErrors", "NoPorts"]);
                [resent, resets, udp, errors, nobody]
            }),
        };
        let before = std::mem::replace(&mut self.network, now);
        told(&now, &before)
    }

    fn threads_now(&self) -> HashMap<u32, (Kind, u64)> {
        let mut now = HashMap::with_capacity(self.threads.len());
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
        for task in tasks.flatten().take(THREADS_MAX) {
            let path = task.path();
            let id = task.file_name().to_str().and_then(|id| id.parse().ok());
            let spent = read(path.join("schedstat"))
                .and_then(|text| text.split_whitespace().next()?.parse().ok());
            // A thread that ends in this moment is gone with what it did since the last time.
            let (Some(id), Some(spent)) = (id, spent) else {
                continue;
            };
            let kind = match self.threads.get(&id) {
                Some((kind, before)) if *before <= spent => *kind,
                _ => kind_of(read(path.join("comm")).unwrap_or_default().trim()),
            };
            now.insert(id, (kind, spent));
        }
        now
    }
}

/// Bytes of memory that this process has.
pub(super) fn resident() -> u64 {
    let kib = || -> Option<u64> {
        let status = read("/proc/self/status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    kib().unwrap_or(0).saturating_mul(1_024)
}

/// Open files of this process, where the system tells their number without their names.
pub(super) fn open_files() -> Used {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Used {
        used: std::fs::metadata("/proc/self/fd").map_or(0, |about| about.len()),
        limit: limit.current.unwrap_or(0),
    }
}

pub(super) fn disk(folder: &Path) -> Used {
    let Ok(about) = rustix::fs::statvfs(folder) else {
        return Used::default();
    };
    let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
    Used {
        used: bytes(about.f_blocks.saturating_sub(about.f_bavail)),
        limit: bytes(about.f_blocks),
    }
}

fn permille(ns: u64, took_ms: u64) -> u32 {
    let share = ns / 1_000 / took_ms.max(1);
    u32::try_from(share).unwrap_or(u32::MAX)
}

fn kind_of(name: &str) -> Kind {
    match name {
        "flight" => Kind::Flight,
        "pages" => Kind::Pages,
        "house" | "hustings" => Kind::House,
        "usher" | "door-files" | "recorder" => Kind::Keeping,
        _ if name.starts_with("edge-") => Kind::Edge,
        _ if name.starts_with("sqlx-") => Kind::Keeping,
        _ => Kind::Other,
    }
}

/// user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)), in ticks.
fn machine_of(text: &str) -> [u64; 8] {
    let mut fields = [0; 8];
    let line = text.lines().next().unwrap_or_default();
    for (field, word) in fields.iter_mut().zip(line.split_whitespace().skip(1)) {
        *field = word.parse().unwrap_or(0);
    }
    fields
}

fn tell_machine(cpu: &mut Cpu, since: [u64; 8]) {
    let all: u64 = since.iter().sum();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let share = |ticks: u64| {
        let share = (ticks * 1_000 * cores).checked_div(all).unwrap_or(0);
        u32::try_from(share).unwrap_or(u32::MAX)
    };
    let [.., idle, wait, _, _, stolen] = since;
    cpu.machine = share(all - idle - wait - stolen);
    cpu.disk_wait = share(wait);
    cpu.stolen = share(stolen);
}

/// Bytes, packets and drops (errors among them) in and out, of all but loopback.
fn interfaces_of(text: &str) -> [u64; 6] {
    let mut sums = [0_u64; 6];
    for line in text.lines() {
        let Some((name, counts)) = line.split_once(':') else {
            continue;
        };
        if name.trim() == "lo" {
            continue;
        }
        let counts: Vec<u64> = counts
            .split_whitespace()
            .map(|count| count.parse().unwrap_or(0))
            .collect();
        let at = |column: usize| counts.get(column).copied().unwrap_or(0);
        let row = [at(0), at(8), at(1), at(9), at(2) + at(3), at(10) + at(11)];
        for (sum, count) in sums.iter_mut().zip(row) {
            *sum = sum.saturating_add(count);
        }
    }
    sums
}

/// Counters of a table of two lines, names above numbers.
fn named<const N: usize>(text: &str, table: &str, names: [&str; N]) -> [u64; N] {
    let mut lines = text.lines().filter(|line| line.starts_with(table));
    let (Some(heads), Some(counts)) = (lines.next(), lines.next()) else {
        return [0; N];
    };
    names.map(|name| {
        let at = heads.split_whitespace().position(|head| head == name);
        at.and_then(|at| counts.split_whitespace().nth(at)?.parse().ok())
            .unwrap_or(0)
    })
}

fn told(now: &Totals, before: &Totals) -> Network {
    let since = |now: u64, before: u64| now.saturating_sub(before);
    let short = |now: u64, before: u64| u32::try_from(since(now, before)).unwrap_or(u32::MAX);
    let [
        bytes_in,
        bytes_out,
        packets_in,
        packets_out,
        dropped_in,
        dropped_out,
    ] = std::array::from_fn(|at| since(now.interfaces[at], before.interfaces[at]));
    let [overflows, drops, cookies] =
        std::array::from_fn(|at| short(now.tcp_ext[at], before.tcp_ext[at]));
    let [resent, resets, udp_in, udp_errors, udp_no_port] =
        std::array::from_fn(|at| short(now.snmp[at], before.snmp[at]));
    Network {
        bytes_in,
        bytes_out,
        packets_in,
        packets_out,
        dropped_in,
        dropped_out,
        sound_bytes: 0,
        listen_overflows: overflows,
        listen_drops: drops,
        syn_cookies: cookies,
        resent,
        resets,
        udp_in,
        udp_errors,
        udp_no_port,
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(PROC_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel_are_read_by_their_names() {
        let netstat = "TcpExt: SyncookiesSent X ListenOverflows ListenDrops\nTcpExt: 3 9 4 5\nIpExt: A\nIpExt: 1\n";
        let names = [
            "ListenOverflows",
            "ListenDrops",
            "SyncookiesSent",
            "Missing",
        ];
        assert_eq!(named(netstat, "TcpExt:", names), [4, 5, 3, 0]);
        assert_eq!(named("", "TcpExt:", names), [0; 4]);
        let dev = "Inter-| x\n face |bytes\n lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n eth0: 100 10 1 2 0 0 0 0 200 20 3 4 0 0 0 0\n";
        assert_eq!(interfaces_of(dev), [100, 200, 10, 20, 3, 7]);
        let mut cpu = Cpu::default();
        tell_machine(&mut cpu, [10, 0, 10, 60, 10, 0, 0, 10]);
        assert!(cpu.machine > 0 && cpu.machine == 2 * cpu.stolen && cpu.stolen == cpu.disk_wait);
    }

    #[test]
    fn this_process_is_measured() {
        let mut proc = Proc::default();
        proc.cpu(1_000);
        let began = std::time::Instant::now();
        let mut spun = 0_u64;
        while began.elapsed().as_millis() < 120 {
            spun = spun.wrapping_mul(31).wrapping_add(7);
        }
        let cpu = proc.cpu(120);
        assert!(
            cpu.process > 50 && cpu.cores_permille >= 1_000,
            "{cpu:?} {spun}"
        );
        assert!(proc.threads() > 0 && resident() > 1 << 20);
        let disk = disk(Path::new("/"));
        assert!(disk.limit >= disk.used && disk.limit > 0);
    }
}
