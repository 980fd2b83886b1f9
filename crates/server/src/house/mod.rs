//! The listeners of the house: stage and operator. Their connections are bounded and have deadlines; the crowd's door is
//! the edge, with capacity of its own.

mod connection;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use self::connection::{Speaks, serve};
use crate::edge::tls::TlsFiles;

/// Connections a listener of the house holds at once; the next waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// A TLS handshake that is not complete by then ends its connection.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// A peer that takes nothing of what is sent to it for so long is cut by the kernel.
const STALL_MAX: Duration = Duration::from_secs(30);
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
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_MAX));
        let router = router.clone();
        let closing = closing.clone();
        let tls = tls.as_ref().map(|newest| newest());
        tokio::spawn(async move {
            let _seat = seat;
            match tls {
                None => serve(stream, peer, Speaks::Http1, router, closing).await,
                Some(config) => {
                    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await
                    {
                        let speaks = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Speaks::Http2,
                            _ => Speaks::Http1,
                        };
                        serve(stream, peer, speaks, router, closing).await;
                    }
                }
            }
        });
    }
    // All seats back means that every connection has ended.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = seats.acquire_many(all).await;
}
