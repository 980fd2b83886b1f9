//! Hashes, keys and signatures as lower-case hex digits.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not {0} lower-case hex digits")]
pub struct BadHex(usize);

macro_rules! hex {
    ($($(#[$meta:meta])* $name:ident $bytes:literal;)+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadHex;

            fn from_str(text: &str) -> Result<Self, BadHex> {
                let mut bytes = [0; $bytes];
                read(text.as_bytes(), &mut bytes).ok_or(BadHex($bytes * 2))?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadHex;
            fn try_from(text: String) -> Result<Self, BadHex> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self([0; $bytes])
            }
        }
    )+ };
}

hex! {
    /// SHA-256 of a line.
    Hash 32;
    /// An Ed25519 public key.
    PublicKey 32;
    /// An Ed25519 signature.
    Signature 64;
}

impl Hash {
    /// Of the line that goes on from `before` with this JSON.
    pub fn of_line(before: Self, json: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(before.to_string().as_bytes());
        sha.update(b" ");
        sha.update(json);
        Self(sha.finalize().into())
    }
}

impl PublicKey {
    pub fn has_signed(&self, text: &str, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
    }

    /// As `openssl` reads it (RFC 8410: SubjectPublicKeyInfo, in hex digits of DER).
    pub fn der(&self) -> Vec<u8> {
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend_from_slice(&self.0);
        der
    }
}

/// Exactly so many digits, lower-case only: one value has one text, so that no bit of a line can change unseen.
fn read(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != bytes.len() * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}
