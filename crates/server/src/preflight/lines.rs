//! The lines, as a pure function of what was seen. Each limit is named.

use hustings_control::ids::UnixMillis;
use hustings_evidence::judge::words::number;

use super::event::{certificate, clock, hosts, music, rehearsal};
use super::{Line, Verdict, Wanted};
use crate::alarms::rules::{DISK_BYTES_MIN, STORE_MS_MAX};

/// Bytes of memory that a listener takes, buffers of the kernel included: what the gate counts with.
const BYTES_EACH: u64 = 24_576;
/// Of them what the kernel holds for its socket, in pages of 4,096 bytes.
const TCP_PAGES_EACH: u64 = 4;
/// Bits a second that a listener takes, headers included.
const BITS_EACH: u64 = 56_000;
/// Files beside one for each listener: an eighth more come and go at once.
const FILES_MORE_PART: u64 = 8;
/// Connections that the kernel completes before the node accepts them: what the node asks for.
const BACKLOG_MIN: u64 = 4_096;
/// Bytes that a UDP socket may hold until the node reads: a fifth of a second of 13 speakers with all they send.
const UDP_BYTES_MIN: u64 = 212_992;
/// Bytes of a recording, by the hour: 48 kbit/s of sound and its container.
const RECORDING_BYTES_AN_HOUR: u64 = 24 << 20;
/// What there is. None: it could not be seen, or does not exist; each line says what that means.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub now: UnixMillis,
    /// When the event, or the last one announced, is over.
    pub until: UnixMillis,
    /// Files that the crowd may hold.
    pub files: u64,
    pub seats: Option<u32>,
    /// Entries of the kernel's table of connections; none: it keeps none.
    pub conntrack: Option<u64>,
    /// Bytes that are free.
    pub memory: Option<u64>,
    /// `net.ipv4.tcp_mem`: pages from which the kernel presses.
    pub tcp_pages: Option<u64>,
    pub udp_bytes: Option<u64>,
    pub backlog: Option<u64>,
    pub disk: Option<u64>,
    pub certificate: Certificate,
    pub clock: Clock,
    /// Addresses that browsers are told, and whether datagrams come in by them.
    pub media: Vec<(String, bool)>,
    /// The media addresses were named by the operator: a NAT stands before, which may not turn round.
    pub media_public: bool,
    pub store_ms: u64,
    /// Decibels of full scale, or why the hold music cannot be played.
    pub music_db: Option<Result<f32, String>>,
    pub hosts: Option<Hosts>,
    pub webhook: Option<Result<(), String>>,
    pub uplink: Option<u64>,
    pub rehearsal: Option<Rehearsal>,
}

#[derive(Clone, Debug, Default)]
pub enum Certificate {
    /// The links are http, and only this machine is meant.
    #[default]
    Local,
    /// The links are http, for others.
    Http,
    /// The links are https, and something before the node speaks TLS.
    Elsewhere,
    Bad(String),
    Good {
        from: UnixMillis,
        until: UnixMillis,
        host: String,
        is_for_host: bool,
    },
}

#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    NoReference,
    Silent(String),
    /// Milliseconds that this machine is ahead.
    Ahead(i64),
}

#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Invitations as host that are good until the end.
    pub invited: usize,
    /// Hosts who have been connected in this space.
    pub checked: usize,
}

#[derive(Clone, Debug)]
pub struct Rehearsal {
    pub at: UnixMillis,
    pub crowd: u32,
    pub passed: bool,
}

pub(super) fn judge(seen: &Seen, wanted: &Wanted) -> Vec<Line> {
    let crowd = u64::from(wanted.expect);
    let mut lines = vec![
        files(seen, crowd),
        seats(seen, crowd),
        connections(seen, crowd),
        memory(seen, crowd),
        buffers(seen, crowd),
        media_buffer(seen),
        backlog(seen),
        disk(seen),
        certificate(seen),
        clock(seen),
        media(seen),
        database(seen),
        music(seen),
    ];
    lines.extend(hosts(seen));
    lines.extend([webhook(seen), uplink(seen, crowd), rehearsal(seen, wanted)]);
    lines
}

pub(super) fn line(
    name: &'static str,
    verdict: Verdict,
    (seen, needed): (impl Into<String>, impl Into<String>),
    todo: &str,
) -> Line {
    let todo = if verdict == Verdict::Go { "" } else { todo };
    Line {
        name,
        verdict,
        seen: seen.into(),
        needed: needed.into(),
        todo: todo.to_owned(),
    }
}

/// A quantity of which so much is needed; none: it could not be seen. `whereof`: its unit, and what it is needed for.
fn enough(
    name: &'static str,
    (have, need): (Option<u64>, u64),
    (unit, whereof): (&str, &str),
    todo: &str,
) -> Line {
    let verdict = match have {
        None => Verdict::Unknown,
        Some(have) if have >= need => Verdict::Go,
        Some(_) => Verdict::NoGo,
    };
    let seen = have.map_or("not told by the system".to_owned(), |have| {
        format!("{} {unit}", number(have))
    });
    let needed = format!("{}{whereof}", number(need));
    line(name, verdict, (seen, needed), todo)
}

fn files(seen: &Seen, crowd: u64) -> Line {
    let need = crowd + crowd / FILES_MORE_PART;
    enough(
        "files",
        (Some(seen.files), need),
        ("open files", " for the crowd"),
        "Raise LimitNOFILE= of the service, and start it again.",
    )
}

