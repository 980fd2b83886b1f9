//! The rows that a real node's flight recorder would fill, of the virtual one: one a second of the node and of each space.

use hustings_control::gate::spread::Spread as Sketch;
use hustings_control::gate::{Mode, Tally};
use hustings_control::spaces::Phase;
use hustings_evidence::row::{
    Behaviour, Connections, Counts, Cpu, Dependencies, Faults, Knocks, Latency, Machine, Network,
    NodeRow, People, Shed, SpaceRow, Spread, Stage, Tls, Used,
};

use crate::dice::{Dice, mix};
use crate::recorder::{Recorder, SpaceSecond};
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
/// Speakers of each stage.
pub(crate) const SPEAKERS: u32 = 2;
/// Days that a certificate is valid of which nothing is said.
const CERTIFICATE_DAYS: i64 = 60;
/// Microseconds of a call of the database, of a sync and of the desk when all is well, mean and worst; and the deadline.
const STORE_US: (u32, u32) = (350, 1_400);
const DISK_US: (u32, u32) = (2_500, 6_000);
const DESK_US: (u32, u32) = (220, 900);
const DEADLINE_US: u32 = 5_000_000;
/// Milliseconds of dead air after which it is told.
pub(crate) const DEAD_AIR_MS: u32 = 10_000;

