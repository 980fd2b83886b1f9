//! ICE-TCP, passive, on the media port's number: for those whose network blocks UDP. Frames as in RFC 4571.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::net::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::address::TakenFrom;
use super::newcomers::{Newcomers, Place};
use super::routes::{DATAGRAM_BYTES_MAX, Datagram, Inbox, Routes};

/// Connections that have named a session at once; one more is closed. Speakers need one each; those who have named none yet have
/// places of their own (`newcomers`).
const CONNECTIONS_MAX: usize = 256;
/// A connection whose first frame does not name a session by then is closed.
const FIRST_FRAME_DEADLINE: Duration = Duration::from_secs(5);
/// A connection that says nothing for as long as a lost seat is kept is closed. ICE alone says something each few seconds.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// A peer that does not take a frame for so long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// Frames that wait for a connection (half a second); newer ones are dropped when full.
const FRAMES_MAX: usize = 32;
/// Accepting fails when files run short; trying at once again would burn a core.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

pub(super) async fn accept(listener: TcpListener, routes: Arc<Routes>, from: TakenFrom) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let newcomers = Newcomers::new();
    loop {
        let (stream, source) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "an ICE-TCP connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        if !from.takes(source.ip().to_canonical()) {
            routes.count_stranger();
            continue;
        }
        let newcomer = newcomers.enter(source.ip());
        let (routes, places) = (Arc::clone(&routes), Arc::clone(&places));
        tokio::spawn(async move { serve(stream, source, newcomer, &routes, &places).await });
    }
}

async fn serve(
    stream: TcpStream,
    source: SocketAddr,
    (newcomer, must_go): (Place, oneshot::Receiver<()>),
    routes: &Routes,
    places: &Semaphore,
) {
    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let first = tokio::select! {
        biased;
        first = timeout(FIRST_FRAME_DEADLINE, read_frame(&mut reader)) => first.ok().flatten(),
        _ = must_go => None,
    };
    drop(newcomer);
    let known = first.and_then(|frame| {
        routes
            .find(Protocol::Tcp, source, &frame)
            .map(|inbox| (frame, inbox))
    });
    let (Some((first, inbox)), Ok(_place)) = (known, places.try_acquire()) else {
        routes.count_stranger();
        return;
    };
    let (back, mut frames) = mpsc::channel::<Bytes>(FRAMES_MAX);
    let writing = async move {
        while let Some(frame) = frames.recv().await {
            let Ok(length) = u16::try_from(frame.len()) else {
                continue;
            };
            let mut framed = Vec::with_capacity(frame.len() + 2);
            framed.extend_from_slice(&length.to_be_bytes());
            framed.extend_from_slice(&frame);
            if !matches!(
                timeout(WRITE_DEADLINE, writer.write_all(&framed)).await,
                Ok(Ok(()))
            ) {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = forward(first, inbox, reader, source, back) => {}
    }
}

async fn forward(
    first: Bytes,
    inbox: Inbox,
    mut reader: OwnedReadHalf,
    source: SocketAddr,
    back: mpsc::Sender<Bytes>,
) {
    let mut next = Some(first);
    while let Some(bytes) = next {
        let datagram = Datagram {
            at: Instant::now(),
            proto: Protocol::Tcp,
            source,
            bytes,
            back: Some(back.clone()),
        };
        if let Err(mpsc::error::TrySendError::Closed(_)) = inbox.try_send(datagram) {
            return;
        }
        next = timeout(IDLE_MAX, read_frame(&mut reader))
            .await
            .ok()
            .flatten();
    }
}

/// `None` at the end, on an error, and for a frame longer than any datagram: such a peer is not ours.
async fn read_frame(reader: &mut OwnedReadHalf) -> Option<Bytes> {
    let length = usize::from(reader.read_u16().await.ok()?);
    if length == 0 || length > DATAGRAM_BYTES_MAX {
        return None;
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await.ok()?;
    Some(frame.into())
}
