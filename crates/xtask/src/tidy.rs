//! Rules about files that neither the compiler nor clippy knows.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::purity;
use crate::steps::root;

/// Lines. Up to this a file needs no reason.
const NORM: usize = 350;
/// Lines. No file is longer.
const END: usize = 800;
/// Lines of one function, from its `fn` to its closing brace.
const FUNCTION: usize = 70;
/// Bytes. What is larger belongs somewhere else.
const FILE_BYTES: u64 = 1_500_000;

/// Files between norm and end, with the length they may have. The numbers only go down.
const NAUGHTY: &[(&str, usize)] = &[
    ("crates/server/src/edge/crowd.rs", 391),
    ("crates/server/src/edge/socket.rs", 391),
];
/// Functions that are too long, with the length they may have. The numbers only go down.
const NAUGHTY_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "core", "common", "utils", "util", "types", "helpers", "misc", "shared",
];
/// Folder, and what its files must not name: the crowd's way must not know what it carries.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "crates/media/src/fanout/",
        &[
            "crate::stage",
            "crate::opus",
            "crate::pack",
            "crate::music",
            "crate::jitter",
        ],
    ),
    (
        "crates/media/src/pack/",
        &["crate::stage", "crate::opus", "crate::music"],
    ),
    ("crates/media/src/stage/", &["crate::fanout"]),
    // The order of a HashMap shows where it is walked; the rest of purity is in `purity`.
    ("crates/media/", &["HashMap"]),
    ("crates/control/", &["HashMap"]),
    ("crates/rehearse/", &["HashMap"]),
];
/// Written in two halves so that this file does not find itself.
const LEFT_OVER: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("FIX", "ME"),
    concat!("db", "g!("),
    concat!("XX", "X:"),
];

/// Prints what is wrong; true when nothing is.
pub(crate) fn run() -> Result<bool> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()?;
    ensure!(
        listed.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for path in String::from_utf8(listed.stdout)?.lines() {
        let Ok(data) = std::fs::metadata(root().join(path)) else {
            continue;
        };
        if data.len() > FILE_BYTES {
            wrong.push(format!("{path}: {} bytes are too many", data.len()));
        }
        if path.ends_with(".rs") {
            let text = std::fs::read_to_string(root().join(path))?;
            wrong.extend(faults(path, &text));
            wrong.extend(purity::source_faults(path, &text));
            seen.push((path.to_owned(), text));
        }
    }
    wrong.extend(stale(&seen));
    wrong.extend(purity::faults()?);
    for line in &wrong {
        println!("{line}");
    }
    Ok(wrong.is_empty())
}

fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: &str| faults.push(format!("{path}:{line}: {what}"));
    if !text.starts_with("//!") {
        fault(
            1,
            "the file does not begin with a line that says what it is for (`//!`)",
        );
    }
    let lines = text.lines().count();
    // A scenario of a test reads best in one piece: only the end holds for it.
    let tests = path.contains("/tests/") || path.ends_with("tests.rs");
    let norm = if tests { END } else { NORM };
    let allowed = NAUGHTY
        .iter()
        .find(|entry| entry.0 == path)
        .map_or(norm, |entry| entry.1.min(END));
    if lines > allowed {
        fault(lines, &format!("{lines} lines, {allowed} are allowed"));
    }
    if Path::new(path).components().any(|part| {
        let name = Path::new(part.as_os_str()).file_stem().unwrap_or_default();
        EMPTY_NAMES.iter().any(|empty| name == *empty)
    }) {
        fault(1, "a name that says nothing of what is inside");
    }
    let tests_from = text.lines().position(|line| line == "#[cfg(test)]");
    for (at, line) in text.lines().enumerate() {
        for word in LEFT_OVER.iter().filter(|word| line.contains(**word)) {
            fault(at + 1, &format!("left over: {word}"));
        }
        // Tests may use the machine.
        if tests || tests_from.is_some_and(|from| at >= from) {
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        for (folder, names) in FORBIDDEN
            .iter()
            .filter(|(folder, _)| path.starts_with(folder))
        {
            for name in names.iter().filter(|name| code.contains(**name)) {
                fault(at + 1, &format!("{folder} must not name {name}"));
            }
        }
    }
    for (at, name, length) in long_functions(text).into_iter().filter(|_| !tests) {
        let entry = NAUGHTY_FUNCTIONS
            .iter()
            .find(|entry| entry.0 == path && entry.1 == name);
        if entry.is_none_or(|entry| length > entry.2) {
            fault(
                at,
                &format!(
                    "fn {name} has {length} lines, {} are allowed",
                    entry.map_or(FUNCTION, |entry| entry.2)
                ),
            );
        }
    }
    faults
}

/// Entries of the naughty lists that are no longer needed: they would let a file grow again.
fn stale(seen: &[(String, String)]) -> Vec<String> {
    let text_of = |path: &str| {
        seen.iter()
            .find(|entry| entry.0 == path)
            .map_or("", |entry| entry.1.as_str())
    };
    let files = NAUGHTY
        .iter()
        .filter(|(path, _)| text_of(path).lines().count() <= NORM)
        .map(|(path, _)| {
            format!("{path}: fits now; take it from the naughty list in crates/xtask/src/tidy.rs")
        });
    let functions = NAUGHTY_FUNCTIONS
        .iter()
        .filter(|(path, name, _)| {
            !long_functions(text_of(path))
                .iter()
                .any(|long| long.1 == *name)
        })
        .map(|(path, name, _)| {
            format!("{path}: fn {name} fits now; take it from the naughty list")
        });
    files.chain(functions).collect()
}

/// Line, name and length of functions above the limit. rustfmt puts the closing brace under the line that opens.
fn long_functions(text: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = function_name(code) else {
            continue;
        };
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[at..]
            .iter()
            .position(|line| *line == end)
            .map_or(0, |to| to + 1);
        if length > FUNCTION {
            long.push((at + 1, name, length));
        }
    }
    long
}

fn function_name(code: &str) -> Option<&str> {
    if code.ends_with('}') || code.ends_with(';') {
        return None;
    }
    let mut rest = code;
    if let Some(public) = rest.strip_prefix("pub") {
        rest = public
            .strip_prefix('(')
            .map_or(public, |scoped| {
                scoped.split_once(')').map_or(scoped, |(_, rest)| rest)
            })
            .trim_start();
    }
    for word in ["const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> String {
        let faults = faults(path, text);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    }

    #[test]
    fn each_rule_finds_its_fault() {
        assert!(faults("crates/media/src/ring.rs", "//! A ring.\n").is_empty());
        assert!(one("a.rs", "fn a() {}\n").contains("//!"));
        assert!(one("a.rs", &format!("//! A.\n{}", "\n".repeat(NORM))).contains("351 lines"));
        assert!(one("crates/common/src/lib.rs", "//! A.\n").contains("says nothing"));
        assert!(one("a.rs", concat!("//! A.\nfn a() { to", "do!() }\n")).contains("left over"));
        assert!(
            one(
                "crates/media/src/fanout/lag.rs",
                "//! A.\nuse crate::stage::Mix;\n"
            )
            .contains("must not name")
        );
        assert!(
            faults(
                "crates/media/src/fanout/lag.rs",
                "//! A.\n// unlike crate::stage\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn long_functions_are_found_and_short_ones_are_not() {
        let body = "        step();\n".repeat(FUNCTION);
        let text = format!(
            "//! A.\nimpl A {{\n    pub(crate) async fn long(&self) {{\n{body}    }}\n\n    fn short() {{}}\n}}\n"
        );
        assert_eq!(long_functions(&text), [(3, "long", FUNCTION + 2)]);
    }
}
