//! Counting while the night runs, and the sums at its end.

use hustings_control::gate::verdict::{CAUSES, REASONS};
use hustings_control::gate::{
    Cause, LadderEvent, ModeEvent, ModeOf, Reason, Tally, UsherReport, Verdict,
};

use crate::Run;
use crate::crowd::{NONE, State};
use crate::harm::SampleHarm;
use crate::kind::{KINDS, Kind};
use crate::limits::EVENTS_MAX;
use crate::report::{Broken, Event, KindReport, PrefixShare, Refused, Report, Sums};
use crate::waits::Waits;
use crate::world::World;

/// Of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) people: u64,
    pub(crate) admitted: u64,
    offered: u64,
    seated: u64,
    seated_calm: u64,
    took_over: u64,
    waiting: [u64; CAUSES],
    proving: u64,
    turned_away: [u64; REASONS],
    pub(crate) waits: Waits,
    /// Of those who lost the connection: until they heard again.
    pub(crate) back: Waits,
}

impl Counts {
    pub(crate) fn count(&mut self, verdict: &Verdict, calm: bool) {
        self.offered += 1;
        match verdict {
            Verdict::Enter(entry) if entry.took_over.is_some() => self.took_over += 1,
            Verdict::Enter(_) => {
                self.seated += 1;
                self.seated_calm += u64::from(calm);
            }
            Verdict::Wait(waiting) => self.waiting[waiting.cause as usize] += 1,
            Verdict::Prove(_) => self.proving += 1,
            Verdict::TurnAway(reason) => {
                let at = Reason::ALL.iter().position(|each| each == reason);
                self.turned_away[at.unwrap_or(0)] += 1;
            }
        }
    }

    fn adds_up(&self) -> bool {
        let told: u64 = self.waiting.iter().chain(&self.turned_away).sum();
        self.offered == self.seated + self.took_over + self.proving + told
    }
}

/// Of the whole run.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) knocks: u64,
    knocks_before: u64,
    pub(crate) busiest_second: u64,
    pub(crate) most_inside: u32,
    pub(crate) held_unused: u64,
    pub(crate) renewals: u64,
    pub(crate) fell_out: u64,
    pub(crate) disconnected: u64,
    pub(crate) solvers: u32,
    pub(crate) puzzles: u64,
    /// Solving times of those who are no natives.
    pub(crate) solving: Waits,
    pub(crate) hardest: u32,
    pub(crate) capacity_least: u32,
    pub(crate) events: Vec<Event>,
    pub(crate) events_more: u64,
    pub(crate) broken: Option<Broken>,
    pub(crate) shards: u32,
    /// What all gates have counted at all doors.
    pub(crate) tally: Tally,
    /// Attempts that met no node, and those whose TLS handshake failed.
    pub(crate) unreachable: u64,
    pub(crate) handshakes_failed: u64,
    /// Half heads: opened, ended by their deadline, closed to make room.
    pub(crate) slow_heads: u64,
    pub(crate) slow_ended: u64,
    pub(crate) silent_shed: u64,
}

impl Gathered {
    pub(crate) fn new(shards: u32) -> Self {
        Self {
            knocks: 0,
            knocks_before: 0,
            busiest_second: 0,
            most_inside: 0,
            held_unused: 0,
            renewals: 0,
            fell_out: 0,
            disconnected: 0,
            solvers: 0,
            puzzles: 0,
            solving: Waits::default(),
            hardest: 0,
            capacity_least: u32::MAX,
            events: Vec::new(),
            events_more: 0,
            broken: None,
            shards,
            tally: Tally::default(),
            unreachable: 0,
            handshakes_failed: 0,
            slow_heads: 0,
            slow_ended: 0,
            silent_shed: 0,
        }
    }

    pub(crate) fn note(&mut self, report: UsherReport, most: usize) {
        self.capacity_least = self.capacity_least.min(report.capacity);
        for mode in report.modes {
            self.note_mode(Some(mode), most);
        }
        if let Some(step) = report.ladder {
            self.event(ladder_event(&step), most);
        }
    }

