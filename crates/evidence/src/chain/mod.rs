//! The chain: one line for each row, each bound to the line before it, signed by the node at least once a minute.
//!
//! # A line
//! `HASH JSON\n`. HASH is the SHA-256 (FIPS 180-4), in 64 lower-case hex digits, of the text `HASH-OF-THE-LINE-BEFORE JSON`;
//! the first line of all follows 64 zeros. JSON and SHA-256 rather than anything shorter or faster, so that whoever doubts a
//! report checks the chain with tools of their own: docs/flight.md does it with `sha256sum`, `openssl` and `jq`.
//!
//! JSON is an [`Entry`]: a serial number `n`, one more each line, and one of
//! - `node`, `space`, `happening`: a row;
//! - `begin`: the first line of a segment, with the key and with the hash that this segment goes on from;
//! - `signed`: Ed25519 (RFC 8032) over [`signed_text`] of the line before;
//! - `lost`: rows that could not be kept, from when to when and why;
//! - `dropped`: the oldest segments went, for the chain is bounded; the last line that went, by serial and hash.
//!
//! # What is shown by it
//! A changed bit, a line taken out, put in or moved: the hashes do not follow. An end rewritten without the key: it is not
//! signed. An end cut off or rewritten by the key's holder: it does not agree with a [`Head`] that was published before.

mod entry;
mod hex;
mod verify;
mod write;

pub use self::entry::{Begin, Dropped, Entry, Lost, LostWhy, Signed};
pub use self::hex::{BadHex, Hash, PublicKey, Signature};
pub use self::verify::{Expect, Fault, Verified, Verifier, Why};
pub use self::write::Writer;

use hustings_control::ids::UnixMillis;
use serde::{Deserialize, Serialize};

/// Bytes of a line at most, its end included. The longest row has half of it; a longer line is nobody's of this program.
pub const LINE_BYTES_MAX: usize = 16_384;
/// Rows of the node (one a second) between two signatures at most: a minute, and as much again for a machine that is late.
/// A longer unsigned end was not written by the node.
pub const UNSIGNED_ROWS_MAX: u32 = 120;
/// What `begin` says, and what this version reads.
pub const FORMAT: u32 = 1;

/// Where a chain ends: its last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// 0: there is no line yet.
    pub n: u64,
    pub hash: Hash,
}

/// A place in the chain, told to the world: from then on nobody can change what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub n: u64,
    pub hash: Hash,
    pub at: UnixMillis,
    pub key: PublicKey,
    pub sig: Signature,
}

impl Head {
    pub fn is_signed(&self) -> bool {
        self.key
            .has_signed(&signed_text(self.tip(), self.at), &self.sig)
    }

    pub fn tip(&self) -> Tip {
        Tip {
            n: self.n,
            hash: self.hash,
        }
    }
}

/// What a signature is over: `hustings flight 1 N HASH AT`.
pub fn signed_text(tip: Tip, at: UnixMillis) -> String {
    format!("hustings flight {FORMAT} {} {} {}", tip.n, tip.hash, at.0)
}

#[cfg(test)]
mod tests;
