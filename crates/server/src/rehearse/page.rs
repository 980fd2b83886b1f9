//! A rehearsal as one page that stands by itself, in the house's look: words, tables and plots, nothing fetched from anywhere.

mod plot;
mod seconds;

use hustings_evidence::judge::words::{duration, number};
use hustings_rehearse::fit::{Capacity, Claim, Fit, Point};
use maud::{Markup, html};

use self::plot::{Frame, key, short};
use self::seconds::seconds;
use super::record::Record;
use super::seen::Spread;
use crate::paper::Paper;

/// A dot is a stroke of no length with round ends: it stays round however far its picture is stretched.
const MORE_STYLE: &str = ".dot{fill:none;stroke:var(--ink);stroke-width:7;stroke-linecap:round;vector-effect:non-scaling-stroke}.unbound{list-style:square;padding-inline-start:1.2em}.unbound li+li{margin-block-start:var(--s2)}td:first-child{min-inline-size:8rem}";

pub fn page(record: &Record) -> String {
    let main = html! {
        div class="stack" {
            p class="soft" { "Rehearsal of " (record.target) " · " (what(record)) " · " (duration(record.lasted_s.max(0.0) as u64)) }
            h1 class="verdict" { (verdict(record)) }
            @if let Some(why) = &record.ended_early { p class="stand" { "It ended early: " (why) "." } }
            @if let Some(why) = &record.bottleneck { p class="stand" { "The driver was the bottleneck, and what it saw says little of the target: " (why) "." } }
            (reasons(record))
        }
        (figures(record))
        @if let Some(claim) = &record.claim { (resources(claim, &record.points)) }
        (seconds(&record.seen.seconds))
        (people(record))
        (beside(record))
        (unseen(record))
    };
    let drivers = format!("{} of {} drivers", record.parts.len(), record.of);
    Paper {
        title: format!("Rehearsal of {}: {}", record.target, record.what),
        house: "Rehearsal",
        style: MORE_STYLE,
        main,
        foot: html! { span {
            "Made by hustings rehearse. Seed " (record.seed) ", scale " (record.scale) ", " (drivers) "."
            @if record.permit.is_none() { " Without a permit, on this machine." }
        } },
    }
    .markup()
    .into_string()
}

fn what(record: &Record) -> String {
    if record.what == "claim" {
        "a claim".to_owned()
    } else {
        record.what.clone()
    }
}

/// The sentence at the top.
fn verdict(record: &Record) -> String {
    match &record.claim {
        Some(Claim {
            capacity: Some(capacity),
            ..
        }) => {
            let least = if capacity.at_least { "at least " } else { "" };
            let value = whole(capacity.listeners.value);
            format!("This installation holds {least}{value} listeners.")
        }
        Some(_) => "No claim is made.".to_owned(),
        None => {
            let people = &record.seen.people;
            format!("{} of {} heard.", number(people.heard), number(people.came))
        }
    }
}

