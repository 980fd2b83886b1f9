//! The thread of one shard: accepts, heads and sweeps take turns on one core. Pages are answered elsewhere (`http`).

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, LocalSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::abuse::AbuseConfig;
use super::accept;
use super::asked::SoundRequest;
use super::counters::{Room, ShardCounters, add};
use super::crowd::Crowd;
use super::door::{Counted, Door};
use super::knocks::Knocks;
use super::limits::{
    AFTER_PANIC, RETURNS_MAX, STOP_HTTP, STOP_LISTENERS, STOP_SWEEP_MS, SWEEP_PANICS_MAX, TLS_WATCH,
};
use super::seats::HttpSeats;
use super::socket::Stream;
use super::tls::TlsFiles;
use crate::clock::Clock;
use crate::live::Directory;
use crate::usher::{Entrance, Wicket};

/// What a shard thread is started with.
#[derive(Clone)]
pub(super) struct ShardSeed {
    /// Outlives a run of the shard, so that the kernel takes connections in while it starts again.
    pub(super) listener: Arc<std::net::TcpListener>,
    pub(super) directory: Arc<Directory>,
    pub(super) entrance: Arc<Entrance>,
    pub(super) pages: axum::Router,
    pub(super) abuse: AbuseConfig,
    pub(super) knocks: Arc<Knocks>,
    pub(super) page_threads: Handle,
    pub(super) clock: Clock,
    pub(super) counters: Arc<ShardCounters>,
    pub(super) room: Room,
    pub(super) tls: Option<Arc<TlsFiles>>,
    /// One shard looks after the certificate's files for all.
    pub(super) watches_tls: bool,
    /// True: end in order. The sender dropped: end now.
    pub(super) stop: watch::Receiver<bool>,
}

/// What the tasks of one shard share. None of them leaves the thread.
pub(super) struct Local {
    pub(super) crowd: RefCell<Crowd>,
    pub(super) door: RefCell<Door>,
    pub(super) directory: Arc<Directory>,
    pub(super) wicket: RefCell<Wicket>,
    /// Buffers for the answers to knocks, used again and again.
    pub(super) json: RefCell<Vec<u8>>,
    pub(super) out: RefCell<Vec<u8>>,
    pub(super) pages: axum::Router,
    pub(super) abuse: AbuseConfig,
    pub(super) knocks: Arc<Knocks>,
    pub(super) http_seats: Arc<HttpSeats>,
    pub(super) page_threads: Handle,
    /// Where the threads of the pages give back a connection that asks for sound.
    pub(super) returning: mpsc::Sender<Returned>,
    pub(super) clock: Clock,
    pub(super) counters: Arc<ShardCounters>,
    pub(super) room: Room,
    pub(super) tls: Option<Arc<TlsFiles>>,
    pub(super) stop: watch::Receiver<bool>,
}

/// A connection that HTTP read, and that now asks for sound.
pub(super) struct Returned {
    pub(super) stream: Stream,
    pub(super) request: SoundRequest,
    pub(super) from: IpAddr,
    pub(super) counted: Counted,
}

/// The body of the thread; returns when the edge stops. A shard that panics is started again on the same socket: its
/// listeners are gone and come back by themselves, those of other shards notice nothing, and no connection is refused.
pub(super) fn run(seed: ShardSeed) -> io::Result<()> {
    loop {
        let again = seed.clone();
        match catch_unwind(AssertUnwindSafe(|| run_once(again))) {
            Ok(ended) => return ended,
            Err(_) => {
                add(&seed.counters.restarts, 1);
                tracing::error!(
                    "a shard of the public listener panicked and is started again; its listeners must come back"
                );
                std::thread::sleep(AFTER_PANIC);
            }
        }
    }
}

fn run_once(seed: ShardSeed) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, shard(seed))
}

/// Without the task that accepts, the shard is deaf: it ends as that did.
fn fail_with(ended: Result<(), JoinError>) -> ! {
    match ended {
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        _ => panic!("a shard accepts nothing any more"),
    }
}

