//! The rows that a real node's flight recorder would fill, of the virtual one: one a second of the node and of each space.

use hustings_control::gate::spread::Spread as Sketch;
use hustings_control::gate::{Mode, Tally};
use hustings_control::spaces::Phase;
use hustings_evidence::row::{Behaviour, Knocks, NodeRow, People, SpaceRow, Spread, Stage};

use crate::dice::{Dice, mix};
use crate::recorder::{Recorder, SpaceSecond};
use crate::world::World;

mod machine;

/// Speakers of each stage.
pub(crate) const SPEAKERS: u32 = 2;
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
            people: people(
                &second,
                &knocks,
                issued.saturating_sub(called),
                door.in_line(),
            ),
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
}

fn people(second: &SpaceSecond, knocks: &Knocks, waiting: u64, in_line: u32) -> People {
    People {
        inside: second.inside,
        waiting: waiting as u32,
        entered: second.entered,
        as_page: second.as_page,
        returned: knocks.resume.admitted(),
        left: second.left,
        replaced: second.replaced,
        in_line,
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
    people.in_line += more.in_line;
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
