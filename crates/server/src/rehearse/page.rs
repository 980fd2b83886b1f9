//! A rehearsal as one page that stands by itself: words, tables and plots, nothing fetched from anywhere.

use hustings_rehearse::fit::{Capacity, Claim, Fit, Point};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::record::Record;
use super::seen::{Second, Spread};

/// Pixels of a plot.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 44.0;
/// Points of a curve: more seconds than that are thinned out.
const POINTS_MAX: usize = 640;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c1b1a;background:#fdfcfa}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd8d0;font-variant-numeric:tabular-nums}\
.claim{font-size:1.25rem;border-left:4px solid #1f6f54;padding-left:1rem}.no{border-color:#a8321e}svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#57534e}\
.line{fill:none;stroke:#1f6f54;stroke-width:2}.other{stroke:#a8321e}.band{fill:#1f6f5422}.dot{fill:#1c1b1a}.limit{stroke:#a8321e;stroke-dasharray:5 4}.axis{stroke:#a8a29e}\
@media(prefers-color-scheme:dark){body{color:#ece8e1;background:#1a1918}td,th{border-color:#45413c}text{fill:#b8b1a7}.dot{fill:#ece8e1}.line{stroke:#5cc19b}.band{fill:#5cc19b33}}";

pub fn page(record: &Record) -> String {
    let title = format!("Rehearsal of {}: {}", record.target, record.what);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p { "Seed " (record.seed) ", scale " (record.scale) ", " (record.parts.len()) " of " (record.of) " drivers, "
                    (format!("{:.0}", record.lasted_s)) " s. " @if record.permit.is_none() { "Without a permit, on this machine." } }
                @if let Some(why) = &record.ended_early { p class="claim no" { "Ended early: " (why) "." } }
                @if let Some(claim) = &record.claim { (claimed(claim, &record.points)) }
                (people(record))
                (seconds(&record.seen.seconds))
                (beside(record))
                (unseen(record))
            }
        }
    };
    page.into_string()
}

fn claimed(claim: &Claim, points: &[Point]) -> Markup {
    html! {
        h2 { "What this installation holds" }
        @match &claim.capacity {
            Some(capacity) => { p class="claim" { (sentence(capacity, claim.tested)) } }
            None => {
                p class="claim no" { "No claim is made." }
                ul { @for why in &claim.refused { li { (why) "." } } }
            }
        }
        @for fit in &claim.resources { (plot_fit(fit, points, claim)) }
        @if !claim.resources.is_empty() { (table_of_fits(claim)) }
    }
}

/// The claim in words.
pub fn sentence(capacity: &Capacity, tested: f64) -> String {
    let value = capacity.listeners.value;
    if capacity.at_least {
        return format!(
            "At least {value:.0} listeners: nothing ends within twice the {tested:.0} that were tested, and more is not claimed."
        );
    }
    let first = capacity.ends_first.map_or_else(String::new, |resource| {
        format!(" {resource:?} ends first.").replace("Cpu", "CPU")
    });
    format!(
        "{value:.0} listeners, and with 95 % certainty between {:.0} and {:.0}.{first} The highest load tested was {tested:.0}.",
        capacity.listeners.low, capacity.listeners.high
    )
}

fn table_of_fits(claim: &Claim) -> Markup {
    let whole = |value: f64| {
        if value.abs() >= 100.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.3}")
        }
    };
    html! {
        table {
            tr { th { "Resource" } th { "At rest" } th { "Each listener" } th { "Taken in up to" } th { "Ends with" } th { "Sigma, kappa (95 %)" } }
            @for fit in &claim.resources {
                tr {
                    td { (format!("{:?}", fit.resource).to_lowercase()) }
                    td { (whole(fit.at_rest)) }
                    td { (format!("{:.3e}", fit.each)) }
                    td { (whole(fit.limit)) }
                    td { @match fit.ends_at { Some(ends) => { (format!("{:.0} ({:.0} to {:.0})", ends.value, ends.low, ends.high)) } None => { "never by listeners" } } }
                    td { @if let Some(law) = fit.universal { (format!("{:.4} ({:.4} to {:.4}), {:.5} ({:.5} to {:.5})",
                        law.sigma.value, law.sigma.low, law.sigma.high, law.kappa.value, law.kappa.low, law.kappa.high)) } }
                }
            }
        }
        p { "Sigma is what waits for what is shared, kappa what each costs every other, in blocks of the smallest load." }
    }
}

