//! The two faces of a connection: a stream that is read and written while it asks (`Stream`, `Rewound`), and a socket
//! in a shard that is only written to (`ListenerSocket`).

use std::future::Future;
use std::io::{self, IoSlice, Write as _};
use std::net;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hustings_control::gate::Pass;
use hustings_control::numbers::STAYED_PAGES;
use hustings_media::fanout::shard::Sink;
use hustings_media::time::Now;
use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::limits::{SEND_BUFFER_BYTES, TLS_BUFFER_BYTES};
use super::paced::Patience;
use crate::rehearsal::Seat;

/// A connection that still asks.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// From here on the connection is only written to, by a shard. It leaves the reactor, which would hold a place for
    /// it and wake for it in vain.
    ///
    /// # Errors
    /// When the reactor does not let go of the socket.
    pub(super) fn into_listener(self) -> io::Result<ListenerSocket> {
        Ok(match self {
            Self::Plain(tcp) => ListenerSocket::plain(tcp.into_std()?),
            Self::Tls(tls) => {
                let (tcp, mut session) = tls.into_inner();
                let tcp = tcp.into_std()?;
                bound_send_buffer(&tcp);
                session.set_buffer_limit(Some(TLS_BUFFER_BYTES));
                ListenerSocket::Tls(Box::new(TlsSocket { tcp, session }))
            }
        })
    }
}

/// The kernel's default stays when it refuses: the listener then only looks alive for longer than it is.
fn bound_send_buffer(tcp: &net::TcpStream) {
    let _ = socket2::SockRef::from(tcp).set_send_buffer_size(SEND_BUFFER_BYTES);
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

/// A stream whose first bytes were read before. It also tells whether all that was written has been flushed, and gives
/// up on a peer that takes nothing, or too little.
pub(super) struct Rewound {
    before: Bytes,
    stream: Stream,
    flushed: Arc<AtomicBool>,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Patience,
    gave_up: Arc<AtomicBool>,
}

impl Rewound {
    pub(super) fn new(before: Bytes, stream: Stream) -> Self {
        Self {
            before,
            stream,
            flushed: Arc::new(AtomicBool::new(true)),
            stalled: None,
            patience: Patience::default(),
            gave_up: Arc::default(),
        }
    }

    /// True when the connection ended because its reader was too slow.
    pub(super) fn gave_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.gave_up)
    }

    /// True while nothing written is still on its way to the socket.
    pub(super) fn flushed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flushed)
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            if self.stalled.take().is_some() {
                self.patience.moved(Instant::now());
            }
            return poll;
        }
        let patience = &mut self.patience;
        let stalled = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(patience.until(Instant::now())))
        });
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.gave_up.store(true, Relaxed);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn watch_bytes(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(taken)) = &poll {
            self.patience.took(*taken);
        }
        self.watch(cx, poll)
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.before.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let taken = this.before.len().min(buf.remaining());
        buf.put_slice(this.before.get(..taken).unwrap_or_default());
        this.before.advance(taken);
        if this.before.is_empty() {
            this.before = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.flushed.store(false, Relaxed);
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch_bytes(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.flushed.store(false, Relaxed);
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch_bytes(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        this.flushed.store(poll.is_ready(), Relaxed);
        this.watch(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, poll)
    }
}

/// A listener's socket in a shard. It is never read: what a listener still says does not matter, and a connection that
/// is gone shows at the next write.
pub(super) enum ListenerSocket {
    Plain(net::TcpStream),
    Tls(Box<TlsSocket>),
}

/// A listener's socket with its seat, which is given back when the socket is dropped.
pub(super) struct Seated {
    pub(super) socket: ListenerSocket,
    pub(super) pass: Pass,
    /// When it came, for how long it stays.
    pub(super) since_s: u32,
    pub(super) heard: Heard,
    /// Where it is counted when it is a rehearsal's.
    pub(super) rehearsed: Option<Seat>,
}

impl Seated {
    /// Its seat is another connection's by now, or its rehearsal was ended.
    pub(super) fn must_go(&self) -> bool {
        self.pass.is_taken_over() || self.rehearsed.as_ref().is_some_and(Seat::is_over)
    }
}

/// Whole seconds of the node's clock.
pub(super) fn whole_seconds(now: Now) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX)
}

impl Sink for Seated {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.socket.flush()
    }

    fn parted(&mut self, next: u64) {
        self.heard.next = next;
    }
}

/// What a listener has been sent, in pages of its ring, and how much of that is in the space's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    first: u64,
    counted: u64,
    /// Where it stood when it left.
    pub(super) next: u64,
}

impl Heard {
    pub(super) fn from(first: u64) -> Self {
        Self {
            first,
            counted: first,
            next: first,
        }
    }

    /// Pages since it was last counted, and whether it has become one who stayed.
    pub(super) fn count(&mut self, next: u64) -> (u64, bool) {
        let stayed = |at: u64| at.saturating_sub(self.first) >= STAYED_PAGES;
        let more = next.saturating_sub(self.counted);
        let became = !stayed(self.counted) && stayed(next);
        self.counted = self.counted.max(next);
        (more, became)
    }
}

pub(super) struct TlsSocket {
    tcp: net::TcpStream,
    session: ServerConnection,
}

impl ListenerSocket {
    /// The socket must not block.
    pub(super) fn plain(tcp: net::TcpStream) -> Self {
        bound_send_buffer(&tcp);
        Self::Plain(tcp)
    }

    /// Sends a constant answer if it fits, which it does before anything else was sent.
    pub(super) fn say(&mut self, answer: &'static [u8]) {
        let _ = self.write_vectored(&[IoSlice::new(answer)]);
    }

    /// Ends the stream in order, so that the peer can tell an end from a cut.
    pub(super) fn finish(self) {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(mut tls) => {
                tls.session.send_close_notify();
                // A peer too slow for the last bytes gets a cut; nobody waits for it.
                let _ = tls.send();
                tls.tcp
            }
        };
        let _ = socket2::SockRef::from(&tcp).shutdown(std::net::Shutdown::Write);
    }
}

impl Sink for ListenerSocket {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => match bufs {
                [one] => tcp.write(one),
                _ => tcp.write_vectored(bufs),
            },
            Self::Tls(tls) => tls.write_vectored(bufs),
        }
    }

    fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(tls) => tls.send(),
        }
    }
}

impl TlsSocket {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.send()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.session.writer().write_vectored(bufs)?;
        if taken == 0 && bufs.iter().any(|buf| !buf.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.send()?;
        Ok(taken)
    }

    /// Moves sealed records to the socket; true when none is left. Ends: each turn takes bytes out of a bounded buffer.
    fn send(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.tcp) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}
