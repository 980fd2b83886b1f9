//! The media plane of Hustings: what arrives from speakers becomes one mixed, encoded, packed stream of pages in
//! rings, and readers of those rings carry it out. Pure: no I/O, no clock, no thread; `now` is always a parameter.

pub mod fanout;
pub mod jitter;
pub mod limits;
pub mod music;
pub mod opus;
pub mod pack;
pub mod page;
pub mod stage;
pub mod time;
