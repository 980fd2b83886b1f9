//! From a file's text to a scenario. All that is wrong is told, each with its line and its key.

use std::fmt;
use std::ops::Range;

use toml::de::DeTable;

use super::check::check;
use super::file::File;
use super::good;
use super::place::{deepest, span_of};
use crate::limits::FILE_BYTES_MAX;

/// Faults that are told of one file: whoever has more has taken another file.
const FAULTS_MAX: usize = 10;

/// What is wrong with a file, by lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadFile {
    /// One at least, `FAULTS_MAX` at most.
    pub faults: Vec<BadLine>,
    /// There are more, or may be: what is wrong with these hides the rest.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, `{key}`: {why}")]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    /// As in `attack[1].factor`, lists counted from 1.
    pub key: String,
    pub why: String,
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, number) in self.faults.iter().zip(0..) {
            write!(f, "{}{fault}", if number == 0 { "" } else { "\n" })?;
        }
        if self.more {
            f.write_str("\nand perhaps more: these hide what else there is")?;
        }
        Ok(())
    }
}

impl File {
    /// # Errors
    /// When it is no TOML, has a key that there is not, lacks one, or a value makes no sense: all of these that can be told.
    pub fn read(text: &str) -> Result<Self, BadFile> {
        let one = |fault| BadFile {
            faults: vec![fault],
            more: false,
        };
        if text.len() > FILE_BYTES_MAX {
            return Err(one(BadLine {
                line: 1,
                key: "file".into(),
                why: format!("a scenario has {FILE_BYTES_MAX} bytes at most"),
            }));
        }
        let (_, broken) = DeTable::parse_recoverable(text);
        if !broken.is_empty() {
            let faults = broken.iter().take(FAULTS_MAX);
            return Err(BadFile {
                faults: faults.map(|error| of_toml(text, error).0).collect(),
                more: true,
            });
        }
        let first = match read_once(text) {
            Ok(file) => return Ok(file),
            Err(first) => first,
        };
        Err(all_faults(text, first))
    }
}

/// The first fault, and the place of what is wrong.
fn read_once(text: &str) -> Result<File, (BadLine, Range<usize>)> {
    let file: File = toml::from_str(text).map_err(|error| of_toml(text, &error))?;
    check(&file).map_err(|fault| {
        let span = span_of(text, &fault.key);
        (at(text, &span, fault.key, fault.why), span)
    })?;
    Ok(file)
}

/// What is wrong is put right, or taken away, line by line, to see what else there is. Lines stay where they are.
fn all_faults(text: &str, first: (BadLine, Range<usize>)) -> BadFile {
    let (mut text, mut faults) = (text.to_owned(), Vec::<BadLine>::new());
    let (mut fault, mut span) = first;
    loop {
        // The same once more, or what is missing only since it was taken away, is none of the file's.
        let known = faults.iter().any(|one| one.key == fault.key);
        let ours = fault.why.starts_with("missing field")
            && faults.iter().any(|one| within_key(&one.key, &fault.key));
        if known || ours {
            return BadFile { faults, more: true };
        }
        let key = fault.key.clone();
        faults.push(fault);
        if faults.len() == FAULTS_MAX || !mend(&mut text, &key, &span) {
            return BadFile { faults, more: true };
        }
        match read_once(&text) {
            Ok(_) => {
                return BadFile {
                    faults,
                    more: false,
                };
            }
            Err(next) => (fault, span) = next,
        }
    }
}

