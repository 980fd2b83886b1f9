//! Rehearsals of a real node by the real driver: permits, what is counted, what everybody hears, and the end.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{BINARY, Node, Setup, until};

/// Listeners of these rehearsals: a node in a debug build, with others beside it on the machine.
const CROWD: u32 = 40;

pub(crate) fn mint(node: &Node, target: &str, more: &[&str]) -> String {
    let mut words = vec!["--rehearsal", "--target", target];
    words.extend(more);
    let output = Command::new(BINARY)
        .arg("token")
        .args(words)
        .arg("--data")
        .arg(&node.setup.data)
        .output();
    let output = output.expect("the binary starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

pub(crate) fn url(node: &Node) -> String {
    format!("http://{}", node.address(8080))
}

/// Status line, head and body of a request with this permit; of sound, the beginning.
fn ask(node: &Node, line: &str, permit: &str, body: &str) -> String {
    let text = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRehearsal: {permit}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = node.say(8080, &text);
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Of page, line, knock and sound: how each is answered.
fn all_ways(node: &Node, permit: &str) -> Vec<String> {
    let ways = [
        ("GET /s/demo", ""),
        ("GET /s/demo/serving.json", ""),
        ("POST /s/demo/knock", "{}"),
        ("GET /s/demo/live.ogg", ""),
        ("GET /rehearsal.json", ""),
    ];
    ways.map(|(line, body)| ask(node, line, permit, body))
        .to_vec()
}

pub(crate) fn operate(node: &Node, line: &str, body: &str) -> (u16, Value) {
    let text = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        node.operator_token(),
        body.len()
    );
    let mut answer = String::new();
    node.say(8082, &text)
        .read_to_string(&mut answer)
        .expect("an answer");
    let status = answer
        .get(9..12)
        .and_then(|digits| digits.parse().ok())
        .expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

pub(crate) fn demo(data: &Path) -> Node {
    let node = Setup::new(data).with(&["--demo"]).start();
    until("the demo plays", || {
        node.listen("demo").starts_with("HTTP/1.1 200")
    });
    node
}

fn drive(node: &Node, permit: &str, more: &[&str]) -> Child {
    let target = url(node);
    let words = [
        "rehearse", "--json", "--target", &target, "--permit", permit, "--points", "1", "--rounds",
        "1", "--rate", "40",
    ];
    Command::new(BINARY)
        .args(words)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

pub(crate) fn ended(driver: Child) -> (Option<i32>, Value, String) {
    let output = driver.wait_with_output().expect("ended");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        told,
    )
}

#[test]
fn a_permit_that_does_not_hold_is_refused_in_every_way_by_its_reason() {
    let (data, other) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let node = demo(data.path());
    let stranger = Node::start(other.path());
    let bounds = ["--rate", "200", "--people", "50"];
    let wrong = [
        ("forged", 403, mint(&stranger, &url(&node), &bounds)),
        ("forged", 403, "nonsense".to_owned()),
        (
            "other-target",
            403,
            mint(&node, "https://live.example.org", &bounds),
        ),
        (
            "early",
            403,
            mint(
                &node,
                &url(&node),
                &[&bounds[..], &["--begins-in", "1h"]].concat(),
            ),
        ),
    ];
    for (name, status, permit) in &wrong {
        for answer in all_ways(&node, permit) {
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{name}: {answer}"
            );
            assert!(
                answer
                    .to_lowercase()
                    .contains(&format!("rehearsal: {name}\r\n")),
                "{answer}"
            );
        }
    }
    let brief = mint(
        &node,
        &url(&node),
        &[&bounds[..], &["--ttl", "1s"]].concat(),
    );
    until("it runs out", || {
        ask(&node, "GET /s/demo", &brief, "").contains("has run out")
    });
    assert!(
        all_ways(&node, &brief)
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 403"))
    );
    let good = mint(&node, &url(&node), &bounds);
    assert!(
        all_ways(&node, &good)
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 200"))
    );
    let slow = mint(&node, &url(&node), &["--rate", "1", "--people", "1"]);
    until("its rate is used up", || {
        let answer = ask(&node, "GET /s/demo/serving.json", &slow, "");
        answer.starts_with("HTTP/1.1 429")
            && answer.contains("Retry-After: 1")
            && answer.contains("more requests a second")
            || answer.contains("More requests a second")
    });
    let metrics = node.get(9090, "/metrics");
    for name in ["forged", "other-target", "early", "expired"] {
        let line = format!("hustings_rehearsal_refused_total{{reason=\"{name}\"}}");
        let count = metrics
            .lines()
            .find_map(|one| one.strip_prefix(&line)?.trim().parse::<f64>().ok());
        assert!(count.is_some_and(|count| count >= 5.0), "{name}: {count:?}");
    }
    assert!(
        node.get(8080, "/rehearsal.json")
            .starts_with("HTTP/1.1 404"),
        "nobody else is told"
    );
}

#[test]
fn a_rehearsal_is_heard_without_a_gap_counted_apart_and_ended_by_the_operator() {
    let data = tempfile::tempdir().expect("a folder");
    let node = demo(data.path());
    let (status, minted) = operate(
        &node,
        "POST /api/v1/rehearsals",
        r#"{"rate":1000,"people":100}"#,
    );
    assert_eq!(status, 201);
    let permit = minted["permit"].as_str().expect("a permit");
    let top = CROWD.to_string();
    let (_, record, told) = drive_to_the_end(&node, permit, &["--claim", &top, "--hold", "2s"]);
    let (people, sound) = (&record["seen"]["people"], &record["seen"]["sound"]);
    assert_eq!(people["heard"], CROWD, "{told}\n{record:#}");
    assert_eq!(
        (&people["disconnected"], &sound["gaps"], &sound["broken"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert!(
        sound["heard_s"].as_f64() > Some(f64::from(CROWD) * 3.0),
        "{record:#}"
    );
    let refused = record["claim"]["refused"].to_string();
    assert!(
        told.contains("no claim is made") && refused.contains("1 loads were held"),
        "{refused}"
    );
    // The node's own count is the driver's truth.
    let (_, shown) = operate(&node, "GET /api/v1/rehearsals", "");
    let shown = &shown["rehearsals"][0];
    assert_eq!(
        (&shown["id"], &shown["joins"], &shown["peak"]),
        (&minted["id"], &CROWD.into(), &CROWD.into())
    );
    assert!(
        node.get(9090, "/door.json")
            .contains(minted["id"].as_str().expect("an id"))
    );

    let begun = Instant::now();
    let driver = drive(&node, permit, &["--claim", &top, "--hold", "10m"]);
    let listening = || operate(&node, "GET /api/v1/rehearsals", "").1["listening"].as_u64();
    until("all are inside", || listening() == Some(u64::from(CROWD)));
    assert!(
        node.get(9090, "/metrics")
            .contains(&format!("hustings_rehearsal_listeners {CROWD}"))
    );
    let line = format!(
        "DELETE /api/v1/rehearsals/{}",
        minted["id"].as_str().expect("an id")
    );
    assert_eq!(operate(&node, &line, "").0, 204);
    let (_, record, told) = ended(driver);
    assert!(begun.elapsed() < Duration::from_secs(60), "it went on");
    assert!(
        record["ended_early"]
            .as_str()
            .is_some_and(|why| why.contains("operator ended")),
        "{told}\n{record:#}"
    );
    until("nobody of it listens any more", || listening() == Some(0));
    assert!(
        all_ways(&node, permit)
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 410"))
    );
    assert_eq!(operate(&node, "DELETE /api/v1/rehearsals/0", "").0, 404);
    // Whoever is no part of it goes on.
    assert!(node.listen("demo").starts_with("HTTP/1.1 200"));
}

fn drive_to_the_end(node: &Node, permit: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    ended(drive(node, permit, more))
}

#[test]
fn two_drivers_are_one_rehearsal() {
    let data = tempfile::tempdir().expect("a folder");
    let node = demo(data.path());
    let permit = mint(&node, &url(&node), &["--rate", "1000", "--people", "100"]);
    let top = CROWD.to_string();
    let parts = ["1/2", "2/2"].map(|part| {
        drive(
            &node,
            &permit,
            &["--claim", &top, "--hold", "2s", "--part", part],
        )
    });
    let files = parts.map(|driver| {
        let (_, record, told) = ended(driver);
        assert_eq!(record["seen"]["people"]["heard"], CROWD / 2, "{told}");
        let file = tempfile::NamedTempFile::new_in(data.path()).expect("a file");
        std::fs::write(file.path(), record.to_string()).expect("written");
        file
    });
    let page = data.path().join("page.html");
    let merged = Command::new(BINARY)
        .args(["rehearse", "--json", "--html"])
        .arg(&page)
        .arg("--merge")
        .args(files.iter().map(tempfile::NamedTempFile::path))
        .output()
        .expect("the binary starts");
    let all: Value = serde_json::from_slice(&merged.stdout).expect("JSON");
    assert_eq!(
        (&all["seen"]["people"]["heard"], &all["parts"]),
        (&CROWD.into(), &serde_json::json!([1, 2]))
    );
    assert!(
        (all["points"][0]["listeners"].as_f64().expect("a number") - f64::from(CROWD)).abs() < 1.0
    );
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(
        page.contains("No claim is made.")
            && page.contains("<svg")
            && !page.contains("http://")
            && !page.contains("<script")
    );
}

#[test]
fn nobody_else_is_rehearsed_without_a_permit() {
    for (words, why) in [
        (
            &["--target", "http://192.0.2.1:8080", "--claim", "10"][..],
            "needs --permit",
        ),
        (
            &["--target", "http://127.0.0.1:1", "--claim", "10"][..],
            "a claim needs --permit",
        ),
        (&["--target", "nowhere", "--claim", "10"][..], "no URL"),
        (
            &["--target", "http://127.0.0.1:1", "--permit", "nonsense"][..],
            "no rehearsal permit",
        ),
    ] {
        let output = Command::new(BINARY)
            .arg("rehearse")
            .args(words)
            .output()
            .expect("the binary starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains(why),
            "{words:?}: {told}"
        );
    }
}

#[test]
fn a_scenario_is_played_on_the_wire_and_held_against_the_virtual_world() {
    let data = tempfile::tempdir().expect("a folder");
    let node = demo(data.path());
    let file = data.path().join("brief.toml");
    let scenario = r#"
name = "brief"
about = "Half of a small crowd loses its connections, while forged tickets come."
label = ["reconnect-storm"]
minutes = 0.2
seats = 500

[[space]]
id = "town-hall"

[[crowd]]
people = 40
over_s = 3
stay_minutes = 10
mix = { page = 6, no-script = 1, player = 1 }

[[attack]]
kind = "forged"
factor = 2
from_s = 1
for_s = 8

[[trouble.connections-lost]]
at_s = 6
share = 0.5

[[trouble.disk-full]]
at_s = 7
"#;
    std::fs::write(&file, scenario).expect("written");
    let file = file.to_str().expect("text");
    let permit = mint(&node, &url(&node), &["--rate", "2000", "--people", "100"]);
    let driver = Command::new(BINARY)
        .args([
            "rehearse",
            "--json",
            "--target",
            &url(&node),
            "--permit",
            &permit,
            "--scenario",
            file,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (code, record, told) = ended(driver);
    assert_eq!(code, Some(0), "{told}\n{record:#}");
    let (people, forged) = (
        &record["seen"]["people"],
        &record["seen"]["attacks"]["forged"],
    );
    assert_eq!(
        (&people["came"], &people["heard"], &people["back"]),
        (&40.into(), &40.into(), &20.into()),
        "{people:#}"
    );
    assert_eq!(
        (&people["disconnected"], &record["seen"]["sound"]["gaps"]),
        (&0.into(), &0.into())
    );
    let sent = forged["sent"].as_u64().expect("a number");
    assert!(
        sent > 20 && forged["refused"] == sent && forged["let_in"] == 0,
        "{forged:#}"
    );
    let left_out = record["not_rehearsed"].to_string();
    assert!(
        left_out.contains("of the scenario: the disk is full"),
        "{left_out}"
    );
    let simulated = record["simulated"].as_array().expect("a list");
    let heard = simulated
        .iter()
        .find(|row| row["what"] == "people who heard")
        .expect("told");
    assert_eq!(
        (heard["wire"].as_f64(), heard["simulated"].as_f64()),
        (Some(40.0), Some(40.0)),
        "{simulated:#?}"
    );
    let (_, shown) = operate(&node, "GET /api/v1/rehearsals", "");
    assert_eq!(shown["rehearsals"][0]["joins"], 60, "{shown:#}");
}
