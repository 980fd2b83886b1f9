//! What the API says about spaces and people: views of snapshots. Ids of people and invitations are hex digits.

use hustings_control::ids::{InviteId, PersonId};
use hustings_control::spaces::space::{Invite, Person};
use hustings_control::spaces::{Phase, Role, Seat, Space};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::auth::hex;
use super::rights::may_speak;
use super::who::InSpace;
use crate::live::SpaceHandle;
use crate::numbers;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SpaceView {
    pub id: String,
    pub title: String,
    pub description: String,
    pub listed: bool,
    /// Whether it is, or will be, recorded.
    pub record: bool,
    /// `posted`, `open`, `live`, `ended` or `cancelled`.
    #[schema(value_type = String)]
    pub phase: Phase,
    /// Milliseconds since the Unix epoch, as all times here.
    pub created_at: u64,
    pub starts_at: Option<u64>,
    pub opened_at: Option<u64>,
    pub live_at: Option<u64>,
    pub ended_at: Option<u64>,
    pub cancel_reason: String,
    pub stage_locked: bool,
    /// Hold music plays while live.
    pub hold_music: bool,
    /// The hold music is an uploaded file.
    pub own_hold_music: bool,
    /// Listeners that were sent sound within the last 10 s.
    pub listening: u64,
    /// Highest `listening` since the space opened.
    pub peak: u64,
    /// Places in line whose turn has not come. Who has left without giving the place away is counted until then.
    pub waiting: u64,
    pub recording: Option<RecordingView>,
    /// The public page.
    pub page: String,
    pub studio: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RecordingView {
    pub millis: u64,
    pub deleted: bool,
}

impl SpaceView {
    pub(super) fn of(app: &App, handle: &SpaceHandle) -> Self {
        let space = handle.snapshot.load();
        Self {
            id: space.id.to_string(),
            title: space.title.clone(),
            description: space.description.clone(),
            listed: space.listed,
            record: space.record,
            phase: space.phase,
            created_at: space.created_at.0,
            starts_at: space.starts_at.map(|at| at.0),
            opened_at: space.opened_at.map(|at| at.0),
            live_at: space.live_at.map(|at| at.0),
            ended_at: space.ended_at.map(|at| at.0),
            cancel_reason: space.cancel_reason.clone(),
            stage_locked: space.stage_locked,
            hold_music: space.hold_music,
            own_hold_music: space.hold_music_object.is_some(),
            listening: handle.counts.listening(),
            peak: handle
                .counts
                .peak
                .load(std::sync::atomic::Ordering::Relaxed),
            waiting: numbers::waiting(handle),
            recording: space.recording.as_ref().map(|r| RecordingView {
                millis: r.millis,
                deleted: r.deleted,
            }),
            page: format!("{}/s/{}", app.public_url, space.id),
            studio: format!("{}/studio/{}", app.stage_url, space.id),
        }
    }
}

/// The caller, as the space knows them; a stranger has neither person nor role.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Me {
    pub person: Option<String>,
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// Holds a node-wide token or cookie as well.
    pub operator: bool,
    pub name: String,
    /// `none`, `taken` or `lost`.
    pub seat: &'static str,
    pub muted: bool,
    pub muted_by_host: bool,
    /// The raised hand was accepted.
    pub accepted: bool,
    pub banned: bool,
    pub may_speak: bool,
    pub hand: Option<HandView>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct HandView {
    pub since: u64,
    pub question: String,
}

impl Me {
    pub(super) fn of(at: &InSpace) -> Self {
        let space = at.space.snapshot.load();
        let operator = at.node.is_some();
        let Some((id, person)) = at
            .person
            .and_then(|id| space.people.get(&id).map(|person| (id, person)))
        else {
            return Self {
                operator,
                seat: seat_word(Seat::None),
                ..Self::default()
            };
        };
        Self {
            person: Some(hex(id.0)),
            role: Some(person.role),
            operator,
            name: person.name.clone(),
            seat: seat_word(person.seat),
            muted: person.muted,
            muted_by_host: person.muted_by_host,
            accepted: person.accepted,
            banned: person.banned,
            may_speak: may_speak(person),
            hand: space.hands.get(&id).map(|hand| HandView {
                since: hand.since.0,
                question: hand.question.clone(),
            }),
        }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PersonView {
    pub person: String,
    pub name: String,
    #[schema(value_type = String)]
    pub role: Role,
    /// `none`, `taken` or `lost`.
    pub seat: &'static str,
    pub muted: bool,
    pub muted_by_host: bool,
    pub accepted: bool,
    pub banned: bool,
    /// Of the connection, over its last seconds; absent without one.
    pub quality: Option<Quality>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Quality {
    /// Share of packets lost, 0 to 1.
    pub loss: f32,
    pub jitter_ms: f32,
    pub rtt_ms: f32,
}

impl PersonView {
    fn of(app: &App, space: &Space, id: PersonId, person: &Person) -> Self {
        let quality = (person.seat != Seat::None)
            .then(|| app.ingest.quality(&space.id, id))
            .flatten();
        Self {
            person: hex(id.0),
            name: person.name.clone(),
            role: person.role,
            seat: seat_word(person.seat),
            muted: person.muted,
            muted_by_host: person.muted_by_host,
            accepted: person.accepted,
            banned: person.banned,
            quality: quality.map(|(loss, jitter_ms, rtt_ms)| Quality {
                loss,
                jitter_ms,
                rtt_ms,
            }),
        }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RaisedHand {
    pub person: String,
    pub name: String,
    pub question: String,
    pub since: u64,
}

/// All that a studio shows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Studio {
    /// The node's wall clock, for countdowns.
    pub now: u64,
    pub space: SpaceView,
    pub me: Me,
    /// Who may speak or sits on stage; managers see everybody.
    pub people: Vec<PersonView>,
    /// Longest wait first. Managers see all, others their own.
    pub hands: Vec<RaisedHand>,
    /// The newest `state.json`: levels, who is heard.
    #[schema(value_type = Object)]
    pub state: serde_json::Value,
    /// Why the recording has stopped, when it has.
    pub recording_trouble: Option<String>,
}

impl Studio {
    pub(super) fn of(at: &InSpace) -> Self {
        let space = at.space.snapshot.load();
        let manages = at.manages();
        let shown = |person: &Person| manages || may_speak(person) || person.seat != Seat::None;
        let mut hands: Vec<_> = space
            .hands
            .iter()
            .filter(|(id, _)| manages || at.person == Some(**id))
            .collect();
        hands.sort_by_key(|(_, hand)| hand.since);
        let name_of = |id: &PersonId| {
            space
                .people
                .get(id)
                .map(|person| person.name.clone())
                .unwrap_or_default()
        };
        Self {
            now: at.app.clock.wall().0,
            space: SpaceView::of(&at.app, &at.space),
            me: Me::of(at),
            people: space
                .people
                .iter()
                .filter(|(_, person)| shown(person))
                .map(|(id, person)| PersonView::of(&at.app, &space, *id, person))
                .collect(),
            hands: hands
                .into_iter()
                .map(|(id, hand)| RaisedHand {
                    person: hex(id.0),
                    name: name_of(id),
                    question: hand.question.clone(),
                    since: hand.since.0,
                })
                .collect(),
            state: serde_json::from_slice(&at.space.state_json.load()).unwrap_or_default(),
            recording_trouble: at.app.archive.trouble_of(&at.space.id),
        }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct InviteView {
    pub invite: String,
    #[schema(value_type = String)]
    pub role: Role,
    pub name: String,
    pub expires_at: Option<u64>,
    pub revoked: bool,
}

impl InviteView {
    pub(super) fn of(id: InviteId, invite: &Invite) -> Self {
        Self {
            invite: hex(id.0),
            role: invite.role,
            name: invite.name.clone(),
            expires_at: invite.expires_at.map(|at| at.0),
            revoked: invite.revoked,
        }
    }
}

const fn seat_word(seat: Seat) -> &'static str {
    match seat {
        Seat::None => "none",
        Seat::Taken => "taken",
        Seat::LostSince(_) => "lost",
    }
}
