//! The node's key for its chain: `flight/key`, 64 hex digits, readable by the node's user only; `key.pem` is public.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hustings_evidence::chain::{PublicKey, Tip, Writer};

use crate::api::secrets;

/// Reads the key, or makes one. True: it was made now.
pub(super) fn open(folder: &Path) -> anyhow::Result<([u8; 32], bool)> {
    secrets::make_folder(folder)?;
    let path = folder.join("key");
    if path.exists() {
        return Ok((secrets::read_key(&path)?, false));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|e| anyhow::anyhow!("the system gives no randomness: {e}"))?;
    secrets::write(&path, &secrets::to_hex(&secret))?;
    let public = Writer::new(&secret, Tip::default()).key();
    let pem = folder.join("key.pem");
    std::fs::write(&pem, as_pem(&public))
        .with_context(|| format!("{} cannot be written", pem.display()))?;
    Ok((secret, true))
}

fn as_pem(key: &PublicKey) -> String {
    let mut text = [0; 64];
    // 44 bytes are 60 characters.
    let length = STANDARD.encode_slice(key.der(), &mut text).unwrap_or(0);
    let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}
