//! The lines about the event itself: certificate, clock, hold music, hosts, rehearsal.

use hustings_evidence::judge::words::number;

use super::lines::{Certificate, Clock, Seen, line};
use super::{Line, Verdict, Wanted};

/// Milliseconds by which the clock may be off: tokens bear five minutes, reports should be right to a second.
const CLOCK_MS_MAX: i64 = 1_000;
/// Decibels below full scale under which hold music is not heard: a phone in a street.
const MUSIC_DB_MIN: f32 = -45.0;
/// Milliseconds that a rehearsal counts.
pub(super) const REHEARSAL_MS_MAX: u64 = 7 * 24 * 3_600_000;

pub(super) fn certificate(seen: &Seen) -> Line {
    const NEEDED: &str = "a certificate for the public name, good until the event is over";
    let of = |verdict, words: String, todo| line("certificate", verdict, (words, NEEDED), todo);
    match &seen.certificate {
        Certificate::Local => of(
            Verdict::Unknown,
            "none; only this machine is meant".into(),
            "For others: --tls-cert and --tls-key. Browsers open microphones on https only.",
        ),
        Certificate::Http => of(
            Verdict::NoGo,
            "none; the links are http".into(),
            "Give --tls-cert and --tls-key, or an https:// --public-url. Browsers open microphones on https only.",
        ),
        Certificate::Elsewhere => of(
            Verdict::Unknown,
            "something before the node speaks TLS".into(),
            "Look at its certificate there.",
        ),
        Certificate::Bad(why) => of(Verdict::NoGo, why.clone(), "Mend the file."),
        Certificate::Good {
            host,
            is_for_host: false,
            ..
        } => of(
            Verdict::NoGo,
            format!("a certificate that is not for {host}"),
            "Get one for the name in --public-url.",
        ),
        Certificate::Good { from, .. } if *from > seen.now => of(
            Verdict::NoGo,
            "a certificate that is not good yet".into(),
            "Look at the clock, or at the certificate.",
        ),
        Certificate::Good { until, .. } if *until < seen.until || *until <= seen.now => of(
            Verdict::NoGo,
            format!(
                "good for {} more h",
                hours(until.0.saturating_sub(seen.now.0))
            ),
            "Renew it; the node takes the new files by itself.",
        ),
        Certificate::Good { until, host, .. } => of(
            Verdict::Go,
            format!(
                "for {host}, good for {} more h",
                hours(until.0 - seen.now.0)
            ),
            "",
        ),
    }
}

fn hours(ms: u64) -> u64 {
    ms / 3_600_000
}

pub(super) fn clock(seen: &Seen) -> Line {
    let needed = format!("within {CLOCK_MS_MAX} ms of the right time");
    match &seen.clock {
        Clock::NoReference => line(
            "clock",
            Verdict::Unknown,
            ("no reference is named", needed),
            "Name one with --time-server, or look at the machine's time service.",
        ),
        Clock::Silent(why) => line(
            "clock",
            Verdict::Unknown,
            (format!("the reference did not answer: {why}"), needed),
            "Look at the machine's time service.",
        ),
        Clock::Ahead(ms) => {
            let good = ms.unsigned_abs() <= CLOCK_MS_MAX.unsigned_abs();
            let verdict = if good { Verdict::Go } else { Verdict::NoGo };
            line(
                "clock",
                verdict,
                (format!("{ms} ms ahead"), needed),
                "Set the clock by the machine's time service.",
            )
        }
    }
}

pub(super) fn music(seen: &Seen) -> Line {
    let needed = format!("hold music that decodes, louder than {MUSIC_DB_MIN:.0} dBFS");
    match &seen.music_db {
        None => line(
            "hold-music",
            Verdict::Unknown,
            ("it was not looked at", needed),
            "Try again.",
        ),
        Some(Err(why)) => line(
            "hold-music",
            Verdict::NoGo,
            (format!("it cannot be played: {why}"), needed),
            "Upload it again, or take the bundled one.",
        ),
        Some(Ok(db)) => {
            let verdict = if *db > MUSIC_DB_MIN {
                Verdict::Go
            } else {
                Verdict::NoGo
            };
            line(
                "hold-music",
                verdict,
                (format!("{db:.0} dBFS on average"), needed),
                "Listeners would take it for silence: upload it louder.",
            )
        }
    }
}

/// Only where a space is named.
pub(super) fn hosts(seen: &Seen) -> Vec<Line> {
    let Some(hosts) = &seen.hosts else {
        return Vec::new();
    };
    let of = |count: usize| {
        if count > 0 {
            Verdict::Go
        } else {
            Verdict::NoGo
        }
    };
    vec![
        line(
            "hosts-invited",
            of(hosts.invited),
            (
                match hosts.invited {
                    1 => "one invitation as host, good until the end".to_owned(),
                    many => format!("{many} invitations as host, good until the end"),
                },
                "at least one",
            ),
            "Make a host's link, or one that ends later.",
        ),
        line(
            "hosts-checked",
            of(hosts.checked),
            (
                match hosts.checked {
                    0 => "no host has had a microphone connected in this space".to_owned(),
                    1 => "one host had a microphone connected in this space".to_owned(),
                    many => format!("{many} hosts had a microphone connected in this space"),
                },
                "at least one",
            ),
            "Let the host open the link and do the sound check.",
        ),
    ]
}

pub(super) fn rehearsal(seen: &Seen, wanted: &Wanted) -> Line {
    let needed = format!(
        "one of the last 7 days that passed with {} people",
        number(wanted.expect.into())
    );
    let of = |verdict, words: String| {
        line(
            "rehearsal",
            verdict,
            (words, needed.clone()),
            "Rehearse with as many as are expected, or say --without-rehearsal and know that you guess.",
        )
    };
    let verdict = if wanted.without_rehearsal {
        Verdict::Unknown
    } else {
        Verdict::NoGo
    };
    let Some(last) = &seen.rehearsal else {
        return of(verdict, "no rehearsal on record".into());
    };
    let age = seen.now.0.saturating_sub(last.at.0);
    let ago = match age / (24 * 3_600_000) {
        0 => "one of the last 24 hours".to_owned(),
        1 => "one of a day ago".to_owned(),
        days => format!("one of {days} days ago"),
    };
    let words = format!(
        "{ago} with {} people, which {}",
        number(last.crowd.into()),
        if last.passed { "passed" } else { "failed" }
    );
    let good = last.passed && last.crowd >= wanted.expect && age <= REHEARSAL_MS_MAX;
    of(if good { Verdict::Go } else { verdict }, words)
}
