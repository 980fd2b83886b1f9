//! A request's body that comes too slowly is given up, and so is a reader who takes an answer too slowly: whoever moves a
//! byte now and then would hold a seat for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::abuse::{Abuse, Caller};
use super::limits::{BODY_BYTES_PER_S_MIN, BODY_GRACE, READ_BYTES_PER_S_MIN, WRITE_STALL};

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
        let earned = Duration::from_secs(this.got / BODY_BYTES_PER_S_MIN);
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

/// How long the reader of an answer may still keep us waiting. Only the time in which there is something to write and
/// the socket is full counts: an event stream that has nothing to say is nobody's fault.
#[derive(Debug, Default)]
pub(super) struct Patience {
    waited: Duration,
    taken: u64,
    since: Option<Instant>,
}

impl Patience {
    /// The reader took so many bytes.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken += bytes as u64;
    }

    /// The socket is full: until when it may be.
    pub(super) fn until(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let earned = WRITE_STALL + Duration::from_secs(self.taken / READ_BYTES_PER_S_MIN);
        since + earned.saturating_sub(self.waited).min(WRITE_STALL)
    }

    /// The socket takes bytes again.
    pub(super) fn moved(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after which a reader is given up who takes `bytes` each time the socket has been full for `pause_s`.
    fn given_up_after(bytes: usize, pause_s: u64) -> Option<u64> {
        let (mut patience, began) = (Patience::default(), Instant::now());
        let mut now = began;
        while now < began + Duration::from_secs(36_000) {
            let until = patience.until(now);
            let next = now + Duration::from_secs(pause_s);
            if until < next {
                return Some((until - began).as_secs());
            }
            now = next;
            patience.moved(now);
            patience.took(bytes);
        }
        None
    }

    #[test]
    fn a_reader_who_takes_a_little_now_and_then_is_given_up() {
        assert_eq!(given_up_after(0, 3_600), Some(60));
        assert_eq!(given_up_after(1, 10), Some(60));
        assert_eq!(given_up_after(1_000, 50), Some(61));
        assert_eq!(given_up_after(4_000, 10), Some(239));
        // A player that fetches a recording as it plays (4 kB/s), and one on the worst of networks.
        assert_eq!(given_up_after(200_000, 50), None);
        assert_eq!(given_up_after(10_000, 10), None);
    }
}
