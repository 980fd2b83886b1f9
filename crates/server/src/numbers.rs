//! The numbers of spaces as they stand now, each with its definition; and the sketch that counts different listeners
//! without keeping any address.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use datasketches::hll::{HllSketch, HllType};
use hustings_control::numbers::{Number, PAGE_MS, UNIQUES_LG_K};

use crate::live::{Directory, SpaceHandle};

/// Different listeners of one space. An address goes into a hash that is salted for this space and this run of the node, and
/// of the hash one register of the sketch keeps a few bits: nobody can be found in it, and two spaces cannot be compared.
pub struct Uniques {
    salt: [u8; 32],
    sketch: Mutex<Option<HllSketch>>,
}

impl Uniques {
    /// Somebody was admitted from this address.
    pub(crate) fn note(&self, from: IpAddr) {
        let hash = blake3::keyed_hash(&self.salt, &network(from));
        let mut sketch = self.sketch.lock().unwrap_or_else(PoisonError::into_inner);
        // The size is a constant that is allowed; without a sketch nobody would be counted.
        if sketch.is_none() {
            *sketch = HllSketch::new(UNIQUES_LG_K, HllType::Hll8).ok();
        }
        if let Some(sketch) = sketch.as_mut() {
            sketch.update(hash.as_bytes());
        }
    }

    /// About how many there were, by `Number::Uniques`.
    pub fn estimate(&self) -> u64 {
        let sketch = self.sketch.lock().unwrap_or_else(PoisonError::into_inner);
        sketch
            .as_ref()
            .map_or(0, |sketch| sketch.estimate().round() as u64)
    }
}

impl Default for Uniques {
    fn default() -> Self {
        let mut salt = [0; 32];
        // Without randomness the hash is one that others could make as well; it never leaves this memory.
        let _ = getrandom::fill(&mut salt);
        Self {
            salt,
            sketch: Mutex::new(None),
        }
    }
}

impl std::fmt::Debug for Uniques {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uniques(about {})", self.estimate())
    }
}

/// What tells listeners apart: an IPv4 address, or the /64 of a household.
fn network(from: IpAddr) -> [u8; 9] {
    let mut out = [0; 9];
    match from.to_canonical() {
        IpAddr::V4(v4) => {
            out[0] = 4;
            out[1..5].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            out[0] = 6;
            out[1..].copy_from_slice(&v6.octets()[..8]);
        }
    }
    out
}

/// What a number is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Count(u64),
    /// Milliseconds, of what is told in minutes or seconds.
    Millis(u64),
}

/// What one of `Number::OF_A_SPACE` is now. The others are of the node, of a browser or of a file, and 0 here.
pub fn of_space(handle: &SpaceHandle, number: Number) -> Value {
    let counts = &handle.counts;
    Value::Count(match number {
        Number::Attempts => counts.attempts.load(Relaxed),
        Number::Admitted => counts.joins.load(Relaxed),
        Number::Listening => counts.listening(),
        Number::Peak => counts.peak.load(Relaxed),
        Number::Stayed => counts.stayed.load(Relaxed),
        Number::ListenerMinutes => return Value::Millis(counts.listened_ms()),
        Number::Uniques => counts.uniques.estimate(),
        Number::Plays => counts.plays.load(Relaxed),
        Number::Waiting => waiting(handle),
        Number::TooSlow => counts.too_slow.load(Relaxed),
        Number::Reactions
        | Number::Cadence
        | Number::NeededCadence
        | Number::ProjectedLoad
        | Number::Level
        | Number::Behind
        | Number::RecordingLength => 0,
    })
}

/// The part of it that came with a rehearsal's permit; of a peak or of uniques, what they alone were. None where that is not
/// told apart.
pub fn of_rehearsals(handle: &SpaceHandle, number: Number) -> Option<Value> {
    let counts = &handle.counts.rehearsed;
    Some(Value::Count(match number {
        Number::Attempts => counts.attempts.load(Relaxed),
        Number::Admitted => counts.joins.load(Relaxed),
        Number::Listening => counts.listening.load(Relaxed),
        Number::Peak => counts.peak.load(Relaxed),
        Number::Stayed => counts.stayed.load(Relaxed),
        Number::ListenerMinutes => {
            return Some(Value::Millis(counts.sound_pages.load(Relaxed) * PAGE_MS));
        }
        Number::Uniques => counts.uniques.estimate(),
        Number::TooSlow => counts.too_slow.load(Relaxed),
        _ => return None,
    }))
}

/// `Number::Waiting`.
pub fn waiting(handle: &SpaceHandle) -> u64 {
    handle.door.load().as_ref().map_or(0, |door| {
        let (issued, called) = door.line();
        issued.saturating_sub(called)
    })
}

/// The sum over the spaces of a node: who listens to two of them counts twice, also among uniques.
pub fn of_node(directory: &Directory, number: Number) -> Value {
    summed(directory, |handle| of_space(handle, number))
}

/// The same of rehearsals.
pub fn rehearsed_of_node(directory: &Directory, number: Number) -> Value {
    let of = |handle: &SpaceHandle| of_rehearsals(handle, number).unwrap_or(Value::Count(0));
    summed(directory, of)
}

fn summed(directory: &Directory, of: impl Fn(&SpaceHandle) -> Value) -> Value {
    let spaces = directory.all();
    let mut sum = Value::Count(0);
    for handle in spaces.values() {
        sum = match (sum, of(handle)) {
            (Value::Count(a) | Value::Millis(a), Value::Count(b)) => Value::Count(a + b),
            (Value::Count(a) | Value::Millis(a), Value::Millis(b)) => Value::Millis(a + b),
        };
    }
    sum
}

#[cfg(test)]
mod tests {
    use hustings_control::numbers::UNIQUES_ERROR;

    use super::*;

    /// Sums over many spaces with salts of their own: three standard errors hold nearly always, and the mean is far nearer.
    #[test]
    fn different_listeners_are_counted_within_the_stated_error() {
        let error = f64::from(UNIQUES_ERROR) / 10_000.0;
        for count in [1_u32, 2, 50, 1_000, 40_000] {
            let mut sum = 0.0;
            for _ in 0..8 {
                let uniques = Uniques::default();
                for each in 0..count {
                    let from = IpAddr::from(each.wrapping_mul(2_654_435_761).to_be_bytes());
                    uniques.note(from);
                    uniques.note(from);
                }
                let off = uniques.estimate() as f64 / f64::from(count) - 1.0;
                assert!(off.abs() <= 4.0 * error, "{count}: {off}");
                sum += off;
            }
            assert!((sum / 8.0).abs() <= 2.0 * error, "{count}: {}", sum / 8.0);
        }
    }

    #[test]
    fn a_household_counts_once_and_spaces_cannot_be_compared() {
        let uniques = Uniques::default();
        for host in [
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff::9",
            "::ffff:192.0.2.1",
            "192.0.2.1",
        ] {
            uniques.note(host.parse().unwrap());
        }
        assert_eq!(uniques.estimate(), 2);
        assert_ne!(Uniques::default().salt, uniques.salt);
        assert!(!format!("{uniques:?}").contains("192"));
    }
}
