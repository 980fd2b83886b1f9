//! Answers to those whose whole request is there when they are accepted: without a task, a timer or the reactor. In a
//! rush that is nearly everybody, and to refuse somebody must cost little more than to accept and close.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::abuse::Caller;
use super::accept;
use super::answers;
use super::asked::{Asked, Method, SoundRequest};
use super::counters::add;
use super::gate;
use super::head;
use super::limits::FIRST_BYTES;
use super::shard_loop::Local;
use super::socket::ListenerSocket;
use super::sound::{self, Decision};

/// What is there already when a connection is accepted.
pub(super) struct FirstBytes {
    bytes: [u8; FIRST_BYTES],
    len: usize,
}

impl FirstBytes {
    pub(super) fn none() -> Self {
        Self {
            bytes: [0; FIRST_BYTES],
            len: 0,
        }
    }

    pub(super) fn read(&mut self, mut tcp: &TcpStream) {
        // An end or an error shows again when the connection's task reads.
        self.len = tcp.read(&mut self.bytes).unwrap_or(0);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// More may stand behind it: closing now would cut the answer off.
    fn is_cut(&self) -> bool {
        self.len == self.bytes.len()
    }
}

/// Gives the connection back when somebody must wait for it.
pub(super) fn answer(
    local: &Local,
    tcp: TcpStream,
    first: &FirstBytes,
    caller: &Caller,
) -> Option<TcpStream> {
    if first.len == 0 || first.is_cut() {
        return Some(tcp);
    }
    let bytes = first.bytes();
    match head::asked_in(bytes) {
        Some(Asked::Sound(request)) if request.method == Method::Get => {
            sound(local, tcp, &request, caller, bytes);
        }
        Some(Asked::Serving(request)) => match gate::serving(local, &request) {
            Ok(serving) => say(&tcp, &serving.whole),
            Err(answer) => say(&tcp, answer.whole),
        },
        Some(Asked::Knock(request)) => {
            let end = request.head_len + request.length;
            let Some(body) = bytes.get(request.head_len..end) else {
                return Some(tcp);
            };
            let from = caller.client_of(bytes);
            let mut out = std::mem::take(&mut *local.out.borrow_mut());
            let refused = gate::knock(local, &request, body, from, &mut out);
            say(&tcp, refused.map_or(out.as_slice(), |answer| answer.whole));
            local.out.replace(out);
        }
        Some(Asked::State(space)) => match gate::state(local, &space) {
            Some(state) => say(&tcp, &state.whole),
            None => return Some(tcp),
        },
        Some(Asked::Sound(_) | Asked::Page) | None => return Some(tcp),
    }
    None
}

fn sound(local: &Local, tcp: TcpStream, request: &SoundRequest, caller: &Caller, head: &[u8]) {
    if local.room.is_full() {
        add(&local.counters.refused, 1);
        sound::attempted(local, request);
        return say(&tcp, answers::FULL.whole);
    }
    let from = caller.client_of(head);
    match sound::decide(local, request, from) {
        Decision::Join(place, pass, rehearsed) => {
            let rehearsed = rehearsed.map(|running| running.sit(&place.handle));
            accept::join(
                local,
                &place,
                request.burst,
                ListenerSocket::plain(tcp),
                (pass, rehearsed, from),
            );
        }
        Decision::HeadOnly(head) => say(&tcp, head),
        Decision::Refuse(answer) => {
            add(&local.counters.refused, 1);
            say(&tcp, answer.whole);
        }
        Decision::Told(told) => {
            add(&local.counters.refused, 1);
            say(&tcp, told.bytes(false));
        }
    }
}

/// Everything that was sent has been read, so that closing cuts nothing off. A peer whose window does not take some
/// hundred bytes gets a part.
fn say(mut tcp: &TcpStream, answer: &[u8]) {
    let _ = tcp.write(answer);
}
