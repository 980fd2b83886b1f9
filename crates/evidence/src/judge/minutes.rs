//! The night minute by minute, in numbers and in words.

use serde::Serialize;

use super::second::Second;
use super::words::{clock, duration, number, plain};
use crate::row::{Happening, What};

/// A minute, or several that were alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Minute {
    /// First and last second, since 1970.
    pub from: u64,
    pub to: u64,
    pub knocks: u64,
    pub came_in: u64,
    pub told_to_wait: u64,
    pub turned_away: u64,
    /// At the end.
    pub inside: u64,
    pub in_line: u64,
    pub fell_out: u64,
    /// Seconds of which nothing is known.
    pub unknown_seconds: u64,
    pub words: String,
}

/// Minutes told at most: a week. Later ones are left out.
const MINUTES_MAX: u64 = 7 * 24 * 60;
/// A minute is like the one before when its knocks and those inside differ by a fifth at most, or by so many.
const ALIKE: u64 = 20;

/// In order. Minutes alike without any happening become one.
pub fn minutes(seconds: &[Second], happenings: &[Happening]) -> Vec<Minute> {
    let mut told: Vec<Minute> = Vec::new();
    let Some(first) = seconds.iter().map(|second| second.at).min() else {
        return told;
    };
    let start = first - first % 60;
    let mut sorted: Vec<Second> = seconds.iter().map(Second::bounded).collect();
    sorted.sort_by_key(|second| second.at);
    for chunk in sorted.chunk_by(|a, b| a.at / 60 == b.at / 60) {
        let from = chunk[0].at - chunk[0].at % 60;
        if (from - start) / 60 >= MINUTES_MAX {
            break;
        }
        let happened: Vec<String> = happenings
            .iter()
            .filter(|happening| {
                (from..from.saturating_add(60)).contains(&(happening.at.0 / 1_000))
                    && is_told(happening.what)
            })
            .map(say)
            .collect();
        let minute = minute(chunk, &happened);
        match told.last_mut() {
            Some(last)
                if happened.is_empty()
                    && last.to.checked_add(1) == Some(from)
                    && alike(last, &minute) =>
            {
                join(last, &minute)
            }
            _ => told.push(minute),
        }
    }
    told
}

fn minute(seconds: &[Second], happened: &[String]) -> Minute {
    let mut minute = Minute {
        from: seconds[0].at - seconds[0].at % 60,
        ..Minute::default()
    };
    minute.to = minute.from.saturating_add(59);
    for second in seconds {
        minute.knocks += u64::from(second.knocks.offered);
        minute.came_in = minute.came_in.saturating_add(second.entered);
        minute.told_to_wait += second.waits();
        minute.turned_away += u64::from(second.knocks.turned_away.sum());
        minute.fell_out = minute
            .fell_out
            .saturating_add(second.lost)
            .saturating_add(second.too_slow);
        (minute.inside, minute.in_line) = (second.inside, second.in_line);
    }
    let (first, last) = (seconds[0].at, seconds[seconds.len() - 1].at);
    minute.unknown_seconds = (last - first + 1).saturating_sub(seconds.len() as u64);
    minute.words = sentence(&minute);
    for happened in happened.iter().take(8) {
        minute.words.push(' ');
        minute.words.push_str(happened);
        minute.words.push('.');
    }
    minute
}

/// Ladder, modes and the node's own records of every day stay out of the sentences.
fn is_told(what: What) -> bool {
    !matches!(
        what,
        What::Mode | What::KeysChanged | What::CertificateLoaded | What::Unknown
    )
}

fn alike(last: &Minute, next: &Minute) -> bool {
    let minutes = (last.to - last.from + 1).div_ceil(60).max(1);
    let near = |a: u64, b: u64| a.abs_diff(b) <= ALIKE || a.abs_diff(b) <= a.max(b) / 5;
    near(last.knocks / minutes, next.knocks)
        && near(last.inside, next.inside)
        && near(last.in_line, next.in_line)
        && (last.fell_out == 0) == (next.fell_out == 0)
        && last.unknown_seconds == 0
        && next.unknown_seconds == 0
}

fn join(last: &mut Minute, next: &Minute) {
    last.to = next.to;
    last.knocks += next.knocks;
    last.came_in = last.came_in.saturating_add(next.came_in);
    last.told_to_wait += next.told_to_wait;
    last.turned_away += next.turned_away;
    last.fell_out = last.fell_out.saturating_add(next.fell_out);
    (last.inside, last.in_line) = (next.inside, next.in_line);
    // What happened in the first of them stays said.
    let happened = last.words.split_once(". ").map(|(_, rest)| rest.to_owned());
    last.words = sentence(last);
    if let Some(happened) = happened {
        last.words.push(' ');
        last.words.push_str(&happened);
    }
}

