//! Counts by the members of an enum; in JSON an object of names and numbers without the zeros.

use std::fmt;
use std::marker::PhantomData;

use hustings_control::gate::{Cause, Reason};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum whose members are counted by name.
pub trait Named: Copy + PartialEq + 'static {
    const ALL: &'static [Self];
    fn name(self) -> &'static str;
}

/// The name under which counts of unknown kinds are kept.
const OTHERS: &str = "others";

/// One count for each of `N` members of `K`, and one for those that this version does not know.
pub struct Counts<K, const N: usize> {
    of: [u32; N],
    /// Read from a newer version's row.
    pub others: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K: Named, const N: usize> Counts<K, N> {
    pub fn of(&self, kind: K) -> u32 {
        Self::at(kind)
            .and_then(|at| self.of.get(at))
            .copied()
            .unwrap_or(0)
    }

    pub fn set(&mut self, kind: K, count: u32) {
        if let Some(held) = Self::at(kind).and_then(|at| self.of.get_mut(at)) {
            *held = count;
        }
    }

    pub fn add(&mut self, kind: K, count: u32) {
        self.set(kind, self.of(kind).saturating_add(count));
    }

    pub fn add_all(&mut self, other: &Self) {
        for (held, more) in self.of.iter_mut().zip(other.of) {
            *held = held.saturating_add(more);
        }
        self.others = self.others.saturating_add(other.others);
    }

    /// Those that are not 0, in the enum's order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        let pairs = K::ALL.iter().copied().zip(self.of);
        pairs.filter(|(_, count)| *count > 0)
    }

    /// All, the unknown included.
    pub fn sum(&self) -> u32 {
        self.of
            .iter()
            .fold(self.others, |sum, count| sum.saturating_add(*count))
    }

    fn at(kind: K) -> Option<usize> {
        K::ALL.iter().position(|member| *member == kind)
    }
}

impl<K: Named, const N: usize, T: Into<u64> + Copy> From<&[T; N]> for Counts<K, N> {
    /// In the order of `K::ALL`.
    fn from(counts: &[T; N]) -> Self {
        let of = counts.map(|count| u32::try_from(count.into()).unwrap_or(u32::MAX));
        Self {
            of,
            ..Self::default()
        }
    }
}

impl<K, const N: usize> Default for Counts<K, N> {
    fn default() -> Self {
        Self {
            of: [0; N],
            others: 0,
            kind: PhantomData,
        }
    }
}

impl<K, const N: usize> Clone for Counts<K, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, const N: usize> Copy for Counts<K, N> {}

impl<K, const N: usize> PartialEq for Counts<K, N> {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of && self.others == other.others
    }
}

impl<K, const N: usize> Eq for Counts<K, N> {}

impl<K: Named, const N: usize> fmt::Debug for Counts<K, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.iter().map(|(kind, count)| (kind.name(), count));
        f.debug_map()
            .entries(named)
            .entry(&OTHERS, &self.others)
            .finish()
    }
}

impl<K: Named, const N: usize> Serialize for Counts<K, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.iter() {
            map.serialize_entry(kind.name(), &count)?;
        }
        if self.others > 0 {
            map.serialize_entry(OTHERS, &self.others)?;
        }
        map.end()
    }
}

impl<'de, K: Named, const N: usize> Deserialize<'de> for Counts<K, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<K, const N: usize>(PhantomData<fn() -> K>);
        impl<'de, K: Named, const N: usize> Visitor<'de> for Reader<K, N> {
            type Value = Counts<K, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and counts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut counts = Counts::default();
                while let Some((name, count)) = map.next_entry::<String, u32>()? {
                    match K::ALL.iter().find(|kind| kind.name() == name) {
                        Some(kind) => counts.add(*kind, count),
                        None => counts.others = counts.others.saturating_add(count),
                    }
                }
                Ok(counts)
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

impl Named for Cause {
    const ALL: &'static [Self] = &Self::ALL;
    fn name(self) -> &'static str {
        Self::name(self)
    }
}

impl Named for Reason {
    const ALL: &'static [Self] = &Self::ALL;
    fn name(self) -> &'static str {
        Self::name(self)
    }
}
