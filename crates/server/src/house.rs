//! The listeners of the house: stage and operator. Their connections are bounded and have deadlines; the crowd's door is
//! the edge, with capacity of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::edge::tls::TlsFiles;

/// Connections a listener of the house holds at once; the next waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// A head that is not complete by then ends its connection.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// A TLS handshake that is not complete by then ends its connection.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of a request head; more is answered 431.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// HTTP/2 streams of one connection at once: a studio uses about six.
const STREAMS_MAX: u32 = 32;
/// HTTP/2 resets of streams not yet answered, before the connection is ended (CVE-2023-44487).
const RESETS_MAX: usize = 20;
/// After an accept that failed (most often: no more open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub type TlsAcceptor = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// A listener that runs until its `stop`.
pub struct HouseListener {
    pub address: SocketAddr,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl HouseListener {
    /// Binds `address`; `tls` gives the newest certificate for each handshake.
    ///
    /// # Errors
    /// The operating system's, when the address is taken or not this machine's.
    pub async fn start(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        router: axum::Router,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let task = tokio::spawn(accept(listener, tls, router, closed));
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

/// The newest certificate for each handshake; looking whether a file has changed is two system calls.
///
/// # Errors
/// When the files are not there or are no good.
pub fn certificates((cert, key): (PathBuf, PathBuf)) -> anyhow::Result<TlsAcceptor> {
    let files = TlsFiles::load(cert, key)
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
    mut closed: watch::Receiver<bool>,
) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let closing = closed.clone();
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.wait_for(|closed| *closed) => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Small answers must not wait for a full packet; a failure to say so costs only delay.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let closing = closing.clone();
        let tls = tls.as_ref().map(|newest| newest());
        tokio::spawn(async move {
            let _seat = seat;
            match tls {
                None => serve(stream, peer, router, closing).await,
                Some(config) => {
                    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await
                    {
                        serve(stream, peer, router, closing).await;
                    }
                }
            }
        });
    }
    // All seats back means that every connection has ended.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = seats.acquire_many(all).await;
}

async fn serve<S>(
    stream: S,
    peer: SocketAddr,
    router: axum::Router,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    let router = router.layer(axum::Extension(axum::extract::ConnectInfo(peer)));
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // How a connection ends is the other side's affair.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
