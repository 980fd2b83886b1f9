//! The crowd's door over real sockets: what a GET for sound brings, byte for byte, and who is counted.

mod edge_world;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_world::{
    Client, PATIENCE, STUCK, World, eventually, fresh_rings, ogg_start, page, stream_start,
};
use hustings::clock::Clock;
use hustings::ops::flight::Flight;
use hustings::pages::StatusThread;
use hustings_control::spaces::Phase;

fn expect_pages<S: std::io::Read + std::io::Write>(
    client: &mut Client<S>,
    numbers: std::ops::Range<u64>,
) {
    let pages: Vec<u8> = numbers.flat_map(page).collect();
    client.expect(&pages);
}

#[test]
fn one_get_brings_heads_a_burst_and_what_comes() {
    let mut world = World::plain(1);
    world.push(100);
    let mut ogg = world.connect();
    ogg.get("/s/town-hall/live.ogg");
    ogg.expect(&ogg_start());
    expect_pages(&mut ogg, 50..100);
    let mut webm = world.connect();
    webm.get("/s/town-hall/live.webm");
    webm.expect(&stream_start("audio/webm; codecs=opus", "WEBM-HEAD"));
    expect_pages(&mut webm, 96..100);
    let mut mp4 = world.connect();
    mp4.send("GET /s/town-hall/live.mp4?burst=long HTTP/1.0\r\nRange: bytes=0-\r\n\r\n");
    mp4.expect(&stream_start("audio/mp4; codecs=opus", "MP4-HEAD"));
    expect_pages(&mut mp4, 50..100);
    world.push(3);
    expect_pages(&mut ogg, 100..103);
    expect_pages(&mut webm, 100..103);
    expect_pages(&mut mp4, 100..103);
    assert_eq!(world.edge.stats().joins, 3);
    assert_eq!(world.edge.stats().http_connections, 0);
}

#[test]
fn a_head_sent_byte_by_byte_is_a_head() {
    let mut world = World::plain(1);
    world.push(2);
    let mut client = world.connect();
    for byte in "GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n".chars() {
        client.send(&byte.to_string());
    }
    client.expect(&ogg_start());
    expect_pages(&mut client, 0..2);
}

