//! Finds out what there is. Nothing here takes longer than some seconds, and what does not answer is told as not seen.

use std::time::Duration;

use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::{Event, Recorded, Role};
use tokio::time::timeout;

use super::Wanted;
use super::lines::{Certificate, Clock, Hosts, Rehearsal, Seen};
use super::{clock, now};
use crate::alarms::certificate;
use crate::alarms::facts::{EVENT_MS_MAX, end_of, free_bytes, store_answers_in};
use crate::api::App;
use crate::rehearsal;

/// Milliseconds in which a rehearsal still counts, as the line says it.
const REHEARSALS_MS: u64 = super::event::REHEARSAL_MS_MAX;

/// For what is asked of a disk.
const DISK_WITHIN: Duration = Duration::from_secs(5);
/// Events of a space that are looked through for hosts who had a microphone.
const LOG_MAX: u32 = 10_000;

pub(super) async fn look(app: &App, wanted: &Wanted) -> Seen {
    let now = now(app);
    let space = wanted.space.as_ref().and_then(|id| app.directory.get(id));
    let until = match &space {
        Some(handle) => end_of(&handle.snapshot.load(), now),
        None => app
            .directory
            .all()
            .values()
            .map(|handle| end_of(&handle.snapshot.load(), now))
            .max()
            .unwrap_or_default(),
    };
    let until = until.max(UnixMillis(now.0.saturating_add(EVENT_MS_MAX)));
    let standing = app.entrance.standing();
    let (media, clock, store_ms, webhook, music_db, disk, certificate, hosts) = tokio::join!(
        app.ingest.probe(),
        clock(app),
        store_answers_in(app),
        webhook(app),
        music(app, wanted),
        disk(app),
        certificate(app),
        hosts(app, wanted.space.as_ref(), until),
    );
    let free = |used: hustings_control::gate::Used| {
        (used.limit > 0).then(|| used.limit.saturating_sub(used.used))
    };
    Seen {
        now,
        until,
        files: crate::open_files::for_the_crowd(),
        seats: standing.map(|standing| standing.capacity),
        conntrack: setting("net/netfilter/nf_conntrack_max", 0),
        memory: standing.and_then(|standing| free(standing.load.memory)),
        tcp_pages: setting("net/ipv4/tcp_mem", 1),
        udp_bytes: setting("net/core/rmem_max", 0),
        backlog: setting("net/core/somaxconn", 0),
        disk,
        certificate,
        clock,
        media: media
            .into_iter()
            .map(|(address, reached)| (address.to_string(), reached))
            .collect(),
        media_public: !app.config.media_public.is_empty(),
        store_ms,
        music_db,
        hosts,
        webhook,
        uplink: app.config.uplink.map(|rate| rate.0),
        rehearsal: rehearsed(app),
    }
}

/// Of the last weeks the rehearsal that has held most.
fn rehearsed(app: &App) -> Option<Rehearsal> {
    let kept = app.directory.rehearsals.kept();
    let since = app.clock.wall().0.saturating_sub(REHEARSALS_MS);
    let best = rehearsal::best(&kept, since)?;
    Some(Rehearsal {
        at: UnixMillis(best.ended),
        crowd: u32::try_from(best.peak).unwrap_or(u32::MAX),
        passed: best.passed(),
    })
}

/// A number of a kernel's setting; none where there is no such.
fn setting(path: &str, at: usize) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/sys/{path}")).ok()?;
    text.split_whitespace().nth(at)?.parse().ok()
}

async fn clock(app: &App) -> Clock {
    match &app.config.time_server {
        None => Clock::NoReference,
        Some(server) => clock::compare(server, || app.clock.wall()).await,
    }
}

async fn webhook(app: &App) -> Option<Result<(), String>> {
    match &app.watched.webhook {
        None => None,
        Some(webhook) => Some(webhook.try_now().await),
    }
}

/// Decibels of full scale, over the whole loop.
async fn music(app: &App, wanted: &Wanted) -> Option<Result<f32, String>> {
    let object = wanted
        .space
        .as_ref()
        .and_then(|id| app.directory.get(id))
        .and_then(|handle| handle.snapshot.load().hold_music_object.clone());
    let archive = app.archive.clone();
    let decoded = tokio::task::spawn_blocking(move || archive.music(object.as_deref()));
    let pcm = timeout(DISK_WITHIN, decoded).await.ok()?.ok()?;
    Some(match pcm {
        Err(error) => Err(error.to_string()),
        Ok(pcm) => {
            let power: f64 = pcm.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            let mean = power / (pcm.len().max(1) as f64);
            Ok((10.0 * mean.max(1e-12).log10()) as f32)
        }
    })
}

async fn disk(app: &App) -> Option<u64> {
    let folder = app.config.data.clone();
    let free = tokio::task::spawn_blocking(move || free_bytes(&folder));
    timeout(DISK_WITHIN, free).await.ok()?.ok()?.ok()
}

async fn certificate(app: &App) -> Certificate {
    let host = host_of(&app.public_url);
    let Some(path) = app.config.tls_cert.clone() else {
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&host.as_str());
        return match app.public_url.starts_with("https://") {
            true => Certificate::Elsewhere,
            false if local => Certificate::Local,
            false => Certificate::Http,
        };
    };
    let read = tokio::task::spawn_blocking(move || certificate::Seen::read(&path));
    match timeout(DISK_WITHIN, read).await {
        Ok(Ok(Ok(seen))) => Certificate::Good {
            from: seen.from,
            until: seen.until,
            is_for_host: seen.is_for(&host),
            host,
        },
        Ok(Ok(Err(why))) => Certificate::Bad(why),
        Ok(Err(_)) | Err(_) => Certificate::Bad("the file cannot be read in time".to_owned()),
    }
}

/// Without port.
fn host_of(url: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    match authority.find(']') {
        Some(end) => authority.get(..=end).unwrap_or_default().to_owned(),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    }
}

async fn hosts(app: &App, space: Option<&SpaceId>, until: UnixMillis) -> Option<Hosts> {
    let handle = app.directory.get(space?)?;
    let log = app.desk.log(&handle.id, 0, LOG_MAX).await.ok()?;
    let space = handle.snapshot.load();
    let invited = space.invites.values().filter(|invite| {
        invite.role == Role::Host
            && !invite.revoked
            && invite.expires_at.is_none_or(|ends| ends >= until)
    });
    Some(Hosts {
        invited: invited.count(),
        checked: space
            .people
            .iter()
            .filter(|(_, person)| person.role == Role::Host)
            .filter(|(id, _)| {
                let sat = |one: &Recorded| matches!(&one.event, Event::SeatTaken { person } if person == *id);
                log.iter().any(sat)
            })
            .count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_from_a_url() {
        for (url, host) in [
            ("https://live.example.org", "live.example.org"),
            ("https://live.example.org:8443/a", "live.example.org"),
            ("http://[::1]:8080", "[::1]"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn settings_of_the_kernel_are_numbers_or_not_there() {
        assert!(setting("net/core/somaxconn", 0).is_some_and(|n| n > 0));
        assert_eq!(setting("net/core/no_such_thing", 0), None);
    }
}