    pub(crate) fn note_mode(&mut self, mode: Option<ModeEvent>, most: usize) {
        if let Some(mode) = mode {
            let of = match &mode.of {
                ModeOf::Space(space) => space.as_str().to_owned(),
                ModeOf::Shard(shard) => format!("shard {shard}"),
            };
            let what = format!("{of}: {} to {}", mode.from.name(), mode.to.name());
            self.event((mode.at.0, what), most);
        }
    }

    fn event(&mut self, (wall_ms, what): (u64, String), most: usize) {
        if self.events.len() < most.min(EVENTS_MAX) {
            self.events.push(Event { wall_ms, what });
        } else {
            self.events_more += 1;
        }
    }

    /// At each tick: the busiest whole second.
    pub(crate) fn second(&mut self, ms: u32) {
        if ms.is_multiple_of(1_000) {
            self.busiest_second = self.busiest_second.max(self.knocks - self.knocks_before);
            self.knocks_before = self.knocks;
        }
    }

    pub(crate) fn solved(&mut self, tries: u32, millis: u32, native: bool) {
        self.puzzles += 1;
        self.hardest = self.hardest.max(tries);
        if !native {
            self.solving.add(millis);
        }
    }
}

fn ladder_event(step: &LadderEvent) -> (u64, String) {
    (
        step.at.0,
        format!("ladder: {:?} to {:?}", step.from, step.to),
    )
}

/// What the people of one kind came to.
#[derive(Clone, Copy, Default)]
struct Ends {
    waiting: u64,
    gave_up: u64,
    shed: u64,
    inside: u64,
    left: u64,
    waiters: u64,
    polls: u64,
}

