//! What hosts do to a running stage: lock, hold music, silence meant, own echo.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use hustings_control::ids::PersonId;
use hustings_control::spaces::Command;
use hustings_media::stage::SourceKey;
use serde::Deserialize;
use utoipa::ToSchema;

use super::door::{Door, In, UPLOAD_BYTES_MAX, UPLOAD_READ_MAX, read};
use super::problem::{Answer, Problem};
use super::spaces::{done, forget};
use super::view::SpaceView;
use super::who::InSpace;
use crate::stage::StageCall;

/// Milliseconds. Nobody means to be silent longer than this while live; longer is shortened to it.
const HUSH_MILLIS_MAX: u64 = 10 * 60_000;

/// A browser says that it is connected before the stage has its seat: the own echo waits up to 2 s for it, then is refused.
const SEAT_LOOKS_MAX: u32 = 20;
const SEAT_LOOK: Duration = Duration::from_millis(100);

#[derive(Deserialize, ToSchema)]
pub(super) struct Lock {
    locked: bool,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Switch {
    on: bool,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Hush {
    millis: u64,
}

/// Lock or unlock the stage
#[utoipa::path(post, path = "/api/v1/spaces/{id}/lock", tag = "stage", params(("id" = String, Path)), request_body = Lock,
    responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn lock(at: InSpace, In(Lock { locked }): In<Lock>) -> Answer<Json<SpaceView>> {
    done(&at, Command::LockStage { locked }).await
}

/// Hold music on or off while live
#[utoipa::path(post, path = "/api/v1/spaces/{id}/music", tag = "stage", params(("id" = String, Path)), request_body = Switch,
    responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn music(at: InSpace, In(Switch { on }): In<Switch>) -> Answer<Json<SpaceView>> {
    done(&at, Command::HoldMusic { on }).await
}

/// Upload hold music (WAV, FLAC, Ogg or MP3, at most 20 MiB)
#[utoipa::path(put, path = "/api/v1/spaces/{id}/hold-music", tag = "stage", params(("id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn put_hold_music(
    State(door): State<Door>,
    at: InSpace,
    body: Body,
) -> Answer<Json<SpaceView>> {
    at.needs_manager()?;
    let _place = door
        .uploads
        .try_acquire()
        .map_err(|_| Problem::busy("other uploads are under way; try again in a moment"))?;
    let file = read(body, UPLOAD_BYTES_MAX, UPLOAD_READ_MAX).await?;
    let (archive, id) = (at.app.archive.clone(), at.space.id.clone());
    let object = tokio::task::spawn_blocking(move || archive.store_music(&id, &file))
        .await
        .map_err(|e| Problem::internal(&e))??;
    let before = at.space.snapshot.load().hold_music_object.clone();
    let set = done(
        &at,
        Command::SetHoldMusic {
            object: Some(object.clone()),
        },
    )
    .await;
    // One of the two files is nobody's now.
    let orphan = if set.is_ok() {
        before
    } else {
        Some(object.clone())
    };
    let still_used = at.space.snapshot.load().hold_music_object.clone();
    forget(
        &at,
        orphan.filter(|orphan| Some(orphan) != still_used.as_ref()),
    );
    set
}

/// Back to the bundled hold music
#[utoipa::path(delete, path = "/api/v1/spaces/{id}/hold-music", tag = "stage", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn delete_hold_music(at: InSpace) -> Answer<Json<SpaceView>> {
    let before = at.space.snapshot.load().hold_music_object.clone();
    let view = done(&at, Command::SetHoldMusic { object: None }).await?;
    forget(&at, before);
    Ok(view)
}

/// Silence is meant: no dead-air warning for a while
#[utoipa::path(post, path = "/api/v1/spaces/{id}/hush", tag = "stage", params(("id" = String, Path)), request_body = Hush, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn hush(at: InSpace, In(Hush { millis }): In<Hush>) -> Answer<StatusCode> {
    at.needs_manager()?;
    call_stage(
        &at,
        StageCall::Hush {
            millis: millis.min(HUSH_MILLIS_MAX),
        },
    )
}

/// Hear oneself, for the sound check
#[utoipa::path(post, path = "/api/v1/spaces/{id}/echo", tag = "stage", params(("id" = String, Path)), request_body = Switch, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn echo(at: InSpace, In(Switch { on }): In<Switch>) -> Answer<StatusCode> {
    let person = at.needs_person()?;
    let mut tries = SEAT_LOOKS_MAX;
    let source = loop {
        if let Some(source) = seat_of(&at, person).await? {
            break source;
        }
        tries -= 1;
        if tries == 0 {
            return Err(Problem::caller(
                StatusCode::CONFLICT,
                "no-seat",
                "connect your microphone first: you have no seat on the stage",
            ));
        }
        tokio::time::sleep(SEAT_LOOK).await;
    };
    call_stage(&at, StageCall::Echo { source, on })
}

async fn seat_of(at: &InSpace, person: PersonId) -> Answer<Option<SourceKey>> {
    let (reply, seats) = tokio::sync::oneshot::channel();
    call_stage(at, StageCall::Seats { reply })?;
    let seats = seats.await.map_err(|_| no_stage())?;
    Ok(seats
        .iter()
        .find(|(_, sits)| *sits == person)
        .map(|(source, _)| *source))
}

fn no_stage() -> Problem {
    crate::ingest::IngestError::NoStage.into()
}

fn call_stage(at: &InSpace, call: StageCall) -> Answer<StatusCode> {
    let stage = at.space.stage.load();
    let calls = stage.as_ref().as_ref().ok_or_else(no_stage)?;
    calls
        .try_send(call)
        .map_err(|_| Problem::busy("the stage is busy; try again in a second"))?;
    Ok(StatusCode::NO_CONTENT)
}
