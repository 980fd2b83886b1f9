//! The operator listener: `/metrics`, `/healthz`, `/readyz`; and the log.
use crate::api::App;
pub fn router(app: App, edge: std::sync::Arc<crate::edge::Edge>) -> axum::Router { let _ = (app, edge); todo!() }
