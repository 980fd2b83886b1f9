//! Everything that is not sound: hyper reads the connection, axum answers. A later request on it that asks for sound
//! takes the connection back out of hyper, and the connection goes back to its shard.
//!
//! This runs on threads of its own (`PageThreads`): a page that takes long, or many of them, hold up no sweep. The socket
//! stays registered with its shard, which costs that one wake-up for each request and saves moving it twice.
//!
//! How: the service parks such a request and never answers it. When hyper then waits, and all it wrote before has left
//! for the socket, the connection is taken apart and goes on as a listener's.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tower::ServiceExt;

use super::abuse::{Abuse, Caller};
use super::asked::SoundRequest;
use super::counters::{ShardCounters, add};
use super::knocks::{Knocks, is_knock, too_many};
use super::limits::{
    HEAD_LINES_MAX, HTTP_BUFFER_MAX, PAGE_BLOCKING_THREADS_MAX, PAGE_NICENESS, PAGE_THREADS,
};
use super::paced::Paced;
use super::seats::HttpSeat;
use super::socket::{Rewound, Stream};

/// The threads that answer pages for all shards. Dropping ends them without waiting.
pub(super) struct PageThreads(Option<Runtime>);

impl PageThreads {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(PAGE_THREADS)
            .max_blocking_threads(PAGE_BLOCKING_THREADS_MAX)
            .thread_name("pages")
            // Where it cannot be had the pages are merely as important as the sound.
            .on_thread_start(|| {
                let _ = rustix::process::nice(PAGE_NICENESS);
            })
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for PageThreads {
    /// A runtime that is merely dropped waits for its threads, and must not be where others run.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// How a connection that HTTP read came to its end.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each connection, and it is moved once"
)]
pub(super) enum Ending {
    Closed,
    /// The last request asks for sound: the connection goes on.
    Sound(Stream, SoundRequest, IpAddr),
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Serves until the connection ends, asks for sound, or the edge stops.
pub(super) async fn serve(
    pages: axum::Router,
    mut stop: watch::Receiver<bool>,
    mut seat: HttpSeat,
    stream: Stream,
    before: Bytes,
    (caller, knocks): (Caller, Arc<Knocks>),
) -> Ending {
    let parked: Arc<Mutex<Option<(SoundRequest, IpAddr)>>> = Arc::default();
    let reader = caller.clone();
    let counters = seat.counters();
    let service = {
        let parked = Arc::clone(&parked);
        service_fn(move |mut request: Request<Incoming>| -> Answering {
            let target = request.uri().path_and_query();
            let target = target.map_or("/", |target| target.as_str());
            let line = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
            if let Some(sound) = SoundRequest::parse(request.method().as_str(), target, line) {
                let from = caller.client(request.headers()).ip();
                parked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .replace((sound, from));
                return Box::pin(std::future::pending());
            }
            if let Some(refused) = introduce(&mut request, &caller, &knocks) {
                return Box::pin(std::future::ready(Ok(refused)));
            }
            let request = request.map(|body| Paced::new(body, caller.clone()));
            answer(pages.clone(), request, Arc::clone(&counters))
        })
    };
    let io = Rewound::new(before, stream);
    let (flushed, gave_up) = (io.flushed(), io.gave_up());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(seat.keep_alive())
        .max_buf_size(HTTP_BUFFER_MAX)
        .max_headers(HEAD_LINES_MAX);
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let mut stopping = false;
    loop {
        let mut step = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            // An error is the peer's (gone, malformed, late): hyper has answered what can be answered.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if flushed.load(Relaxed) => parked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .map_or(Poll::Pending, |sound| Poll::Ready(Some(sound))),
            Poll::Pending => Poll::Pending,
        });
        let sound = tokio::select! {
            sound = &mut step => sound,
            () = told_to_end(&mut stop, &mut seat), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
        };
        return match sound {
            Some((sound, from)) => {
                let stream = connection.into_parts().io.into_inner().into_stream();
                Ending::Sound(stream, sound, from)
            }
            None => closed(&gave_up, &reader),
        };
    }
}

/// The edge stops, or others need the room.
async fn told_to_end(stop: &mut watch::Receiver<bool>, seat: &mut HttpSeat) {
    tokio::select! {
        // An error: the edge is gone, and its end is in order too.
        _ = stop.wait_for(|stop| *stop) => {}
        () = seat.is_needed() => {}
    }
}

/// Tells the pages who asks; gives what is said instead to a prefix that knocks too fast.
fn introduce(
    request: &mut Request<Incoming>,
    caller: &Caller,
    knocks: &Knocks,
) -> Option<Response<Body>> {
    let client = caller.client(request.headers());
    if is_knock(request.method(), request.uri().path())
        && !knocks.allow(caller.bounded_of(client.ip()))
    {
        caller.blame(Abuse::KnockRate);
        return Some(too_many());
    }
    request.extensions_mut().insert(ConnectInfo(client));
    None
}

/// A page's answer, timed and counted.
fn answer(pages: axum::Router, request: Request<Paced>, counters: Arc<ShardCounters>) -> Answering {
    if request.uri().path().starts_with("/assets/") {
        add(&counters.assets, 1);
    }
    Box::pin(async move {
        let measured = counters.requests.begin();
        let answered = pages.oneshot(request).await;
        measured.end(true);
        if let Ok(response) = &answered
            && let Some(count) = failing(response.status(), &counters)
        {
            add(count, 1);
        }
        answered
    })
}

/// What an answer counts as, if it tells of a failure.
fn failing(status: StatusCode, counters: &ShardCounters) -> Option<&AtomicU64> {
    let [theirs, ours, full] = &counters.answers;
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Some(full),
        _ if status.is_client_error() => Some(theirs),
        _ if status.is_server_error() => Some(ours),
        _ => None,
    }
}

fn closed(gave_up: &AtomicBool, reader: &Caller) -> Ending {
    if gave_up.load(Relaxed) {
        reader.blame(Abuse::SlowReader);
    }
    Ending::Closed
}