fn within_key(key: &str, table: &str) -> bool {
    table == "file"
        || key
            .strip_prefix(table)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// Puts a value in place of one that is wrong that is never wrong there; where there is none the key is taken away, or what it
/// stands in. False when there is nothing to be done about it.
fn mend(text: &mut String, key: &str, span: &Range<usize>) -> bool {
    let mut key = key;
    loop {
        let whole = span_of(text, key);
        let Some(wrong) = text.get(whole.clone()).filter(|wrong| !wrong.is_empty()) else {
            return false;
        };
        // A table's own fault is what it lacks.
        if wrong.starts_with('[') || whole.start > span.start || span.end > whole.end {
            return false;
        }
        let lines = "\n".repeat(wrong.matches('\n').count());
        let name = key.rsplit('.').next().unwrap_or(key);
        let right = good::value(key).map(|value| format!("{name} = {value}"));
        let mut mended = text.clone();
        mended.replace_range(whole, &(right.unwrap_or_default() + &lines));
        if DeTable::parse(&mended).is_ok() {
            *text = mended;
            return true;
        }
        let Some((outer, _)) = key.rsplit_once(['.', '[']) else {
            return false;
        };
        key = outer;
    }
}

fn of_toml(text: &str, error: &toml::de::Error) -> (BadLine, Range<usize>) {
    let span = error.span().unwrap_or_default();
    let why = error.message().lines().next().unwrap_or("no TOML");
    let table = DeTable::parse(text);
    let key = table.map_or(String::new(), |table| {
        let mut best = (usize::MAX, String::new());
        deepest(table.get_ref(), &span, String::new(), &mut best);
        best.1
    });
    let key = if key.is_empty() { "file".into() } else { key };
    (at(text, &span, key, why.to_owned()), span)
}

fn at(text: &str, span: &Range<usize>, key: String, why: String) -> BadLine {
    let before = text.get(..span.start).unwrap_or(text);
    BadLine {
        line: before.matches('\n').count() + 1,
        key,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"name = "a-night"
about = "To be spoilt."
label = ["flash-crowd"]
minutes = 4
seats = 200
[[space]]
id = "town-hall"
[[crowd]]
people = { from = 100, to = 200 }
curve = [[0.5, 0.2], [1.0, 1.0]]
mix = { page = 3, phone = 1 }
[[attack]]
kind = "flood"
factor = { seen = { from = 1, to = 2 }, unseen = { from = 3, to = 4 } }
[[trouble.node-restart]]
at_s = 60
down_s = 3
"#;

    fn fault(from: &str, to: &str) -> BadLine {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replace(from, to);
        File::read(&text).expect_err(to).faults.remove(0)
    }

    #[test]
    fn nonsense_is_told_with_its_line_and_key() {
        File::read(GOOD).expect("a scenario");
        for (from, to, line, key) in [
            ("minutes = 4", "minutes = \"four\"", 4, "minutes"),
            ("minutes = 4", "minutes = 4000", 4, "minutes"),
            ("seats = 200", "seats = 200\nsets = 1", 6, "sets"),
            ("seats = 200", "seats = 3", 5, "seats"),
            ("\"flash-crowd\"", "\"crowd\"", 3, "label"),
            ("[\"flash-crowd\"]", "[]", 3, "label"),
            ("id = \"town-hall\"", "id = \"Town Hall\"", 7, "space[1].id"),
            ("from = 100", "from = 1000", 9, "crowd[1].people"),
            ("[0.5, 0.2]", "[0.5, 1.2]", 10, "crowd[1].curve"),
            ("page = 3", "pages = 3", 11, "crowd[1].mix.pages"),
            ("page = 3", "flood = 3", 11, "crowd[1].mix.flood"),
            ("kind = \"flood\"", "kind = \"page\"", 13, "attack[1].kind"),
            (
                "kind = \"flood\"",
                "kind = \"floods\"",
                13,
                "attack[1].kind",
            ),
            ("to = 4 }", "to = 400 }", 14, "attack[1].factor"),
            ("down_s = 3", "down = 3", 17, "trouble.node-restart[1].down"),
            ("down_s = 3", "", 15, "trouble.node-restart[1]"),
            (
                "down_s = 3",
                "down_s = -1",
                17,
                "trouble.node-restart[1].down_s",
            ),
            ("node-restart", "node-restarts", 15, "trouble.node-restarts"),
            ("[[attack]]", "[[attack", 12, "file"),
        ] {
            let fault = fault(from, to);
            assert_eq!((fault.line, fault.key.as_str()), (line, key), "{fault}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_line_and_key() {
        let spoilt = GOOD
            .replace("minutes = 4", "minutes = \"four\"")
            .replace("seats = 200", "seats = 3\nsets = 1")
            .replace("[0.5, 0.2]", "[0.5, 1.2]")
            .replace("page = 3", "pages = 3")
            .replace("down_s = 3", "down_s = -1");
        let bad = File::read(&spoilt).expect_err("spoilt");
        let mut told: Vec<(usize, &str)> = bad
            .faults
            .iter()
            .map(|one| (one.line, one.key.as_str()))
            .collect();
        told.sort_unstable();
        let wrong = [
            (4, "minutes"),
            (5, "seats"),
            (6, "sets"),
            (11, "crowd[1].curve"),
            (12, "crowd[1].mix.pages"),
            (18, "trouble.node-restart[1].down_s"),
        ];
        assert_eq!((told.as_slice(), bad.more), (&wrong[..], false), "{bad}");
        assert_eq!(bad.to_string().lines().count(), wrong.len());
    }

    #[test]
    fn no_more_faults_are_told_than_somebody_reads() {
        let lines: String = (0..200)
            .map(|number| format!("key{number} = 1\n"))
            .collect();
        let bad = File::read(&(lines + GOOD)).expect_err("spoilt");
        assert_eq!((bad.faults.len(), bad.more), (FAULTS_MAX, true));
        assert!(bad.to_string().contains("perhaps more"), "{bad}");
    }

    #[test]
    fn a_space_that_is_not_there_and_one_that_is_there_twice_are_found() {
        let fault = fault("curve", "space = \"elsewhere\"\ncurve");
        assert_eq!(fault.key, "crowd[1].space", "{fault}");
        let two = "[[space]]\nid = \"town-hall\"\n[[space]]\nid = \"town-hall\"";
        let fault = super::tests::fault("[[space]]\nid = \"town-hall\"", two);
        assert_eq!(fault.key, "space[2].id", "{fault}");
        assert_eq!(fault.line, 9);
    }
}
