//! One second of a space and its node, as far as the judge looks at it: short sums of the flight recorder's rows.

use hustings_control::gate::{Cause, Reason, Resource, Step};

use crate::row::{Counts, LaneKnocks, NodeRow, Shed, SpaceRow};

/// Resources of which a second tells how full they are, in this order.
pub const RESOURCES: [(&str, Resource); 5] = [
    ("processor", Resource::Cpu),
    ("memory", Resource::Memory),
    ("open files", Resource::Files),
    ("uplink", Resource::Uplink),
    ("seats", Resource::Seats),
];

/// What a space's door and its node showed in one second. A second of which nothing is known is not there at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Second {
    /// Seconds since 1970.
    pub at: u64,
    /// Milliseconds that the rows of this second cover.
    pub covers_ms: u64,
    /// All lanes of the space's door.
    pub knocks: LaneKnocks,
    /// Of those: by lane, the right of somebody who was inside, and a solved puzzle.
    pub resume: u64,
    pub effort: u64,
    /// Rights made for another space, shown at any door of the node.
    pub strays: u64,
    pub networks: u64,
    pub entropy_mbit: u64,
    pub top_permille: u64,
    pub inside: u64,
    pub in_line: u64,
    pub entered: u64,
    pub as_page: u64,
    pub returned: u64,
    /// Ended from their side; broke; closed by the node.
    pub left: u64,
    pub lost: u64,
    pub too_slow: u64,
    pub replaced: u64,
    /// Heard the sound to its end.
    pub heard_out: u64,
    /// Of a rehearsal; counted in the others too: knocks, entered, 60 s inside, inside.
    pub rehearsed: u64,
    pub rehearsed_entered: u64,
    pub rehearsed_60s: u64,
    pub rehearsed_inside: u64,
    pub pages: u64,
    pub polls: u64,
    pub stayed_10s: u64,
    pub stayed_60s: u64,
    pub gone_early: u64,
    /// Places given out and called since the door opened.
    pub issued: u64,
    pub called: u64,
    pub paused: bool,
    /// The operator's limit, and the seats that the load leaves.
    pub limit: Option<u64>,
    pub seats: u64,
    /// Live, and the stage says nothing: for so many milliseconds.
    pub silent_ms: u64,
    pub speakers_lost: u64,
    /// On stage, those who lost the connection included.
    pub seated: u64,
    pub recording_trouble: bool,
    // The node's.
    pub step: Step,
    pub short: Option<Resource>,
    /// Thousandths by `RESOURCES`; None: not known.
    pub full_permille: [Option<u64>; RESOURCES.len()],
    pub shed: Counts<Shed, 12>,
    pub accepted: u64,
    pub open: u64,
    pub dropped: u64,
    pub listen_drops: u64,
    pub handshakes: u64,
    pub handshakes_failed: u64,
    pub certificate_left_s: i64,
    pub own_errors: u64,
    pub full_answers: u64,
    pub dependency_errors: u64,
    /// Microseconds of the slowest call, by `DEPENDENCIES`; and failures.
    pub dependency_us: [u64; DEPENDENCIES.len()],
    pub dependency_failures: [u64; DEPENDENCIES.len()],
    pub rows_lost: u64,
}

/// What a node depends on, as a finding names it.
pub const DEPENDENCIES: [&str; 4] = ["the database", "the disk", "the webhook", "the desk"];

/// The most that one second counts for: beyond what any machine does, and so little that no sum of two days runs over.
const COUNT_MAX: u64 = 1_000_000_000_000;

impl Second {
    /// The same with counters that are wrong brought down to what a sum can hold.
    pub(super) fn bounded(&self) -> Self {
        let mut second = self.clone();
        let single = [
            &mut second.covers_ms,
            &mut second.resume,
            &mut second.effort,
            &mut second.strays,
            &mut second.networks,
            &mut second.entropy_mbit,
            &mut second.top_permille,
            &mut second.inside,
            &mut second.in_line,
            &mut second.entered,
            &mut second.as_page,
            &mut second.returned,
            &mut second.left,
            &mut second.lost,
            &mut second.too_slow,
            &mut second.replaced,
            &mut second.heard_out,
            &mut second.rehearsed,
            &mut second.rehearsed_entered,
            &mut second.rehearsed_60s,
            &mut second.rehearsed_inside,
            &mut second.pages,
            &mut second.polls,
            &mut second.stayed_10s,
            &mut second.stayed_60s,
            &mut second.gone_early,
            &mut second.seats,
            &mut second.silent_ms,
            &mut second.speakers_lost,
            &mut second.seated,
            &mut second.accepted,
            &mut second.open,
            &mut second.dropped,
            &mut second.listen_drops,
            &mut second.handshakes,
            &mut second.handshakes_failed,
            &mut second.own_errors,
            &mut second.full_answers,
            &mut second.dependency_errors,
            &mut second.rows_lost,
            &mut second.issued,
            &mut second.called,
        ];
        let many = second
            .dependency_us
            .iter_mut()
            .chain(&mut second.dependency_failures);
        let known = second
            .full_permille
            .iter_mut()
            .flatten()
            .chain(second.limit.as_mut());
        for number in single.into_iter().chain(many).chain(known) {
            *number = (*number).min(COUNT_MAX);
        }
        second
    }

    /// Seats by the load and by the operator's limit.
    pub fn open_seats(&self) -> u64 {
        self.limit.map_or(self.seats, |limit| limit.min(self.seats))
    }

