//! The flight recorder of the real node: what it writes, what a kill takes from it, a full disk, a changed bit.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hustings::ops::flight::{BadChain, read};
use hustings_evidence::chain::{Entry, Expect, Why};
use hustings_evidence::row::{Happening, What};
use serde_json::Value;

use crate::world::{Node, PATIENCE, Setup, until};

/// Milliseconds that a killed node may miss.
const LOST_MS_MAX: u64 = 1_000;
/// Milliseconds by which a busy machine may be later with the last row than it was with all before.
const LATER_MS: u64 = 500;

/// What is there so far; before the first second that is nothing.
fn entries(data: &Path) -> Vec<Entry> {
    let mut all = Vec::new();
    match read(data, Expect::default(), |entry| all.push(entry)) {
        Ok(_) | Err(BadChain::None(_)) => {}
        Err(BadChain::Fault(fault)) if fault.why == Why::Empty => {}
        Err(bad) => panic!("the chain does not hold: {bad}"),
    }
    all
}

fn happenings(data: &Path) -> Vec<Happening> {
    entries(data)
        .into_iter()
        .filter_map(|entry| entry.happening)
        .collect()
}

/// `hustings report --verify`: its exit code and JSON.
fn report(data: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = std::process::Command::new(crate::world::BINARY)
        .args(["report", "--json", "--verify"])
        .arg(data)
        .args(more)
        .output()
        .expect("the binary starts");
    let told = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), told)
}

/// A listener from another address of this machine.
fn listen_from(node: &Node, from: Ipv4Addr, path: &str) -> TcpStream {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::from((from, 0)).into())
        .expect("bound");
    socket
        .connect(&node.address(8080).into())
        .expect("connected");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: Cassandra\r\n\r\n"
    )
    .expect("written");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

fn head_in(node: &Node) -> Option<String> {
    let door = node.get(9090, "/door.json");
    let (_, body) = door.split_once("\r\n\r\n")?;
    let door: Value = serde_json::from_str(body).ok()?;
    let head = &door["flight"];
    Some(format!(
        "{}:{}",
        head["n"].as_u64()?,
        head["hash"].as_str()?
    ))
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("small")
}

#[test]
fn a_killed_node_loses_a_second_at_most_and_its_chain_goes_on() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("town-hall");
    let comers = [(81, 5), (82, 6), (83, 7)].map(|(net, host)| Ipv4Addr::new(127, 199, net, host));
    let inside = comers.map(|from| listen_from(&node, from, "/s/town-hall/live.ogg?n=77"));
    node.get(8080, "/s/town-hall");
    until("the joins stand in the chain", || {
        let all = entries(data.path());
        let people = |pick: fn(&hustings_evidence::row::People) -> u32| -> u32 {
            all.iter()
                .filter_map(|entry| entry.space.as_ref())
                .map(|row| pick(&row.people))
                .sum()
        };
        people(|people| people.entered) >= 3
            && all
                .iter()
                .filter_map(|entry| entry.node.as_ref())
                .any(|row| row.behaviour.pages > 0)
    });
    until("a head is published", || head_in(&node).is_some());
    let head = head_in(&node).expect("a head");
    node.hear("the flight recorder's head");
    // A whole second more, so that what is killed is a recorder at work.
    let rows = entries(data.path()).len();
    until("it writes on", || entries(data.path()).len() > rows + 2);
    let killed = now_ms();
    node.kill();
    drop(inside);
    let (code, told) = report(data.path(), &["--head", &head]);
    assert_eq!(
        (code, &told["whole"], &told["heads_met"]),
        (Some(0), &true.into(), &1.into()),
        "{told}"
    );
    let last = told["to"].as_u64().expect("a time");
    let missing = killed.saturating_sub(last);
    let late = late_ms(data.path());
    assert!(
        missing <= LOST_MS_MAX + late + LATER_MS,
        "{missing} ms are missing; the recorder was late by {late} ms at most"
    );

    let node = Setup::new(data.path()).with(&["--seats", "777"]).start();
    until("the start stands in the chain", || {
        happenings(data.path())
            .iter()
            .filter(|it| it.what == What::NodeStarted)
            .count()
            == 2
    });
    let said = happenings(data.path());
    let killed = said
        .iter()
        .find(|it| it.what == What::NodeWasKilled)
        .expect("told");
    assert!((0..60_000).contains(&killed.number), "{killed:?}");
    let seats = said
        .iter()
        .find(|it| it.name.as_str() == "seats")
        .expect("the change is told");
    assert_eq!(
        (seats.what, seats.after.as_str()),
        (What::ConfigChanged, "777")
    );
    assert!(
        said.iter()
            .any(|it| it.what == What::SpaceLive && it.space.is_some())
    );
    let (status, _, said) = node.terminate();
    assert!(status.success() && !said.contains("panicked"), "{said}");
    let (_, told) = report(data.path(), &["--head", &head]);
    assert_eq!(
        (&told["whole"], &told["unsigned_lines"], &told["torn_bytes"]),
        (&true.into(), &0.into(), &0.into()),
        "{told}"
    );
    assert_eq!(
        happenings(data.path()).last().map(|it| it.what),
        Some(What::NodeStopped)
    );
    nothing_of_listeners(data.path(), &comers);
    one_changed_bit_is_found(data.path());
}

