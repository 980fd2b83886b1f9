//! A door that an operator keeps shut for newcomers.

/// How an operator keeps newcomers out. Who was inside may come back all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shut {
    #[default]
    No = 0,
    /// Newcomers wait in line.
    Paused = 1,
    /// Newcomers are turned away: the space has no public door.
    Dropped = 2,
}

impl Shut {
    pub(super) fn from_index(index: u8) -> Self {
        [Self::No, Self::Paused][..]
            .get(usize::from(index))
            .copied()
            .unwrap_or(Self::Dropped)
    }
}
