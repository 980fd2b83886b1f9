//! The report as one HTML file.

use hustings_evidence::judge::words::{clock, duration, number};
use hustings_evidence::judge::{Class, Evidence, Explanation, Minute, Outcome, Part};
use maud::{Markup, html};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use super::drawn::charts;
use super::{Numbers, Report};
use crate::paper::Paper;

/// What this page has beyond the pages of the evening: long tables fold in print, evidence keeps together, and times of a
/// chart have room on a phone.
const MORE_STYLE: &str = ".weigh li,.nums>div{break-inside:avoid}.wide td{min-inline-size:14rem}.hash{font-family:var(--mono);font-size:var(--t0);overflow-wrap:anywhere}@media(max-width:40rem){.ticks span:not(:first-child):not(:last-child){display:none}}@media print{details.data>summary{display:none}.scroll{overflow:visible}}";
const CHECK: &str = "M4 12.5l5.5 5.5L20.5 6";
const CROSS: &str = "M5 5l14 14M19 5L5 19";
const DAY: &[FormatItem<'static>] =
    format_description!("[weekday] [day padding:none] [month repr:long] [year]");

pub(super) fn page(report: &Report) -> Markup {
    let finding = &report.finding;
    Paper {
        title: format!("Report: {}", report.title),
        house: if report.public {
            "Public report"
        } else {
            "Operator’s report"
        },
        style: MORE_STYLE,
        main: html! {
            div class="stack" {
                p class="soft" { (report.title) " · " (when(finding.from, finding.to)) }
                h1 class="verdict" { (finding.headline) }
                p class="stand" { (finding.summary) }
            }
            (classes(report))
            (charts(report))
            (why(report))
            (others(report))
            (own_part(report))
            div class="cols even" { (ran_out(report)) (unknown(report)) }
            (harmed(report))
            (minute_by_minute(&report.minutes))
            (timeline(report))
            (figures(&report.numbers, report))
            (proof(report))
        },
        foot: html! {
            span { "Made by Hustings from its flight recorder. All times are UTC. No address is stored." }
            a href="#numbers" { "What the numbers mean" }
        },
    }
    .markup()
}

fn when(from: u64, to: u64) -> String {
    let day = i64::try_from(from)
        .ok()
        .and_then(|from| OffsetDateTime::from_unix_timestamp(from).ok());
    let day = day.and_then(|day| day.format(DAY).ok()).unwrap_or_default();
    format!("{day}, {} to {} UTC", clock(from), clock(to))
}

/// A word for each class, with why.
fn classes(report: &Report) -> Markup {
    html! {
        dl class="nums" {
            @for each in &report.finding.explanations {
                div { dt { (each.class.title()) } dd class="big" { (word(each)) } dd class="means" { (means(each)) } }
            }
        }
    }
}

fn word(each: &Explanation) -> &'static str {
    match each.part {
        Part::Main | Part::Contributed => "yes",
        Part::Present => "present",
        Part::NotShown => "not shown",
        Part::RuledOut => "no",
    }
}

fn means(each: &Explanation) -> String {
    let kinds: Vec<&str> = each.kinds.iter().map(|kind| kind.words()).collect();
    let kinds = if kinds.is_empty() || each.part <= Part::NotShown {
        String::new()
    } else {
        format!("{}; ", kinds.join(", "))
    };
    format!(
        "{kinds}{}; evidence {} ({} points)",
        each.part.words(),
        each.strength.words(),
        each.points
    )
}

/// The named classes, each with what speaks for it and against it.
fn why(report: &Report) -> Markup {
    let finding = &report.finding;
    html! {
        @for class in &finding.named {
            @if let Some(each) = finding.explanation(*class) {
                section class="stack" aria-labelledby=(id(*class)) {
                    h2 id=(id(*class)) { "Why we say " (each.class.title().to_lowercase()) }
                    div class="pair" {
                        div { h3 { "For" } (weighed(&each.supporting, CHECK, "Nothing.")) }
                        div { h3 { "Against" } (weighed(&each.against, CROSS, "Nothing found.")) }
                    }
                }
            }
        }
    }
}

fn id(class: Class) -> String {
    format!("why-{}", class.name())
}

