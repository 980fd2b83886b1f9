//! Clients from many addresses of 127/8, as few system calls each as there can be: the driver must never be what is
//! measured. Nobody here resumes TLS, and listeners throw away what they hear without opening it.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket, Type};

use crate::tls;

/// Joins under way at once; more would measure the kernel's queue of connections nobody has accepted yet.
const JOINING_MAX: usize = 256;
/// A listener that hears nothing for so long is counted as turned away.
const JOIN_MAX: Duration = Duration::from_secs(30);
/// Bytes. An answer's head is far shorter than the sound that follows it.
const READ_BYTES: usize = 16 * 1_024;
/// Between two turns of taking what has come for the whole crowd.
const TURN: Duration = Duration::from_millis(500);
/// A crowd that is to stay comes in parties of so many, so far apart: of a rush the door asks most to wait.
const PARTY: usize = 500;
const PARTY_APART: Duration = Duration::from_millis(400);
/// Open files that a process needs beside its connections.
const FILES_SPARE: usize = 400;

/// Connections that the limit of open files leaves for one process.
pub(crate) fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = files.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    soft.unwrap_or(1_024).saturating_sub(FILES_SPARE)
}

pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    request: Vec<u8>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub(crate) fn new(address: &str, path: &str, tls: Option<&tls::Files>) -> anyhow::Result<Self> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: hustings-bench\r\n\r\n");
        Ok(Self {
            address: address.parse()?,
            request: request.into_bytes(),
            tls: tls.map(tls::client).transpose()?,
        })
    }
}

pub(crate) struct Burst {
    pub(crate) heard: usize,
    pub(crate) took: Duration,
    pub(crate) p99: Duration,
    /// Those who stay, when they were to stay.
    pub(crate) inside: Vec<TcpStream>,
}

/// Everybody presses. Who is not to `stay` closes at the first byte of sound. `None` when nobody heard any.
pub(crate) fn burst(target: &Target, count: usize, stay: bool) -> Option<Burst> {
    let begun = Instant::now();
    let mut line = Line {
        waits: Vec::with_capacity(count),
        stay,
        ..Line::default()
    };
    for number in 0..count {
        if let Ok(joining) = Joining::press(target, number) {
            line.pressed.push_back(joining);
        }
        if line.pressed.len() > JOINING_MAX {
            line.shake(target);
        }
        if line.shaken.len() > JOINING_MAX {
            line.hear();
        }
    }
    while !line.pressed.is_empty() {
        line.shake(target);
    }
    while !line.shaken.is_empty() {
        line.hear();
    }
    let took = begun.elapsed();
    line.waits.sort_unstable();
    Some(Burst {
        heard: line.waits.len(),
        took,
        p99: *line.waits.get(line.waits.len() * 99 / 100)?,
        inside: line.inside,
    })
}

/// Joins under way, in the order they were begun.
#[derive(Default)]
struct Line {
    pressed: VecDeque<Joining>,
    shaken: VecDeque<Joining>,
    waits: Vec<Duration>,
    stay: bool,
    inside: Vec<TcpStream>,
}

impl Line {
    fn shake(&mut self, target: &Target) {
        if let Some(mut joining) = self.pressed.pop_front()
            && joining.shake(target).is_ok()
        {
            self.shaken.push_back(joining);
        }
    }

    fn hear(&mut self) {
        if let Some(mut joining) = self.shaken.pop_front()
            && let Ok(wait) = joining.hear()
        {
            self.waits.push(wait);
            if self.stay {
                self.inside.push(joining.stream);
            }
        }
    }
}

struct Joining {
    stream: TcpStream,
    session: Option<ClientConnection>,
    pressed: Instant,
}

