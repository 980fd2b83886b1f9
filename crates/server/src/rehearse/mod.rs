//! The rehearsal on real sockets: whole visits on schedule, and what became of everybody. The rehearsed node's side is
//! `crate::rehearsal`; what may be concluded from points is `hustings_rehearse::fit`.
//!
//! `wire` is the loop, `visitor` one person, `ears` what is heard, `attack` those who do no visit, `plan` a scenario or a
//! crowd as a schedule, `points` the loads of a claim, `record` what is kept and put together, `page` what is shown.

mod answer;
mod attack;
mod cue;
mod ears;
mod farewell;
mod gauge;
mod link;
mod page;
mod plan;
mod points;
mod record;
mod schedule;
mod seen;
mod simulated;
mod standing;
mod target;
mod visitor;
mod wire;
mod words;

pub use attack::Assault;
pub use cue::{Cue, SpaceCue};
pub use ears::{Ears, Score};
pub use farewell::{greet, tell};
pub use page::{page, sentence};
pub use plan::{OnTrouble, Plan};
pub use points::{Even, Loads, REST};
pub use record::{Beside, FORMAT, PARTS_MAX, Record};
pub use schedule::{Deed, Nothing, Schedule};
pub use seen::{People, Second, Seen, Sound, Spread};
pub use simulated::{beside_simulation, loads_beside_simulation};
pub use standing::Standing;
pub use target::Target;
pub use visitor::{Coming, Manner};
pub use wire::Wire;
pub use words::words;
