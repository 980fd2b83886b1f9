//! What runs short when one thing is really narrowed, read as an operator reads it.

use std::io::Read as _;
use std::net::TcpStream;

use serde_json::Value;

use crate::crowd::{Inside, get, say};
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
