//! How people act who want to do harm and do not act like listeners.

use hustings_control::gate::puzzle::SOLUTION_CHARS;
use hustings_control::gate::ticket::TOKEN_CHARS;
use hustings_control::gate::{Ask, Entry, Knock, Pass, Shows, TokenText, Verdict};

use crate::crowd::State;
use crate::kind::Kind;
use crate::recorder::Gone;
use crate::report::Broken;
use crate::world::{World, is_open};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What attackers got.
#[derive(Debug, Default)]
pub(crate) struct Loot {
    /// Seats that bare requests got; they stay to the end.
    pub(crate) seats: Vec<Pass>,
    /// The one right that all replay.
    pub(crate) right: Option<TokenText>,
    /// Who has its seat.
    holder: Option<u32>,
    /// Seats that the one right ever had at once.
    pub(crate) most_of_one: u32,
}

impl Loot {
    /// The node is gone, and with it all seats.
    pub(crate) fn forget_seats(&mut self) {
        self.seats.clear();
        self.holder = None;
    }
}

impl World<'_> {
    pub(crate) fn attacks(&mut self, who: u32, kind: Kind) {
        let person = &self.crowd.people[who as usize];
        // What a bot has for a stay is the time between two of its knocks; for patience, its end.
        let (every, ends) = (person.until, person.patience);
        if self.ms() >= ends {
            self.crowd.people[who as usize].state = State::GaveUp;
            return;
        }
        if self.connects() {
            match kind {
                Kind::Forged => self.forges(who),
                Kind::Replay => self.replays(who),
                Kind::SlowHeads => self.opens_slowly(),
                _ => self.floods(who),
            }
        }
        let millis = self.dice.between(every / 2, every + every / 2);
        self.later(who, State::Bot, millis);
    }

    fn got_in(&mut self, who: u32) {
        let person = &mut self.crowd.people[who as usize];
        let counts = &mut self.counts[person.kind as usize];
        if !person.admitted {
            person.admitted = true;
            counts.admitted += 1;
            counts.waits.add(0);
        }
    }

    fn floods(&mut self, who: u32) {
        let ask = [Ask::Sound, Ask::Sound, Ask::Right, Ask::Puzzle][self.dice.below(4) as usize];
        let (shard, verdict) = self.knock(who, ask, Shows::Nothing);
        if let Verdict::Enter(entry) = verdict {
            self.got_in(who);
            if ask == Ask::Sound {
                self.cores.enter(shard);
                self.loot.seats.push(entry.pass);
                let (ms, space) = (self.ms(), self.crowd.people[who as usize].door);
                if let Some(recorder) = &mut self.recorder {
                    recorder.entered(space, None, false, ms);
                }
            } else {
                self.hold(shard, entry);
            }
        }
    }

    /// Noise, a good token with one letter changed, or noise as a solution.
    fn forges(&mut self, who: u32) {
        let mut text = [0; SOLUTION_CHARS];
        for letter in &mut text {
            *letter = LETTERS[self.dice.below(64) as usize];
        }
        text[..4].copy_from_slice(b"EwEC");
        let victim = self.dice.below(who.max(1));
        if let Some(good) = self.crowd.token(victim).filter(|_| self.dice.one_in(2)) {
            text[..TOKEN_CHARS].copy_from_slice(&good);
            let at = self.dice.between(8, TOKEN_CHARS as u32) as usize;
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
        }
        let long = self.dice.one_in(3);
        let text = if long {
            &text[..]
        } else {
            &text[..TOKEN_CHARS]
        };
        let (_, verdict) = self.knock(who, Ask::Sound, Shows::Token(text));
        if !matches!(verdict, Verdict::TurnAway(_)) {
            self.gathered.broken = Some(Broken::Forged);
        }
    }

    fn replays(&mut self, who: u32) {
        let Some(right) = self.loot.right else {
            return self.takes_a_place(who);
        };
        // At the last door too, where there are several.
        let last = self.node.doors.len() - 1;
        let door = if self.dice.one_in(4) { last } else { 0 };
        let shows = Shows::Token(right.as_bytes());
        let (shard, verdict) = self.knock_at(who, door, Ask::Sound, shows);
        match verdict {
            Verdict::Enter(_) if door > 0 => self.gathered.broken = Some(Broken::Forged),
            Verdict::Enter(entry) => self.takes_over(who, shard, entry),
            Verdict::Wait(waiting) => self.loot.right = waiting.place.or(Some(right)),
            _ => {}
        }
    }

    fn takes_a_place(&mut self, who: u32) {
        let (shard, verdict) = self.knock(who, Ask::Right, Shows::Nothing);
        match verdict {
            Verdict::Wait(waiting) if is_open(waiting.cause) => self.copies_a_ticket(who),
            Verdict::Wait(waiting) => self.loot.right = waiting.place,
            Verdict::Enter(mut entry) => {
                self.loot.right = entry.ticket.take();
                self.hold(shard, entry);
            }
            _ => {}
        }
    }

    /// While all are let in nobody is given a right: one comes in, and its resume ticket is what goes round.
    fn copies_a_ticket(&mut self, who: u32) {
        let inside = |who: &u32| self.crowd.people[*who as usize].seat != crate::crowd::NONE;
        if let Some(holder) = self.loot.holder.filter(inside) {
            return self.asks_to_come_back(holder);
        }
        let shows = self.mark(who);
        let (shard, verdict) = self.knock(who, Ask::Sound, shows);
        let Verdict::Enter(entry) = verdict else {
            return;
        };
        self.takes_over(who, shard, entry);
    }

    /// Given to who has been inside for a while.
    fn asks_to_come_back(&mut self, who: u32) {
        let (person, times) = (&self.crowd.people[who as usize], self.times());
        let knock = Knock {
            door: &self.node.doors[usize::from(person.door)],
            from: person.network.prefix(),
            ask: Ask::Right,
            shows: self.mark(who),
        };
        self.loot.right = self.node.gates[0].resume_ticket(&knock, times);
    }

    /// The shell closes the connection that had the seat before.
    fn takes_over(&mut self, who: u32, shard: usize, entry: Entry) {
        let new = entry.took_over.is_none();
        if let Some(before) = self.loot.holder.replace(who) {
            let had = self.crowd.people[before as usize].seat != crate::crowd::NONE;
            self.loot.most_of_one = self.loot.most_of_one.max(1 + u32::from(new && had));
            self.stand_up(before, Gone::Replaced);
        }
        if new {
            self.got_in(who);
        }
        self.sit(who, shard, entry);
    }
}
