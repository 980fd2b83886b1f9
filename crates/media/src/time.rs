//! Two clocks that must not be mixed up: the machine's monotonic time, handed in by the shell, and a space's media time.

/// Microseconds since an origin of the shell's choice; never goes back. The planes never ask for it, they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now(pub u64);

impl Now {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Microseconds since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0 + millis * 1_000)
    }
}

/// Samples at 48 kHz since the space's first sound. It runs on over epochs and never runs back for a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub u64);

impl MediaTime {
    pub const fn as_millis(self) -> u64 {
        self.0 / 48
    }
}

/// One run of one stage. Only grows; pages of an older epoch are dropped by everyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);
