//! The door as pages and scripts meet it over HTTP: tickets before the start, the page that waits, knocks on kept
//! connections, and what is shed under load.

mod edge_world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edge_world::{Client, PATIENCE, fresh_rings};
use hustings::api::{App, auth};
use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::edge::{AbuseConfig, Edge, EdgeConfig};
use hustings::ingest::Ingest;
use hustings::live::Directory;
use hustings::pages;
use hustings::store::Store;
use hustings::usher::{Entrance, UsherThread};
use hustings_control::gate::{Load, Settings, Step, Used};
use hustings_control::ids::SpaceId;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command};
use serde_json::Value;

/// The node's real pages behind its real public listener; the test says how loaded it is.
struct House {
    app: App,
    edge: Edge,
    load: Arc<Mutex<Load>>,
    usher: UsherThread,
    _data: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let (clock, directory) = (Clock::start(), Arc::new(Directory::default()));
        let store = Store::open(data.path()).await.expect("a store");
        let desk = Desk::start(store, Arc::clone(&directory), clock)
            .await
            .expect("a desk");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let ingest = Ingest::start(any, None, desk.clone(), Arc::clone(&directory));
        let settings = Settings {
            seats: 1_000,
            shards: 1,
            ..Settings::default()
        };
        let entrance = Entrance::passing(settings, clock).expect("a door");
        let wicket = Arc::new(Mutex::new(entrance.wicket().expect("a wicket")));
        let app = App {
            flight: hustings::ops::flight::Flight::default(),
            watched: hustings::alarms::Watched::new(None),
            config: Arc::new(hustings::config::Serve::usual()),
            entrance: Arc::clone(&entrance),
            wicket: Arc::clone(&wicket),
            ending: hustings::live::Ending::channel().1,
            desk,
            directory: Arc::clone(&directory),
            archive: Archive::open(data.path()).expect("an archive"),
            ingest: ingest.await.expect("media"),
            keys: Arc::new(auth::Keys::open(data.path()).expect("keys")),
            clock,
            public_url: "http://127.0.0.1:8080".into(),
            stage_url: "http://127.0.0.1:8082".into(),
            secure: false,
        };
        let config = EdgeConfig {
            listen: any,
            tls: None,
            shards: 1,
            connections_max: u64::MAX,
            abuse: AbuseConfig::default(),
            entrance: Arc::clone(&entrance),
        };
        let pages = pages::public_router(app.clone());
        let edge = Edge::start(config, Arc::clone(&directory), pages, clock).expect("an edge");
        let load = Arc::new(Mutex::new(Load::default()));
        let measure = {
            let load = Arc::clone(&load);
            Box::new(move || *load.lock().expect("whole"))
        };
        let usher = UsherThread::start(entrance, directory, measure, Some(wicket), None);
        Self {
            app,
            edge,
            load,
            usher: usher.expect("an usher"),
            _data: data,
        }
    }

    /// A space with its door, after these commands.
    async fn space(&self, id: &str, commands: Vec<Command>) {
        let name = SpaceId::parse(id).expect("an id");
        let draft = Draft {
            title: "Evening".to_owned(),
            ..Draft::default()
        };
        let desk = &self.app.desk;
        desk.create(Actor::Operator, Some(name.clone()), draft)
            .await
            .expect("made");
        for command in commands {
            let done = desk.command(&name, Actor::Operator, command).await;
            done.expect("done");
        }
        let handle = self.app.directory.get(&name).expect("there");
        handle.rings.store(Arc::new(Some(fresh_rings())));
        self.usher.handle().look();
        until("it has a door", || handle.door.load().is_some()).await;
    }

    fn set(&self, change: impl FnOnce(&mut Load)) {
        change(&mut self.load.lock().expect("whole"));
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.edge.local_addr())
    }

    async fn get(&self, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
        read(reqwest::Client::new().get(self.url(path))).await
    }

    /// As our own page posts.
    async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let post = reqwest::Client::new()
            .post(self.url(path))
            .header("origin", "http://127.0.0.1:8080")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/json")
            .body(body.to_owned());
        let (status, _, text) = read(post).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

