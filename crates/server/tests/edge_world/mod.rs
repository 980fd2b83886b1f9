//! A running edge whose rings the test itself fills, and clients that speak to it over raw sockets.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use hustings::clock::Clock;
use hustings::edge::{AbuseConfig, Edge, EdgeConfig};
use hustings::live::{Directory, Rings, SpaceHandle};
use hustings::usher::{Entrance, Measure, UsherThread};
use hustings_control::gate::{Load, Settings};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Phase, Recorded, Space};
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::time::{Epoch, MediaTime};

/// Longest that any answer may take; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const RING_PAGES: usize = 200;

pub(crate) struct World {
    pub(crate) edge: Edge,
    pub(crate) usher: UsherThread,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) handle: Arc<SpaceHandle>,
    pub(crate) rings: Rings,
    pub(crate) pushed: u64,
    roots: rustls::RootCertStore,
    _files: tempfile::TempDir,
}

impl World {
    pub(crate) fn plain(shards: usize) -> Self {
        Self::start(shards, false)
    }

    pub(crate) fn tls(shards: usize) -> Self {
        Self::start(shards, true)
    }

    fn start(shards: usize, tls: bool) -> Self {
        Self::start_with(shards, tls, AbuseConfig::default())
    }

    pub(crate) fn start_with(shards: usize, tls: bool, abuse: AbuseConfig) -> Self {
        let settings = Settings {
            shards: u32::try_from(shards).expect("few"),
            seats: 1_000,
            ..Settings::default()
        };
        Self::start_door(tls, abuse, settings, Box::new(Load::default), None)
    }

    /// A door with these seats, this load, and, when there is a folder, a memory.
    pub(crate) fn start_door(
        tls: bool,
        abuse: AbuseConfig,
        settings: Settings,
        measure: Measure,
        data: Option<&std::path::Path>,
    ) -> Self {
        Self::open(tls, abuse, settings, measure, data, u64::MAX)
    }

    /// One shard, and files for so many connections.
    pub(crate) fn with_files(connections_max: u64) -> Self {
        let settings = Settings {
            shards: 1,
            seats: 1_000,
            ..Settings::default()
        };
        let (abuse, measure) = (AbuseConfig::default(), Box::new(Load::default));
        Self::open(false, abuse, settings, measure, None, connections_max)
    }

    fn open(
        tls: bool,
        abuse: AbuseConfig,
        settings: Settings,
        measure: Measure,
        data: Option<&std::path::Path>,
        connections_max: u64,
    ) -> Self {
        let shards = settings.shards as usize;
        let files = tempfile::tempdir().expect("a folder");
        let mut roots = rustls::RootCertStore::empty();
        let tls = tls.then(|| {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
                .expect("a certificate");
            roots.add(made.cert.der().clone()).expect("a root");
            let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
            std::fs::write(&cert, made.cert.pem()).expect("written");
            std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
            (cert, key)
        });
        let directory = Arc::new(Directory::default());
        let handle = add_space(&directory, "town-hall", Phase::Live);
        let rings = fresh_rings();
        handle.rings.store(Arc::new(Some(rings.clone())));
        let pages = axum::Router::new()
            .route("/who", get(who))
            .route("/hello", get(|| async { "hello, page" }))
            .route("/large", get(|| async { vec![b'x'; 3_000_000] }))
            .route("/stuck", get(stuck))
            .route(
                "/echo",
                axum::routing::post(|body: Bytes| async move { body }),
            );
        let clock = Clock::start();
        let (entrance, keeper) = Entrance::open(settings, data, clock).expect("a door");
        let config = EdgeConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls,
            shards,
            connections_max,
            entrance: Arc::clone(&entrance),
            abuse,
        };
        let edge =
            Edge::start(config, Arc::clone(&directory), pages, clock).expect("the edge starts");
        let door = Arc::clone(&entrance);
        let usher = UsherThread::start(door, Arc::clone(&directory), measure, None, keeper)
            .expect("the usher starts");
        Self {
            edge,
            usher,
            entrance,
            directory,
            handle,
            rings,
            pushed: 0,
            roots,
            _files: files,
        }
    }

    /// One more space, with its door.
    pub(crate) fn add_space(&self, id: &str, phase: Phase) -> Arc<SpaceHandle> {
        let handle = add_space(&self.directory, id, phase);
        self.usher.handle().look();
        let over = matches!(phase, Phase::Ended | Phase::Cancelled);
        eventually(!over, || handle.door.load().is_some());
        handle
    }

    /// Puts the next pages of 100 ms into all rings.
    pub(crate) fn push(&mut self, count: u64) {
        for _ in 0..count {
            self.push_bytes(&page(self.pushed));
        }
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        for ring in [&self.rings.ogg, &self.rings.webm, &self.rings.mp4] {
            let cut = CutPage {
                epoch: Epoch(1),
                media_time: MediaTime(self.pushed * 4_800),
                duration: 4_800,
                start: true,
                bytes: Bytes::copy_from_slice(bytes),
            };
            assert!(ring.push(cut), "page {} was refused", self.pushed);
        }
        self.pushed += 1;
    }

    pub(crate) fn close_rings(&self) {
        for ring in [&self.rings.ogg, &self.rings.webm, &self.rings.mp4] {
            ring.close();
        }
    }

    pub(crate) fn connect(&self) -> Client<TcpStream> {
        let tcp = TcpStream::connect(self.edge.local_addr()).expect("connected");
        tcp.set_read_timeout(Some(PATIENCE)).expect("set");
        Client(tcp)
    }

    pub(crate) fn connect_tls(&self) -> Client<TlsClient> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = "localhost".try_into().expect("a name");
        let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
        Client(rustls::StreamOwned::new(session, self.connect().0))
    }

    pub(crate) fn listening(&self) -> u64 {
        self.handle.counts.listening.load(Relaxed)
    }
}

