//! Scenarios as data: a TOML file says who comes, when, by which curve and from where, what goes wrong and who attacks.
//!
//! [`File::read`] gives the scenario, or line and key of all that is wrong in it; [`File::night`] draws its numbers by a seed;
//! [`Night::actions`] are the timed actions, the same for the virtual world and for real sockets. [`library`] is what the
//! binary brings along.

mod action;
mod check;
mod draw;
mod faster;
mod file;
mod good;
mod label;
mod library;
mod night;
mod place;
mod range;
mod read;
#[cfg(test)]
mod schema;
mod shape;
mod short;

pub(crate) use action::honest_network;
pub use action::{Action, Actions, Arrival, What};
pub use draw::Wish;
pub use faster::FASTER_MOST;
pub use file::File;
pub use label::{Class, Label};
pub use library::{LIBRARY, library};
pub use night::{Group, Knocks, Networks, Night, Space, Timed, Trouble, Who};
pub use range::{Number, Sight, Span};
pub use read::{BadFile, BadLine};
pub use shape::Shape;
pub use short::{Attack, BadScenario, Break, Costs, Scenario};
