//! Where a key stands in a file's text, and what stands at a place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

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
pub(super) fn deepest(
    table: &DeTable<'_>,
    place: &Range<usize>,
    key: String,
    best: &mut (usize, String),
) {
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
pub(super) fn span_of(text: &str, key: &str) -> Range<usize> {
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
