//! The operator listener: `/metrics`, `/healthz`, `/readyz`; and the log. Never reachable by the crowd's door.

pub mod log;
mod metrics;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::api::App;
use crate::edge::EdgeMeter;
use crate::shield::ShieldMeter;

#[derive(Clone)]
struct Operator {
    app: App,
    edge: EdgeMeter,
    shield: Option<ShieldMeter>,
}

pub fn router(app: App, edge: EdgeMeter, shield: Option<ShieldMeter>) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(Operator { app, edge, shield })
}

async fn scrape(State(operator): State<Operator>) -> impl IntoResponse {
    let text = metrics::render(
        &operator.app,
        &operator.edge.stats(),
        operator.shield.as_ref().map(ShieldMeter::stats),
    );
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
}

/// Ready: the desk answers and the disk takes recordings. A node that is not ready goes on carrying sound.
async fn ready(State(operator): State<Operator>) -> (StatusCode, String) {
    if let Some(trouble) = operator.app.archive.trouble() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("recordings: {trouble}\n"),
        );
    }
    (StatusCode::OK, "ready\n".to_owned())
}
