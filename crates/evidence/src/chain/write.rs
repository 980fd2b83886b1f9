//! Makes the lines. Whoever writes them to a disk tells when that failed.

use ed25519_dalek::{Signer as _, SigningKey};
use hustings_control::ids::UnixMillis;

use super::entry::{Begin, Dropped, Entry, Lost, Signed};
use super::{FORMAT, Hash, Head, PublicKey, Signature, Tip, signed_text};
use crate::row::Row;

/// The end of a chain, and the key that signs it.
pub struct Writer {
    key: SigningKey,
    tip: Tip,
}

impl Writer {
    /// Goes on from `tip`; `Tip::default()` is the beginning of all. The secret is an Ed25519 seed (RFC 8032, 5.1.5).
    pub fn new(secret: &[u8; 32], tip: Tip) -> Self {
        Self {
            key: SigningKey::from_bytes(secret),
            tip,
        }
    }

    pub fn key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// What was appended since then did not reach the disk.
    pub fn back_to(&mut self, tip: Tip) {
        self.tip = tip;
    }

    /// The first lines of a segment: an anchor, signed.
    pub fn begin(&mut self, at: UnixMillis, out: &mut Vec<u8>) -> Head {
        let begin = Begin {
            format: FORMAT,
            after: self.tip.hash,
            key: self.key(),
            at,
        };
        self.append(
            Entry {
                begin: Some(begin),
                ..Entry::default()
            },
            out,
        );
        self.sign(at, out)
    }

    pub fn row(&mut self, row: &Row, out: &mut Vec<u8>) {
        self.append(Entry::from(row), out);
    }

    pub fn lost(&mut self, lost: Lost, out: &mut Vec<u8>) {
        self.append(
            Entry {
                lost: Some(lost),
                ..Entry::default()
            },
            out,
        );
    }

    pub fn dropped(&mut self, dropped: Dropped, out: &mut Vec<u8>) {
        self.append(
            Entry {
                dropped: Some(dropped),
                ..Entry::default()
            },
            out,
        );
    }

    /// Signs the last line; the head is to be published once the lines are on the disk.
    pub fn sign(&mut self, at: UnixMillis, out: &mut Vec<u8>) -> Head {
        let Tip { n, hash } = self.tip;
        let sig = Signature(
            self.key
                .sign(signed_text(self.tip, at).as_bytes())
                .to_bytes(),
        );
        let signed = Signed { at, sig };
        self.append(
            Entry {
                signed: Some(signed),
                ..Entry::default()
            },
            out,
        );
        Head {
            n,
            hash,
            at,
            key: self.key(),
            sig,
        }
    }

    fn append(&mut self, mut entry: Entry, out: &mut Vec<u8>) {
        entry.n = self.tip.n + 1;
        // Integers, enums and strings: nothing that JSON does not take.
        let json = serde_json::to_string(&entry).unwrap_or_default();
        let hash = Hash::of_line(self.tip.hash, json.as_bytes());
        self.tip = Tip { n: entry.n, hash };
        out.extend_from_slice(format!("{hash} {json}\n").as_bytes());
    }
}
