//! Counting while the night runs.

use hustings_control::gate::verdict::{CAUSES, REASONS};
use hustings_control::gate::{LadderEvent, ModeEvent, ModeOf, Reason, Tally, UsherReport, Verdict};

use crate::limits::EVENTS_MAX;
use crate::report::{Broken, Event};
use crate::waits::Waits;

/// Of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) people: u64,
    pub(crate) admitted: u64,
    pub(crate) offered: u64,
    pub(crate) seated: u64,
    pub(crate) seated_calm: u64,
    pub(crate) took_over: u64,
    pub(crate) waiting: [u64; CAUSES],
    pub(crate) proving: u64,
    pub(crate) turned_away: [u64; REASONS],
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

    pub(crate) fn adds_up(&self) -> bool {
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