impl World<'_> {
    /// At the end of each second, while the node runs.
    pub(crate) fn record(&mut self) {
        let ms = self.ms();
        if ms == 0 || !ms.is_multiple_of(1_000) {
            return;
        }
        let Some(mut recorder) = self.recorder.take() else {
            return;
        };
        let part = Dice::new(mix(self.night.seed ^ u64::from(ms) << 24)).part();
        if self.reach.is_down() {
            // Nobody is there to write.
        } else if part < self.reach.rows_lost {
            recorder.lost += 1 + self.node.doors.len() as u32;
            self.take_tallies();
        } else {
            recorder.look_at_stays(&self.crowd, ms);
            self.go_live(&mut recorder);
            self.hear(&mut recorder);
            let mut node = self.node_row(&mut recorder);
            let mut sketch = Sketch::default();
            for space in 0..self.node.doors.len() {
                let (tally, spread) = self.take_counted(space);
                sketch.add(&spread);
                let row = self.space_row(&recorder, space, &tally, &spread, &node);
                add_space(&mut node, &row);
                recorder.spaces.push(row);
            }
            node.spread = spread_of(&sketch);
            self.finish_row(&mut node, &mut recorder);
            node.rows_lost = std::mem::take(&mut recorder.lost);
            recorder.nodes.push(node);
        }
        recorder.next_second();
        self.recorder = Some(recorder);
    }

    fn up_ms(&self, recorder: &Recorder) -> u64 {
        u64::from(self.ms() - recorder.began_ms)
    }

    fn node_row(&self, recorder: &mut Recorder) -> NodeRow {
        let load = self.cores.busiest();
        let step = self.off - std::mem::replace(&mut recorder.off, self.off);
        NodeRow {
            at: self.times().wall,
            up_ms: self.up_ms(recorder),
            took_ms: 1_000,
            clock_step_ms: step,
            spaces: self.node.doors.len() as u32,
            step: self.node.usher.ladder().step(),
            seats: recorder.capacity,
            seats_out: self.node.hall.out(),
            short: recorder.short,
            sweep_load_permille: (load.cpu * 1_000.0) as u32,
            cadence_ms: load.cadence_ms as u32,
            ..NodeRow::default()
        }
    }

    fn space_row(
        &self,
        recorder: &Recorder,
        space: usize,
        tally: &Tally,
        sketch: &Sketch,
        node: &NodeRow,
    ) -> SpaceRow {
        let (door, second) = (&self.node.doors[space], recorder.of[space]);
        let (issued, called) = door.line();
        let knocks = Knocks::from(tally);
        let limit = self.reach.limits[space];
        let guarantee = self.night.spaces[space].guarantee;
        SpaceRow {
            at: node.at,
            up_ms: node.up_ms,
            space: Some(door.space().clone()),
            phase: Some(if self.is_live(space) {
                Phase::Live
            } else {
                Phase::Open
            }),
            people: people(&second, &knocks, issued.saturating_sub(called)),
            behaviour: behaviour(&second),
            knocks,
            spread: spread_of(sketch),
            mode: door.mode(),
            paused: limit == Some(0),
            limit: limit.unwrap_or(0),
            guaranteed: (guarantee.unwrap_or(0.0) * f64::from(recorder.capacity)) as u32,
            issued,
            called,
            puzzle_tries: door.hardest(),
            stage: self.stage(recorder, space),
        }
    }

    pub(crate) fn is_live(&self, space: usize) -> bool {
        self.night.spaces[space]
            .live_ms
            .is_none_or(|live| self.ms() >= live)
    }

    fn stage(&self, recorder: &Recorder, space: usize) -> Stage {
        let heard = space > 0 || !(self.reach.speaker_lost || self.reach.muted);
        let since = recorder.silent_since.filter(|_| space == 0);
        let of = |so: bool| if so && space == 0 { SPEAKERS } else { 0 };
        Stage {
            running: true,
            seated: SPEAKERS,
            lost: of(self.reach.speaker_lost),
            muted: of(self.reach.muted),
            loudest: if heard && self.is_live(space) { 6 } else { 0 },
            silent_ms: since.map_or(0, |since| self.ms() - since),
            music: !self.is_live(space),
            pages_pushed: 30,
            recording_behind_s: 0,
            recording_trouble: self.reach.disk_full && self.is_live(space),
            ..Stage::default()
        }
    }

    /// What the node knows of its machine.
    fn finish_row(&mut self, node: &mut NodeRow, recorder: &mut Recorder) {
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
        let sound_bytes = u64::from(inside) * SOUND_BYTES;
        let packets = u64::from(inside) * 5 + u64::from(node.connections.accepted) * 4;
        node.network = Network {
            bytes_in: u64::from(node.connections.accepted) * 900 + packets * 20,
            bytes_out: sound_bytes + u64::from(requests) * 4_000,
            packets_in: packets,
            packets_out: packets,
            sound_bytes,
            udp_in: 50 * SPEAKERS * u32::from(!self.reach.speaker_lost),
            ..Network::default()
        };
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

fn people(second: &SpaceSecond, knocks: &Knocks, waiting: u64) -> People {
    People {
        inside: second.inside,
        waiting: waiting as u32,
        entered: second.entered,
        as_page: second.as_page,
        returned: knocks.resume.admitted(),
        left: second.left,
        replaced: second.replaced,
        ..People::default()
    }
}

fn behaviour(second: &SpaceSecond) -> Behaviour {
    Behaviour {
        pages: second.pages,
        scripts: 0,
        polls: second.polls,
        looks: second.looks,
        stayed_10s: second.stayed[0],
        stayed_60s: second.stayed[1],
        gone_before_10s: second.gone[0],
        gone_before_60s: second.gone[1],
    }
}

fn spread_of(seen: &Sketch) -> Spread {
    if seen.knocks() == 0 {
        return Spread::default();
    }
    let (knocks, top) = (u64::from(seen.knocks()), seen.top());
    let share = |count: u64| (count * 1_000 / knocks).min(1_000) as u32;
    Spread {
        prefixes: seen.distinct().round().clamp(1.0, 4e9) as u32,
        entropy_mbit: (seen.entropy() * 1_000.0).round().clamp(0.0, 8_000.0) as u32,
        top_permille: share(u64::from(top[0].1)),
        top8_permille: share(top.iter().map(|entry| u64::from(entry.1)).sum()),
    }
}

/// A space's part of the node's sums.
fn add_space(node: &mut NodeRow, row: &SpaceRow) {
    node.knocks.add(&row.knocks);
    node.mode = node.mode.max(row.mode).max(Mode::Calm);
    let (people, more) = (&mut node.people, &row.people);
    people.inside += more.inside;
    people.waiting += more.waiting;
    people.entered += more.entered;
    people.as_page += more.as_page;
    people.returned += more.returned;
    people.left += more.left;
    people.replaced += more.replaced;
    let (behaviour, more) = (&mut node.behaviour, &row.behaviour);
    behaviour.pages += more.pages;
    behaviour.scripts += more.pages * 2;
    behaviour.polls += more.polls;
    behaviour.looks += more.looks;
    behaviour.stayed_10s += more.stayed_10s;
    behaviour.stayed_60s += more.stayed_60s;
    behaviour.gone_before_10s += more.gone_before_10s;
    behaviour.gone_before_60s += more.gone_before_60s;
}

fn used(used: u64, limit: u64) -> Used {
    Used { used, limit }
}
