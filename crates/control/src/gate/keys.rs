//! The keys that tokens are sealed with. A key is known everywhere before anything is sealed with it, and is known for as
//! long as something sealed with it may still be good: so a rotation in the middle of an event refuses nobody.

use crate::ids::UnixMillis;

use super::limits::{CLOCK_SKEW_MS, KEYS_MAX};

/// One secret with the span in which it is used.
#[derive(Clone, Copy)]
pub struct Key {
    /// Stands in each token; tells which key to check with.
    pub id: u8,
    pub secret: [u8; 32],
    /// From here on this key seals. Choose it later than the moment at which every shard and node has the key.
    pub seals_from: UnixMillis,
    /// Up to here this key checks. Choose it later than the last expiry it has sealed.
    pub checks_until: UnixMillis,
}

/// A secret never stands in a log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error(
        "a key with this id is in the ring; ids are used again only after the old key is forgotten"
    )]
    SameId,
    #[error("the ring holds {KEYS_MAX} keys; forget one first")]
    Full,
    #[error("the key would be forgotten before it is used")]
    NoSpan,
}

/// The keys in use, at most `KEYS_MAX`; never empty. Each gate has a copy, so that no core waits for another.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: [Option<Key>; KEYS_MAX],
}

impl KeyRing {
    pub fn new(first: Key) -> Self {
        let mut keys = [None; KEYS_MAX];
        keys[0] = Some(first);
        Self { keys }
    }

    /// # Errors
    /// When the id is taken, the ring is full, or the key's span is empty.
    pub fn add(&mut self, key: Key) -> Result<(), BadKey> {
        if key.checks_until <= key.seals_from {
            return Err(BadKey::NoSpan);
        }
        if self.known().any(|known| known.id == key.id) {
            return Err(BadKey::SameId);
        }
        let slot = self.keys.iter_mut().find(|slot| slot.is_none());
        *slot.ok_or(BadKey::Full)? = Some(key);
        Ok(())
    }

    /// Drops the keys that check nothing any more; the one that seals now always stays.
    pub fn forget_old(&mut self, wall: UnixMillis) {
        let sealing = self.sealing(wall).id;
        for slot in &mut self.keys {
            let old = |key: &Key| key.id != sealing && !checks(key, wall);
            if slot.as_ref().is_some_and(old) {
                *slot = None;
            }
        }
    }

    /// The newest key that has begun; before all of them (a clock that stepped back) the oldest.
    pub(crate) fn sealing(&self, wall: UnixMillis) -> &Key {
        let begun = self.known().filter(|key| key.seals_from <= wall);
        let oldest = self.known().min_by_key(|key| key.seals_from);
        match begun.max_by_key(|key| key.seals_from).or(oldest) {
            Some(key) => key,
            None => unreachable!("a ring begins with a key and never forgets the one that seals"),
        }
    }

    pub(crate) fn checking(&self, id: u8, wall: UnixMillis) -> Option<&Key> {
        self.known()
            .find(|key| key.id == id)
            .filter(|key| checks(key, wall))
    }

    fn known(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().flatten()
    }
}

fn checks(key: &Key, wall: UnixMillis) -> bool {
    wall.0 <= key.checks_until.0.saturating_add(CLOCK_SKEW_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, seals_from: u64, checks_until: u64) -> Key {
        Key {
            id,
            secret: [id; 32],
            seals_from: UnixMillis(seals_from),
            checks_until: UnixMillis(checks_until),
        }
    }

    #[test]
    fn the_newest_begun_key_seals_and_old_ones_check_on() {
        let mut ring = KeyRing::new(key(1, 0, 10_000));
        ring.add(key(2, 5_000, 90_000_000)).unwrap();
        assert_eq!(ring.sealing(UnixMillis(4_999)).id, 1);
        assert_eq!(ring.sealing(UnixMillis(5_000)).id, 2);
        assert!(
            ring.checking(2, UnixMillis(0)).is_some(),
            "known before it seals"
        );
        assert!(
            ring.checking(1, UnixMillis(10_000 + CLOCK_SKEW_MS))
                .is_some()
        );
        assert!(
            ring.checking(1, UnixMillis(10_001 + CLOCK_SKEW_MS))
                .is_none()
        );
        ring.forget_old(UnixMillis(10_001 + CLOCK_SKEW_MS));
        ring.add(key(1, 6_000, 90_000_000)).unwrap();
    }

    #[test]
    fn a_clock_that_stepped_back_still_finds_a_key() {
        let ring = KeyRing::new(key(7, 5_000, 6_000));
        assert_eq!(ring.sealing(UnixMillis(1)).id, 7);
        let mut late = ring.clone();
        late.forget_old(UnixMillis(u64::MAX));
        assert_eq!(late.sealing(UnixMillis(u64::MAX)).id, 7);
    }

    #[test]
    fn bad_keys_are_refused() {
        let mut ring = KeyRing::new(key(1, 0, 10));
        assert_eq!(ring.add(key(1, 0, 10)), Err(BadKey::SameId));
        assert_eq!(ring.add(key(2, 10, 10)), Err(BadKey::NoSpan));
        for id in 2..=KEYS_MAX as u8 {
            ring.add(key(id, 0, 10)).unwrap();
        }
        assert_eq!(ring.add(key(99, 0, 10)), Err(BadKey::Full));
        assert!(!format!("{ring:?}").contains("secret"));
    }
}
