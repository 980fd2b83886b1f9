//! The listeners of the house: stage and operator. Their connections are bounded (`limits`) and have deadlines
//! (`connection`); strangers make room for those who have shown a right (`book`). The crowd's door is the edge, with
//! capacity of its own.

mod book;
mod connection;
mod limits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use self::book::Book;
pub use self::book::Guest;
use self::connection::{Speaks, serve};
use self::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, DROPPED_WHEN_SHORT, HANDSHAKE_DEADLINE, STALL_MAX,
};
use crate::edge::AbuseConfig;
use crate::edge::tls::TlsFiles;

pub type TlsAcceptor = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// A listener that runs until its `stop`.
pub struct HouseListener {
    pub address: SocketAddr,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl HouseListener {
    /// Binds `address`; `tls` gives the newest certificate for each handshake. `abuse` says which proxies speak for many.
    ///
    /// # Errors
    /// The operating system's, when the address is taken or not this machine's.
    pub async fn start(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        router: axum::Router,
        abuse: AbuseConfig,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let task = tokio::spawn(accept(listener, tls, router, Book::new(abuse), closed));
        Ok(Self {
            address,
            closing,
            task,
        })
    }

    /// Takes no new connections, ends idle ones and those that are answered.
    pub async fn stop(self, grace: Duration) {
        self.closing.send_replace(true);
        let mut task = self.task;
        if tokio::time::timeout(grace, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// The newest certificate for each handshake; looking whether a file has changed is two system calls. HTTP/2 is offered:
/// browsers give HTTP/1.1 six connections for all tabs, and each studio holds one for its events.
///
/// # Errors
/// When the files are not there or are no good.
pub fn certificates((cert, key): (PathBuf, PathBuf)) -> anyhow::Result<TlsAcceptor> {
    let files = TlsFiles::offering(cert, key, &[b"h2", b"http/1.1"])
        .map_err(|why| anyhow::anyhow!("the TLS files cannot be used: {why}"))?;
    Ok(Arc::new(move || {
        files.reload_if_changed();
        files.config()
    }))
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: axum::Router,
    book: Arc<Book>,
    mut closed: watch::Receiver<bool>,
) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let closing = closed.clone();
    loop {
        let Some(seat) = place(&seats, &book).await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.wait_for(|closed| *closed) => break,
        };
        let Ok((stream, peer)) = accepted else {
            book.shed(DROPPED_WHEN_SHORT);
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Closed before a byte is read or a task made: the cheapest refusal there is.
        let Some(guest) = book.welcome(peer.ip()) else {
            continue;
        };
        // Small answers must not wait for a full packet; a failure to say so costs only delay.
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_MAX));
        let (router, closing, tls) = (router.clone(), closing.clone(), tls.clone());
        let known = guest.clone();
        let task = tokio::spawn(async move {
            let _seat = seat;
            let from = (peer, known);
            match tls {
                None => serve(stream, from, Speaks::Http1, router, closing).await,
                Some(newest) => {
                    if let Some(stream) = shake_hands(stream, &newest, &from.1).await {
                        let speaks = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Speaks::Http2,
                            _ => Speaks::Http1,
                        };
                        serve(stream, from, speaks, router, closing).await;
                    }
                }
            }
        });
        guest.served_by(task.abort_handle());
    }
    // All seats back means that every connection has ended.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = seats.acquire_many(all).await;
}

/// A place for the next connection; a stranger makes room for it. None when the listener has ended.
async fn place(seats: &Arc<Semaphore>, book: &Book) -> Option<OwnedSemaphorePermit> {
    if let Ok(seat) = Arc::clone(seats).try_acquire_owned() {
        return Some(seat);
    }
    book.shed(1);
    Arc::clone(seats).acquire_owned().await.ok()
}

/// The hello is read whole before the handshake takes its turn, and nothing is computed for it until then.
async fn shake_hands(
    stream: TcpStream,
    newest: &TlsAcceptor,
    guest: &Guest,
) -> Option<TlsStream<TcpStream>> {
    let handshake = async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
        let wait_us = guest.handshake_in()?;
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
        hello.ok()?.into_stream(newest()).await.ok()
    };
    tokio::time::timeout(HANDSHAKE_DEADLINE, handshake)
        .await
        .ok()
        .flatten()
}
