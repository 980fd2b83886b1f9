//! What listeners lose when a sweep panics: nothing, or when it goes on, their connection to this one shard. And that who
//! comes does not wait for a sweep's end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hustings_control::gate::{Load, Settings};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Recorded, Space};
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::time::{Epoch, MediaTime};

use super::*;
use crate::live::{Rings, SpaceHandle};
use crate::usher::UsherThread;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    edge: Edge,
    _usher: UsherThread,
    ring: Ring,
    pushed: u64,
}

impl World {
    fn start() -> Self {
        let ring = Ring::new(Bytes::from_static(b"head"), 50);
        let handle = SpaceHandle::new(space());
        let rings = Rings {
            ogg: ring.clone(),
            webm: ring.clone(),
            mp4: ring.clone(),
        };
        handle.rings.store(Arc::new(Some(rings)));
        let directory = Arc::new(Directory::default());
        directory.insert(Arc::new(handle));
        let clock = Clock::start();
        let entrance = Entrance::passing(Settings::default(), clock).unwrap();
        let config = EdgeConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            shards: 1,
            connections_max: u64::MAX,
            abuse: AbuseConfig::default(),
            entrance: Arc::clone(&entrance),
        };
        let edge = Edge::start(config, Arc::clone(&directory), axum::Router::new(), clock).unwrap();
        let spare = Box::new(Load::default);
        let usher = UsherThread::start(entrance, directory, spare, None, None).unwrap();
        Self {
            edge,
            _usher: usher,
            ring,
            pushed: 0,
        }
    }

    fn listen(&self) -> TcpStream {
        let mut socket = TcpStream::connect(self.edge.local_addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
            .write_all(b"GET /s/a-space/live.ogg HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        hears(&mut socket, b"\r\n\r\nhead");
        socket
    }

    fn push(&mut self) -> Vec<u8> {
        let bytes = format!("<page {}>", self.pushed).into_bytes();
        assert!(self.ring.push(CutPage {
            epoch: Epoch(1),
            media_time: MediaTime(self.pushed * 4_800),
            duration: 4_800,
            start: true,
            bytes: bytes.clone().into(),
        }));
        self.pushed += 1;
        bytes
    }

    fn panic_sweeps(&self, count: u64) {
        self.edge.meter.0[0].panics_wanted.store(count, SeqCst);
    }

    fn hold_sweeps(&self, held: bool) {
        self.edge.meter.0[0].held.store(held, SeqCst);
    }

    fn slices_held(&self) -> u64 {
        self.edge.meter.0[0].slices_held.load(SeqCst)
    }

    fn until(&self, what: &str, so: impl Fn(EdgeStats) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !so(self.edge.stats()) {
            assert!(Instant::now() < end, "never: {what}");
            std::thread::yield_now();
        }
    }
}

fn space() -> Space {
    let draft = Draft {
        title: "A space".to_owned(),
        ..Draft::default()
    };
    let id = SpaceId::parse("a-space").unwrap();
    let event = Space::create(id, draft, UnixMillis(1)).unwrap();
    let created = Recorded {
        seq: 1,
        at: UnixMillis(1),
        by: Actor::Operator,
        event,
    };
    Space::replay([&created]).unwrap()
}

/// Reads until `wanted` has come.
fn hears(socket: &mut TcpStream, wanted: &[u8]) {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(wanted) {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "the stream ended");
        seen.push(byte[0]);
    }
}

#[test]
fn a_sweep_that_panics_costs_nobody_his_connection() {
    let mut world = World::start();
    let mut socket = world.listen();
    world.panic_sweeps(u64::from(limits::SWEEP_PANICS_MAX) - 1);
    let page = world.push();
    hears(&mut socket, &page);
    let stats = world.edge.stats();
    assert_eq!(
        (stats.sweep_panics, stats.restarts, stats.listeners),
        (2, 0, 1)
    );
    world.edge.stop();
}

#[test]
fn a_shard_that_goes_on_panicking_starts_again_on_the_same_port() {
    let mut world = World::start();
    let mut lost = world.listen();
    world.panic_sweeps(u64::from(limits::SWEEP_PANICS_MAX));
    let mut rest = Vec::new();
    // Ends or is reset: the socket is closed with its shard.
    let _ = lost.read_to_end(&mut rest);
    world.until("another start", |stats| stats.restarts == 1);
    world.until("nobody is counted", |stats| stats.listeners == 0);
    let mut back = world.listen();
    let page = world.push();
    hears(&mut back, &page);
    assert_eq!(world.edge.stats().listeners, 1);
    world.edge.stop();
}

#[test]
fn a_join_is_served_between_two_slices_of_one_sweep() {
    let mut world = World::start();
    let mut first = world.listen();
    world.hold_sweeps(true);
    world.until("a sweep that was begun", |_| world.slices_held() > 0);
    let sweeps = world.edge.stats().sweeps;
    let page = world.push();
    let mut second = world.listen();
    hears(&mut second, &page);
    let slices = world.slices_held();
    world.until("the sweep goes on", |_| world.slices_held() > slices);
    assert_eq!(world.edge.stats().sweeps, sweeps, "the sweep has not ended");
    first.set_nonblocking(true).unwrap();
    let waits = first.read(&mut [0]).expect_err("not visited yet");
    assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock);
    first.set_nonblocking(false).unwrap();
    world.hold_sweeps(false);
    hears(&mut first, &page);
    let page = world.push();
    for socket in [&mut first, &mut second] {
        hears(socket, &page);
    }
    world.edge.stop();
}
