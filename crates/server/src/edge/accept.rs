//! From an accepted connection to its end here: a listener in the shard, a page, or a refusal.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hustings_control::gate::Pass;
use rustls::server::Acceptor;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;

use super::abuse::{Abuse, Caller};
use super::answers;
use super::asked::{Asked, Burst, KnockRequest, Method, SoundRequest};
use super::counters::add;
use super::door::{self, Counted, Silent};
use super::farewell::{farewell, refuse_head, turn_away};
use super::gate;
use super::head;
use super::http::{self, Ending};
use super::limits::{
    ACCEPT_PAUSE, ACCEPTS_PER_TURN, HANDSHAKE_DEADLINE, HEAD_DEADLINE, SILENT_DROPPED_WHEN_SHORT,
};
use super::listening::{Accepted, is_short, next};
use super::proxy;
use super::quick::{self, FirstBytes};
use super::shard_loop::{Local, Returned};
use super::socket::{Heard, ListenerSocket, Seated, Stream, whole_seconds};
use super::sound::{self, Decision, Place};
use super::tls;
use crate::rehearsal::Seat;

/// Accepts until the task is ended. Bounded a turn, so that sound goes before newcomers.
///
/// The first of a turn is waited for in the reactor. Those who stand behind it are taken past the reactor: whose request
/// is there already joins without ever having been in it.
pub(super) async fn run(local: Rc<Local>, listener: TcpListener) {
    loop {
        let first = listener.accept().await;
        let first = first.and_then(|(tcp, peer)| Ok((tcp.into_std()?, peer)));
        let mut more = take(&local, first).await;
        for _ in 1..ACCEPTS_PER_TURN {
            if !more {
                break;
            }
            more = take(&local, next(&listener)).await;
        }
        tokio::task::yield_now().await;
    }
}

/// False when nobody stands at the door.
async fn take(local: &Rc<Local>, accepted: Accepted) -> bool {
    match accepted {
        Ok((tcp, peer)) => welcome(local, tcp, peer),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
        Err(e) if is_short(&e) => {
            add(&local.counters.accept_pauses, 1);
            door::make_room(local, SILENT_DROPPED_WHEN_SHORT);
            sleep(ACCEPT_PAUSE).await;
        }
        // The peer was gone before we came to it.
        Err(_) => {}
    }
    true
}

fn welcome(local: &Rc<Local>, tcp: std::net::TcpStream, peer: SocketAddr) {
    add(&local.counters.accepted, 1);
    let caller = Caller::new(peer, local.abuse.clone(), Arc::clone(&local.counters));
    let now_us = local.clock.now().0;
    // Closed before a byte is read or a task made: the cheapest refusal there is.
    if !local.door.borrow_mut().may_connect(&caller, now_us) {
        return caller.blame(Abuse::PrefixRate);
    }
    // Who has said nothing yet makes room, then who has a page; if everybody inside listens, the newcomer goes.
    if local.room.is_shut() && !door::make_room(local, 1) {
        return add(&local.counters.refused, 1);
    }
    let mut first = FirstBytes::none();
    let mut waiting = Some(tcp);
    if local.tls.is_none()
        && !caller.brings_proxy_header()
        && let Some(tcp) = waiting.take()
    {
        first.read(&tcp);
        waiting = quick::answer(local, tcp, &first, &caller);
    }
    let Some(tcp) = waiting else {
        return;
    };
    // Only a machine without memory for it refuses here.
    let Ok(tcp) = TcpStream::from_std(tcp) else {
        return add(&local.counters.refused, 1);
    };
    let number = local.door.borrow_mut().number();
    let silent = Silent::new(Rc::clone(local), number);
    let counted = Counted::new(Arc::clone(&local.counters));
    let first = first.bytes().to_vec();
    let life = connection(
        Rc::clone(local),
        tcp,
        first,
        caller.clone(),
        silent,
        counted,
    );
    let task = tokio::task::spawn_local(life);
    door::note(&local.door, number, caller, task.abort_handle());
}

/// From the first byte to a listener's row, a refusal, or the threads that answer pages.
async fn connection(
    local: Rc<Local>,
    mut tcp: TcpStream,
    first: Vec<u8>,
    mut caller: Caller,
    silent: Silent,
    counted: Counted,
) {
    if caller.brings_proxy_header() && !introduced(&local, &mut tcp, &mut caller, &silent).await {
        return;
    }
    let Some(mut stream) = shake_hands(&local, tcp, &caller).await else {
        return;
    };
    let head = match head::read(&mut stream, first).await {
        Ok(head) => head,
        Err(bad) => return refuse_head(stream, &caller, bad).await,
    };
    if local.room.is_full() {
        return turn_away(&local, stream, answers::FULL, false).await;
    }
    let from = caller.client_of(&head.bytes);
    match &head.asked {
        Asked::Sound(request) => {
            drop(silent);
            return listen(&local, stream, request, from).await;
        }
        Asked::Knock(request) => {
            let answered = hear_knock(&local, stream, request, head.bytes, from).await;
            if answered.is_err() {
                caller.blame(Abuse::SlowBody);
            }
            return;
        }
        Asked::Serving(request) => {
            return match gate::serving(&local, request) {
                Ok(serving) => farewell(stream, &serving.whole).await,
                Err(answer) => farewell(stream, answer.whole).await,
            };
        }
        // Whoever is here has made a connection that is worth keeping: by TLS, or slowly.
        Asked::State(_) | Asked::Page => {}
    }
    let Some(seat) = local.http_seats.take(&caller) else {
        return turn_away(&local, stream, answers::FULL, false).await;
    };
    let (pages, stop) = (local.pages.clone(), local.stop.clone());
    let (knocks, back) = (Arc::clone(&local.knocks), local.returning.clone());
    let before = Bytes::from(head.bytes);
    local.page_threads.spawn(async move {
        let ending = http::serve(pages, stop, seat, stream, before, (caller, knocks)).await;
        if let Ending::Sound(stream, request, from) = ending {
            // A shard that has ended takes nobody back: the connection closes.
            let _ = back
                .send(Returned {
                    stream,
                    request,
                    from,
                    counted,
                })
                .await;
        }
    });
}

