//! The charts of a report, and the table behind them.

use hustings_evidence::judge::Second;
use hustings_evidence::judge::words::{clock, duration, number};
use hustings_evidence::row::What;
use maud::{Markup, html};

use super::Report;
use super::chart::{Chart, Line, Stroke, multiples};

/// Rows of the table behind a chart: as many as somebody scrolls through.
const TABLE_ROWS_MAX: usize = 120;

/// Each second from the first to the last; what is not known is 0.
fn dense(seconds: &[Second], of: impl Fn(&Second) -> u64) -> Vec<u64> {
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else {
        return Vec::new();
    };
    // The judge looks at two days at most.
    let length = (last.at - first.at).min(172_800) as usize + 1;
    let mut values = vec![0; length];
    for second in seconds {
        if let Some(value) = values.get_mut((second.at - first.at) as usize) {
            *value = of(second);
        }
    }
    values
}

pub(super) fn charts(report: &Report) -> Markup {
    let seconds = &report.seconds;
    let Some(first) = seconds.first() else {
        return html! {};
    };
    let offered = dense(seconds, |second| second.knocks.offered.into());
    let admitted = dense(seconds, |second| second.knocks.admitted().into());
    let waiting = dense(seconds, Second::waits);
    let refused = dense(seconds, |second| second.knocks.turned_away.sum().into());
    let proving = dense(seconds, |second| second.knocks.proving.into());
    let (inside, in_line) = (
        dense(seconds, |second| second.inside),
        dense(seconds, |second| second.in_line),
    );
    let seats = dense(seconds, Second::open_seats);
    let pins: Vec<usize> = report
        .happenings
        .iter()
        .filter(|told| is_pinned(told.what) && told.at >= first.at)
        .map(|told| (told.at - first.at) as usize)
        .filter(|index| *index < offered.len())
        .collect();
    let spans = stretches(&in_line);
    let knocks = Chart {
        from: first.at,
        lines: vec![
            line("Attempts", Stroke::In, &offered),
            line("Told to wait", Stroke::Waiting, &waiting),
            line("Turned away", Stroke::Refused, &refused),
        ],
        spans: spans.clone(),
        span_name: "People in line",
        pins: pins.clone(),
        says: says(report, "Attempts", &offered),
    };
    let most = inside.iter().chain(&in_line).max().copied().unwrap_or(0);
    let mut lines = vec![
        line("Inside", Stroke::In, &inside),
        line("In line", Stroke::Waiting, &in_line),
    ];
    // Seats far above all who came would press the others to the ground.
    if seats.iter().max().copied().unwrap_or(0) <= most.saturating_mul(4) {
        lines.push(line("Seats", Stroke::Bound, &seats));
    }
    let people = Chart {
        from: first.at,
        lines,
        spans,
        span_name: "People in line",
        pins,
        says: says(report, "People inside", &inside),
    };
    html! {
        section aria-labelledby="knocks" {
            div class="head" { h2 id="knocks" { "Knocks at the door, per second" } span class="soft" { "from the flight recorder, one row a second; upright lines are changes, starts and losses" } }
            (knocks.markup())
            (table_of(first.at, &offered, &admitted, &waiting, &refused))
        }
        section aria-labelledby="people" {
            div class="head" { h2 id="people" { "Inside and in line" } }
            (people.markup())
        }
        section aria-labelledby="answers" {
            div class="head" { h2 id="answers" { "What they were answered, per second" } span class="soft" { "on one scale; the number is the most in one second" } }
            (multiples(first.at, &[line("Came in", Stroke::In, &admitted), line("Told to wait", Stroke::Waiting, &waiting), line("Given a puzzle", Stroke::Puzzle, &proving), line("Turned away", Stroke::Refused, &refused)]))
        }
    }
}

fn line<'a>(name: &'a str, stroke: Stroke, values: &'a [u64]) -> Line<'a> {
    Line {
        name,
        stroke,
        values,
    }
}

fn says(report: &Report, what: &str, values: &[u64]) -> String {
    let (at, most) = values
        .iter()
        .enumerate()
        .max_by_key(|(at, value)| (**value, std::cmp::Reverse(*at)))
        .unwrap_or((0, &0));
    let at = report.finding.from.saturating_add(at as u64);
    format!(
        "{what}: {} at most, at {}; {} at the end. The table below has more.",
        number(*most),
        clock(at),
        number(values.last().copied().unwrap_or(0))
    )
}

/// What can have turned the evening; what happens on every stage stays in the list below.
fn is_pinned(what: What) -> bool {
    matches!(
        what,
        What::NodeStarted
            | What::NodeWasKilled
            | What::Deployed
            | What::ConfigChanged
            | What::LimitChanged
            | What::CadenceChanged
            | What::DoorPaused
            | What::DoorResumed
            | What::SpaceOpened
            | What::SpaceLive
            | What::SpaceEnded
            | What::SpeakerLost
            | What::StageRestarted
            | What::ShardRestarted
            | What::ListenersLost
            | What::CertificateExpired
            | What::DiskFull
            | What::DatabaseGone
    )
}

/// Where there is something: first and last index.
fn stretches(values: &[u64]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
        match found.last_mut() {
            // Ten seconds without anybody are no end.
            Some(last) if at - last.1 <= 10 => last.1 = at,
            _ => found.push((at, at)),
        }
    }
    found
}

fn table_of(
    from: u64,
    offered: &[u64],
    admitted: &[u64],
    waiting: &[u64],
    refused: &[u64],
) -> Markup {
    let each = offered.len().div_ceil(TABLE_ROWS_MAX).max(1);
    let sum = |values: &[u64], at: usize| values.iter().skip(at * each).take(each).sum::<u64>();
    html! {
        details class="data" { summary { "The same as a table" }
            div class="scroll" tabindex="0" role="group" aria-label="Knocks as a table" { table {
                thead { tr { th scope="col" { "From" } th scope="col" class="num" { "Attempts" } th scope="col" class="num" { "Came in" } th scope="col" class="num" { "Told to wait" } th scope="col" class="num" { "Turned away" } } }
                tbody { @for at in 0..offered.len().div_ceil(each) { tr {
                    th scope="row" { (clock(from + (at * each) as u64)) }
                    @for values in [offered, admitted, waiting, refused] { td class="num" { (number(sum(values, at))) } }
                } } }
            } }
            p class="small soft" { "Each row is " (duration(each as u64)) "." }
        }
    }
}
