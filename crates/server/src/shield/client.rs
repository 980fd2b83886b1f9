//! The node's side: offences from the shards are counted by one task, which tells the helper whom to drop. Without a
//! helper, or when it dies, nothing else changes: the crowd's door refuses by itself, only at a higher price.

use std::collections::VecDeque;
use std::hash::RandomState;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use ipnet::IpNet;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::ledger::{Block, Ledger, Offence};
use super::limits::{
    ANSWER_DEADLINE, BATCH_INTERVAL, BATCH_MAX, MESSAGE_BYTES_MAX, NEVER_MAX, NOTES_MAX,
    NOTES_PER_TURN, RECONNECT, WAITING_MAX,
};
use super::message::{Answer, Message};
use crate::clock::Clock;
use crate::config::Serve;

/// Where shards note offences. Cheap to copy; `off` notes nothing.
#[derive(Clone, Debug, Default)]
pub struct Offenders {
    notes: Option<mpsc::Sender<(IpAddr, Offence)>>,
    counters: Arc<Counters>,
}

impl Offenders {
    /// For a node without a shield.
    pub fn off() -> Self {
        Self::default()
    }

    /// Never waits. `by` must be the address that the packets come from: a proxy's client cannot be dropped here.
    pub fn note(&self, by: IpAddr, offence: Offence) {
        if let Some(notes) = &self.notes
            && notes.try_send((by, offence)).is_err()
        {
            self.counters.lost.fetch_add(1, Relaxed);
        }
    }
}

/// Who is never blocked, beside what the configuration says: those on stage and those who run it, as they come.
#[derive(Clone, Debug)]
pub struct Friends(watch::Sender<VecDeque<IpNet>>);

impl Friends {
    /// The prefix of a host, speaker or operator (/24, /64). The one not seen for longest makes room.
    pub fn note(&self, address: IpAddr) {
        let address = address.to_canonical();
        let length = if address.is_ipv4() { 24 } else { 64 };
        let Ok(prefix) = IpNet::new(address, length).map(|prefix| prefix.trunc()) else {
            return;
        };
        self.0.send_if_modified(|known| {
            if let Some(at) = known.iter().position(|friend| *friend == prefix) {
                known.remove(at);
                known.push_back(prefix);
                return false;
            }
            if known.len() >= NEVER_MAX / 2 {
                known.pop_front();
            }
            known.push_back(prefix);
            true
        });
    }
}

#[derive(Debug, Default)]
struct Counters {
    noted: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    connected: AtomicBool,
}

/// What metrics read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShieldStats {
    /// Offences counted.
    pub noted: u64,
    /// Offences not counted, for too many were under way.
    pub lost: u64,
    /// Prefixes the helper has dropped.
    pub dropped: u64,
    /// Prefixes the helper would not drop: never to be blocked, or no room.
    pub refused: u64,
    /// Times the helper could not be told.
    pub failures: u64,
    pub connected: bool,
}

/// The node's shield, which it may be without.
pub struct Shield(Option<ShieldClient>);

impl Shield {
    /// As the configuration says. The node's own addresses and its proxies are never blocked.
    pub fn of(config: &Serve, clock: Clock) -> Self {
        let mut never = config.trusted_proxies.clone();
        let own = [
            config.listen,
            config.stage,
            config.operator,
            config.media.socket(),
        ];
        never.extend(
            own.iter()
                .chain(&config.media_public)
                .map(|address| IpNet::from(address.ip()))
                .filter(|own| !own.addr().is_unspecified()),
        );
        let socket = config.shield.clone();
        Self(socket.map(|socket| ShieldClient::start(socket, never, clock)))
    }

    pub fn offenders(&self) -> Offenders {
        self.0
            .as_ref()
            .map(ShieldClient::offenders)
            .unwrap_or_default()
    }

    pub fn friends(&self) -> Option<Friends> {
        self.0.as_ref().map(ShieldClient::friends)
    }

    pub fn meter(&self) -> Option<ShieldMeter> {
        self.0.as_ref().map(ShieldClient::meter)
    }
}

/// The task beside the node. Ends when dropped.
pub struct ShieldClient {
    notes: mpsc::Sender<(IpAddr, Offence)>,
    friends: Friends,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

impl ShieldClient {
    /// `never` is what the configuration knows: the node's own addresses and its proxies.
    pub fn start(socket: PathBuf, never: Vec<IpNet>, clock: Clock) -> Self {
        let (notes, noted) = mpsc::channel(NOTES_MAX);
        let (friends, friends_seen) = watch::channel(VecDeque::new());
        let counters = Arc::new(Counters::default());
        let task = Task {
            socket,
            never,
            friends: friends_seen,
            ledger: Ledger::new(RandomState::new()),
            waiting: VecDeque::new(),
            line: None,
            next_try: Instant::now(),
            clock,
            counters: Arc::clone(&counters),
        };
        Self {
            notes,
            friends: Friends(friends),
            counters,
            task: tokio::spawn(task.run(noted)),
        }
    }

