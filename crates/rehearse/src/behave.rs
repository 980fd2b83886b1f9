//! How people act who want to listen: the page with and without script, phones, impatient ones, players, those who compute.

use hustings_control::gate::limits::{DRAW_SPREAD_MS, STAY_MIN_S};
use hustings_control::gate::line::{Estimate, poll_after};
use hustings_control::gate::puzzle::solve;
use hustings_control::gate::verdict::Puzzle;
use hustings_control::gate::{Ask, Entry, Knock, Reason, Shows, Verdict, Waiting};

use crate::crowd::State;
use crate::dice::mix;
use crate::kind::Kind;
use crate::limits::{BROWSER_HASHES, REFRESH_MS, RENEW_MS};
use crate::recorder::Gone;
use crate::world::{World, is_open};

/// Milliseconds that a question and its answer take, and the page between.
const TRIP_MS: (u32, u32) = (50, 400);
/// One farmed place in so many is used.
const FARM_USES: u32 = 10;

impl World<'_> {
    /// The next deed of somebody whose time has come.
    pub(crate) fn act(&mut self, who: u32) {
        let person = &self.crowd.people[who as usize];
        let (state, kind) = (person.state, person.kind);
        if person.patience < self.ms()
            && !matches!(state, State::Inside | State::Bot | State::GaveUp)
        {
            self.stand_up(who, Gone::Left);
            self.crowd.people[who as usize].state = State::GaveUp;
            return;
        }
        if Self::needs_node(state, kind) && !self.connects() {
            return self.tries_again(who, state);
        }
        match state {
            State::New => self.asks_for_sound(who),
            State::Ask => self.asks_for_a_way(who),
            State::Line => self.polls(who),
            State::Right | State::Away => self.shows_right(who),
            State::Solve => self.shows_solution(who),
            State::Inside => self.listens(who),
            State::Bot => self.attacks(who, kind),
            State::Gone | State::GaveUp | State::Hoards => {}
        }
    }

    pub(crate) fn mark(&self, who: u32) -> Shows<'static> {
        match self.crowd.people[who as usize].kind {
            Kind::Player | Kind::NoScript => Shows::Nothing,
            _ => Shows::Mark(mix(self.night.seed.rotate_left(17) ^ u64::from(who))),
        }
    }

    fn trip(&mut self) -> u32 {
        self.dice.between(TRIP_MS.0, TRIP_MS.1)
    }

    /// Empty-handed, but for those who were invited.
    fn asks_for_sound(&mut self, who: u32) {
        let token = self.crowd.token(who);
        let shows = token
            .as_ref()
            .map_or(self.mark(who), |token| Shows::Token(token));
        let (shard, verdict) = self.knock(who, Ask::Sound, shows);
        let trip = self.trip();
        match verdict {
            Verdict::Enter(entry) => self.comes_in(who, shard, entry),
            Verdict::Wait(waiting) => {
                let person = &mut self.crowd.people[who as usize];
                person.waited = true;
                if person.kind == Kind::Player {
                    person.polls = person.polls.saturating_add(1);
                    return self.later(who, State::New, waiting.poll_ms.max(1_000));
                }
                let (state, millis) = if token.is_some() {
                    (State::Right, waiting.poll_ms)
                } else {
                    (State::Ask, trip)
                };
                self.later(who, state, millis);
            }
            Verdict::Prove(_) => self.later(who, State::Ask, trip),
            Verdict::TurnAway(reason) => self.turned_away(who, reason),
        }
    }

    fn asks_for_a_way(&mut self, who: u32) {
        let solves = matches!(
            self.crowd.people[who as usize].kind,
            Kind::Effort | Kind::Native
        );
        let ask = if solves { Ask::Puzzle } else { Ask::Right };
        let (shard, verdict) = self.knock(who, ask, Shows::Nothing);
        self.answered(who, shard, verdict);
    }

    /// After a question for a way in.
    fn answered(&mut self, who: u32, shard: usize, verdict: Verdict) {
        let trip = self.trip();
        match verdict {
            Verdict::Enter(mut entry) => {
                let Some(ticket) = entry.ticket.take() else {
                    return self.later(who, State::Ask, 2_000);
                };
                self.crowd.set_token(who, ticket.as_bytes());
                self.hold(shard, entry);
                self.later(who, State::Right, trip);
            }
            Verdict::Wait(waiting) if is_open(waiting.cause) => {
                if let Some(ticket) = &waiting.place {
                    self.crowd.set_token(who, ticket.as_bytes());
                }
                self.later(who, State::New, trip);
            }
            Verdict::Wait(waiting) => self.waits(who, &waiting, State::Line),
            Verdict::Prove(puzzle) => self.computes(who, &puzzle),
            Verdict::TurnAway(reason) => self.turned_away(who, reason),
        }
    }

    fn waits(&mut self, who: u32, waiting: &Waiting, state: State) {
        let person = &mut self.crowd.people[who as usize];
        person.waited = true;
        person.position = u32::try_from(waiting.position).unwrap_or(u32::MAX);
        if let Some(place) = &waiting.place {
            self.crowd.set_token(who, place.as_bytes());
        }
        let person = &self.crowd.people[who as usize];
        if person.kind == Kind::Farm && !mix(u64::from(who)).is_multiple_of(u64::from(FARM_USES)) {
            self.crowd.people[who as usize].state = State::Hoards;
            return;
        }
        let state = if person.has_token { state } else { State::Ask };
        let (kind, random) = (person.kind, self.dice.roll() as u32);
        let millis = match kind {
            Kind::NoScript => waiting.poll_ms.max(REFRESH_MS),
            // Impatient at first; nobody reloads every five seconds for an hour.
            Kind::Reloader => (3_000 + random % 7_000) << (person.polls / 2).min(5),
            // Asleep every other time, and then late.
            Kind::Phone if random % 2 == 0 => waiting.poll_ms + random % 30_000,
            _ => waiting.poll_ms,
        };
        self.later(who, state, millis);
    }

    /// In line: reads what is being served, and knocks when it is its turn.
    fn polls(&mut self, who: u32) {
        let person = &mut self.crowd.people[who as usize];
        person.polls = person.polls.saturating_add(1);
        let (kind, position, door) = (person.kind, person.position, usize::from(person.door));
        let random = self.dice.roll();
        match kind {
            Kind::Reloader if random % 10 < 3 => {
                self.crowd.forget_token(who);
                self.loads_page(who);
                return self.asks_for_sound(who);
            }
            Kind::Reloader | Kind::NoScript => {
                self.loads_page(who);
                return self.shows_place(who);
            }
            Kind::Phone if random.is_multiple_of(16) => {
                self.crowd.people[who as usize].network = self.other_network();
            }
            _ => {}
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.poll(door as u8);
        }
        let (times, second) = (self.times(), self.ms() / 1_000);
        let keys = self.node.gates[0].keys();
        let serving = self.boards[door].read(&self.node.doors[door], keys, times, second);
        if u64::from(position) <= serving.called {
            return self.shows_place(who);
        }
        let ahead = (u64::from(position) - serving.called) as f64;
        let wait = serving.pace.map_or(Estimate::Unknown, |(slow, quick)| {
            let seconds = |pace: f64| (ahead / pace).ceil() as u32;
            Estimate::Between(seconds(quick), seconds(slow.min(quick)))
        });
        let random = (random >> 32) as u32;
        let millis = match serving.draw_ms {
            Some(draw) => draw + random % DRAW_SPREAD_MS,
            None => poll_after(wait, random),
        };
        self.later(who, State::Line, millis);
    }

    fn shows_place(&mut self, who: u32) {
        let Some(token) = self.crowd.token(who) else {
            return self.asks_for_a_way(who);
        };
        let (shard, verdict) = self.knock(who, Ask::Right, Shows::Token(&token));
        self.answered(who, shard, verdict);
    }

    /// Asks for the sound with a ticket, or comes back with what it has.
    fn shows_right(&mut self, who: u32) {
        let token = self.crowd.token(who);
        let shows = token
            .as_ref()
            .map_or(self.mark(who), |token| Shows::Token(token));
        let (shard, verdict) = self.knock(who, Ask::Sound, shows);
        match verdict {
            Verdict::Enter(entry) => self.comes_in(who, shard, entry),
            Verdict::Wait(waiting) if token.is_some() => self.waits(who, &waiting, State::Right),
            Verdict::Wait(_) | Verdict::Prove(_) => {
                let trip = self.trip();
                let player = self.crowd.people[who as usize].kind == Kind::Player;
                self.later(who, if player { State::New } else { State::Ask }, trip);
            }
            Verdict::TurnAway(reason) => self.turned_away(who, reason),
        }
    }

    /// What one has is worth nothing (any more): again from the beginning.
    fn turned_away(&mut self, who: u32, _: Reason) {
        self.crowd.forget_token(who);
        self.solutions.remove(&who);
        let millis = self.dice.between(1_000, 3_000);
        self.later(who, State::New, millis);
    }

    fn computes(&mut self, who: u32, puzzle: &Puzzle) {
        let native = self.crowd.people[who as usize].kind == Kind::Native;
        let millis = if native {
            1
        } else {
            // Some devices are three times as fast, some a little slower than the slowest that is reckoned with.
            let speed = 0.95 + 2.0 * self.dice.part();
            (f64::from(puzzle.tries) * 1_000.0 / (f64::from(BROWSER_HASHES) * speed)) as u32
        };
        let from = self.dice.roll() as u32;
        self.gathered.solved(puzzle.tries, millis, native);
        self.crowd.people[who as usize].waited = true;
        match solve(puzzle.token.as_bytes(), puzzle.tries, from, millis) {
            Some(solution) => {
                self.solutions.insert(who, solution);
                let trip = self.trip();
                self.later(who, State::Solve, millis + trip);
            }
            None => self.later(who, State::Ask, 2_000),
        }
    }

    fn shows_solution(&mut self, who: u32) {
        let Some(solution) = self.solutions.get(&who).copied() else {
            return self.asks_for_a_way(who);
        };
        let (shard, verdict) = self.knock(who, Ask::Right, Shows::Token(solution.as_bytes()));
        if let Verdict::Wait(waiting) = &verdict
            && !is_open(waiting.cause)
        {
            let random = self.dice.below(2_000);
            return self.later(who, State::Solve, waiting.poll_ms.max(2_000) + random);
        }
        self.solutions.remove(&who);
        self.answered(who, shard, verdict);
    }

    pub(crate) fn comes_in(&mut self, who: u32, shard: usize, entry: Entry) {
        self.sit(who, shard, entry);
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        let counts = &mut self.counts[person.kind as usize];
        if !person.admitted {
            counts.waits.add(ms - person.since);
            counts.admitted += 1;
            person.admitted = true;
            person.until = ms.saturating_add(person.until);
        } else if person.returns {
            counts.back.add(ms - person.since);
        }
        person.returns = false;
        let first = STAY_MIN_S * 1_000 + 1_000 + self.dice.below(5_000);
        self.until_next(who, first);
    }

    fn until_next(&mut self, who: u32, millis: u32) {
        let left = self.crowd.people[who as usize]
            .until
            .saturating_sub(self.ms());
        self.later(who, State::Inside, millis.min(left));
    }

    /// Inside: renews the right to come back, changes networks, or goes.
    fn listens(&mut self, who: u32) {
        let person = &self.crowd.people[who as usize];
        let (kind, from) = (person.kind, person.network.prefix());
        self.gathered.disconnected += u64::from(self.seats.is_lost(person.seat));
        if self.ms() >= person.until {
            self.stand_up(who, Gone::Left);
            self.crowd.people[who as usize].state = State::Gone;
            return;
        }
        if matches!(kind, Kind::Player | Kind::NoScript) {
            return self.until_next(who, u32::MAX);
        }
        if self.reach.certificate_expired {
            return self.until_next(who, RENEW_MS);
        }
        let token = self.crowd.token(who);
        if kind == Kind::Phone && token.is_some() && self.dice.one_in(8) {
            self.crowd.people[who as usize].network = self.other_network();
            self.crowd.people[who as usize].since = self.ms();
            return self.shows_right(who);
        }
        let shows = token
            .as_ref()
            .map_or(self.mark(who), |token| Shows::Token(token));
        let knock = Knock {
            door: &self.node.doors[usize::from(self.crowd.people[who as usize].door)],
            from,
            ask: Ask::Right,
            shows,
        };
        let times = self.times();
        let shard = self.dice.below(self.node.gates.len() as u32) as usize;
        self.gathered.renewals += 1;
        if let Some(ticket) = self.node.gates[shard].resume_ticket(&knock, times) {
            self.crowd.set_token(who, ticket.as_bytes());
        }
        self.until_next(who, RENEW_MS);
    }
}
