//! Rows of the test matrix about the node itself: its records out of reach, wrong settings, a deploy at the peak.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crowd::{Inside, ask, begin, get, honest, knock, say};
use crate::records::Held;
use crate::world::{Node, Setup, until};

const INSIDE: usize = 8;
const SEATS: usize = 60;

fn node(data: &tempfile::TempDir) -> Node {
    let seats = SEATS.to_string();
    let setup = Setup::new(data.path());
    setup.with(&["--demo", "--seats", &seats]).start()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn is_sound(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.contains("audio/")
}

fn listening(node: &Node) -> u64 {
    let metrics = node.get(9090, "/metrics");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("hustings_listeners "));
    line.and_then(|number| number.parse::<f64>().ok())
        .expect("the listeners are told") as u64
}

/// More people than seats while nothing can be written: the door leases nothing from the records.
#[test]
fn row_27_with_its_records_out_of_reach_the_door_goes_on_and_gives_no_seat_too_many() {
    let data = folder();
    let node = node(&data);
    let inside = Inside::join(&node, INSIDE);
    let held = Held::take(data.path());
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 503"));
    let ends = Instant::now() + Duration::from_secs(6);
    let come: Vec<TcpStream> = std::thread::scope(|scope| {
        let node = &node;
        let come: Vec<_> = (0..100)
            .map(|number| scope.spawn(move || honest(node, "demo", number, ends)))
            .collect();
        come.into_iter()
            .filter_map(|one| one.join().expect("an honest joiner"))
            .collect()
    });
    let free = SEATS - INSIDE;
    assert!(
        (free / 2..=free).contains(&come.len()),
        "{} of {free} seats were given",
        come.len()
    );
    assert!(listening(&node) <= SEATS as u64);
    // Nothing has been written in all this time.
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 503"));
    held.let_go();
    inside.unharmed();
}

/// The operator's own words for a door, and what it says then.
fn set_door(node: &Node, space: &str, door: &str) -> String {
    let token = node.operator_token();
    let mut stream = node.say(
        8082,
        &format!(
            "PUT /api/v1/spaces/{space}/door HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{door}",
            door.len()
        ),
    );
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What makes no sense is refused; what makes sense and is wrong harms newcomers of one space, until it is taken back.
#[test]
fn row_29_a_wrong_limit_is_refused_or_shuts_out_newcomers_of_one_space_only() {
    let data = folder();
    let (code, told) = Setup::new(data.path()).with(&["--seats", "0"]).fail();
    assert!(
        code == Some(2) && told.contains("--seats"),
        "{code:?} {told}"
    );
    let node = node(&data);
    node.live("elsewhere");
    let inside = Inside::join(&node, INSIDE);
    let refused = set_door(&node, "demo", r#"{"limit":0}"#);
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    assert!(is_sound(&begin(&node, 600, &get("/s/demo/live.ogg"))));

    let taken = set_door(&node, "demo", r#"{"limit":1}"#);
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    until("newcomers have to wait", || {
        !is_sound(&begin(&node, 601, &get("/s/demo/live.ogg")))
    });
    for number in 0..3 {
        let next_door = begin(&node, 610 + number, &get("/s/elsewhere/live.ogg"));
        assert!(is_sound(&next_door), "the other space: {next_door}");
    }
    let corrected = set_door(&node, "demo", "{}");
    assert!(corrected.starts_with("HTTP/1.1 200"), "{corrected}");
    let ends = Instant::now() + Duration::from_secs(20);
    assert!(honest(&node, "demo", 602, ends).is_some(), "never again");
    inside.unharmed();
}

/// Somebody who listens, and the right to come back.
struct Guest {
    prefix: usize,
    ticket: String,
    sound: TcpStream,
}

fn sit(node: &Node, prefix: usize) -> (usize, TcpStream) {
    let target = format!("/s/evening/live.ogg?n={prefix:x}");
    let mut sound = say(node, prefix, &get(&target));
    let mut first = [0; 12];
    sound.read_exact(&mut first).expect("an answer");
    assert!(
        first.ends_with(b"200"),
        "{}",
        String::from_utf8_lossy(&first)
    );
    (prefix, sound)
}

/// The right to come back, which who has been inside for a while gets.
fn with_ticket(node: &Node, (prefix, sound): (usize, TcpStream)) -> Guest {
    let mut ticket = String::new();
    until("a right to come back", || {
        let body = format!(r#"{{"ask":"resume","n":"{prefix:x}"}}"#);
        let answer = ask(node, prefix, &knock("evening", &body));
        let json = answer.split_once("\r\n\r\n").map(|(_, json)| json);
        let told: Value = serde_json::from_str(json.unwrap_or_default()).unwrap_or_default();
        ticket = told["ticket"].as_str().unwrap_or_default().to_owned();
        !ticket.is_empty()
    });
    Guest {
        prefix,
        ticket,
        sound,
    }
}

/// A new run in place of the old one while more press in than there are seats. Connections end with the old run, in order, and
/// whoever had one is inside again by one request, though strangers come first.
#[test]
fn row_30_a_deploy_at_the_peak_loses_nobody_who_was_inside() {
    let data = folder();
    let seats = SEATS.to_string();
    let start = || Setup::new(data.path()).with(&["--seats", &seats]).start();
    let node = start();
    node.live("evening");
    let seated: Vec<_> = (0..40).map(|number| sit(&node, 100 + number)).collect();
    let guests = seated.into_iter().map(|seated| with_ticket(&node, seated));
    let guests: Vec<Guest> = guests.collect();
    let strangers = |node: &Node, from: usize| -> Vec<TcpStream> {
        (0..200)
            .map(|number| say(node, from + number % 60, &get("/s/evening/live.ogg")))
            .collect()
    };
    let press = strangers(&node, 400);
    let (status, took, _) = node.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let (mut back, mut tickets) = (Vec::new(), Vec::new());
    for mut guest in guests {
        let mut rest = Vec::new();
        guest.sound.read_to_end(&mut rest).expect("an orderly end");
        tickets.push((guest.prefix, guest.ticket));
    }
    drop(press);

    let node = start();
    // The page is there before the stage plays; asked for its head only, the sound takes no seat.
    let head = "HEAD /s/evening/live.ogg HTTP/1.1\r\nHost: localhost\r\n\r\n";
    until("the space is on air again", || {
        ask(&node, 99, head).starts_with("HTTP/1.1 200")
    });
    // Others than before, who never were inside.
    let press = strangers(&node, 500);
    for (prefix, ticket) in tickets {
        let mut sound = say(
            &node,
            prefix,
            &get(&format!("/s/evening/live.ogg?t={ticket}")),
        );
        let mut first = [0; 12];
        sound.read_exact(&mut first).expect("an answer");
        assert!(
            first.ends_with(b"200"),
            "{prefix} was inside and has to wait"
        );
        back.push(sound);
    }
    assert_eq!(back.len(), 40);
    assert!(listening(&node) <= SEATS as u64);
    drop(press);
}
