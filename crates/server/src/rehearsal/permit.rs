//! The permit: what may be rehearsed, sealed with a key that only this installation has. It travels with every request, so
//! a request is judged by itself: one keyed hash, nothing looked up, nothing stored before the seal is found good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hustings_control::ids::UnixMillis;
use subtle::ConstantTimeEq as _;

use super::Refusal;

/// The header that carries it, in lower case.
pub const HEADER: &str = "rehearsal";
/// Changes when the layout does.
const VERSION: u8 = 1;
/// Version, id, two times, rate, people.
const FIXED: usize = 1 + 8 + 4 * 4;
/// Bytes of a BLAKE3 keyed hash that are kept: forging one takes 2^127 tries.
const SEAL: usize = 16;
/// Bytes of a target: a host's name (RFC 1035 allows 253, ours are shorter) and a port. Longer ones cannot be permitted.
const TARGET_MAX: usize = 96;
/// Bytes of a permit as text, the longest there is.
pub(crate) const TEXT_MAX: usize = (FIXED + TARGET_MAX + SEAL).div_ceil(3) * 4;
/// Requests a second and listeners that a permit may allow: more than one machine drives. More is surely a slip.
const RATE_MAX: u32 = 200_000;
const PEOPLE_MAX: u32 = 10_000_000;
/// Seconds that a permit holds at most: a rehearsal is hours, and a forgotten permit is a load tool in a drawer.
const WINDOW_MAX_S: u32 = 24 * 3_600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// By which the board and `DELETE` name it.
    pub id: u64,
    /// Host and port, as `target_of` gives them.
    pub target: String,
    /// Seconds of the Unix epoch.
    pub from_s: u32,
    pub until_s: u32,
    /// Requests a second of all drivers together, attackers' too.
    pub rate: u32,
    /// Listeners at once.
    pub people: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPermit {
    #[error(
        "this is no rehearsal permit; copy the whole line that `hustings token --rehearsal` printed"
    )]
    Malformed,
    #[error(
        "a permit names its target by a host and a port of at most {TARGET_MAX} bytes together"
    )]
    Target,
    #[error("a permit allows 1 to {RATE_MAX} requests a second")]
    Rate,
    #[error("a permit allows 1 to {PEOPLE_MAX} listeners at once")]
    People,
    #[error("a permit holds for 1 s to {} h", WINDOW_MAX_S / 3_600)]
    Window,
}

/// Derived from the node's own key, so that whoever may mint operators' tokens may mint permits, and nobody else.
#[derive(Clone)]
pub struct PermitKey([u8; 32]);

impl PermitKey {
    pub(crate) fn of(node_key: &[u8; 32]) -> Self {
        Self(blake3::derive_key(
            "hustings rehearsal permits v1",
            node_key,
        ))
    }

    /// # Errors
    /// What is beyond a bound.
    pub fn seal(&self, permit: &Permit) -> Result<String, BadPermit> {
        permit.check()?;
        let mut bytes = permit.bytes();
        let seal = blake3::keyed_hash(&self.0, &bytes);
        bytes.extend_from_slice(&seal.as_bytes()[..SEAL]);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// # Errors
    /// `Forged` for all that was not sealed with this key, whatever it looks like.
    pub(crate) fn open(&self, text: &[u8]) -> Result<Permit, Refusal> {
        let bytes = decode(text).ok_or(Refusal::Forged)?;
        let (body, seal) = bytes.split_at(bytes.len() - SEAL);
        let known = blake3::keyed_hash(&self.0, body);
        if known.as_bytes()[..SEAL].ct_eq(seal).unwrap_u8() != 1 {
            return Err(Refusal::Forged);
        }
        Permit::of(body).ok_or(Refusal::Forged)
    }
}

impl Permit {
    /// Reads what a permit says without knowing whether it is good: that is the target's to judge.
    ///
    /// # Errors
    /// When the text is none.
    pub fn read(text: &str) -> Result<Self, BadPermit> {
        let bytes = decode(text.trim().as_bytes()).ok_or(BadPermit::Malformed)?;
        Self::of(&bytes[..bytes.len() - SEAL]).ok_or(BadPermit::Malformed)
    }

    /// # Errors
    /// When it does not hold now.
    pub fn holds_at(&self, wall: UnixMillis) -> Result<(), Refusal> {
        let now_s = wall.0 / 1_000;
        if now_s < u64::from(self.from_s) {
            Err(Refusal::Early)
        } else if now_s >= u64::from(self.until_s) {
            Err(Refusal::Expired)
        } else {
            Ok(())
        }
    }

