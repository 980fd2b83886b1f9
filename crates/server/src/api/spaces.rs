//! Making, scheduling, opening and ending spaces.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hustings_control::ids::{InviteId, SpaceId, UnixMillis};
use hustings_control::spaces::space::{Draft, double_option};
use hustings_control::spaces::{Actor, Command, Recorded, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::draw;
use super::door::In;
use super::invites::link;
use super::problem::{Answer, Problem};
use super::view::SpaceView;
use super::who::{InSpace, OnNode};

/// Events of the audit trail in one answer; the next are asked for by `after`.
const LOG_PAGE_MAX: u32 = 1_000;
#[derive(Deserialize, ToSchema)]
pub(super) struct NewSpace {
    /// 3 to 64 characters of a-z, 0-9 and '-'. Absent: drawn.
    #[serde(default)]
    id: Option<String>,
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default = "yes")]
    listed: bool,
    #[serde(default)]
    starts_at: Option<u64>,
    #[serde(default = "yes")]
    record: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize, ToSchema)]
pub(super) struct MadeSpace {
    #[serde(flatten)]
    space: SpaceView,
    /// Opens the studio as host.
    host_link: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Spaces {
    spaces: Vec<SpaceView>,
}

/// Absent fields stay as they are.
#[derive(Deserialize, ToSchema)]
pub(super) struct EditSpace {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    listed: Option<bool>,
    /// Null takes the time off.
    #[serde(default, with = "double_option")]
    #[schema(value_type = Option<u64>)]
    starts_at: Option<Option<u64>>,
    #[serde(default)]
    record: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Reason {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogPage {
    /// Sequence after which the answer begins.
    #[serde(default)]
    after: u64,
    #[serde(default)]
    max: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Log {
    #[schema(value_type = Vec<Object>)]
    events: Vec<Recorded>,
}

/// Make a space
#[utoipa::path(post, path = "/api/v1/spaces", tag = "spaces", request_body = NewSpace, responses((status = 201, body = MadeSpace), (status = "4XX", body = Problem)))]
pub(super) async fn create(who: OnNode, In(new): In<NewSpace>) -> Answer<impl IntoResponse> {
    who.needed()?;
    let bad_id = |e: hustings_control::ids::BadSpaceId| {
        Problem::caller(StatusCode::UNPROCESSABLE_ENTITY, "bad-id", e.to_string())
    };
    let id = new
        .id
        .as_deref()
        .map(SpaceId::parse)
        .transpose()
        .map_err(bad_id)?;
    let draft = Draft {
        title: new.title,
        description: new.description,
        listed: new.listed,
        starts_at: new.starts_at.map(UnixMillis),
        record: new.record,
    };
    let app = &who.app;
    let handle = app.desk.create(Actor::Operator, id, draft).await?;
    let invite = InviteId(draw().map_err(|e| Problem::internal(&e))?);
    app.desk
        .command(
            &handle.id,
            Actor::Operator,
            Command::Invite {
                invite,
                role: Role::Host,
                name: String::new(),
                expires_at: None,
            },
        )
        .await?;
    let (_, host_link) = link(app, &handle.id, invite, Role::Host, None)?;
    Ok((
        StatusCode::CREATED,
        Json(MadeSpace {
            space: SpaceView::of(app, &handle),
            host_link,
        }),
    ))
}

/// All spaces of this node, newest first
#[utoipa::path(get, path = "/api/v1/spaces", tag = "spaces", responses((status = 200, body = Spaces), (status = "4XX", body = Problem)))]
pub(super) async fn list(who: OnNode) -> Answer<Json<Spaces>> {
    who.needed()?;
    let mut spaces: Vec<_> = who
        .app
        .directory
        .all()
        .values()
        .map(|handle| SpaceView::of(&who.app, handle))
        .collect();
    spaces.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok(Json(Spaces { spaces }))
}

/// One space
#[utoipa::path(get, path = "/api/v1/spaces/{id}", tag = "spaces", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn get(at: InSpace) -> Answer<Json<SpaceView>> {
    at.actor()?;
    Ok(view(&at))
}

/// Change title, description, schedule, listing or recording
#[utoipa::path(patch, path = "/api/v1/spaces/{id}", tag = "spaces", params(("id" = String, Path)), request_body = EditSpace,
    responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn edit(at: InSpace, In(new): In<EditSpace>) -> Answer<Json<SpaceView>> {
    let starts_at = new.starts_at.map(|at| at.map(UnixMillis));
    done(
        &at,
        Command::Edit {
            title: new.title,
            description: new.description,
            listed: new.listed,
            starts_at,
            record: new.record,
        },
    )
    .await
}

/// Open the doors: hold music plays
#[utoipa::path(post, path = "/api/v1/spaces/{id}/open", tag = "spaces", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn open(at: InSpace) -> Answer<Json<SpaceView>> {
    done(&at, Command::Open).await
}

/// Go live
#[utoipa::path(post, path = "/api/v1/spaces/{id}/live", tag = "spaces", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn live(at: InSpace) -> Answer<Json<SpaceView>> {
    done(&at, Command::GoLive).await
}

/// End the space for everybody
#[utoipa::path(post, path = "/api/v1/spaces/{id}/end", tag = "spaces", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn end(at: InSpace) -> Answer<Json<SpaceView>> {
    done(&at, Command::End).await
}

