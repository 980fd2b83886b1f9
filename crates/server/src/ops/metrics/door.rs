//! The crowd's door: what it refused, who knocked and what was said, how full the node is.

use hustings_control::gate::{Cause, Lane, Reason};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{gauge, ratio};
use crate::api::App;
use crate::edge::{Abuse, EdgeStats};

/// One series for each reason; the reasons are an enum's.
pub(super) fn abuse(registry: &mut Registry, edge: &EdgeStats) {
    let family = Family::<[(&str, &str); 1], Counter>::default();
    for abuse in Abuse::ALL {
        family
            .get_or_create(&[("reason", abuse.name())])
            .inc_by(edge.abuse.of(abuse));
    }
    registry.register(
        "door_abuse",
        "Connections refused, given up or not believed at the crowd's door",
        family,
    );
}

/// Lanes, verdicts and reasons are enums', so that the series are bounded, whoever knocks.
pub(super) fn gate(registry: &mut Registry, app: &App) {
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
        "Knocks at the gates, by what was shown and answered",
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
    registry.register("doors", "Spaces whose door is open, by mode", modes);
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
    ] {
        gauge(registry, name, help, value);
    }
    for (name, help, value) in [
        (
            "load_memory",
            "Memory used of what there is.",
            standing.load.memory.share(),
        ),
        (
            "load_files",
            "Files used of what the crowd may have.",
            standing.load.files.share(),
        ),
        (
            "load_uplink",
            "Uplink used of what --uplink says.",
            standing.load.uplink.share(),
        ),
    ] {
        ratio(registry, name, help, value);
    }
}
