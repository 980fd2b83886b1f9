//! The words of the seat table: what a slot says in its 64 bits.

use super::super::lanes::Lane;
use super::super::limits::{AGAIN_EVERY_S, LEFT_KEPT_S};

/// state:3 | tag:32 | what the state needs:29.
pub(super) const REST_BITS: u32 = 29;
pub(super) const REST: u64 = (1 << REST_BITS) - 1;
pub(super) const FREE: u64 = 0;
/// A claim that is not yet settled. The rest is the claim's generation.
pub(super) const CLAIMED: u64 = 1;
/// Nobody sits there; the rest is the second in which it was left.
pub(super) const LEFT: u64 = 2;
/// The same, but who left showed no right and stayed for a moment only, or was held a seat and never came: nothing to come
/// back by.
pub(super) const VISITED: u64 = 3;
/// Somebody sits there, in lane `state - LIVE`; the rest is the connection's generation.
pub(super) const LIVE: u64 = 4;

pub(super) fn word(state: u64, hash: u64, rest: u32) -> u64 {
    state << 61 | u64::from(tag_of(hash)) << REST_BITS | u64::from(rest) & REST
}

pub(super) fn state(word: u64) -> u64 {
    word >> 61
}

pub(super) fn tag(word: u64) -> u32 {
    (word >> REST_BITS) as u32
}

/// The upper half: the lines were chosen by the lower.
pub(super) fn tag_of(hash: u64) -> u32 {
    ((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32) as u32
}

pub(super) fn lane(word: u64) -> Option<Lane> {
    Lane::from_index(state(word).checked_sub(LIVE)? as u8)
}

pub(super) fn age(word: u64, second: u32) -> u64 {
    u64::from(second).wrapping_sub(word & REST) & REST
}

pub(super) fn forgotten(word: u64, second: u32) -> bool {
    age(word, second) > u64::from(LEFT_KEPT_S)
}

/// Until when comings are paid for, with one more.
pub(super) fn paid_after(paid: u32, second: u32) -> u32 {
    paid.max(second).saturating_add(AGAIN_EVERY_S)
}
