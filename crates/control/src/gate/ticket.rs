//! Tokens: what a client holds so that the server need not. 60 bytes, as base64url 80 characters: 44 bytes that say
//! everything and the first 16 bytes of a keyed BLAKE3 over them. Tickets, resume tickets, places and puzzles share the form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::keys::KeyRing;
use super::lanes::Lane;
use super::limits::CLOCK_SKEW_MS;
use crate::ids::{SpaceId, UnixMillis};

const PAYLOAD_BYTES: usize = 44;
const MAC_BYTES: usize = 16;
pub const TOKEN_BYTES: usize = PAYLOAD_BYTES + MAC_BYTES;
/// Characters of a token as text; any other length is refused before anything is computed.
pub const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;
const VERSION: u8 = 1;

/// A token as the client carries it, 80 characters of A-Z, a-z, 0-9, '-' and '_'. A right to enter: not for logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenText([u8; TOKEN_CHARS]);

impl TokenText {
    pub fn as_str(&self) -> &str {
        // base64 is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for TokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenText(..)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A right to enter in its lane, to be spent once.
    Ticket = 1,
    /// The right of somebody who was inside.
    Resume = 2,
    /// A place in line.
    Place = 3,
    /// A puzzle not yet solved.
    Puzzle = 4,
}

/// Which space a token is for: the first eight bytes of the BLAKE3 of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceTag(pub u64);

impl SpaceTag {
    pub fn of(space: &SpaceId) -> Self {
        Self(le64(
            &blake3::hash(space.as_str().as_bytes()).as_bytes()[..8],
        ))
    }
}

/// One run of one door. A token of another run is worthless; the shell counts it up when a space is opened anew.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct DoorEpoch(pub u16);

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub lane: Lane,
    pub space: SpaceTag,
    pub epoch: DoorEpoch,
    /// Salted hash of the coarse prefix it was made for; 0 for any.
    pub prefix: u32,
    pub issued: UnixMillis,
    /// Whole seconds.
    pub expires: UnixMillis,
    /// What one seat is bound to.
    pub id: u64,
    /// Of a place: bucket and rank. Of a puzzle: tries, and the cohort.
    pub detail: (u32, u32),
}

/// Why a token is not accepted. Each is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// Not 80 characters of base64url, or of a version, kind or lane that we do not make.
    Malformed,
    /// Sealed with a key that is not, or no longer, in the ring.
    UnknownKey,
    /// The seal is not ours.
    Forged,
    WrongSpace,
    WrongEpoch,
    /// Issued more than five minutes from now.
    FutureDated,
    /// Expired more than five minutes ago.
    Expired,
}

impl Token {
    pub fn seal(&self, keys: &KeyRing, wall: UnixMillis) -> TokenText {
        let key = keys.sealing(wall);
        let mut bytes = [0; TOKEN_BYTES];
        self.write(key.id, &mut bytes);
        let mac = mac(&key.secret, &bytes[..PAYLOAD_BYTES]);
        bytes[PAYLOAD_BYTES..].copy_from_slice(&mac);
        let mut text = [b'A'; TOKEN_CHARS];
        // 60 bytes are 80 characters exactly; the slice fits by construction.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        TokenText(text)
    }

    /// Checks the cheapest first, and believes nothing before the seal is checked.
    ///
    /// # Errors
    /// The first fault found.
    pub fn open(
        text: &[u8],
        keys: &KeyRing,
        space: SpaceTag,
        epoch: DoorEpoch,
        wall: UnixMillis,
    ) -> Result<Self, TokenFault> {
        let mut bytes = [0; TOKEN_BYTES];
        if text.len() != TOKEN_CHARS
            || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(TOKEN_BYTES)
        {
            return Err(TokenFault::Malformed);
        }
        let token = Self::read(&bytes).ok_or(TokenFault::Malformed)?;
        let key = keys
            .checking(bytes[1], wall)
            .ok_or(TokenFault::UnknownKey)?;
        let mac = mac(&key.secret, &bytes[..PAYLOAD_BYTES]);
        if !bool::from(mac.ct_eq(&bytes[PAYLOAD_BYTES..])) {
            return Err(TokenFault::Forged);
        }
        if token.space != space {
            return Err(TokenFault::WrongSpace);
        }
        if token.epoch != epoch {
            return Err(TokenFault::WrongEpoch);
        }
        if token.issued.0 > wall.0.saturating_add(CLOCK_SKEW_MS) {
            return Err(TokenFault::FutureDated);
        }
        if wall.0 > token.expires.0.saturating_add(CLOCK_SKEW_MS) {
            return Err(TokenFault::Expired);
        }
        Ok(token)
    }

    fn write(&self, key: u8, bytes: &mut [u8; TOKEN_BYTES]) {
        let seconds = |at: UnixMillis| u32::try_from(at.0 / 1_000).unwrap_or(u32::MAX);
        bytes[0] = VERSION << 4 | self.kind as u8;
        bytes[1] = key;
        bytes[2] = self.lane as u8;
        bytes[4..12].copy_from_slice(&self.space.0.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes[14..16].copy_from_slice(&((self.issued.0 % 1_000) as u16).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.prefix.to_le_bytes());
        bytes[20..24].copy_from_slice(&seconds(self.issued).to_le_bytes());
        bytes[24..28].copy_from_slice(&seconds(self.expires).to_le_bytes());
        bytes[28..36].copy_from_slice(&self.id.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.detail.0.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.detail.1.to_le_bytes());
    }

    fn read(bytes: &[u8; TOKEN_BYTES]) -> Option<Self> {
        let kind = match bytes[0] {
            0x11 => Kind::Ticket,
            0x12 => Kind::Resume,
            0x13 => Kind::Place,
            0x14 => Kind::Puzzle,
            _ => return None,
        };
        let millis = u16::from_le_bytes([bytes[14], bytes[15]]);
        if bytes[3] != 0 || millis >= 1_000 {
            return None;
        }
        Some(Self {
            kind,
            lane: Lane::from_index(bytes[2])?,
            space: SpaceTag(le64(&bytes[4..12])),
            epoch: DoorEpoch(u16::from_le_bytes([bytes[12], bytes[13]])),
            prefix: le32(&bytes[16..20]),
            issued: UnixMillis(u64::from(le32(&bytes[20..24])) * 1_000 + u64::from(millis)),
            expires: UnixMillis(u64::from(le32(&bytes[24..28])) * 1_000),
            id: le64(&bytes[28..36]),
            detail: (le32(&bytes[36..40]), le32(&bytes[40..44])),
        })
    }
}

pub(crate) fn mac(secret: &[u8; 32], bytes: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&blake3::keyed_hash(secret, bytes).as_bytes()[..MAC_BYTES]);
    mac
}

fn le32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn le64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A ticket given out in advance: it enters by the invited lane, from anywhere, until it expires. `id` is drawn by the shell
/// and must not repeat. Keep the sealing key in the ring as long as the invitation is to be good.
pub fn invitation(
    space: &SpaceId,
    epoch: DoorEpoch,
    keys: &KeyRing,
    id: u64,
    wall: UnixMillis,
    expires: UnixMillis,
) -> TokenText {
    let token = Token {
        kind: Kind::Ticket,
        lane: Lane::Invited,
        space: SpaceTag::of(space),
        epoch,
        prefix: 0,
        issued: wall,
        expires,
        id,
        detail: (0, 0),
    };
    token.seal(keys, wall)
}
