//! The crowd's door against those who want no sound, and behind proxies: real sockets from several loopback prefixes.

mod edge_world;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_world::{Client, PATIENCE, World, eventually};
use hustings::clock::Clock;
use hustings::edge::proxy::ProxyConfig;
use hustings::edge::{Abuse, AbuseConfig};
use hustings::shield::ShieldClient;

fn behind(trusted: &str, protocol: bool) -> AbuseConfig {
    let proxies = ProxyConfig {
        trusted: vec![trusted.parse().expect("a prefix")],
        protocol,
    };
    AbuseConfig {
        proxies: Arc::new(proxies),
        ..AbuseConfig::default()
    }
}

fn count(world: &World, abuse: Abuse) -> u64 {
    world.edge.stats().abuse.of(abuse)
}

/// All of 127/8 is this machine, so that a test has as many prefixes as it likes.
fn from(world: &World, address: [u8; 4]) -> Client<TcpStream> {
    try_from(world, address).expect("connected")
}

fn try_from(world: &World, address: [u8; 4]) -> std::io::Result<Client<TcpStream>> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address, 0)).into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&world.edge.local_addr().into())?;
    Ok(Client(socket.into()))
}

fn whoami(client: &mut Client<TcpStream>, more: &str) -> String {
    client.send(&format!("GET /who HTTP/1.1\r\nHost: x\r\n{more}\r\n"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("a length");
    let mut body = vec![0; len.parse().expect("a number")];
    client.0.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("text")
}

/// True when the other end closes without a word.
fn is_closed(client: &mut Client<TcpStream>) -> bool {
    matches!(client.0.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn forwarded_addresses_are_believed_from_named_proxies_only() {
    let world = World::start_with(1, false, behind("127.0.0.1/32", false));
    let mut proxy = from(&world, [127, 0, 0, 1]);
    assert_eq!(
        whoami(&mut proxy, "X-Forwarded-For: 198.51.100.7\r\n"),
        "198.51.100.7"
    );
    // Each request of a proxy's connection may be another client's.
    let more = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(whoami(&mut proxy, more), "203.0.113.9");
    assert_eq!(count(&world, Abuse::BadForwarded), 0);
    assert_eq!(
        whoami(&mut proxy, "X-Forwarded-For: <script>\r\n"),
        "127.0.0.1"
    );
    assert_eq!(count(&world, Abuse::BadForwarded), 1);
    let mut anybody = from(&world, [127, 0, 0, 2]);
    assert_eq!(
        whoami(&mut anybody, "X-Forwarded-For: 198.51.100.7\r\n"),
        "127.0.0.2"
    );
    assert_eq!(
        world.edge.stats().refused,
        0,
        "nobody was refused for a header"
    );
}

fn proxy_header(command: u8, source: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, 0x11, 0, 12 + 5]);
    header.extend(source);
    header.extend([10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb]);
    header.extend([0x04, 0, 2, 7, 7]);
    header
}

#[test]
fn a_proxy_header_names_the_client() {
    let world = World::start_with(1, false, behind("127.0.0.1/32", true));
    let announced = |header: &[u8]| {
        let mut client = from(&world, [127, 0, 0, 1]);
        client.0.write_all(header).expect("written");
        client
    };
    let mut proxied = announced(&proxy_header(1, [198, 51, 100, 7]));
    assert_eq!(whoami(&mut proxied, ""), "198.51.100.7");
    assert_eq!(
        whoami(&mut proxied, "X-Forwarded-For: 203.0.113.9\r\n"),
        "198.51.100.7"
    );
    let mut check = announced(&proxy_header(0, [198, 51, 100, 7]));
    assert_eq!(
        whoami(&mut check, ""),
        "127.0.0.1",
        "LOCAL is the proxy itself"
    );
    // Whoever is not named cannot announce anybody, and needs not.
    let mut direct = from(&world, [127, 0, 0, 2]);
    assert_eq!(whoami(&mut direct, ""), "127.0.0.2");
    let mut forger = from(&world, [127, 0, 0, 2]);
    forger
        .0
        .write_all(&proxy_header(1, [198, 51, 100, 7]))
        .expect("written");
    forger.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(forger.rest().starts_with("HTTP/1.1 400 "));
    assert_eq!(count(&world, Abuse::BadProxyHeader), 0);
    let mut without = announced(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(is_closed(&mut without));
    let mut half = announced(b"\r\n\r\n\0\r\nQUI");
    let began = Instant::now();
    assert!(is_closed(&mut half));
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "took {:?}",
        began.elapsed()
    );
    assert_eq!(count(&world, Abuse::BadProxyHeader), 2);
}

#[test]
fn a_proxied_prefix_has_bounds_of_its_own_and_the_proxy_has_none() {
    let world = World::start_with(1, false, behind("127.0.0.1/32", true));
    let mut silent: Vec<_> = (0..300)
        .map(|_| {
            let mut client = from(&world, [127, 0, 0, 1]);
            client
                .0
                .write_all(&proxy_header(1, [198, 51, 100, 7]))
                .expect("written");
            client
        })
        .collect();
    eventually(44, || count(&world, Abuse::PrefixCrowded));
    assert!(is_closed(&mut silent[0]));
    let mut other = from(&world, [127, 0, 0, 1]);
    other
        .0
        .write_all(&proxy_header(1, [203, 0, 113, 9]))
        .expect("written");
    assert_eq!(whoami(&mut other, ""), "203.0.113.9");
}

#[test]
fn silent_connections_of_one_prefix_push_out_each_other_and_nobody_else() {
    let world = World::plain(1);
    let mut neighbour = from(&world, [127, 8, 1, 1]);
    let mut silent: Vec<_> = (0..=255_u8)
        .chain(0..50)
        .map(|host| from(&world, [127, 8, 0, host]))
        .collect();
    eventually(50, || count(&world, Abuse::PrefixCrowded));
    assert!(silent[..50].iter_mut().all(is_closed), "the oldest went");
    assert_eq!(
        whoami(&mut neighbour, ""),
        "127.8.1.1",
        "he is older than all of them"
    );
    let mut same = from(&world, [127, 8, 0, 77]);
    assert_eq!(
        whoami(&mut same, ""),
        "127.8.0.77",
        "who speaks gets in from that prefix too"
    );
    assert_eq!(count(&world, Abuse::SilentShed), 0);
}

#[test]
fn a_prefix_that_knocks_too_fast_is_closed_unread_and_others_are_not() {
    let abuse = AbuseConfig {
        connections_per_s: 200,
        ..AbuseConfig::default()
    };
    let world = World::start_with(2, false, abuse);
    let began = Instant::now();
    let mut knocks = 0_u64;
    while count(&world, Abuse::PrefixRate) < 100 {
        assert!(began.elapsed() < PATIENCE, "{knocks} knocks were all heard");
        // A knock that is refused at once may fail in any way.
        let _ = try_from(&world, [127, 9, 0, 1]);
        knocks += 1;
    }
    assert!(
        knocks > 2_000,
        "10 s of the rate may come at once, not only {knocks}"
    );
    assert_eq!(whoami(&mut from(&world, [127, 9, 1, 1]), ""), "127.9.1.1");
}

/// The status of a request's answer, which is read whole.
fn status(client: &mut Client<TcpStream>, request: &str) -> (String, String) {
    client.send(request);
    let head = client.head().to_ascii_lowercase();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |len| len.parse().expect("a number"));
    client.0.read_exact(&mut vec![0; len]).expect("a body");
    (head.get(9..12).expect("a status").to_owned(), head)
}

#[test]
fn knocks_over_one_kept_alive_connection_are_limited_as_connections_are() {
    let abuse = AbuseConfig {
        connections_per_s: 20,
        ..AbuseConfig::default()
    };
    let world = World::start_with(1, false, abuse);
    let knock = "POST /s/town-hall/knock HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    for (net, ask) in [
        (14, knock),
        (15, "GET /s/town-hall/line HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        let mut client = from(&world, [127, net, 0, 1]);
        assert_eq!(whoami(&mut client, ""), format!("127.{net}.0.1"));
        let (began, mut heard) = (Instant::now(), 0);
        let refused = loop {
            assert!(began.elapsed() < PATIENCE, "{heard} knocks were all heard");
            // The pages of this world know no knock.
            match status(&mut client, ask) {
                (status, _) if status == "404" => heard += 1,
                (status, head) if status == "429" => break head,
                (_, head) => panic!("{head}"),
            }
        };
        assert!(heard >= 190, "10 s of the rate may come at once: {heard}");
        assert!(refused.contains("retry-after: "), "{refused}");
        assert!(is_closed(&mut client), "the next one costs a connection");
        // What is no knock is heard still, and so are the knocks of others.
        let mut client = from(&world, [127, net, 0, 1]);
        assert_eq!(whoami(&mut client, ""), format!("127.{net}.0.1"));
        let mut neighbour = from(&world, [127, net, 1, 1]);
        whoami(&mut neighbour, "");
        assert_eq!(status(&mut neighbour, ask).0, "404");
    }
    assert_eq!(count(&world, Abuse::KnockRate), 2);
}

#[test]
fn idle_connections_of_pages_make_room_before_files_run_short() {
    let world = World::with_files(400);
    let mut neighbour = from(&world, [127, 16, 1, 1]);
    assert_eq!(whoami(&mut neighbour, ""), "127.16.1.1");
    let mut idle: Vec<_> = (0..300)
        .map(|_| {
            let mut client = from(&world, [127, 16, 0, 1]);
            assert_eq!(whoami(&mut client, ""), "127.16.0.1");
            client
        })
        .collect();
    // A quarter of the files, so that there is room for those who listen.
    eventually(100, || world.edge.stats().http_connections);
    assert!(idle[..200].iter_mut().all(is_closed), "the oldest went");
    assert_eq!(count(&world, Abuse::PagesShed), 201);
    let newest = idle.last_mut().expect("some");
    assert_eq!(whoami(newest, ""), "127.16.0.1");
    assert_eq!(whoami(&mut neighbour, ""), "127.16.1.1");
}

#[test]
fn a_body_that_dribbles_is_given_up() {
    let world = World::plain(1);
    let mut slow = from(&world, [127, 10, 0, 1]);
    slow.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    let began = Instant::now();
    slow.send("some");
    let mut answer = Vec::new();
    // An answer or a cut: either way it ends.
    let _ = slow.0.read_to_end(&mut answer);
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(8),
        "took {took:?}"
    );
    assert_eq!(count(&world, Abuse::SlowBody), 1);
    eventually(0, || world.edge.stats().http_connections);
}

