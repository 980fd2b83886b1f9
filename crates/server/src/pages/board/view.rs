//! The board, from what is known now: the sentence, the ladder, five numbers, charts, tables, what happened, what can be done.

use std::sync::Arc;

use hustings_control::gate::{Mode, Step};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::numbers::Number;
use maud::{Markup, html};

use super::words::{self, Sentence};
use super::{charts, happened, rehearsals, tables};
use crate::alarms::{Alarm, Sample, Webhook, webhook};
use crate::api::App;
use crate::glance::Glance;
use crate::numbers::{self, Value};
use crate::pages::parts::means;
use crate::pages::words::{As, moment, number};
use crate::rehearsal::{Kept, Told};
use crate::usher::{NodeEvent, Standing};

/// Spaces whose numbers are shown: the fullest.
const NUMBERS_MAX: usize = 12;

/// A space, its title, and its numbers.
pub(super) type OfSpace = (SpaceId, String, Vec<(Number, Value)>);

pub(super) struct Made {
    pub(super) title: String,
    pub(super) markup: Markup,
}

/// All that the board shows, read once.
pub(super) struct Now {
    pub(super) at: UnixMillis,
    /// Spaces that are not over, the fullest first.
    pub(super) spaces: Vec<Glance>,
    /// Of the same spaces: what is published of them.
    pub(super) numbers: Vec<OfSpace>,
    pub(super) alarms: Arc<Vec<Alarm>>,
    /// None: no webhook is set.
    pub(super) webhook: Option<webhook::Standing>,
    pub(super) samples: Vec<Sample>,
    pub(super) standing: Option<Standing>,
    pub(super) step: Step,
    pub(super) events: Vec<NodeEvent>,
    pub(super) rehearsals: Vec<Told>,
    /// Those that are over, of earlier runs too; oldest first.
    pub(super) kept: Vec<Kept>,
}

impl Now {
    fn of(app: &App) -> Self {
        let all = app.directory.all();
        let mut spaces: Vec<Glance> = all
            .values()
            .map(|handle| Glance::of(handle, &app.entrance))
            .filter(|glance| glance.space.is_going())
            .collect();
        spaces.sort_by(|a, b| (b.listening, &a.space.id).cmp(&(a.listening, &b.space.id)));
        let numbers = |glance: &Glance| {
            let handle = all.get(&glance.space.id)?;
            let value = |of| (of, numbers::of_space(handle, of));
            let title = glance.space.title.clone();
            Some((
                handle.id.clone(),
                title,
                Number::OF_A_SPACE.map(value).to_vec(),
            ))
        };
        Self {
            at: app.clock.wall(),
            numbers: spaces
                .iter()
                .take(NUMBERS_MAX)
                .filter_map(numbers)
                .collect(),
            spaces,
            alarms: app.watched.alarms(),
            webhook: app.watched.webhook.as_ref().map(Webhook::standing),
            samples: app.watched.samples(),
            standing: app.entrance.standing(),
            step: app.entrance.step(),
            events: app.entrance.events(),
            rehearsals: app.directory.rehearsals.told(app.clock.wall()),
            kept: app.directory.rehearsals.kept(),
        }
    }

    /// Of a space that is not over; of others the id is what is known.
    pub(super) fn title(&self, id: &SpaceId) -> String {
        let known = self.spaces.iter().find(|glance| glance.space.id == *id);
        known.map_or_else(|| id.to_string(), |glance| glance.space.title.clone())
    }

    /// Of a node on which nothing is and nothing was.
    #[cfg(test)]
    pub(super) fn empty(at: UnixMillis) -> Self {
        Self {
            at,
            spaces: Vec::new(),
            numbers: Vec::new(),
            alarms: Arc::default(),
            webhook: None,
            samples: Vec::new(),
            standing: None,
            step: Step::Ground,
            events: Vec::new(),
            rehearsals: Vec::new(),
            kept: Vec::new(),
        }
    }

    pub(super) fn listening(&self) -> u64 {
        self.spaces.iter().map(|glance| glance.listening).sum()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.spaces.iter().map(Glance::waiting).sum()
    }

    /// Listeners closed because they fell behind, of the last so many seconds.
    pub(super) fn harmed(&self, seconds: usize) -> u64 {
        let newest = self.samples.iter().rev().take(seconds);
        newest.map(|sample| sample.harmed).sum()
    }

    pub(super) fn storms(&self) -> usize {
        let doors = self.spaces.iter().filter_map(|glance| glance.door);
        doors.filter(|door| door.mode == Mode::Storm).count()
    }
}

pub(super) fn board(app: &App, open: &str) -> Made {
    let now = Now::of(app);
    let sentence = words::sentence(&now);
    Made {
        title: sentence.head.trim_end_matches('.').to_owned(),
        markup: html! { div class="wrap board" id="board" data-harm=(sentence.harm) { div class="stack" {
            (top(&now, &sentence))
            (ladder(&now))
            (numbers(&now))
            (alarms(&now))
            div class="cols even" {
                (charts::verdicts(&now))
                (charts::inside(&now))
                (tables::spaces(&now))
                (tables::prefixes(app))
                (tables::stage(&now))
                (tables::lanes(app))
                div class="stack" {
                    (happened::log(&now))
                    (rehearsals::rehearsals(&now))
                    (of_each_space(&now))
                }
                div class="stack" {
                    (tables::doings(app, &now, open))
                    (tables::preflight_form(&now))
                }
            }
        } } },
    }
}

