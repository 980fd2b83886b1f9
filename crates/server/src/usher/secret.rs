//! The secrets of the door: the salt that prefixes are hashed under, and the keys that tokens are sealed with. In one file
//! that only the node's user may read. A key is known a minute before it seals, and checks until the last ticket that it
//! sealed has run out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hustings_control::gate::{Key, KeyRing, Salt};
use hustings_control::ids::UnixMillis;

use super::limits::{KEY_AHEAD_MS, KEY_CHECKS_MS, KEY_SEALS_MS};
use super::random;
use crate::api::secrets;

#[derive(serde::Serialize, serde::Deserialize)]
struct KeptKey {
    id: u8,
    secret: String,
    seals_from: u64,
    checks_until: u64,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct File {
    salt: [u64; 2],
    keys: Vec<KeptKey>,
}

pub(super) struct Secret {
    path: Option<PathBuf>,
    salt: [u64; 2],
    keys: Vec<Key>,
}

impl Secret {
    /// For one run only.
    pub(super) fn fresh(wall: UnixMillis) -> anyhow::Result<Self> {
        let [a, b] = [random::<8>()?, random::<8>()?].map(u64::from_le_bytes);
        // From the beginning of time, so that a clock that steps back still finds it.
        let first = new_key(1, UnixMillis(0), wall)?;
        Ok(Self {
            path: None,
            salt: [a, b],
            keys: vec![first],
        })
    }

    /// Reads `door/secret.json` under the data folder, or makes it.
    pub(super) fn open(data: &Path, wall: UnixMillis) -> anyhow::Result<Self> {
        let folder = data.join("door");
        secrets::make_folder(&folder)?;
        let path = folder.join("secret.json");
        if !path.exists() {
            let mut secret = Self::fresh(wall)?;
            secret.path = Some(path);
            secret.write()?;
            return Ok(secret);
        }
        let text = secrets::read_private(&path)?;
        let file: File = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not as this version writes it; move it away to begin anew (tickets that are out then are worth nothing)",
                path.display()
            )
        })?;
        let keys = file.keys.iter().map(read_key).collect::<Option<Vec<_>>>();
        let keys = keys
            .filter(|keys| !keys.is_empty())
            .with_context(|| format!("{} holds no good key", path.display()))?;
        Ok(Self {
            path: Some(path),
            salt: file.salt,
            keys,
        })
    }

    pub(super) fn salt(&self) -> Salt {
        Salt(self.salt)
    }

    pub(super) fn ring(&self) -> anyhow::Result<KeyRing> {
        let mut keys = self.keys.iter();
        let first = keys.next().context("the door has no key")?;
        let mut ring = KeyRing::new(*first);
        for key in keys {
            ring.add(*key)?;
        }
        Ok(ring)
    }

    /// Makes the next key when it is time, and forgets what checks nothing any more. Gives the ring when it has changed;
    /// a ring is only used once it is on the disk.
    pub(super) fn rotate(&mut self, wall: UnixMillis) -> anyhow::Result<Option<KeyRing>> {
        let newest = self.keys.iter().max_by_key(|key| key.checks_until);
        let newest = *newest.context("the door has no key")?;
        let made = newest.checks_until.0.saturating_sub(KEY_CHECKS_MS);
        if wall.0 < made.saturating_add(KEY_SEALS_MS) {
            return Ok(None);
        }
        let kept: Vec<Key> = self
            .keys
            .iter()
            .filter(|key| key.checks_until >= wall)
            .copied()
            .collect();
        let free = (1..=u8::MAX)
            .map(|step| newest.id.wrapping_add(step))
            .find(|id| kept.iter().all(|key| key.id != *id));
        let next = new_key(
            free.context("no key's id is free")?,
            UnixMillis(wall.0 + KEY_AHEAD_MS),
            wall,
        )?;
        let before = std::mem::replace(&mut self.keys, kept);
        self.keys.push(next);
        if let Err(error) = self.write() {
            self.keys = before;
            return Err(error);
        }
        self.ring().map(Some)
    }

    fn write(&self) -> anyhow::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let keys = self.keys.iter().map(|key| KeptKey {
            id: key.id,
            secret: secrets::to_hex(&key.secret),
            seals_from: key.seals_from.0,
            checks_until: key.checks_until.0,
        });
        let file = File {
            salt: self.salt,
            keys: keys.collect(),
        };
        secrets::write(path, &serde_json::to_string(&file)?)
    }
}

fn new_key(id: u8, seals_from: UnixMillis, wall: UnixMillis) -> anyhow::Result<Key> {
    Ok(Key {
        id,
        secret: random()?,
        seals_from,
        checks_until: UnixMillis(wall.0.saturating_add(KEY_CHECKS_MS)),
    })
}

fn read_key(kept: &KeptKey) -> Option<Key> {
    Some(Key {
        id: kept.id,
        secret: secrets::from_hex(&kept.secret)?,
        seals_from: UnixMillis(kept.seals_from),
        checks_until: UnixMillis(kept.checks_until),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use hustings_control::gate::{DoorEpoch, invitation};
    use hustings_control::ids::SpaceId;

    use super::*;

    fn sealed(ring: &KeyRing, at: u64) -> Vec<u8> {
        let space = SpaceId::parse("town-hall").unwrap();
        let (wall, until) = (UnixMillis(at), UnixMillis(at + 1_000));
        invitation(&space, DoorEpoch(1), ring, 7, wall, until)
            .as_bytes()
            .to_vec()
    }

    #[test]
    fn keys_are_read_again_and_rotate_with_overlap() {
        let data = tempfile::tempdir().unwrap();
        let wall = 1_900_000_000_000;
        let mut secret = Secret::open(data.path(), UnixMillis(wall)).unwrap();
        let path = data.path().join("door/secret.json");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Secret::open(data.path(), UnixMillis(wall)).unwrap();
        assert_eq!(again.salt, secret.salt);
        let before = sealed(&secret.ring().unwrap(), wall);
        assert_eq!(before, sealed(&again.ring().unwrap(), wall));
        assert!(
            secret
                .rotate(UnixMillis(wall + KEY_SEALS_MS - 1))
                .unwrap()
                .is_none()
        );
        let due = wall + KEY_SEALS_MS;
        let ring = secret.rotate(UnixMillis(due)).unwrap().expect("a new key");
        let old = again.ring().unwrap();
        assert_eq!(sealed(&ring, due), sealed(&old, due), "not yet");
        assert_ne!(
            sealed(&ring, due + KEY_AHEAD_MS),
            sealed(&old, due + KEY_AHEAD_MS)
        );
        let mut at = due;
        for _ in 0..20 {
            at += KEY_SEALS_MS;
            assert!(secret.rotate(UnixMillis(at)).unwrap().is_some());
            assert!(secret.keys.len() <= 6, "{}", secret.keys.len());
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let data = tempfile::tempdir().unwrap();
        Secret::open(data.path(), UnixMillis(1)).unwrap();
        let path = data.path().join("door/secret.json");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Secret::open(data.path(), UnixMillis(1))
            .err()
            .expect("refused");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