/// Call the space off before it was live
#[utoipa::path(post, path = "/api/v1/spaces/{id}/cancel", tag = "spaces", params(("id" = String, Path)), request_body = Reason,
    responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn cancel(
    at: InSpace,
    In(Reason { reason }): In<Reason>,
) -> Answer<Json<SpaceView>> {
    done(&at, Command::Cancel { reason }).await
}

/// The audit trail
#[utoipa::path(get, path = "/api/v1/spaces/{id}/log", tag = "spaces", params(("id" = String, Path), LogPage), responses((status = 200, body = Log), (status = "4XX", body = Problem)))]
pub(super) async fn log(
    at: InSpace,
    page: Result<Query<LogPage>, QueryRejection>,
) -> Answer<Json<Log>> {
    at.needs_manager()?;
    let Query(page) = page.map_err(|_| {
        Problem::caller(
            StatusCode::BAD_REQUEST,
            "bad-query",
            "after and max are numbers",
        )
    })?;
    let events = at
        .app
        .desk
        .log(
            &at.space.id,
            page.after,
            page.max.unwrap_or(LOG_PAGE_MAX).min(LOG_PAGE_MAX),
        )
        .await?;
    Ok(Json(Log { events }))
}

/// Delete the recording for good
#[utoipa::path(delete, path = "/api/v1/spaces/{id}/recording", tag = "spaces", params(("id" = String, Path)), responses((status = 200, body = SpaceView), (status = "4XX", body = Problem)))]
pub(super) async fn delete_recording(at: InSpace) -> Answer<Json<SpaceView>> {
    let object = at
        .space
        .snapshot
        .load()
        .recording
        .as_ref()
        .map(|recording| recording.object.clone());
    let view = done(&at, Command::DeleteRecording).await?;
    forget(&at, object);
    Ok(view)
}

fn view(at: &InSpace) -> Json<SpaceView> {
    Json(SpaceView::of(&at.app, &at.space))
}

pub(super) async fn done(at: &InSpace, command: Command) -> Answer<Json<SpaceView>> {
    at.command(command).await?;
    Ok(view(at))
}

/// The event is what counts; a file that cannot be removed is the operator's to see.
pub(super) fn forget(at: &InSpace, object: Option<String>) {
    let Some(object) = object else { return };
    if let Err(error) = at.app.archive.delete(&object) {
        tracing::warn!(%error, object, "a file that is no longer wanted stays on the disk");
    }
}
