//! What the flight recorder is started with.

use std::sync::Arc;

use hustings_evidence::row::Happening;

use crate::api::App;
use crate::config::Serve;
use crate::edge::Edge;
use crate::ops::flight::{self, FlightConfig, FlightThread, Line, Sources};
use crate::shield::Shield;
use crate::store::Store;

/// The flight recorder, and what is to be said of this start.
pub(super) fn record(
    config: &Serve,
    app: &App,
    line: Line,
    edge: &Edge,
    shield: &Shield,
    store: &Store,
) -> anyhow::Result<(FlightThread, Vec<Happening>)> {
    let sources = Sources {
        clock: app.clock,
        entrance: Arc::clone(&app.entrance),
        directory: Arc::clone(&app.directory),
        edge: edge.meter(),
        archive: app.archive.clone(),
        shield: shield.meter(),
        store: store.meter(),
        desk: app.desk.meter(),
        watched: Arc::clone(&app.watched),
        data: config.data.clone(),
    };
    let recorder = FlightConfig {
        data: config.data.clone(),
        keep_mib: config.flight_keep,
        settings: flight::settings(config),
    };
    app.entrance.record_to(app.flight.clone());
    FlightThread::start(&recorder, sources, &app.flight, line)
}
