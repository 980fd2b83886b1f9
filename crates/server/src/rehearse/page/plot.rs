//! Plots that stretch with the page: lines and dots are SVG, words and numbers are HTML and keep their size on a phone.

use std::fmt::Write as _;

use hustings_evidence::judge::words::number;
use maud::{Markup, html};

/// Points of a curve: of more seconds each is the highest of some.
const POINTS_MAX: usize = 320;
/// Width and height of a drawing in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 100.0;

/// Where values lie on the picture.
pub(super) struct Frame {
    pub(super) x_most: f64,
    pub(super) y_most: f64,
}

impl Frame {
    pub(super) fn x(&self, value: f64) -> f64 {
        WIDTH * (value / self.x_most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        HEIGHT - HEIGHT * (value / self.y_most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    /// A straight line between two points.
    pub(super) fn line(&self, from: (f64, f64), to: (f64, f64)) -> String {
        format!(
            "M{:.1} {:.1}L{:.1} {:.1}",
            self.x(from.0),
            self.y(from.1),
            self.x(to.0),
            self.y(to.1)
        )
    }

    /// A dot that stays round however far the picture is stretched: a stroke of no length with round ends.
    pub(super) fn dot(&self, at: (f64, f64)) -> String {
        format!("M{:.1} {:.1}h0", self.x(at.0), self.y(at.1))
    }

    /// One value a second.
    pub(super) fn curve(&self, values: &[u32]) -> String {
        let each = values.len().div_ceil(POINTS_MAX).max(1);
        let mut path = String::new();
        for (at, few) in values.chunks(each).enumerate() {
            let most = few.iter().max().copied().unwrap_or(0);
            let (x, y) = (self.x((at * each) as f64), self.y(f64::from(most)));
            // Writing to a String does not fail.
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
        }
        path
    }

    /// The picture with its axes: `says` is told to who does not see it, `x` names what lies below.
    pub(super) fn plot(&self, says: &str, x: &str, inside: &Markup) -> Markup {
        html! { div class="chart" { div class="plot tall" {
            svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label=(says) {
                path class="grid" d="M0 0H1000M0 50H1000M0 100H1000" {}
                (inside)
            }
            div class="y" aria-hidden="true" { span { (short(self.y_most)) } span { (short(self.y_most / 2.0)) } span { "0" } }
            div class="ticks" aria-hidden="true" { span { "0" } span { (short(self.x_most / 2.0)) } span { (short(self.x_most)) " " (x) } }
        } } }
    }
}

/// A line of a key, as it is drawn.
pub(super) fn key(lines: &[(&str, &str)]) -> Markup {
    html! { ul class="key" { @for (class, words) in lines {
        li { svg viewBox="0 0 28 12" aria-hidden="true" focusable="false" {
            @match *class {
                "band" => { rect class="span" width="28" height="12" {} }
                "dot" => { path class="dot" d="M14 6h0" {} }
                class => { path class=(class) d="M0 6h28" {} }
            }
        } (words) }
    } } }
}

/// 1.25G, 340.0M, 12,345, 5, 0.93.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{:.2}G", value / 1e9),
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 10.0 && value > 0.0 => number(value.round() as u64),
        size if size >= 10.0 => format!("{value:.0}"),
        size if size.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