    fn check(&self) -> Result<(), BadPermit> {
        let window = self.until_s.checked_sub(self.from_s);
        if self.target.is_empty() || self.target.len() > TARGET_MAX {
            return Err(BadPermit::Target);
        }
        if !(1..=RATE_MAX).contains(&self.rate) {
            return Err(BadPermit::Rate);
        }
        if !(1..=PEOPLE_MAX).contains(&self.people) {
            return Err(BadPermit::People);
        }
        window
            .filter(|s| (1..=WINDOW_MAX_S).contains(s))
            .map(|_| ())
            .ok_or(BadPermit::Window)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + self.target.len() + SEAL);
        bytes.push(VERSION);
        bytes.extend(self.id.to_be_bytes());
        for number in [self.from_s, self.until_s, self.rate, self.people] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.target.as_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let (fixed, target) = bytes.split_at_checked(FIXED)?;
        let number = |at: usize| Some(u32::from_be_bytes(fixed.get(at..at + 4)?.try_into().ok()?));
        let id = u64::from_be_bytes(fixed.get(1..9)?.try_into().ok()?);
        let permit = Self {
            id,
            target: std::str::from_utf8(target).ok()?.to_owned(),
            from_s: number(9)?,
            until_s: number(13)?,
            rate: number(17)?,
            people: number(21)?,
        };
        (fixed.first() == Some(&VERSION) && permit.check().is_ok()).then_some(permit)
    }
}

/// The bytes of a text that may be a permit.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > TEXT_MAX {
        return None;
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() > FIXED + SEAL)
}

/// Host and port of a URL in lower case, the scheme's own port where none is named: `live.example.org:443`.
pub fn target_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let after_brackets = authority.rsplit(']').next().unwrap_or(&authority);
    match after_brackets.rsplit_once(':') {
        Some((_, named)) => named.parse::<u16>().ok().map(|_| authority.clone()),
        None => Some(format!("{authority}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit() -> Permit {
        Permit {
            id: 7,
            target: "live.example.org:443".to_owned(),
            from_s: 1_000,
            until_s: 4_600,
            rate: 300,
            people: 2_000,
        }
    }

    #[test]
    fn what_was_sealed_here_opens_here_and_nowhere_else() {
        let (key, other) = (PermitKey::of(&[1; 32]), PermitKey::of(&[2; 32]));
        let text = key.seal(&permit()).expect("a permit");
        assert_eq!(key.open(text.as_bytes()), Ok(permit()));
        assert_eq!(Permit::read(&format!(" {text}\n")), Ok(permit()));
        assert_eq!(other.open(text.as_bytes()), Err(Refusal::Forged));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            // The last letter holds bits that mean nothing; another one there is no text of ours either.
            assert_eq!(key.open(&bytes), Err(Refusal::Forged), "letter {at}");
        }
        let longest = key
            .seal(&Permit {
                target: "a".repeat(TARGET_MAX),
                ..permit()
            })
            .expect("a permit");
        assert!(longest.len() <= TEXT_MAX && key.open(longest.as_bytes()).is_ok());
        for bad in [
            &b""[..],
            b"x",
            b"\xff\xfe",
            &[b'A'; TEXT_MAX],
            &[b'A'; 4_000],
        ] {
            assert_eq!(key.open(bad), Err(Refusal::Forged));
        }
    }

    #[test]
    fn a_permit_is_bounded() {
        let key = PermitKey::of(&[1; 32]);
        let bad = [
            (
                Permit {
                    rate: 0,
                    ..permit()
                },
                BadPermit::Rate,
            ),
            (
                Permit {
                    people: PEOPLE_MAX + 1,
                    ..permit()
                },
                BadPermit::People,
            ),
            (
                Permit {
                    until_s: 1_000,
                    ..permit()
                },
                BadPermit::Window,
            ),
            (
                Permit {
                    until_s: 1_001 + WINDOW_MAX_S,
                    ..permit()
                },
                BadPermit::Window,
            ),
            (
                Permit {
                    target: String::new(),
                    ..permit()
                },
                BadPermit::Target,
            ),
        ];
        for (permit, why) in bad {
            assert_eq!(key.seal(&permit), Err(why));
        }
        assert_eq!(permit().holds_at(UnixMillis(999_999)), Err(Refusal::Early));
        assert_eq!(permit().holds_at(UnixMillis(1_000_000)), Ok(()));
        assert_eq!(
            permit().holds_at(UnixMillis(4_600_000)),
            Err(Refusal::Expired)
        );
    }

    #[test]
    fn targets_are_host_and_port() {
        for (url, target) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            (
                "https://Live.Example.org/s/x?y",
                Some("live.example.org:443"),
            ),
            ("http://[::1]/", Some("[::1]:80")),
            ("https://[::1]:8443", Some("[::1]:8443")),
            ("ftp://x", None),
            ("https://", None),
            ("https://me@x", None),
            ("http://x:99999", None),
        ] {
            assert_eq!(target_of(url).as_deref(), target, "{url}");
        }
    }
}
