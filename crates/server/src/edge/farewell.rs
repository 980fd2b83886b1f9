//! How a connection ends that gets no more than an answer.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::abuse::{Abuse, Caller};
use super::answers::{self, Answer};
use super::counters::add;
use super::head::BadHead;
use super::limits::{FAREWELL, FAREWELL_BYTES_MAX};
use super::shard_loop::Local;
use super::socket::Stream;

pub(super) async fn refuse_head(stream: Stream, caller: &Caller, bad: BadHead) {
    let (abuse, answer) = match bad {
        BadHead::Gone => return add(caller.refused(), 1),
        BadHead::Silent => return caller.blame(Abuse::Silent),
        BadHead::Late => (Abuse::SlowHead, answers::HEAD_LATE),
        BadHead::TooLarge => {
            caller.excuse(Abuse::BadHead);
            return farewell(stream, answers::HEAD_LARGE.whole).await;
        }
        BadHead::Malformed => (Abuse::BadHead, answers::MALFORMED),
    };
    caller.blame(abuse);
    farewell(stream, answer.whole).await;
}

pub(super) async fn turn_away(local: &Local, stream: Stream, answer: Answer, head_only: bool) {
    add(&local.counters.refused, 1);
    farewell(stream, answer.bytes(head_only)).await;
}

/// Answers and closes. What the peer still says is read and thrown away for a moment, for closing a socket with unread
/// bytes would cut the answer off.
pub(super) async fn farewell(mut stream: Stream, answer: &[u8]) {
    let goodbye = async {
        stream.write_all(answer).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        let mut thrown = 0;
        let mut bin = [0; 512];
        while thrown < FAREWELL_BYTES_MAX {
            match stream.read(&mut bin).await? {
                0 => break,
                read => thrown += read,
            }
        }
        io::Result::Ok(())
    };
    // Neither a deadline nor an error changes anything: the connection ends here.
    let _ = timeout(FAREWELL, goodbye).await;
}
