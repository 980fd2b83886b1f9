//! What strangers at the stage listener are refused, and what the shield does.

use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::registry::Registry;

use super::{counter, gauge};
use crate::api::App;
use crate::shield::ShieldStats;

pub(super) fn tell(registry: &mut Registry, app: &App) {
    counter(
        registry,
        "stage_strangers_dropped",
        "Requests on the stage listener that showed no right and were ended for others, most often while their body did not come.",
        app.directory.strangers_dropped.load(Relaxed),
    );
}

pub(super) fn tell_shield(registry: &mut Registry, shield: ShieldStats) {
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
