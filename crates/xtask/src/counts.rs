//! Instruction counts as a ratchet: what sweep, join, tick and packers execute is counted by valgrind and compared with
//! `crates/bench/counts.txt`. Unlike times, counts are the same on a busy machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::steps::{cargo, root, target};

/// Percent that a count may lie above its baseline: what another compiler's patch release does.
const ALLOWED_PERCENT: u64 = 3;
/// What is counted, and rounds of the longer of two runs. The shorter has half as many: the difference holds no start.
const WORK: &[(&str, u64)] = &[
    ("sweep", 40),
    ("join", 4_000),
    ("tick", 60),
    ("ogg", 200),
    ("webm", 200),
    ("mp4", 200),
];

/// Counts and compares; with `accept`, writes what was counted as the new baselines. False when a count is too high.
pub(crate) fn run(accept: bool) -> Result<bool> {
    let mut build = cargo(
        "build --quiet --profile counts -p hustings-bench --no-default-features --bin hustings-counts",
    );
    let built = build
        .current_dir(root())
        .status()
        .context("cargo is missing")?;
    ensure!(built.success(), "the counted program does not build");
    let binary = target().join("counts/hustings-counts");
    let file = root().join("crates/bench/counts.txt");
    let baselines = std::fs::read_to_string(&file).unwrap_or_default();
    let mut counted = String::from(
        "# Instructions a round, counted by `cargo xtask counts`; `cargo xtask counts --accept` writes this file anew.\n",
    );
    let mut good = true;
    for &(name, rounds) in WORK {
        let long = instructions(&binary, name, rounds)?;
        let short = instructions(&binary, name, rounds / 2)?;
        let now = long.saturating_sub(short) / (rounds - rounds / 2);
        writeln!(counted, "{name} = {now}")?;
        good &= judge(name, now, baseline(&baselines, name));
    }
    if accept {
        std::fs::write(&file, counted)?;
        println!("accepted: crates/bench/counts.txt");
        return Ok(true);
    }
    if !good {
        println!(
            "If the work is worth it, say why in the commit and take the new counts: cargo xtask counts --accept"
        );
    }
    Ok(good)
}

fn judge(name: &str, now: u64, baseline: Option<u64>) -> bool {
    let Some(before) = baseline else {
        println!("{name}: {now} instructions a round, and no baseline");
        return false;
    };
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    // In whole numbers, so that exactly the allowed change is good on every machine.
    let good = now * 100 <= before * (100 + ALLOWED_PERCENT);
    let word = if !good {
        "TOO MANY"
    } else if change < -(ALLOWED_PERCENT as f64) {
        "fewer: take the new count, so that it stays"
    } else {
        "as before"
    };
    println!("{name}: {now} instructions a round, baseline {before}, {change:+.2} %: {word}");
    good
}

fn baseline(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .and_then(|(_, count)| count.trim().parse().ok())
}

fn instructions(binary: &Path, name: &str, rounds: u64) -> Result<u64> {
    let out: PathBuf = target().join("counts.out");
    let ran = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no"])
        .arg(format!("--cachegrind-out-file={}", out.display()))
        .arg(binary)
        .args([name, &rounds.to_string()])
        .output()
        .context("valgrind is missing")?;
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    ensure!(ran.status.success(), "{name} under valgrind failed: {told}");
    let text = std::fs::read_to_string(&out).context("valgrind wrote nothing")?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary:"));
    let total = total.context("valgrind gave no sum")?;
    Ok(total.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_the_baseline_fail() {
        let text = "# words\nsweep = 1000\ntick=7\n";
        assert_eq!(baseline(text, "sweep"), Some(1_000));
        assert_eq!(baseline(text, "tick"), Some(7));
        assert_eq!(baseline(text, "ogg"), None);
        assert!(judge("sweep", 1_030, Some(1_000)));
        assert!(!judge("sweep", 1_031, Some(1_000)));
        assert!(judge("sweep", 500, Some(1_000)));
        assert!(!judge("sweep", 1, None));
    }
}