impl Joining {
    fn press(target: &Target, number: usize) -> anyhow::Result<Self> {
        let pressed = Instant::now();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        let [_, _, high, low] = u32::try_from(number)?.to_be_bytes();
        // Each next one from another /24, as a crowd comes: the door bounds what one of them may do at once.
        let from = SocketAddr::from((Ipv4Addr::new(127, 1, low, high.wrapping_add(1)), 0));
        socket.bind(&from.into())?;
        socket.set_read_timeout(Some(JOIN_MAX))?;
        socket.connect(&target.address.into())?;
        let mut stream: TcpStream = socket.into();
        let mut session = None;
        match &target.tls {
            None => stream.write_all(&target.request)?,
            Some(config) => {
                stream.set_nodelay(true)?;
                let name = ServerName::IpAddress(target.address.ip().into());
                let mut hello = ClientConnection::new(Arc::clone(config), name)?;
                hello.write_tls(&mut stream)?;
                session = Some(hello);
            }
        }
        Ok(Self {
            stream,
            session,
            pressed,
        })
    }

    /// Ends the handshake and asks, both in one write.
    fn shake(&mut self, target: &Target) -> anyhow::Result<()> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        while session.is_handshaking() {
            if session.wants_read() {
                anyhow::ensure!(session.read_tls(&mut self.stream)? > 0, "gone");
                session.process_new_packets()?;
            } else {
                session.write_tls(&mut self.stream)?;
            }
        }
        session.writer().write_all(&target.request)?;
        while session.wants_write() {
            session.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Waits for the first byte behind the answer's head.
    fn hear(&mut self) -> anyhow::Result<Duration> {
        let mut head = [0_u8; READ_BYTES];
        let mut filled = 0;
        loop {
            let read = match &mut self.session {
                None => self.stream.read(&mut head[filled..])?,
                Some(session) => opened(session, &mut self.stream, &mut head[filled..])?,
            };
            anyhow::ensure!(read > 0, "the server closed before any sound");
            filled += read;
            let ends = head[..filled]
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if ends.is_some_and(|end| filled > end + 4) {
                let taken = head.starts_with(b"HTTP/1.1 200") || head.starts_with(b"HTTP/1.0 200");
                anyhow::ensure!(taken, "not let in");
                return Ok(self.pressed.elapsed());
            }
            anyhow::ensure!(filled < READ_BYTES, "a head without end");
        }
    }
}

fn opened(
    session: &mut ClientConnection,
    stream: &mut TcpStream,
    into: &mut [u8],
) -> anyhow::Result<usize> {
    loop {
        match session.reader().read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other.context("no plain bytes"),
        }
        anyhow::ensure!(session.read_tls(stream)? > 0, "gone");
        session.process_new_packets()?;
    }
}

/// Listeners who stay. A thread of their own takes what comes for them, twice a second.
pub(crate) struct Crowd {
    bytes: Arc<AtomicU64>,
    inside: Arc<AtomicUsize>,
    leave: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Crowd {
    pub(crate) fn join(target: &Target, count: usize) -> anyhow::Result<Self> {
        let mut streams = Vec::with_capacity(count);
        while streams.len() < count {
            let more = PARTY.min(count - streams.len());
            let party = burst(target, more, true).context("nobody was let in")?;
            if party.inside.len() < more {
                streams.extend(party.inside);
                break;
            }
            streams.extend(party.inside);
            std::thread::sleep(PARTY_APART);
        }
        let mut crowd = Self {
            bytes: Arc::default(),
            inside: Arc::new(AtomicUsize::new(streams.len())),
            leave: Arc::default(),
            thread: None,
        };
        let (bytes, inside, leave) = (
            Arc::clone(&crowd.bytes),
            Arc::clone(&crowd.inside),
            Arc::clone(&crowd.leave),
        );
        streams.retain(|stream| stream.set_nonblocking(true).is_ok());
        let thread = std::thread::spawn(move || {
            while !leave.load(Ordering::Relaxed) {
                streams.retain_mut(|stream| take(stream, &bytes));
                inside.store(streams.len(), Ordering::Relaxed);
                std::thread::sleep(TURN);
            }
        });
        crowd.thread = Some(thread);
        Ok(crowd)
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
        self.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic would have shown in the numbers.
            let _ = thread.join();
        }
    }
}

/// Takes all that has come; false when the connection has ended.
fn take(stream: &mut TcpStream, bytes: &AtomicU64) -> bool {
    let mut bin = [0_u8; READ_BYTES];
    loop {
        match stream.read(&mut bin) {
            Ok(0) => return false,
            Ok(read) => bytes.fetch_add(read as u64, Ordering::Relaxed),
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
    }
}
