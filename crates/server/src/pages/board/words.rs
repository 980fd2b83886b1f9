//! The sentence: is somebody harmed, and what do I do. The worst thing wins.

use super::view::Now;
use crate::alarms::{Alarm, Kind};

pub(super) struct Sentence {
    pub(super) head: String,
    /// What happens by itself, or what to do.
    pub(super) more: String,
    /// Somebody inside is harmed, or a space is silent: told to screen readers at once.
    pub(super) harm: bool,
}

/// Seconds in which harm counts as being now.
const HARM_NOW_S: usize = 60;

pub(super) fn sentence(now: &Now) -> Sentence {
    let of = |head: String, more: &str, harm| Sentence {
        head,
        more: more.to_owned(),
        harm,
    };
    let harmed = now.harmed(HARM_NOW_S);
    let alarm = |kind: Kind| now.alarms.iter().find(|alarm| alarm.alarm == kind);
    let (silent, lost) = (alarm(Kind::DeadAir), alarm(Kind::HostLost));
    if harmed > 0 {
        let head = if harmed == 1 {
            "One listener was cut off in the last minute.".to_owned()
        } else {
            format!("{harmed} listeners were cut off in the last minute.")
        };
        return of(
            head,
            "Their own line was too slow, or this node's is full: if many are cut off at once, look at the uplink.",
            true,
        );
    }
    if let Some(Alarm { what, alarm, .. }) = silent.or(lost) {
        return of(what.clone(), alarm.todo(), true);
    }
    if let Some(alarm) = now
        .alarms
        .iter()
        .find(|alarm| alarm.alarm != Kind::SeatsShort)
    {
        return of(
            format!("{} Everybody inside still hears.", alarm.what),
            alarm.alarm.todo(),
            false,
        );
    }
    let shut = now
        .spaces
        .iter()
        .filter(|glance| {
            glance
                .door
                .is_some_and(|door| door.wish.shut() != hustings_control::gate::Shut::No)
        })
        .count();
    let doors = |count: usize| match count {
        1 => "one door".to_owned(),
        many => format!("{many} doors"),
    };
    match (shut, now.storms()) {
        (0, 0) if now.listening() > 0 => of("All is well. Everybody hears.".to_owned(), "", false),
        (0, 0) => of("All is well. Nobody listens yet.".to_owned(), "", false),
        (0, storms) => of(
            format!("Storm at {}. Everybody inside still hears.", doors(storms)),
            "The line goes by arrival, by itself. You can tell those who wait something true.",
            false,
        ),
        (shut, _) => of(
            format!(
                "You keep {} shut. Everybody inside still hears.",
                doors(shut)
            ),
            "Newcomers do not come in until you open again.",
            false,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hustings_control::gate::Mode;
    use hustings_control::ids::{SpaceId, UnixMillis};
    use hustings_control::spaces::{Actor, Event, Recorded, Space};

    use super::*;
    use crate::alarms::Sample;
    use crate::glance::{DoorNow, Glance, OnStage};
    use crate::usher::DoorWish;

    fn glance(listening: u64, mode: Mode, paused: bool) -> Glance {
        let created = Recorded {
            seq: 1,
            at: UnixMillis(1),
            by: Actor::Operator,
            event: Event::Created {
                id: SpaceId::parse("town-hall").unwrap(),
                title: "Town hall".into(),
                description: String::new(),
                listed: true,
                starts_at: None,
                record: true,
            },
        };
        Glance {
            space: Arc::new(Space::replay([&created]).unwrap()),
            listening,
            peak: listening,
            stage: OnStage::default(),
            door: Some(DoorNow {
                mode,
                inside: 1,
                waiting: 5,
                wish: DoorWish {
                    paused,
                    ..DoorWish::default()
                },
            }),
        }
    }

    fn now(spaces: Vec<Glance>, kinds: &[Kind], harmed: u64) -> Now {
        let alarm = |kind: &Kind| Alarm {
            alarm: *kind,
            space: None,
            since: UnixMillis(1),
            what: format!("{}.", kind.name()),
        };
        Now {
            spaces,
            alarms: Arc::new(kinds.iter().map(alarm).collect()),
            samples: vec![Sample {
                harmed,
                ..Sample::default()
            }],
            ..Now::empty(UnixMillis(1_000))
        }
    }

    #[test]
    fn the_worst_is_said_first() {
        let calm = || vec![glance(3, Mode::Calm, false)];
        let storm = || vec![glance(3, Mode::Storm, false)];
        for (now, words, harm) in [
            (now(Vec::new(), &[], 0), "Nobody listens yet", false),
            (now(calm(), &[], 0), "Everybody hears", false),
            (
                now(storm(), &[Kind::SeatsShort], 0),
                "Storm at one door",
                false,
            ),
            (
                now(vec![glance(3, Mode::Storm, true)], &[], 0),
                "You keep one door shut",
                false,
            ),
            (
                now(storm(), &[Kind::Disk], 0),
                "disk. Everybody inside",
                false,
            ),
            (
                now(storm(), &[Kind::DeadAir, Kind::Disk], 0),
                "dead-air.",
                true,
            ),
            (
                now(storm(), &[Kind::DeadAir], 2),
                "2 listeners were cut off",
                true,
            ),
        ] {
            let said = sentence(&now);
            assert!(said.head.contains(words), "{words}: {}", said.head);
            assert_eq!(said.harm, harm);
        }
    }
}
