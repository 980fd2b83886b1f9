//! An action as a form names it: its fields read and written.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use hustings_control::gate::limits::SEATS_MAX;
use hustings_control::ids::SpaceId;
use hustings_control::limits::MESSAGE_CHARS_MAX;
use hustings_media::fanout::CadenceBounds;

use crate::api::parse_hex;
use crate::api::problem::{Answer, Problem};
use crate::usher::DoorWish;

type Fields = BTreeMap<String, String>;

const END_REHEARSAL: &str = "end-rehearsal";
/// In the place of a space: all that are not over. It must be said: a form that lost its space acts on none.
const ALL_SPACES: &str = "*";

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Newcomers wait, or come in again. No space: all that are not over.
    Pause { space: Option<SpaceId>, on: bool },
    /// Newcomers are turned away, or come in again.
    Drop { space: SpaceId, on: bool },
    /// Seats at most, and the share that is always kept.
    Limits {
        space: SpaceId,
        limit: Option<u32>,
        guaranteed: Option<f64>,
    },
    /// What all who listen and wait read; empty takes it away. No space: all that are not over.
    Tell {
        space: Option<SpaceId>,
        message: String,
    },
    /// Hold music, while live.
    Music { space: SpaceId, on: bool },
    /// Milliseconds.
    Cadence { min_ms: u64, max_ms: u64 },
    /// Its listeners are closed, and its drivers told so.
    EndRehearsal { id: u64 },
}

impl Act {
    /// Reads the fields of a form.
    ///
    /// # Errors
    /// Names the field and what it may be.
    pub fn read(fields: &Fields) -> Answer<Self> {
        let space = || match field(fields, "space") {
            "" => Err(wrong("space", "name one, or say * for all of them")),
            ALL_SPACES => Ok(None),
            id => SpaceId::parse(id)
                .map(Some)
                .map_err(|e| wrong("space", &e.to_string())),
        };
        let one = || space()?.ok_or_else(|| wrong("space", "choose one"));
        Ok(match field(fields, "does") {
            "pause" => Self::Pause {
                space: space()?,
                on: true,
            },
            "resume" => Self::Pause {
                space: space()?,
                on: false,
            },
            "drop" => Self::Drop {
                space: one()?,
                on: true,
            },
            "restore" => Self::Drop {
                space: one()?,
                on: false,
            },
            "limits" => Self::Limits {
                space: one()?,
                limit: number(fields, "limit", 1, u64::from(SEATS_MAX))?
                    .map(|limit| u32::try_from(limit).unwrap_or(SEATS_MAX)),
                guaranteed: share(fields)?,
            },
            "tell" => Self::Tell {
                space: space()?,
                message: message(fields)?,
            },
            "music" | "music-off" => Self::Music {
                space: one()?,
                on: field(fields, "does") == "music",
            },
            "cadence" => {
                let needed = |name| {
                    number(fields, name, 100, 2_000)?
                        .ok_or_else(|| wrong(name, "give milliseconds from 100 to 2000"))
                };
                Self::Cadence {
                    min_ms: needed("min_ms")?,
                    max_ms: needed("max_ms")?,
                }
            }
            END_REHEARSAL => Self::EndRehearsal {
                id: parse_hex(field(fields, "rehearsal"))
                    .ok_or_else(|| wrong("rehearsal", "its id is 16 hex digits"))?,
            },
            _ => return Err(wrong("does", "there is no such action")),
        })
    }

    /// The same fields again, for the form that confirms it.
    pub fn fields(&self) -> Fields {
        match self {
            Self::Pause { space, on } => {
                of_some(if *on { "pause" } else { "resume" }, space.as_ref(), &[])
            }
            Self::Drop { space, on } => of(if *on { "drop" } else { "restore" }, Some(space), &[]),
            Self::Limits {
                space,
                limit,
                guaranteed,
            } => limits(space, *limit, *guaranteed),
            Self::Tell { space, message } => {
                of_some("tell", space.as_ref(), &[("message", message)])
            }
            Self::Music { space, on } => {
                of(if *on { "music" } else { "music-off" }, Some(space), &[])
            }
            Self::Cadence { min_ms, max_ms } => cadence(*min_ms, *max_ms),
            Self::EndRehearsal { id } => {
                of(END_REHEARSAL, None, &[("rehearsal", &format!("{id:016x}"))])
            }
        }
    }

