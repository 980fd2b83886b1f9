//! What a node has and uses, as the shell measures it, and how many seats that makes.

use super::limits::SEATS_MAX;

/// What can run short.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Cpu,
    Memory,
    Files,
    Uplink,
    Seats,
}

/// Used of what there is, in any one unit. A limit of 0 means that it is not known, and then it is never short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub used: u64,
    pub limit: u64,
}

impl Used {
    pub fn share(self) -> f64 {
        if self.limit == 0 {
            0.0
        } else {
            self.used as f64 / self.limit as f64
        }
    }

    fn left(self, keep: f64) -> f64 {
        if self.limit == 0 {
            f64::INFINITY
        } else {
            self.limit as f64 * keep - self.used as f64
        }
    }
}

/// The load of a shard and its node. The shell measures it once a sweep and hands it to every knock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Share (0..) of its core that this shard's sweeps would need at the widest cadence:
    /// `media::fanout::Cadence::projected_load`. For the usher: of the busiest shard.
    pub cpu: f64,
    /// Milliseconds between sweeps that their costs ask for, whoever holds the cadence wider:
    /// `media::fanout::Cadence::needed_ms`. The ladder's first step is that it widens.
    pub cadence_ms: u64,
    /// Bytes.
    pub memory: Used,
    /// Open files of the crowd's listener, what the stage keeps in reserve taken off.
    pub files: Used,
    /// Bits a second; the limit is configured, for it cannot be measured without filling it.
    pub uplink: Used,
}

/// Above this share a resource takes nobody in: what is left is for those inside.
const FULL: f64 = 0.97;
/// Share up to which seats are counted: beyond it those inside would notice.
pub const KEEP: f64 = 0.95;
/// Listeners inside below which one listener's cost is not yet read from the load.
const KNOWN_FROM: u32 = 200;
/// Bytes a listener takes until it is measured, buffers of the kernel included.
const BYTES_EACH: f64 = 24_576.0;
/// Bits a second a listener takes until it is measured.
const BITS_EACH: f64 = 56_000.0;

impl Load {
    /// The resource that is full, so that nobody can come in whatever the seats say.
    pub fn full(&self) -> Option<Resource> {
        [
            (Resource::Files, self.files.share()),
            (Resource::Memory, self.memory.share()),
            (Resource::Cpu, self.cpu),
        ]
        .into_iter()
        .find_map(|(resource, share)| (share >= FULL).then_some(resource))
    }

    /// How many seats the node has, by what is shortest: at most `limit`, the operator's. What one listener costs is read
    /// from what those inside cost, once there are enough of them.
    pub(crate) fn seats(&self, inside: u32, limit: u32) -> (u32, Resource) {
        let known = inside >= KNOWN_FROM;
        let each = |used: u64, guess: f64| {
            if known {
                (used as f64 / f64::from(inside)).clamp(guess / 8.0, guess * 4.0)
            } else {
                guess
            }
        };
        let more = [
            (Resource::Files, self.files.left(KEEP)),
            // Memory is not only listeners': what is used says little of one, so the guess stays.
            (Resource::Memory, self.memory.left(KEEP) / BYTES_EACH),
            (
                Resource::Uplink,
                self.uplink.left(KEEP) / each(self.uplink.used, BITS_EACH),
            ),
            (
                Resource::Cpu,
                if known {
                    f64::from(inside) * (KEEP / self.cpu.max(1e-3) - 1.0)
                } else {
                    f64::INFINITY
                },
            ),
        ];
        let mut seats = (limit.min(SEATS_MAX), Resource::Seats);
        for (resource, more) in more {
            let all = (f64::from(inside) + more).max(0.0);
            if all < f64::from(seats.0) {
                seats = (all as u32, resource);
            }
        }
        seats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_resource_makes_the_seats() {
        let free = Load::default();
        assert_eq!(free.seats(0, 500), (500, Resource::Seats));
        let files = Load {
            files: Used {
                used: 100,
                limit: 1_000,
            },
            ..free
        };
        assert_eq!(files.seats(50, 5_000), (900, Resource::Files));
        let uplink = Load {
            uplink: Used {
                used: 50_000_000,
                limit: 100_000_000,
            },
            ..free
        };
        assert_eq!(uplink.seats(1_000, 5_000), (1_900, Resource::Uplink));
        let cpu = Load { cpu: 0.5, ..free };
        assert_eq!(cpu.seats(1_000, 5_000), (1_900, Resource::Cpu));
        assert_eq!(
            cpu.seats(10, 5_000).1,
            Resource::Seats,
            "too few inside to tell"
        );
        let over = Load { cpu: 2.0, ..free };
        assert!(over.seats(1_000, 5_000).0 < 1_000);
    }

    #[test]
    fn hostile_numbers_do_not_panic() {
        for cpu in [f64::NAN, f64::INFINITY, -1.0] {
            let load = Load {
                cpu,
                files: Used {
                    used: u64::MAX,
                    limit: 1,
                },
                ..Load::default()
            };
            assert!(load.seats(1_000, 10).0 <= 10);
            let _ = load.full();
        }
    }
}
