//! Spaces: `Space::decide` turns a command into events or a refusal, `Space::apply` makes an event true. The log of
//! events is the space: replaying it gives the same state, and it is the audit trail.

mod apply;
pub mod command;
mod decide;
pub mod event;
mod invariants;
mod invites;
mod people;
pub mod phase;
pub mod refusal;
pub mod role;
mod schedule;
pub mod space;
mod text;

pub use command::{Actor, Command, DoorSet};
pub use event::{Event, Recorded};
pub use phase::Phase;
pub use refusal::{Fault, Refusal};
pub use role::Role;
pub use space::{Seat, Space};
