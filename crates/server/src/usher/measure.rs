//! What a node has and uses: memory, open files, the uplink, and its cores by the cost of sweeps.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::{Duration, Instant};

use hustings_control::gate::{Load, Used};

use super::limits::{UPLINK_WINDOW_S, WIRE_PERMILLE};
use crate::edge::EdgeMeter;

/// Gives the load of the node, once a tick.
pub type Measure = Box<dyn FnMut() -> Load + Send>;

/// Bits a second, as `--uplink` takes them: `950M`, `10G`, `2.5Gbit`; k, M, G and T are thousands of thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let say = || format!("`{text}` is no rate in bits a second; write it like 950M or 10G");
        let bare = text
            .trim()
            .trim_end_matches("/s")
            .trim_end_matches("bps")
            .trim_end_matches("bit");
        let at = bare
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(bare.len());
        let (number, unit) = bare.split_at(at);
        let unit = match unit.trim() {
            "" => 1.0,
            "k" | "K" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            _ => return Err(say()),
        };
        let bits = number.parse::<f64>().map_err(|_| say())? * unit;
        if !(1e6..=1e15).contains(&bits) {
            return Err(format!(
                "an uplink of {text} bits a second carries nobody or does not exist; write it like 950M or 10G, or leave --uplink away"
            ));
        }
        Ok(Self(bits as u64))
    }
}

/// Measures this process. `files_max` are those that the crowd may hold; `uplink` is what the operator says there is.
pub fn measure(meter: EdgeMeter, files_max: u64, uplink: Option<Rate>) -> Measure {
    let mut sent = Sent::default();
    let mut memory = Memory::default();
    Box::new(move || {
        let stats = meter.stats();
        let now = Instant::now();
        Load {
            cpu: stats.projected_load,
            cadence_ms: stats.needed_ms,
            memory: memory.used(now),
            files: Used {
                used: stats.listeners + stats.tasks,
                limit: files_max,
            },
            uplink: Used {
                used: sent.bits_a_second(stats.bytes, now) * WIRE_PERMILLE / 1_000,
                limit: uplink.map_or(0, |rate| rate.0),
            },
        }
    })
}

/// Bytes sent over the last seconds.
#[derive(Default)]
struct Sent(VecDeque<(Instant, u64)>);

impl Sent {
    fn bits_a_second(&mut self, bytes: u64, now: Instant) -> u64 {
        let window = Duration::from_secs(UPLINK_WINDOW_S as u64);
        self.0.push_back((now, bytes));
        // The newest of those that are older than the window stays as its beginning.
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= window)
        {
            self.0.pop_front();
        }
        let Some((at, before)) = self.0.front() else {
            return 0;
        };
        let took = now.duration_since(*at).as_secs_f64();
        if took < 0.5 {
            return 0;
        }
        (bytes.saturating_sub(*before) as f64 * 8.0 / took) as u64
    }
}

/// Time between two looks: `/proc` costs some ten microseconds.
const MEMORY_EVERY: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Memory {
    seen: Option<(Instant, Used)>,
}

impl Memory {
    fn used(&mut self, now: Instant) -> Used {
        match self.seen {
            Some((at, used)) if now.duration_since(at) < MEMORY_EVERY => used,
            _ => {
                let used = look();
                self.seen = Some((now, used));
                used
            }
        }
    }
}

/// The smallest of what binds: the cgroup's limit with what it uses, or the machine's memory with what is left of it.
/// Sockets' buffers are the kernel's and stand in both. Where the system tells nothing, nothing is short.
fn look() -> Used {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| of_machine(&text));
    let group = group_files().and_then(|(max, current)| of_group(&max, &current));
    let share = |used: &Used| used.share();
    let all = [machine, group].into_iter().flatten();
    all.max_by(|a, b| share(a).total_cmp(&share(b)))
        .unwrap_or_default()
}

fn of_machine(meminfo: &str) -> Option<Used> {
    let of = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line
            .trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse()
            .ok()?;
        Some(kib * 1_024)
    };
    let (total, left) = (of("MemTotal")?, of("MemAvailable")?);
    Some(Used {
        used: total.saturating_sub(left),
        limit: total,
    })
}

/// `memory.max` and what is used without what the kernel can take back at once.
fn group_files() -> Option<(String, String)> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = format!("/sys/fs/cgroup{}", path.trim_end_matches('/'));
    let max = std::fs::read_to_string(format!("{folder}/memory.max")).ok()?;
    let current = std::fs::read_to_string(format!("{folder}/memory.current")).ok()?;
    let stat = std::fs::read_to_string(format!("{folder}/memory.stat")).unwrap_or_default();
    let cached: u64 = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file "))
        .and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or(0);
    let used: u64 = current.trim().parse().ok()?;
    Some((max, used.saturating_sub(cached).to_string()))
}

fn of_group(max: &str, current: &str) -> Option<Used> {
    // "max" means no limit.
    Some(Used {
        limit: max.trim().parse().ok()?,
        used: current.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(
                text.parse::<Rate>().ok().map(|rate| rate.0),
                expected,
                "{text}"
            );
        };
        check("10G", Some(10_000_000_000));
        check("950M", Some(950_000_000));
        check("2.5Gbit/s", Some(2_500_000_000));
        check("1000000000", Some(1_000_000_000));
        check("100Mbps", Some(100_000_000));
        for bad in [
            "", "0", "10", "fast", "10X", "-1G", "1e9G", "NaN", "10 G B", "9999999T",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn the_uplink_is_read_over_seconds() {
        let (mut sent, began) = (Sent::default(), Instant::now());
        let mut bits = 0;
        for tick in 0..100_u64 {
            // A sweep of 2 s: nothing, then all at once.
            let bytes = tick / 20 * 2_000_000;
            bits = sent.bits_a_second(bytes, began + Duration::from_millis(100 * tick));
        }
        assert!((7_000_000..=9_000_000).contains(&bits), "{bits}");
        assert!(sent.0.len() < 60);
    }

    #[test]
    fn memory_is_read_from_what_the_system_tells() {
        let machine = of_machine("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n");
        assert_eq!(
            machine,
            Some(Used {
                used: 768_000,
                limit: 1_024_000
            })
        );
        assert_eq!(of_machine("nothing"), None);
        assert_eq!(of_group("max\n", "5"), None);
        assert_eq!(
            of_group("100\n", "5\n"),
            Some(Used {
                used: 5,
                limit: 100
            })
        );
        assert!(look().share() < 1.0);
    }
}
