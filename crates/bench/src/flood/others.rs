//! Those who join another space meanwhile, whom no flood is meant for. A thread of their own that goes before the driver's
//! other work: what they wait for is the server, and not the knocks that the driver sends first.

use std::net::SocketAddr;
use std::time::Duration;

use super::phase::Fared;
use super::wire::{Stretch, Wire};

/// Joins a second, and for how long: a thousand of them, so that the 99th of a hundred is the tenth worst. More a second
/// would be a rush for the seats that a space is guaranteed where all others are taken, and its own door would be busy.
const PER_S: f64 = 70.0;
const PRESS: Duration = Duration::from_millis(14_300);
/// After the stretch, for those who pressed last and are asked to come twice.
const AFTER: Duration = Duration::from_secs(2);
/// How long one of them listens.
const LISTENS: Duration = Duration::from_secs(2);
/// Their connections at once, with room to spare.
const FILES: usize = 1_000;
/// Steps by which the scheduler prefers this thread to the driver's.
const AHEAD_OF_THE_DRIVER: i32 = -15;

pub(super) struct Others(Wire);

/// What became of them.
pub(super) struct Joined {
    pub(super) fared: Fared,
    pub(super) cpu: Duration,
    pub(super) late_us: Vec<u32>,
}

impl Others {
    pub(super) const FILES: usize = FILES;

    pub(super) fn new(public: SocketAddr) -> anyhow::Result<Self> {
        let mut wire = Wire::new(public, FILES)?;
        wire.listens = Some(LISTENS);
        Ok(Self(wire))
    }

    /// The body of the thread: beside `stretch`, from the honest's first press on.
    pub(super) fn run(&mut self, stretch: &Stretch<'_>) -> anyhow::Result<Joined> {
        rustix::process::nice(AHEAD_OF_THE_DRIVER)?;
        let cpu = super::phase::own_cpu()?;
        self.0.clear();
        let lasts = stretch.lasts + AFTER;
        self.0.run(&Stretch {
            honest_per_s: 0.0,
            honest_begin: stretch.honest_begin,
            honest_last: PRESS,
            other_per_s: PER_S,
            flood: None,
            lasts,
            host: None,
        })?;
        Ok(Joined {
            fared: Fared::of(&self.0.joiners, super::wire::OTHER, lasts),
            cpu: super::phase::own_cpu()?.saturating_sub(cpu),
            late_us: std::mem::take(&mut self.0.seen.late_us),
        })
    }
}
