//! What would come of a command: the space's own doings here, those of its people in `people`.

use super::command::{Actor, Command, DoorSet};
use super::event::Event;
use super::phase::Phase;
use super::refusal::Refusal;
use super::role::Role;
use super::space::Space;
use super::text;
use crate::ids::UnixMillis;
use crate::limits::{
    DESCRIPTION_CHARS_MAX, MESSAGE_CHARS_MAX, OBJECT_CHARS_MAX, REASON_CHARS_MAX, TITLE_CHARS_MAX,
};

pub(super) type Decision = Result<Vec<Event>, Refusal>;

impl Space {
    /// What would happen. Changes nothing.
    pub fn decide(&self, by: Actor, command: Command, now: UnixMillis) -> Decision {
        if let Actor::Person(id) = by
            && self.people.get(&id).is_some_and(|person| person.banned)
        {
            return Err(Refusal::Banned);
        }
        match command {
            Command::Edit {
                title,
                description,
                listed,
                starts_at,
                record,
            } => {
                self.needs_host(by)?;
                self.edit(
                    Wish {
                        title,
                        description,
                        listed,
                        starts_at,
                        record,
                    },
                    now,
                )
            }
            Command::Open => {
                self.needs_manager(by)?;
                self.needs_phase(&[Phase::Posted], "only a posted space can open")?;
                Ok(vec![Event::Opened])
            }
            Command::GoLive => self.go_live(by),
            Command::End => self.end(by),
            Command::Cancel { reason } => self.cancel(by, &reason),
            Command::LockStage { locked } => {
                self.needs_manager(by)?;
                self.needs_going()?;
                changes(self.stage_locked != locked, "the stage is so already")?;
                Ok(vec![Event::StageLocked { locked }])
            }
            Command::HoldMusic { on } => self.switch_hold_music(by, on),
            Command::SetHoldMusic { object } => self.choose_hold_music(by, object),
            Command::Tell { message } => self.tell(by, &message),
            Command::NoteDoor(set) => self.note_door(by, set),
            Command::RecordingClosed { object, millis } => {
                self.close_recording(by, &object, millis)
            }
            Command::DeleteRecording => self.delete_recording(by),
            Command::Tick => {
                needs_node(by)?;
                Ok(self.tick(now))
            }
            about_people => self.decide_on_people(by, about_people, now),
        }
    }

    fn edit(&self, wish: Wish, now: UnixMillis) -> Decision {
        let title = wish
            .title
            .map(|new| text::some_line(&new, "the title", TITLE_CHARS_MAX))
            .transpose()?;
        let description = wish
            .description
            .map(|new| text::lines(&new, "the description", DESCRIPTION_CHARS_MAX))
            .transpose()?;
        let title = title.filter(|new| *new != self.title);
        let description = description.filter(|new| *new != self.description);
        let listed = wish.listed.filter(|new| *new != self.listed);
        let starts_at = wish.starts_at.filter(|new| *new != self.starts_at);
        let record = wish.record.filter(|new| *new != self.record);
        if starts_at.is_some() {
            self.needs_phase(
                &[Phase::Posted, Phase::Open],
                "its start cannot change any more",
            )?;
        }
        if starts_at.flatten().is_some_and(|at| at < now) {
            return Err(Refusal::StartInPast);
        }
        if record.is_some() {
            // Who speaks or listens has been told whether this is recorded.
            self.needs_phase(
                &[Phase::Posted, Phase::Open],
                "whether it is recorded is settled before it goes live",
            )?;
        }
        let any = title.is_some()
            || description.is_some()
            || listed.is_some()
            || starts_at.is_some()
            || record.is_some();
        changes(any, "everything is so already")?;
        Ok(vec![Event::Edited {
            title,
            description,
            listed,
            starts_at,
            record,
        }])
    }

    fn go_live(&self, by: Actor) -> Decision {
        self.needs_manager(by)?;
        self.needs_phase(
            &[Phase::Posted, Phase::Open],
            "only a posted or open space can go live",
        )?;
        let opened = (self.phase == Phase::Posted).then_some(Event::Opened);
        Ok(opened.into_iter().chain([Event::WentLive]).collect())
    }

    fn end(&self, by: Actor) -> Decision {
        self.needs_host(by)?;
        self.needs_phase(
            &[Phase::Open, Phase::Live],
            "only an open or live space can end",
        )?;
        Ok(vec![Event::Ended { by_itself: false }])
    }