    /// Who came in and had no seat before.
    pub(super) fn newly_entered(&self) -> u64 {
        self.entered
            .saturating_sub(self.returned)
            .saturating_sub(self.replaced)
    }

    /// Of those, with a right or a mark, as our page asks.
    pub(super) fn newly_marked(&self) -> u64 {
        self.as_page
            .saturating_sub(self.returned)
            .saturating_sub(self.replaced)
    }

    /// Told to wait. `Open` is the answer to who asks for a way in and needs none.
    pub fn waits(&self) -> u64 {
        u64::from(
            self.knocks
                .waiting
                .sum()
                .saturating_sub(self.knocks.waiting.of(Cause::Open)),
        )
    }

    /// Told to wait because others are first or no seat is free.
    pub(super) fn waits_for_a_seat(&self) -> u64 {
        let causes = [
            Cause::NotYourTurn,
            Cause::NoSeat,
            Cause::PrefixShare,
            Cause::NodeFull,
        ];
        causes
            .iter()
            .map(|cause| u64::from(self.knocks.waiting.of(*cause)))
            .sum()
    }

    pub(super) fn turned_away(&self, reasons: &[Reason]) -> u64 {
        reasons
            .iter()
            .map(|reason| u64::from(self.knocks.turned_away.of(*reason)))
            .sum()
    }

    pub(super) fn shed(&self, reasons: &[Shed]) -> u64 {
        reasons
            .iter()
            .map(|reason| u64::from(self.shed.of(*reason)))
            .sum()
    }

    pub(super) fn add_space(&mut self, row: &SpaceRow) {
        let sum = row.knocks.sum();
        self.knocks.add(&sum);
        self.resume += u64::from(row.knocks.resume.offered);
        self.effort += u64::from(row.knocks.effort.offered);
        self.networks = self.networks.max(row.spread.prefixes.into());
        self.entropy_mbit = self.entropy_mbit.max(row.spread.entropy_mbit.into());
        self.top_permille = self.top_permille.max(row.spread.top_permille.into());
        let people = &row.people;
        (self.inside, self.in_line) = (people.inside.into(), people.in_line.into());
        self.entered += u64::from(people.entered);
        self.as_page += u64::from(people.as_page);
        self.returned += u64::from(people.returned);
        self.left += u64::from(people.left);
        self.lost += u64::from(people.lost);
        self.too_slow += u64::from(people.too_slow);
        self.replaced += u64::from(people.replaced);
        self.heard_out += u64::from(people.heard_out);
        self.rehearsed += u64::from(people.rehearsed);
        self.rehearsed_entered += u64::from(people.rehearsed_entered);
        self.rehearsed_60s += u64::from(people.rehearsed_60s);
        self.rehearsed_inside = people.rehearsed_inside.into();
        let behaviour = &row.behaviour;
        self.pages += u64::from(behaviour.pages);
        self.polls += u64::from(behaviour.polls);
        self.stayed_10s += u64::from(behaviour.stayed_10s);
        self.stayed_60s += u64::from(behaviour.stayed_60s);
        self.gone_early += u64::from(behaviour.gone_before_10s);
        (self.issued, self.called) = (row.issued, row.called);
        self.paused |= row.paused;
        self.limit = (row.limit > 0).then_some(row.limit.into());
        self.silent_ms = row.stage.silent_ms.into();
        self.speakers_lost = row.stage.lost.into();
        self.seated = row.stage.seated.into();
        self.recording_trouble |= row.stage.recording_trouble;
    }

    pub(super) fn add_node(&mut self, row: &NodeRow) {
        self.covers_ms += u64::from(row.took_ms);
        self.strays += u64::from(row.knocks.sum().turned_away.of(wrong_space()));
        (self.step, self.short, self.seats) = (row.step, row.short, row.seats.into());
        let known = |used: &crate::row::Used| (used.limit > 0).then(|| used.permille().into());
        let seats = crate::row::Used {
            used: row.seats_out.into(),
            limit: row.seats.into(),
        };
        self.full_permille = [
            Some(row.sweep_load_permille.into()),
            known(&row.machine.memory),
            known(&row.machine.crowd_files).max(known(&row.machine.files)),
            known(&row.machine.uplink),
            known(&seats),
        ];
        self.shed.add_all(&row.connections.shed);
        self.accepted += u64::from(row.connections.accepted);
        self.open = row.connections.open.into();
        self.dropped += row.network.dropped_in;
        self.listen_drops += u64::from(row.network.listen_drops);
        self.handshakes += u64::from(row.tls.handshakes);
        self.handshakes_failed += u64::from(row.tls.failures);
        self.certificate_left_s = row.tls.certificate_left_s;
        self.own_errors += u64::from(row.faults.ours);
        self.full_answers += u64::from(row.faults.full);
        self.dependency_errors += u64::from(row.faults.dependencies);
        let all = &row.dependencies;
        for (at, latency) in [&all.store, &all.disk, &all.webhook, &all.desk]
            .into_iter()
            .enumerate()
        {
            self.dependency_us[at] =
                self.dependency_us[at].max(latency.worst_us.max(latency.pending_us).into());
            self.dependency_failures[at] += u64::from(latency.failures);
        }
        self.rows_lost += u64::from(row.rows_lost);
    }
}

fn wrong_space() -> Reason {
    Reason::Token(hustings_control::gate::ticket::TokenFault::WrongSpace)
}
