//! Each connection of the driver: opened, heard, gone on with, ended.

use std::io;

use mio::event::Event;
use mio::{Interest, Token};

use super::super::answer;
use super::super::attack::lets_in;
use super::super::link::Link;
use super::super::visitor::{Next, RESUME_AFTER};
use super::line::Line;
use super::*;

/// Bytes of an answer that are kept to be read.
const SAID_MAX: usize = 65_536;

impl Wire {
    /// A connection under way, with a request: its own lines, its body, and whether the head's end is kept back. False when
    /// there is none left to be had.
    pub(super) fn open(
        &mut self,
        from: Option<Ipv4Addr>,
        request: Option<(&str, &str, bool)>,
        who: Who,
    ) -> bool {
        if self.open >= self.open_most {
            return false;
        }
        let from = from.filter(|_| self.target.has_many_networks());
        let Ok(link) = Link::open(&self.target, from) else {
            return false;
        };
        let unsent = request.map(|(lines, body, slow)| {
            let end = if slow { "" } else { "\r\n" };
            [lines, &self.target.lines, end, body].concat().into_bytes()
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.lines.push(None);
            self.lines.len() - 1
        });
        let mut line = Line {
            link,
            who,
            said: Vec::new(),
            unsent: unsent.unwrap_or_default(),
            ears: None,
            quiet: false,
            watched: false,
        };
        // On loopback the other end has answered by now, unless its queue is full.
        let failed = line.send().is_err();
        let pending = failed || !line.unsent.is_empty() || line.link.is_tls();
        let interest = if pending {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let fd = line.link.fd();
        if self
            .poll
            .registry()
            .register(&mut SourceFd(&fd), Token(slot), interest)
            .is_err()
        {
            self.free.push(slot);
            return false;
        }
        self.lines[slot] = Some(line);
        self.open += 1;
        true
    }

    pub(super) fn close(&mut self, slot: usize) {
        let Some(line) = self.lines[slot].take() else {
            return;
        };
        self.open -= 1;
        self.free.push(slot);
        if line.quiet
            && let Some(at) = self.quiet.iter().position(|quiet| *quiet == slot)
        {
            self.quiet.swap_remove(at);
        }
        if let (Some(ears), Who::Visitor(who)) = (&line.ears, line.who) {
            self.score(ears);
            if line.watched {
                let millis = u64::try_from(ears.score().silence.as_millis()).unwrap_or(u64::MAX);
                self.seen.sound.silence_ms = self.seen.sound.silence_ms.max(millis);
                self.watched -= 1;
            }
            self.seats[who] = None;
            self.inside -= 1;
        }
    }

    pub(super) fn on(&mut self, event: &Event) {
        let slot = event.token().0;
        let Some(line) = self.lines.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let tls = line.link.is_tls();
        if (event.is_writable() || tls) && line.send().is_err() {
            return self.ended(slot);
        }
        self.read(slot, event.is_read_closed() || tls);
        // The handshake may just have ended: what waited for it goes now.
        if tls
            && let Some(line) = self.lines[slot].as_mut()
            && !line.unsent.is_empty()
            && line.send().is_err()
        {
            self.ended(slot);
        }
    }

    /// Takes what has come for one connection; `whole`: until there is no more.
    pub(super) fn read(&mut self, slot: usize, whole: bool) {
        loop {
            let Some(line) = self.lines[slot].as_mut() else {
                return;
            };
            match line.link.read(&mut self.scratch) {
                Ok(0) => return self.ended(slot),
                Ok(read) => {
                    let more = whole || read == self.scratch.len();
                    let before = line.who;
                    self.heard(slot, read);
                    // Less than asked for: there is no more, and an end will be told by an event of its own.
                    let same = self.lines[slot]
                        .as_ref()
                        .is_some_and(|line| line.who == before);
                    if !more || !same {
                        return;
                    }
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    return;
                }
                Err(_) => return self.ended(slot),
            }
        }
    }

    fn heard(&mut self, slot: usize, read: usize) {
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        let bytes = &self.scratch[..read];
        if let Some(ears) = &mut line.ears {
            return ears.hear(bytes, Instant::now());
        }
        if line.said.len() < SAID_MAX {
            line.said.extend_from_slice(bytes);
        }
        match line.who {
            Who::Visitor(who) => {
                let next = self.visitors[who].read(&line.said, false);
                self.go_on(slot, who, next);
            }
            Who::Assault(kind) => {
                let passed = lets_in(&line.said);
                let part = self.seen.attacks.entry(kind).or_default();
                part.let_in += u64::from(passed);
                part.refused += u64::from(!passed);
                self.look_for_the_end(slot);
                self.close(slot);
            }
            Who::Aside(_) | Who::Standing => {}
        }
    }

    fn go_on(&mut self, slot: usize, who: usize, next: Next) {
        let now = Instant::now();
        match next {
            Next::More => {}
            Next::Inside(at) => self.sits(slot, who, at, now),
            Next::Ask if !self.over => {
                self.close(slot);
                self.ask(who);
            }
            Next::AskAfter(wait) => {
                self.close(slot);
                self.timers.push(Reverse((now + wait, who, Wake::Ask)));
            }
            Next::Ask | Next::Done => self.close(slot),
        }
    }

    /// From now on it is a listener; the quiet ones are looked after in turns.
    fn sits(&mut self, slot: usize, who: usize, at: usize, now: Instant) {
        let visitor = &mut self.visitors[who];
        let waited = u64::try_from(now.saturating_duration_since(visitor.meant).as_millis())
            .unwrap_or(u64::MAX);
        let people = &mut self.seen.people;
        if visitor.returns {
            people.back += 1;
            people.returns.add(waited);
        } else {
            people.heard += 1;
            people.waits.add(waited);
        }
        visitor.state = State::Inside;
        let leaves = *visitor.leaves.get_or_insert(now + visitor.who.stays);
        self.timers
            .push(Reverse((leaves.max(now), who, Wake::Leave)));
        visitor.leaves = Some(leaves.max(now));
        if visitor.who.manner == Manner::Page {
            self.timers
                .push(Reverse((now + RESUME_AFTER, who, Wake::Resume)));
        }
        let mut ears = Box::new(visitor.ears());
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        ears.hear(&line.said[at..], now);
        line.said = Vec::new();
        line.ears = Some(ears);
        line.watched = self.watched < WATCHED;
        line.quiet = !line.watched;
        if line.quiet {
            let fd = line.link.fd();
            // It stays readable by hand.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            self.quiet.push(slot);
        } else {
            self.watched += 1;
            self.seen.sound.watched += 1;
        }
        self.seats[who] = Some(slot);
        self.inside += 1;
        self.seen.people.peak = self.seen.people.peak.max(u64::from(self.inside));
        self.this_second(now).heard += 1;
    }

    fn ended(&mut self, slot: usize) {
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        let (who, listened) = (line.who, line.ears.is_some());
        let now = Instant::now();
        match who {
            Who::Visitor(who) if listened => {
                self.close(slot);
                self.seen.people.disconnected += 1;
                self.this_second(now).disconnected += 1;
                self.comes_back(who, now, who as u64);
            }
            Who::Visitor(who) => {
                self.look_for_the_end(slot);
                let said = self.lines[slot]
                    .as_mut()
                    .map(|line| std::mem::take(&mut line.said));
                if self.refused.is_some() || self.visitors[who].state != State::Comes {
                    return self.close(slot);
                }
                let next = self.visitors[who].read(&said.unwrap_or_default(), true);
                self.go_on(slot, who, next);
            }
            Who::Aside(who) => {
                let said = std::mem::take(&mut line.said);
                // It may have lost its sound meanwhile, and then asks for that.
                if self.visitors[who].asks == Asks::Resume {
                    let visitor = &mut self.visitors[who];
                    visitor.read(&said, true);
                    if visitor.who.thief
                        && let Some(ticket) = &visitor.ticket
                    {
                        self.right.clone_from(ticket);
                    }
                }
                self.close(slot);
            }
            Who::Assault(kind) => {
                self.seen.attacks.entry(kind).or_default().dropped += 1;
                self.close(slot);
            }
            Who::Standing => {
                self.look_for_the_end(slot);
                if let Some(line) = &self.lines[slot] {
                    let text = String::from_utf8_lossy(&line.said);
                    if let Ok(standing) = serde_json::from_str(answer::body(&text)) {
                        self.standing = Some(standing);
                    }
                }
                self.close(slot);
            }
        }
    }

    /// Whether the target says that the permit is not, or no longer, good.
    fn look_for_the_end(&mut self, slot: usize) {
        let Some(line) = &self.lines[slot] else {
            return;
        };
        if self.target.permit.is_none() || line.said.starts_with(b"HTTP/1.1 200") {
            return;
        }
        let text = String::from_utf8_lossy(&line.said);
        let said = answer::header(&text, crate::rehearsal::HEADER).and_then(Refusal::from_name);
        match said {
            Some(refusal) if refusal.is_final() => self.refused = Some(refusal),
            Some(_) => self.seen.over_permit += 1,
            None => {}
        }
    }

    /// As many quiet ones as their round asks for by now.
    pub(super) fn take_quiet(&mut self, now: Instant) {
        let part = now.duration_since(self.round).as_secs_f64() / ROUND.as_secs_f64();
        let count = (self.quiet.len() as f64 * part.min(1.0)) as usize;
        if count == 0 && part < 1.0 {
            return;
        }
        self.round = now;
        for _ in 0..count {
            if self.quiet.is_empty() {
                return;
            }
            self.cursor = (self.cursor + 1) % self.quiet.len();
            self.read(self.quiet[self.cursor], false);
        }
    }
}
