//! Drawings of the last ten minutes. Zero is always shown; each says in a sentence what it shows.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::view::Now;
use crate::alarms::Sample;
use crate::alarms::watch::SAMPLES_MAX;
use crate::pages::words::number;

/// Points of a drawing: seconds are taken together so that a page stays small.
const POINTS: usize = 150;
const SECONDS_EACH: usize = SAMPLES_MAX / POINTS;

/// Small multiples on one scale.
pub(super) fn verdicts(now: &Now) -> Markup {
    type Count = fn(&Sample) -> u64;
    let kinds: [(&str, &str, &str, Count); 4] = [
        ("Entered", "got sound", "f-in", |s| s.entered),
        ("In line", "told to wait", "f-wait", |s| s.in_line),
        ("Puzzle", "effort lane", "f-prove", |s| s.puzzles),
        ("Turned away", "no right, or shut", "f-away", |s| {
            s.turned_away
        }),
    ];
    let most = |of: fn(&Sample) -> u64| points(&now.samples, of).into_iter().max().unwrap_or(0);
    let scale = nice(kinds.iter().map(|kind| most(kind.3)).max().unwrap_or(0));
    html! { section class="panel" data-part="verdicts" aria-labelledby="jv" {
        (super::head("jv", "Joins by verdict", &format!("per second, 10 minutes, one scale to {}", number(scale))))
        ul { @for (name, small, class, of) in kinds {
            @let newest = now.samples.last().map_or(0, of);
            li class="mini" {
                span { b { (name) } br; span class="tiny soft" { (small) } }
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" focusable="false" { path class=(class) d=(wash(&points(&now.samples, of), scale)) {} }
                span class="n" { (number(newest)) }
            }
        } }
        div class="ticks inset" aria-hidden="true" { span { "−10 min" } span { "−5" } span { "now" } }
    } }
}

pub(super) fn inside(now: &Now) -> Markup {
    let listening = points(&now.samples, |s| s.listening);
    let waiting = points(&now.samples, |s| s.waiting);
    let highest = listening.iter().chain(&waiting).copied().max().unwrap_or(0);
    let scale = nice(highest);
    let ends = |all: &[u64]| {
        (
            all.iter().copied().max().unwrap_or(0),
            all.last().copied().unwrap_or(0),
        )
    };
    let (l, w) = (ends(&listening), ends(&waiting));
    let says = format!(
        "Of the last ten minutes: listening is {} now and was {} at most; waiting is {} now and was {} at most.",
        number(l.1),
        number(l.0),
        number(w.1),
        number(w.0)
    );
    html! { section class="panel" data-part="inside" aria-labelledby="iw" {
        (super::head("iw", "Inside and waiting", "10 minutes"))
        ul class="key" {
            li { svg viewBox="0 0 28 12" aria-hidden="true" focusable="false" { path class="k-in" d="M0 6h28" {} } "Listening" }
            li { svg viewBox="0 0 28 12" aria-hidden="true" focusable="false" { path class="k-wait" d="M0 6h28" {} } "Waiting" }
        }
        div class="chart" { div class="plot mid" {
            svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label=(says) {
                path class="grid" d="M0 0.5H1000M0 50H1000M0 100H1000" {}
                path class="k-wait" d=(line(&waiting, scale)) {}
                path class="k-in" d=(line(&listening, scale)) {}
            }
            div class="y" aria-hidden="true" { span { (number(scale)) } span { (number(scale / 2)) } span { "0" } }
            div class="ticks" aria-hidden="true" { span { "−10 min" } span { "−5" } span { "now" } }
        } }
    } }
}

/// The most of each few seconds, so that no peak is smoothed away; the newest at the end, nothing before the first.
fn points(samples: &[Sample], of: fn(&Sample) -> u64) -> Vec<u64> {
    let missing = SAMPLES_MAX.saturating_sub(samples.len());
    let all: Vec<u64> = std::iter::repeat_n(0, missing)
        .chain(samples.iter().map(of))
        .collect();
    all.chunks(SECONDS_EACH)
        .map(|few| few.iter().copied().max().unwrap_or(0))
        .collect()
}

/// 1, 2 or 5 times a power of ten, and 10 at least.
fn nice(most: u64) -> u64 {
    let mut scale = 10;
    for step in [2, 5, 10].iter().cycle().take(60) {
        if scale >= most {
            break;
        }
        let power = 10_u64.saturating_pow(scale.checked_ilog10().unwrap_or(0));
        scale = power.saturating_mul(*step);
    }
    scale
}

fn line(points: &[u64], scale: u64) -> String {
    let mut path = String::new();
    for (at, value) in points.iter().enumerate() {
        let x = at * 1_000 / points.len().saturating_sub(1).max(1);
        let y = 100.0 - 100.0 * *value as f64 / scale as f64;
        let _ = write!(path, "{}{x} {y:.1}", if at == 0 { "M" } else { "L" });
    }
    path
}

fn wash(points: &[u64], scale: u64) -> String {
    let line = line(points, scale);
    format!("M0 100{}L1000 100z", line.replacen('M', "L", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_hold_the_highest() {
        for (most, scale) in [
            (0, 10),
            (10, 10),
            (11, 20),
            (21, 50),
            (51, 100),
            (1_001, 2_000),
        ] {
            assert_eq!(nice(most), scale, "{most}");
        }
        assert!(nice(u64::MAX) > 1 << 60);
    }

    #[test]
    fn a_peak_of_one_second_is_seen() {
        let mut samples = vec![Sample::default(); 599];
        samples.push(Sample {
            entered: 900,
            ..Sample::default()
        });
        let points = points(&samples, |s| s.entered);
        assert_eq!((points.len(), points[POINTS - 1]), (POINTS, 900));
        assert!(line(&points, 1_000).ends_with("L1000 10.0"));
        assert!(wash(&points, 1_000).starts_with("M0 100L0 100.0"));
    }
}
