//! One ring with many readers. The fan-out does not know what it carries: it sees heads, pages and cursors only.

pub mod lag;
pub mod ring;
pub mod shard;

pub use ring::{Cursor, Ring};
