//! The driver: one thread, one epoll, thousands of sockets from many prefixes of 127/8. Open loop: everything is pressed
//! when its time has come, whatever the server does, and all waits are counted from then.

mod lines;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::ears::Ears;
use super::joiner::{Joiner, Next};
use crate::flood::attack::{Kind, lets_in};

/// Time in which the sound of every quiet listener is taken once: with fewer turns each read takes more.
const ROUND: Duration = Duration::from_millis(500);
/// Bytes one read takes.
const SCRATCH: usize = 65_536;
/// Bytes of an answer that are kept to be read.
const SAID_MAX: usize = 32_768;
/// Knocks sent between two looks at what has come.
const BATCH: usize = 32;
/// Longest sleep: lateness shows in it.
const NAP: Duration = Duration::from_millis(2);
const EVENTS: usize = 1_024;
/// Listeners that come in before anything begins, a second.
const SETTLE_PER_S: f64 = 500.0;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Was there before; `true`: looked at at once when sound comes, so that its lateness is exact.
    Inside(bool),
    Joiner(usize),
    Flood(Kind),
    /// Let in as a listener, by mistake or by right, and stays.
    Stayer,
    /// The host's own page.
    Host,
}

struct Line {
    stream: TcpStream,
    who: Who,
    meant: Instant,
    said: Vec<u8>,
    /// What could not be sent yet.
    unsent: Vec<u8>,
    ears: Option<Box<Ears>>,
    quiet: bool,
}

/// What happened since it was last taken.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sent: u64,
    /// Answers that let a flooder in.
    pub(crate) passes: u64,
    pub(crate) refused: u64,
    /// Closed without a word.
    pub(crate) dropped: u64,
    /// Knocks that could not be sent: no port, no file, no room in the kernel's queue.
    pub(crate) unsent: u64,
    pub(crate) disconnects: u64,
    pub(crate) late_us: Vec<u32>,
    pub(crate) host_us: Vec<u32>,
    pub(crate) host_failed: u64,
    pub(crate) open_max: usize,
    /// The longest that a flooder's connection was kept.
    pub(crate) kept_max: Duration,
}

pub(crate) struct Wire {
    poll: Poll,
    lines: Vec<Option<Line>>,
    free: Vec<usize>,
    open: usize,
    open_most: usize,
    quiet: Vec<usize>,
    cursor: usize,
    round: Instant,
    scratch: Vec<u8>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    pub(crate) joiners: Vec<Joiner>,
    pub(crate) seen: Seen,
    pub(crate) public: SocketAddr,
    /// Crowds that have been here: each comes from other prefixes, for who was inside may come back past the line.
    crowds: u64,
    /// How long a joiner listens; without it to the end.
    pub(crate) listens: Option<Duration>,
    leaving: VecDeque<(Instant, usize, usize)>,
}

/// Who presses from `begins` on, so many a second.
struct Beat {
    every: Duration,
    next: Instant,
    ends: Instant,
}

impl Beat {
    fn new(per_s: f64, begins: Instant, lasts: Duration) -> Self {
        let never = per_s <= 0.0;
        Self {
            every: Duration::from_secs_f64(1.0 / per_s.max(1e-3)),
            next: begins,
            ends: if never { begins } else { begins + lasts },
        }
    }

    fn due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next;
        (due <= now && due < self.ends).then(|| {
            self.next += self.every;
            due
        })
    }

    fn next(&self) -> Option<Instant> {
        (self.next < self.ends).then_some(self.next)
    }
}