#[test]
fn tls_brings_the_same_bytes() {
    let mut world = World::tls(2);
    world.push(100);
    let mut client = world.connect_tls();
    client.get("/s/town-hall/live.ogg");
    client.expect(&ogg_start());
    expect_pages(&mut client, 50..100);
    assert_eq!(client.0.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    // More than rustls may hold at once, so that records wait and are flushed by later sweeps.
    for number in 0..20 {
        world.push_bytes(&[number; 30_000]);
    }
    for number in 0..20 {
        client.expect(&[number; 30_000]);
    }
    world.push(3);
    expect_pages(&mut client, 120..123);
    world.close_rings();
    assert_eq!(client.rest(), "");
    eventually(0, || world.edge.stats().listeners);
}

/// Gives the listener back still connected, so that the counts of the next one are not a race with its leaving.
fn later_request_joins<S: Read + std::io::Write>(
    world: &mut World,
    mut client: Client<S>,
) -> Client<S> {
    let listeners = world.edge.stats().listeners;
    let pushed = world.pushed;
    client.get("/hello");
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    client.expect(b"hello, page");
    client.get("/s/town-hall/live.ogg");
    client.expect(&ogg_start());
    expect_pages(&mut client, pushed.saturating_sub(50)..pushed);
    world.push(2);
    expect_pages(&mut client, pushed..pushed + 2);
    assert_eq!(world.edge.stats().listeners, listeners + 1);
    // Nothing of HTTP is left behind for it: only the shard's slot.
    eventually(0, || world.edge.stats().http_connections);
    eventually(0, || world.edge.stats().tasks);
    client
}

#[test]
fn a_later_request_on_a_kept_alive_connection_joins_too() {
    let mut world = World::plain(1);
    world.push(100);
    let mut inside = Vec::new();
    for _ in 0..3 {
        let client = world.connect();
        inside.push(later_request_joins(&mut world, client));
    }
}

#[test]
fn a_later_request_joins_over_tls_too() {
    let mut world = World::tls(1);
    world.push(100);
    let mut inside = Vec::new();
    for _ in 0..3 {
        let client = world.connect_tls();
        inside.push(later_request_joins(&mut world, client));
    }
}

/// The page before must come whole, however large it is, before the stream begins.
fn pipelined<S: Read + std::io::Write>(client: &mut Client<S>) {
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.send(
        &(line("/large") + &line("/hello") + &line("/s/town-hall/live.ogg") + &line("/hello")),
    );
    assert!(client.head().contains("content-length: 3000000\r\n"));
    client.expect(&vec![b'x'; 3_000_000]);
    client.head();
    client.expect(b"hello, page");
    client.expect(&ogg_start());
    expect_pages(client, 0..10);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut world = World::plain(1);
    world.push(10);
    pipelined(&mut world.connect());
    let mut world = World::tls(1);
    world.push(10);
    pipelined(&mut world.connect_tls());
}

#[test]
fn pages_that_hold_their_threads_hold_up_no_sound() {
    let mut world = World::plain(1);
    let (directory, entrance) = (Arc::clone(&world.directory), Arc::clone(&world.entrance));
    let _status = StatusThread::start(directory, entrance, Clock::start(), Flight::default())
        .expect("a thread");
    world.push(10);
    let mut inside = world.connect();
    inside.get("/s/town-hall/live.ogg");
    inside.expect(&ogg_start());
    expect_pages(&mut inside, 0..10);
    // As many as there are threads for pages.
    let mut stuck: Vec<_> = (0..2).map(|_| world.connect()).collect();
    for client in &mut stuck {
        client.get("/stuck");
    }
    let state = STUCK.0.lock().expect("whole");
    let (mut state, waited) = STUCK
        .1
        .wait_timeout_while(state, PATIENCE, |state| state.0 < 2)
        .expect("whole");
    assert!(!waited.timed_out(), "the pages never began");
    for number in 10..15 {
        world.push(1);
        expect_pages(&mut inside, number..number + 1);
    }
    let mut newcomer = world.connect();
    newcomer.get("/s/town-hall/live.ogg");
    newcomer.expect(&ogg_start());
    expect_pages(&mut newcomer, 0..15);
    // The status page is made by a thread of its own and sent by the shard: it is there, and so is its short form.
    let status = || {
        let mut client = world.connect();
        client.get("/s/town-hall/status");
        client.rest()
    };
    let told = status();
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    assert!(
        told.contains("Cache-Control: public, max-age=2\r\n"),
        "{told}"
    );
    assert!(told.contains("It is live."), "{told}");
    eventually(true, || status().contains(r#"<dd class="big">2</dd>"#));
    let unknown = {
        let mut client = world.connect();
        client.get("/s/nowhere/status");
        client.rest()
    };
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
    let mut waiting = world.connect();
    waiting.get("/hello");
    state.1 = true;
    drop(state);
    STUCK.1.notify_all();
    for client in &mut stuck {
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
        client.expect(b"at last");
    }
    waiting.head();
    waiting.expect(b"hello, page");
}

#[test]
fn bodies_reach_the_pages() {
    let world = World::plain(1);
    let mut client = world.connect();
    let body = "b".repeat(100_000);
    client.send(&format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    client.expect(body.as_bytes());
    client.get("/nothing-here");
    assert!(client.head().starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[test]
fn refusals_say_what_is() {
    let world = World::plain(1);
    for (id, phase) in [
        ("posted", Phase::Posted),
        ("open", Phase::Open),
        ("over", Phase::Ended),
        ("off", Phase::Cancelled),
    ] {
        world.add_space(id, phase);
    }
    let cases = [
        (
            "GET",
            "/s/nowhere/live.ogg",
            "404 Not Found",
            "no such space",
        ),
        (
            "GET",
            "/s/Not+An+Id/live.mp4",
            "404 Not Found",
            "no such space",
        ),
        (
            "GET",
            "/s/posted/live.webm",
            "503 Service Unavailable",
            "not open yet",
        ),
        (
            "GET",
            "/s/open/live.webm",
            "503 Service Unavailable",
            "about to come back",
        ),
        ("GET", "/s/over/live.ogg", "410 Gone", "has ended"),
        ("GET", "/s/off/live.ogg", "410 Gone", "was cancelled"),
        (
            "POST",
            "/s/town-hall/live.ogg",
            "405 Method Not Allowed",
            "only to be had by GET",
        ),
        ("HEAD", "/s/nowhere/live.ogg", "404 Not Found", ""),
        ("HEAD", "/s/town-hall/live.ogg", "200 OK", ""),
    ];
    for (method, target, status, text) in cases {
        for after_a_page in [false, true] {
            let mut client = world.connect();
            if after_a_page {
                client.get("/hello");
                client.head();
                client.expect(b"hello, page");
            }
            client.send(&format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            let head = client.head();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{method} {target}: {head}"
            );
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            assert_eq!(
                head.contains("Retry-After"),
                status.starts_with("503"),
                "{head}"
            );
            let body = client.rest();
            assert!(
                body.contains(text) && body.is_empty() == text.is_empty(),
                "{method} {target}: {body}"
            );
            if method == "GET" {
                assert!(
                    head.contains(&format!("Content-Length: {}\r\n", body.len())),
                    "{head}"
                );
            }
        }
    }
    assert_eq!(world.edge.stats().joins, 0);
}

#[test]
fn bad_heads_are_answered_and_closed() {
    let world = World::plain(1);
    let check = |sent: &str, status: &str| {
        let mut client = world.connect();
        client.send(sent);
        let got = client.rest();
        assert!(got.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{got}");
    };
    let long = "a".repeat(9_000);
    check(
        &format!("GET /s/town-hall/live.ogg HTTP/1.1\r\nCookie: {long}\r\n\r\n"),
        "431 Request Header Fields Too Large",
    );
    check(
        &format!("GET /{long}"),
        "431 Request Header Fields Too Large",
    );
    check("GET / SIP/2.0\r\n\r\n", "400 Bad Request");
    check("\u{16}\u{3}\u{1} no plain text", "400 Bad Request");
    // After a page, hyper refuses by the same limits.
    let mut client = world.connect();
    client.get("/hello");
    client.head();
    client.expect(b"hello, page");
    client.send(&format!(
        "GET / HTTP/1.1\r\nCookie: {}\r\n\r\n",
        "a".repeat(20_000)
    ));
    assert!(client.head().starts_with("HTTP/1.1 431 "));
}

#[test]
fn a_head_that_does_not_end_is_ended() {
    let world = World::plain(1);
    let (mut slow, mut silent) = (world.connect(), world.connect());
    slow.send("GET /s/town-hall/live.ogg HTTP/1.1\r\nX-Slow: ");
    let began = Instant::now();
    assert!(slow.rest().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(silent.rest(), "", "who said nothing is told nothing");
    assert!(began.elapsed() < Duration::from_secs(8));
}

/// One page, and a sweep of each shard that may carry it.
fn push_and_sweep(world: &mut World) {
    world.push(1);
    let before = world.edge.stats().sweeps;
    eventually(true, || world.edge.stats().sweeps >= before + 6);
}

#[test]
fn listeners_are_counted_exactly_over_shards() {
    let mut world = World::plain(3);
    world.push(10);
    let mut clients: Vec<_> = (0..60)
        .map(|number| {
            let mut client = world.connect();
            client.get(
                [
                    "/s/town-hall/live.ogg",
                    "/s/town-hall/live.webm",
                    "/s/town-hall/live.mp4",
                ][number % 3],
            );
            client.head();
            client
        })
        .collect();
    eventually(60, || world.listening());
    assert_eq!(world.edge.stats().listeners, 60);
    assert_eq!(
        world
            .handle
            .counts
            .joins
            .load(std::sync::atomic::Ordering::Relaxed),
        60
    );
    clients.truncate(23);
    eventually(23, || {
        push_and_sweep(&mut world);
        world.listening()
    });
    assert_eq!(world.edge.stats().listeners, 23);
    assert_eq!(
        world
            .handle
            .counts
            .peak
            .load(std::sync::atomic::Ordering::Relaxed),
        60
    );
    clients.clear();
    eventually(0, || {
        push_and_sweep(&mut world);
        world.listening()
    });
    assert_eq!(world.edge.stats().listeners, 0);
}

#[test]
fn who_does_not_read_disturbs_nobody_and_is_closed() {
    let mut world = World::plain(1);
    world.push(1);
    let (mut good, mut bad) = (world.connect(), world.connect());
    for client in [&mut good, &mut bad] {
        client.get("/s/town-hall/live.ogg");
        client.expect(&ogg_start());
        client.expect(&page(0));
    }
    // Far more than kernel and ring hold for one who does not read; the reader sets the pace.
    let began = Instant::now();
    let mut round: u8 = 0;
    while world.edge.stats().too_slow == 0 {
        assert!(
            began.elapsed() < 3 * PATIENCE,
            "the one who does not read is still there"
        );
        round = round.wrapping_add(1);
        for _ in 0..50 {
            world.push_bytes(&[round; 20_000]);
        }
        good.expect(&vec![round; 1_000_000]);
    }
    assert_eq!(
        world
            .handle
            .counts
            .too_slow
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    eventually(1, || world.listening());
}

#[test]
fn rings_that_are_replaced_end_for_those_inside_and_newcomers_get_the_new() {
    let mut world = World::plain(1);
    world.push(3);
    let mut old = world.connect();
    old.get("/s/town-hall/live.ogg");
    old.expect(&ogg_start());
    expect_pages(&mut old, 0..3);
    let fresh = fresh_rings();
    world.handle.rings.store(Arc::new(Some(fresh.clone())));
    let before = std::mem::replace(&mut world.rings, fresh);
    world.push(5);
    let mut new = world.connect();
    new.get("/s/town-hall/live.ogg");
    new.expect(&ogg_start());
    expect_pages(&mut new, 3..8);
    eventually(2, || world.listening());
    before.ogg.close();
    assert_eq!(old.rest(), "");
    eventually(1, || world.listening());
    world.push(1);
    expect_pages(&mut new, 8..9);
    // A closed ring that is still named takes nobody in.
    world.close_rings();
    assert_eq!(new.rest(), "");
    let mut late = world.connect();
    late.get("/s/town-hall/live.ogg");
    assert!(late.head().starts_with("HTTP/1.1 503 "));
}

#[test]
fn stop_sends_the_rest_and_ends() {
    for tls in [false, true] {
        let mut world = if tls { World::tls(2) } else { World::plain(2) };
        world.push(1);
        let mut plain = (0..4).map(|_| world.connect()).collect::<Vec<_>>();
        let mut sealed = if tls {
            (0..4).map(|_| world.connect_tls()).collect()
        } else {
            Vec::new()
        };
        let reader = std::thread::scope(|scope| {
            let readers: Vec<_> = if tls {
                plain.clear();
                sealed
                    .iter_mut()
                    .map(|client| scope.spawn(move || listen_to_the_end(client)))
                    .collect()
            } else {
                plain
                    .iter_mut()
                    .map(|client| scope.spawn(move || listen_to_the_end(client)))
                    .collect()
            };
            eventually(4, || world.edge.stats().listeners);
            let mut idle = world.connect();
            world.push(20);
            world.close_rings();
            let address = world.edge.local_addr();
            let began = Instant::now();
            world.edge.stop();
            assert!(
                began.elapsed() < Duration::from_secs(3),
                "took {:?}",
                began.elapsed()
            );
            std::net::TcpStream::connect(address).expect_err("nobody listens any more");
            let mut byte = [0];
            assert!(!matches!(idle.0.read(&mut byte), Ok(1)));
            readers
                .into_iter()
                .map(|reader| reader.join().expect("a reader"))
                .collect::<Vec<_>>()
        });
        let expected: String = (0..21)
            .map(|number| String::from_utf8(page(number)).expect("text"))
            .collect();
        assert_eq!(reader, vec![expected; 4]);
    }
}

fn listen_to_the_end<S: Read + std::io::Write>(client: &mut Client<S>) -> String {
    client.get("/s/town-hall/live.ogg");
    client.expect(&ogg_start());
    client.rest()
}
