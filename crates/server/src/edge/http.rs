//! Everything that is not sound: hyper reads the connection, axum answers. A later request on it that asks for sound
//! takes the connection back out of hyper.
//!
//! How: the service parks such a request and never answers it. When hyper then waits, and all it wrote before has left
//! for the socket, the connection is taken apart and goes on as a listener's.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::ServiceExt;

use super::head::SoundRequest;
use super::limits::{
    HEAD_LINES_MAX, HTTP_BUFFER_MAX, HTTP_CROWDED, KEEP_ALIVE, KEEP_ALIVE_CROWDED,
};
use super::shard_loop::Local;
use super::socket::{Rewound, Stream};

/// How a connection that HTTP read came to its end.
pub(super) enum Ending {
    Closed,
    /// The last request asks for sound: the connection goes on.
    Sound(Stream, SoundRequest),
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

/// Serves until the connection ends, asks for sound, or the edge stops.
pub(super) async fn serve(
    local: &Rc<Local>,
    stream: Stream,
    before: Bytes,
    peer: ConnectInfo<SocketAddr>,
) -> Ending {
    let parked: Rc<RefCell<Option<SoundRequest>>> = Rc::default();
    let service = {
        let (parked, pages) = (Rc::clone(&parked), local.pages.clone());
        service_fn(move |mut request: Request<Incoming>| -> Answering {
            let target = request
                .uri()
                .path_and_query()
                .map_or("/", |target| target.as_str());
            if let Some(sound) = SoundRequest::parse(request.method().as_str(), target) {
                parked.replace(Some(sound));
                return Box::pin(std::future::pending());
            }
            request.extensions_mut().insert(peer);
            Box::pin(pages.clone().oneshot(request))
        })
    };
    let io = Rewound::new(before, stream);
    let flushed = io.flushed();
    let keep_alive = if local.http.get() >= HTTP_CROWDED {
        KEEP_ALIVE_CROWDED
    } else {
        KEEP_ALIVE
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(keep_alive)
        .max_buf_size(HTTP_BUFFER_MAX)
        .max_headers(HEAD_LINES_MAX);
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let mut stop = local.stop.clone();
    let mut stopping = false;
    loop {
        let mut step = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            // An error is the peer's (gone, malformed, late): hyper has answered what can be answered.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if flushed.get() => parked
                .take()
                .map_or(Poll::Pending, |sound| Poll::Ready(Some(sound))),
            Poll::Pending => Poll::Pending,
        });
        let sound = tokio::select! {
            sound = &mut step => sound,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
        };
        return match sound {
            Some(sound) => {
                Ending::Sound(connection.into_parts().io.into_inner().into_stream(), sound)
            }
            None => Ending::Closed,
        };
    }
}
