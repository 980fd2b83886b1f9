//! `/metrics` in the OpenMetrics text format: base units, and a label only where its values are bounded.

use hustings_control::gate::{Cause, Lane, Reason};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::api::App;
use crate::edge::{Abuse, EdgeStats};
use crate::shield::ShieldStats;

/// Everything is measured where it happens; this only writes it down, so a scrape costs the crowd nothing.
pub(super) fn render(app: &App, edge: &EdgeStats, shield: Option<ShieldStats>) -> String {
    let mut registry = Registry::with_prefix("hustings");
    let spaces = app.directory.all();
    let running = spaces
        .values()
        .filter(|space| space.stage.load().is_some())
        .count();
    gauge(
        &mut registry,
        "spaces",
        "Spaces this node knows, ended ones included.",
        as_gauge(spaces.len() as u64),
    );
    gauge(
        &mut registry,
        "stages",
        "Stages that run now.",
        as_gauge(running as u64),
    );
    crowd(&mut registry, edge);
    let recording_trouble = f64::from(u8::from(app.archive.trouble().is_some()));
    gauge(
        &mut registry,
        "recording_trouble",
        "1 while the disk takes no recordings.",
        recording_trouble,
    );
    door(&mut registry, edge);
    gate(&mut registry, app);
    if let Some(shield) = shield {
        tell_shield(&mut registry, shield);
    }
    let mut text = String::new();
    // Writing to a String cannot fail; an empty page would still be a true answer.
    let _ = encode(&mut text, &registry);
    text
}

fn crowd(registry: &mut Registry, edge: &EdgeStats) {
    gauge(
        registry,
        "listeners",
        "Connections in the shards now.",
        as_gauge(edge.listeners),
    );
    gauge(
        registry,
        "connection_tasks",
        "Tasks of connections of the public listener that are no listeners: pages, and those that have not said what they want.",
        as_gauge(edge.tasks),
    );
    gauge(
        registry,
        "http_connections",
        "Connections of the public listener that HTTP reads now.",
        as_gauge(edge.http_connections),
    );
    gauge(
        registry,
        "sweep_projected_load_ratio",
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
        "Time between sweeps.",
        Unit::Seconds,
        ConstGauge::new(cadence_s),
    );
    let sweep_s = edge.sweep_us as f64 / 1e6;
    registry.register_with_unit(
        "sweep",
        "Time spent in sweeps.",
        Unit::Seconds,
        ConstCounter::new(sweep_s),
    );
    registry.register_with_unit(
        "sent",
        "Sound and heads written to listeners.",
        Unit::Bytes,
        ConstCounter::new(edge.bytes),
    );
}

/// One series for each reason; the reasons are an enum's.
fn door(registry: &mut Registry, edge: &EdgeStats) {
    let family = Family::<[(&str, &str); 1], Counter>::default();
    for abuse in Abuse::ALL {
        family
            .get_or_create(&[("reason", abuse.name())])
            .inc_by(edge.abuse.of(abuse));
    }
    registry.register(
        "door_abuse",
        "Connections refused, given up or not believed at the crowd's door.",
        family,
    );
}

/// Lanes, verdicts and reasons are enums', so that the series are bounded, whoever knocks.
fn gate(registry: &mut Registry, app: &App) {
    let knocks = Family::<[(&str, &str); 3], Counter>::default();
    let (sum, spread) = {
        let book = app.entrance.book();
        (book.sum, book.spread)
    };
    for lane in Lane::ALL {
        let tally = sum.lane(lane);
        let count = |verdict, reason, count| {
            let labels = [
                ("lane", lane.name()),
                ("verdict", verdict),
                ("reason", reason),
            ];
            knocks.get_or_create(&labels).inc_by(count);
        };
        count("enter", "seated", tally.seated);
        count("enter", "took_over", tally.took_over);
        count("prove", "puzzle", tally.proving);
        for cause in Cause::ALL {
            count("wait", cause.name(), tally.waiting[cause as usize]);
        }
        for reason in Reason::ALL {
            count("turn_away", reason.name(), tally.turned_away_for(reason));
        }
    }
    registry.register(
        "door_knocks",
        "Knocks at the gates, by what was shown and answered.",
        knocks,
    );
    for (name, help, value) in [
        (
            "door_knocks_prefixes",
            "About how many prefixes knocked at the busiest gate in its last second.",
            spread.1,
        ),
        (
            "door_knocks_entropy_bits",
            "How the knocks spread over prefixes: 0 from one, 8 from very many alike.",
            spread.2,
        ),
    ] {
        gauge(registry, name, help, value);
    }
    doors(registry, app);
}

/// How full the node is, by what its door measures.
fn doors(registry: &mut Registry, app: &App) {
    let modes = Family::<[(&str, &str); 1], Gauge>::default();
    for door in app.entrance.doors().iter() {
        modes.get_or_create(&[("mode", door.mode().name())]).inc();
    }
    registry.register("doors", "Spaces whose door is open, by mode.", modes);
    let Some(standing) = app.entrance.standing() else {
        return;
    };
    for (name, help, value) in [
        (
            "seats",
            "Seats of the node by its load now.",
            f64::from(standing.capacity),
        ),
        (
            "seats_out",
            "Seats taken, held for tickets, or leased to shards.",
            f64::from(standing.out),
        ),
        (
            "ladder_step",
            "0: ground, 1: cadence widens, 2: side features are shed, 3: newcomers wait in line.",
            f64::from(standing.step as u8),
        ),
        (
            "load_memory_ratio",
            "Memory used of what there is.",
            standing.load.memory.share(),
        ),
        (
            "load_files_ratio",
            "Files used of what the crowd may have.",
            standing.load.files.share(),
        ),
        (
            "load_uplink_ratio",
            "Uplink used of what --uplink says.",
            standing.load.uplink.share(),
        ),
    ] {
        gauge(registry, name, help, value);
    }
}

fn tell_shield(registry: &mut Registry, shield: ShieldStats) {
    let connected = f64::from(u8::from(shield.connected));
    gauge(
        registry,
        "shield_connected",
        "1 while the shield's helper answers.",
        connected,
    );
    for (name, help, count) in [
        ("shield_offences", "Offences counted.", shield.noted),
        (
            "shield_offences_lost",
            "Offences not counted, for too many were under way.",
            shield.lost,
        ),
        (
            "shield_dropped",
            "Prefixes the helper was told to drop, and did.",
            shield.dropped,
        ),
        (
            "shield_refused",
            "Prefixes the helper would not drop.",
            shield.refused,
        ),
        (
            "shield_failures",
            "Times the helper could not be told.",
            shield.failures,
        ),
    ] {
        counter(registry, name, help, count);
    }
}

fn as_gauge(count: u64) -> f64 {
    count as f64
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}
