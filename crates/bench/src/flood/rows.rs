//! What the table says of a flood, beside the same crowd without it, before and after.

use super::phase::{Fared, Outcome};
use super::voices::Tone;
use super::wire::{self, SPACE};
use super::{Kind, LASTS};
use crate::table::{Bound, Table};

/// What there was without flood: as it was before, and once more after.
pub(super) type Calm<'a> = [&'a Outcome; 2];

/// `rate` of the honest a second, and what it must be at least.
pub(super) fn rows(
    table: &mut Table,
    name: &str,
    calm: Calm<'_>,
    storm: &Outcome,
    (rate, least): (f64, f64),
) {
    table.add(
        format!(
            "{name}: honest joins a second, beside {:.0} of the flood",
            storm.flood_sent as f64 / LASTS.as_secs_f64()
        ),
        rate,
        "/s",
        Bound::AtLeast(least),
    );
    let all = [storm].into_iter().chain(calm);
    if let Some(why) = all.filter_map(Outcome::does_not_count).next() {
        table.missing(
            name,
            &anyhow::anyhow!("the driver was the bottleneck: {why}; this run does not count"),
        );
    }
    honest(table, name, calm, storm);
    if let Some(share) = storm.passed_percent() {
        table.add(
            format!("{name}: knocks of attackers let in"),
            share,
            "%",
            Bound::AtMost(1.0),
        );
    }
    harm(table, name, calm, storm);
}

/// How the honest fare beside the same crowd without flood.
pub(super) fn honest(table: &mut Table, name: &str, calm: Calm<'_>, storm: &Outcome) {
    let without = Fared::together(calm.map(|calm| calm.honest.clone()).as_slice());
    table.add(
        format!("{name}: honest who came in, of those without flood"),
        storm.honest.came() / without.came().max(1e-9) * 100.0,
        "%",
        Bound::AtLeast(95.0),
    );
    let most = (without.wait_s(0.95) * 2.0).max(2.0);
    table.add(
        format!("{name}: the honest's wait, p95"),
        storm.honest.wait_s(0.95),
        "s",
        Bound::AtMost(most),
    );
}

/// Whether those inside and the host go on unharmed.
pub(super) fn unharmed(table: &mut Table, name: &str, storm: &Outcome) {
    table.add(
        format!("{name}: disconnected of those inside"),
        storm.disconnects as f64,
        "",
        Bound::AtMost(0.0),
    );
    table.add(
        format!("{name}: sound lost by those inside"),
        storm.lost_percent,
        "%",
        Bound::AtMost(0.1),
    );
    table.add(
        format!("{name}: the host's own page, not answered"),
        storm.host_failed as f64,
        "",
        Bound::AtMost(0.0),
    );
}

/// What those feel who are no part of it: inside, on stage, in another space.
fn harm(table: &mut Table, name: &str, calm: Calm<'_>, storm: &Outcome) {
    unharmed(table, name, storm);
    table.add(
        format!("{name}: longest silence of one inside"),
        storm.stalled_s,
        "s",
        Bound::Beside,
    );
    table.add(
        format!(
            "{name}: the host's own page, p99 (without flood {:.1} and {:.1} ms)",
            calm[0].host_p99_ms, calm[1].host_p99_ms
        ),
        storm.host_p99_ms,
        "ms",
        Bound::Beside,
    );
    if let Some(tone) = storm.tone {
        tone_rows(table, name, tone);
    }
    others(table, name, calm, storm);
}

fn others(table: &mut Table, name: &str, calm: Calm<'_>, storm: &Outcome) {
    let without = Fared::together(calm.map(|calm| calm.other.clone()).as_slice());
    let [before, after] = calm.map(|calm| calm.other.wait_s(0.99) * 1e3);
    table.add(
        format!(
            "{name}: {} joins of the other space, p99 ({:.1} ms), of those without flood ({before:.1} ms before, {after:.1} after)",
            storm.other.pressed,
            storm.other.wait_s(0.99) * 1e3
        ),
        storm.other.wait_s(0.99) / without.wait_s(0.99).max(1e-6),
        "x",
        Bound::AtMost(1.2),
    );
    table.add(
        format!("{name}: joins of the other space that came in"),
        storm.other.came() / without.came().max(1e-9) * 100.0,
        "%",
        Bound::AtLeast(95.0),
    );
}

/// Those of several floods of one kind, and of all the stretches without between them.
pub(super) fn others_of_all(table: &mut Table, name: &str, calms: &[Fared], storms: &[Fared]) {
    let (without, with) = (Fared::together(calms), Fared::together(storms));
    table.add(
        format!(
            "{name}, {} times: {} joins of the other space, p99 ({:.1} ms), of {} without flood between them ({:.1} ms)",
            storms.len(),
            with.pressed,
            with.wait_s(0.99) * 1e3,
            without.pressed,
            without.wait_s(0.99) * 1e3
        ),
        with.wait_s(0.99) / without.wait_s(0.99).max(1e-6),
        "x",
        Bound::AtMost(1.2),
    );
}

/// The host talks by WHIP, and a speaker in the same space hears it.
pub(super) fn tone_rows(table: &mut Table, name: &str, tone: Tone) {
    table.add(
        format!("{name}: the host's tone at another speaker, broken"),
        tone.broken_percent,
        "%",
        Bound::AtMost(0.1),
    );
    table.add(
        format!("{name}: longest gap between its packets"),
        tone.longest_gap_ms,
        "ms",
        Bound::Beside,
    );
}

/// Progressive filling by prefixes: honest ones want a seat each, attackers' all they can get.
pub(super) fn share_of_stayers(table: &mut Table, storm: &Outcome, seats_left: usize) {
    let (honest, attackers) = (storm.honest.pressed as f64, wire::FLOOD_PREFIXES as f64);
    let seats = seats_left as f64;
    // Up to one seat each all are alike; above it only attackers want more.
    let share = if honest + attackers >= seats {
        seats * attackers / (honest + attackers)
    } else {
        seats - honest
    };
    table.add(
        format!(
            "{}: seats they hold, of their prefixes' max-min share",
            Kind::Stayers.name()
        ),
        storm.stayers as f64 / share * 100.0,
        "%",
        Bound::AtMost(100.0),
    );
    println!(
        "  {} of {} seats; their share is {share:.0} in {SPACE}",
        storm.stayers, seats_left
    );
}
