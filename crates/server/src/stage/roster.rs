//! The roster: what everybody may know of a space now, as JSON. It is `state.json`, the SSE messages, and what WebM and
//! MP4 carry between the sound.

use bytes::Bytes;
use hustings_control::ids::{PersonId, UnixMillis};
use hustings_control::reactions::Counts;
use hustings_control::spaces::space::Person;
use hustings_control::spaces::{Phase, Role, Seat, Space};
use hustings_media::fanout::Cadence;
use hustings_media::stage::SourceState;
use serde::Serialize;

/// What the running stage adds to a space's snapshot. The default is "no stage runs".
#[derive(Default)]
pub(super) struct LiveFacts<'a> {
    pub(super) listening: u64,
    pub(super) recording: bool,
    pub(super) music: bool,
    pub(super) dead_air: bool,
    /// Milliseconds between sweeps that a listener must be ready for.
    pub(super) cadence_ms: u64,
    pub(super) media_ms: u64,
    pub(super) reactions: Counts,
    pub(super) sources: &'a [(PersonId, SourceState)],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Roster {
    v: u8,
    id: String,
    phase: Phase,
    title: String,
    starts_at: Option<UnixMillis>,
    live_at: Option<UnixMillis>,
    ended_at: Option<UnixMillis>,
    listening: u64,
    recording: bool,
    music: bool,
    locked: bool,
    hands: usize,
    host_lost: bool,
    dead_air: bool,
    cadence_ms: u64,
    media_ms: u64,
    people: Vec<OnStage>,
    replay: bool,
    replay_ms: u64,
    cancel_reason: String,
    /// What the operator tells everybody; absent when nothing, for the roster travels in everybody's sound.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    /// Names this seating: levels that travel by themselves count for the roster with the same tag.
    tag: u8,
    /// Presses of the last 10 s; absent when nobody pressed, for the roster travels in everybody's sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: Option<Reactions>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Reactions {
    applaud: u32,
    agree: u32,
    disagree: u32,
    louder: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct OnStage {
    id: String,
    name: String,
    role: Role,
    level: u8,
    muted: bool,
    lost: bool,
    reason: &'static str,
}

impl Roster {
    pub(super) fn of(space: &Space, live: &LiveFacts<'_>) -> Self {
        let seated = || {
            space
                .people
                .iter()
                .filter(|(_, person)| person.seat != Seat::None)
        };
        let hosts = |lost: bool| {
            seated()
                .filter(|(_, person)| person.role == Role::Host)
                .any(|(id, person)| is_lost(*id, person, live.sources) == lost)
        };
        let replay = space
            .recording
            .as_ref()
            .filter(|recording| !recording.deleted && space.phase == Phase::Ended);
        let people = hosts_first(seated().map(|(id, person)| on_stage(*id, person, live.sources)));
        Self {
            v: 1,
            id: space.id.as_str().to_owned(),
            phase: space.phase,
            title: space.title.clone(),
            starts_at: space.starts_at,
            live_at: space.live_at,
            ended_at: space.ended_at,
            listening: live.listening,
            recording: live.recording,
            music: live.music,
            locked: space.stage_locked,
            hands: space.hands.len(),
            host_lost: hosts(true) && !hosts(false),
            dead_air: live.dead_air,
            cadence_ms: live.cadence_ms.max(Cadence::MS_MIN),
            media_ms: live.media_ms,
            tag: tag_of(&people),
            people,
            replay: replay.is_some(),
            replay_ms: replay.map_or(0, |recording| recording.millis),
            cancel_reason: space.cancel_reason.clone(),
            message: space.message.clone(),
            reactions: reactions(live.reactions),
        }
    }

    /// The same without presses: they are news for pages, but not worth a roster more in everybody's sound.
    pub(super) fn unmoved(mut self) -> Self {
        self.reactions = None;
        self
    }

    /// The same without what changes all the time, to see whether something else did.
    pub(super) fn quiet(mut self) -> Self {
        self.listening = 0;
        self.media_ms = 0;
        self.cadence_ms = 0;
        for person in &mut self.people {
            person.level = 0;
        }
        self
    }

    /// What changes all the time, in a few bytes for the stream: tag, cadence in steps of 100 ms, and a level of 4 bits for
    /// each of `people`, in their order, the first in the upper half of its byte.
    pub(super) fn levels(&self) -> Vec<u8> {
        levels_of(self.tag, self.cadence_ms, &self.people)
    }

    pub(super) fn json(&self) -> Bytes {
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(self).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
    }
}

/// The order in which plates stand, here and on the pages that the server writes.
fn hosts_first(people: impl Iterator<Item = OnStage>) -> Vec<OnStage> {
    let mut people: Vec<_> = people.collect();
    people.sort_by_key(|person| std::cmp::Reverse(person.role));
    people
}

