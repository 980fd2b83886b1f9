//! From a file's text to a scenario. Whatever is wrong is told with its line and its key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::check;
use super::file::File;
use crate::limits::FILE_BYTES_MAX;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, `{key}`: {why}")]
pub struct BadFile {
    /// From 1.
    pub line: usize,
    /// As in `attack[1].factor`, lists counted from 1.
    pub key: String,
    pub why: String,
}

impl File {
    /// # Errors
    /// When it is no TOML, has a key that there is not, lacks one, or a value makes no sense: the first fault.
    pub fn read(text: &str) -> Result<Self, BadFile> {
        if text.len() > FILE_BYTES_MAX {
            return Err(BadFile {
                line: 1,
                key: "file".into(),
                why: format!("a scenario has {FILE_BYTES_MAX} bytes at most"),
            });
        }
        let file: Self = toml::from_str(text).map_err(|error| of_toml(text, &error))?;
        check(&file).map_err(|fault| {
            let span = span_of(text, &fault.key);
            at(text, span, fault.key, fault.why)
        })?;
        Ok(file)
    }
}

fn of_toml(text: &str, error: &toml::de::Error) -> BadFile {
    let span = error.span().unwrap_or_default();
    let why = error.message().lines().next().unwrap_or("no TOML");
    let table = DeTable::parse(text);
    let key = table.map_or(String::new(), |table| {
        let mut best = (usize::MAX, String::new());
        deepest(table.get_ref(), &span, String::new(), &mut best);
        best.1
    });
    let key = if key.is_empty() { "file".into() } else { key };
    at(text, span, key, why.to_owned())
}

fn at(text: &str, span: Range<usize>, key: String, why: String) -> BadFile {
    let before = text.get(..span.start).unwrap_or(text);
    BadFile {
        line: before.matches('\n').count() + 1,
        key,
        why,
    }
}

/// Calls `each` with all that stands directly within, by its key.
fn walk<'a>(
    value: &'a DeValue<'a>,
    key: &str,
    each: &mut dyn FnMut(String, Range<usize>, &'a DeValue<'a>),
) {
    match value {
        DeValue::Table(table) => walk_table(table, key, each),
        DeValue::Array(array) => {
            for (item, number) in array.iter().zip(1..) {
                each(format!("{key}[{number}]"), item.span(), item.get_ref());
            }
        }
        _ => {}
    }
}

fn walk_table<'a>(
    table: &'a DeTable<'a>,
    key: &str,
    each: &mut dyn FnMut(String, Range<usize>, &'a DeValue<'a>),
) {
    for (name, value) in table {
        let dot = if key.is_empty() { "" } else { "." };
        let whole = name.span().start..value.span().end.max(name.span().end);
        let inner = format!("{key}{dot}{}", Spanned::get_ref(name));
        each(inner, whole, value.get_ref());
    }
}

/// The key of the smallest value that has this place within.
fn deepest(table: &DeTable<'_>, place: &Range<usize>, key: String, best: &mut (usize, String)) {
    walk_table(table, &key, &mut |key, span, value| {
        within(value, place, key, span, best);
    });
}

fn within(
    value: &DeValue<'_>,
    place: &Range<usize>,
    key: String,
    span: Range<usize>,
    best: &mut (usize, String),
) {
    if span.start <= place.start && place.end <= span.end && span.len() <= best.0 {
        *best = (span.len(), key.clone());
    }
    walk(value, &key, &mut |key, span, value| {
        within(value, place, key, span, best);
    });
}

/// Where a key stands, or the nearest of its parents that does.
fn span_of(text: &str, key: &str) -> Range<usize> {
    let mut found = (0, 0..0);
    if let Ok(table) = DeTable::parse(text) {
        walk_table(table.get_ref(), "", &mut |at, span, value| {
            look_for(value, key, &at, span, &mut found);
        });
    }
    found.1
}

fn look_for(
    value: &DeValue<'_>,
    key: &str,
    at: &str,
    span: Range<usize>,
    found: &mut (usize, Range<usize>),
) {
    let rest = key.strip_prefix(at);
    let leads = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    if !leads {
        return;
    }
    if at.len() > found.0 {
        *found = (at.len(), span);
    }
    walk(value, at, &mut |at, span, value| {
        look_for(value, key, &at, span, found);
    });
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

    fn fault(from: &str, to: &str) -> BadFile {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replace(from, to);
        File::read(&text).expect_err(to)
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
    fn a_space_that_is_not_there_and_one_that_is_there_twice_are_found() {
        let fault = fault("curve", "space = \"elsewhere\"\ncurve");
        assert_eq!(fault.key, "crowd[1].space", "{fault}");
        let two = "[[space]]\nid = \"town-hall\"\n[[space]]\nid = \"town-hall\"";
        let fault = super::tests::fault("[[space]]\nid = \"town-hall\"", two);
        assert_eq!(fault.key, "space[2].id", "{fault}");
        assert_eq!(fault.line, 9);
    }
}
