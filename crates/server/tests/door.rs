//! The gate on real sockets, from many prefixes of 127/8: who comes in, who waits, and what those inside notice of it.

mod edge_world;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edge_world::{Client, PATIENCE, World, eventually, ogg_start, page};
use hustings::edge::AbuseConfig;
use hustings::usher::NodeEvent;
use hustings_control::gate::{Load, Mode, Resource, Settings, Step, Used};
use hustings_control::spaces::Phase;
use serde_json::Value;

type SharedLoad = Arc<Mutex<Load>>;

fn settings(seats: u32) -> Settings {
    Settings {
        seats,
        shards: 2,
        ..Settings::default()
    }
}

fn world(seats: u32) -> (World, SharedLoad) {
    world_in(seats, None)
}

fn world_in(seats: u32, data: Option<&std::path::Path>) -> (World, SharedLoad) {
    let load = SharedLoad::default();
    let measure = {
        let load = Arc::clone(&load);
        Box::new(move || *load.lock().expect("whole"))
    };
    let world = World::start_door(
        false,
        AbuseConfig::default(),
        settings(seats),
        measure,
        data,
    );
    (world, load)
}

/// All of 127/8 is this machine; each `net` is a /24 of its own.
fn from(world: &World, net: u8) -> Client<TcpStream> {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let own = SocketAddr::from(([127, 7, net, 1], 0));
    socket.bind(&own.into()).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket
        .connect(&world.edge.local_addr().into())
        .expect("connected");
    Client(socket.into())
}

fn listen(world: &World, net: u8, query: &str) -> Client<TcpStream> {
    let mut client = from(world, net);
    client.get(&format!("/s/town-hall/live.ogg{query}"));
    client.expect(&ogg_start());
    client
}

/// The whole answer to a request for sound that is not let in.
fn refused(world: &World, net: u8, query: &str, lines: &str) -> String {
    let mut client = from(world, net);
    client.send(&format!(
        "GET /s/town-hall/live.ogg{query} HTTP/1.1\r\nHost: x\r\n{lines}\r\n"
    ));
    client.rest()
}

fn knock(world: &World, net: u8, body: &str) -> Value {
    knock_at(world, "town-hall", net, body)
}

