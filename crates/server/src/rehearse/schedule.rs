//! What happens and when: whoever plans says it, the loop does it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attack::Assault;
use super::visitor::Coming;

/// What happens next, and when it is meant to.
pub trait Schedule {
    fn next(&mut self) -> Option<Instant>;
    /// The next deed, when its time has come.
    fn due(&mut self, now: Instant) -> Option<(Instant, Deed)>;
}

#[derive(Clone, Debug)]
pub enum Deed {
    Come(Coming),
    /// A knock that is no visit.
    Assault {
        kind: Assault,
        space: Arc<str>,
        from: Ipv4Addr,
        number: u64,
    },
    /// This share of those who listen loses its connection, and comes again.
    Cut {
        share: f64,
    },
    /// This share of those who listen leaves for good, spread over this time.
    Leave {
        share: f64,
        over: Duration,
    },
}

/// Nothing is scheduled.
pub struct Nothing;

impl Schedule for Nothing {
    fn next(&mut self) -> Option<Instant> {
        None
    }

    fn due(&mut self, _: Instant) -> Option<(Instant, Deed)> {
        None
    }
}
