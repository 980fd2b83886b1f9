//! Files that only the node's user may read.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;

/// Bytes of a key. HS256 gains nothing from more (RFC 7518 section 3.2 asks for as many as the hash has).
const KEY_BYTES: usize = 32;

pub(crate) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    own_folder(folder)
        .with_context(|| format!("the folder {} cannot be made; choose another with --data, or give this user the right to write there", folder.display()))
}

/// A folder, also one that was there before, that only the node's user may look into.
pub(crate) fn own_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// A file, also one that was there before, that only the node's user may read.
pub(crate) fn own_file(file: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
}

/// Whole or not at all: written beside, synced, then renamed.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // Nothing half-written is left; that it cannot be removed either is told by the first error.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| {
        format!(
            "{} cannot be written; give this user the right to write there",
            path.display()
        )
    })
}

/// A key: 64 hex digits.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let text = read_private(path)?;
    from_hex(text.trim()).with_context(|| {
        format!(
            "the key {} is not made of {} hex digits",
            path.display(),
            KEY_BYTES * 2
        )
    })
}

/// Readable by others is an error, for whoever reads a key can mint any token.
pub(crate) fn read_private(path: &Path) -> anyhow::Result<String> {
    let told = || format!("the key {} cannot be read", path.display());
    let mode = std::fs::metadata(path)
        .with_context(told)?
        .permissions()
        .mode();
    anyhow::ensure!(
        mode & 0o077 == 0,
        "the key {} may be read by others; run `chmod 600 {0}`",
        path.display()
    );
    std::fs::read_to_string(path).with_context(told)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != KEY_BYTES * 2 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}
