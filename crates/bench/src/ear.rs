//! Page to ear, by a real Chromium: `tests/browser/delay.mjs` measures, this reads what it says.

use std::process::Command;

use anyhow::Context as _;

use crate::table::{Bound, Table};

/// Milliseconds of sound in a page: its first sample was mixed so long before the page was cut.
const PAGE_MS: f64 = 100.0;

pub(crate) fn report(table: &mut Table, binary: &str) -> anyhow::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser");
    if !std::path::Path::new(folder).join("node_modules").exists() {
        let arguments = ["ci", "--no-audit", "--no-fund", "--prefix", folder];
        let installed = Command::new("npm").args(arguments).status();
        anyhow::ensure!(
            installed.context("npm is missing")?.success(),
            "the node packages are missing"
        );
    }
    // The browser needs more than the driver's core.
    let ran = Command::new("taskset")
        .args(["-c", "0,1", "node"])
        .arg(format!("{folder}/delay.mjs"))
        .env("HUSTINGS", binary)
        .output()
        .context("node is missing")?;
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    println!("{}", told.trim_end());
    let complaint = String::from_utf8_lossy(&ran.stderr).into_owned();
    anyhow::ensure!(ran.status.success(), "{complaint}");
    let ms = |name: &str| -> anyhow::Result<f64> {
        let value = told
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name));
        Ok(value.with_context(|| format!("no {name}"))?.parse()?)
    };
    let ear = ms("ear_ms=")?;
    table.add(
        "page to ear in Chromium, from the page's cut",
        ear - PAGE_MS,
        "ms",
        Bound::AtMost(500.0),
    );
    table.add(
        "the same from the tick that mixed it",
        ear,
        "ms",
        Bound::Beside,
    );
    Ok(())
}
