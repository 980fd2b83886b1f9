//! Makes the rows of one second from what the parts of the node count anyway.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use hustings_control::gate::Used;
use hustings_control::gate::spread::Spread as Seen;
use hustings_control::ids::SpaceId;
use hustings_control::spaces::Phase;
use hustings_evidence::row;
use hustings_evidence::row::{
    Connections, Counts, Dependencies, Faults, Happening, Latency, NodeRow, SPACES_MAX, Shed,
    SpaceRow, Tls,
};

use super::edges::Edges;
use super::meter::Meter;
use super::proc::{self, Proc};
use super::space::{Before, add_behaviour, add_people, busy, space_row, spread_of, stage_of};

use crate::alarms::Watched;
use crate::archive::Archive;
use crate::clock::Clock;
use crate::edge::{EdgeMeter, EdgeStats};
use crate::live::Directory;
use crate::shield::ShieldMeter;
use crate::usher::Entrance;

/// Milliseconds that the wall's clock may move against the machine's in a second and still be one that is not set.
const CLOCK_STEP_MS: i64 = 100;

/// Where the numbers come from.
pub struct Sources {
    pub clock: Clock,
    pub entrance: Arc<Entrance>,
    pub directory: Arc<Directory>,
    pub edge: EdgeMeter,
    pub archive: Archive,
    pub shield: Option<ShieldMeter>,
    pub store: Arc<Meter>,
    pub desk: Arc<Meter>,
    /// The webhook's answers, and the certificate's days.
    pub watched: Arc<Watched>,
    pub data: PathBuf,
}

/// What was counted up to the row before.
pub(super) struct Gatherer {
    from: Sources,
    proc: Proc,
    up_ms: u64,
    wall_ms: u64,
    edge: EdgeStats,
    dropped: u64,
    /// Shards that were started again in the second that is told.
    restarts: u32,
    edges: Edges,
    spaces: HashMap<SpaceId, Before>,
    /// The last second whose stays were counted.
    second: u32,
}

/// One second.
pub(super) struct Second {
    pub(super) node: Box<NodeRow>,
    pub(super) spaces: Vec<SpaceRow>,
    pub(super) happenings: Vec<Happening>,
}

impl Gatherer {
    pub(super) fn new(from: Sources) -> Self {
        let now = from.clock.now().0 / 1_000;
        let mut gatherer = Self {
            proc: Proc::default(),
            up_ms: now,
            wall_ms: from.clock.wall().0,
            edge: from.edge.stats(),
            dropped: 0,
            restarts: 0,
            edges: Edges::default(),
            spaces: HashMap::new(),
            second: u32::try_from(now / 1_000).unwrap_or(u32::MAX),
            from,
        };
        // What was counted before the recorder began is no row's.
        gatherer.proc.cpu(1);
        gatherer.proc.network();
        gatherer
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.from.clock
    }

    /// All that has happened since the last call.
    pub(super) fn second(&mut self, disk: Latency, rows_lost: u64) -> Second {
        let (up_ms, wall) = (self.from.clock.now().0 / 1_000, self.from.clock.wall());
        let took_ms = up_ms.saturating_sub(self.up_ms);
        let mut node = Box::new(NodeRow {
            at: wall,
            up_ms,
            took_ms: short(took_ms),
            clock_step_ms: self.clock_step(up_ms, wall.0),
            rows_lost: short(rows_lost),
            ..NodeRow::default()
        });
        let spaces = self.spaces(&mut node);
        self.machine(&mut node, took_ms);
        self.edge(&mut node, took_ms);
        self.door(&mut node);
        node.dependencies = Dependencies {
            store: self.from.store.take(),
            disk,
            webhook: self.from.watched.take_webhook(),
            desk: self.from.desk.take(),
        };
        let dependencies = &node.dependencies;
        node.faults.dependencies = dependencies
            .store
            .failures
            .saturating_add(disk_failures(dependencies));
        let shield = self
            .from
            .shield
            .as_ref()
            .map(|shield| shield.stats().connected);
        let happenings = self.edges.look(&node, &spaces, shield, self.restarts);
        (self.up_ms, self.wall_ms) = (up_ms, wall.0);
        Second {
            node,
            spaces,
            happenings,
        }
    }

    fn clock_step(&self, up_ms: u64, wall_ms: u64) -> i64 {
        let since = |now: u64, before: u64| now.cast_signed().saturating_sub(before.cast_signed());
        let step = since(wall_ms, self.wall_ms).saturating_sub(since(up_ms, self.up_ms));
        if step.abs() < CLOCK_STEP_MS { 0 } else { step }
    }