/// Where values lie on the picture.
struct Frame {
    x_most: f64,
    y_most: f64,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        MARGIN
            + (WIDTH - MARGIN - 8.0) * (value / self.x_most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT
            - 28.0
            - (HEIGHT - 44.0) * (value / self.y_most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    fn axes(&self, x: &str, y: &str) -> Markup {
        let (bottom, left) = (self.y(0.0), self.x(0.0));
        html! {
            line class="axis" x1=(left) y1=(bottom) x2=(WIDTH) y2=(bottom) {}
            line class="axis" x1=(left) y1="8" x2=(left) y2=(bottom) {}
            text x=(WIDTH - 8.0) y=(HEIGHT - 8.0) text-anchor="end" { (x) ", up to " (short(self.x_most)) }
            text x=(left) y="14" dx="4" { (y) ", up to " (short(self.y_most)) }
        }
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{:.2}G", value / 1e9),
        size if size >= 1e6 => format!("{:.2}M", value / 1e6),
        size if size >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn plot_fit(fit: &Fit, points: &[Point], claim: &Claim) -> Markup {
    let x_most = claim.tested * 2.2;
    let frame = Frame {
        x_most,
        y_most: fit.limit.max(fit.at_rest + fit.each * claim.tested) * 1.1,
    };
    let line = |load: f64| frame.y(fit.at_rest + fit.each * load);
    let uses = points.iter().filter_map(|point| {
        Some((
            point.listeners,
            point
                .uses
                .iter()
                .find(|one| one.resource == fit.resource)?
                .used,
        ))
    });
    let name = format!("{:?}", fit.resource).to_lowercase();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{name} by listeners")) {
            (frame.axes("listeners", &name))
            @if let Some(ends) = fit.ends_at.filter(|ends| ends.low < x_most) {
                rect class="band" x=(frame.x(ends.low)) y="8" width=(frame.x(ends.high) - frame.x(ends.low)) height=(frame.y(0.0) - 8.0) {}
            }
            line class="limit" x1=(frame.x(0.0)) y1=(frame.y(fit.limit)) x2=(WIDTH) y2=(frame.y(fit.limit)) {}
            line class="line" x1=(frame.x(0.0)) y1=(line(0.0)) x2=(frame.x(x_most)) y2=(line(x_most)) {}
            @for (load, used) in uses { circle class="dot" cx=(frame.x(load)) cy=(frame.y(used)) r="3" {} }
        }
    }
}

fn people(record: &Record) -> Markup {
    let (people, sound, driver) = (&record.seen.people, &record.seen.sound, &record.seen.driver);
    let times = |spread: &Spread| {
        let at = |share| {
            spread.quantile(share).map_or_else(
                || "-".to_owned(),
                |ms| format!("{:.2}", f64::from(ms) / 1e3),
            )
        };
        format!("{} / {} / {} s", at(0.5), at(0.95), at(0.99))
    };
    let rows = [
        ("Came", people.came.to_string()),
        ("Heard", people.heard.to_string()),
        ("Had heard nothing at the end", people.waiting.to_string()),
        ("Gave up", people.gave_up.to_string()),
        ("Listened at once, the most", people.peak.to_string()),
        (
            "From the press they meant to the sound: half, 95 and 99 of a hundred",
            times(&people.waits),
        ),
        ("Lost the connection", people.disconnected.to_string()),
        (
            "Came back, and within",
            format!("{}, {}", people.back, times(&people.returns)),
        ),
        ("Sound heard", format!("{:.0} s", sound.heard_s)),
        (
            "Streams with gaps, and what was missing",
            format!("{}, {:.1} s", sound.gapped, sound.lost_ms as f64 / 1e3),
        ),
        (
            "Longest silence of those watched",
            format!(
                "{:.2} s of {}",
                sound.silence_ms as f64 / 1e3,
                sound.watched
            ),
        ),
        (
            "The driver: core, lateness (p99), not sent",
            format!(
                "{:.0} %, {:.1} ms, {}",
                driver.cpu * 100.0,
                driver.late_p99_ms,
                driver.unsent
            ),
        ),
    ];
    html! {
        h2 { "What people had" }
        table { @for (what, value) in rows { tr { td { (what) } td { (value) } } } }
        @if !record.seen.attacks.is_empty() {
            table {
                tr { th { "Attack" } th { "Sent" } th { "Let in" } th { "Refused" } th { "Closed" } th { "Not sent" } }
                @for (kind, part) in &record.seen.attacks {
                    tr { td { (format!("{kind:?}")) } td { (part.sent) } td { (part.let_in) } td { (part.refused) } td { (part.dropped) } td { (part.unsent) } }
                }
            }
        }
    }
}

fn seconds(seconds: &[Second]) -> Markup {
    let step = seconds.len().div_ceil(POINTS_MAX).max(1);
    let most = |of: fn(&Second) -> u32| seconds.iter().map(of).max().unwrap_or(0);
    let curve = |frame: &Frame, of: fn(&Second) -> u32| {
        let points = (0_u32..).zip(seconds).step_by(step);
        points
            .map(|(at, second)| {
                format!(
                    "{:.1},{:.1} ",
                    frame.x(f64::from(at)),
                    frame.y(f64::from(of(second)))
                )
            })
            .collect::<String>()
    };
    let frame = |most: u32| Frame {
        x_most: seconds.len() as f64,
        y_most: f64::from(most.max(1)),
    };
    let (inside, came) = (
        frame(most(|one| one.inside)),
        frame(most(|one| one.came.max(one.heard))),
    );
    html! {
        h2 { "Second by second" }
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="listeners" {
            (inside.axes("seconds", "listeners"))
            polyline class="line" points=(curve(&inside, |one| one.inside)) {}
        }
        p { "Who came (red) and who began to hear (green), a second:" }
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="presses and joins a second" {
            (came.axes("seconds", "people a second"))
            polyline class="line other" points=(curve(&came, |one| one.came)) {}
            polyline class="line" points=(curve(&came, |one| one.heard)) {}
        }
    }
}

fn beside(record: &Record) -> Markup {
    html! {
        @if !record.simulated.is_empty() {
            h2 { "The same night in the virtual world" }
            table {
                tr { th { "What" } th { "On the wire" } th { "Simulated" } th { "Difference" } }
                @for one in &record.simulated {
                    tr { td { (one.what) } td { (short(one.wire)) } td { (short(one.simulated)) } td { (short(one.wire - one.simulated)) } }
                }
            }
        }
    }
}

fn unseen(record: &Record) -> Markup {
    let all = record
        .claim
        .as_ref()
        .map_or(&record.not_rehearsed, |claim| &claim.not_rehearsed);
    html! {
        h2 { "What was not rehearsed" }
        ul { @for one in all { li { (one) "." } } }
    }
}