async fn read(request: reqwest::RequestBuilder) -> (u16, reqwest::header::HeaderMap, String) {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.text().await.expect("text"))
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < 2 * PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const FULL: Used = Used {
    used: 98,
    limit: 100,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_start_a_page_gets_a_ticket_that_is_good_at_this_door_only() {
    let house = House::open().await;
    house.space("evening", Vec::new()).await;
    house.space("other", vec![Command::Open]).await;
    let (status, rsvp) = house.post("/s/evening/rsvp", "").await;
    assert_eq!(status, 201, "{rsvp}");
    let ticket = rsvp["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(ticket.len(), 80);
    assert!(rsvp["expires_at"].as_u64() > Some(house.app.clock.wall().0));
    let foreign = reqwest::Client::new()
        .post(house.url("/s/evening/rsvp"))
        .header("sec-fetch-site", "cross-site");
    assert_eq!(read(foreign).await.0, 403);
    assert_eq!(house.post("/s/nowhere/rsvp", "").await.0, 404);
    // A network has its share and no more.
    let mut given = 1;
    let refused = loop {
        let (status, answer) = house.post("/s/evening/rsvp", "").await;
        if status != 201 {
            break (status, answer);
        }
        given += 1;
        assert!(given <= 400, "as many as all have");
    };
    assert_eq!(refused.0, 429, "{}", refused.1);
    assert_eq!(refused.1["type"], "urn:hustings:problem:no-ticket");

    let evening = SpaceId::parse("evening").expect("an id");
    let opened = house
        .app
        .desk
        .command(&evening, Actor::Operator, Command::Open);
    opened.await.expect("opened");
    let (status, late) = house.post("/s/evening/rsvp", "").await;
    assert_eq!(
        (status, &late["type"]),
        (409, &"urn:hustings:problem:begun".into())
    );
    let show = format!(r#"{{"show":"{ticket}"}}"#);
    let (_, wrong) = house.post("/s/other/knock", &show).await;
    assert_eq!(wrong["reason"], "wrong_space", "{wrong}");
    let (_, enter) = house.post("/s/evening/knock", &show).await;
    assert_eq!(enter["verdict"], "enter", "{enter}");
    assert_eq!(enter["held_ms"], 30_000, "a seat is held for it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn knocks_on_a_kept_connection_are_answered_and_wrong_ones_explained() {
    let house = House::open().await;
    house.space("evening", vec![Command::Open]).await;
    let tcp = std::net::TcpStream::connect(house.edge.local_addr()).expect("connected");
    tcp.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut client = Client(tcp);
    let mut ask = |lines: &str, body: &str| {
        client.send(&format!(
            "{lines}\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let head = client.head();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().expect("a number"))
        });
        let mut body = vec![0; length.expect("a length")];
        std::io::Read::read_exact(&mut client.0, &mut body).expect("a body");
        (head, String::from_utf8(body).expect("text"))
    };
    // A page first: from then on the pages' threads read this connection.
    let (head, _) = ask("GET /robots.txt HTTP/1.1", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let knock = "POST /s/evening/knock HTTP/1.1\r\nContent-Type: application/json";
    for body in ["{}", "", r#"{"ask":"right","n":"8c1f"}"#] {
        let (head, body) = ask(knock, body);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.to_lowercase().contains("cache-control: no-store"),
            "{head}"
        );
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (&answer["verdict"], &answer["ticket"]),
            (&"enter".into(), &Value::Null)
        );
    }
    let (head, problem) = ask(knock, "not json");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(
        problem.contains("urn:hustings:problem:bad-json"),
        "{problem}"
    );
    let (head, _) = ask(
        "POST /s/evening/knock HTTP/1.1\r\nContent-Type: text/plain",
        "{}",
    );
    assert!(head.starts_with("HTTP/1.1 415 "), "{head}");
    let foreign = format!("{knock}\r\nSec-Fetch-Site: cross-site");
    assert!(ask(&foreign, "{}").0.starts_with("HTTP/1.1 403 "));
    let (head, serving) = ask("GET /s/evening/serving.json?bust=7 HTTP/1.1", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && serving.contains("\"evening\""));
    // The last, for what is too long to be read ends its connection.
    let (head, _) = ask(knock, &" ".repeat(2_000));
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_that_waits_keeps_its_place_and_becomes_a_player() {
    let house = House::open().await;
    house.space("evening", vec![Command::Open]).await;
    let (status, headers, page) = house.get("/s/evening/line").await;
    assert_eq!(status, 200);
    assert!(page.contains(r#"src="/s/evening/live.ogg""#), "{page}");
    assert!(headers.get("refresh").is_none(), "nothing to wait for");

    // Links of other sites may lead here; their frames and pictures must not knock.
    for (dest, status) in [("document", 200), ("iframe", 303), ("embed", 303)] {
        let none = reqwest::redirect::Policy::none();
        let browser = reqwest::Client::builder().redirect(none).build();
        let foreign = browser
            .expect("a client")
            .get(house.url("/s/evening/line"))
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", dest);
        assert_eq!(read(foreign).await.0, status, "{dest}");
    }
    house.set(|load| load.memory = FULL);
    let evening = SpaceId::parse("evening").expect("an id");
    let handle = house.app.directory.get(&evening).expect("there");
    // The wicket of the pages learns of the load at the usher's next tick.
    let began = Instant::now();
    let (headers, page) = loop {
        let (_, headers, page) = house.get("/s/evening/line").await;
        if headers.contains_key("refresh") {
            break (headers, page);
        }
        assert!(began.elapsed() < PATIENCE, "never full: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let refresh = headers["refresh"].to_str().expect("text");
    let (seconds, next) = refresh.split_once("; url=").expect("an address");
    assert!((3..=60).contains(&seconds.parse::<u32>().expect("seconds")));
    let (place, looks) = next
        .strip_prefix("/s/evening/line?place=")
        .and_then(|rest| rest.split_at_checked(80))
        .expect("a place");
    assert!(place.bytes().all(|c| c != b'&'), "{next}");
    // Nobody knows how long it takes: it looks soon, and each time waits twice as long.
    if let Some(looks) = looks.strip_prefix("&looks=") {
        assert_eq!((looks, seconds), ("1", "6"));
    }
    let (next_text, refresh_text) = (next.replace('&', "&amp;"), refresh.replace('&', "&amp;"));
    let cache = headers["cache-control"].to_str().expect("text");
    assert!(
        cache.contains("private") && cache.contains("no-store"),
        "{cache}"
    );
    assert!(page.contains("This page lets you in.") && page.contains("Your place is kept"));
    assert!(page.contains(&format!("href=\"{next_text}\"")), "{page}");
    assert!(
        page.contains(&format!("content=\"{refresh_text}\"")),
        "{page}"
    );
    assert!(!page.contains("<audio"), "{page}");
    // A place that was not given out here begins anew.
    let (_, _, forged) = house
        .get(&format!("/s/evening/line?place={}", "A".repeat(80)))
        .await;
    assert!(forged.contains("data-reason="), "{forged}");

    house.set(|load| *load = Load::default());
    let began = Instant::now();
    let page = loop {
        // The place lives as long as the page goes where it is told.
        let (status, headers, page) = house.get(next).await;
        assert_eq!(status, 200);
        if page.contains("<audio") {
            assert!(headers.get("refresh").is_none());
            break page;
        }
        assert!(began.elapsed() < 2 * PATIENCE, "never in: {page}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (_, source) = page
        .split_once(r#"src="/s/evening/live.ogg?t="#)
        .expect("a ticket: a seat is held");
    let sound = format!("/s/evening/live.ogg?t={}", &source[..80]);
    assert_eq!(handle.door.load().as_ref().expect("a door").inside(), 1);
    let answer = reqwest::get(house.url(&sound)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "audio/ogg; codecs=opus");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_events_are_shed_and_reactions_thinned_and_both_come_back() {
    let house = House::open().await;
    let live = vec![Command::Open, Command::GoLive];
    house.space("evening", live).await;
    let state = async || -> Value {
        let (_, _, text) = house.get("/s/evening/state.json").await;
        serde_json::from_str(&text).expect("JSON")
    };
    let calm = state().await;
    assert_eq!(
        (&calm["door"], &calm["poll_s"]),
        (&"calm".into(), &Value::Null)
    );
    let running = reqwest::get(house.url("/s/evening/events"))
        .await
        .expect("events");
    assert_eq!(running.status(), 200);

    house.set(|load| {
        load.files = Used {
            used: 80,
            limit: 100,
        }
    });
    until("side features are shed", || {
        house.app.entrance.sheds_side_features()
    })
    .await;
    assert_eq!(state().await["poll_s"], 5);
    let (status, headers, _) = house.get("/s/evening/events").await;
    assert_eq!(status, 503);
    assert!(headers.contains_key("retry-after"));
    // Streams that run are ended, so that their connections are free.
    let ended = tokio::time::timeout(PATIENCE, running.text()).await;
    assert!(ended.is_ok(), "the stream goes on");
    let id = SpaceId::parse("evening").expect("an id");
    let space = house.app.directory.get(&id).expect("there");
    let applaud = async || {
        for _ in 0..16 {
            let press = house.post("/s/evening/reactions", r#"{"reaction":"applaud"}"#);
            assert_eq!(press.await.0, 204);
        }
        space.presses.take()
    };
    assert_eq!(applaud().await, [4, 0, 0, 0], "one in four");

    house.set(|load| *load = Load::default());
    until("it is calm again", || {
        !house.app.entrance.sheds_side_features()
    })
    .await;
    assert_eq!(applaud().await, [16, 0, 0, 0]);
    assert_eq!(state().await["poll_s"], Value::Null);
    let again = reqwest::get(house.url("/s/evening/events"))
        .await
        .expect("events");
    assert_eq!(again.status(), 200);
    let standing = house.app.entrance.standing().expect("a standing");
    assert!(standing.step < Step::Side);
}