#[test]
fn heads_and_silence_are_counted_by_reason() {
    let world = World::plain(1);
    let mut bad = from(&world, [127, 11, 0, 1]);
    bad.send("GET / SIP/2.0\r\n\r\n");
    bad.rest();
    let mut slow = from(&world, [127, 11, 0, 1]);
    slow.send("GET / HTTP/1.1\r\nX-Slow: ");
    let mut silent = from(&world, [127, 11, 0, 1]);
    assert!(slow.rest().starts_with("HTTP/1.1 408 "));
    assert!(is_closed(&mut silent));
    let counts = [Abuse::BadHead, Abuse::SlowHead, Abuse::Silent].map(|abuse| count(&world, abuse));
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(world.edge.stats().refused, 3);
}

/// A link of another site with a large address, or with `http://` to a port of TLS, is followed by people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_make_a_browser_do_is_told_to_no_shield() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("nobody.sock");
    let shield = ShieldClient::start(socket, Vec::new(), Clock::start());
    let abuse = || AbuseConfig {
        offenders: shield.offenders(),
        ..AbuseConfig::default()
    };
    let noted = || shield.meter().stats().noted;
    let sealed = World::start_with(1, true, abuse());
    let mut http = from(&sealed, [127, 17, 0, 1]);
    http.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(is_closed(&mut http) || http.rest().len() < 100);
    eventually(1, || count(&sealed, Abuse::BadHandshake));
    let world = World::start_with(1, false, abuse());
    let mut large = from(&world, [127, 17, 0, 1]);
    large.send(&format!("GET /x?{} HTTP/1.1\r\n\r\n", "a".repeat(9_000)));
    assert!(large.rest().starts_with("HTTP/1.1 431 "));
    assert_eq!(count(&world, Abuse::BadHead), 1);
    // What is told comes in order, so that nothing was told before this.
    let mut nonsense = from(&world, [127, 17, 0, 1]);
    nonsense.send("GET / SIP/2.0\r\n\r\n");
    assert!(nonsense.rest().starts_with("HTTP/1.1 400 "));
    eventually(true, || noted() > 0);
    assert_eq!(noted(), 1);
}

