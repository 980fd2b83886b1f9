//! Steps in a row: each is named and timed, its output passes through, and what its tests say is counted.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

/// The workspace's folder, wherever cargo was called from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

pub(crate) fn cargo(arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.split_whitespace());
    command
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// What all steps so far have come to.
#[derive(Default)]
pub(crate) struct Steps {
    total: Count,
    failed: Vec<String>,
}

impl Steps {
    /// A step of our own; it counts as one test.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<bool>) {
        let started = begin(name);
        let passed = check().unwrap_or_else(|error| {
            println!("{error:#}");
            false
        });
        let count = Count {
            passed: passed.into(),
            failed: (!passed).into(),
        };
        self.end(name, started, count);
    }

    /// A command. What its output says of tests is counted; a command without tests counts as one.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        let started = begin(name);
        let (passed, mut count) = stream(command.current_dir(root())).unwrap_or_else(|error| {
            println!("{error:#}");
            (false, Count::default())
        });
        if passed && count == Count::default() {
            count.passed = 1;
        }
        // A runner that fails before or beside its tests must not look like success.
        if !passed && count.failed == 0 {
            count.failed = 1;
        }
        self.end(name, started, count);
    }

    /// The last line; true when nothing failed.
    pub(crate) fn finish(self) -> bool {
        for name in &self.failed {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.total.passed, self.total.failed);
        self.total.failed == 0
    }

    fn end(&mut self, name: &str, started: Instant, count: Count) {
        self.total.passed += count.passed;
        self.total.failed += count.failed;
        if count.failed > 0 {
            self.failed.push(name.to_owned());
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "==> {name}: {} passed, {} failed, {seconds:.1} s",
            count.passed, count.failed
        );
    }
}

fn begin(name: &str) -> Instant {
    println!("==> {name}");
    Instant::now()
}

/// Runs the command with both outputs in one, passes them through, and counts.
fn stream(command: &mut Command) -> Result<(bool, Count)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    // The command keeps the pipe's other end; without this the reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut count = Count::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        let told = count_in(&line);
        count.passed += told.passed;
        count.failed += told.failed;
    }
    Ok((child.wait()?.success(), count))
}

/// What one line of a test runner says: the summaries of nextest and cargo test, and our browser tests' lines.
fn count_in(line: &str) -> Count {
    let line = line.trim();
    if line.starts_with("test result:") || line.starts_with("Summary [") {
        return Count {
            passed: number_before(line, "passed"),
            failed: number_before(line, "failed") + number_before(line, "timed out"),
        };
    }
    Count {
        passed: line.starts_with("ok - ").into(),
        failed: line.starts_with("not ok - ").into(),
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line.find(&format!(" {word}")).map_or("", |at| &line[..at]);
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_all_runners_are_counted() {
        let of = |line| {
            let Count { passed, failed } = count_in(line);
            (passed, failed)
        };
        assert_eq!(
            of("test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured"),
            (12, 3)
        );
        assert_eq!(
            of(
                "     Summary [  41.2s] 30 tests run: 27 passed (2 slow), 2 failed, 1 timed out, 4 skipped"
            ),
            (27, 3)
        );
        assert_eq!(
            of("     Summary [   0.2s] 3 tests run: 3 passed, 0 skipped"),
            (3, 0)
        );
        assert_eq!(of("ok - the page plays (2.1 s)"), (1, 0));
        assert_eq!(of("not ok - the page plays"), (0, 1));
        assert_eq!(of("running 3 tests"), (0, 0));
    }
}