fn top(now: &Now, sentence: &Sentence) -> Markup {
    html! { div data-part="top" {
        div class="head sect" { h1 class="verdict" { (sentence.head) } p class="state" { span class="soft" { (moment(now.at, As::Stamped, now.at)) } } }
        @if !sentence.more.is_empty() { p id="todo" { (sentence.more) } }
    } }
}

/// The steps of the node's ladder. Times are those of the newest steps.
fn ladder(now: &Now) -> Markup {
    let since = |to: Step| {
        now.events.iter().rev().find_map(|event| match event {
            NodeEvent::Ladder(step) if step.to == to => Some(step.at),
            _ => None,
        })
    };
    let stations = [
        (Step::Ground, "Calm", "all as usual"),
        (Step::Cadence, "Wider", "larger pieces, heard later"),
        (Step::Side, "Shed", "roster, reactions"),
        (Step::Line, "Line", "newcomers wait"),
    ];
    let full = now
        .standing
        .is_some_and(|standing| standing.load.full().is_some());
    html! { section data-part="ladder" aria-labelledby="lad" {
        h2 id="lad" class="vh" { "Overload ladder" }
        ol class="rail five" aria-label="Overload ladder" {
            @for (step, name, small) in stations {
                @let here = step == now.step && !full;
                li class={ @if step < now.step || full { "done" } @else if here { "now" } } aria-current=[here.then_some("step")] { b { (name) } small {
                    @if step > now.step { (small) } @else if let Some(at) = since(step) { "since " (moment(at, As::Second, now.at)) } @else { (small) }
                } }
            }
            li class={ @if full { "now" } } aria-current=[full.then_some("step")] { b { "Full" } small { @if full { "nobody comes in" } @else { "not reached" } } }
        }
    } }
}

fn numbers(now: &Now) -> Markup {
    let load = now.standing.map(|standing| standing.load);
    let harmed = now.harmed(crate::alarms::watch::SAMPLES_MAX);
    let silent = now
        .spaces
        .iter()
        .filter(|glance| glance.stage.dead_air)
        .count();
    html! { dl class="nums" data-part="numbers" {
        div { (term(Number::Listening, "Listening now")) dd class="big" id="n-listening" { (number(now.listening())) } dd class="means" { "on all spaces" } }
        div { (term(Number::Waiting, "Waiting")) dd class="big" id="n-waiting" { (number(now.waiting())) } dd class="means" { "at doors in a storm" } }
        div { (term(Number::ProjectedLoad, "Load")) dd class="big" id="n-load" { @match load { Some(load) => (format!("{:.2}", load.cpu)), None => "-" } } dd class="means" { "of a core; newcomers wait from 0.92" } }
        div { (term(Number::TooSlow, "Harmed inside")) dd class="big" id="n-harmed" { (number(harmed)) } dd class="means" { "cut off in the last 10 minutes" } }
        div { dt { details class="def" { summary { "Silent spaces" } p { "Spaces that are live and in which nobody has been heard for 10 s, unless silence is meant; exact." } } } dd class="big" id="n-silent" { (silent) } dd class="means" { "live, not heard for 10 s" } }
    } }
}

/// Its definition opens below it.
fn term(of: Number, name: &str) -> Markup {
    html! { dt { details class="def" { summary { (name) } p { (means(of)) } } } }
}

/// What is published of each space, with its definitions.
fn of_each_space(now: &Now) -> Markup {
    html! { section data-part="of-each" aria-labelledby="nu" {
        (super::head("nu", "Numbers of each space", "since the node’s start"))
        @for (id, title, numbers) in &now.numbers {
            details class="doing" data-space=(id) { summary { bdi { (title) } }
                dl class="nums" { @for (of, value) in numbers {
                    div { (term(*of, of.definition().title)) dd class="big" { @match value { Value::Count(count) => (number(*count)), Value::Millis(millis) => { (number(millis / 60_000)) " min" } } } }
                } }
            }
        }
        @if now.numbers.is_empty() { p class="soft" { "No space is open." } }
    } }
}

fn alarms(now: &Now) -> Markup {
    html! { section data-part="alarms" aria-labelledby="al" {
        (super::head("al", "Alarms", if now.alarms.is_empty() { "none" } else { "" }))
        @if !now.alarms.is_empty() {
            ul class="plain" {
                @for alarm in now.alarms.iter() {
                    li data-alarm=(alarm.alarm.name()) { span class="grow" { b { (alarm.what) } " " (alarm.alarm.todo()) } span class="soft" { "since " (moment(alarm.since, As::Second, now.at)) } }
                }
            }
        }
        p class="small soft" id="webhook" { @match &now.webhook {
            None => "No webhook is set: alarms are told here and in the log only."
            Some(of) => {
                "Messages the webhook took: " (number(of.told)) "; " (number(of.waiting as u64)) " wait, " (number(of.dropped)) " were dropped."
                @if let Some(why) = &of.trouble { " " b { "The last try failed: " } (why) "." }
            }
        } }
    } }
}
