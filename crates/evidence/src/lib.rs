//! The evidence of a night: what a node counts each second ([`row`]), so that a report can say afterwards what happened.
//!
//! Pure: clocks are parameters. The server's flight recorder fills the rows from the real node, `rehearse` from its virtual
//! one; who judges sees no difference.

pub mod row;