    fn cancel(&self, by: Actor, reason: &str) -> Decision {
        self.needs_host(by)?;
        self.needs_phase(
            &[Phase::Posted, Phase::Open],
            "only a space that was not yet live can be cancelled",
        )?;
        Ok(vec![Event::Cancelled {
            reason: text::lines(reason, "the reason", REASON_CHARS_MAX)?,
        }])
    }

    fn switch_hold_music(&self, by: Actor, on: bool) -> Decision {
        self.needs_manager(by)?;
        self.needs_phase(&[Phase::Live], "hold music is switched by hand while live")?;
        changes(self.hold_music != on, "the hold music is so already")?;
        Ok(vec![Event::HoldMusic {
            on,
            by_itself: false,
        }])
    }

    fn choose_hold_music(&self, by: Actor, object: Option<String>) -> Decision {
        self.needs_manager(by)?;
        self.needs_going()?;
        let object = object
            .map(|key| text::some_line(&key, "the hold music's key", OBJECT_CHARS_MAX))
            .transpose()?;
        changes(
            self.hold_music_object != object,
            "this is the hold music already",
        )?;
        Ok(vec![Event::HoldMusicSet { object }])
    }

    fn tell(&self, by: Actor, message: &str) -> Decision {
        self.needs_host(by)?;
        self.needs_going()?;
        let message = text::line(message, "the message", MESSAGE_CHARS_MAX)?;
        changes(self.message != message, "this is told already")?;
        Ok(vec![Event::Told { message }])
    }

    fn note_door(&self, by: Actor, set: DoorSet) -> Decision {
        needs_node(by)?;
        self.needs_going()?;
        Ok(vec![Event::DoorSet(set)])
    }

    fn close_recording(&self, by: Actor, object: &str, millis: u64) -> Decision {
        needs_node(by)?;
        self.needs_phase(
            &[Phase::Live, Phase::Ended],
            "only what was live is recorded",
        )?;
        if self.live_at.is_none() {
            return Err(Refusal::WrongPhase {
                phase: self.phase,
                why: "it was never live",
            });
        }
        let object = text::some_line(object, "the recording's key", OBJECT_CHARS_MAX)?;
        if let Some(known) = &self.recording {
            changes(!known.deleted, "the recording was deleted")?;
            changes(
                known.object != object || known.millis != millis,
                "the recording is closed already",
            )?;
        }
        Ok(vec![Event::RecordingClosed { object, millis }])
    }

    fn delete_recording(&self, by: Actor) -> Decision {
        // The node deletes what is older than the operator wants to keep.
        if by != Actor::Node {
            self.needs_host(by)?;
        }
        self.needs_phase(
            &[Phase::Ended],
            "a recording can be deleted when the space has ended",
        )?;
        let recording = self.recording.as_ref().ok_or(Refusal::Unknown {
            what: "a recording",
        })?;
        changes(!recording.deleted, "the recording was deleted already")?;
        Ok(vec![Event::RecordingDeleted])
    }

    pub(super) fn needs_host(&self, by: Actor) -> Result<(), Refusal> {
        self.needs(by, Role::Host)
    }

    pub(super) fn needs_manager(&self, by: Actor) -> Result<(), Refusal> {
        self.needs(by, Role::CoHost)
    }

    fn needs(&self, by: Actor, needed: Role) -> Result<(), Refusal> {
        if self.role_of(by) >= Some(needed) {
            Ok(())
        } else {
            Err(Refusal::NotAllowed { needed })
        }
    }

    pub(super) fn needs_phase(&self, phases: &[Phase], why: &'static str) -> Result<(), Refusal> {
        if phases.contains(&self.phase) {
            Ok(())
        } else {
            Err(Refusal::WrongPhase {
                phase: self.phase,
                why,
            })
        }
    }

    pub(super) fn needs_going(&self) -> Result<(), Refusal> {
        if self.is_going() {
            Ok(())
        } else {
            Err(Refusal::WrongPhase {
                phase: self.phase,
                why: "it is over",
            })
        }
    }
}

struct Wish {
    title: Option<String>,
    description: Option<String>,
    listed: Option<bool>,
    starts_at: Option<Option<UnixMillis>>,
    record: Option<bool>,
}

pub(super) fn changes(does: bool, why: &'static str) -> Result<(), Refusal> {
    if does {
        Ok(())
    } else {
        Err(Refusal::Already { why })
    }
}

/// An operator may stand in for the node; nobody in a space may.
fn needs_node(by: Actor) -> Result<(), Refusal> {
    match by {
        Actor::Node | Actor::Operator => Ok(()),
        Actor::Person(_) => Err(Refusal::NotAllowed { needed: Role::Host }),
    }
}
