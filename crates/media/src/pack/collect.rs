//! Collects packets until a page is full. Pages end where media time says so, not after a count: nodes and epochs that
//! begin at different packets still cut alike.

use bytes::Bytes;

use super::ProgramPacket;
use crate::fanout::ring::CutPage;
use crate::limits::{PAGE_SAMPLES, PAGE_TICKS, TICK_SAMPLES};
use crate::time::{Epoch, MediaTime};

/// The packets of one page.
#[derive(Debug)]
pub struct Cut {
    pub(super) epoch: Epoch,
    pub(super) media_time: MediaTime,
    pub(super) duration: u32,
    pub(super) packets: Vec<Bytes>,
}

impl Cut {
    /// Every page of Opus is a start mark: a decoder finds its feet within 80 ms.
    pub(super) fn page(&self, bytes: Vec<u8>) -> CutPage {
        let Self {
            epoch,
            media_time,
            duration,
            ..
        } = *self;
        CutPage {
            epoch,
            media_time,
            duration,
            start: true,
            bytes: bytes.into(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Collector {
    pending: Option<Cut>,
}

impl Collector {
    /// Takes a packet; gives the page that it fills, or the shorter one that a hole or a new epoch ends.
    pub(super) fn push(&mut self, packet: &ProgramPacket) -> Option<Cut> {
        let follows = self.pending.as_ref().is_none_or(|cut| {
            cut.epoch == packet.epoch
                && cut.media_time.0 + u64::from(cut.duration) == packet.media_time.0
        });
        let ended = if follows { None } else { self.pending.take() };
        let cut = self.pending.get_or_insert_with(|| Cut {
            epoch: packet.epoch,
            media_time: packet.media_time,
            duration: 0,
            packets: Vec::with_capacity(PAGE_TICKS),
        });
        cut.packets.push(packet.opus.clone());
        cut.duration += TICK_SAMPLES as u32;
        // Two pages cannot be given at once: after a hole, a packet that fills its page by itself waits for the next.
        if ended.is_some() {
            return ended;
        }
        let page_of = |samples: u64| samples / PAGE_SAMPLES;
        let full = page_of(cut.media_time.0 + u64::from(cut.duration)) > page_of(cut.media_time.0);
        if full { self.pending.take() } else { None }
    }

    pub(super) fn flush(&mut self) -> Option<Cut> {
        self.pending.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(epoch: u32, tick: u64) -> ProgramPacket {
        let media_time = MediaTime(tick * TICK_SAMPLES as u64);
        ProgramPacket {
            epoch: Epoch(epoch),
            media_time,
            opus: Bytes::from_static(b"x"),
        }
    }

    fn cuts(packets: impl IntoIterator<Item = (u32, u64)>) -> Vec<(u32, u64, u32)> {
        let mut collector = Collector::default();
        let mut cuts: Vec<Cut> = packets
            .into_iter()
            .filter_map(|(epoch, tick)| collector.push(&packet(epoch, tick)))
            .collect();
        cuts.extend(collector.flush());
        cuts.iter()
            .map(|cut| (cut.epoch.0, cut.media_time.0 / 960, cut.duration / 960))
            .collect()
    }

    #[test]
    fn pages_end_where_media_time_says() {
        assert_eq!(cuts((0..10).map(|tick| (1, tick))), [(1, 0, 5), (1, 5, 5)]);
        assert_eq!(
            cuts((3..12).map(|tick| (1, tick))),
            [(1, 3, 2), (1, 5, 5), (1, 10, 2)]
        );
    }

    #[test]
    fn a_hole_or_a_new_epoch_ends_a_page() {
        assert_eq!(
            cuts([(1, 0), (1, 1), (1, 7), (1, 8), (1, 9)]),
            [(1, 0, 2), (1, 7, 3)]
        );
        assert_eq!(
            cuts([(1, 0), (1, 1), (2, 2), (2, 3), (2, 4)]),
            [(1, 0, 2), (2, 2, 3)]
        );
        // The packet after the hole fills its page, which comes out one packet late.
        assert_eq!(cuts([(1, 0), (1, 9), (1, 10)]), [(1, 0, 1), (1, 9, 2)]);
    }
}
