//! The judge before labelled nights. `cargo run --release -p hustings-rehearse --example verdicts` prints the table.

mod mistakes;
mod table;

use hustings_evidence::judge::{Class, Outcome};
use hustings_rehearse::scenario::{self, File, LIBRARY};
use table::{Row, finding, is_right, night, print, rows};

fn share(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

/// 1,100 nights: at least 95 % right, of the seen ranges and of the unseen ones alike; no crowd and no mistake of our own is
/// called an attack.
#[test]
fn verdicts_are_right_in_95_of_100_nights_and_no_crowd_is_called_an_attack() {
    let rows = rows(table::SEEDS);
    let text = print(&rows);
    println!("{text}");
    assert!(rows.len() >= 16);
    let sum = |of: &dyn Fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    for half in [0, 1] {
        let (right, of) = (sum(&|row| row.right[half]), sum(&|row| row.of[half]));
        assert!(share(right, of) >= 0.95, "{text}");
    }
    assert_eq!(sum(&|row| row.slander), 0, "{text}");
}

/// Every other row is gone: whatever was there, nothing is said for certain.
#[test]
fn half_of_the_rows_missing_is_undetermined() {
    for (name, text) in LIBRARY {
        let file = File::read(text).expect("a scenario of the library");
        let finding = finding(&night(&file, 3, false), 2);
        assert_eq!(
            finding.outcome,
            Outcome::Undetermined,
            "{name}: {finding:#?}"
        );
        assert!(finding.named.is_empty());
    }
}

/// A label is met exactly: one class more or less is a miss.
#[test]
fn a_verdict_beside_the_label_is_a_miss() {
    let (_, text) = LIBRARY
        .iter()
        .find(|(name, _)| *name == "disk-full")
        .expect("in the library");
    let file = File::read(text).expect("a scenario of the library");
    let mut finding = finding(&night(&file, 1, false), 1);
    assert!(is_right(&finding, &file.label), "{finding:#?}");
    finding.named.push(Class::Attack);
    assert!(!is_right(&finding, &file.label));
    finding.named.clear();
    assert!(!is_right(&finding, &file.label));
    assert_eq!(file.label[0].class, scenario::Class::OwnMistake);
}