    /// Rows of the spaces of which most happens, and the sums of all.
    fn spaces(&mut self, node: &mut NodeRow) -> Vec<SpaceRow> {
        let mut counted = self.from.entrance.take_counted();
        let seconds = self.seconds(node.up_ms);
        let (mut rows, mut seen) = (Vec::new(), Seen::default());
        let all = self.from.directory.all();
        self.spaces.retain(|id, _| all.contains_key(id));
        for handle in all.values() {
            let (tally, spread) = counted.remove(&handle.id).unwrap_or_default();
            let before = self.spaces.entry(handle.id.clone()).or_default();
            let mut row = space_row(handle, before, &tally, &spread, &seconds);
            (row.at, row.up_ms) = (node.at, node.up_ms);
            row.stage = stage_of(handle, before, node.up_ms);
            let wish = self.from.entrance.wish(&handle.id);
            (row.paused, row.limit) = (wish.paused, wish.limit.unwrap_or(0));
            row.stage.recording_behind_s = self.from.archive.behind_s(&handle.id);
            row.stage.recording_trouble = self.from.archive.trouble_of(&handle.id).is_some();
            let seats = node_seats(&self.from.entrance);
            row.guaranteed = (wish.guaranteed.unwrap_or(0.0) * f64::from(seats)) as u32;
            node.knocks.add(&row.knocks);
            add_people(&mut node.people, &row.people);
            add_behaviour(&mut node.behaviour, &row.behaviour);
            node.mode = node.mode.max(row.mode);
            seen.add(&spread);
            let running = matches!(row.phase, Some(Phase::Open | Phase::Live));
            node.spaces += u32::from(running);
            if running || busy(&row) > 0 {
                rows.push(row);
            }
        }
        node.spread = spread_of(&seen);
        rows.sort_by_key(|row| std::cmp::Reverse(busy(row)));
        node.spaces_untold = short(rows.len().saturating_sub(SPACES_MAX) as u64);
        rows.truncate(SPACES_MAX);
        rows
    }

    /// Whole seconds that have gone by since the last row.
    fn seconds(&mut self, up_ms: u64) -> Vec<u32> {
        let now = u32::try_from(up_ms / 1_000).unwrap_or(u32::MAX);
        // A machine that slept for longer has its listeners' stays of that time in no row.
        let from = self.second.max(now.saturating_sub(64));
        self.second = now;
        (from..now).collect()
    }

    fn edge(&mut self, node: &mut NodeRow, took_ms: u64) {
        let now = self.from.edge.stats();
        let before = std::mem::replace(&mut self.edge, now);
        let since = |now: u64, before: u64| short(now.saturating_sub(before));
        let mut shed = Counts::default();
        for kind in Shed::ALL {
            shed.set(kind, since(now.abuse.of(kind), before.abuse.of(kind)));
        }
        let (requests, request_worst_us) = self.from.edge.take_requests();
        node.tls = Tls {
            handshakes: since(now.handshakes, before.handshakes),
            failures: shed.of(Shed::BadHandshake),
            refused: shed.of(Shed::HandshakeRate),
            certificate_left_s: self.from.watched.certificate_left_s(node.at),
        };
        let answers: [u32; 3] =
            std::array::from_fn(|at| since(now.answers[at], before.answers[at]));
        let [theirs, ours, full] = answers;
        self.restarts = since(now.restarts, before.restarts);
        let panics = since(now.sweep_panics, before.sweep_panics) + self.restarts;
        node.faults = Faults {
            theirs: theirs + shed.of(Shed::BadHead) + shed.of(Shed::BadHandshake),
            ours: ours + panics,
            dependencies: 0,
            network: node.people.too_slow,
            full,
        };
        node.behaviour.scripts = since(now.assets, before.assets);
        node.connections = Connections {
            accepted: since(now.accepted, before.accepted),
            requests,
            request_worst_us,
            open: short(now.tasks),
            shed,
            accept_pauses: since(now.accept_pauses, before.accept_pauses),
            dropped_prefixes: 0,
        };
        node.cadence_ms = short(now.cadence_ms);
        node.sweep_load_permille = (now.projected_load * 1_000.0).clamp(0.0, 1e6) as u32;
        node.network.sound_bytes = now.bytes.saturating_sub(before.bytes);
        let sweeps_us = now.sweep_us.saturating_sub(before.sweep_us);
        node.cpu.sweeps = short(sweeps_us / took_ms.max(1));
        if let Some(shield) = &self.from.shield {
            let dropped = shield.stats().dropped;
            node.connections.dropped_prefixes = since(dropped, self.dropped);
            self.dropped = dropped;
        }
    }

    fn door(&self, node: &mut NodeRow) {
        let Some(standing) = self.from.entrance.standing() else {
            return;
        };
        node.step = standing.step;
        (node.seats, node.seats_out) = (standing.capacity, standing.out);
        node.short = Some(standing.short);
        let used = |used: Used| row::Used {
            used: used.used,
            limit: used.limit,
        };
        node.machine.memory = used(standing.load.memory);
        node.machine.crowd_files = used(standing.load.files);
        node.machine.uplink = used(standing.load.uplink);
    }

    fn machine(&mut self, node: &mut NodeRow, took_ms: u64) {
        node.cpu = self.proc.cpu(took_ms);
        node.network = self.proc.network();
        node.machine.resident = proc::resident();
        node.machine.files = proc::open_files();
        node.machine.disk = proc::disk(&self.from.data);
        node.machine.threads = self.proc.threads();
    }
}

fn disk_failures(dependencies: &Dependencies) -> u32 {
    let rest = [
        &dependencies.disk,
        &dependencies.webhook,
        &dependencies.desk,
    ];
    rest.iter().map(|latency| latency.failures).sum()
}

fn node_seats(entrance: &Entrance) -> u32 {
    entrance.standing().map_or(0, |standing| standing.capacity)
}

pub(super) fn short(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use hustings_evidence::row::Named;

    use super::*;
    use crate::edge::Abuse;

    #[test]
    fn every_reason_of_the_door_has_its_own_in_the_row() {
        let mut found: Vec<&str> = <Shed as Named>::ALL
            .iter()
            .map(|shed| shed.name())
            .collect();
        found.dedup();
        assert_eq!(found, Abuse::ALL.map(Abuse::name));
    }
}
