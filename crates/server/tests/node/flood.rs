//! A flood on one listener: what the house does for hosts, speakers and operators goes on.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use str0m::media::Direction;

use crate::hear::Listener;
use crate::ingest_peer::{Peer, Speaker};
use crate::world::{Node, PATIENCE, until};

const SECOND: u64 = 48_000;
/// Networks the flood comes from, and silent connections of each: more than the stage listener holds in all.
const NETS: u16 = 240;
const SILENT_OF_NET: usize = 8;
/// Requests of each net, every one on a connection of its own.
const BARE_OF_NET: usize = 10;
/// Where the host sits: not this machine's own address, which has no bounds.
const HOST: Ipv4Addr = Ipv4Addr::new(127, 201, 7, 1);

/// Of the network `net`; none where the node or the machine does not take it.
fn connect(node: &Node, port: u16, from: Ipv4Addr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::from((from, 0)).into())
        .expect("an address of ours");
    let to = node.address(port).into();
    socket.connect_timeout(&to, Duration::from_secs(1)).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    Some(socket.into())
}

fn of_net(net: u16) -> Ipv4Addr {
    Ipv4Addr::new(127, 210, net as u8, 9)
}

/// The host's request on a connection of its own; status and body.
#[track_caller]
fn ask(node: &Node, lines: &str, body: &str) -> (u16, String) {
    let mut stream = connect(node, 8082, HOST).expect("connected");
    let text = format!(
        "{lines}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (status.expect("a status"), body.to_owned())
}

/// As integrators ask; JSON.
#[track_caller]
fn api(node: &Node, line: &str, token: &str, body: &str) -> Value {
    let lines = format!(
        "{line} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
    );
    let (status, text) = ask(node, &lines, body);
    assert!((200..300).contains(&status), "{line}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// A speaker of the town hall who talks.
fn speaker(node: &Node, runtime: &tokio::runtime::Runtime) -> Speaker {
    let invite = r#"{"role":"speaker","name":"Ada"}"#;
    let path = "POST /api/v1/spaces/town-hall/invites";
    let made = api(node, path, &node.operator_token(), invite);
    let token = made["token"].as_str().expect("a token");
    let _inside = runtime.enter();
    let peer = runtime.block_on(Peer::offer(Direction::SendRecv));
    let lines = format!(
        "POST /s/town-hall/whip HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/sdp"
    );
    let (status, answer) = ask(node, &lines, &peer.offer);
    assert_eq!(status, 201, "{answer}");
    peer.talk(&answer, 440.0)
}

fn seats(node: &Node) -> usize {
    let studio = api(
        node,
        "GET /api/v1/spaces/town-hall/studio.json",
        &node.operator_token(),
        "",
    );
    studio.to_string().matches(r#""seat":"taken""#).count()
}

/// What hosts, speakers, operators and those inside do meanwhile, again and again; gives the slowest answer.
#[track_caller]
fn evening_goes_on(evening: &mut Evening, mut flood: impl FnMut(&Node)) -> Duration {
    let Evening {
        node, ear, speaker, ..
    } = evening;
    let heard = |speaker: &Speaker| speaker.heard.lock().expect("whole").len();
    let mut slowest = Duration::ZERO;
    for round in 0..8 {
        let before = heard(speaker);
        flood(node);
        let began = Instant::now();
        let title = format!(r#"{{"title":"Round {round}"}}"#);
        api(
            node,
            "PATCH /api/v1/spaces/town-hall",
            &node.operator_token(),
            &title,
        );
        assert_eq!(seats(node), 1, "the speaker keeps the seat");
        assert_eq!(ask(node, "GET /studio HTTP/1.1", "").0, 200);
        slowest = slowest.max(began.elapsed());
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert!(node.get(9090, path).starts_with("HTTP/1.1 200"), "{path}");
        }
        ear.catch_up();
        let at = ear.at;
        ear.until(at + SECOND / 4);
        until("the speaker hears on", || heard(speaker) > before);
    }
    slowest
}

struct Evening {
    node: Node,
    ear: Listener,
    speaker: Speaker,
    /// Of the speaker; last, so that it goes last.
    _runtime: tokio::runtime::Runtime,
}

fn evening(data: &std::path::Path) -> Evening {
    let node = crate::world::Setup::new(data)
        .before("ulimit -n 4096")
        .start();
    node.live("town-hall");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let speaker = speaker(&node, &runtime);
    until("the speaker sits", || seats(&node) == 1);
    let ear = Listener::join(&node, "town-hall");
    Evening {
        node,
        ear,
        speaker,
        _runtime: runtime,
    }
}

#[test]
fn a_flood_on_the_stage_listener_leaves_those_who_run_the_evening_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let mut evening = evening(data.path());
    // One that the host holds open all the time: it is never dropped for room.
    let mut held = connect(&evening.node, 8082, HOST).expect("connected");
    let events = format!(
        "GET /api/v1/spaces/town-hall/studio-events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        evening.node.operator_token()
    );
    held.write_all(events.as_bytes()).expect("written");
    let mut first = [0; 15];
    held.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    let (mut silent, mut answered) = (Vec::new(), 0);
    let mut net = 0;
    let slowest = evening_goes_on(&mut evening, |node| {
        for _ in 0..NETS / 8 {
            net += 1;
            silent.extend((0..SILENT_OF_NET).filter_map(|_| connect(node, 8082, of_net(net))));
            for _ in 0..BARE_OF_NET {
                let Some(mut bare) = connect(node, 8082, of_net(net)) else {
                    continue;
                };
                let asked = bare.write_all(b"GET /api/v1/spaces HTTP/1.1\r\nHost: x\r\n\r\n");
                let mut status = [0; 12];
                let told = asked.and_then(|()| bare.read_exact(&mut status));
                answered += usize::from(told.is_ok());
            }
        }
    });
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert!(
        silent.len() > 1_024 && answered > 100,
        "{} silent, {answered} answered: no flood",
        silent.len()
    );
    // Who was dropped for room were strangers; the host's stream goes on.
    held.set_nonblocking(true).expect("set");
    let mut rest = [0; 65_536];
    loop {
        match held.read(&mut rest) {
            Ok(0) => panic!("the host's events were cut"),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                break;
            }
        }
    }
    drop(silent);
}

#[test]
fn one_network_cannot_fill_the_stage_listener() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    let silent: Vec<_> = (0..200)
        .filter_map(|_| connect(&node, 8082, of_net(1)))
        .collect();
    // The newest may be closed before they are counted.
    assert!(silent.len() > 150, "{}", silent.len());
    // Its oldest make room for its newest: those are closed long before their time to speak is over.
    let began = Instant::now();
    for mut stream in silent.into_iter().take(100) {
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let status = |node: &Node| {
        let mut stream = connect(node, 8082, of_net(2)).expect("connected");
        let asked = "GET /studio HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(asked.as_bytes()).expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        answer.get(..12).map(<[u8]>::to_vec)
    };
    assert_eq!(status(&node).as_deref(), Some(&b"HTTP/1.1 200"[..]));
    // Requests without a right are bounded too, on one connection as on many.
    let mut many = connect(&node, 8082, of_net(3)).expect("connected");
    let asked = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut text = Vec::new();
    for _ in 0..2_000 {
        if many.write_all(asked.as_bytes()).is_err() {
            break;
        }
        let mut some = [0; 65_536];
        match many.read(&mut some) {
            Ok(read @ 1..) => text.extend_from_slice(&some[..read]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("HTTP/1.1 429 "),
        "nobody said that it is too much"
    );
}

#[test]
fn a_flood_on_the_public_listener_leaves_the_house_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let mut evening = evening(data.path());
    let (mut crowd, mut net) = (Vec::new(), 0);
    // In all more than the node may have files for.
    let slowest = evening_goes_on(&mut evening, |node| {
        for _ in 0..NETS / 8 {
            net += 1;
            for each in 0..20 {
                let Some(mut stream) = connect(node, 8080, of_net(net)) else {
                    continue;
                };
                let text = match each % 4 {
                    0 => "",
                    1 => "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    2 => "GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n",
                    _ => "GET /s/town-hall/state.json HTTP/1.1\r\nHo",
                };
                let _ = stream.write_all(text.as_bytes());
                crowd.push(stream);
            }
        }
    });
    assert!(crowd.len() > 4_096, "{} came", crowd.len());
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    drop(crowd);
}