/// How many `/stuck` pages hold a thread, and whether they may go on.
pub(crate) static STUCK: (Mutex<(usize, bool)>, Condvar) = (Mutex::new((0, false)), Condvar::new());

/// A page that takes its thread with it, as one that computes for long does.
async fn stuck() -> &'static str {
    let mut state = STUCK.0.lock().expect("whole");
    state.0 += 1;
    STUCK.1.notify_all();
    drop(STUCK.1.wait_while(state, |state| !state.1).expect("whole"));
    "at last"
}

/// Who the pages believe asks.
async fn who(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    client.ip().to_string()
}

pub(crate) type TlsClient = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A client that reads exactly what it expects.
pub(crate) struct Client<S>(pub(crate) S);

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("written");
        self.0.flush().expect("flushed");
    }

    pub(crate) fn get(&mut self, target: &str) {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        self.0
            .read_exact(&mut got)
            .expect("the expected bytes come");
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(expected)
        );
    }

    /// Reads up to the empty line.
    #[track_caller]
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a whole head comes");
            head.extend_from_slice(&byte);
        }
        String::from_utf8(head).expect("text")
    }

    /// All that comes up to an orderly end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an orderly end");
        String::from_utf8_lossy(&rest).into_owned()
    }
}

pub(crate) fn page(number: u64) -> Vec<u8> {
    format!("[page {number:05}]").into_bytes()
}

pub(crate) fn stream_start(content_type: &str, container_head: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\nConnection: close\r\n\
         X-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\n\r\n{container_head}"
    )
    .into_bytes()
}

pub(crate) fn ogg_start() -> Vec<u8> {
    stream_start("audio/ogg; codecs=opus", "OGG-HEAD")
}

pub(crate) fn fresh_rings() -> Rings {
    let ring = |head: &'static str| Ring::new(Bytes::from_static(head.as_bytes()), RING_PAGES);
    Rings {
        ogg: ring("OGG-HEAD"),
        webm: ring("WEBM-HEAD"),
        mp4: ring("MP4-HEAD"),
    }
}

fn add_space(directory: &Directory, id: &str, phase: Phase) -> Arc<SpaceHandle> {
    let id = SpaceId::parse(id).expect("an id");
    let draft = Draft {
        title: "Town hall".to_owned(),
        ..Draft::default()
    };
    let event = Space::create(id, draft, UnixMillis(1)).expect("a good draft");
    let created = Recorded {
        seq: 1,
        at: UnixMillis(1),
        by: Actor::Operator,
        event,
    };
    let mut space = Space::replay([&created]).expect("a space");
    space.phase = phase;
    let handle = Arc::new(SpaceHandle::new(space));
    directory.insert(Arc::clone(&handle));
    handle
}

/// Waits until a counter that sweeps tell has come to what is expected; there is nothing to be woken by.
#[track_caller]
pub(crate) fn eventually<T: PartialEq + std::fmt::Debug>(expected: T, mut look: impl FnMut() -> T) {
    let began = Instant::now();
    let mut last = look();
    while last != expected {
        assert!(
            began.elapsed() < PATIENCE,
            "expected {expected:?}, it stays {last:?}"
        );
        std::thread::yield_now();
        last = look();
    }
}
