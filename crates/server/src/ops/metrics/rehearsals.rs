//! What came with a rehearsal's permit. It is in all other counts too: here it can be taken off.

use hustings_control::numbers::Number;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::{as_gauge, counter, gauge};
use crate::api::App;
use crate::numbers::{self, Value};
use crate::rehearsal::Refusal;

pub(super) fn tell(registry: &mut Registry, app: &App) {
    let rehearsals = &app.directory.rehearsals;
    gauge(
        registry,
        "rehearsal_listeners",
        "Listeners of rehearsals now; they are among all listeners too.",
        as_gauge(rehearsals.listening()),
    );
    counter(
        registry,
        "rehearsal_requests",
        "Requests that showed a good permit.",
        rehearsals.requests(),
    );
    for (name, help, number) in [
        (
            "rehearsal_attempts",
            "Attempts of rehearsals; they are in attempts too.",
            Number::Attempts,
        ),
        (
            "rehearsal_admitted",
            "Admitted of rehearsals; they are in admitted too.",
            Number::Admitted,
        ),
        (
            "rehearsal_listeners_stayed",
            "Listeners of rehearsals who stayed; they are in listeners_stayed too.",
            Number::Stayed,
        ),
        (
            "rehearsal_listeners_too_slow",
            "Listeners of rehearsals closed because they fell off the ring; they are in listeners_too_slow too.",
            Number::TooSlow,
        ),
    ] {
        if let Value::Count(count) = numbers::rehearsed_of_node(&app.directory, number) {
            counter(registry, name, help, count);
        }
    }
    let heard = numbers::rehearsed_of_node(&app.directory, Number::ListenerMinutes);
    if let Value::Millis(millis) = heard {
        registry.register_with_unit(
            "rehearsal_listening",
            "Sound sent to listeners of rehearsals; it is in listening too",
            Unit::Seconds,
            ConstCounter::new(millis as f64 / 1_000.0),
        );
    }
    let refused = Family::<[(&str, &str); 1], Counter>::default();
    for refusal in Refusal::ALL {
        let reason = [("reason", refusal.name())];
        refused
            .get_or_create(&reason)
            .inc_by(rehearsals.refused(refusal));
    }
    registry.register(
        "rehearsal_refused",
        "Requests with a permit that were not answered as they asked",
        refused,
    );
}
