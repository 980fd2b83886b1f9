//! Rows of the test matrix that need real sockets, each at a size that a test may have.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::crowd::{Inside, ask, begin, connect, get, knock, say, try_connect};
use crate::world::{Node, Setup, until};

/// Knocks of each flood.
const FLOOD: usize = 600;
/// Attackers' prefixes.
const PREFIXES: usize = 64;
const INSIDE: usize = 8;

fn node(data: &tempfile::TempDir, more: &[&str]) -> Node {
    let mut all = vec!["--demo"];
    all.extend(more);
    Setup::new(data.path()).with(&all).start()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn is_sound(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.contains("audio/ogg")
}

/// A listener's whole way, as a page with script goes it; the number of requests it took.
#[track_caller]
fn comes_in(node: &Node, space: &str, prefix: usize) -> usize {
    let (began, mut show) = (Instant::now(), String::new());
    for requests in 1.. {
        assert!(
            began.elapsed() < crate::world::PATIENCE,
            "an honest joiner never came in"
        );
        if is_sound(&begin(
            node,
            prefix,
            &get(&format!("/s/{space}/live.ogg?n=77")),
        )) {
            return requests;
        }
        let body = if show.is_empty() {
            r#"{"ask":"right"}"#.to_owned()
        } else {
            format!(r#"{{"ask":"right","show":"{show}"}}"#)
        };
        let answer = ask(node, prefix, &knock(space, &body));
        let (_, json) = answer.split_once("\r\n\r\n").expect("an answer");
        let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        if let Some(ticket) = text("ticket") {
            let sound = begin(
                node,
                prefix,
                &get(&format!("/s/{space}/live.ogg?t={ticket}")),
            );
            assert!(is_sound(&sound), "a fresh ticket is refused: {sound}");
            return requests;
        }
        show = text("place").unwrap_or(show);
        let poll = json["poll_ms"].as_u64().unwrap_or(0).min(5_000);
        std::thread::sleep(Duration::from_millis(poll));
    }
    unreachable!()
}

#[test]
fn row_02_bare_gets_from_many_prefixes_harm_nobody_inside_and_the_honest_come_in() {
    let data = folder();
    let node = node(&data, &["--seats", "60"]);
    let inside = Inside::join(&node, INSIDE);
    let mut staying = Vec::new();
    for number in 0..FLOOD {
        let mut stream = say(&node, number % PREFIXES, &get("/s/demo/live.ogg"));
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() && first.ends_with(b"200") {
            staying.push(stream);
        }
    }
    assert!(staying.len() <= 60 - INSIDE, "{} came in", staying.len());
    // Those who only knock have no place; who waits gets the next seat.
    let honest = std::thread::scope(|scope| {
        let honest = scope.spawn(|| comes_in(&node, "demo", 700));
        std::thread::sleep(Duration::from_secs(3));
        staying.truncate(staying.len() / 2);
        honest.join().expect("an honest joiner")
    });
    assert!(honest >= 1);
    inside.unharmed();
}

/// Of the node's 60 seats six are the quiet space's; the other space has borrowed what it could.
#[test]
fn row_24_the_quiet_space_of_a_stormed_node_has_its_seats_at_once() {
    let data = folder();
    let node = node(&data, &["--seats", "60"]);
    node.live("elsewhere");
    let inside = Inside::join(&node, INSIDE);
    let mut staying = Vec::new();
    for number in 0..FLOOD {
        let mut stream = say(&node, number % PREFIXES, &get("/s/demo/live.ogg"));
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() && first.ends_with(b"200") {
            staying.push(stream);
        }
    }
    assert!(!is_sound(&begin(&node, 650, &get("/s/demo/live.ogg"))));
    // Three in a moment are no rush.
    let joiners = (0..3).map(|number| {
        let mut stream = say(&node, 700 + number, &get("/s/elsewhere/live.ogg"));
        let mut first = [0; 12];
        stream.read_exact(&mut first).expect("an answer");
        assert!(first.ends_with(b"200"), "{number} of three has to wait");
        stream
    });
    let joiners: Vec<_> = joiners.collect();
    assert_eq!(joiners.len(), 3);
    inside.unharmed();
}

#[test]
fn row_07_forged_and_replayed_tokens_are_refused_and_counted() {
    let data = folder();
    let node = node(&data, &[]);
    node.live("elsewhere");
    let inside = Inside::join(&node, INSIDE);
    let mut listener = say(&node, 800, &get("/s/elsewhere/live.ogg?n=abc"));
    let mut some = [0; 64];
    listener.read_exact(&mut some).expect("sound");
    let mut ticket = String::new();
    until("a right to come back", || {
        let answer = ask(
            &node,
            800,
            &knock("elsewhere", r#"{"ask":"resume","n":"abc"}"#),
        );
        let found = answer
            .split_once(r#""ticket":""#)
            .and_then(|(_, rest)| rest.get(..80));
        ticket = found.unwrap_or_default().to_owned();
        !ticket.is_empty()
    });
    for number in 0..FLOOD {
        // One letter of a good ticket is another, or it is shown at another space's door.
        let mut forged = ticket.clone().into_bytes();
        let at = number % forged.len();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        let (space, shown) = if number % 2 == 0 {
            ("elsewhere", &forged)
        } else {
            ("demo", &ticket)
        };
        let answer = if number % 4 < 2 {
            begin(
                &node,
                number % PREFIXES,
                &get(&format!("/s/{space}/live.ogg?t={shown}")),
            )
        } else {
            ask(
                &node,
                number % PREFIXES,
                &knock(space, &format!(r#"{{"show":"{shown}"}}"#)),
            )
        };
        let refused = !is_sound(&answer) && !answer.contains(r#""verdict":"enter""#);
        assert!(refused, "{number}: {answer}");
    }
    // The good one, shown from everywhere at its own door: a stream begins some times at once, and then one in 5 s.
    let replayed = get(&format!("/s/elsewhere/live.ogg?t={ticket}"));
    let began = (0..FLOOD).filter(|number| is_sound(&begin(&node, number % PREFIXES, &replayed)));
    let began = began.count();
    assert!((1..=30).contains(&began), "{began} of {FLOOD} began");
    inside.unharmed();
}

#[test]
fn row_13_slow_heads_bodies_and_reads_are_over_within_their_deadlines() {
    let data = folder();
    let node = node(&data, &[]);
    let inside = Inside::join(&node, INSIDE);
    let began = Instant::now();
    let halves = [
        "GET /s/demo HTT",
        "POST /s/demo/knock HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{",
    ];
    let mut slow: Vec<TcpStream> = (0..FLOOD)
        .map(|number| say(&node, number % PREFIXES, halves[number % 2]))
        .collect();
    // Never reads what it asks for; the page fits into no window, so that it stands.
    let never_read: Vec<TcpStream> = (0..100)
        .map(|number| say(&node, number, &get("/s/demo")))
        .collect();
    assert_eq!(
        comes_in(&node, "demo", 700),
        1,
        "a join is refused because of slow ones"
    );
    for stream in &mut slow {
        let mut end = Vec::new();
        let _ = stream.read_to_end(&mut end);
    }
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(15),
        "slow ones were given {took:?}"
    );
    drop(never_read);
    inside.unharmed();
}

#[test]
fn row_17_nobody_is_upgraded_to_a_websocket() {
    let data = folder();
    let node = node(&data, &[]);
    let inside = Inside::join(&node, INSIDE);
    for (number, path) in ["/s/demo", "/s/demo/events", "/s/demo/live.ogg", "/"]
        .iter()
        .cycle()
        .take(FLOOD / 4)
        .enumerate()
    {
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let answer = begin(&node, number % PREFIXES, &upgrade);
        assert!(!answer.starts_with("HTTP/1.1 101"), "{path}: {answer}");
    }
    // Frames without end, as if there had been an upgrade.
    let mut frames = connect(&node, 1);
    let refused = (0..4_096).any(|_| {
        frames
            .write_all(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            .is_err()
    }) || matches!(frames.read(&mut [0; 64]), Ok(_) | Err(_));
    assert!(refused);
    inside.unharmed();
}

#[test]
fn row_18_strangers_on_the_media_port_are_not_heard_inside() {
    let data = folder();
    let node = node(&data, &[]);
    let inside = Inside::join(&node, INSIDE);
    let from = UdpSocket::bind((node.setup.ip, 0)).expect("a socket");
    from.connect(node.address(8081)).expect("connected");
    from.set_nonblocking(true).expect("set");
    for number in 0..20 * FLOOD {
        // STUN, DTLS, RTP and nothing at all by their first byte.
        let first = [0x00, 0x16, 0x80, 0xff][number % 4];
        let mut packet = [first; 200];
        packet[1..9].copy_from_slice(&number.to_le_bytes());
        let _ = from.send(&packet);
    }
    std::thread::sleep(Duration::from_secs(1));
    let said = from.recv(&mut [0; 1_500]);
    assert!(said.is_err(), "a stranger was answered");
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 200"));
    inside.unharmed();
}

#[test]
fn row_23_what_evades_caches_gets_the_page_and_bad_paths_little() {
    let data = folder();
    let node = node(&data, &[]);
    let inside = Inside::join(&node, INSIDE);
    for number in 0..FLOOD / 4 {
        let busted = ask(
            &node,
            number % PREFIXES,
            &get(&format!("/s/demo?cb={number}&_={number}")),
        );
        assert!(busted.starts_with("HTTP/1.1 200"), "{busted}");
        let serving = ask(
            &node,
            number % PREFIXES,
            &get(&format!("/s/demo/serving.json?{number}")),
        );
        assert!(
            serving.starts_with("HTTP/1.1 200") && serving.contains("max-age=1"),
            "{serving}"
        );
        for bad in [
            format!("/s/no-such-{number}"),
            format!("/{number}"),
            format!("/s/demo/{number}.ogg"),
        ] {
            let answer = ask(&node, number % PREFIXES, &get(&bad));
            assert!(answer.starts_with("HTTP/1.1 404"), "{bad}: {answer}");
        }
    }
    inside.unharmed();
}

#[test]
fn row_26_after_a_cliff_all_come_back() {
    let data = folder();
    let node = node(&data, &["--seats", "400"]);
    let inside = Inside::join(&node, INSIDE);
    let crowd: Vec<TcpStream> = (0..150)
        .map(|number| {
            say(
                &node,
                number,
                &get(&format!("/s/demo/live.ogg?n={number:x}")),
            )
        })
        .collect();
    for mut stream in &crowd {
        stream.read_exact(&mut [0; 16]).expect("sound");
    }
    drop(crowd);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let node = &node;
            scope.spawn(move || comes_in(node, "demo", number));
        }
    });
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    inside.unharmed();
}

#[test]
fn row_35_what_is_injected_is_escaped_bounded_and_refused() {
    let data = folder();
    let node = node(&data, &[]);
    let inside = Inside::join(&node, INSIDE);
    let evil = "<script>alert(1)</script>\"'&\u{202e}";
    node.space(&["create", evil, "--id", "evil", "--description", evil]);
    let page = ask(&node, 1, &get("/s/evil"));
    assert!(
        page.starts_with("HTTP/1.1 200") && !page.contains("<script>alert"),
        "{page}"
    );
    let deep = format!(r#"{{"show":{}1{}}}"#, "[".repeat(400), "]".repeat(400));
    let long = format!(r#"{{"show":"{}"}}"#, "a".repeat(5_000));
    for bomb in [
        deep.as_str(),
        long.as_str(),
        "{\"n\":\"\\ud800\"}",
        "{",
        "[1",
        "nul",
    ] {
        let answer = ask(&node, 2, &knock("demo", bomb));
        let code = answer.get(9..12).unwrap_or_default();
        assert!(
            ["400", "413", "415"].contains(&code),
            "{bomb:.40}: {answer}"
        );
    }
    for raw in [
        b"GET /s/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
        b"GET /s/demo HTTP/1.1\r\nHost: x\r\nUser-Agent: \xc3\x28\x00\r\nConnection: close\r\n\r\n",
        b"GET /s/demo\n{\"fake\":\"log\"} HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x00",
    ] {
        if let Ok(mut stream) = try_connect(&node, 3) {
            let _ = stream.write_all(raw);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    let metrics = node.get(9090, "/metrics");
    assert!(
        metrics.contains("# EOF") && !metrics.contains("script"),
        "the metrics are broken"
    );
    inside.unharmed();
    for line in node.said().lines().filter(|line| line.starts_with('{')) {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "a log line is no JSON: {line}");
    }
}