fn weighed(evidence: &[Evidence], path: &str, none: &str) -> Markup {
    html! {
        ul class="weigh" {
            @for each in evidence {
                li { (icon(path)) span { (each.words) " " span class="soft small" { "(" (each.rule) ", " (format!("{:+}", each.points)) ")" } } }
            }
            @if evidence.is_empty() { li { span {} span class="soft" { (none) } } }
        }
    }
}

fn icon(path: &str) -> Markup {
    html! { svg class="i" viewBox="0 0 24 24" aria-hidden="true" focusable="false" { path d=(path) {} } }
}

fn others(report: &Report) -> Markup {
    let finding = &report.finding;
    let others: Vec<&Explanation> = finding
        .explanations
        .iter()
        .filter(|each| !finding.named.contains(&each.class))
        .collect();
    let all = |evidence: &[Evidence], none: &str| {
        let words: Vec<&str> = evidence.iter().map(|each| each.words.as_str()).collect();
        if words.is_empty() {
            none.to_owned()
        } else {
            words.join(" ")
        }
    };
    html! {
        @if !others.is_empty() {
            section aria-labelledby="others" {
                div class="head" { h2 id="others" { @if finding.named.is_empty() { "The explanations" } @else { "The other explanations" } } }
                div class="scroll" tabindex="0" role="group" aria-labelledby="others" { table class="roomy" {
                    thead { tr { th scope="col" { "Explanation" } th scope="col" { "For" } th scope="col" { "Against" } th scope="col" { "Weight" } } }
                    tbody { @for each in others { tr {
                        th scope="row" { (each.class.title()) }
                        td { (all(&each.supporting, "None found")) } td { (all(&each.against, "None found")) } td { (each.part.words()) }
                    } } }
                } }
            }
        }
    }
}

/// Mistakes of ours, and what would have helped.
fn own_part(report: &Report) -> Markup {
    let own = report
        .finding
        .explanation(Class::OwnMistake)
        .filter(|own| own.part >= Part::Present);
    html! {
        @if let Some(own) = own {
            section class="stack" aria-labelledby="own" {
                h2 id="own" { "Our own part" }
                @for each in &own.supporting { p class="stand" { (each.words) } }
            }
        }
        @if !report.finding.would_have_helped.is_empty() {
            section class="stack" aria-labelledby="helped" {
                h2 id="helped" { "What would have helped" }
                ul class="plain" { @for words in &report.finding.would_have_helped { li { (words) } } }
            }
        }
    }
}

fn ran_out(report: &Report) -> Markup {
    let finding = &report.finding;
    html! {
        section aria-labelledby="first" {
            div class="head" { h2 id="first" { "What ran out first" } }
            p { @match finding.ran_out_first { Some(resource) => { "First: " (resource) "." } None => "Nothing ran out." } }
            div class="scroll" tabindex="0" role="group" aria-labelledby="first" { table {
                thead { tr { th scope="col" { "Resource" } th scope="col" { "Highest" } th scope="col" class="num" { "Share" } th scope="col" class="num" { "At" } } }
                tbody { @for each in &finding.resources { tr {
                    th scope="row" { (each.resource) }
                    td { progress max="1000" value=(each.permille.min(1_000)) aria-label={ (each.resource) ": " (each.permille / 10) " percent" } {} }
                    td class="num" { (each.permille / 10) " %" }
                    td class="num" { (clock(each.ran_out_at.unwrap_or(each.at))) }
                } } }
            } }
        }
    }
}

fn unknown(report: &Report) -> Markup {
    html! {
        section aria-labelledby="not" {
            div class="head" { h2 id="not" { "What this report does not know" } }
            ul class="plain small" { @for words in &report.finding.unseen { li { (words) } } }
        }
    }
}

fn harmed(report: &Report) -> Markup {
    let harm = &report.finding.harm;
    let figure = |name: &str, value: String, means: &str| html! { div { dt { (name) } dd class="big" { (value) } dd class="means" { (means) } } };
    html! {
        section aria-labelledby="harm" {
            div class="head" { h2 id="harm" { "Who was harmed, and how much" } }
            @match (harm.from, harm.to) {
                (Some(from), Some(to)) => dl class="nums four" {
                    (figure("Longest line", number(harm.in_line_most), "most people in line in one second"))
                    (figure("Mean wait", harm.wait_mean_s.map_or("-".to_owned(), duration), "seconds in line, divided by those who came in while there was a line"))
                    (figure("Told to wait", number(harm.told_to_wait), "knocks that found no seat free for them; one person may knock often"))
                    (figure("Fell out", number(harm.fell_out), "connections inside that ended together, or that the node ended"))
                    (figure("Sound missed", duration(harm.silent_listener_seconds), "listener-seconds until those who fell out were back"))
                    (figure("Dead air", duration(harm.dead_air_listener_seconds), "listener-seconds in which nobody was heard on a live stage"))
                    (figure("Between", format!("{} and {}", clock(from), clock(to)), "first and last second of harm"))
                },
                _ => p { "Nobody, as far as this machine could see." },
            }
        }
    }
}

