//! Repeat offenders are dropped by the kernel. `hustings shield` is a small process of its own that may change the
//! packet filter (`helper`, `filter`); the node may not, and only tells it prefixes (`client`), which it learns from
//! offences at the crowd's door (`ledger`). What they say to each other is `message`.
//!
//! Only new connections to the public port are dropped. Who is inside stays inside, and the stage's port is not touched.

mod chown;
pub mod client;
mod filter;
mod helper;
pub mod ledger;
mod limits;
pub mod message;

pub use client::{Friends, Offenders, Shield, ShieldClient, ShieldMeter, ShieldStats};
pub use helper::ShieldCommand;
pub use ledger::Offence;