/// One sentence, without a full stop inside.
fn sentence(minute: &Minute) -> String {
    let mut parts = vec![format!(
        "{} knocks, {} came in",
        number(minute.knocks),
        number(minute.came_in)
    )];
    if minute.told_to_wait > 0 {
        parts.push(format!("{} were told to wait", number(minute.told_to_wait)));
    }
    if minute.turned_away > 0 {
        parts.push(format!("{} were turned away", number(minute.turned_away)));
    }
    if minute.fell_out > 0 {
        parts.push(format!("{} fell out", number(minute.fell_out)));
    }
    parts.push(format!("{} inside at the end", number(minute.inside)));
    if minute.in_line > 0 {
        parts.push(format!("{} in line", number(minute.in_line)));
    }
    if minute.unknown_seconds > 0 {
        parts.push(format!(
            "of {} nothing is known",
            duration(minute.unknown_seconds)
        ));
    }
    format!("{}.", parts.join(", "))
}

/// A happening in words: when, what, and from what to what.
pub fn say(happening: &Happening) -> String {
    let at = clock(happening.at.0 / 1_000);
    format!("At {at} {}", say_what(happening))
}

/// The same without its time.
pub fn say_what(happening: &Happening) -> String {
    let name = plain(happening.name.as_str());
    let (before, after) = (
        plain(happening.before.as_str()),
        plain(happening.after.as_str()),
    );
    let what = match happening.what {
        What::NodeStarted => "the node started",
        What::NodeStopped => "the node was stopped",
        What::NodeWasKilled => "the run before had been killed",
        What::Deployed => "another version was put in place",
        What::ConfigChanged | What::LimitChanged | What::CadenceChanged | What::SpaceChanged => {
            "a setting was changed"
        }
        What::ClockStepped => "the clock was set",
        What::Ladder => "the ladder took a step",
        What::Mode => "the door changed its mode",
        What::DoorPaused => "the door was paused",
        What::DoorResumed => "the door was opened again",
        What::OperatorActed => "an operator acted",
        What::SpaceCreated => "the space was made",
        What::SpaceOpened => "the doors opened",
        What::SpaceLive => "the space went live",
        What::SpaceEnded => "the space ended",
        What::SpaceCancelled => "the space was cancelled",
        What::HoldMusic => "hold music was switched",
        What::SpeakerLost => "a speaker's connection was lost",
        What::SpeakerBack => "a speaker came back",
        What::StageEmpty => "nobody was left on stage",
        What::StageTaken => "somebody was on stage again",
        What::DeadAir => "nobody was heard any more",
        What::DeadAirOver => "somebody was heard again",
        What::StageRestarted => "a stage was started again",
        What::ShardRestarted => "a shard was started again",
        What::CertificateLoaded => "a certificate was loaded",
        What::CertificateExpires => "the certificate was about to expire",
        What::CertificateExpired => "the certificate expired",
        What::CertificateFailed => "a certificate could not be loaded",
        What::DiskFull => "the disk was full",
        What::DiskBack => "the disk took records again",
        What::DatabaseGone => "the database did not answer",
        What::DatabaseBack => "the database answered again",
        What::WebhookGone => "the webhook did not answer",
        What::WebhookBack => "the webhook answered again",
        What::ShieldGone => "the shield was gone",
        What::ShieldBack => "the shield was back",
        What::KeysChanged => "keys were changed",
        What::RehearsalBegan => "a rehearsal began",
        What::RehearsalEnded => "a rehearsal ended",
        What::ListenersLost => "many listeners were lost at once",
        _ => "something happened that this version does not know",
    };
    let of = if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    };
    let change = match (before.is_empty(), after.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(": {after}"),
        (false, true) => format!(": no longer {before}"),
        (false, false) => format!(": from {before} to {after}"),
    };
    format!("{what}{of}{change}")
}

#[cfg(test)]
mod tests {
    use hustings_control::ids::UnixMillis;

    use super::*;

    #[test]
    fn quiet_minutes_become_one_and_what_happened_is_said() {
        let start = 1_800_000_000;
        let second = |i: u64| Second {
            at: start + i,
            entered: 1,
            inside: 100,
            ..Second::default()
        };
        let seconds: Vec<_> = (0..600).map(second).collect();
        let change = Happening {
            at: UnixMillis((start + 305) * 1_000),
            what: What::LimitChanged,
            name: "limit".into(),
            before: "400".into(),
            after: "200".into(),
            ..Happening::default()
        };
        let told = minutes(&seconds, &[change]);
        assert_eq!(told.len(), 2, "{told:#?}");
        assert_eq!(
            (told[0].from, told[0].to, told[0].came_in),
            (start, start + 299, 300)
        );
        let words = "0 knocks, 300 came in, 100 inside at the end. At 08:05:05 a setting was changed (limit): from 400 to 200.";
        assert_eq!(told[1].words, words);
        let holes = [second(0), second(30)];
        assert!(
            minutes(&holes, &[])[0]
                .words
                .contains("of 29 s nothing is known")
        );
        assert!(minutes(&[], &[]).is_empty());
    }
}
