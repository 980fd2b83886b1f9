//! The evidence of a night: what a node counts each second ([`row`]), kept so that no change goes unseen ([`chain`]), and
//! the judge who says by published rules what happened ([`judge`]).
//!
//! Pure: clocks are parameters. The server's flight recorder fills the rows from the real node, `rehearse` from its virtual
//! one; who judges sees no difference.

pub mod chain;
pub mod judge;
pub mod row;
