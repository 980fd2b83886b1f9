//! What every exporter tells of its process, by the names that dashboards know; from `/proc`, where there is one.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Fields of `/proc/self/stat`, counted after the name in parentheses.
const UTIME: usize = 11;
const STIME: usize = 12;
const START: usize = 19;
const RSS: usize = 21;

/// Seconds of a processor, seconds since the Unix epoch, bytes.
#[derive(Debug, PartialEq)]
struct Seen {
    cpu_s: f64,
    start_s: f64,
    resident: f64,
}

pub(super) fn tell(registry: &mut Registry) {
    let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("hustings_build", "The version that runs", version);
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        let limit = ConstGauge::new(limit as f64);
        registry.register("process_max_fds", "Files that may be open", limit);
    }
    let Some(seen) = look() else { return };
    let seconds = || Unit::Seconds;
    let cpu = ConstCounter::new(seen.cpu_s);
    registry.register_with_unit("process_cpu", "Time of processors used", seconds(), cpu);
    let start = ConstGauge::new(seen.start_s);
    let help = "When the process began, since the Unix epoch";
    registry.register_with_unit("process_start_time", help, seconds(), start);
    let resident = ConstGauge::new(seen.resident);
    let help = "Memory of the process that is in use";
    registry.register_with_unit("process_resident_memory", help, Unit::Bytes, resident);
}

fn look() -> Option<Seen> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let machine = std::fs::read_to_string("/proc/stat").ok()?;
    read(
        &stat,
        &machine,
        clock_ticks_per_second() as f64,
        page_size() as f64,
    )
}

fn read(stat: &str, machine: &str, ticks_a_second: f64, page: f64) -> Option<Seen> {
    // The name may hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<f64> = fields
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    let field = |at: usize| fields.get(at).copied();
    let booted = machine
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let booted: f64 = booted.trim().parse().ok()?;
    Some(Seen {
        cpu_s: (field(UTIME)? + field(STIME)?) / ticks_a_second,
        start_s: booted + field(START)? / ticks_a_second,
        resident: field(RSS)? * page,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read_whatever_the_process_is_called() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 150 13 14 15 16 17 18 3000 20 25 22\n";
        let seen = read(stat, "cpu 1\nbtime 1000\n", 100.0, 4_096.0);
        let wanted = Seen {
            cpu_s: 4.0,
            start_s: 1_030.0,
            resident: 102_400.0,
        };
        assert_eq!(seen, Some(wanted));
        assert_eq!(read("nothing", "btime 1\n", 100.0, 1.0), None);
        assert!(look().is_none_or(|seen| seen.resident > 0.0));
    }
}
