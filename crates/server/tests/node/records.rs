//! Records that cannot be written because another process holds the database: what waits, what is refused, what is told.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::hear::Listener;
use crate::world::{Node, PATIENCE, until};

const SECOND: u64 = 48_000;
/// Requests whose callers go away at once: their commands stay in the desk's queue, which holds 256.
const ABANDONED: usize = 200;
const ASKED: usize = 60;

/// Holds the write lock of a node's database, as a backup that was stopped in the middle may.
pub(crate) struct Held {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Held {
    pub(crate) fn take(data: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let connection = runtime.block_on(async {
            let options = SqliteConnectOptions::new()
                .filename(data.join("hustings.db"))
                .busy_timeout(PATIENCE);
            let mut connection = options.connect().await.expect("the database");
            sqlx::query("BEGIN IMMEDIATE")
                .execute(&mut connection)
                .await
                .expect("the lock");
            connection
        });
        Self {
            runtime,
            connection,
        }
    }

    pub(crate) fn let_go(self) {
        self.runtime
            .block_on(self.connection.close())
            .expect("closed");
    }
}

/// The title of an evening is changed; the answer is still to be read.
fn ask(node: &Node, title: &str) -> TcpStream {
    let body = format!("{{\"title\":\"{title}\"}}");
    node.say(
        8082,
        &format!(
            "PATCH /api/v1/spaces/evening HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            node.operator_token(),
            body.len()
        ),
    )
}

fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// Each title that the audit trail knows, and how often; its sequence has no hole.
fn titles(node: &Node) -> BTreeMap<String, usize> {
    let mut titles = BTreeMap::new();
    let mut after = 0;
    loop {
        let answer = read(node.say(
            8082,
            &format!(
                "GET /api/v1/spaces/evening/log?after={after} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Authorization: Bearer {}\r\n\r\n",
                node.operator_token()
            ),
        ));
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        let log: Value = serde_json::from_str(body).expect("JSON");
        let events = log["events"].as_array().expect("events");
        if events.is_empty() {
            return titles;
        }
        for event in events {
            after += 1;
            assert_eq!(event["seq"], after, "{event}");
            if let Some(title) = find_title(&event["event"]) {
                *titles.entry(title).or_default() += 1;
            }
        }
    }
}

fn find_title(event: &Value) -> Option<String> {
    match event {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value {
            Value::String(title) if name == "title" => Some(title.clone()),
            _ => find_title(value),
        }),
        _ => None,
    }
}

#[test]
fn a_node_whose_records_cannot_be_written_is_alive_and_not_ready() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 200"));
    let held = Held::take(data.path());
    let ready = node.get(9090, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("desk: "), "{ready}");
    assert!(node.get(9090, "/healthz").starts_with("HTTP/1.1 200"));
    held.let_go();
    until("it is ready again", || {
        node.get(9090, "/readyz").starts_with("HTTP/1.1 200")
    });
}

#[test]
fn a_full_desk_refuses_clearly_and_loses_nothing_it_took() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("evening");
    let mut listener = Listener::join(&node, "evening");
    listener.catch_up();
    let before = listener.at;
    let held = Held::take(data.path());

    let mut number = 0;
    let mut title = || {
        number += 1;
        format!("Title {number}")
    };
    let (mut refused, mut full) = (Vec::new(), false);
    let began = Instant::now();
    while !full {
        assert!(began.elapsed() < PATIENCE, "the queue is never full");
        // Callers that go away without their answer: what they asked waits in the queue nevertheless.
        drop(
            (0..ABANDONED)
                .map(|_| ask(&node, &title()))
                .collect::<Vec<_>>(),
        );
        let asked: Vec<(String, TcpStream)> = (0..ASKED)
            .map(|_| title())
            .map(|title| (title.clone(), ask(&node, &title)))
            .collect();
        for (title, stream) in asked {
            let answer = read(stream);
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
            assert!(answer.contains("retry-after: "), "{answer}");
            assert!(answer.contains("\"fault\":\"node\""), "{answer}");
            full |= answer.contains("the desk is busy; try again in a second");
            refused.push((title, answer));
        }
    }
    // Sound does not ask the desk.
    listener.until(before + 2 * SECOND);

    // These wait when the database is free again; what has a place in the queue is done.
    let waiting: Vec<(String, TcpStream)> = (0..ASKED)
        .map(|_| title())
        .map(|title| (title.clone(), ask(&node, &title)))
        .collect();
    held.let_go();
    let mut done: Vec<String> = Vec::new();
    for (title, stream) in waiting {
        let answer = read(stream);
        if answer.starts_with("HTTP/1.1 200 ") {
            done.push(title);
        } else {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            refused.push((title, answer));
        }
    }
    until("it is ready again", || {
        node.get(9090, "/readyz").starts_with("HTTP/1.1 200")
    });
    let last = title();
    assert!(read(ask(&node, &last)).starts_with("HTTP/1.1 200 "));
    done.push(last.clone());

    let kept = titles(&node);
    for title in &done {
        assert_eq!(kept.get(title), Some(&1), "{title:?} was said to be done");
    }
    assert!(kept.values().all(|times| *times == 1), "{kept:?}");
    for (title, answer) in &refused {
        let undone = answer.contains("records cannot be written")
            || answer.contains("too many requests are in work");
        assert!(
            !(undone && kept.contains_key(title)),
            "{title:?} was refused: {answer}"
        );
    }
    assert_eq!(node.space(&["show", "evening"])["title"], last);
    assert!(node.listen("evening").starts_with("HTTP/1.1 200"));
    assert!(!node.said().contains("panicked"));
}
