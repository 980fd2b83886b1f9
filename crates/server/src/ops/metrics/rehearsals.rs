//! What came with a rehearsal's permit. It is in all other counts too: here it can be taken off.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{as_gauge, counter, gauge};
use crate::api::App;
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
