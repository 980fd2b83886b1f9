//! What alarms go by, found out: the quick things at once, the slow ones by tasks of their own that leave what they saw.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hustings_control::ids::UnixMillis;
use hustings_control::spaces::Phase;
use tokio::task::JoinSet;

use super::Facts;
use super::certificate::Seen;
use super::rules::{CertificateFacts, DiskFacts, LiveFacts};
use crate::api::App;
use crate::glance::Glance;

/// Milliseconds that an event is taken to last after its announced start, for nobody says when it ends.
pub const EVENT_MS_MAX: u64 = 12 * 3_600_000;
/// Time between two looks at each.
const STORE_EVERY: Duration = Duration::from_secs(5);
const DISK_EVERY: Duration = Duration::from_secs(5);
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60);
/// A store that has not answered by then does not answer.
const STORE_WITHIN: Duration = Duration::from_secs(2);

/// The newest looks at slow things. Its tasks end when it is dropped.
pub(super) struct Slow {
    seen: Arc<Mutex<SlowSeen>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct SlowSeen {
    certificate_ends: Option<UnixMillis>,
    free: Option<u64>,
    store: Option<u64>,
}

impl Slow {
    pub(super) fn begin(app: &App) -> Self {
        let config = &app.config;
        let seen = Arc::new(Mutex::new(SlowSeen::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_store(app.clone(), Arc::clone(&seen)));
        tasks.spawn(watch_disk(config.data.clone(), Arc::clone(&seen)));
        if let Some(path) = config.tls_cert.clone() {
            tasks.spawn(watch_certificate(path, Arc::clone(&seen)));
        }
        Self {
            seen,
            _tasks: tasks,
        }
    }
}

fn set(seen: &Mutex<SlowSeen>, change: impl FnOnce(&mut SlowSeen)) {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
}

async fn watch_store(app: App, seen: Arc<Mutex<SlowSeen>>) {
    loop {
        let took = store_answers_in(&app).await;
        set(&seen, |seen| seen.store = Some(took));
        tokio::time::sleep(STORE_EVERY).await;
    }
}

/// Milliseconds; the longest there is when it does not answer, or cannot be written.
pub async fn store_answers_in(app: &App) -> u64 {
    let began = Instant::now();
    match tokio::time::timeout(STORE_WITHIN, app.desk.ready()).await {
        Ok(Ok(())) => u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        Ok(Err(_)) | Err(_) => u64::MAX,
    }
}

async fn watch_disk(data: PathBuf, seen: Arc<Mutex<SlowSeen>>) {
    loop {
        let folder = data.clone();
        if let Ok(free) = tokio::task::spawn_blocking(move || free_bytes(&folder)).await {
            set(&seen, |seen| seen.free = free.ok());
        }
        tokio::time::sleep(DISK_EVERY).await;
    }
}

/// Bytes that this user may still write there.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

async fn watch_certificate(path: PathBuf, seen: Arc<Mutex<SlowSeen>>) {
    loop {
        let path = path.clone();
        let read = tokio::task::spawn_blocking(move || Seen::read(&path)).await;
        if let Ok(Ok(certificate)) = read {
            set(&seen, |seen| {
                seen.certificate_ends = Some(certificate.until);
            });
        }
        tokio::time::sleep(CERTIFICATE_EVERY).await;
    }
}

/// All but the clock, which its own watch remembers.
pub(super) fn gather(app: &App, slow: &Slow, now: UnixMillis) -> Facts {
    let spaces = app.directory.all();
    let mut live = Vec::new();
    let mut needed_until = UnixMillis(0);
    for handle in spaces.values() {
        let space = handle.snapshot.load();
        needed_until = needed_until.max(end_of(&space, now));
        if space.phase != Phase::Live {
            continue;
        }
        let glance = Glance::of(handle, &app.entrance);
        live.push(LiveFacts {
            space: handle.id.clone(),
            title: space.title.clone(),
            dead_air: glance.stage.dead_air && !glance.stage.host_lost,
            host_lost: glance.stage.host_lost,
        });
    }
    let standing = app.entrance.standing();
    let seen = slow.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Facts {
        live,
        seats: standing.map(|standing| (app.entrance.hall().inside(), standing.capacity)),
        certificate: seen
            .certificate_ends
            .map(|ends| CertificateFacts { ends, needed_until }),
        disk: seen.free.map(|free| DiskFacts {
            free,
            trouble: app.archive.trouble(),
        }),
        clock_off: None,
        store: seen.store,
    }
}

/// When a space will be over at the latest; 0 when it has no time, or is over.
pub fn end_of(space: &hustings_control::spaces::Space, now: UnixMillis) -> UnixMillis {
    let from = match space.phase {
        Phase::Posted => space.starts_at,
        Phase::Open => space.starts_at.or(Some(now)),
        Phase::Live => Some(now.max(space.live_at.unwrap_or(now))),
        Phase::Ended | Phase::Cancelled => None,
    };
    from.map_or(UnixMillis(0), |from| {
        UnixMillis(from.0.saturating_add(EVENT_MS_MAX))
    })
}
