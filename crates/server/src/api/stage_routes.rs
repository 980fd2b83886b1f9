//! Routes of the stage listener: /api/v1, /s/{id}/whip, sign-in. Pages of the studio come from `pages`.
use super::App;
pub fn router(app: App) -> axum::Router { let _ = app; todo!() }
