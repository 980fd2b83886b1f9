//! One connection of the house: HTTP/1.1, or HTTP/2 where TLS has agreed on it. Every way to hold it for nothing ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

use super::book::Guest;

/// Time for a head, the idle time before it included: later ends the connection. HTTP/2's first request has so long.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of a request head; more is answered 431.
const HEAD_BYTES_MAX: u32 = 16 * 1_024;
/// Time an HTTP/2 connection may stand without a request; then it is ended in order. Browsers open it anew unseen.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Requests of one HTTP/2 connection that were too many, after which it is ended: to refuse a thousand at once costs more than
/// a handshake. HTTP/1.1 ends with the first.
const REFUSALS_MAX: u32 = 16;
/// Time that such a connection has to take its answers; then it is cut.
const REFUSED_FAREWELL: Duration = Duration::from_secs(1);
/// Time that an ended connection has to finish what is in work; then it is cut.
const FAREWELL: Duration = Duration::from_secs(10);
/// HTTP/2 streams of one connection at once: a studio uses about six. One more waits in the browser.
const STREAMS_MAX: u32 = 32;
/// HTTP/2 resets of streams not yet answered, before the connection is ended (CVE-2023-44487).
const RESETS_MAX: usize = 20;
/// Resets that we send for a peer's faults, before the connection is ended: a peer that makes us reset is no browser.
const OWN_RESETS_MAX: usize = 64;
/// Bytes that a stream, and all streams of a connection, may send before we have read them. An upload needs no more.
const STREAM_WINDOW: u32 = 64 * 1_024;
const CONNECTION_WINDOW: u32 = 256 * 1_024;
/// Bytes of an answer that wait for one stream's reader; more is made when these are taken.
const SEND_BUFFER: usize = 64 * 1_024;
/// Bytes of one frame: the least that the standard allows, so that a large answer lets small ones between.
const FRAME_BYTES: u32 = 16 * 1_024;
/// A peer of HTTP/2 is asked so often whether it is still there, and has so long to say so; then it is cut.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// Serves until the connection ends, stands idle too long, or the house closes.
pub(super) async fn serve<S>(
    stream: S,
    (peer, guest): (SocketAddr, Guest),
    speaks: Speaks,
    router: axum::Router,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (work, mut in_work) = watch::channel(Work::default());
    let refusals = Arc::new(Refusals::default());
    let refused = Arc::clone(&refusals);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let may_ask = guest.may_ask();
        request.extensions_mut().insert(guest.clone());
        let (held, router) = (Held::new(&work), router.clone());
        if !may_ask && speaks == Speaks::Http2 {
            refused.one_more();
        }
        async move {
            let answer = if may_ask {
                let Ok(answer) = router.oneshot(request).await;
                answer
            } else {
                too_many(speaks)
            };
            Ok::<_, Infallible>(answer.map(|body| HeldBody { body, _held: held }))
        }
    });
    let builder = builder(speaks);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut farewell = FAREWELL;
    tokio::select! {
        // How a connection ends is the other side's affair.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => {}
        () = refusals.enough.notified() => farewell = REFUSED_FAREWELL,
        began = idle(&mut in_work), if speaks == Speaks::Http2 => if !began { return },
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(farewell, connection).await;
}

/// What strangers get who ask faster than their prefix may.
fn too_many(speaks: Speaks) -> Response<Body> {
    let mut answer = Response::new(Body::from("Too many requests from your network.\n"));
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    // HTTP/2 knows no such line; there the connection's own bounds hold.
    if speaks == Speaks::Http1 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn builder(speaks: Speaks) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    // Never both: guessing would wait for a first byte without end.
    let mut builder = match speaks {
        Speaks::Http1 => builder.http1_only(),
        Speaks::Http2 => builder.http2_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(OWN_RESETS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    builder
}

/// Returns when nothing has been in work for too long: true when there ever was a request.
async fn idle(in_work: &mut watch::Receiver<Work>) -> bool {
    loop {
        let work = *in_work.borrow_and_update();
        match tokio::time::timeout(work.patience(), in_work.changed()).await {
            Err(_) => return work.began,
            // The service is gone with its connection, which the caller sees.
            Ok(Err(_)) => std::future::pending().await,
            Ok(Ok(())) => {}
        }
    }
}

/// What a connection's requests are at: how many are not answered to the end, and whether there was one at all.
#[derive(Clone, Copy, Default)]
struct Work {
    now: usize,
    began: bool,
}

impl Work {
    /// How long nothing may change.
    fn patience(self) -> Duration {
        match self {
            Self { now: 1.., .. } => Duration::MAX,
            Self { began: true, .. } => IDLE_MAX,
            Self { .. } => HEAD_DEADLINE,
        }
    }
}

#[derive(Default)]
struct Refusals {
    count: AtomicU32,
    enough: Notify,
}

impl Refusals {
    fn one_more(&self) {
        if self.count.fetch_add(1, Relaxed) + 1 == REFUSALS_MAX {
            self.enough.notify_one();
        }
    }
}

struct Held(watch::Sender<Work>);

impl Held {
    fn new(work: &watch::Sender<Work>) -> Self {
        work.send_modify(|work| {
            work.now += 1;
            work.began = true;
        });
        Self(work.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|work| work.now -= 1);
    }
}

/// A body that counts as work until it has been sent or given up: event streams go on for hours.
struct HeldBody {
    body: Body,
    _held: Held,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_asks_goes_sooner_than_who_has_asked_and_work_is_waited_for() {
        let (work, in_work) = watch::channel(Work::default());
        let patience = || in_work.borrow().patience();
        assert_eq!(patience(), HEAD_DEADLINE);
        let held = Held::new(&work);
        let body = HeldBody {
            body: Body::empty(),
            _held: Held::new(&work),
        };
        drop(held);
        assert_eq!(patience(), Duration::MAX, "a body is still on its way");
        drop(body);
        assert_eq!(patience(), IDLE_MAX);
    }
}