fn reactions(counts: Counts) -> Option<Reactions> {
    let [applaud, agree, disagree, louder] = counts;
    counts.iter().any(|count| *count > 0).then_some(Reactions {
        applaud,
        agree,
        disagree,
        louder,
    })
}

fn levels_of(tag: u8, cadence_ms: u64, people: &[OnStage]) -> Vec<u8> {
    let cadence = cadence_ms.div_ceil(Cadence::ANNOUNCED_STEP_MS);
    let mut message = vec![tag, u8::try_from(cadence).unwrap_or(u8::MAX)];
    message.extend(people.chunks(2).map(|pair| {
        pair[0].level.min(15) << 4 | pair.get(1).map_or(0, |person| person.level.min(15))
    }));
    message
}

/// One byte of FNV-1a over who sits in which order.
fn tag_of(people: &[OnStage]) -> u8 {
    let hash = people
        .iter()
        .flat_map(|person| person.id.bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    hash.to_be_bytes().into_iter().fold(0, |a, b| a ^ b)
}

/// Lost by the records, and not heard: on a full disk nobody can be written down as back. A muted source owes no packets, so of
/// one that is muted the records are believed.
fn is_lost(id: PersonId, person: &Person, sources: &[(PersonId, SourceState)]) -> bool {
    let sends =
        |(owner, state): &(PersonId, SourceState)| *owner == id && !state.lost && !state.muted;
    matches!(person.seat, Seat::LostSince(_)) && !sources.iter().any(sends)
}

fn on_stage(id: PersonId, person: &Person, sources: &[(PersonId, SourceState)]) -> OnStage {
    let source = sources
        .iter()
        .find(|(owner, _)| *owner == id)
        .map(|(_, state)| state);
    let muted = person.muted || person.muted_by_host;
    let lost = is_lost(id, person, sources);
    let reason = if lost {
        "network-lost"
    } else if person.muted_by_host {
        "muted-by-host"
    } else if muted {
        "muted"
    } else if source.is_some_and(|state| state.zeros) {
        "microphone-silent"
    } else {
        ""
    };
    OnStage {
        id: format!("{:016x}", id.0),
        name: person.name.clone(),
        role: person.role,
        level: source
            .filter(|_| !muted && !lost)
            .map_or(0, |state| state.level),
        muted,
        lost,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use hustings_control::ids::UnixMillis;
    use hustings_media::limits::{LEVELS_BYTES_MAX, STAGE_SEATS_MAX};

    use super::*;

    fn seating(levels: &[u8]) -> Vec<OnStage> {
        let people = levels.iter().enumerate().map(|(id, level)| OnStage {
            id: format!("{id:016x}"),
            name: String::new(),
            role: Role::Speaker,
            level: *level,
            muted: false,
            lost: false,
            reason: "",
        });
        people.collect()
    }

    #[test]
    fn who_is_heard_is_not_lost_though_the_records_could_not_be_written() {
        let id = PersonId(7);
        let person = Person {
            role: Role::Host,
            name: "Ada".to_owned(),
            seat: Seat::LostSince(UnixMillis(5)),
            muted: false,
            muted_by_host: false,
            accepted: true,
            banned: false,
            invite: None,
        };
        let source = |lost, muted| SourceState {
            source: hustings_media::stage::SourceKey(1),
            level: 5,
            picked: true,
            lost,
            muted,
            zeros: false,
        };
        for (sources, lost) in [
            (vec![], true),
            (vec![(id, source(false, false))], false),
            (vec![(id, source(true, false))], true),
            (vec![(id, source(false, true))], true),
            (vec![(PersonId(8), source(false, false))], true),
        ] {
            let shown = on_stage(id, &person, &sources);
            assert_eq!((shown.lost, shown.reason == "network-lost"), (lost, lost));
        }
    }

    #[test]
    fn levels_are_a_few_bytes_in_the_order_of_the_people() {
        let people = seating(&[1, 9, 4]);
        assert_eq!(levels_of(7, 1_250, &people), [7, 13, 0x19, 0x40]);
        assert_eq!(levels_of(7, 100, &[]), [7, 1]);
        let full = levels_of(7, 2_000, &seating(&[9; STAGE_SEATS_MAX]));
        assert!(full.len() <= LEVELS_BYTES_MAX);
    }

    #[test]
    fn the_tag_is_that_of_the_seating_not_of_its_levels() {
        let tag = tag_of(&seating(&[1, 2]));
        assert_eq!(tag_of(&seating(&[3, 4])), tag);
        assert_ne!(tag_of(&seating(&[1, 2, 3])), tag);
        let mut turned = seating(&[1, 2]);
        turned.reverse();
        assert_ne!(tag_of(&turned), tag);
    }
}
