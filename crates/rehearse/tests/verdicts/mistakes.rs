//! Rows of the test matrix whose expectation is a verdict, judged by what there was to see at the time.

use hustings_evidence::judge::{Class, Finding, Outcome};
use hustings_evidence::row::{Happening, What};
use hustings_rehearse::Run;
use hustings_rehearse::scenario::{File, LIBRARY};

use crate::table::{finding, night};

/// Milliseconds from a mistake until its verdict, at most.
const VERDICT_WITHIN_MS: u64 = 60_000;
const SEEDS: u64 = 10;

fn library(name: &str) -> File {
    let found = LIBRARY.iter().find(|(each, _)| *each == name);
    let (_, text) = found.expect("in the library");
    File::read(text).expect("a scenario of the library")
}

/// What had been recorded `VERDICT_WITHIN_MS` after the first happening of this kind.
fn until_a_minute_after(mut run: Run, mistake: impl Fn(&Happening) -> bool) -> Run {
    let made = run.happenings.iter().find(|happening| mistake(happening));
    let end = made.expect("the mistake is on record").at.0 + VERDICT_WITHIN_MS;
    run.nodes.retain(|row| row.at.0 <= end);
    run.spaces.retain(|row| row.at.0 <= end);
    run.happenings.retain(|happening| happening.at.0 <= end);
    run
}

/// The finding of the space next door, which no mistake was made for.
fn next_door(run: &Run) -> Finding {
    let mut run = run.clone();
    let first = run.spaces.first().and_then(|row| row.space.clone());
    run.spaces.retain(|row| row.space != first);
    run.happenings
        .retain(|happening| happening.space.is_none() || happening.space != first);
    finding(&run, 1)
}

fn a_mistake_is_named(name: &str, mistake: impl Fn(&Happening) -> bool) {
    let file = library(name);
    let mut named = 0;
    for seed in 0..SEEDS {
        let run = until_a_minute_after(night(&file, seed, seed % 2 == 1), &mistake);
        let said = finding(&run, 1);
        assert!(
            !said.named.contains(&Class::Attack),
            "{name}, seed {seed}: {said:#?}"
        );
        named += usize::from(said.named.contains(&Class::OwnMistake));
        let beside = next_door(&run);
        assert_ne!(beside.outcome, Outcome::Undetermined, "{name}, seed {seed}");
        assert!(!beside.named.contains(&Class::Attack));
    }
    assert_eq!(named, SEEDS as usize, "{name}: named within a minute");
}

#[test]
fn row_29_a_limit_set_wrong_is_named_within_a_minute() {
    a_mistake_is_named("bad-deploy", |happening| {
        matches!(happening.what, What::ConfigChanged | What::LimitChanged)
    });
}

#[test]
fn row_29_an_expired_certificate_is_named_within_a_minute() {
    a_mistake_is_named("certificate-expired", |happening| {
        happening.what == What::CertificateExpired
    });
}
