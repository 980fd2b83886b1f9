//! What an operator does to a running node, wherever it is asked for: the board or the API. Each is kept in the space's
//! audit trail and among the node's events, with what would undo it.

mod act;
mod question;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::{Actor, Command, DoorSet};
use hustings_evidence::row::{Happening, What, Who};
use hustings_media::fanout::{Cadence, CadenceBounds};

pub use self::act::Act;
use crate::api::App;
use crate::api::problem::{Answer, Problem};
use crate::live::SpaceHandle;
use crate::ops::flight::happening;
use crate::rehearsal::{CannotEnd, Ends, Permit};
use crate::usher::{DoorWish, NodeEvent};

/// Something that an operator did. The JSON is a promise: add, never change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {
    pub at: UnixMillis,
    pub by: String,
    /// Which action, as forms name it.
    pub does: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceId>,
    /// In a sentence.
    pub what: String,
    /// The fields of the action that undoes it; empty when nothing does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undo: BTreeMap<String, String>,
}

impl Act {
    /// Does it, for one space or for all that are not over.
    ///
    /// # Errors
    /// When it cannot be so, with what to do; of all spaces those before the one that refused are changed.
    pub async fn perform(self, app: &App) -> Answer<()> {
        match self {
            Self::Cadence { min_ms, max_ms } => set_cadence(app, min_ms, max_ms),
            Self::Pause { space, on } => {
                for handle in concerned(app, space.as_ref())? {
                    let wish = DoorWish {
                        paused: on,
                        ..app.entrance.wish(&handle.id)
                    };
                    of_all(&space, set_door(app, &handle, wish).await)?;
                }
                Ok(())
            }
            Self::Drop { space, on } => {
                let handle = known(app, &space)?;
                let wish = DoorWish {
                    dropped: on,
                    ..app.entrance.wish(&space)
                };
                set_door(app, &handle, wish).await
            }
            Self::Limits {
                space,
                limit,
                guaranteed,
            } => {
                let handle = known(app, &space)?;
                let wish = DoorWish {
                    limit,
                    guaranteed,
                    ..app.entrance.wish(&space)
                };
                set_door(app, &handle, wish).await
            }
            Self::Tell { space, message } => {
                for handle in concerned(app, space.as_ref())? {
                    of_all(&space, tell(app, &handle, &message).await)?;
                }
                Ok(())
            }
            Self::Music { space, on } => {
                let handle = known(app, &space)?;
                set_music(app, &handle, on).await
            }
            Self::EndRehearsal { id } => end_rehearsal(app, id),
        }
    }
}

/// The one space, or all that are not over.
fn concerned(app: &App, space: Option<&SpaceId>) -> Answer<Vec<Arc<SpaceHandle>>> {
    if let Some(space) = space {
        return Ok(vec![known(app, space)?]);
    }
    let all = app.directory.all();
    let going = all
        .values()
        .filter(|handle| handle.snapshot.load().is_going());
    Ok(going.cloned().collect())
}

/// Of all spaces those that are so already are no trouble.
fn of_all(space: &Option<SpaceId>, done: Answer<()>) -> Answer<()> {
    match done {
        Err(problem) if space.is_none() && problem.code() == "no-change" => Ok(()),
        done => done,
    }
}

fn known(app: &App, space: &SpaceId) -> Answer<Arc<SpaceHandle>> {
    app.directory.get(space).ok_or_else(Problem::unknown_space)
}

/// Sets what is wished of a space's door, and keeps who did it.
pub async fn set_door(app: &App, handle: &SpaceHandle, wish: DoorWish) -> Answer<()> {
    let before = app.entrance.wish(&handle.id);
    if before == wish {
        return Err(Problem::caller(
            StatusCode::CONFLICT,
            "no-change",
            "the door is so already",
        ));
    }
    // First the records: a door that was changed by nobody would be the worst of all.
    let set = DoorSet {
        guaranteed_permille: wish.guaranteed.map(permille),
        limit: wish.limit,
        paused: wish.paused,
        dropped: wish.dropped,
    };
    let noted = app
        .desk
        .command(&handle.id, Actor::Operator, Command::NoteDoor(set));
    noted.await?;
    app.entrance.set_wish(&handle.id, wish);
    app.entrance.look();
    let title = handle.snapshot.load().title.clone();
    let (does, what) = door_words(&title, before, wish);
    app.entrance.wished(&handle.id, &before, &wish);
    let undo = act::door_undo(&handle.id, before, wish);
    note(app, does, Some(&handle.id), what, undo);
    if !app.entrance.keep_now().await {
        return Err(Problem::busy(
            "the door is set, but that could not be written: a restart would forget it",
        ));
    }
    Ok(())
}