/// One stretch of time on the wire.
pub(crate) struct Stretch<'a> {
    pub(crate) honest_per_s: f64,
    pub(crate) honest_begin: Duration,
    pub(crate) honest_last: Duration,
    /// Joiners of the other space, whom no flood is meant for.
    pub(crate) other_per_s: f64,
    pub(crate) flood: Option<(Kind, f64, &'a str)>,
    pub(crate) lasts: Duration,
    /// The request of the host's own page, and where it goes.
    pub(crate) host: Option<(SocketAddr, &'a [u8])>,
}

/// Spaces of the server that is measured.
pub(crate) const SPACE: &str = "demo";
pub(crate) const OTHER: &str = "other";
/// Joiners of one crowd: so many prefixes on the next one begins.
const CROWD_MAX: u64 = 6_000;
const OTHER_CROWD_MAX: u64 = 1_024;
/// Prefixes that attackers have.
pub(crate) const FLOOD_PREFIXES: u64 = 1_024;

/// Every number another /24 of a range of its own, then the next address in it.
fn address(first: u8, prefixes: u64, number: u64) -> Ipv4Addr {
    let [low, high] = ((number % prefixes) as u16).to_le_bytes();
    Ipv4Addr::new(
        127,
        first.wrapping_add(high),
        low,
        1 + (number / prefixes % 250) as u8,
    )
}

impl Wire {
    pub(crate) fn new(public: SocketAddr, files: usize) -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            lines: Vec::new(),
            free: Vec::new(),
            open: 0,
            open_most: files,
            quiet: Vec::new(),
            cursor: 0,
            round: Instant::now(),
            scratch: vec![0; SCRATCH],
            timers: BinaryHeap::new(),
            joiners: Vec::new(),
            seen: Seen::default(),
            public,
            crowds: 0,
            listens: None,
            leaving: VecDeque::new(),
        })
    }

    /// Presses and hears until `stretch` is over.
    pub(crate) fn run(&mut self, stretch: &Stretch<'_>) -> anyhow::Result<()> {
        let begun = Instant::now();
        let ends = begun + stretch.lasts;
        let honest_at = begun + stretch.honest_begin;
        let mut honest = Beat::new(stretch.honest_per_s, honest_at, stretch.honest_last);
        let mut other = Beat::new(stretch.other_per_s, honest_at, stretch.honest_last);
        let (kind, per_s, ticket) = stretch.flood.unwrap_or((Kind::Silent, 0.0, ""));
        let mut flood = Beat::new(per_s, begun, stretch.lasts);
        let mut host = Beat::new(
            if stretch.host.is_some() { 10.0 } else { 0.0 },
            begun,
            stretch.lasts,
        );
        let (mut events, mut knocks) = (Events::with_capacity(EVENTS), 0_u64);
        while Instant::now() < ends {
            let now = Instant::now();
            for _ in 0..BATCH {
                let Some(meant) = honest.due(now) else { break };
                self.late(now, meant);
                // One of three has no script.
                let script = self.joiners.len() % 3 != 2;
                self.press(SPACE, script, meant);
            }
            for _ in 0..BATCH {
                let Some(meant) = flood.due(now) else { break };
                self.late(now, meant);
                let from = address(200 + (self.crowds % 12) as u8 * 4, FLOOD_PREFIXES, knocks);
                let request = kind.request(SPACE, knocks, ticket);
                self.open(self.public, from, request, Who::Flood(kind), meant);
                self.seen.sent += 1;
                knocks += 1;
            }
            if let Some(meant) = other.due(now) {
                self.late(now, meant);
                // Counted from here: what this thread is late by, no server can change.
                self.press(OTHER, true, Instant::now());
            }
            if let (Some(meant), Some((to, request))) = (host.due(now), stretch.host) {
                self.open(
                    to,
                    Ipv4Addr::LOCALHOST,
                    Some(request.to_vec()),
                    Who::Host,
                    meant,
                );
            }
            self.wake(now);
            self.leave(now);
            self.take_quiet(now);
            let due = [honest.next(), flood.next(), other.next(), Some(ends)];
            let next = due.into_iter().flatten().min().unwrap_or(ends);
            let nap = next.saturating_duration_since(Instant::now()).min(NAP);
            self.poll.poll(&mut events, Some(nap))?;
            for event in &events {
                self.on(event);
            }
        }
        Ok(())
    }

    /// Brings so many inside, at a pace that is no rush, and gives how many are.
    pub(crate) fn settle(
        &mut self,
        count: usize,
        watched: usize,
        patience: Duration,
    ) -> anyhow::Result<usize> {
        let (begun, mut events) = (Instant::now(), Events::with_capacity(EVENTS));
        let (every, mut next) = (Duration::from_secs_f64(1.0 / SETTLE_PER_S), begun);
        let mut number = 0_u64;
        while begun.elapsed() < patience && self.inside() < count {
            // Never more at once to catch up with: that would be a rush, and the door would treat it as one.
            if Instant::now() >= next && self.open < count {
                next = Instant::now() + every;
                let from = address(1, 6_144, number);
                let burst = if number.is_multiple_of(2) {
                    "?burst=short"
                } else {
                    ""
                };
                let request = crate::flood::attack::get(&format!("/s/{SPACE}/live.ogg{burst}"));
                let who = Who::Inside((number as usize) < watched);
                self.open(self.public, from, Some(request), who, Instant::now());
                number += 1;
            }
            self.take_quiet(Instant::now());
            self.poll.poll(&mut events, Some(NAP))?;
            for event in &events {
                self.on(event);
            }
        }
        Ok(self.inside())
    }

    /// Notes for how long those of the flood stand already who were not closed yet.
    pub(crate) fn note_kept(&mut self) {
        let flood = self
            .lines
            .iter()
            .flatten()
            .filter(|line| matches!(line.who, Who::Flood(_)));
        let oldest = flood.map(|line| line.meant.elapsed()).max();
        self.seen.kept_max = self.seen.kept_max.max(oldest.unwrap_or_default());
    }

    /// Everybody but those who were inside before goes.
    pub(crate) fn clear(&mut self) {
        for slot in 0..self.lines.len() {
            let goes = self.lines[slot]
                .as_ref()
                .is_some_and(|line| !matches!(line.who, Who::Inside(_)));
            if goes {
                self.close(slot);
            }
        }
        self.timers.clear();
        self.leaving.clear();
        self.joiners.clear();
        self.crowds += 1;
    }

    /// Pages, pages lost, and the longest silence in seconds, of all who were inside before.
    pub(crate) fn ears(&self) -> (u64, u64, f64) {
        let mut sum = (0, 0, 0.0_f64);
        for line in self.lines.iter().flatten() {
            if let (Who::Inside(watched), Some(ears)) = (line.who, &line.ears) {
                sum.0 += ears.told.pages;
                sum.1 += ears.told.lost + u64::from(ears.broken) * 1_000;
                if watched {
                    sum.2 = sum.2.max(ears.told.stalled_s);
                }
            }
        }
        sum
    }

    /// What was silent before does not count from now on.
    pub(crate) fn forget_silence(&mut self) {
        let ears = self
            .lines
            .iter_mut()
            .flatten()
            .filter_map(|line| line.ears.as_mut());
        ears.for_each(|ears| ears.told.stalled_s = 0.0);
    }

    pub(crate) fn inside(&self) -> usize {
        self.count(|who| matches!(who, Who::Inside(_)))
    }

    pub(crate) fn stayers(&self) -> usize {
        self.count(|who| who == Who::Stayer)
    }

    fn count(&self, is: impl Fn(Who) -> bool) -> usize {
        let heard = |line: &&Line| line.ears.is_some() && is(line.who);
        self.lines.iter().flatten().filter(heard).count()
    }
}