fn hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut hello = Vec::new();
    session.write_tls(&mut hello).expect("written");
    hello
}

#[test]
fn handshakes_are_limited_before_anything_is_computed() {
    let mut world = World::tls(1);
    world.push(10);
    let mut garbage = from(&world, [127, 12, 1, 1]);
    garbage.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(is_closed(&mut garbage) || garbage.rest().len() < 100);
    eventually(1, || count(&world, Abuse::BadHandshake));
    let hello = hello();
    let flood: Vec<_> = (0..600)
        .filter_map(|_| {
            let mut client = try_from(&world, [127, 12, 0, 1]).ok()?;
            client.0.write_all(&hello).ok()?;
            Some(client)
        })
        .collect();
    eventually(true, || count(&world, Abuse::HandshakeRate) >= 50);
    // Somebody else is let in meanwhile, and hears.
    let began = Instant::now();
    let mut listener = world.connect_tls();
    listener.get("/s/town-hall/live.ogg");
    assert!(listener.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "took {:?}",
        began.elapsed()
    );
    drop(flood);
}

#[test]
fn the_address_is_the_one_that_packets_come_from() {
    let world = World::plain(1);
    let address = whoami(
        &mut from(&world, [127, 13, 0, 5]),
        "X-Forwarded-For: 198.51.100.7\r\n",
    );
    assert_eq!(
        address.parse::<IpAddr>().expect("an address"),
        IpAddr::from([127, 13, 0, 5])
    );
}
