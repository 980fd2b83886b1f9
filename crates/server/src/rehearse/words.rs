//! A rehearsal in lines of words.

use std::fmt::Write as _;

use super::page::sentence;
use super::record::Record;
use super::seen::Spread;

/// For a terminal. Writing to a String does not fail.
pub fn words(record: &Record) -> String {
    let mut text = String::new();
    people(record, &mut text);
    driver(record, &mut text);
    for one in &record.simulated {
        let apart = one.wire - one.simulated;
        let _ = writeln!(
            text,
            "{}: {:.2} on the wire, {:.2} simulated, {apart:+.2} apart",
            one.what, one.wire, one.simulated
        );
    }
    concluded(record, &mut text);
    text
}

fn people(record: &Record, text: &mut String) {
    let (people, sound) = (&record.seen.people, &record.seen.sound);
    let _ = writeln!(
        text,
        "{} of {}: {} came, {} heard, {} still waited, {} gave up; {} at once",
        record.what,
        record.target,
        people.came,
        people.heard,
        people.waiting,
        people.gave_up,
        people.peak
    );
    if people.waits.count() > 0 {
        let _ = writeln!(
            text,
            "from the press they meant to the sound: {}",
            within(&people.waits)
        );
    }
    let _ = writeln!(
        text,
        "{} lost the connection, {} came back",
        people.disconnected, people.back
    );
    if people.back > 0 {
        let _ = writeln!(
            text,
            "from the loss to the sound: {}",
            within(&people.returns)
        );
    }
    let _ = writeln!(
        text,
        "{:.0} s of sound heard; {} streams with gaps ({:.1} s missing), {} broken; longest silence of {} watched: {:.2} s",
        sound.heard_s,
        sound.gapped,
        sound.lost_ms as f64 / 1e3,
        sound.broken,
        sound.watched,
        sound.silence_ms as f64 / 1e3
    );
    for (kind, part) in &record.seen.attacks {
        let _ = writeln!(
            text,
            "{kind:?}: {} sent, {} let in, {} refused, {} closed, {} not sent",
            part.sent, part.let_in, part.refused, part.dropped, part.unsent
        );
    }
}

fn within(spread: &Spread) -> String {
    let at = |share| {
        spread
            .quantile(share)
            .map_or(f64::NAN, |ms| f64::from(ms) / 1e3)
    };
    format!(
        "half within {:.2} s, 95 % within {:.2} s, 99 % within {:.2} s",
        at(0.5),
        at(0.95),
        at(0.99)
    )
}

fn driver(record: &Record, text: &mut String) {
    let driver = record.driver();
    let _ = writeln!(
        text,
        "the driver: {:.0} % of its core, presses up to {:.1} ms late (p99), {} not sent",
        driver.cpu * 100.0,
        driver.late_p99_ms,
        driver.unsent
    );
    if let Some(why) = &record.bottleneck {
        let _ = writeln!(
            text,
            "the driver was the bottleneck, and these figures say little of the target: {why}"
        );
    }
    if record.seen.over_permit > 0 {
        let _ = writeln!(
            text,
            "{} requests were more than the permit allows",
            record.seen.over_permit
        );
    }
}

fn concluded(record: &Record, text: &mut String) {
    if let Some(why) = &record.ended_early {
        let _ = writeln!(text, "ended early: {why}");
    }
    if let Some(claim) = &record.claim {
        if let Some(capacity) = &claim.capacity {
            let _ = writeln!(text, "{}", sentence(capacity, claim.tested));
        }
        for why in &claim.refused {
            let _ = writeln!(text, "no claim: {why}");
        }
    }
    let claimed = record.claim.as_ref().map(|claim| &claim.not_rehearsed);
    for one in claimed.unwrap_or(&record.not_rehearsed) {
        let _ = writeln!(text, "not rehearsed: {one}");
    }
}
