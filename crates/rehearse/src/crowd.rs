//! The people of a run in two flat arrays: what one is about, and the token one carries. 128 bytes each.

use hustings_control::gate::ticket::TOKEN_CHARS;
use hustings_control::gate::{Pass, Prefix};

use crate::kind::Kind;

/// No seat.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not yet come, or about to ask for the sound with nothing in hand.
    New,
    /// About to ask for a way in.
    Ask,
    /// Has a place and polls.
    Line,
    /// Has a right and asks for the sound with it.
    Right,
    /// Computes, or has computed and shows it.
    Solve,
    Inside,
    /// Has lost the connection and will be back.
    Away,
    /// Was inside and left.
    Gone,
    GaveUp,
    /// Keeps nothing, knocks again.
    Bot,
    /// Has a place and will never use it.
    Hoards,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    /// The slot of its next deed; what stands in another slot of the wheel is no longer meant.
    pub(crate) due: u32,
    /// Milliseconds at which the present wait began.
    pub(crate) since: u32,
    /// Milliseconds at which it gives up waiting.
    pub(crate) patience: u32,
    /// Milliseconds at which it leaves, once it is in.
    pub(crate) until: u32,
    /// Milliseconds at which its present connection got the sound.
    pub(crate) entered: u32,
    pub(crate) position: u32,
    pub(crate) network: Network,
    pub(crate) seat: u32,
    pub(crate) polls: u16,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    pub(crate) door: u8,
    pub(crate) has_token: bool,
    pub(crate) arrived: bool,
    /// Has heard the sound.
    pub(crate) admitted: bool,
    pub(crate) waited: bool,
    /// Was inside and lost the connection.
    pub(crate) returns: bool,
}

/// A network by number; the two highest bits say of which sort. Whoever drives real sockets gives each a prefix of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(u32);

impl Network {
    const V6: u32 = 1 << 31;
    const DENSE: u32 = 1 << 30;

    /// A /24. Numbers are scattered, so that neighbours say nothing.
    pub(crate) fn v4(number: u32) -> Self {
        Self(number.wrapping_mul(0x9e37_79b1) & 0xff_ffff)
    }

    /// A /56 of a household.
    pub(crate) fn household(number: u32) -> Self {
        Self(Self::V6 | number & 0xff_ffff)
    }

    /// A /64, 65,536 of them in a /48.
    pub(crate) fn dense(number: u32) -> Self {
        Self(Self::V6 | Self::DENSE | number & 0xff_ffff)
    }

    pub(crate) fn prefix(self) -> Prefix {
        let number = u64::from(self.0 & 0xff_ffff);
        if self.0 & Self::V6 == 0 {
            let [_, a, b, c] = (number as u32).to_be_bytes();
            return Prefix::v4([a, b, c, 1]);
        }
        let bits: u64 = if self.0 & Self::DENSE == 0 {
            // Four of them share a /48, as neighbours of one provider do.
            0x2a00 << 48 | number << 14
        } else {
            0x2b00 << 48 | number
        };
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&bits.to_be_bytes());
        Prefix::v6(octets)
    }

    pub fn number(self) -> u32 {
        self.0
    }
}

pub(crate) struct Crowd {
    pub(crate) people: Vec<Person>,
    tokens: Vec<u8>,
}

impl Crowd {
    pub(crate) fn new(people: u32) -> Self {
        let nobody = Person {
            due: 0,
            since: 0,
            patience: u32::MAX,
            until: 0,
            entered: 0,
            position: 0,
            network: Network(0),
            seat: NONE,
            polls: 0,
            kind: Kind::Page,
            state: State::New,
            door: 0,
            has_token: false,
            arrived: false,
            admitted: false,
            waited: false,
            returns: false,
        };
        Self {
            people: vec![nobody; people as usize],
            tokens: vec![0; people as usize * TOKEN_CHARS],
        }
    }

    pub(crate) fn is_due(&self, who: u32, slot: u32) -> bool {
        self.people[who as usize].due == slot
    }

    /// Looks at the tokens of those who will show one, for the same reason.
    pub(crate) fn warm(&self, due: &[u32]) {
        let mut seen = 0;
        for who in due {
            let person = &self.people[*who as usize];
            if person.has_token && person.state != State::Inside {
                let at = *who as usize * TOKEN_CHARS;
                seen ^= self.tokens[at] ^ self.tokens[at + TOKEN_CHARS - 1];
            }
        }
        std::hint::black_box(seen);
    }

    pub(crate) fn token(&self, who: u32) -> Option<[u8; TOKEN_CHARS]> {
        let at = who as usize * TOKEN_CHARS;
        let has = self.people[who as usize].has_token;
        has.then(|| self.tokens.get(at..at + TOKEN_CHARS)?.try_into().ok())?
    }

    pub(crate) fn set_token(&mut self, who: u32, token: &[u8]) {
        let at = who as usize * TOKEN_CHARS;
        if token.len() == TOKEN_CHARS {
            self.tokens[at..at + TOKEN_CHARS].copy_from_slice(token);
            self.people[who as usize].has_token = true;
        }
    }

    pub(crate) fn forget_token(&mut self, who: u32) {
        self.people[who as usize].has_token = false;
    }
}

/// A seat in use, and the shard whose connection it is.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) pass: Pass,
    pub(crate) shard: usize,
}

/// Seats in use; a person knows the number of its own.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    seats: Vec<Option<Seat>>,
    free: Vec<u32>,
}

impl Seats {
    pub(crate) fn put(&mut self, seat: Seat) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.seats[at as usize] = Some(seat);
                at
            }
            None => {
                self.seats.push(Some(seat));
                self.seats.len() as u32 - 1
            }
        }
    }

    pub(crate) fn take(&mut self, at: u32) -> Option<Seat> {
        let seat = self.seats.get_mut(at as usize)?.take()?;
        self.free.push(at);
        Some(seat)
    }

    /// Whether somebody else has the seat now.
    pub(crate) fn is_lost(&self, at: u32) -> bool {
        let seat = self.seats.get(at as usize).and_then(Option::as_ref);
        seat.is_some_and(|seat| seat.pass.is_taken_over())
    }

    pub(crate) fn len(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    pub(crate) fn clear(&mut self) {
        self.seats.clear();
        self.free.clear();
    }
}
