//! The judge before labelled nights: every scenario of the library, fifty seeds each, half of them drawn from ranges that
//! the rules were not written for.

use std::fmt::Write as _;

use hustings_evidence::judge::{Class, Facts, Finding, Kind, Outcome, judge, seconds};
use hustings_evidence::row::SpaceRow;
use hustings_rehearse::scenario::{self, File, LIBRARY, Label, Sight, Wish};
use hustings_rehearse::{Run, record};

/// Seeds of a scenario: the first half from the ranges that were looked at, the other half from the others.
pub(crate) const SEEDS: u64 = 50;

/// What came of one scenario.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) labels: Vec<String>,
    /// Right of the seeds seen, and of those unseen.
    pub(crate) right: [u64; 2],
    pub(crate) of: [u64; 2],
    pub(crate) misses: Vec<Miss>,
    /// Verdicts of attack for nights without one.
    pub(crate) slander: u64,
}

#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) seed: u64,
    pub(crate) said: String,
}

pub(crate) fn rows(seeds: u64) -> Vec<Row> {
    LIBRARY
        .iter()
        .map(|(name, text)| row(name, text, seeds, false))
        .collect()
}

pub(crate) fn row(name: &'static str, text: &str, seeds: u64, only_seen: bool) -> Row {
    let all = (0..seeds).map(|seed| (seed, seed * 2 >= seeds));
    of_seeds(name, text, all.filter(|(_, unseen)| !unseen || !only_seen))
}

/// Each seed with whether it draws from the unseen ranges.
pub(crate) fn of_seeds(
    name: &'static str,
    text: &str,
    seeds: impl Iterator<Item = (u64, bool)>,
) -> Row {
    let file = File::read(text).expect("a scenario of the library");
    let mut row = Row {
        name,
        labels: file.label.iter().map(Label::to_string).collect(),
        right: [0; 2],
        of: [0; 2],
        misses: Vec::new(),
        slander: 0,
    };
    for (seed, unseen) in seeds {
        let finding = finding(&night(&file, seed, unseen), 1);
        let at = usize::from(unseen);
        row.of[at] += 1;
        if is_right(&finding, &file.label) {
            row.right[at] += 1;
        } else {
            row.misses.push(Miss {
                seed,
                said: said(&finding),
            });
        }
        let attacked = file
            .label
            .iter()
            .any(|label| label.class == scenario::Class::Attack);
        row.slander += u64::from(!attacked && finding.named.contains(&Class::Attack));
    }
    row
}

pub(crate) fn night(file: &File, seed: u64, unseen: bool) -> Run {
    let sight = if unseen { Sight::Unseen } else { Sight::Seen };
    let night = file
        .night(Wish {
            seed,
            sight,
            scale: None,
        })
        .expect("a night");
    record(&night).unwrap_or_else(|why| panic!("{} with seed {seed}: {why}", file.name))
}

/// Of the first space, from one row in `every`.
pub(crate) fn finding(run: &Run, every: usize) -> Finding {
    let first = run.spaces.first().and_then(|row| row.space.clone());
    let rows = run.spaces.iter().filter(|row| row.space == first);
    let kept: Vec<SpaceRow> = rows.step_by(every).cloned().collect();
    let happenings: Vec<_> = run
        .happenings
        .iter()
        .filter(|happening| happening.space.is_none() || happening.space == first)
        .cloned()
        .collect();
    judge(&Facts {
        seconds: &seconds(&run.nodes, &kept),
        happenings: &happenings,
        proven: None,
    })
}

/// Exactly the classes of the label, each with the kind that it says.
pub(crate) fn is_right(finding: &Finding, labels: &[Label]) -> bool {
    let only = |class| labels.iter().any(|label| label.class == class);
    if only(scenario::Class::Quiet) {
        return finding.outcome == Outcome::Quiet;
    }
    if only(scenario::Class::Undetermined) {
        return finding.outcome == Outcome::Undetermined;
    }
    let wanted: Vec<Class> = labels
        .iter()
        .filter_map(|label| class_of(label.class))
        .collect();
    let same = finding.named.len() == wanted.len()
        && wanted.iter().all(|class| finding.named.contains(class));
    let kinds = labels.iter().all(|label| {
        let Some(what) = &label.what else { return true };
        let each = class_of(label.class).and_then(|class| finding.explanation(class));
        each.is_some_and(|each| each.kinds.iter().any(|kind| kind_name(*kind) == *what))
    });
    same && kinds
}

fn class_of(class: scenario::Class) -> Option<Class> {
    Class::ALL
        .into_iter()
        .find(|each| each.name() == class.name())
}

fn kind_name(kind: Kind) -> String {
    let json = serde_json::to_value(kind).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn said(finding: &Finding) -> String {
    let names = finding.named.iter().filter_map(|class| {
        let each = finding.explanation(*class)?;
        let kinds: Vec<String> = each.kinds.iter().map(|kind| kind_name(*kind)).collect();
        Some(format!(
            "{} {} {}",
            class.name(),
            each.points,
            kinds.join("+")
        ))
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        format!("{:?}", finding.outcome).to_lowercase()
    } else {
        names.join(", ")
    }
}

/// As BENCHMARKS.md has it, and the misses below.
pub(crate) fn print(rows: &[Row]) -> String {
    let mut text = String::from(
        "| scenario | label | right, seen ranges | right, unseen ranges |\n|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} of {} | {} of {} |",
            row.name,
            row.labels.join(", "),
            row.right[0],
            row.of[0],
            row.right[1],
            row.of[1]
        );
    }
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let _ = writeln!(
        text,
        "| all | | {} of {} | {} of {} |\n\nCalled an attack without one: {}.",
        sum(|row| row.right[0]),
        sum(|row| row.of[0]),
        sum(|row| row.right[1]),
        sum(|row| row.of[1]),
        sum(|row| row.slander)
    );
    for row in rows {
        for miss in &row.misses {
            let _ = writeln!(
                text,
                "Missed: {} with seed {}: {}",
                row.name, miss.seed, miss.said
            );
        }
    }
    text
}
