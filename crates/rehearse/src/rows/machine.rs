//! What the virtual node knows of its machine: cores, memory, files, network, dependencies.

use hustings_evidence::row::{
    Connections, Counts, Cpu, Dependencies, Faults, Latency, Machine, Network, NodeRow, Shed, Tls,
    Used,
};

use super::SPEAKERS;
use crate::recorder::Recorder;
use crate::scenario::Trouble;
use crate::world::World;

/// Bytes a second of sound and container at 48 kbit/s.
const SOUND_BYTES: u64 = 6_360;
/// Bytes of memory of a node, and of each listener; and what the machine has.
const MEMORY: u64 = 80_000_000;
const MEMORY_EACH: u64 = 10_000;
const MEMORY_MACHINE: u64 = 8_000_000_000;
/// Bytes of the disk, and of it in use while it is not full.
const DISK: u64 = 100_000_000_000;
const DISK_USED: u64 = 40_000_000_000;
/// Days that a certificate is valid of which nothing is said.
const CERTIFICATE_DAYS: i64 = 60;
/// Microseconds of a call of the database, of a sync and of the desk when all is well, mean and worst; and the deadline.
const STORE_US: (u32, u32) = (350, 1_400);
const DISK_US: (u32, u32) = (2_500, 6_000);
const DESK_US: (u32, u32) = (220, 900);
const DEADLINE_US: u32 = 5_000_000;
impl World<'_> {
    /// What the node knows of its machine.
    pub(super) fn finish_row(&mut self, node: &mut NodeRow, recorder: &mut Recorder) {
        let inside: u32 = recorder.of.iter().map(|second| second.inside).sum();
        let before = &mut recorder.before;
        let since = |now: u64, before: &mut u64| (now - std::mem::replace(before, now)) as u32;
        let slow = since(self.gathered.slow_heads, &mut before.slow_heads);
        let failed = since(
            self.gathered.handshakes_failed,
            &mut before.handshakes_failed,
        );
        let mut shed = Counts::default();
        let ended = since(self.gathered.slow_ended, &mut before.slow_ended);
        shed.set(Shed::SlowHead, ended);
        let closed = since(self.gathered.silent_shed, &mut before.silent_shed);
        shed.set(Shed::SilentShed, closed);
        shed.set(Shed::BadHandshake, failed);
        let (behaviour, knocks) = (&node.behaviour, node.knocks.sum());
        let requests = behaviour.pages + behaviour.scripts + behaviour.polls + behaviour.looks;
        // Scripts come over the page's connection, and so do most looks.
        let good = knocks.offered + behaviour.pages + behaviour.polls;
        node.connections = Connections {
            accepted: good + slow + failed,
            requests,
            request_worst_us: 800 + node.sweep_load_permille * 4,
            open: self.reach.slow.len() as u32 + behaviour.looks.min(inside),
            shed,
            ..Connections::default()
        };
        node.tls = Tls {
            handshakes: good,
            failures: failed,
            refused: 0,
            certificate_left_s: self.certificate_left_s(),
        };
        node.cpu = self.cpu(recorder);
        let files = self.files_used();
        node.machine = Machine {
            memory: used(MEMORY + u64::from(inside) * MEMORY_EACH, MEMORY_MACHINE),
            resident: MEMORY + u64::from(inside) * MEMORY_EACH,
            files: used(files.used + 60, files.limit),
            crowd_files: used(files.used, files.limit),
            uplink: used(u64::from(inside) * SOUND_BYTES * 8, 0),
            disk: used(
                if self.reach.disk_full {
                    DISK
                } else {
                    DISK_USED
                },
                DISK,
            ),
            threads: 12 + self.night.shards,
        };
        node.network = self.network(inside, node.connections.accepted, requests);
        node.dependencies = self.dependencies();
        let disk = node.dependencies.disk.failures + node.dependencies.desk.failures;
        node.faults = Faults {
            theirs: knocks.turned_away.sum() + failed,
            ours: 0,
            dependencies: node.dependencies.store.failures + disk,
            network: 0,
            full: knocks.waiting.of(hustings_control::gate::Cause::NodeFull),
        };
    }

    fn network(&self, inside: u32, accepted: u32, requests: u32) -> Network {
        let sound_bytes = u64::from(inside) * SOUND_BYTES;
        let packets = u64::from(inside) * 5 + u64::from(accepted) * 4;
        Network {
            bytes_in: u64::from(accepted) * 900 + packets * 20,
            bytes_out: sound_bytes + u64::from(requests) * 4_000,
            packets_in: packets,
            packets_out: packets,
            sound_bytes,
            udp_in: 50 * SPEAKERS * u32::from(!self.reach.speaker_lost),
            ..Network::default()
        }
    }

    fn certificate_left_s(&self) -> i64 {
        let ms = self.ms();
        let expires = self.night.troubles.iter().find_map(|timed| {
            let expires = timed.trouble == Trouble::Certificate { expired: true };
            expires.then_some(timed.at_ms)
        });
        let renewed = self.night.troubles.iter().any(|timed| {
            timed.at_ms <= ms && timed.trouble == Trouble::Certificate { expired: false }
        });
        match expires {
            Some(at) if !renewed => (i64::from(at) - i64::from(ms)) / 1_000,
            _ => CERTIFICATE_DAYS * 86_400 - i64::from(ms) / 1_000,
        }
    }

    fn cpu(&self, recorder: &mut Recorder) -> Cpu {
        let before = &mut recorder.before;
        let permille = |ns: f64| (ns / 1e6) as u32;
        let (sweeps_ns, busy_ns) = self.cores.spent();
        let sweeps = permille(sweeps_ns - std::mem::replace(&mut before.sweeps_ns, sweeps_ns));
        before.busy_ns.resize(busy_ns.len(), 0.0);
        let (mut edge, mut busiest) = (0, 0);
        for (now, before) in busy_ns.iter().zip(&mut before.busy_ns) {
            let spent = permille(now - std::mem::replace(before, *now));
            edge += spent;
            busiest = busiest.max(spent);
        }
        let house = 40 + 10 * self.node.doors.len() as u32;
        Cpu {
            cores_permille: (self.night.shards + 1) * 1_000,
            process: edge + house + 8,
            edge,
            sweeps,
            edge_busiest: busiest,
            pages: 2,
            house,
            keeping: 5,
            flight: 1,
            machine: edge + house + 20,
            ..Cpu::default()
        }
    }

    fn dependencies(&self) -> Dependencies {
        let well = |calls: u32, (mean_us, worst_us): (u32, u32)| Latency {
            calls,
            mean_us,
            worst_us,
            ..Latency::default()
        };
        let gone = |since: u32| Latency {
            failures: u32::from(since >= DEADLINE_US / 1_000),
            pending_us: since.saturating_mul(1_000).min(DEADLINE_US),
            ..Latency::default()
        };
        let mut all = Dependencies {
            store: well(2, STORE_US),
            disk: well(1, DISK_US),
            webhook: Latency::default(),
            desk: well(3, DESK_US),
        };
        if let Some(since) = self.reach.database_gone {
            (all.store, all.desk) = (gone(self.ms() - since), gone(self.ms() - since));
        }
        if self.reach.disk_full {
            let refused = Latency {
                failures: 1,
                ..Latency::default()
            };
            (all.disk, all.store) = (refused.clone(), refused);
        }
        all
    }
}

fn used(used: u64, limit: u64) -> Used {
    Used { used, limit }
}