    /// Whether something undoes it.
    pub fn is_undoable(&self) -> bool {
        !matches!(self, Self::EndRehearsal { .. })
    }

    /// Whether it is done to every space that is not over.
    pub fn is_of_all(&self) -> bool {
        matches!(
            self,
            Self::Pause { space: None, .. } | Self::Tell { space: None, .. }
        )
    }

    pub fn space(&self) -> Option<&SpaceId> {
        match self {
            Self::Pause { space, .. } | Self::Tell { space, .. } => space.as_ref(),
            Self::Drop { space, .. } | Self::Limits { space, .. } | Self::Music { space, .. } => {
                Some(space)
            }
            Self::Cadence { .. } | Self::EndRehearsal { .. } => None,
        }
    }
}

pub(super) fn door_undo(space: &SpaceId, before: DoorWish, wish: DoorWish) -> Fields {
    if before.dropped != wish.dropped {
        of(
            if before.dropped { "drop" } else { "restore" },
            Some(space),
            &[],
        )
    } else if before.paused != wish.paused {
        of(
            if before.paused { "pause" } else { "resume" },
            Some(space),
            &[],
        )
    } else {
        limits(space, before.limit, before.guaranteed)
    }
}

pub(super) fn tell_undo(space: &SpaceId, before: &str) -> Fields {
    of("tell", Some(space), &[("message", before)])
}

pub(super) fn music_undo(space: &SpaceId, on: bool) -> Fields {
    of(if on { "music" } else { "music-off" }, Some(space), &[])
}

pub(super) fn cadence_undo(before: CadenceBounds) -> Fields {
    cadence(before.min_ms(), before.max_ms())
}

fn cadence(min_ms: u64, max_ms: u64) -> Fields {
    of(
        "cadence",
        None,
        &[
            ("min_ms", &min_ms.to_string()),
            ("max_ms", &max_ms.to_string()),
        ],
    )
}

fn limits(space: &SpaceId, limit: Option<u32>, guaranteed: Option<f64>) -> Fields {
    let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
    let share = guaranteed
        .map(|share| format!("{}", share * 100.0))
        .unwrap_or_default();
    of(
        "limits",
        Some(space),
        &[("limit", &limit), ("share", &share)],
    )
}

fn of(does: &str, space: Option<&SpaceId>, more: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::from([("does".to_owned(), does.to_owned())]);
    if let Some(space) = space {
        fields.insert("space".to_owned(), space.to_string());
    }
    for (name, value) in more {
        fields.insert((*name).to_owned(), (*value).to_owned());
    }
    fields
}

/// Of one space, or of all.
fn of_some(does: &str, space: Option<&SpaceId>, more: &[(&str, &str)]) -> Fields {
    let mut fields = of(does, space, more);
    fields
        .entry("space".to_owned())
        .or_insert_with(|| ALL_SPACES.to_owned());
    fields
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.trim())
}

fn number(fields: &Fields, name: &str, least: u64, most: u64) -> Answer<Option<u64>> {
    match field(fields, name) {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(
                name,
                &format!("a whole number from {least} to {most}"),
            )),
        },
    }
}

fn share(fields: &Fields) -> Answer<Option<f64>> {
    match field(fields, "share") {
        "" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Some(percent / 100.0)),
            _ => Err(wrong("share", "per cent of the seats, 0 to 100")),
        },
    }
}

fn message(fields: &Fields) -> Answer<String> {
    let message = field(fields, "message");
    if message.chars().count() > MESSAGE_CHARS_MAX {
        return Err(wrong(
            "message",
            &format!("at most {MESSAGE_CHARS_MAX} characters"),
        ));
    }
    Ok(message.to_owned())
}

fn wrong(field: &str, why: &str) -> Problem {
    Problem::caller(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad-field",
        format!("`{field}` cannot be so: {why}"),
    )
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
