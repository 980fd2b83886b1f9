//! What runs short when one thing is really narrowed, read as an operator reads it.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crowd::{Inside, get, honest, say};
use crate::world::{Node, Setup, until};

fn door(node: &Node) -> Value {
    let answer = node.get(9090, "/door.json");
    let (_, json) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(json).expect("JSON")
}

fn setup(data: &tempfile::TempDir, more: &[&str]) -> Setup {
    let mut all = vec!["--demo"];
    all.extend(more);
    Setup::new(data.path()).with(&all)
}

#[test]
fn row_22_a_narrow_uplink_is_told_by_its_name() {
    let data = tempfile::tempdir().expect("a folder");
    let node = setup(&data, &["--uplink", "2M"]).start();
    let inside = Inside::join(&node, 8);
    until("the uplink is told as what is short", || {
        door(&node)["standing"]["short"] == "uplink"
    });
    // Seats are as many as the uplink carries, and not one more comes in by asking only.
    let crowd: Vec<TcpStream> = (0..200)
        .map(|number| say(&node, number, &get("/s/demo/live.ogg")))
        .collect();
    let let_in = crowd.iter().filter(|stream| {
        let (mut stream, mut first) = (*stream, [0; 12]);
        stream.read_exact(&mut first).is_ok() && first.ends_with(b"200")
    });
    let let_in = let_in.count();
    assert!(let_in < 40, "{let_in} came in over 2 Mbit/s");
    inside.unharmed();
}

/// Where each step of the ladder led that this resource was the reason for, the oldest first.
fn steps(node: &Node, because: &str) -> Vec<String> {
    let door = door(node);
    let events = door["events"].as_array().expect("events");
    let of_it = events
        .iter()
        .filter(|event| event["kind"] == "ladder" && event["because"] == because);
    of_it
        .map(|event| event["to"].as_str().expect("a step").to_owned())
        .collect()
}

/// Honest people come until the node is full, each with what the door asks for, and then all of them leave.
fn climbs_and_comes_back(node: &Node, because: &str, people: usize) {
    let inside = Inside::join(node, 4);
    let ends = Instant::now() + Duration::from_secs(12);
    let crowd: Vec<TcpStream> = std::thread::scope(|scope| {
        let come: Vec<_> = (0..people)
            .map(|number| scope.spawn(move || honest(node, "demo", number, ends)))
            .collect();
        come.into_iter()
            .filter_map(|one| one.join().expect("an honest joiner"))
            .collect()
    });
    until("newcomers wait in line", || {
        door(node)["standing"]["step"] == "line"
    });
    assert_eq!(steps(node, because), ["cadence", "side", "line"]);
    drop(crowd);
    // Ten seconds of quiet for each step: longer than anything else may take.
    let began = Instant::now();
    while door(node)["standing"]["step"] != "ground" {
        assert!(began.elapsed() < Duration::from_secs(80), "never back");
        std::thread::sleep(Duration::from_millis(200));
    }
    let all = door(node);
    let down: Vec<&str> = all["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["kind"] == "ladder")
        .filter_map(|event| event["to"].as_str())
        .collect();
    assert_eq!(
        down,
        ["cadence", "side", "line", "side", "cadence", "ground"]
    );
    inside.unharmed();
}

/// Both at once, for most of it is waiting.
#[test]
fn a_narrow_uplink_and_few_files_take_the_steps_in_their_order_and_back() {
    let (data, other) = (folder(), folder());
    let uplink = setup(&data, &["--uplink", "2M"]).start();
    let files = setup(&other, &[]).before("ulimit -n 200").start();
    std::thread::scope(|scope| {
        scope.spawn(|| climbs_and_comes_back(&uplink, "uplink", 60));
        scope.spawn(|| climbs_and_comes_back(&files, "files", 160));
    });
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}
