//! `/metrics` in the OpenMetrics text format: base units, and a label only where its values are those of an enum, so that
//! no crowd makes a series more. docs/metrics.md says what to do about each.

mod door;
mod house;
mod process;
mod rehearsals;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hustings_control::numbers::Number;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Deserialize;

use crate::api::App;
use crate::edge::EdgeStats;
use crate::numbers::{self, Value};
use crate::ops::log;
use crate::shield::ShieldStats;

/// A scrape that comes sooner after another gets the same text: whoever scrapes too often costs the house nothing.
const FRESH: Duration = Duration::from_millis(100);

/// The newest text.
#[derive(Default)]
pub(super) struct Rendered(Mutex<Option<(Instant, String)>>);

impl Rendered {
    /// The text as it is now, or was a moment ago.
    pub(super) fn text(&self, render: impl FnOnce() -> String) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = kept.as_ref()
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let text = render();
        *kept = Some((Instant::now(), text.clone()));
        text
    }
}

/// Everything is measured where it happens; this only writes it down, so a scrape costs the crowd nothing.
pub(super) fn render(app: &App, edge: &EdgeStats, shield: Option<ShieldStats>) -> String {
    let mut registry = Registry::default();
    process::tell(&mut registry);
    let hustings = registry.sub_registry_with_prefix("hustings");
    stages(hustings, app);
    of_listeners(hustings, app);
    crowd(hustings, edge);
    door::abuse(hustings, edge);
    door::gate(hustings, app);
    house::tell(hustings, app);
    rehearsals::tell(hustings, app);
    if let Some(shield) = shield {
        house::tell_shield(hustings, shield);
    }
    let mut text = String::new();
    // Writing to a String cannot fail; an empty page would still be a true answer.
    let _ = encode(&mut text, &registry);
    text
}

/// What a roster says that somebody should be woken for.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Troubles {
    phase: String,
    dead_air: bool,
    host_lost: bool,
}

fn stages(registry: &mut Registry, app: &App) {
    let spaces = app.directory.all();
    let running = spaces
        .values()
        .filter(|space| space.stage.load().is_some())
        .map(|space| serde_json::from_slice(&space.state_json.load()).unwrap_or_default())
        .collect::<Vec<Troubles>>();
    let live = |which: fn(&Troubles) -> bool| {
        let live = running.iter().filter(|space| space.phase == "live");
        as_gauge(live.filter(|space| which(space)).count() as u64)
    };
    let trouble = |is: bool| f64::from(u8::from(is));
    for (name, help, value) in [
        (
            "spaces",
            "Spaces this node knows, ended ones included.",
            as_gauge(spaces.len() as u64),
        ),
        (
            "stages",
            "Stages that run now.",
            as_gauge(running.len() as u64),
        ),
        ("spaces_live", "Spaces that are live now.", live(|_| true)),
        (
            "spaces_dead_air",
            "Live spaces in which nobody has been heard for a while, though somebody should.",
            live(|space| space.dead_air),
        ),
        (
            "spaces_host_lost",
            "Live spaces whose hosts have all lost the connection.",
            live(|space| space.host_lost),
        ),
        (
            "recording_trouble",
            "1 while the disk takes no recordings.",
            trouble(app.archive.trouble().is_some()),
        ),
    ] {
        gauge(registry, name, help, value);
    }
}

/// The numbers of docs/numbers.md, summed over all spaces. Their help is their definition.
fn of_listeners(registry: &mut Registry, app: &App) {
    let help = |number: Number| {
        let definition = number.definition();
        format!(
            "Sum over spaces of: {} ({})",
            definition.words, definition.exactness
        )
    };
    counter(
        registry,
        "log_left_out",
        "Messages left out of the log, for they were too many of one kind.",
        log::left_out(),
    );
    for (name, number) in [
        ("attempts", Number::Attempts),
        ("admitted", Number::Admitted),
        ("listeners_stayed", Number::Stayed),
        ("replay_plays", Number::Plays),
    ] {
        if let Value::Count(value) = numbers::of_node(&app.directory, number) {
            counter(registry, name, &help(number), value);
        }
    }
    if let Value::Millis(millis) = numbers::of_node(&app.directory, Number::ListenerMinutes) {
        registry.register_with_unit(
            "listening",
            help(Number::ListenerMinutes),
            Unit::Seconds,
            ConstCounter::new(millis as f64 / 1_000.0),
        );
    }
    for (name, number) in [
        ("listening_now", Number::Listening),
        ("listening_peak", Number::Peak),
        ("unique_listeners", Number::Uniques),
        ("waiting", Number::Waiting),
    ] {
        if let Value::Count(value) = numbers::of_node(&app.directory, number) {
            gauge(registry, name, &help(number), as_gauge(value));
        }
    }
}

fn crowd(registry: &mut Registry, edge: &EdgeStats) {
    for (name, help, value) in [
        (
            "listeners",
            "Connections in the shards now.",
            as_gauge(edge.listeners),
        ),
        (
            "connection_tasks",
            "Tasks of connections of the public listener that are no listeners: pages, and those that have not said what they want.",
            as_gauge(edge.tasks),
        ),
        (
            "http_connections",
            "Connections of the public listener that HTTP reads now.",
            as_gauge(edge.http_connections),
        ),
    ] {
        gauge(registry, name, help, value);
    }
    ratio(
        registry,
        "sweep_projected_load",
        "Share of a core that sweeps would take at the widest cadence.",
        edge.projected_load,
    );
    for (name, help, count) in [
        (
            "joins",
            "Connections that were sent a stream's head.",
            edge.joins,
        ),
        ("sweeps", "Sweeps of all shards.", edge.sweeps),
        (
            "listeners_too_slow",
            "Listeners closed because they fell off the ring.",
            edge.too_slow,
        ),
        (
            "joins_refused",
            "Requests for sound that were not let in.",
            edge.refused,
        ),
    ] {
        counter(registry, name, help, count);
    }
    let cadence_s = edge.cadence_ms as f64 / 1_000.0;
    registry.register_with_unit(
        "cadence",
        "Time between sweeps",
        Unit::Seconds,
        ConstGauge::new(cadence_s),
    );
    let sweep_s = edge.sweep_us as f64 / 1e6;
    registry.register_with_unit(
        "sweep",
        "Time spent in sweeps",
        Unit::Seconds,
        ConstCounter::new(sweep_s),
    );
    registry.register_with_unit(
        "sent",
        "Sound and heads written to listeners",
        Unit::Bytes,
        ConstCounter::new(edge.bytes),
    );
}

fn as_gauge(count: u64) -> f64 {
    count as f64
}

/// The library ends each help with a full stop.
fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let help = help.trim_end_matches('.');
    registry.register(name, help, ConstGauge::new(value));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let help = help.trim_end_matches('.');
    registry.register(name, help, ConstCounter::new(value));
}

/// A share, 0 to 1.
fn ratio(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let (help, unit) = (help.trim_end_matches('.'), Unit::Other("ratio".to_owned()));
    registry.register_with_unit(name, help, unit, ConstGauge::new(value));
}
