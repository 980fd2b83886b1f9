//! What containers with asides have in common: packets are collected to pages, and asides wait for a page with room.

use std::marker::PhantomData;

use bytes::Bytes;

use super::aside::AsidePurse;
use super::collect::{Collector, Cut};
use super::{Packer, ProgramPacket};
use crate::fanout::ring::CutPage;

/// One container: how its head and its pages are written.
pub trait Container: Send {
    const CONTENT_TYPE: &'static str;
    /// Bytes a page that asides may take, on the average.
    const ASIDE_BYTES_PER_PAGE: i64;

    fn head() -> Vec<u8>;
    fn page(cut: &Cut, asides: &mut AsidePurse) -> Vec<u8>;
}

/// The packer of a container that carries asides.
pub struct Paged<C> {
    head: Bytes,
    collector: Collector,
    asides: AsidePurse,
    container: PhantomData<C>,
}

impl<C: Container> Paged<C> {
    pub fn new() -> Self {
        Self {
            head: C::head().into(),
            collector: Collector::default(),
            asides: AsidePurse::new(C::ASIDE_BYTES_PER_PAGE),
            container: PhantomData,
        }
    }

    fn cut(&mut self, cut: &Cut) -> CutPage {
        cut.page(C::page(cut, &mut self.asides))
    }
}

impl<C: Container> Default for Paged<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Container> Packer for Paged<C> {
    fn head(&self) -> Bytes {
        self.head.clone()
    }

    fn push(&mut self, packet: &ProgramPacket) -> Option<CutPage> {
        self.collector.push(packet).map(|cut| self.cut(&cut))
    }

    fn roster(&mut self, json: &[u8]) {
        self.asides.put_roster(json);
    }

    fn levels(&mut self, message: &[u8]) {
        self.asides.put_levels(message);
    }

    fn flush(&mut self) -> Option<CutPage> {
        self.collector.flush().map(|cut| self.cut(&cut))
    }

    fn content_type(&self) -> &'static str {
        C::CONTENT_TYPE
    }
}
