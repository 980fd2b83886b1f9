//! Prints how often the judge is right about labelled nights. `--only NAME` looks at one scenario, `--seeds N` at fewer,
//! `--seen` at none but the seen ranges: for who writes rules. `--fresh` looks at seeds that the table has not, all unseen.

#[path = "../tests/verdicts/table.rs"]
#[allow(dead_code)]
mod table;

use hustings_rehearse::scenario::LIBRARY;

#[expect(clippy::disallowed_methods, reason = "a program takes arguments")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let seeds = after("--seeds")
        .and_then(|n| n.parse().ok())
        .unwrap_or(table::SEEDS);
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (only, seen, fresh) = (after("--only"), has("--seen"), has("--fresh"));
    let after_the_table = (table::SEEDS..table::SEEDS + seeds).map(|seed| (seed, true));
    let chosen = LIBRARY
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name));
    let rows: Vec<_> = chosen
        .map(|(name, text)| match fresh {
            true => table::of_seeds(name, text, after_the_table.clone()),
            false => table::row(name, text, seeds, seen),
        })
        .collect();
    print!("{}", table::print(&rows));
}