fn door_words(title: &str, before: DoorWish, wish: DoorWish) -> (&'static str, String) {
    if before.dropped != wish.dropped {
        return if wish.dropped {
            ("drop", format!("{title}: the public door is dropped."))
        } else {
            ("restore", format!("{title}: the public door is back."))
        };
    }
    if before.paused != wish.paused {
        return if wish.paused {
            ("pause", format!("{title}: the door is paused."))
        } else {
            ("resume", format!("{title}: the door is open again."))
        };
    }
    let seats = |wish: DoorWish| {
        wish.limit
            .map_or("no limit".to_owned(), |limit| format!("at most {limit}"))
    };
    let share = |wish: DoorWish| {
        wish.guaranteed
            .map_or("the node's share".to_owned(), |share| {
                format!("{:.1} % of the seats", share * 100.0)
            })
    };
    (
        "limits",
        format!(
            "{title}: {}, {} (before: {}, {}).",
            seats(wish),
            share(wish),
            seats(before),
            share(before)
        ),
    )
}

async fn tell(app: &App, handle: &SpaceHandle, message: &str) -> Answer<()> {
    let (title, before) = {
        let space = handle.snapshot.load();
        (space.title.clone(), space.message.clone())
    };
    let command = Command::Tell {
        message: message.to_owned(),
    };
    app.desk
        .command(&handle.id, Actor::Operator, command)
        .await?;
    app.entrance.look();
    let told = handle.snapshot.load().message.clone();
    let what = if told.is_empty() {
        format!("{title}: the message was taken away.")
    } else {
        format!("{title}: listeners are told “{told}”")
    };
    let undo = act::tell_undo(&handle.id, &before);
    note(app, "tell", Some(&handle.id), what, undo);
    Ok(())
}

async fn set_music(app: &App, handle: &SpaceHandle, on: bool) -> Answer<()> {
    let command = Command::HoldMusic { on };
    app.desk
        .command(&handle.id, Actor::Operator, command)
        .await?;
    let title = handle.snapshot.load().title.clone();
    let word = if on { "on" } else { "off" };
    let what = format!("{title}: hold music was put {word}.");
    note(
        app,
        "music",
        Some(&handle.id),
        what,
        act::music_undo(&handle.id, !on),
    );
    Ok(())
}

/// Moves the bounds of the cadence; shards follow no faster than players stretch.
pub fn set_cadence(app: &App, min_ms: u64, max_ms: u64) -> Answer<()> {
    let Some(bounds) = CadenceBounds::new(min_ms, max_ms) else {
        return Err(Problem::caller(
            StatusCode::UNPROCESSABLE_ENTITY,
            "cadence-out-of-bounds",
            format!(
                "The cadence may move between {} and {} ms, and min_ms is at most max_ms.",
                Cadence::MS_MIN,
                Cadence::MS_MAX
            ),
        ));
    };
    let before = app.directory.pace.bounds();
    app.directory.pace.set_bounds(bounds);
    let range = |bounds: CadenceBounds| format!("{}-{}", bounds.min_ms(), bounds.max_ms());
    app.entrance.happened(Happening {
        what: What::CadenceChanged,
        who: Who::Operator,
        before: range(before).as_str().into(),
        after: range(bounds).as_str().into(),
        ..happening(&app.clock)
    });
    let what = format!(
        "The cadence moves between {min_ms} and {max_ms} ms (before: {} and {} ms).",
        before.min_ms(),
        before.max_ms()
    );
    note(app, "cadence", None, what, act::cadence_undo(before));
    Ok(())
}

/// An operator has permitted a rehearsal: kept, for whoever has the permit may load the node.
pub fn rehearsal_permitted(app: &App, permit: &Permit) {
    let what = format!(
        "The rehearsal {:016x} was permitted: {} listeners, {} requests a second.",
        permit.id, permit.people, permit.rate
    );
    note(app, "permit-rehearsal", None, what, BTreeMap::new());
}

/// Its listeners are closed, and all that is asked by its permit from now on is answered with that, whether anything has come
/// of it already or not.
pub fn end_rehearsal(app: &App, id: u64) -> Answer<()> {
    let ended = app.directory.rehearsals.end(id, app.clock.wall());
    let what = match &ended {
        Ok(Ends::Permit) => {
            format!("The rehearsal permit {id:016x} was revoked; nothing had come of it.")
        }
        Ok(Ends::Rehearsal) | Err(CannotEnd::Unwritten(_)) => {
            format!("The rehearsal {id:016x} was ended.")
        }
        Err(full @ CannotEnd::Full) => {
            return Err(Problem::caller(
                StatusCode::CONFLICT,
                "too-many-revoked",
                format!("{full}. What is under way is ended; its permit is not."),
            ));
        }
    };
    note(app, "end-rehearsal", None, what, BTreeMap::new());
    ended.map(drop).map_err(|error| {
        tracing::error!(%error, "the end of a rehearsal could not be written");
        Problem::busy(
            "it is ended, but that could not be written: a restart would let it begin again",
        )
    })
}

fn note(
    app: &App,
    does: &str,
    space: Option<&SpaceId>,
    what: String,
    undo: BTreeMap<String, String>,
) {
    app.entrance.note(NodeEvent::Action(Done {
        at: app.clock.wall(),
        by: "operator".to_owned(),
        does: does.to_owned(),
        space: space.cloned(),
        what,
        undo,
    }));
}

fn permille(share: f64) -> u32 {
    (share * 1_000.0).round() as u32
}
