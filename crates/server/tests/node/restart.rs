//! `kill -9` of the real process, and what the next one goes on with.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::hear::Listener;
use crate::world::{Node, Setup, seconds, until};

/// Samples of one second.
const SECOND: u64 = 48_000;

#[test]
fn a_live_recording_goes_on_after_a_kill_and_at_most_a_second_is_missing() {
    let data = tempfile::tempdir().expect("a folder");
    let setup = Setup::new(data.path());
    let ip = setup.ip;
    let node = setup.start();
    node.space(&["create", "Evening", "--id", "evening"]);
    node.space(&["open", "evening"]);
    until("the stage plays", || {
        node.listen("evening").starts_with("HTTP/1.1 200")
    });
    let mut before = Listener::join(&node, "evening");
    node.space(&["live", "evening"]);
    before.catch_up();
    let live = before.at;
    before.until(live + 5 * SECOND);
    node.kill();
    before.finish();
    let played = (before.at - live) as f64 / SECOND as f64;
    let part = data.path().join("recordings/evening-1.ogg.part");
    let kept = seconds(&part);
    assert!(
        kept >= played - 1.0,
        "{played} s were played since the start, {kept} s are kept"
    );
    assert!(
        kept <= played + 2.0,
        "{kept} s are kept of {played} s: from before it was live?"
    );

    let mut again = Setup::new(data.path());
    again.ip = ip;
    let node = again.start();
    assert_eq!(node.space(&["show", "evening"])["phase"], "live");
    until("the stage plays again", || {
        node.listen("evening").starts_with("HTTP/1.1 200")
    });
    let mut after = Listener::join(&node, "evening");
    after.until(1);
    let joined = after.at;
    assert!(joined > before.at, "media time ran back");
    after.until(joined + 4 * SECOND);
    node.space(&["end", "evening"]);
    after.finish();
    let played_on = (after.at - joined) as f64 / SECOND as f64;
    until("the replay is there", || {
        node.get(8080, "/s/evening/replay.ogg")
            .starts_with("HTTP/1.1 200")
    });
    let whole = seconds(&data.path().join("recordings/evening-1.ogg"));
    assert!(
        whole >= kept + played_on - 1.0,
        "{kept} s and {played_on} s were kept, the replay has {whole} s"
    );
    assert!(!part.exists());
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    let (bearer, url) = (
        node.operator_token(),
        format!("http://{}/api/v1/spaces", node.address(8082)),
    );
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (bearer, url) = (bearer.clone(), url.clone());
            let (acknowledged, count) = (Arc::clone(&acknowledged), Arc::clone(&count));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let client = reqwest::Client::new();
                    for number in 0.. {
                        let id = format!("space-{writer}-{number}");
                        let body = serde_json::json!({"title": "A space", "id": id});
                        let sent = client.post(&url).bearer_auth(&bearer).json(&body).send();
                        let Ok(answer) = sent.await else { return };
                        assert_eq!(answer.status(), 201);
                        acknowledged.lock().expect("whole").insert(id);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            })
        })
        .collect();
    until("some spaces are made", || {
        count.load(Ordering::Relaxed) >= 60
    });
    node.kill();
    for writer in writers {
        writer.join().expect("a writer");
    }
    let node = Node::start(data.path());
    let list = node.space(&["list"]);
    let there: BTreeSet<String> = list["spaces"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|space| space["id"].as_str().expect("an id").to_owned())
        .collect();
    let acknowledged = acknowledged.lock().expect("whole");
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(
        there.len() <= acknowledged.len() + 4,
        "at most one of each writer was under way"
    );
}
