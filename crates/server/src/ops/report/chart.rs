//! Charts as small SVG: lines and washes that stretch with the page, while their text is HTML and keeps its size.

use std::fmt::Write as _;

use hustings_evidence::judge::words::{clock, number};
use maud::{Markup, PreEscaped, html};

/// Points of a line at most; each is the highest of its seconds. More are not seen on any screen.
const POINTS_MAX: usize = 320;
/// Width and height of the drawing in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 100.0;
/// Lines of the grid above the ground line.
const STEPS: u64 = 3;
/// Marks of time under a chart.
const TICKS: u64 = 5;

/// How a line looks, by LOOK: what it is for decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Baize, solid, with a wash under it.
    In,
    /// Brass, dashed.
    Waiting,
    /// Vermilion, dotted.
    Refused,
    /// Slate.
    Puzzle,
    /// Thin and grey: a bound.
    Bound,
}

impl Stroke {
    fn class(self) -> &'static str {
        match self {
            Self::In => "k-in",
            Self::Waiting => "k-wait",
            Self::Refused => "k-away",
            Self::Puzzle => "k-prove",
            Self::Bound => "k-cap",
        }
    }
}

pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) stroke: Stroke,
    /// One for each second from the chart's first; a second that is not known is 0.
    pub(super) values: &'a [u64],
}

pub(super) struct Chart<'a> {
    pub(super) from: u64,
    pub(super) lines: Vec<Line<'a>>,
    /// Stretches of seconds, first and last index, under which a wash lies.
    pub(super) spans: Vec<(usize, usize)>,
    /// What the wash means.
    pub(super) span_name: &'a str,
    /// Indexes at which something happened.
    pub(super) pins: Vec<usize>,
    /// The sentence that says what the chart shows.
    pub(super) says: String,
}

impl Chart<'_> {
    pub(super) fn markup(&self) -> Markup {
        let length = length(&self.lines);
        let (top, step) = scale(most(&self.lines));
        html! {
            ul class="key" {
                @for line in &self.lines { li { (key(line.stroke)) (line.name) } }
                @if !self.spans.is_empty() {
                    li { svg viewBox="0 0 28 12" aria-hidden="true" { rect class="span" width="28" height="12" {} } (self.span_name) }
                }
            }
            div class="chart" { div class="plot tall" {
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label=(self.says) {
                    @for (from, to) in &self.spans {
                        rect class="span" x=(place(*from, length)) y="0" width=(width(*from, *to, length)) height="100" {}
                    }
                    path class="grid" d=(grid()) {}
                    @for line in &self.lines { (drawn(line, length, top)) }
                    @for pin in &self.pins { path class="pin" d={ "M" (place(*pin, length)) " 0V100" } {} }
                }
                div class="y" aria-hidden="true" { @for at in (0..=STEPS).rev() { span { (number(at * step)) } } }
                (ticks(self.from, length))
            } }
        }
    }
}

/// Several lines below each other on one scale, each with its highest value beside it.
pub(super) fn multiples(from: u64, lines: &[Line<'_>]) -> Markup {
    let length = length(lines);
    let (top, _) = scale(most(lines));
    html! {
        div class="chart" {
            @for line in lines {
                @let most = line.values.iter().max().copied().unwrap_or(0);
                div class="mini" {
                    span { (line.name) }
                    svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={ (line.name) ": " (number(most)) " a second at most" } { (drawn(line, length, top)) }
                    span class="n" { (number(most)) }
                }
            }
            div class="ticks inset" aria-hidden="true" { @for at in marks(from, length) { span { (at) } } }
        }
    }
}

/// Values of the longest of them.
fn length(lines: &[Line<'_>]) -> usize {
    let lengths = lines.iter().map(|line| line.values.len());
    lengths.max().unwrap_or(0)
}

/// The highest value of all.
fn most(lines: &[Line<'_>]) -> u64 {
    let values = lines.iter().flat_map(|line| line.values);
    values.max().copied().unwrap_or(0)
}

fn key(stroke: Stroke) -> Markup {
    html! {
        svg viewBox="0 0 28 12" aria-hidden="true" {
            @if stroke == Stroke::In {
                rect class="f-in wash" y="2" width="28" height="10" {}
                path class="k-in" d="M0 2h28" {}
            } @else { path class=(stroke.class()) d="M0 6h28" {} }
        }
    }
}

fn drawn(line: &Line<'_>, length: usize, top: u64) -> Markup {
    let path = path(line.values, length, top);
    html! {
        @if line.stroke == Stroke::In && !path.is_empty() {
            path class="f-in wash" d={ "M0 100L" (PreEscaped(&path[1..])) "V100z" } {}
        }
        path class=(line.stroke.class()) d=(PreEscaped(&path)) {}
    }
}

/// `M0 100L3 98.2…`: numbers and letters only.
fn path(values: &[u64], length: usize, top: u64) -> String {
    let mut path = String::new();
    let each = length.div_ceil(POINTS_MAX).max(1);
    for (at, chunk) in values.chunks(each).enumerate() {
        let most = chunk.iter().max().copied().unwrap_or(0);
        let x = (at * each) as f64 / length.max(1) as f64 * WIDTH;
        let y = HEIGHT * (1.0 - most as f64 / top as f64);
        let letter = if at == 0 { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{letter}{x:.0} {y:.1}");
    }
    path
}

fn grid() -> String {
    let line = |at: u64| format!("M0 {:.1}H1000", HEIGHT * at as f64 / STEPS as f64);
    (0..=STEPS).map(line).collect()
}

fn place(index: usize, length: usize) -> String {
    format!("{:.1}", index as f64 / length.max(1) as f64 * WIDTH)
}

fn width(from: usize, to: usize, length: usize) -> String {
    let seconds = to.saturating_sub(from) + 1;
    format!("{:.1}", seconds as f64 / length.max(1) as f64 * WIDTH)
}

fn ticks(from: u64, length: usize) -> Markup {
    html! { div class="ticks" aria-hidden="true" { @for at in marks(from, length) { span { (at) } } } }
}

/// Hours and minutes; of a short night the seconds too.
fn marks(from: u64, length: usize) -> impl Iterator<Item = String> {
    let last = length.saturating_sub(1) as u64;
    let chars = if last < 600 { 8 } else { 5 };
    (0..TICKS).map(move |at| {
        let mut mark = clock(from.saturating_add(last * at / (TICKS - 1)));
        mark.truncate(chars);
        mark
    })
}

/// The highest value of the axis and its step: 1, 2 or 5 with zeros, three of which hold the greatest value.
fn scale(most: u64) -> (u64, u64) {
    let mut ten: u64 = 1;
    loop {
        for step in [ten, ten.saturating_mul(2), ten.saturating_mul(5)] {
            if step.saturating_mul(STEPS) >= most {
                return (step.saturating_mul(STEPS), step);
            }
        }
        ten = ten.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_every_value() {
        assert_eq!((scale(0), scale(3), scale(4)), ((3, 1), (3, 1), (6, 2)));
        assert_eq!(
            (scale(1_700), scale(46_930)),
            ((3_000, 1_000), (60_000, 20_000))
        );
        assert!(scale(u64::MAX).0 >= u64::MAX / 2);
    }

    #[test]
    fn peaks_stay_however_long_the_night() {
        let mut values = vec![0; 10_000];
        values[7_777] = 50;
        let path = path(&values, values.len(), 60);
        assert!(
            path.contains(&format!(" {:.1}", 100.0 * (1.0 - 50.0 / 60.0))),
            "{path}"
        );
        assert!(path.len() < 8_000);
    }
}
