//! The driver: one thread, one epoll, thousands of sockets. Open loop: everybody presses when their time has come, whatever
//! the server does, and all waits are counted from then.

mod line;
mod lines;
mod tell;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hustings_rehearse::fit::Driver;
use mio::unix::SourceFd;
use mio::{Events, Poll};

use self::line::Line;
use super::attack::Assault;
use super::ears::Ears;
use super::gauge::Gauge;
use super::schedule::{Deed, Nothing, Schedule};
use super::seen::Seen;
use super::standing::Standing;
use super::target::Target;
use super::visitor::{Asks, Coming, Manner, State, Visitor};
use crate::rehearsal::Refusal;

/// Time in which the sound of every quiet listener is taken once: with fewer turns each read takes more.
const ROUND: Duration = Duration::from_millis(500);
/// Bytes one read takes.
const SCRATCH: usize = 65_536;
/// Deeds done between two looks at what has come.
const BATCH: usize = 32;
/// Longest sleep: lateness shows in it.
const NAP: Duration = Duration::from_millis(2);
const EVENTS: usize = 1_024;
/// Listeners whose sound is looked at the moment it comes; more would be more wake-ups than the driver can afford.
const WATCHED: u64 = 100;
/// How long somebody whom the scenario disconnected waits before coming again, at most.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// Where nobody answers at all for so long, the target is told as gone, and not hammered on.
const STANDING_EVERY: Duration = Duration::from_secs(1);
/// Who hears for so long has stayed, by the flight recorder's rows.
const HEAR_ON: Duration = Duration::from_secs(11);

/// What somebody is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Ask,
    Resume,
    Leave,
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Visitor(usize),
    /// A visitor's question beside its sound.
    Aside(usize),
    Assault(Assault),
    Standing,
}

pub struct Wire {
    target: Target,
    poll: Poll,
    lines: Vec<Option<Line>>,
    free: Vec<usize>,
    open: usize,
    open_most: usize,
    quiet: Vec<usize>,
    cursor: usize,
    round: Instant,
    scratch: Vec<u8>,
    timers: BinaryHeap<Reverse<(Instant, usize, Wake)>>,
    visitors: Vec<Visitor>,
    /// The listening connection of each visitor.
    seats: Vec<Option<usize>>,
    begun: Instant,
    gauge: Gauge,
    inside: u32,
    watched: u64,
    seen: Seen,
    /// The good right that is replayed.
    right: String,
    standing: Option<Standing>,
    standing_asked: Instant,
    refused: Option<Refusal>,
    /// The night is over: nobody asks for anything any more.
    over: bool,
}

