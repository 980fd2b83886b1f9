//! `night LISTENERS SEATS [CURVE] [ATTACK=FACTOR…]`: one night in virtual time, printed.

use hustings_rehearse::{Attack, Curve, Kind, Scenario, simulate, table};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
    let listeners = number(0).unwrap_or(20_000);
    let attack = |word: &String| {
        let (kind, factor) = word.split_once('=')?;
        Some(Attack {
            kind: Kind::attack(kind)?,
            factor: factor.parse().ok()?,
        })
    };
    let scenario = Scenario {
        listeners,
        beside: listeners / 100,
        seats: number(1).unwrap_or(listeners / 8),
        curve: words
            .get(2)
            .and_then(|word| Curve::from_name(word))
            .unwrap_or(Curve::Announced),
        attacks: words.iter().filter_map(attack).collect(),
        ..Scenario::default()
    };
    match simulate(&scenario) {
        Ok(report) => print!("{}", table(&report)),
        Err(why) => eprintln!("{why}"),
    }
}
