//! A request's body that comes too slowly is given up: whoever sends a byte now and then would hold a seat for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::abuse::{Abuse, Caller};
use super::limits::{BODY_BYTES_PER_S_MIN, BODY_GRACE};

pub(super) struct Paced {
    body: Incoming,
    caller: Caller,
    began: Option<Instant>,
    got: u64,
    late: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(body: Incoming, caller: Caller) -> Self {
        Self {
            body,
            caller,
            began: None,
            got: 0,
            late: None,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    /// The time begins when the page first asks for the body.
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let began = *this.began.get_or_insert_with(Instant::now);
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame {
                this.got += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            this.late = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let earned = std::time::Duration::from_secs(this.got / BODY_BYTES_PER_S_MIN);
        let late = this
            .late
            .get_or_insert_with(|| Box::pin(sleep_until(began + BODY_GRACE + earned)));
        match late.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                this.caller.blame(Abuse::SlowBody);
                Poll::Ready(Some(Err("the body comes too slowly".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
