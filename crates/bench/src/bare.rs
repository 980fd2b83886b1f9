//! The bare loops: what no server of this kind can undercut. One sends to a list of sockets; one accepts, reads the
//! request and answers. Neither does anything else.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};
use socket2::{Domain, Protocol, Socket, Type};

use crate::process::LIFE;
use crate::tls;

/// 48 kbit/s in one chunk a second.
pub(crate) const CHUNK_BYTES: usize = 6_000;
const CHUNK: [u8; CHUNK_BYTES] = [0x55; CHUNK_BYTES];
const INTERVAL: Duration = Duration::from_secs(1);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\n\r\n";
const NO: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 23\r\nRetry-After: 5\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nCome again in 5 seconds";
/// Bytes of a request; ours are shorter.
const HEAD_BYTES: usize = 1_024;
/// How long a peer may take for its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Sockets that the accepting loop holds before it closes the oldest, which has its answer by then.
const HELD_MAX: usize = 4_096;
const BACKLOG: i32 = 4_096;

/// `send()` over a list of sockets, once a second. Somebody else's thread fills the list.
pub(crate) fn carry(address: &str) -> anyhow::Result<()> {
    let listener = listen(address)?;
    let newcomers: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let door = Arc::clone(&newcomers);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let ready = answer(&mut stream).is_ok() && stream.set_nonblocking(true).is_ok();
            if ready {
                door.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(stream);
            }
        }
    });
    let begun = Instant::now();
    let mut due = begun;
    let mut inside: Vec<TcpStream> = Vec::new();
    while begun.elapsed() < LIFE {
        due += INTERVAL;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        inside.append(&mut newcomers.lock().unwrap_or_else(PoisonError::into_inner));
        inside.retain_mut(|stream| match stream.write(&CHUNK) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
    }
    Ok(())
}

/// Accepts, one after another, plain or with TLS.
pub(crate) fn accept(address: &str, tls: Option<&tls::Files>) -> anyhow::Result<()> {
    let listener = listen(address)?;
    let config = tls.map(tls::server).transpose()?;
    let begun = Instant::now();
    let mut held = VecDeque::with_capacity(HELD_MAX + 1);
    while begun.elapsed() < LIFE {
        let (mut stream, _) = listener.accept()?;
        let answered = match &config {
            None => answer(&mut stream),
            Some(config) => answer_sealed(&mut stream, config),
        };
        // A peer that has gone costs what it costs.
        if answered.is_ok() {
            held.push_back(stream);
        }
        if held.len() > HELD_MAX {
            held.pop_front();
        }
    }
    Ok(())
}

/// Accepts, reads, says no in a few bytes, closes: what refusing costs at least.
pub(crate) fn refuse(address: &str) -> anyhow::Result<()> {
    let listener = listen(address)?;
    let begun = Instant::now();
    let mut head = [0_u8; HEAD_BYTES];
    while begun.elapsed() < LIFE {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        if stream.read(&mut head).is_ok_and(|read| read > 0) {
            // A peer that has gone costs what it costs.
            let _ = stream.write(NO);
        }
    }
    Ok(())
}

/// With room for as many newcomers as the edge has.
fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&address.parse::<SocketAddr>()?.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = [0_u8; HEAD_BYTES];
    anyhow::ensure!(stream.read(&mut head)? > 0, "gone");
    let mut whole = ANSWER.to_vec();
    whole.extend_from_slice(&CHUNK);
    Ok(stream.write_all(&whole)?)
}

fn answer_sealed(stream: &mut TcpStream, config: &Arc<ServerConfig>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut session = ServerConnection::new(Arc::clone(config))?;
    let mut head = [0_u8; HEAD_BYTES];
    let mut sealed = rustls::Stream::new(&mut session, stream);
    anyhow::ensure!(sealed.read(&mut head)? > 0, "gone");
    let mut whole = ANSWER.to_vec();
    whole.extend_from_slice(&CHUNK);
    sealed.write_all(&whole)?;
    Ok(sealed.flush()?)
}
