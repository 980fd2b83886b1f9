//! One connection of the driver with what it still has to say.

use std::io;

use super::super::ears::Ears;
use super::super::link::Link;
use super::Who;

pub(super) struct Line {
    pub(super) link: Link,
    pub(super) who: Who,
    pub(super) said: Vec<u8>,
    /// What could not be sent yet.
    pub(super) unsent: Vec<u8>,
    pub(super) ears: Option<Box<Ears>>,
    pub(super) quiet: bool,
    pub(super) watched: bool,
}

impl Line {
    pub(super) fn send(&mut self) -> io::Result<()> {
        let later = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
            )
        };
        while !self.unsent.is_empty() {
            match self.link.write(&self.unsent) {
                Ok(sent) => {
                    self.unsent.drain(..sent);
                }
                Err(error) if later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match self.link.flush() {
            Err(error) if !later(&error) => Err(error),
            _ => Ok(()),
        }
    }
}