/// Takes back the connections that HTTP read and that now ask for sound.
pub(super) async fn take_back(local: Rc<Local>, mut returned: mpsc::Receiver<Returned>) {
    while let Some(Returned {
        stream,
        request,
        from,
        counted,
    }) = returned.recv().await
    {
        let local = Rc::clone(&local);
        tokio::task::spawn_local(async move {
            let _counted = counted;
            listen(&local, stream, &request, from).await;
        });
    }
}

/// Reads whom a proxy speaks for; false when the connection ends here.
async fn introduced(
    local: &Local,
    tcp: &mut TcpStream,
    caller: &mut Caller,
    silent: &Silent,
) -> bool {
    let Ok(header) = proxy::read_proxy(tcp).await else {
        caller.blame(Abuse::BadProxyHeader);
        return false;
    };
    if let Some(source) = header.source {
        caller.announced = source;
        let now_us = local.clock.now().0;
        if !door::introduce(&local.door, silent.number, caller, now_us) {
            caller.blame(Abuse::PrefixRate);
            return false;
        }
    }
    true
}

/// The hello is read whole before the handshake takes its turn, and nothing is computed for it until then.
async fn shake_hands(local: &Local, tcp: TcpStream, caller: &Caller) -> Option<Stream> {
    let Some(files) = &local.tls else {
        return Some(Stream::Plain(tcp));
    };
    let handshake = async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let now_us = local.clock.now().0;
        let turn = local.door.borrow_mut().handshake_in(caller, now_us);
        let Some(wait_us) = turn else {
            return Ok(None);
        };
        sleep(Duration::from_micros(wait_us)).await;
        hello.into_stream(files.config()).await.map(Some)
    };
    match timeout(HANDSHAKE_DEADLINE, handshake).await {
        Ok(Ok(Some(tls))) => {
            add(&local.counters.handshakes, 1);
            return Some(Stream::Tls(Box::new(tls)));
        }
        Ok(Ok(None)) => caller.blame(Abuse::HandshakeRate),
        // Who goes away has done nothing wrong.
        Ok(Err(e)) if e.kind() != io::ErrorKind::InvalidData => add(caller.refused(), 1),
        Ok(Err(e)) if tls::is_a_browsers(&e) => caller.excuse(Abuse::BadHandshake),
        Ok(Err(_)) | Err(_) => caller.blame(Abuse::BadHandshake),
    }
    None
}

/// Reads a knock's body and answers. An error: the body did not come in time.
async fn hear_knock(
    local: &Local,
    mut stream: Stream,
    request: &KnockRequest,
    mut bytes: Vec<u8>,
    from: IpAddr,
) -> Result<(), tokio::time::error::Elapsed> {
    let end = request.head_len + request.length;
    let have = bytes.len().min(end);
    bytes.resize(end, 0);
    if let Some(room) = bytes.get_mut(have..).filter(|room| !room.is_empty()) {
        let read = timeout(HEAD_DEADLINE, stream.read_exact(room)).await?;
        if read.is_err() {
            return Ok(());
        }
    }
    let body = bytes.get(request.head_len..).unwrap_or_default();
    let mut out = Vec::new();
    let refused = gate::knock(local, request, body, from, &mut out);
    farewell(
        stream,
        refused.map_or(out.as_slice(), |answer| answer.whole),
    )
    .await;
    Ok(())
}

/// Ends in the shard, or in a refusal. After a join nothing is left to wait for: the task ends.
async fn listen(local: &Local, stream: Stream, request: &SoundRequest, from: IpAddr) {
    let head_only = request.method == Method::Head;
    match sound::decide(local, request, from) {
        Decision::HeadOnly(head) => farewell(stream, head).await,
        Decision::Refuse(answer) => turn_away(local, stream, answer, head_only).await,
        Decision::Told(told) => {
            add(&local.counters.refused, 1);
            farewell(stream, told.bytes(head_only)).await;
        }
        // A socket that cannot leave the reactor is gone, and its pass with it.
        Decision::Join(place, pass, rehearsed) => {
            if let Ok(socket) = stream.into_listener() {
                let rehearsed = rehearsed.map(|running| running.sit(&place.handle));
                join(
                    local,
                    &place,
                    request.burst,
                    socket,
                    (pass, rehearsed, from),
                );
            }
        }
    }
}

pub(super) fn join(
    local: &Local,
    place: &Place,
    burst: Burst,
    socket: ListenerSocket,
    (pass, rehearsed, from): (Pass, Option<Seat>, IpAddr),
) {
    let (now, marked) = (local.clock.now(), rehearsed.is_some());
    let since_s = whole_seconds(now);
    let seated = Seated {
        socket,
        pass,
        since_s,
        heard: Heard::default(),
        rehearsed,
    };
    let joined = local.crowd.borrow_mut().join(place, burst, seated, now);
    match joined {
        Ok(()) => place.handle.counts.note(from, marked),
        Err(Seated { mut socket, .. }) => {
            add(&local.counters.refused, 1);
            socket.say(answers::FULL.whole);
            socket.finish();
        }
    }
}