impl Wire {
    /// `connections` are those that this process may open at once.
    ///
    /// # Errors
    /// When the system gives no epoll.
    pub fn new(target: Target, connections: usize) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            target,
            poll: Poll::new()?,
            lines: Vec::new(),
            free: Vec::new(),
            open: 0,
            open_most: connections,
            quiet: Vec::new(),
            cursor: 0,
            round: now,
            scratch: vec![0; SCRATCH],
            timers: BinaryHeap::new(),
            visitors: Vec::new(),
            seats: Vec::new(),
            begun: now,
            gauge: Gauge::new(),
            inside: 0,
            watched: 0,
            seen: Seen::default(),
            right: String::new(),
            standing: None,
            standing_asked: now,
            refused: None,
            over: false,
        })
    }

    /// Presses and hears until `ends`, or until the target says that the rehearsal is over.
    ///
    /// # Errors
    /// When epoll fails.
    pub fn run(&mut self, schedule: &mut dyn Schedule, ends: Instant) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while self.refused.is_none() {
            let now = Instant::now();
            if now >= ends {
                break;
            }
            for _ in 0..BATCH {
                let Some((meant, deed)) = schedule.due(now) else {
                    break;
                };
                self.does(deed, meant, now);
            }
            self.wake(now);
            self.take_quiet(now);
            self.ask_standing(now);
            self.gauge.look(now);
            let inside = self.inside;
            self.this_second(now).inside = inside;
            let due = schedule.next().unwrap_or(ends).min(ends);
            let nap = due.saturating_duration_since(Instant::now()).min(NAP);
            self.poll.poll(&mut events, Some(nap))?;
            for event in &events {
                self.on(event);
            }
        }
        Ok(())
    }

    /// The night's last second is over: nobody presses or asks any more, and those inside hear on for a moment, so that who came in
    /// last is not taken for one who came for nothing.
    ///
    /// # Errors
    /// When epoll fails.
    pub fn wind_down(&mut self) -> anyhow::Result<()> {
        self.over = true;
        self.run(&mut Nothing, Instant::now() + HEAR_ON)
    }

    fn does(&mut self, deed: Deed, meant: Instant, now: Instant) {
        match deed {
            Deed::Come(coming) => {
                self.gauge.pressed(now.saturating_duration_since(meant));
                self.comes(coming, meant, now);
            }
            Deed::Assault {
                kind,
                space,
                from,
                number,
            } => {
                self.gauge.pressed(now.saturating_duration_since(meant));
                self.assaults(kind, &space, from, number);
                self.this_second(now).knocks += 1;
            }
            Deed::Cut { share } => self.cut(share, now),
            Deed::Leave { share, over } => {
                let inside: Vec<usize> = self.some_inside(share);
                let each = over.div_f64(inside.len().max(1) as f64);
                for (number, who) in (0..).zip(inside) {
                    self.timers
                        .push(Reverse((now + each * number, who, Wake::Leave)));
                    // Earlier than it meant to; the time it had in mind is forgotten.
                    self.visitors[who].leaves = Some(now + each * number);
                }
            }
        }
    }

    fn comes(&mut self, coming: Coming, meant: Instant, now: Instant) {
        let number = self.visitors.len();
        if let Some(patience) = coming.patience {
            self.timers
                .push(Reverse((meant + patience, number, Wake::GiveUp)));
        }
        self.visitors.push(Visitor::new(coming, meant));
        self.seats.push(None);
        self.seen.people.came += 1;
        self.this_second(now).came += 1;
        self.ask(number);
    }

    /// Every so manieth of those inside, so that the share is one of all networks and manners alike.
    fn some_inside(&self, share: f64) -> Vec<usize> {
        let inside = (0..self.seats.len()).filter(|who| self.seats[*who].is_some());
        let wanted = |at: usize| ((at + 1) as f64 * share) as usize > (at as f64 * share) as usize;
        inside
            .enumerate()
            .filter(|(at, _)| wanted(*at))
            .map(|(_, who)| who)
            .collect()
    }

    fn cut(&mut self, share: f64, now: Instant) {
        for (number, who) in (0_u64..).zip(self.some_inside(share)) {
            if let Some(slot) = self.seats[who] {
                self.close(slot);
                self.comes_back(who, now, number);
            }
        }
    }

    /// It lost its sound: again after a moment that differs between people, as the page's does.
    fn comes_back(&mut self, who: usize, now: Instant, spread: u64) {
        self.visitors[who].falls_out(now);
        let part = (spread.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1 << 24) as f64;
        let after = BACK_WITHIN.mul_f64(part);
        self.timers.push(Reverse((now + after, who, Wake::Ask)));
    }

    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((at, who, wake))) =
            self.timers.peek().copied().filter(|due| due.0.0 <= now)
        {
            self.timers.pop();
            let visitor = &mut self.visitors[who];
            match (wake, visitor.state) {
                (Wake::Ask | Wake::Resume | Wake::GiveUp, _) if self.over => {}
                (Wake::Ask, State::Comes) => self.ask(who),
                (Wake::Resume, State::Inside) => self.ask_aside(who),
                // Who was away in between has another time to leave.
                (Wake::Leave, State::Inside) if visitor.leaves == Some(at) => {
                    visitor.state = State::Left;
                    self.seen.people.left += 1;
                    if let Some(slot) = self.seats[who] {
                        self.close(slot);
                    }
                }
                (Wake::GiveUp, State::Comes) if !visitor.returns => {
                    visitor.state = State::GaveUp;
                    self.seen.people.gave_up += 1;
                }
                _ => {}
            }
        }
    }

    fn ask(&mut self, who: usize) {
        let visitor = &mut self.visitors[who];
        visitor.requests += 1;
        let (from, (lines, body)) = (visitor.who.from, visitor.request());
        if !self.open(Some(from), Some((&lines, &body, false)), Who::Visitor(who)) {
            self.gauge.unsent();
            self.timers.push(Reverse((
                Instant::now() + Duration::from_secs(1),
                who,
                Wake::Ask,
            )));
        }
    }

    /// The right to come back; while it listens.
    fn ask_aside(&mut self, who: usize) {
        let visitor = &mut self.visitors[who];
        visitor.requests += 1;
        visitor.asks = Asks::Resume;
        let (from, (lines, body)) = (visitor.who.from, visitor.request());
        if !self.open(Some(from), Some((&lines, &body, false)), Who::Aside(who)) {
            self.gauge.unsent();
        }
    }

    fn assaults(&mut self, kind: Assault, space: &str, from: Ipv4Addr, number: u64) {
        let request = kind.request(space, number, &self.right);
        let asked = request
            .as_ref()
            .map(|(lines, body)| (lines.as_str(), body.as_str(), kind.is_slow()));
        let opened = self.open(Some(from), asked, Who::Assault(kind));
        let part = self.seen.attacks.entry(kind).or_default();
        part.sent += 1;
        if !opened {
            part.unsent += 1;
            self.gauge.unsent();
        }
    }

    /// What the target uses, once a second, when there is a permit to be told.
    fn ask_standing(&mut self, now: Instant) {
        if self.target.permit.is_some()
            && now.saturating_duration_since(self.standing_asked) >= STANDING_EVERY
        {
            self.standing_asked = now;
            self.open(
                None,
                Some(("GET /rehearsal.json HTTP/1.1\r\n", "", false)),
                Who::Standing,
            );
        }
    }

    fn this_second(&mut self, now: Instant) -> &mut super::seen::Second {
        let at = now.saturating_duration_since(self.begun).as_secs();
        self.seen.second(at as usize)
    }
}
