//! `cargo xtask bench`: builds the binary as it is shipped and measures it beside bare loops and Icecast in one run.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::steps::{cargo, root, target};

/// Open files of the driver and of each server: both ends of the largest burst, and nothing beyond what machines allow.
const FILES: u32 = 20_000;

/// True when every row could be measured; whether a figure is met stands in its row.
pub(crate) fn run(parts: &[&str]) -> Result<bool> {
    let mut build = cargo("build --release -p hustings-server -p hustings-bench");
    let built = build
        .current_dir(root())
        .status()
        .context("cargo is missing")?;
    if !built.success() {
        return Ok(false);
    }
    let folder = target().join("release");
    // The driver has the second core to itself, as the servers have the first.
    let measured = Command::new("prlimit")
        .arg(format!("--nofile={FILES}"))
        .args(["taskset", "-c", "1"])
        .arg(folder.join("hustings-bench"))
        .arg("measure")
        .arg(folder.join("hustings"))
        .args(parts)
        .status()
        .context("prlimit or taskset (util-linux) is missing")?;
    Ok(measured.success())
}