fn seats(seen: &Seen, crowd: u64) -> Line {
    enough(
        "seats",
        (seen.seats.map(u64::from), crowd),
        ("seats", ""),
        "Others wait in line. See on the board what is short; raise --seats where that is it.",
    )
}

/// Listeners need no ports of this machine, for all come to one; but a kernel that keeps track of connections has a table.
fn connections(seen: &Seen, crowd: u64) -> Line {
    match seen.conntrack {
        None => line(
            "ports",
            Verdict::Go,
            (
                "one port for all, and no connection tracking",
                "a row of the kernel's table for each connection",
            ),
            "",
        ),
        some => enough(
            "ports",
            (some, crowd * 2),
            ("rows for tracked connections", ""),
            "Raise net.netfilter.nf_conntrack_max, or do not track the public port.",
        ),
    }
}

fn memory(seen: &Seen, crowd: u64) -> Line {
    enough(
        "memory",
        (
            seen.memory.map(|bytes| bytes >> 20),
            (crowd * BYTES_EACH) >> 20,
        ),
        ("MiB free", " MiB"),
        "Give the machine or its group more memory, or expect fewer.",
    )
}

fn buffers(seen: &Seen, crowd: u64) -> Line {
    enough(
        "socket-buffers",
        (seen.tcp_pages, crowd * TCP_PAGES_EACH),
        ("pages for TCP", " pages"),
        "Raise net.ipv4.tcp_mem (its second number).",
    )
}

fn media_buffer(seen: &Seen) -> Line {
    enough(
        "media-buffer",
        (seen.udp_bytes, UDP_BYTES_MIN),
        ("bytes for a UDP socket", " bytes"),
        "Raise net.core.rmem_max.",
    )
}

fn backlog(seen: &Seen) -> Line {
    enough(
        "backlog",
        (seen.backlog, BACKLOG_MIN),
        ("connections before they are accepted", ""),
        "Raise net.core.somaxconn.",
    )
}

fn disk(seen: &Seen) -> Line {
    let hours = seen
        .until
        .0
        .saturating_sub(seen.now.0)
        .div_ceil(3_600_000)
        .min(24);
    let need = DISK_BYTES_MIN + hours * RECORDING_BYTES_AN_HOUR;
    enough(
        "disk",
        (seen.disk.map(|bytes| bytes >> 20), need >> 20),
        ("MiB free for recordings and records", " MiB"),
        "Make room under the data folder.",
    )
}

fn media(seen: &Seen) -> Line {
    let deaf: Vec<&str> = seen
        .media
        .iter()
        .filter(|(_, reached)| !reached)
        .map(|(address, _)| address.as_str())
        .collect();
    let all: Vec<&str> = seen.media.iter().map(|(address, _)| &**address).collect();
    const NEEDED: &str = "datagrams come in by every address that browsers are told";
    if deaf.is_empty() && !all.is_empty() {
        let words = format!("a STUN request came in by {}", all.join(", "));
        return line("media", Verdict::Go, (words, NEEDED), "");
    }
    let words = format!("no STUN request came in by {}", deaf.join(", "));
    if seen.media_public {
        return line(
            "media",
            Verdict::Unknown,
            (words, NEEDED),
            "A NAT may not turn datagrams of its own round: try a microphone from outside.",
        );
    }
    line(
        "media",
        Verdict::NoGo,
        (words, NEEDED),
        "Open the media port for UDP, in the firewall too.",
    )
}

fn database(seen: &Seen) -> Line {
    let verdict = if seen.store_ms <= STORE_MS_MAX {
        Verdict::Go
    } else {
        Verdict::NoGo
    };
    let words = if seen.store_ms == u64::MAX {
        "the records cannot be written".to_owned()
    } else {
        format!("written in {} ms", seen.store_ms)
    };
    let needed = format!("records written within {STORE_MS_MAX} ms");
    line(
        "database",
        verdict,
        (words, needed),
        "Look at the disk, and at what else writes there.",
    )
}

fn webhook(seen: &Seen) -> Line {
    const NEEDED: &str = "an alarm webhook that answers";
    match &seen.webhook {
        None => line(
            "webhook",
            Verdict::Unknown,
            ("none is set", NEEDED),
            "Set --alarm-webhook, or let somebody watch the board.",
        ),
        Some(Ok(())) => line("webhook", Verdict::Go, ("it took a message", NEEDED), ""),
        Some(Err(why)) => line(
            "webhook",
            Verdict::NoGo,
            (why.clone(), NEEDED),
            "Mend the receiver, or name another with --alarm-webhook.",
        ),
    }
}

fn uplink(seen: &Seen, crowd: u64) -> Line {
    let need = crowd * BITS_EACH;
    let needed = format!("{} Mbit/s", number(need.div_ceil(1_000_000)));
    match seen.uplink {
        None => line(
            "uplink",
            Verdict::NoGo,
            ("--uplink is not set", needed),
            "Set --uplink: it is the one limit that cannot be measured without reaching it.",
        ),
        Some(have) => line(
            "uplink",
            if have >= need {
                Verdict::Go
            } else {
                Verdict::NoGo
            },
            (format!("{} Mbit/s", number(have / 1_000_000)), needed),
            "Get a wider uplink, put a CDN in front, or expect fewer.",
        ),
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
