//! One ring with many readers. The fan-out does not know what it carries: it sees heads, pages and cursors only.

mod ahead;
mod cadence;
mod cost;
mod lag;
mod listener;
pub mod ring;
pub mod shard;
mod sink;
mod sweep;

pub use cadence::{Cadence, CadenceBounds};
pub use lag::Blocks;
pub use ring::{Cursor, Ring};
