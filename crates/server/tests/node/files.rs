//! More connections than the process may hold open files.

use std::io::{BufRead as _, BufReader};

use crate::hear::Listener;
use crate::world::{Setup, until};

const SECOND: u64 = 48_000;
/// Files the node may open: its own, and some dozens of connections.
const FILES: usize = 128;

#[test]
fn when_files_run_out_newcomers_are_refused_and_those_inside_stay() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path())
        .before(&format!("ulimit -n {FILES}"))
        .start();
    node.hear("few files may be open");
    node.live("town-hall");
    let mut inside: Vec<_> = (0..10)
        .map(|_| Listener::join(&node, "town-hall"))
        .collect();

    // As many more as the node takes.
    let mut crowd = Vec::new();
    let refusal = loop {
        let stream = node.say(
            8080,
            "GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n",
        );
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        if !line.starts_with("HTTP/1.1 200") {
            break line;
        }
        crowd.push(reader);
        assert!(crowd.len() < FILES, "more listeners than files");
    };
    assert!(refusal.starts_with("HTTP/1.1 503"), "{refusal}");
    // How many depends on how fast they came: few seats are soon a rush.
    assert!(!crowd.is_empty(), "nobody came in");
    // A player is told when to come again; a browser gets the page, and in it the line. The door shuts before all files are
    // gone, so that there is one left to say so.
    let player = node.get(8080, "/s/town-hall/live.ogg");
    assert!(player.starts_with("HTTP/1.1 503"), "{player}");
    assert!(player.contains("\r\nRetry-After: "), "{player}");
    assert!(node.get(8080, "/s/town-hall").starts_with("HTTP/1.1 200"));
    assert!(
        node.get(8080, "/s/town-hall/line")
            .starts_with("HTTP/1.1 200")
    );
    // The house has kept files for itself.
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 200"));
    node.space(&["create", "Meanwhile", "--id", "meanwhile"]);

    // And then many who say nothing at all.
    let silent: Vec<_> = (0..2 * FILES).map(|_| node.connect(8080)).collect();
    for listener in &mut inside {
        listener.catch_up();
        let at = listener.at;
        listener.until(at + SECOND / 2);
    }
    assert!(node.get(9090, "/healthz").starts_with("HTTP/1.1 200"));
    node.space(&["show", "meanwhile"]);

    drop((crowd, silent));
    // Many have left at once, so that whoever was inside may come back before the storm is over.
    until("there is room again", || {
        node.listen("town-hall").starts_with("HTTP/1.1 200")
    });
    until("pages are answered again", || {
        node.get(8080, "/").starts_with("HTTP/1.1 200")
    });
    for listener in &mut inside {
        listener.catch_up();
    }
    let (status, _, said) = node.terminate();
    assert!(status.success() && !said.contains("panicked"), "{said}");
    told_afterwards(data.path());
}

/// What the door did stands in the node's records, in its order.
fn told_afterwards(data: &std::path::Path) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let rows: Vec<String> = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("hustings.db"));
        let mut connection = options.connect().await.expect("the database");
        let rows = sqlx::query_scalar("SELECT body FROM node_events ORDER BY number");
        let rows = rows.fetch_all(&mut connection).await.expect("rows");
        connection.close().await.expect("closed");
        rows
    });
    let events: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect();
    let steps = events.iter().filter(|event| event["kind"] == "ladder");
    let climbed: Vec<_> = steps.take(2).collect();
    assert_eq!(climbed[0]["to"], "cadence", "{climbed:?}");
    assert_eq!(climbed[1]["to"], "side", "{climbed:?}");
    assert!(climbed.iter().all(|step| step["because"] == "files"));
    let strict = |event: &serde_json::Value| {
        event["kind"] == "mode" && event["of"]["space"] == "town-hall" && event["to"] == "storm"
    };
    assert!(events.iter().any(strict), "{events:?}");
}