fn minute_by_minute(minutes: &[Minute]) -> Markup {
    html! {
        section aria-labelledby="minutes" {
            div class="head" { h2 id="minutes" { "Minute by minute" } span class="soft" { "minutes alike stand together" } }
            ul class="plain small" { @for minute in minutes { li {
                span class="lead-in" { (clock(minute.from)) @if minute.to - minute.from > 60 { " to " (clock(minute.to)) } }
                span class="grow" { (minute.words) }
            } } }
        }
    }
}

fn timeline(report: &Report) -> Markup {
    html! {
        @if !report.happenings.is_empty() {
            section aria-labelledby="happened" {
                div class="head" { h2 id="happened" { "What happened to the node" } }
                details class="data" { summary { (number(report.happenings.len() as u64)) " entries" @if report.happenings_more > 0 { ", and " (number(report.happenings_more as u64)) " more that are not listed" } }
                    ul class="plain small" { @for told in &report.happenings { li { span class="grow" { (told.words) "." } } } }
                }
            }
        }
    }
}

fn figures(numbers: &Numbers, report: &Report) -> Markup {
    let figure = |name: &str, value: u64, means: &str| html! { div { dt { (name) } dd class="big" { (number(value)) } dd class="means" { (means) } } };
    html! {
        section aria-labelledby="numbers" {
            div class="head" { h2 id="numbers" { "Every number, and what it counts" } }
            dl class="nums four" {
                (figure("Attempts", numbers.attempts, "knocks: requests for the sound or for a way in; retries and forged ones count"))
                (figure("Admitted", numbers.admitted, "knocks that were given a seat, or took over the seat they had"))
                (figure("Told to wait", numbers.told_to_wait, "knocks answered with “wait”; one person may knock often"))
                (figure("Turned away", numbers.turned_away, "knocks whose right was not good: forged, used, expired, for another space"))
                (figure("Peak", numbers.peak, &format!("most listeners inside in one second, at {}", clock(numbers.peak_at))))
                (figure("Listened at least 60 s", numbers.listened_60s, "connections that reached their 60th second"))
                (figure("Listener-minutes", numbers.listener_minutes, "sum over all seconds of those inside, in minutes"))
                (figure("Rows", report.finding.seconds_known, &format!("seconds known, {} % of the time", report.finding.known_permille / 10)))
                @if numbers.rehearsed > 0 || numbers.rehearsed_peak > 0 {
                    (figure("Rehearsed", numbers.rehearsed, &format!("attempts of a rehearsal, {} of them admitted; they are in the numbers above", number(numbers.rehearsed_admitted))))
                    (figure("Peak of rehearsals", numbers.rehearsed_peak, "most listeners of rehearsals in one second; they are among those inside"))
                    (figure("Rehearsed 60 s", numbers.rehearsed_60s, &format!("connections of a rehearsal that reached their 60th second; {} of the listener-minutes were a rehearsal’s", number(numbers.rehearsed_minutes))))
                }
            }
        }
    }
}

fn proof(report: &Report) -> Markup {
    let proof = &report.proof;
    html! {
        section class="stack" aria-labelledby="proof" {
            h2 id="proof" { @if proof.whole { "The records are whole" } @else { "The records are not whole" } }
            p { (proof.words) }
            @if !proof.hash.is_empty() {
                p class="small" { "Last line: " span class="hash" { (proof.hash) } }
                p class="small" { "Key of the node: " span class="hash" { (proof.key) } }
            }
            @if report.finding.outcome == Outcome::Undetermined { p class="small soft" { "Without enough rows, or with harm that no rule explains, no verdict is given." } }
        }
    }
}
