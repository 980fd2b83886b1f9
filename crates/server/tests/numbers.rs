//! The numbers of a space against what a driver knows by itself: who it sent, who came in, and which pages each was sent.

mod edge_world;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edge_world::{Client, PATIENCE, World, eventually, ogg_start, page};
use hustings::edge::AbuseConfig;
use hustings::numbers::{Value, of_space};
use hustings_control::gate::{Load, Settings, Used};
use hustings_control::numbers::{Number, UNIQUES_ERROR};

/// What the driver has seen.
#[derive(Default)]
struct Truth {
    attempts: u64,
    admitted: u64,
    peak: usize,
    stayed: u64,
    pages: u64,
}

/// A listener, and how many pages it has been sent.
struct Listener {
    client: Client<TcpStream>,
    next: u64,
    pages: u64,
}

struct Driver {
    world: World,
    load: Arc<Mutex<Load>>,
    truth: Truth,
    inside: Vec<Listener>,
}

impl Driver {
    fn start() -> Self {
        let load = Arc::<Mutex<Load>>::default();
        let measure = {
            let load = Arc::clone(&load);
            Box::new(move || *load.lock().expect("whole"))
        };
        let settings = Settings {
            seats: 1_000,
            shards: 2,
            ..Settings::default()
        };
        let abuse = AbuseConfig::default();
        let world = World::start_door(false, abuse, settings, measure, None);
        Self {
            world,
            load,
            truth: Truth::default(),
            inside: Vec::new(),
        }
    }

    /// One GET for the sound from a network of its own; true when it was let in.
    fn attempt(&mut self, net: u8) -> bool {
        let own = SocketAddr::from(([127, 7, net, 1], 0));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.bind(&own.into()).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        // A close is told at once, and what is under way is lost: nothing was.
        socket.set_linger(Some(Duration::ZERO)).expect("set");
        let to = self.world.edge.local_addr();
        socket.connect(&to.into()).expect("connected");
        let mut client = Client(socket.into());
        client.get("/s/town-hall/live.ogg");
        self.truth.attempts += 1;
        let head = client.head();
        if !head.starts_with("HTTP/1.1 200 ") {
            return false;
        }
        self.truth.admitted += 1;
        client.expect(b"OGG-HEAD");
        let start = String::from_utf8(ogg_start()).expect("text");
        assert_eq!(format!("{head}OGG-HEAD"), start);
        // The burst: 5 s.
        let next = self.world.pushed - 50;
        self.inside.push(Listener {
            client,
            next,
            pages: 0,
        });
        self.truth.peak = self.truth.peak.max(self.inside.len());
        true
    }

    /// Everybody inside hears everything that there is.
    fn hear(&mut self) {
        for listener in &mut self.inside {
            let pages: Vec<u8> = (listener.next..self.world.pushed).flat_map(page).collect();
            listener.client.expect(&pages);
            let more = self.world.pushed - listener.next;
            self.truth.pages += more;
            self.truth.stayed += u64::from(listener.pages < 600 && listener.pages + more >= 600);
            listener.pages += more;
            listener.next = self.world.pushed;
        }
    }

    fn push(&mut self, pages: u64) {
        self.world.push(pages);
        self.hear();
    }

    /// So many go, and the node has noticed.
    fn leave(&mut self, count: usize) {
        drop(self.inside.drain(..count).collect::<Vec<_>>());
        let (left, world) = (self.inside.len() as u64, &mut self.world);
        // Nobody is told of a close but by writing: to those who are still here as well.
        world.push(1);
        eventually(left, || world.listening());
        self.hear();
    }

    fn says(&self, number: Number) -> u64 {
        match of_space(&self.world.handle, number) {
            Value::Count(value) | Value::Millis(value) => value,
        }
    }
}

#[test]
fn numbers_are_equal_to_what_the_driver_knows() {
    let mut driver = Driver::start();
    driver.world.push(100);
    for net in 1..=30 {
        assert!(driver.attempt(net));
    }
    driver.hear();
    for _ in 0..3 {
        driver.push(49);
    }
    driver.leave(10);
    // Nobody more comes in while files are short; each try is an attempt.
    let full = Used {
        used: 100,
        limit: 100,
    };
    driver.load.lock().expect("whole").files = full;
    while driver.attempt(40) {
        driver.hear();
    }
    for net in 41..=46 {
        assert!(!driver.attempt(net), "a full node let somebody in");
    }
    driver.load.lock().expect("whole").files = Used::default();
    // One page before 60 s some go, who did not stay.
    let behind = 599 - driver.inside[0].pages;
    for _ in 0..behind / 40 {
        driver.push(40);
    }
    driver.push(behind % 40 - 1);
    assert_eq!(driver.inside[0].pages, 598);
    driver.leave(8);
    for _ in 0..3 {
        driver.push(20);
    }
    let world = &driver.world;
    world.close_rings();
    eventually(0, || world.listening());
    let truth = &driver.truth;
    assert!(truth.stayed >= 12 && truth.attempts > truth.admitted);
    eventually(truth.pages, || {
        world.handle.counts.sound_pages.load(Relaxed)
    });
    assert_eq!(driver.says(Number::Attempts), truth.attempts);
    assert_eq!(driver.says(Number::Admitted), truth.admitted);
    assert_eq!(driver.says(Number::Peak), truth.peak as u64);
    assert_eq!(driver.says(Number::Stayed), truth.stayed);
    assert_eq!(driver.says(Number::ListenerMinutes), truth.pages * 100);
    let uniques = driver.says(Number::Uniques) as f64;
    let known = if truth.admitted > 30 { 31.0 } else { 30.0 };
    let error = f64::from(UNIQUES_ERROR) / 10_000.0;
    assert!(
        (uniques - known).abs() <= (3.0 * error * known).max(0.5),
        "{uniques}"
    );
    assert_eq!(driver.says(Number::Listening), 0);
}
