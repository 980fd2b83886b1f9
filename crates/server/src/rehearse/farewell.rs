//! What a driver that has done tells its target: how its part went, so that the target can keep it.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use rustls::{ClientConnection, StreamOwned};

use super::record::Record;
use super::target::Target;
use crate::rehearsal::{Claimed, Outcome};

/// How long a connection, and an answer, may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// A driver that has just used up its permit's rate is told to come again.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_secs(1);
/// Bytes of an answer that are looked at.
const ANSWER_MAX: u64 = 1_024;

/// Tells the end of this driver's part. A target without a permit is told nothing.
///
/// # Errors
/// Why the target does not know it: it then says that the driver told no end.
pub fn tell(target: &Target, record: &Record) -> anyhow::Result<()> {
    if target.permit.is_none() {
        return Ok(());
    }
    let body = serde_json::to_string(&outcome(record))?;
    let request = format!(
        "POST /rehearsal.json HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        target.lines,
        body.len()
    );
    for attempt in 1..=TRIES {
        let answer = ask(target, &request)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        match status {
            "204" => return Ok(()),
            "429" if attempt < TRIES => std::thread::sleep(BETWEEN),
            _ => anyhow::bail!(
                "it answered {:?}",
                answer.lines().next().unwrap_or_default()
            ),
        }
    }
    Ok(())
}

fn outcome(record: &Record) -> Outcome {
    let (people, sound) = (&record.seen.people, &record.seen.sound);
    let capacity = record.claim.as_ref().and_then(|claim| claim.capacity);
    Outcome {
        what: record.what.clone(),
        part: record.parts.first().copied().unwrap_or(1),
        of: record.of,
        came: people.came,
        heard: people.heard,
        unheard: people.waiting + people.gave_up,
        harmed: sound.gapped + sound.broken + people.disconnected,
        bottleneck: record.bottleneck.clone(),
        ended_early: record.ended_early.clone(),
        claimed: capacity.map(|capacity| Claimed {
            listeners: capacity.listeners.value,
            low: capacity.listeners.low,
            high: capacity.listeners.high,
        }),
    }
}

/// Before anybody comes: whether the target takes the permit, and has the space.
///
/// # Errors
/// What the target says against it.
pub fn greet(target: &Target, space: &str) -> anyhow::Result<()> {
    let request = format!("GET /s/{space}/state.json HTTP/1.1\r\n{}\r\n", target.lines);
    let answer =
        ask(target, &request).with_context(|| format!("{} does not answer", target.name))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1).unwrap_or_default() {
        "200" => Ok(()),
        "404" => anyhow::bail!("{} has no space {space:?}", target.name),
        // Ended by the operator: the run says so, with what was heard until then.
        "410" => Ok(()),
        _ if target.permit.is_some() && !body.trim().is_empty() => {
            anyhow::bail!("{} refuses: {}", target.name, body.trim())
        }
        // A storm is there already: it is not for us to say that nobody may rehearse in it.
        _ => Ok(()),
    }
}

fn ask(target: &Target, request: &str) -> io::Result<String> {
    let tcp = TcpStream::connect_timeout(&target.address, DEADLINE)?;
    tcp.set_read_timeout(Some(DEADLINE))?;
    tcp.set_write_timeout(Some(DEADLINE))?;
    match &target.tls {
        None => said(tcp, request),
        Some((config, name)) => {
            let session = ClientConnection::new(std::sync::Arc::clone(config), name.clone());
            said(
                StreamOwned::new(session.map_err(io::Error::other)?, tcp),
                request,
            )
        }
    }
}

fn said(mut stream: impl io::Read + io::Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_MAX).read_to_end(&mut answer) {
        // A node may end TLS without a word.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}