impl World<'_> {
    /// The sums, and that every seat comes back.
    pub(crate) fn finish(mut self) -> Result<Run, Broken> {
        let ends = self.ends();
        let prefixes = self.night.by_prefix.then(|| self.prefix_shares());
        let kinds = self.kinds(&ends)?;
        self.take_tallies();
        let tally = &self.gathered.tally;
        if !tally.lanes.iter().all(|lane| lane.adds_up())
            || tally.sum().offered != self.gathered.knocks
        {
            return Err(Broken::Knocks);
        }
        let inside_at_end = self.node.hall.inside();
        let held: usize = self.node.held.iter().map(|held| held.len()).sum();
        let most = self.seats.len() + self.loot.seats.len() + held;
        if inside_at_end as usize > most {
            return Err(Broken::Returned(inside_at_end));
        }
        self.seats.clear();
        self.loot.seats.clear();
        self.node.held.clear();
        self.node.gates.clear();
        if self.node.hall.inside() != 0 || self.node.hall.out() != 0 {
            return Err(Broken::Returned(
                self.node.hall.inside().max(self.node.hall.out()),
            ));
        }
        let report = self.report(kinds, inside_at_end, prefixes);
        let recorder = self.recorder.take().unwrap_or_default();
        Ok(Run {
            report,
            nodes: recorder.nodes,
            spaces: recorder.spaces,
            happenings: recorder.happenings,
        })
    }

    fn ends(&self) -> [Ends; KINDS] {
        let mut ends = [Ends::default(); KINDS];
        let end = self.night.millis;
        for person in self.crowd.people.iter().filter(|person| person.arrived) {
            let ends = &mut ends[person.kind as usize];
            ends.waiters += u64::from(person.waited);
            ends.polls += u64::from(person.polls);
            ends.inside += u64::from(person.seat != NONE);
            ends.left += u64::from(person.state == State::Gone);
            if person.admitted {
                continue;
            }
            if person.kind.only_knocks() {
                ends.shed += 1;
            } else if person.state == State::GaveUp || person.patience <= end {
                ends.gave_up += 1;
            } else {
                ends.waiting += 1;
            }
        }
        ends
    }

    fn kinds(&self, ends: &[Ends; KINDS]) -> Result<Vec<KindReport>, Broken> {
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let (counts, ends) = (&self.counts[kind as usize], &ends[kind as usize]);
            if counts.people == 0 {
                continue;
            }
            let all = counts.admitted + ends.waiting + ends.gave_up + ends.shed;
            if all != counts.people || !counts.adds_up() {
                return Err(Broken::People(kind.name(), counts.people, all));
            }
            kinds.push(kind_report(kind, counts, ends));
        }
        Ok(kinds)
    }

    /// Of the crowd's networks: who came, who heard, who still waits.
    fn prefix_shares(&self) -> Vec<PrefixShare> {
        let mut people: Vec<_> = self
            .crowd
            .people
            .iter()
            .filter(|person| person.arrived && !person.kind.is_attack() && person.door == 0)
            .collect();
        people.sort_by_key(|person| person.network);
        let shares = people
            .chunk_by(|a, b| a.network == b.network)
            .map(|chunk| PrefixShare {
                network: chunk[0].network.number(),
                people: chunk.len() as u64,
                admitted: chunk.iter().filter(|person| person.admitted).count() as u64,
                inside: chunk.iter().filter(|person| person.seat != NONE).count() as u64,
            });
        shares.collect()
    }

    fn report(
        &self,
        kinds: Vec<KindReport>,
        inside_at_end: u32,
        prefixes: Option<Vec<PrefixShare>>,
    ) -> Report {
        let gathered = &self.gathered;
        let sum = |of: fn(&KindReport) -> u64| kinds.iter().map(of).sum();
        let sums = Sums {
            offered: sum(|kind| kind.people),
            admitted: sum(|kind| kind.admitted),
            waiting: sum(|kind| kind.waiting_at_end),
            left: sum(|kind| kind.gave_up),
            shed: sum(|kind| kind.shed),
        };
        let mut inside = self.cores.harm;
        inside.disconnected = gathered.disconnected;
        let (issued, called) = self.node.doors[0].line();
        Report {
            scenario: None,
            night: self.night.clone(),
            shards: gathered.shards,
            sums,
            inside_most: gathered.most_inside,
            inside_at_end,
            capacity_least: gathered.capacity_least.min(self.night.seats),
            unreachable: gathered.unreachable,
            handshakes_failed: gathered.handshakes_failed,
            slow_heads: gathered.slow_heads,
            slow_heads_shed: gathered.silent_shed,
            knocks: gathered.knocks,
            knocks_busiest_second: gathered.busiest_second,
            renewals: gathered.renewals,
            places_issued: issued,
            places_called: called,
            serving_made: self.boards.iter().map(|board| board.made).sum(),
            serving_read: self.boards.iter().map(|board| board.read).sum(),
            held_unused: gathered.held_unused,
            fell_out: gathered.fell_out,
            most_seats_of_one_right: self.loot.most_of_one,
            puzzles: gathered.puzzles,
            puzzle_hardest: gathered.hardest,
            puzzle_p90_s: gathered.solving.quantile(0.9),
            inside,
            sample: self
                .sample
                .as_ref()
                .map_or(SampleHarm::default(), |it| it.harm),
            beside_wait_p99_alone_s: None,
            events: gathered.events.clone(),
            events_more: gathered.events_more,
            kinds,
            prefixes,
        }
    }
}

fn kind_report(kind: Kind, counts: &Counts, ends: &Ends) -> KindReport {
    let mut refused: Vec<Refused> = Cause::ALL
        .iter()
        .map(|cause| (cause.name(), counts.waiting[*cause as usize]))
        .chain(
            Reason::ALL
                .iter()
                .zip(counts.turned_away)
                .map(|(reason, count)| (reason.name(), count)),
        )
        .map(|(reason, knocks)| Refused { reason, knocks })
        .collect();
    refused.retain(|refused| refused.knocks > 0);
    KindReport {
        kind,
        people: counts.people,
        admitted: counts.admitted,
        waiting_at_end: ends.waiting,
        gave_up: ends.gave_up,
        shed: ends.shed,
        inside_at_end: ends.inside,
        left: ends.left,
        wait_p50_s: counts.waits.quantile(0.5),
        wait_p99_s: counts.waits.quantile(0.99),
        polls_per_waiter: (ends.waiters > 0)
            .then(|| round(ends.polls as f64 / ends.waiters as f64)),
        knocks: counts.offered,
        seated: counts.seated,
        seated_calm: counts.seated_calm,
        took_over: counts.took_over,
        proving: counts.proving,
        refused,
        back: counts.back.count(),
        back_p50_s: counts.back.quantile(0.5),
        back_within_30_s: (counts.back.count() > 0).then(|| round(counts.back.within(30))),
    }
}

/// To a thousandth.
fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
