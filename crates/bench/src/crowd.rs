//! The crowd: plain GETs from many addresses of 127/8, each reading what comes and throwing it away.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Connections being made at once; more would measure the kernel's queue of half-open ones.
const JOINING_MAX: usize = 256;
/// A listener that hears nothing for so long is counted as not inside.
const JOIN_DEADLINE: Duration = Duration::from_secs(60);
/// Bytes. An answer's head is far shorter than the sound that follows it.
const READ_BYTES: usize = 16 * 1024;

pub(crate) struct Crowd {
    listeners: JoinSet<()>,
    bytes: Arc<AtomicU64>,
    inside: Arc<AtomicUsize>,
}

impl Crowd {
    pub(crate) async fn join(address: &str, path: &str, count: usize) -> anyhow::Result<Self> {
        let bytes = Arc::new(AtomicU64::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let mut listeners = JoinSet::new();
        for start in (0..count).step_by(JOINING_MAX) {
            let mut joining = JoinSet::new();
            for number in start..count.min(start + JOINING_MAX) {
                joining.spawn(first_byte(address.parse()?, path.to_owned(), number));
            }
            while let Some(joined) = joining.join_next().await {
                let Ok(Ok((stream, _))) = joined else {
                    continue;
                };
                let (bytes, inside) = (Arc::clone(&bytes), Arc::clone(&inside));
                inside.fetch_add(1, Ordering::Relaxed);
                listeners.spawn(async move {
                    listen(stream, &bytes).await;
                    inside.fetch_sub(1, Ordering::Relaxed);
                });
            }
        }
        Ok(Self {
            listeners,
            bytes,
            inside,
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.listeners.abort_all();
    }
}

async fn listen(mut stream: TcpStream, bytes: &AtomicU64) {
    let mut buffer = vec![0_u8; READ_BYTES];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
}

pub(crate) struct Burst {
    pub(crate) heard: usize,
    pub(crate) per_second: f64,
    pub(crate) p99: Duration,
}

/// Everybody presses; each is closed by the client at its first byte of sound.
pub(crate) async fn burst(address: &str, path: &str, count: usize) -> anyhow::Result<Burst> {
    let begun = Instant::now();
    let mut waits = Vec::with_capacity(count);
    let mut joining = JoinSet::new();
    let mut next = 0;
    while next < count || !joining.is_empty() {
        while next < count && joining.len() < JOINING_MAX {
            joining.spawn(first_byte(address.parse()?, path.to_owned(), next));
            next += 1;
        }
        if let Some(Ok(Ok((_, wait)))) = joining.join_next().await {
            waits.push(wait);
        }
    }
    waits.sort_unstable();
    let p99 = waits
        .get(waits.len() * 99 / 100)
        .copied()
        .unwrap_or(JOIN_DEADLINE);
    Ok(Burst {
        heard: waits.len(),
        per_second: waits.len() as f64 / begun.elapsed().as_secs_f64(),
        p99,
    })
}

async fn first_byte(
    address: SocketAddr,
    path: String,
    number: usize,
) -> anyhow::Result<(TcpStream, Duration)> {
    tokio::time::timeout(JOIN_DEADLINE, async {
        let pressed = Instant::now();
        let socket = TcpSocket::new_v4()?;
        let [_, _, high, low] = u32::try_from(number)?.to_be_bytes();
        socket.bind(SocketAddr::from((
            Ipv4Addr::new(127, 1 + (high >> 6), high, low.max(1)),
            0,
        )))?;
        let mut stream = socket.connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: hustings-bench\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0_u8; READ_BYTES];
        let mut filled = 0;
        loop {
            let read = stream.read(&mut head[filled..]).await?;
            anyhow::ensure!(read > 0, "the server closed before any sound");
            filled += read;
            let body = head[..filled]
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .map(|end| end + 4);
            if body.is_some_and(|begin| filled > begin) {
                anyhow::ensure!(
                    head.starts_with(b"HTTP/1.1 200") || head.starts_with(b"HTTP/1.0 200"),
                    "not let in"
                );
                return Ok((stream, pressed.elapsed()));
            }
            anyhow::ensure!(filled < READ_BYTES, "a head without end");
        }
    })
    .await
    .context("no sound in time")?
}