/// How late this machine was with a row and its sync, at most.
fn late_ms(data: &Path) -> u64 {
    let all = entries(data);
    let rows = all.iter().filter_map(|entry| entry.node.as_ref());
    let late = rows.map(|row| {
        let written_us = u64::from(row.dependencies.disk.worst_us);
        u64::from(row.took_ms).saturating_sub(1_000) + written_us / 1_000
    });
    late.max().unwrap_or(0)
}

/// No address, in no way of writing it, and nothing that a listener sent.
fn nothing_of_listeners(data: &Path, comers: &[Ipv4Addr]) {
    for file in std::fs::read_dir(data.join("flight"))
        .expect("there")
        .flatten()
    {
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).expect("read")).into_owned();
        for from in comers {
            let [a, b, c, d] = from.octets();
            let ways = [
                from.to_string(),
                format!("{a}.{b}.{c}"),
                format!("{:08x}", u32::from(*from)),
                format!("{a}, {b}, {c}, {d}"),
                format!("{a},{b},{c},{d}"),
            ];
            for way in ways {
                assert!(
                    !text.contains(&way),
                    "{way} stands in {}",
                    file.path().display()
                );
            }
        }
        assert!(
            !text.contains("127.") && !text.contains("Cassandra"),
            "{}",
            file.path().display()
        );
    }
}

fn one_changed_bit_is_found(data: &Path) {
    let path = std::fs::read_dir(data.join("flight"))
        .expect("there")
        .flatten()
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .expect("a segment");
    let whole = std::fs::read(&path).expect("read");
    for at in [0, 70, whole.len() / 3, whole.len() / 2, whole.len() - 9] {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        std::fs::write(&path, &changed).expect("written");
        let (code, told) = report(data, &[]);
        assert_eq!(
            (code, &told["whole"]),
            (Some(1), &false.into()),
            "byte {at}: {told}"
        );
        assert!(told["line"].as_u64().is_some_and(|line| line > 0), "{told}");
    }
}

#[test]
fn what_an_operator_does_is_recorded() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("town-hall");
    let body = r#"{"limit":5,"paused":true}"#;
    let mut stream = node.say(
        8082,
        &format!(
            "PUT /api/v1/spaces/town-hall/door HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            node.operator_token(),
            body.len()
        ),
    );
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("both stand in the chain", || {
        let said = happenings(data.path());
        let limit = said
            .iter()
            .any(|it| it.what == What::LimitChanged && it.after.as_str() == "5");
        limit && said.iter().any(|it| it.what == What::DoorPaused)
    });
    let door = node.get(9090, "/door.json");
    assert!(
        door.contains("limit_changed") && door.contains("node_started"),
        "{door}"
    );
    until("the row has it", || {
        let all = entries(data.path());
        all.iter()
            .filter_map(|entry| entry.space.as_ref())
            .any(|row| row.limit == 5 && row.paused)
    });
}

#[test]
fn a_full_disk_is_told_as_soon_as_there_is_room() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path()).on_a_disk_of_its_own(8).start();
    until("it writes", || head_in(&node).is_some());
    let ballast = node.setup.data.join("ballast");
    let mut filling = std::fs::File::create(&ballast).expect("made");
    while filling.write_all(&[0; 4_096]).is_ok() {}
    while filling.write_all(&[0]).is_ok() {}
    node.hear("the flight recorder cannot write");
    drop(filling);
    std::fs::remove_file(&ballast).expect("removed");
    node.hear("the flight recorder writes again");
    let flight = node.setup.data.clone();
    until("the loss is told", || {
        let all = entries(&flight);
        let lost = all.iter().filter_map(|entry| entry.lost).next();
        let said = all
            .iter()
            .filter_map(|entry| entry.happening.as_ref())
            .map(|it| it.what);
        let said: Vec<What> = said.collect();
        lost.is_some_and(|lost| lost.rows > 0 && lost.from <= lost.to && lost.from.0 > 0)
            && said.contains(&What::DiskFull)
            && said.contains(&What::DiskBack)
    });
    let (code, told) = report(&flight, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told["lost_rows"].as_u64().is_some_and(|rows| rows > 0),
        "{told}"
    );
}
