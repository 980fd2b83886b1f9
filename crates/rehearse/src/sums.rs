//! The sums at a night's end.

use hustings_control::gate::{Cause, Reason};

use crate::Run;
use crate::crowd::{NONE, State};
use crate::gather::Counts;
use crate::harm::SampleHarm;
use crate::kind::{KINDS, Kind};
use crate::report::{Broken, KindReport, PrefixShare, Refused, Report, Sums};
use crate::world::World;

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
