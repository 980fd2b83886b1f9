//! Prefixes: who shares an access, as far as fairness needs to know. No address is kept: only salted hashes leave here.

pub use super::salt::Salt;

/// Where a knock comes from: /24 of IPv4; /64, /56 and /48 of IPv6. IPv4 in IPv6 counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The first 64 bits of IPv6, the first 24 of IPv4.
    bits: u64,
    v6: bool,
}

impl Prefix {
    pub fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, _] = octets;
        Self {
            bits: u64::from_be_bytes([0, 0, 0, 0, 0, a, b, c]),
            v6: false,
        }
    }

    pub fn v6(octets: [u8; 16]) -> Self {
        let mapped = octets[..10] == [0; 10] && octets[10..12] == [0xff; 2];
        if mapped {
            return Self::v4([octets[12], octets[13], octets[14], octets[15]]);
        }
        let bits = octets[..8]
            .iter()
            .fold(0, |bits, octet| bits << 8 | u64::from(*octet));
        Self { bits, v6: true }
    }
}

/// The most listeners of one space inside from one /64 and one /48 of IPv6, in busy and storm. Wide enough for a hall's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    pub fine: u32,
    pub wide: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            fine: 1_024,
            wide: 16_384,
        }
    }
}

/// What a knock's prefix hashes to at one door, a level each: coarse, and for IPv6 /64 and /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(super) coarse: u64,
    pub(super) fine: u64,
    pub(super) wide: u64,
    pub(super) v6: bool,
}

impl Charge {
    /// `door` is the same after a restart, else the snapshot would speak of others.
    pub(crate) fn new(prefix: Prefix, door: u64, salt: &Salt) -> Self {
        let coarse = if prefix.v6 {
            prefix.bits >> 8
        } else {
            prefix.bits | 1 << 63
        };
        let deeper = |bits, level| {
            if prefix.v6 {
                salt.hash(bits, door.wrapping_add(level))
            } else {
                0
            }
        };
        Self {
            coarse: salt.hash(coarse, door.wrapping_add(1)),
            fine: deeper(prefix.bits, 2),
            wide: deeper(prefix.bits >> 16, 3),
            v6: prefix.v6,
        }
    }

    /// A number of 32 bits for tokens and cohorts; never 0, which means any prefix.
    pub(crate) fn tag(&self) -> u32 {
        (self.coarse >> 32) as u32 | 1
    }

    /// For the count of distinct prefixes and their spread.
    pub(crate) fn spread(&self) -> u64 {
        self.coarse
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const SALT: Salt = Salt([1, 2]);

    pub(in super::super) fn v6(third: u16, fourth: u16) -> Prefix {
        let mut octets = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9];
        octets[4..6].copy_from_slice(&third.to_be_bytes());
        octets[6..8].copy_from_slice(&fourth.to_be_bytes());
        Prefix::v6(octets)
    }

    #[test]
    fn prefixes_are_cut_where_said() {
        assert_eq!(Prefix::v4([192, 0, 2, 1]), Prefix::v4([192, 0, 2, 200]));
        assert_ne!(Prefix::v4([192, 0, 2, 1]), Prefix::v4([192, 0, 3, 1]));
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
        assert_eq!(Prefix::v6(mapped), Prefix::v4([192, 0, 2, 9]));
        let (a, b) = (v6(1, 0x1200), v6(1, 0x12ff));
        let tag = |prefix| Charge::new(prefix, 1, &SALT).tag();
        assert_eq!(tag(a), tag(b), "one /56");
        assert_ne!(tag(a), tag(v6(1, 0x1300)));
    }
}
