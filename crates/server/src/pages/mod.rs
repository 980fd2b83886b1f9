//! Pages (maud), assets embedded in the binary, and the crowd's small endpoints (state.json, events, ics).
use crate::api::App;
/// `/`, `/s/{id}`, `/s/{id}/state.json`, `/s/{id}/events`, `/s/{id}/replay…`, `/s/{id}/event.ics`, `/assets/…` of the public listener.
pub fn public_router(app: App) -> axum::Router { let _ = app; todo!() }
/// `/studio`, `/studio/{id}`, `/assets/…` of the stage listener.
pub fn studio_router(app: App) -> axum::Router { let _ = app; todo!() }
