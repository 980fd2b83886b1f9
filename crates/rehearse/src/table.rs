//! The report for people.

use std::fmt::Write as _;

use crate::report::{KindReport, Report};

/// Lines of text, a row for each kind.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let _ = head(&mut text, report);
    let _ = kinds(&mut text, report);
    let _ = harm(&mut text, report);
    let _ = refusals(&mut text, report);
    let _ = events(&mut text, report);
    text
}

fn head(text: &mut String, report: &Report) -> std::fmt::Result {
    let night = &report.night;
    match &report.scenario {
        Some(scenario) => {
            writeln!(
                text,
                "{} listeners in {} virtual minutes ({}), {} seats on {} shards, seed {}",
                scenario.listeners,
                scenario.minutes,
                scenario.curve.name(),
                scenario.seats,
                report.shards,
                scenario.seed
            )?;
            for attack in &scenario.attacks {
                writeln!(text, "attack: {} x {}", attack.kind.name(), attack.factor)?;
            }
        }
        None => {
            writeln!(
                text,
                "{}: {} people in {:.1} virtual minutes, {} seats on {} shards, seed {}",
                night.name,
                night.people(),
                f64::from(night.millis) / 60_000.0,
                night.seats,
                report.shards,
                night.seed
            )?;
            let labels: Vec<_> = night.label.iter().map(ToString::to_string).collect();
            writeln!(text, "what a report must say: {}", labels.join(", "))?;
            for timed in &night.troubles {
                let seconds = f64::from(timed.at_ms) / 1_000.0;
                writeln!(text, "at {seconds:.1} s: {}", timed.trouble.words())?;
            }
        }
    }
    let costs = night.costs;
    writeln!(
        text,
        "those inside cost {:.1} us a sweep and {:.1} us for each second of pages; a knock's connection {:.1} us",
        costs.sweep_ns / 1e3,
        costs.second_ns / 1e3,
        costs.knock_ns / 1e3
    )
}

fn kinds(text: &mut String, report: &Report) -> std::fmt::Result {
    let columns = [
        "kind", "people", "admitted", "waiting", "gave up", "shed", "wait p50", "p99", "polls",
        "knocks",
    ];
    writeln!(text)?;
    for column in columns {
        write!(text, "{column:>11}")?;
    }
    writeln!(text)?;
    for kind in &report.kinds {
        write!(
            text,
            "{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}",
            kind.kind.name(),
            kind.people,
            kind.admitted,
            kind.waiting_at_end,
            kind.gave_up,
            kind.shed
        )?;
        for seconds in [kind.wait_p50_s, kind.wait_p99_s] {
            match seconds {
                Some(seconds) => write!(text, "{:>11}", format!("{seconds:.1} s"))?,
                None => write!(text, "{:>11}", "-")?,
            }
        }
        match kind.polls_per_waiter {
            Some(polls) => write!(text, "{polls:>11.1}")?,
            None => write!(text, "{:>11}", "-")?,
        }
        writeln!(text, "{:>11}", kind.knocks)?;
    }
    let sums = report.sums;
    writeln!(
        text,
        "offered {} = admitted {} + waiting {} + left {} + shed {}",
        sums.offered, sums.admitted, sums.waiting, sums.left, sums.shed
    )
}

fn harm(text: &mut String, report: &Report) -> std::fmt::Result {
    let (inside, sample) = (report.inside, report.sample);
    writeln!(
        text,
        "\ninside: {} at most, {} at the end; the load left {} seats at least",
        report.inside_most, report.inside_at_end, report.capacity_least
    )?;
    writeln!(
        text,
        "harm to those inside: {} disconnected, {} of {} sweeps late, cadence {} ms at the widest, busiest core {:.0} %",
        inside.disconnected,
        inside.sweeps_late,
        inside.sweeps,
        inside.cadence_widest_ms,
        inside.busiest_core * 100.0
    )?;
    writeln!(
        text,
        "a real shard of {} beside: {} of the slow and {} others fell out, {} skips",
        sample.listeners, sample.left_slow, sample.left_others, sample.skipped
    )?;
    if let Some(beside) = report
        .kinds
        .iter()
        .find(|kind| kind.kind == crate::Kind::Beside)
    {
        let seconds =
            |wait: Option<f64>| wait.map_or("-".to_owned(), |wait| format!("{wait:.1} s"));
        writeln!(
            text,
            "the other space: wait p99 {}, {} when alone",
            seconds(beside.wait_p99_s),
            seconds(report.beside_wait_p99_alone_s)
        )?;
    }
    writeln!(
        text,
        "knocks: {}, {} in the busiest second; serving.json: made {} times, read {} times at caches; places {}, called {}",
        report.knocks,
        report.knocks_busiest_second,
        report.serving_made,
        report.serving_read,
        report.places_issued,
        report.places_called
    )?;
    mishaps(text, report)
}

/// What not every night has.
fn mishaps(text: &mut String, report: &Report) -> std::fmt::Result {
    if report.fell_out > 0 {
        let back: u64 = report.kinds.iter().map(|kind| kind.back).sum();
        writeln!(
            text,
            "connections lost: {}, heard again: {back}",
            report.fell_out
        )?;
    }
    if report.unreachable + report.handshakes_failed > 0 {
        writeln!(
            text,
            "attempts that met no node: {}, whose handshake failed: {}",
            report.unreachable, report.handshakes_failed
        )?;
    }
    if report.slow_heads > 0 {
        writeln!(
            text,
            "heads that never ended: {}, closed to make room: {}",
            report.slow_heads, report.slow_heads_shed
        )?;
    }
    if report.puzzles > 0 {
        writeln!(
            text,
            "puzzles solved: {}, the hardest {} tries, nine of ten within {:.1} s",
            report.puzzles,
            report.puzzle_hardest,
            report.puzzle_p90_s.unwrap_or(0.0)
        )?;
    }
    Ok(())
}

fn refusals(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "\nknocks not let in, by reason:")?;
    for kind in report.kinds.iter().filter(|kind| !kind.refused.is_empty()) {
        writeln!(text, "{:>11}: {}", kind.kind.name(), reasons(kind))?;
    }
    Ok(())
}

fn reasons(kind: &KindReport) -> String {
    let reason = |refused: &crate::Refused| format!("{} {}", refused.reason, refused.knocks);
    kind.refused
        .iter()
        .map(reason)
        .collect::<Vec<_>>()
        .join(", ")
}

fn events(text: &mut String, report: &Report) -> std::fmt::Result {
    let Some(first) = report.events.first() else {
        return Ok(());
    };
    writeln!(text, "\nchanges of mode:")?;
    let began = first.wall_ms;
    for event in report.events.iter().take(12) {
        let after = event.wall_ms.saturating_sub(began) as f64 / 1_000.0;
        writeln!(text, "  +{after:.1} s {}", event.what)?;
    }
    let more = report.events.len().saturating_sub(12) as u64 + report.events_more;
    if more > 0 {
        writeln!(text, "  and {more} more")?;
    }
    Ok(())
}