fn knock_at(world: &World, space: &str, net: u8, body: &str) -> Value {
    let mut client = from(world, net);
    client.send(&format!(
        "POST /s/{space}/knock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let answer = client.rest();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Cache-Control: no-store\r\n"), "{answer}");
    let (_, json) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(json).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn mode(world: &World) -> Mode {
    world.handle.door.load().as_ref().expect("a door").mode()
}

fn inside(world: &World) -> u32 {
    world.handle.door.load().as_ref().expect("a door").inside()
}

/// True when the other end has closed; what it sent before is read.
fn ends(client: &mut Client<TcpStream>) -> bool {
    let mut bin = [0; 4_096];
    loop {
        match client.0.read(&mut bin) {
            Ok(0) | Err(_) => return true,
            Ok(_) => {}
        }
    }
}

/// Takes seats until the door is strict, each from a prefix of its own.
fn fill(world: &World, strict: Mode) -> Vec<Client<TcpStream>> {
    let mut crowd = Vec::new();
    while mode(world) < strict {
        assert!(crowd.len() < 900, "the door stays lax");
        let net = crowd.len() as u8;
        let mut client = from(world, net);
        client.get("/s/town-hall/live.ogg");
        if client.head().starts_with("HTTP/1.1 200") {
            crowd.push(client);
        } else {
            // It is busy: who has come twice gets in, until seats are short.
            let places: Vec<_> = (0..20).map(|net| knock(world, net, "{}")).collect();
            std::thread::sleep(Duration::from_millis(1_100));
            for (net, place) in places.iter().enumerate() {
                let Some(place) = place["place"].as_str() else {
                    continue;
                };
                let show = format!(r#"{{"show":"{place}"}}"#);
                let answer = knock(world, net as u8, &show);
                if let Some(ticket) = answer["ticket"].as_str() {
                    crowd.push(listen(world, net as u8, &format!("?t={ticket}")));
                }
            }
        }
    }
    crowd
}

#[test]
fn in_calm_nobody_shows_anything() {
    let (mut world, _) = world(1_000);
    world.push(1);
    let _inside: Vec<_> = (0..20).map(|net| listen(&world, net, "")).collect();
    let answer = knock(&world, 30, "{}");
    assert_eq!(
        (text(&answer["verdict"]), &answer["ticket"]),
        ("enter", &Value::Null)
    );
    assert_eq!((inside(&world), mode(&world)), (20, Mode::Calm));
}

#[test]
fn whoever_stops_listening_gives_the_seat_back() {
    let (mut world, _) = world(1_000);
    let crowd: Vec<_> = (0..20)
        .map(|net| listen(&world, net, &format!("?n={net:x}")))
        .collect();
    assert_eq!(inside(&world), 20);
    drop(crowd);
    let began = Instant::now();
    while inside(&world) > 0 {
        assert!(began.elapsed() < PATIENCE, "{} stay", inside(&world));
        world.push(1);
        std::thread::yield_now();
    }
}

#[test]
fn in_a_storm_players_are_told_when_and_browsers_where() {
    let (world, _) = world(40);
    let _crowd = fill(&world, Mode::Storm);
    let player = refused(&world, 201, "", "Accept: */*\r\n");
    assert!(player.starts_with("HTTP/1.1 503 "), "{player}");
    assert!(
        player.contains("\r\nRetry-After: ") && player.len() < 400,
        "{player}"
    );
    assert!(player.contains("Cache-Control: no-store\r\n"), "{player}");
    let browser = refused(&world, 202, "", "Sec-Fetch-Mode: navigate\r\n");
    assert!(browser.starts_with("HTTP/1.1 303 "), "{browser}");
    assert!(
        browser.contains("Location: /s/town-hall/line\r\n"),
        "{browser}"
    );
    let place = knock(&world, 203, "{}");
    assert_eq!(text(&place["verdict"]), "wait");
    let place = text(&place["place"]);
    let again = refused(&world, 203, &format!("?t={place}"), "Accept: text/html\r\n");
    assert!(
        again.contains(&format!("Location: /s/town-hall/line?place={place}\r\n")),
        "{again}"
    );
}

#[test]
fn a_place_becomes_a_ticket_and_the_ticket_sound() {
    let (mut world, _) = world(40);
    let mut crowd = fill(&world, Mode::Storm);
    let wait = knock(&world, 210, "{}");
    assert_eq!(text(&wait["verdict"]), "wait", "{wait}");
    let place = text(&wait["place"]).to_owned();
    crowd.truncate(10);
    let show = format!(r#"{{"ask":"right","show":"{place}"}}"#);
    let (began, mut ticket) = (Instant::now(), None);
    while ticket.is_none() {
        assert!(began.elapsed() < PATIENCE, "the turn does not come");
        world.push(1);
        std::thread::sleep(Duration::from_millis(20));
        let answer = knock(&world, 210, &show);
        match text(&answer["verdict"]) {
            "enter" => ticket = Some(text(&answer["ticket"]).to_owned()),
            "wait" => assert!(answer["poll_ms"].as_u64() > Some(0), "{answer}"),
            other => panic!("{other}: {answer}"),
        }
    }
    let before = inside(&world);
    let ticket = ticket.expect("a ticket");
    // From another network than the place's: phones move.
    let mut listener = listen(&world, 211, &format!("?t={ticket}"));
    assert_eq!(inside(&world), before, "the held seat is this one");
    world.push(1);
    let mut heard = [0; 8];
    listener.0.read_exact(&mut heard).expect("sound");
}

#[test]
fn a_second_connection_takes_the_seat_over_on_any_shard() {
    let (mut world, _) = world(1_000);
    world.push(1);
    let mut last = listen(&world, 1, "?n=8c1f");
    // The kernel spreads connections over the shards: among some, one changes shards.
    for net in 2..10 {
        let next = listen(&world, net, "?n=8c1f");
        assert!(ends(&mut last), "the old connection is closed");
        last = next;
        assert_eq!(inside(&world), 1);
    }
    back_by(&world, 11, "8c1f");
    let stranger = knock(&world, 11, r#"{"ask":"resume","n":"77"}"#);
    assert_eq!(text(&stranger["reason"]), "not_inside");
    // Shown again and again from everywhere it is told to wait, and the seat stays one.
    let mut taken: Vec<_> = Vec::new();
    let often = (12..112).find_map(|net| {
        let mut client = from(&world, net);
        client.send("GET /s/town-hall/live.ogg?n=8c1f HTTP/1.1\r\nHost: x\r\n\r\n");
        let head = client.head();
        taken.push(client);
        head.starts_with("HTTP/1.1 503 ").then_some(head)
    });
    let often = often.expect("told to wait");
    let rest = often.split("Retry-After: ").nth(1).expect("how long");
    let seconds: u64 = rest[..rest.find('\r').expect("a line")]
        .parse()
        .expect("a number");
    assert!((1..=8).contains(&seconds), "{often}");
    // Who only asks has the seat, and takes it from nobody.
    let asked = knock(&world, 11, r#"{"ask":"right","n":"8c1f"}"#);
    assert!(
        asked["cause"] == "too_often" || asked["verdict"] == "enter",
        "{asked}"
    );
    assert_eq!(inside(&world), 1);
}

/// The ticket to come back with: who has been inside for a while gets it.
fn back_by(world: &World, net: u8, mark: &str) -> String {
    let body = format!(r#"{{"ask":"resume","n":"{mark}"}}"#);
    let began = Instant::now();
    loop {
        let answer = knock(world, net, &body);
        if answer["verdict"] == "resume" {
            return text(&answer["ticket"]).to_owned();
        }
        assert_eq!(text(&answer["reason"]), "not_inside");
        assert!(began.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn tokens_that_are_worth_nothing_are_told_apart() {
    let (world, _) = world(40);
    let other = world.add_space("other-hall", Phase::Live);
    let _crowd = fill(&world, Mode::Storm);
    let place = text(&knock(&world, 220, "{}")["place"]).to_owned();
    let reason = |space: &str, token: &str| {
        let answer = knock_at(&world, space, 221, &format!(r#"{{"show":"{token}"}}"#));
        assert_eq!(text(&answer["verdict"]), "turn_away", "{answer}");
        text(&answer["reason"]).to_owned()
    };
    assert_eq!(reason("other-hall", &place), "wrong_space");
    assert_eq!(other.door.load().as_ref().expect("a door").inside(), 0);
    let mut forged = place.clone().into_bytes();
    forged[70] = if forged[70] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("text");
    assert_eq!(reason("town-hall", &forged), "forged");
    assert_eq!(reason("town-hall", "short"), "malformed");
    assert_eq!(reason("town-hall", &place[..79]), "malformed");
    let puzzle = knock(&world, 222, r#"{"ask":"puzzle"}"#);
    assert_eq!(text(&puzzle["verdict"]), "prove");
    let puzzle = text(&puzzle["puzzle"]);
    assert_eq!(reason("town-hall", puzzle), "unsolved");
    let wrong = format!("{puzzle}{}", "A".repeat(48));
    assert_eq!(reason("town-hall", &wrong), "wrong_solution");
    let sound = refused(&world, 223, &format!("?t={forged}"), "");
    assert!(sound.starts_with("HTTP/1.1 503 "), "{sound}");
    // Gates tell what they counted within a second or so.
    let counted = |name: &str| {
        let book = world.entrance.book();
        let sum = book.sum.sum();
        let reasons = hustings_control::gate::Reason::ALL;
        let reason = reasons.into_iter().find(|reason| reason.name() == name);
        sum.turned_away_for(reason.expect("a reason"))
    };
    eventually((2, 1, 1), || {
        (
            counted("forged"),
            counted("wrong_space"),
            counted("wrong_solution"),
        )
    });
}

#[test]
fn what_is_no_knock_is_refused() {
    let (world, _) = world(100);
    for body in ["{\"ask\":\"sound\"}", "not json"] {
        let mut client = from(&world, 1);
        client.send(&format!(
            "POST /s/town-hall/knock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert!(client.rest().starts_with("HTTP/1.1 400 "), "{body}");
    }
    let mut slow = from(&world, 1);
    slow.send("POST /s/town-hall/knock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n");
    slow.send("{");
    slow.send("}");
    assert!(slow.rest().starts_with("HTTP/1.1 200 "));
    let mut nowhere = from(&world, 1);
    nowhere.send("POST /s/no-space/knock HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(nowhere.rest().starts_with("HTTP/1.1 404 "));
}

#[test]
fn serving_json_is_the_same_for_all_and_new_each_second() {
    let (world, _) = world(100);
    // Each look from another prefix, for as many as fit into a second are more than one prefix may have.
    let nets = std::cell::Cell::new(0_u8);
    let get = |query: &str, lines: &str| {
        nets.set(nets.get().wrapping_add(1));
        let mut client = from(&world, nets.get());
        client.send(&format!(
            "GET /s/town-hall/serving.json{query} HTTP/1.1\r\nHost: x\r\n{lines}\r\n"
        ));
        client.rest()
    };
    let (mut first, mut same) = (get("", ""), get("?bust=1", ""));
    if first != same {
        // A second has passed between the two.
        (first, same) = (get("", ""), get("?bust=2", ""));
    }
    assert_eq!(first, same);
    assert!(
        first.contains("Cache-Control: public, max-age=1\r\n"),
        "{first}"
    );
    let etag = first
        .lines()
        .find_map(|line| line.strip_prefix("ETag: "))
        .expect("a tag");
    let (_, body) = first.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (text(&body["space"]), text(&body["mode"])),
        ("town-hall", "calm")
    );
    assert!(text(&body["seal"]).len() > 30);
    let known = get("", &format!("If-None-Match: {etag}\r\n"));
    assert!(
        known.starts_with("HTTP/1.1 304 ") || known.contains("ETag: "),
        "{known}"
    );
    eventually(true, || get("", "") != first);
}

#[test]
fn a_storm_of_knocks_is_not_heard_inside() {
    let (mut world, _) = world(40);
    let mut crowd = fill(&world, Mode::Storm);
    let mut ears: Vec<_> = crowd.drain(..10).collect();
    let flood = |world: &World| {
        for net in 0..=255 {
            let _ = refused(world, net, "", "");
            let _ = knock(world, net, "{}");
        }
    };
    let mut sent = 0;
    for _ in 0..3 {
        flood(&world);
        world.push(5);
        sent += 5;
    }
    let all: Vec<u8> = (0..sent).flat_map(page).collect();
    for ear in &mut ears {
        let mut head = vec![0; b"OGG-HEAD".len()];
        ear.0.read_exact(&mut head).expect("the container's head");
        ear.expect(&all);
    }
    let stats = world.edge.stats();
    assert_eq!((stats.too_slow, mode(&world)), (0, Mode::Storm));
}

/// The steps taken since the start, in their order.
fn steps(world: &World) -> Vec<(Step, Resource)> {
    let ladder = |event| match event {
        NodeEvent::Ladder(step) => Some((step.to, step.because)),
        _ => None,
    };
    world
        .entrance
        .events()
        .into_iter()
        .filter_map(ladder)
        .collect()
}

/// Narrows one resource, sees the steps up, gives it back, and sees the steps down; one listener hears all of it.
fn climb(resource: Resource, narrow: impl Fn(&mut Load), up: &[Step]) {
    let (mut world, load) = world(1_000);
    let mut ear = listen(&world, 1, "");
    narrow(&mut load.lock().expect("whole"));
    let mut expected: Vec<Step> = up.to_vec();
    eventually(expected.clone(), || {
        steps(&world).iter().map(|step| step.0).collect::<Vec<_>>()
    });
    assert!(
        steps(&world).iter().all(|step| step.1 == resource),
        "{:?}",
        steps(&world)
    );
    let top = *up.last().expect("a step");
    assert_eq!(world.entrance.sheds_side_features(), top >= Step::Side);
    assert!(world.entrance.cadence_floor_ms() > 100);
    *load.lock().expect("whole") = Load::default();
    expected.extend(up.iter().rev().skip(1));
    expected.push(Step::Ground);
    // A step down needs ten seconds of quiet.
    let began = Instant::now();
    while steps(&world).len() < expected.len() {
        assert!(began.elapsed() < 4 * PATIENCE, "{:?}", steps(&world));
        std::thread::sleep(Duration::from_millis(100));
        if world.pushed < 30 {
            world.push(1);
        }
    }
    let taken: Vec<Step> = steps(&world).iter().map(|step| step.0).collect();
    assert_eq!((taken, world.entrance.cadence_floor_ms()), (expected, 0));
    let all: Vec<u8> = (0..30).flat_map(page).collect();
    ear.expect(&all);
}

fn share(permille: u64) -> Used {
    Used {
        used: permille,
        limit: 1_000,
    }
}

/// Of an uplink that would carry more than the seats there are.
fn bits(permille: u64) -> Used {
    Used {
        used: permille * 1_000_000,
        limit: 1_000_000_000,
    }
}

#[test]
fn the_ladder_is_climbed_for_files_and_comes_back() {
    let all = [Step::Cadence, Step::Side, Step::Line];
    climb(Resource::Files, |load| load.files = share(930), &all);
}

#[test]
fn the_ladder_is_climbed_for_the_uplink_and_comes_back() {
    let most = [Step::Cadence, Step::Side];
    climb(Resource::Uplink, |load| load.uplink = bits(870), &most);
}

#[test]
fn the_ladder_is_climbed_for_the_processor_and_comes_back() {
    let all = [Step::Cadence, Step::Side, Step::Line];
    climb(Resource::Cpu, |load| load.cpu = 0.95, &all);
}

#[test]
fn a_full_node_takes_nobody_in_and_keeps_who_is_inside() {
    let (mut world, load) = world(1_000);
    let mut ear = listen(&world, 1, "");
    load.lock().expect("whole").memory = share(980);
    let refusal = || refused(&world, 2, "", "").starts_with("HTTP/1.1 503 ");
    let began = Instant::now();
    while !{
        // Who came in while the usher had not yet looked hears, and goes.
        let mut client = from(&world, 2);
        client.get("/s/town-hall/live.ogg");
        client.head().starts_with("HTTP/1.1 503 ")
    } {
        assert!(began.elapsed() < PATIENCE, "the node never is full");
    }
    assert!(refusal());
    world.push(3);
    let all: Vec<u8> = (0..3).flat_map(page).collect();
    ear.expect(&all);
}

#[test]
fn who_was_inside_comes_back_after_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let (world_before, _) = world_in(1_000, Some(data.path()));
    let crowd: Vec<_> = (0..5).map(|_| listen(&world_before, 50, "")).collect();
    let ticketed = listen(&world_before, 51, "?n=5e");
    let ticket = back_by(&world_before, 51, "5e");
    // As a killed node's: written by the clock, not at the end.
    let kept = data.path().join("door/state.json");
    eventually(true, || {
        std::fs::read_to_string(&kept).is_ok_and(|text| {
            let kept: Value = serde_json::from_str(&text).expect("JSON");
            let cells = kept["inside"]["cells"].as_array().expect("cells");
            cells.iter().any(|cell| cell[2] == 5)
        })
    });
    let copy = as_killed(data.path());
    drop((crowd, ticketed, world_before));
    let (world, _) = world_in(1_000, Some(copy.path()));
    let _newcomers = fill(&world, Mode::Busy);
    let stranger = refused(&world, 60, "", "");
    assert!(stranger.starts_with("HTTP/1.1 503 "), "{stranger}");
    let _by_ticket = listen(&world, 61, &format!("?t={ticket}"));
    let _by_prefix = listen(&world, 50, "");
    let forged = refused(&world, 62, &format!("?t={}", "A".repeat(80)), "");
    assert!(forged.starts_with("HTTP/1.1 503 "), "{forged}");
}

/// A node's folder as the clock wrote it last, without what an orderly end would add.
fn as_killed(data: &std::path::Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(copy.path().join("door")).expect("made");
    for file in ["state.json", "secret.json"] {
        let name = format!("door/{file}");
        std::fs::copy(data.join(&name), copy.path().join(&name)).expect("copied");
    }
    copy
}

#[test]
fn after_a_kill_in_a_storm_strangers_wait_from_the_first_moment() {
    let data = tempfile::tempdir().expect("a folder");
    let (before, _) = world_in(60, Some(data.path()));
    let crowd: Vec<_> = (0..12).map(|_| listen(&before, 250, "")).collect();
    let others = fill(&before, Mode::Storm);
    let kept = data.path().join("door/state.json");
    eventually(true, || {
        std::fs::read_to_string(&kept).is_ok_and(|text| {
            let kept: Value = serde_json::from_str(&text).expect("JSON");
            let door = &kept["lines"]["town-hall"];
            door["mode"] == "storm" && door["inside"].as_u64() == Some(inside(&before).into())
        })
    });
    let copy = as_killed(data.path());
    drop((crowd, others, before));
    let (world, _) = world_in(60, Some(copy.path()));
    // The first that come are strangers, and all seats are free.
    for net in 200..240 {
        let stranger = refused(&world, net, &format!("?n={net:x}"), "");
        assert!(stranger.starts_with("HTTP/1.1 503 "), "{stranger}");
        assert_eq!(knock(&world, net, "{}")["verdict"], "wait");
    }
    let _back: Vec<_> = (0..12).map(|_| listen(&world, 250, "")).collect();
    assert_eq!(inside(&world), 12);
}
