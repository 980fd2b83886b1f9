//! `cargo xtask bench`: builds the binary as it is shipped and measures it beside a bare loop and Icecast in one run.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// True when every figure could be measured; the figures themselves pass no judgement.
pub(crate) fn run() -> anyhow::Result<bool> {
    let packages = ["-p", "hustings-server", "-p", "hustings-bench"];
    let built = Command::new("cargo")
        .args(["build", "--release"])
        .args(packages)
        .status()
        .context("cargo is missing")?;
    if !built.success() {
        return Ok(false);
    }
    let folder = Path::new("target/release");
    // The driver has the second core to itself, as the servers have the first.
    let measured = Command::new("taskset")
        .args(["-c", "1"])
        .arg(folder.join("hustings-bench"))
        .arg("all")
        .arg(folder.join("hustings"))
        .status()
        .context("taskset (util-linux) is missing")?;
    Ok(measured.success())
}