async fn shard(seed: ShardSeed) -> io::Result<()> {
    let listener = TcpListener::from_std(seed.listener.try_clone()?)?;
    let (returning, returned) = mpsc::channel(RETURNS_MAX);
    // The kernel spreads the connections of a prefix evenly.
    let shards = u32::try_from(seed.room.shards.len()).unwrap_or(u32::MAX);
    let per_shard = seed.abuse.connections_per_s.div_ceil(shards.max(1));
    let local = Rc::new(Local {
        crowd: RefCell::new(Crowd::new(
            Arc::clone(&seed.counters),
            Arc::clone(&seed.directory.pace),
        )),
        door: RefCell::new(Door::new(per_shard, seed.abuse.handshakes_per_s)),
        directory: seed.directory,
        wicket: RefCell::new(seed.entrance.wicket().map_err(io::Error::other)?),
        json: RefCell::default(),
        out: RefCell::default(),
        pages: seed.pages,
        abuse: seed.abuse,
        knocks: seed.knocks,
        http_seats: HttpSeats::new(Arc::clone(&seed.counters), &seed.room),
        page_threads: seed.page_threads,
        returning,
        clock: seed.clock,
        counters: seed.counters,
        room: seed.room,
        tls: seed.tls,
        stop: seed.stop,
    });
    if let Some(files) = local.tls.clone().filter(|_| seed.watches_tls) {
        tokio::task::spawn_local(watch_tls(files));
    }
    tokio::task::spawn_local(accept::take_back(Rc::clone(&local), returned));
    let mut accepting = tokio::task::spawn_local(accept::run(Rc::clone(&local), listener));
    let in_order = sweep_until_stopped(&local, &mut accepting).await;
    accepting.abort();
    if in_order {
        sweep_to_the_end(&local).await;
        // Kept-alive connections end by themselves when told; a page that takes longer is cut.
        let _ = timeout(STOP_HTTP, async {
            while local.counters.http_connections.load(Relaxed) > 0 {
                sleep(Duration::from_millis(STOP_SWEEP_MS)).await;
            }
        })
        .await;
    }
    Ok(())
}

/// False when the edge was dropped without being stopped.
async fn sweep_until_stopped(local: &Local, accepting: &mut JoinHandle<()>) -> bool {
    let mut stop = local.stop.clone();
    let mut failed = 0;
    let mut next = Some(Instant::now());
    loop {
        tokio::select! {
            biased;
            told = stop.wait_for(|stop| *stop) => return told.is_ok(),
            ended = &mut *accepting => fail_with(ended),
            () = rest(next) => {}
        }
        // A shard's tables are whole between any two of its steps, so its listeners need not pay for a sweep that failed.
        let swept = catch_unwind(AssertUnwindSafe(|| turn(local)));
        let after = match swept {
            // The others of this thread have their turn, and the sweep goes on.
            Ok(None) => {
                next = None;
                continue;
            }
            Ok(Some(ms)) => {
                failed = 0;
                Duration::from_millis(ms)
            }
            Err(panic) => {
                failed += 1;
                add(&local.counters.sweep_panics, 1);
                if failed >= SWEEP_PANICS_MAX {
                    resume_unwind(panic);
                }
                tracing::error!(
                    "a sweep panicked; its listeners stay, and the next sweep serves them"
                );
                AFTER_PANIC
            }
        };
        // From now, not from when the sweep was due: a late shard must not run after lost time.
        next = Some(Instant::now() + after);
    }
}

/// Until the next sweep is due; without a time, until whoever else is ready has had a turn: the reactor is asked, a turn of
/// accepting is taken.
async fn rest(next: Option<Instant>) {
    match next {
        Some(next) => sleep_until(next).await,
        None => yield_now().await,
    }
}

/// A slice of a sweep; after the last one what the gate does once a sweep, and milliseconds until the next.
fn turn(local: &Local) -> Option<u64> {
    let mut crowd = local.crowd.borrow_mut();
    let ms = crowd.slice(&local.clock)?;
    let (cpu, cadence_ms) = crowd.load();
    let mut wicket = local.wicket.borrow_mut();
    wicket.tick(cpu, cadence_ms);
    crowd.hold_cadence(wicket.entrance().cadence_floor_ms());
    Some(ms)
}

async fn sweep_to_the_end(local: &Local) {
    let deadline = Instant::now() + STOP_LISTENERS;
    loop {
        local.crowd.borrow_mut().sweep(&local.clock);
        if local.crowd.borrow().listeners() == 0 || Instant::now() >= deadline {
            return;
        }
        sleep(Duration::from_millis(STOP_SWEEP_MS)).await;
    }
}

async fn watch_tls(files: Arc<TlsFiles>) {
    loop {
        sleep(TLS_WATCH).await;
        files.reload_if_changed();
    }
}
