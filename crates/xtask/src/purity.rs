//! The planes touch no machine: no file, socket, thread, clock, environment or randomness. Shown three ways: by the crates
//! they are built from, by what clippy forbids in them, and by what their sources name.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::steps::root;

/// The crates of the planes.
const PLANES: [&str; 4] = ["media", "control", "evidence", "rehearse"];

/// All that the planes are built from, but for macros that only run in the compiler. Who adds a crate looks first whether
/// it computes or touches the machine, and names it here.
const PURE: &[&str] = &[
    "arrayvec",
    "audio-codec-algorithms",
    "audioadapter",
    "audioadapter-buffers",
    "audioadapter-sample",
    "base64",
    "bitflags",
    "blake3",
    "block-buffer",
    "bytemuck",
    "byteorder",
    "bytes",
    "cfg-if",
    "constant_time_eq",
    "cpufeatures",
    "crypto-common",
    "curve25519-dalek",
    "derive_more",
    "digest",
    "ed25519",
    "ed25519-dalek",
    "extended",
    "hustings-control",
    "hustings-evidence",
    "hustings-media",
    "hustings-rehearse",
    "hybrid-array",
    "itoa",
    "lazy_static",
    "log",
    "memchr",
    "mp4-atom",
    "num",
    "num-bigint",
    "num-complex",
    "num-integer",
    "num-iter",
    "num-rational",
    "num-traits",
    "ogg",
    "once_cell",
    "opus-pure",
    "pin-project-lite",
    "primal-check",
    "realfft",
    "regex-lite",
    "rubato",
    "rustfft",
    "serde",
    "serde_core",
    "serde_json",
    "serde_spanned",
    "sha2",
    "signature",
    "smallvec",
    "strength_reduce",
    "subtle",
    "symphonia",
    "symphonia-bundle-flac",
    "symphonia-bundle-mp3",
    "symphonia-codec-pcm",
    "symphonia-codec-vorbis",
    "symphonia-common",
    "symphonia-core",
    "symphonia-format-ogg",
    "symphonia-format-riff",
    "symphonia-metadata",
    "thiserror",
    "toml",
    "toml_datetime",
    "toml_parser",
    "tracing",
    "tracing-core",
    "transpose",
    "typenum",
    "windowfunctions",
    "winnow",
    "zmij",
];

/// What each plane's clippy.toml must forbid: one of each way to the machine, so that none is forgotten.
const CLIPPY: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::env::var",
    "std::env::var_os",
    "std::env::args",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::fs::OpenOptions::open",
    "std::net::TcpStream::connect",
    "std::net::TcpListener::bind",
    "std::net::UdpSocket::bind",
    "std::process::Command::new",
    "std::process::exit",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::hash::RandomState::new",
];

/// What no source of a plane names outside its tests. Clippy sees calls; this sees the rest.
const NAMES: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "std::os",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "Instant",
    "SystemTime",
    "RandomState",
    "println!",
    "tokio",
];
/// The same modules in a grouped `use std::{…}`.
const MODULES: &[&str] = &["fs", "net", "thread", "env", "process", "os"];

/// What is wrong, a line each.
pub(crate) fn faults() -> Result<Vec<String>> {
    let mut faults = closure_faults(&closure()?);
    for plane in PLANES {
        let path = format!("crates/{plane}/clippy.toml");
        let text = std::fs::read_to_string(root().join(&path))?;
        faults.extend(clippy_faults(&path, &text));
    }
    Ok(faults)
}

/// What a plane's source must not name; `None` for files that are no plane's, or only tests.
pub(crate) fn source_faults(path: &str, text: &str) -> Vec<String> {
    let of_a_plane = PLANES
        .iter()
        .any(|plane| path.starts_with(&format!("crates/{plane}/src/")));
    if !of_a_plane || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let code: Vec<&str> = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let mut faults = Vec::new();
    for (at, line) in code.iter().enumerate() {
        for name in NAMES.iter().filter(|name| is_named(line, name)) {
            faults.push(format!("{path}:{}: a plane must not name {name}", at + 1));
        }
    }
    let dense: String = code.concat().split_whitespace().collect();
    for group in dense.split("std::{").skip(1) {
        for module in top_level(group).filter(|module| MODULES.contains(module)) {
            faults.push(format!("{path}:1: a plane must not name std::{module}"));
        }
    }
    faults
}

/// Whether `name` stands in the line as a word, not as part of a longer one.
fn is_named(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

/// First segments of a group's members, up to its closing brace.
fn top_level(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let mut end = group.len();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = at;
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    let mut depth = 0_i32;
    group[..end]
        .split(move |c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(|member| member.split("::").next().unwrap_or_default())
}

fn closure() -> Result<BTreeSet<String>> {
    let mut tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tree.arg("tree").current_dir(root());
    for plane in PLANES {
        tree.args(["--package", &format!("hustings-{plane}")]);
    }
    let listed = tree
        .args(["--edges", "normal,no-proc-macro", "--prefix", "none"])
        .output()?;
    ensure!(
        listed.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout)?;
    Ok(names
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect())
}

fn closure_faults(closure: &BTreeSet<String>) -> Vec<String> {
    let unknown = closure
        .iter()
        .filter(|name| !PURE.contains(&name.as_str()))
        .map(|name| {
            format!(
                "the planes are now built from {name}: if it touches no machine, name it in crates/xtask/src/purity.rs"
            )
        });
    let gone = PURE
        .iter()
        .filter(|name| !closure.contains(**name))
        .map(|name| {
            format!("no plane is built from {name} now; take it from crates/xtask/src/purity.rs")
        });
    unknown.chain(gone).collect()
}

fn clippy_faults(path: &str, text: &str) -> Vec<String> {
    CLIPPY
        .iter()
        .filter(|name| !text.contains(&format!("path = \"{name}\"")))
        .map(|name| format!("{path}: {name} is not forbidden"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_the_machine_is_found() {
        let of = |code: &str| source_faults("crates/media/src/ring.rs", code);
        for bad in [
            "use std::fs;",
            "let t = Instant::now();",
            "use std::{cmp, fs::File, io};",
            "use std::{\n    io::{self, Read},\n    net,\n};",
            "std::io::stdin();",
            "eprintln!(\"x\"); println!();",
        ] {
            assert_eq!(of(bad).len(), 1, "{bad}: {:?}", of(bad));
        }
        for good in [
            "// unlike std::fs",
            "use std::{io::{self, Cursor}, sync::Arc};",
            "struct InstantReplay;",
            "#[cfg(test)]\nuse std::fs;",
            "use std::io::IoSlice;",
        ] {
            assert!(of(good).is_empty(), "{good}: {:?}", of(good));
        }
        assert!(source_faults("crates/server/src/node.rs", "use std::fs;").is_empty());
    }

    #[test]
    fn a_crate_that_nobody_has_looked_at_is_found() {
        let mut closure: BTreeSet<String> = PURE.iter().map(|name| (*name).to_owned()).collect();
        assert!(closure_faults(&closure).is_empty());
        closure.insert("tokio".to_owned());
        closure.remove("rubato");
        let faults = closure_faults(&closure);
        assert!(faults.len() == 2 && faults[0].contains("tokio") && faults[1].contains("rubato"));
        assert_eq!(clippy_faults("a", "").len(), CLIPPY.len());
    }
}
