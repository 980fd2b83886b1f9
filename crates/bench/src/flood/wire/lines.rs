//! Each connection of the driver: opened, heard, gone on with, ended.

use super::*;

impl Wire {
    pub(super) fn late(&mut self, now: Instant, meant: Instant) {
        let late = now.duration_since(meant).as_micros();
        self.seen
            .late_us
            .push(u32::try_from(late).unwrap_or(u32::MAX));
    }

    pub(super) fn press(&mut self, space: &'static str, script: bool, meant: Instant) {
        let number = self.joiners.len();
        let from = if space == SPACE {
            address(32, 36_864, self.crowds * CROWD_MAX + number as u64)
        } else {
            address(176, 6_144, self.crowds * OTHER_CROWD_MAX + number as u64)
        };
        self.joiners.push(Joiner::new(space, script, from, meant));
        self.ask(number);
    }

    pub(super) fn ask(&mut self, number: usize) {
        let joiner = &mut self.joiners[number];
        joiner.requests += 1;
        let (from, request, meant) = (joiner.from, joiner.request(), joiner.meant);
        if !self.open(self.public, from, Some(request), Who::Joiner(number), meant) {
            self.timers
                .push(Reverse((Instant::now() + Duration::from_secs(1), number)));
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(Reverse((_, number))) =
            self.timers.peek().copied().filter(|due| due.0.0 <= now)
        {
            self.timers.pop();
            self.ask(number);
        }
    }

    /// Whoever has listened for long enough goes.
    pub(super) fn leave(&mut self, now: Instant) {
        while let Some((_, slot, number)) = self.leaving.pop_front_if(|(due, ..)| *due <= now) {
            let there = |line: &Line| line.who == Who::Joiner(number);
            if self.lines[slot].as_ref().is_some_and(there) {
                self.close(slot);
            }
        }
    }

    /// A connection under way; false when there is none left to be had.
    pub(super) fn open(
        &mut self,
        to: SocketAddr,
        from: Ipv4Addr,
        request: Option<Vec<u8>>,
        who: Who,
        meant: Instant,
    ) -> bool {
        let unsent = request.unwrap_or_default();
        let line = match self.open < self.open_most {
            true => connect(to, from).ok(),
            false => None,
        };
        let Some(stream) = line else {
            self.seen.unsent += u64::from(matches!(who, Who::Flood(_)));
            return false;
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.lines.push(None);
            self.lines.len() - 1
        });
        let mut line = Line {
            stream,
            who,
            meant,
            said: Vec::new(),
            unsent,
            ears: None,
            quiet: false,
        };
        // On loopback the other end has answered by now, unless its queue is full.
        let pending = line.send().is_err() || !line.unsent.is_empty();
        let interest = if pending {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let fd = line.stream.as_raw_fd();
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
        self.seen.open_max = self.seen.open_max.max(self.open);
        true
    }

    pub(super) fn close(&mut self, slot: usize) {
        if let Some(line) = self.lines[slot].take() {
            self.open -= 1;
            if line.quiet {
                self.quiet.retain(|quiet| *quiet != slot);
            }
            self.free.push(slot);
        }
    }

    pub(super) fn on(&mut self, event: &Event) {
        let slot = event.token().0;
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        if event.is_writable() && !line.unsent.is_empty() && line.send().is_err() {
            return self.ended(slot);
        }
        self.read(slot, event.is_read_closed());
    }

    /// Takes what has come for one connection; `whole`: up to its end.
    pub(super) fn read(&mut self, slot: usize, whole: bool) {
        loop {
            let Some(line) = self.lines[slot].as_mut() else {
                return;
            };
            match line.stream.read(&mut self.scratch) {
                Ok(0) => return self.ended(slot),
                Ok(read) => {
                    let more = whole || read == self.scratch.len();
                    self.heard(slot, read);
                    if !more {
                        // Less than asked for: there is no more, and an end will be told by an event of its own.
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
                Err(_) => return self.ended(slot),
            }
        }
    }

    pub(super) fn heard(&mut self, slot: usize, read: usize) {
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
            Who::Inside(watched) if sounds(&line.said) => self.seat(slot, !watched),
            Who::Joiner(number) => {
                let next = self.joiners[number].read(&line.said, false);
                self.go_on(slot, number, next);
            }
            Who::Flood(kind) => {
                let passed = lets_in(kind, &line.said);
                self.seen.passes += u64::from(passed);
                self.seen.refused += u64::from(!passed);
                if passed && kind == Kind::Stayers {
                    line.who = Who::Stayer;
                    self.seat(slot, true);
                } else {
                    self.close(slot);
                }
            }
            Who::Inside(_) | Who::Stayer | Who::Host => {}
        }
    }

    /// From now on it is a listener; the quiet ones are looked after in turns.
    pub(super) fn seat(&mut self, slot: usize, quiet: bool) {
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        let mut ears = Box::new(Ears::default());
        let head = line.said.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head {
            ears.hear(&line.said[end + 4..], Instant::now());
        }
        line.said = Vec::new();
        line.ears = Some(ears);
        if quiet {
            line.quiet = true;
            let fd = line.stream.as_raw_fd();
            // It stays readable by hand.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            self.quiet.push(slot);
        }
    }

    pub(super) fn go_on(&mut self, slot: usize, number: usize, next: Next) {
        let joiner = &mut self.joiners[number];
        match next {
            Next::More => {}
            Next::Inside => {
                joiner.heard = Some(joiner.meant.elapsed());
                self.seat(slot, true);
                if let Some(listens) = self.listens {
                    self.leaving
                        .push_back((Instant::now() + listens, slot, number));
                }
            }
            Next::Ask => {
                self.close(slot);
                self.ask(number);
            }
            Next::AskAfter(wait) => {
                self.close(slot);
                self.timers.push(Reverse((Instant::now() + wait, number)));
            }
        }
    }

    pub(super) fn ended(&mut self, slot: usize) {
        let Some(line) = self.lines[slot].as_mut() else {
            return;
        };
        let (who, listened) = (line.who, line.ears.is_some());
        match who {
            Who::Joiner(number) if !listened => {
                let said = std::mem::take(&mut line.said);
                let next = self.joiners[number].read(&said, true);
                return self.go_on(slot, number, next);
            }
            Who::Inside(_) if listened => self.seen.disconnects += 1,
            Who::Joiner(_) => self.seen.disconnects += 1,
            Who::Flood(_) => {
                self.seen.dropped += 1;
                self.seen.kept_max = self.seen.kept_max.max(line.meant.elapsed());
            }
            Who::Host => {
                let took = line.meant.elapsed().as_micros();
                if line.said.starts_with(b"HTTP/1.1 200") {
                    self.seen
                        .host_us
                        .push(u32::try_from(took).unwrap_or(u32::MAX));
                } else {
                    self.seen.host_failed += 1;
                }
            }
            Who::Inside(_) | Who::Stayer => {}
        }
        self.close(slot);
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

impl Line {
    pub(super) fn send(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.unsent) {
            Ok(sent) => {
                self.unsent.drain(..sent);
                Ok(())
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn sounds(said: &[u8]) -> bool {
    let head = said.windows(4).position(|four| four == b"\r\n\r\n");
    said.starts_with(b"HTTP/1.1 200") && head.is_some_and(|end| said.len() > end + 4)
}

fn connect(to: SocketAddr, from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::IPV4,
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        // EINPROGRESS: on its way.
        Err(error) if error.raw_os_error() == Some(115) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}
