//! The one place that reads the machine's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hustings_control::ids::UnixMillis;
use hustings_media::time::Now;

/// Monotonic time since the node's start, and the wall clock. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        Now(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When the node started, by the wall's clock as it goes now.
    pub fn started(&self) -> UnixMillis {
        UnixMillis(self.wall().0.saturating_sub(self.now().as_millis()))
    }

    /// The instant that `now` names, for timers of the shell.
    pub fn instant(&self, now: Now) -> Instant {
        self.origin + std::time::Duration::from_micros(now.0)
    }

    pub fn wall(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
