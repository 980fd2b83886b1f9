//! What happened: a flash crowd, an attack, a reconnect storm, a mistake of our own, a dependency that failed, several of
//! them, nothing, or we cannot say.
//!
//! [`judge`] is a pure function of the flight recorder's rows and happenings. It adds up points by published rules
//! ([`RULES`], [`THRESHOLDS`], docs/verdict.md); nothing is learned and nothing is weighed in secret. Each class is looked at
//! by itself, so that several can be true; what speaks against is said beside what speaks for.

mod attack;
mod course;
mod crowd;
mod decide;
mod dependency;
mod finding;
mod gathering;
mod harm;
mod minutes;
mod mistake;
mod rules;
mod second;
mod seen;
mod storm;
mod tell;
mod thresholds;
pub mod words;

pub use finding::{
    Class, Evidence, Explanation, Finding, Fullest, Harm, Kind, Outcome, Part, Strength,
};
pub use gathering::{Gathering, seconds};
pub use minutes::{Minute, minutes, say, say_what};
pub use mistake::Proven;
pub use rules::{RULES, Rule};
pub use second::{DEPENDENCIES, RESOURCES, Second};
pub use thresholds::{THRESHOLDS, Threshold};

use crate::row::Happening;

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// In any order; of two with the same time the later one counts.
    pub seconds: &'a [Second],
    pub happenings: &'a [Happening],
    pub proven: Option<Proven>,
}

/// The same facts give the same finding. There is always one; of no second at all it is undetermined.
pub fn judge(facts: &Facts<'_>) -> Finding {
    let seconds: Vec<Second> = facts.seconds.iter().map(Second::bounded).collect();
    let Some(course) = course::Course::new(&seconds, facts.happenings) else {
        return decide::nothing();
    };
    let seen = seen::Seen::new(course);
    let cases = vec![
        crowd::case(&seen),
        attack::case(&seen),
        storm::case(&seen),
        mistake::case(&seen, facts.proven),
        dependency::case(&seen),
    ];
    decide::finding(&seen, cases)
}

/// The rules and the thresholds in Markdown, as docs/verdict.md has them.
pub fn tables() -> (String, String) {
    let mut rules =
        String::from("| rule | class | points | what is looked for |\n|---|---|---|---|\n");
    for Rule {
        name,
        class,
        points,
        says,
    } in RULES
    {
        rules.push_str(&format!(
            "| `{name}` | {} | {points:+} | {says} |\n",
            class.name()
        ));
    }
    let mut thresholds = String::from("| name | value | unit | why |\n|---|---|---|---|\n");
    for Threshold {
        name,
        value,
        unit,
        why,
    } in THRESHOLDS
    {
        thresholds.push_str(&format!("| `{name}` | {value} | {unit} | {why} |\n"));
    }
    (rules, thresholds)
}

#[cfg(test)]
mod tests;