fn reasons(record: &Record) -> Markup {
    let Some(claim) = &record.claim else {
        return html! {};
    };
    html! { @match &claim.capacity {
        Some(capacity) => { p class="stand" { (sentence(capacity, claim.tested)) } }
        None => {
            p class="stand" { "What was measured is shown below; nothing is concluded from it, because:" }
            ul class="unbound" { @for why in &claim.refused { li { (why) "." } } }
        }
    } }
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

fn whole(value: f64) -> String {
    number(value.max(0.0).round() as u64)
}

fn figures(record: &Record) -> Markup {
    let (people, sound) = (&record.seen.people, &record.seen.sound);
    let figure = |name: &str, value: String, means: &str| html! { div { dt { (name) } dd class="big" { (value) } dd class="means" { (means) } } };
    html! { dl class="nums four" {
        (figure("Came", number(people.came), "people who meant to press"))
        (figure("Heard", number(people.heard), "of them got sound at least once"))
        (figure("At once", number(people.peak), "listened at the same time, the most"))
        (figure("Streams with gaps", number(sound.gapped), &format!("something was missing in them, {:.1} s in all", sound.lost_ms as f64 / 1e3)))
    } }
}

/// One plot for each resource, and the numbers behind it.
fn resources(claim: &Claim, points: &[Point]) -> Markup {
    let claims = claim.capacity.is_some();
    html! { @if !claim.resources.is_empty() {
        section class="stack" aria-labelledby="uses" {
            div class="head" { h2 id="uses" { "What listeners use up" } span class="soft" { "each dot is one load that was held" } }
            (key(&uses_key(claims)))
            div class="cols even" { @for fit in &claim.resources { div {
                h3 { (name(fit)) }
                (plot_fit(fit, points, claim))
            } } }
            details class="data" { summary { "The same as a table" } (table_of_fits(claim)) }
        }
    } }
}

fn uses_key(claims: bool) -> Vec<(&'static str, &'static str)> {
    let mut key = vec![
        ("dot", "measured"),
        ("k-in", "the line through it"),
        ("k-away", "taken in up to here"),
    ];
    if claims {
        key.push(("band", "where it ends, with 95 % certainty"));
    }
    key
}

fn name(fit: &Fit) -> String {
    let name = format!("{:?}", fit.resource);
    if name == "Cpu" {
        "CPU".to_owned()
    } else {
        name
    }
}

fn table_of_fits(claim: &Claim) -> Markup {
    let figure = |value: f64| {
        if value.abs() >= 100.0 {
            short(value)
        } else {
            format!("{value:.3}")
        }
    };
    let claims = claim.capacity.is_some();
    html! {
        div class="scroll" tabindex="0" role="group" aria-labelledby="uses" { table {
            thead { tr {
                th scope="col" { "Resource" } th scope="col" class="num" { "At rest" } th scope="col" class="num" { "Each listener" } th scope="col" class="num" { "Taken in up to" }
                // Of a claim that is withdrawn nobody may read where it would have ended.
                @if claims { th scope="col" class="num" { "Ends with, listeners" } th scope="col" { "Sigma, kappa (95 %)" } }
            } }
            tbody { @for fit in &claim.resources { tr {
                th scope="row" { (name(fit)) }
                td class="num" { (figure(fit.at_rest)) }
                td class="num" { (format!("{:.3e}", fit.each)) }
                td class="num" { (figure(fit.limit)) }
                @if claims {
                    td class="num" { @match fit.ends_at { Some(ends) => { (whole(ends.value)) " (" (whole(ends.low)) " to " (whole(ends.high)) ")" } None => { "never by listeners" } } }
                    td { @if let Some(law) = fit.universal { (format!("{:.4} ({:.4} to {:.4}), {:.5} ({:.5} to {:.5})",
                        law.sigma.value, law.sigma.low, law.sigma.high, law.kappa.value, law.kappa.low, law.kappa.high)) } }
                }
            } } }
        } }
        @if claims { p class="small soft" { "Sigma is what waits for what is shared, kappa what each costs every other, in blocks of the smallest load." } }
    }
}

fn plot_fit(fit: &Fit, points: &[Point], claim: &Claim) -> Markup {
    let claims = claim.capacity.is_some();
    // A line beyond what was measured says where it ends: that is a claim.
    let x_most = claim.tested * if claims { 2.2 } else { 1.1 };
    let frame = Frame {
        x_most,
        y_most: fit.limit.max(fit.at_rest + fit.each * claim.tested) * 1.1,
    };
    let uses = points.iter().filter_map(|point| {
        let mut uses = point.uses.iter();
        let one = uses.find(|one| one.resource == fit.resource)?;
        Some((point.listeners, one.used))
    });
    let at = |load: f64| (load, fit.at_rest + fit.each * load);
    let ends = fit.ends_at.filter(|ends| claims && ends.low < x_most);
    let inside = html! {
        @if let Some(ends) = ends {
            rect class="span" x=(frame.x(ends.low)) y="0" width=((frame.x(ends.high) - frame.x(ends.low)).max(2.0)) height="100" {}
        }
        path class="k-away" d=(frame.line((0.0, fit.limit), (x_most, fit.limit))) {}
        path class="k-in" d=(frame.line(at(0.0), at(x_most))) {}
        @for one in uses { path class="dot" d=(frame.dot(one)) {} }
    };
    let says = format!(
        "{} by listeners: {} at rest, {} with the {} that were tested at most; people are taken in up to {}.",
        name(fit),
        short(fit.at_rest),
        short(fit.at_rest + fit.each * claim.tested),
        whole(claim.tested),
        short(fit.limit)
    );
    frame.plot(&says, "listeners", &inside)
}

fn times(spread: &Spread) -> String {
    let at = |share| spread.quantile(share).map(|ms| f64::from(ms) / 1e3);
    match (at(0.5), at(0.95), at(0.99)) {
        (Some(half), Some(most), Some(nearly)) => {
            format!("half within {half:.2} s, 95 % within {most:.2} s, 99 % within {nearly:.2} s")
        }
        _ => "nobody".to_owned(),
    }
}

fn rows(record: &Record) -> Vec<(&'static str, String)> {
    let (people, sound) = (&record.seen.people, &record.seen.sound);
    let driver = record.driver();
    let mut rows = vec![
        ("Had heard nothing at the end", number(people.waiting)),
        ("Gave up", number(people.gave_up)),
        (
            "From the press they meant to the sound",
            times(&people.waits),
        ),
        ("Lost the connection", number(people.disconnected)),
    ];
    if people.back > 0 {
        let back = format!("{}; {}", number(people.back), times(&people.returns));
        rows.push(("Came back", back));
    }
    rows.push((
        "Sound heard, of all together",
        duration(sound.heard_s.max(0.0) as u64),
    ));
    if sound.watched > 0 {
        rows.push((
            "Longest pause before the next piece came",
            format!(
                "{:.2} s, of {} streams watched as they came; a player plays on from what it has, and only what is counted as a gap was missing",
                sound.silence_ms as f64 / 1e3,
                number(sound.watched)
            ),
        ));
    }
    rows.push((
        "The driver itself, at its worst load",
        format!(
            "{:.0} % of its core; 99 of 100 presses were sent within {:.0} ms of their time; {} were not sent",
            driver.cpu * 100.0,
            driver.late_p99_ms.ceil(),
            number(driver.unsent)
        ),
    ));
    rows
}

fn people(record: &Record) -> Markup {
    html! { section class="stack" aria-labelledby="people" {
        div class="head" { h2 id="people" { "What people had" } }
        table { tbody { @for (what, value) in rows(record) { tr { th scope="row" { (what) } td { (value) } } } } }
        @if !record.seen.attacks.is_empty() {
            div class="scroll" tabindex="0" role="group" aria-label="Attacks" { table {
                thead { tr { th scope="col" { "Attack" } @for head in ["Sent", "Let in", "Refused", "Closed", "Not sent"] { th scope="col" class="num" { (head) } } } }
                tbody { @for (kind, part) in &record.seen.attacks { tr {
                    th scope="row" { (format!("{kind:?}")) }
                    @for count in [part.sent, part.let_in, part.refused, part.dropped, part.unsent] { td class="num" { (number(count)) } }
                } } }
            } }
        }
    } }
}

fn beside(record: &Record) -> Markup {
    html! { @if !record.simulated.is_empty() {
        section aria-labelledby="virtual" {
            div class="head" { h2 id="virtual" { "The same night in the virtual world" } }
            div class="scroll" tabindex="0" role="group" aria-labelledby="virtual" { table {
                thead { tr { th scope="col" { "What" } th scope="col" class="num" { "On the wire" } th scope="col" class="num" { "Simulated" } th scope="col" class="num" { "Difference" } } }
                tbody { @for one in &record.simulated { tr {
                    th scope="row" { (one.what) } td class="num" { (short(one.wire)) } td class="num" { (short(one.simulated)) } td class="num" { (short(one.wire - one.simulated)) }
                } } }
            } }
        }
    } }
}

fn unseen(record: &Record) -> Markup {
    let claim = record.claim.as_ref();
    let all = claim.map_or(&record.not_rehearsed, |claim| &claim.not_rehearsed);
    html! { section aria-labelledby="unseen" {
        div class="head" { h2 id="unseen" { "What was not rehearsed" } }
        ul class="unbound" { @for one in all { li { (one) "." } } }
    } }
}

#[cfg(test)]
#[path = "page/tests.rs"]
mod tests;
