//! The gate: who may come in now. Pure: clocks, load and randomness are parameters.
//!
//! # The parts
//! - [`Hall`]: what all shards of a node share: seats, spent rights, counts of prefixes. Atomics, no locks.
//! - [`Door`]: one space's part of it: seats, lanes, line, puzzles. Made and closed by the usher, shared by `Arc`.
//! - [`Gate`]: one a shard, owned by its thread. [`Gate::knock`] decides; it allocates nothing.
//! - [`Usher`]: one a node, owned by one task, ticked every 100 ms: measures seats, deals them to spaces and lanes, calls
//!   the line, climbs the ladder. If it stands still, gates go on with what was dealt and nobody enters beyond it.
//! - [`Pass`]: a seat; dropped, it is given back, once. [`Held`]: seats held up to 30 s for tickets just given out.
//! - [`KeyRing`]: what tokens are sealed with; each gate has a copy.
//!
//! # A knock, from outside
//! 1. `GET /s/demo/live.webm?n=8c…` in calm: `Ask::Sound`, `Shows::Mark(n)` -> `Enter`. The shell writes the head and puts
//!    the pass beside the socket. Shown nothing at all, the same: but such a seat can be found again by its prefix only.
//! 2. The player asks for a resume ticket by the same mark: [`Gate::resume_ticket`]. It renews it every few minutes, while inside.
//! 3. A storm begins. Another listener asks for the sound: `Wait`, cause `NoRight`. A browser's navigation is sent to
//!    `/s/demo/line` (303), a player gets 503 with Retry-After.
//! 4. The page knocks: `Ask::Right`, `Shows::Nothing` -> `Wait` with a place. It sleeps `poll_ms`, then reads `serving.json`
//!    ([`serving_json`]) and sleeps again ([`line::poll_after`] says how long), until `called` has reached its `position`.
//! 5. It knocks with its place: `Ask::Right`, `Shows::Token(place)` -> `Enter` with a ticket. The shell holds the pass
//!    ([`Held`]); the page asks for the sound with the ticket: `Ask::Sound`, `Shows::Token(ticket)` -> `Enter`, the held seat
//!    taken over. If no seat is free at this moment, it waits and keeps its place. (`Ask::Sound` with the place works too.)
//! 6. The phone changes networks and its media element asks again with the ticket: `Enter`, `took_over` the old
//!    connection, which the shell closes: its pass says [`Pass::is_taken_over`] and gives nothing back when dropped.
//!    More than some times at once is too often: it waits (`TooOften`), and the seat stays with who had it last.
//! 7. The connection breaks. For five minutes its ticket, or a resume ticket until it expires, enters by the resume lane.
//!
//! # Rights and seats
//! Every right has an id; an id has one seat. A second connection with it takes the seat over. A right used and left is
//! good for `LEFT_KEPT_S` more; after that it is spent, which is known for `SPENT_PERIOD_MS` to twice that. Places
//! cannot be stored up to any use: those of one prefix come in by its max-min share, and places that nobody uses hold up
//! the line by the time in which the called are waited for.

mod answer;
mod booked;
mod call;
mod dice;
pub mod door;
mod enter;
mod estimate;
pub mod hall;
pub mod inside;
mod keys;
mod knock;
pub mod ladder;
pub mod lanes;
pub mod limits;
pub mod line;
pub mod load;
mod mints;
pub mod mode;
mod pass;
pub mod prefix;
pub mod puzzle;
mod salt;
mod seats;
mod serving;
pub mod settings;
mod shut;
mod spent;
pub mod spread;
pub mod tally;
pub mod ticket;
mod usher;
pub mod verdict;

pub use door::{Door, DoorSnapshot};
pub use hall::Hall;
pub use inside::InsideSnapshot;
pub use keys::{BadKey, Key, KeyRing};
pub use knock::Gate;
pub use ladder::{LadderEvent, Step};
pub use lanes::{Lane, Shares};
pub use load::{KEEP as KEPT, Load, Resource, Used};
pub use mode::{Mode, ModeEvent, ModeOf};
pub use pass::{Held, Pass};
pub use prefix::{Prefix, Salt};
pub use seats::{SeatId, SeatKey};
pub use serving::serving_json;
pub use settings::Settings;
pub use shut::Shut;
pub use tally::Tally;
pub use ticket::{DoorEpoch, TokenText, invitation};
pub use usher::{BadDoor, Usher, UsherReport};
pub use verdict::{Ask, Cause, Entry, Knock, Reason, Shows, Times, Verdict, Waiting};
