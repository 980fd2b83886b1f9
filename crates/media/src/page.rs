//! A page: an immutable, reference-counted piece of container bytes, the unit that rings hold and readers send.

use bytes::Bytes;

use crate::time::{Epoch, MediaTime};

#[derive(Clone, Debug)]
pub struct Page {
    pub epoch: Epoch,
    /// Grows by one with each page of a ring, over epochs too.
    pub sequence: u64,
    /// Where the page's sound begins.
    pub media_time: MediaTime,
    /// Samples of sound in the page.
    pub duration: u32,
    /// A reader may begin here, after the container's head.
    pub start: bool,
    pub bytes: Bytes,
}