    pub fn offenders(&self) -> Offenders {
        Offenders {
            notes: Some(self.notes.clone()),
            counters: Arc::clone(&self.counters),
        }
    }

    pub fn friends(&self) -> Friends {
        self.friends.clone()
    }

    pub fn meter(&self) -> ShieldMeter {
        ShieldMeter(Arc::clone(&self.counters))
    }
}

/// Reads what the client counts; cheap to clone.
#[derive(Clone, Debug)]
pub struct ShieldMeter(Arc<Counters>);

impl ShieldMeter {
    pub fn stats(&self) -> ShieldStats {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        ShieldStats {
            noted: of(&self.0.noted),
            lost: of(&self.0.lost),
            dropped: of(&self.0.dropped),
            refused: of(&self.0.refused),
            failures: of(&self.0.failures),
            connected: self.0.connected.load(Relaxed),
        }
    }
}

impl Drop for ShieldClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    socket: PathBuf,
    never: Vec<IpNet>,
    friends: watch::Receiver<VecDeque<IpNet>>,
    ledger: Ledger<RandomState>,
    waiting: VecDeque<Block>,
    line: Option<BufReader<UnixStream>>,
    next_try: Instant,
    clock: Clock,
    counters: Arc<Counters>,
}

impl Task {
    async fn run(mut self, mut noted: mpsc::Receiver<(IpAddr, Offence)>) {
        let mut batches = interval(BATCH_INTERVAL);
        batches.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = Vec::with_capacity(NOTES_PER_TURN);
        loop {
            tokio::select! {
                biased;
                _ = batches.tick() => self.send().await,
                got = noted.recv_many(&mut notes, NOTES_PER_TURN) => {
                    if got == 0 {
                        return;
                    }
                    self.count(&mut notes);
                }
            }
        }
    }

    fn count(&mut self, notes: &mut Vec<(IpAddr, Offence)>) {
        let now_ms = self.clock.now().0 / 1_000;
        let waiting = &mut self.waiting;
        for (by, offence) in notes.drain(..) {
            self.counters.noted.fetch_add(1, Relaxed);
            if by.to_canonical().is_loopback()
                || self
                    .never
                    .iter()
                    .any(|never| never.contains(&by.to_canonical()))
            {
                continue;
            }
            self.ledger.note(by, offence, now_ms, |block| {
                if waiting.len() < WAITING_MAX {
                    waiting.push_back(block);
                }
            });
        }
    }

    /// Tells the helper what waits. What it could not be told is found again when they go on offending.
    async fn send(&mut self) {
        if self.line.is_none() && Instant::now() < self.next_try {
            return;
        }
        let first = self.waiting.len().min(BATCH_MAX);
        let batch: Vec<Block> = self.waiting.drain(..first).collect();
        if self.tell(&batch).await.is_ok() {
            self.counters.connected.store(true, Relaxed);
            return;
        }
        if self.counters.connected.swap(false, Relaxed) || self.counters.failures.load(Relaxed) == 0
        {
            tracing::warn!(socket = %self.socket.display(), "the shield's helper cannot be told whom to drop; the node goes on without it");
        }
        self.counters.failures.fetch_add(1, Relaxed);
        self.line = None;
        self.next_try = Instant::now() + RECONNECT;
        for block in batch {
            self.ledger.unblock(block.prefix);
        }
    }

    async fn tell(&mut self, batch: &[Block]) -> io::Result<()> {
        let is_new = self.line.is_none();
        if is_new {
            let stream = timeout(ANSWER_DEADLINE, UnixStream::connect(&self.socket)).await??;
            self.line = Some(BufReader::new(stream));
            tracing::info!("the shield's helper is there");
        }
        if is_new || self.friends.has_changed().unwrap_or(false) {
            let mut never = self.never.clone();
            never.extend(self.friends.borrow_and_update().iter());
            never.truncate(NEVER_MAX);
            self.ask(&Message::Never(never)).await?;
        }
        if batch.is_empty() {
            return self.still_there();
        }
        let prefixes = batch.iter().map(|block| (block.prefix, block.seconds));
        let answer = self.ask(&Message::Drop(prefixes.collect())).await?;
        self.counters.dropped.fetch_add(answer.dropped, Relaxed);
        self.counters.refused.fetch_add(answer.refused, Relaxed);
        tracing::info!(
            dropped = answer.dropped,
            refused = answer.refused,
            "the shield drops repeat offenders"
        );
        Ok(())
    }

    /// A helper that ended shows as the end of the line; it has nothing to say unasked.
    fn still_there(&self) -> io::Result<()> {
        let line = self.line.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        match line.get_ref().try_read(&mut [0]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(e),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn ask(&mut self, message: &Message) -> io::Result<Answer> {
        let Some(line) = &mut self.line else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let talk = async {
            line.get_mut().write_all(&message.line()).await?;
            let mut answer = Vec::new();
            line.take(MESSAGE_BYTES_MAX as u64)
                .read_until(b'\n', &mut answer)
                .await?;
            serde_json::from_slice(&answer).map_err(io::Error::other)
        };
        timeout(ANSWER_DEADLINE, talk).await?
    }
}
