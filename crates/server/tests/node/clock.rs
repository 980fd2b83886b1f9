//! A machine whose clock is set back while the node runs: by Debian's libfaketime, which leaves monotonic time alone.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::hear::Listener;
use crate::world::{Node, Setup, until};

const SECOND: u64 = 48_000;

/// The library wherever Debian has it for this machine.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    folders
        .filter_map(Result::ok)
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .expect("libfaketime is there (apt-get install faketime)")
}

/// A node that reads the wall clock as `file` says: an offset such as `+0` or `-1h`, looked at anew each time.
fn start(data: &Path, file: &Path) -> Node {
    Setup::new(data)
        .before(&format!(
            "export LD_PRELOAD='{}' FAKETIME_TIMESTAMP_FILE='{}' FAKETIME_NO_CACHE=1 \
             FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1",
            library().display(),
            file.display()
        ))
        .start()
}

/// When each event of the space happened, in milliseconds, as the API tells.
fn times(node: &Node) -> Vec<u64> {
    use std::io::Read as _;
    let mut stream = node.say(
        8082,
        &format!(
            "GET /api/v1/spaces/evening/log HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            node.operator_token()
        ),
    );
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    let log: Value = serde_json::from_str(body).expect("JSON");
    let events = log["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| event["at"].as_u64().expect("a time"))
        .collect()
}

#[test]
fn a_clock_that_is_set_back_harms_neither_sound_nor_records() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offset");
    std::fs::write(&file, "+0").expect("written");
    let node = start(data.path(), &file);
    node.live("evening");
    let link = node.space(&["invite", "evening", "--role", "speaker", "--name", "Ada"]);
    let mut listener = Listener::join(&node, "evening");
    listener.catch_up();
    let before = listener.at;
    let told = times(&node);

    std::fs::write(&file, "-1h").expect("written");
    node.space(&["invite", "evening", "--role", "speaker", "--name", "Grace"]);
    node.hear("the machine's clock was set back");
    // The sound goes on as if nothing were, page after page, and newcomers come in.
    listener.until(before + 3 * SECOND);
    assert!(node.listen("evening").starts_with("HTTP/1.1 200"));
    let after = times(&node);
    assert!(after.len() > told.len() && after.is_sorted(), "{after:?}");
    // Who was invited before may come in now: the invitation is from what is the future for the machine.
    assert_eq!(enter(&node, &link), "HTTP/1.1 200 OK");

    // Nor does a restart go back: the log says what time it was.
    node.kill();
    let node = start(data.path(), &file);
    until("the stage plays again", || {
        node.listen("evening").starts_with("HTTP/1.1 200")
    });
    node.space(&["end", "evening"]);
    let last = times(&node);
    assert!(last.len() > after.len() && last.is_sorted(), "{last:?}");
    assert!(!node.said().contains("panicked"));
    assert!(node.terminate().0.success());
}

/// The status line for somebody who follows an invitation's link.
fn enter(node: &Node, invited: &Value) -> String {
    use std::io::Read as _;
    let token = invited["token"].as_str().expect("a token");
    let body = format!("{{\"token\":\"{token}\"}}");
    let mut stream = node.say(
        8082,
        &format!(
            "POST /studio/evening/enter HTTP/1.1\r\nHost: x\r\nOrigin: http://{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            node.address(8082),
            body.len()
        ),
    );
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.lines().next().unwrap_or_default().to_owned()
}
