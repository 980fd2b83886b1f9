//! Everything a change must pass, from a fresh clone on a Debian machine with a Rust toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::counts;
use crate::steps::{Steps, cargo, root, target};
use crate::tidy;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Everything,
    WithoutBrowsers,
}

/// Command that shows it is there, and the Debian package that brings it.
const TOOLS: &[(&str, &str)] = &[
    ("ffmpeg", "ffmpeg"),
    ("curl", "curl"),
    ("opusenc", "opus-tools"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("valgrind", "valgrind"),
    ("faketime", "faketime"),
    ("promtool", "prometheus"),
];
const BROWSER_TOOLS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("pulseaudio", "pulseaudio"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("icecast2", "icecast2"),
    ("nginx", "nginx-light"),
];

/// Files of `tests/browser` that are suites, in the order they run: each has a server of its own.
const BROWSER_SUITES: &[&str] = &[
    "evening", "rooms", "studio", "pages", "secure", "look", "speakers", "relay", "cadence",
    "line", "doors", "board",
];

/// False when anything failed. All steps run, so that one look shows all that is wrong.
pub(crate) fn run(extent: Extent) -> Result<bool> {
    let browsers = extent == Extent::Everything;
    let mut steps = Steps::default();
    steps.check("tools", || install(browsers));
    steps.check("tidy", tidy::run);
    steps.command("format", &mut cargo("fmt --all --check"));
    steps.command(
        "clippy",
        &mut cargo("clippy --quiet --workspace --all-targets -- -D warnings"),
    );
    if can_build_for_wasm() {
        steps.command(
            "planes without a machine",
            &mut cargo("check --quiet --target wasm32-unknown-unknown --package hustings-media --package hustings-control --package hustings-evidence --package hustings-rehearse"),
        );
    } else {
        println!(
            "the target {WASM} is not to be had here; tidy alone shows that the planes touch no machine"
        );
    }
    if there("cargo-nextest") {
        steps.command(
            "tests",
            &mut cargo("nextest run --workspace --no-fail-fast"),
        );
    } else {
        steps.command(
            "tests",
            &mut cargo("test --workspace --lib --bins --tests --no-fail-fast --quiet"),
        );
    }
    steps.command("doc tests", &mut cargo("test --workspace --doc --quiet"));
    steps.check("instruction counts", || counts::run(false));
    if browsers {
        let folder = root().join("tests/browser");
        steps.command(
            "build",
            &mut cargo("build --quiet --package hustings-server"),
        );
        steps.command(
            "node packages",
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--prefix"])
                .arg(&folder),
        );
        for suite in BROWSER_SUITES {
            steps.command(
                &format!("browsers: {suite}"),
                Command::new("node")
                    .arg(folder.join(suite).with_extension("mjs"))
                    .env("HUSTINGS", target().join("debug/hustings"))
                    .env("SHOTS", target().join("shots")),
            );
        }
    }
    Ok(steps.finish())
}

/// Installs what is missing, and only that: a machine that has everything needs no network here.
fn install(browsers: bool) -> Result<bool> {
    let wanted = TOOLS
        .iter()
        .chain(if browsers { BROWSER_TOOLS } else { &[] });
    let missing: Vec<&str> = wanted
        .filter(|(command, _)| !there(command))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(true);
    }
    println!("installing {}", missing.join(" "));
    for arguments in [
        vec!["update"],
        [
            vec!["install", "--yes", "--no-install-recommends"],
            missing.clone(),
        ]
        .concat(),
    ] {
        let apt = Command::new("apt-get")
            .arg("--quiet")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status();
        if !apt.is_ok_and(|status| status.success()) {
            bail!(
                "these packages are missing and could not be installed; as root: apt-get install {}",
                missing.join(" ")
            );
        }
    }
    Ok(true)
}

/// A machine without files, sockets, threads or clocks: what builds for it has no crate that needs one.
const WASM: &str = "wasm32-unknown-unknown";

fn can_build_for_wasm() -> bool {
    let rustup = |arguments: &[&str]| Command::new("rustup").args(arguments).output();
    let installed = rustup(&["target", "list", "--installed"])
        .is_ok_and(|listed| String::from_utf8_lossy(&listed.stdout).contains(WASM));
    installed || rustup(&["target", "add", WASM]).is_ok_and(|added| added.status.success())
}

/// Servers live in sbin, which is not on everybody's path.
fn there(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/usr/local/sbin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(sbin)
        .any(|folder| Path::new(&folder).join(command).is_file())
}
