//! A disk that is really full: a small one of the node's own.

use std::io::Write as _;

use crate::hear::Listener;
use crate::world::{Setup, seconds, until};

const SECOND: u64 = 48_000;

#[test]
fn on_a_full_disk_the_sound_goes_on_and_everybody_concerned_is_told() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path()).on_a_disk_of_its_own(16).start();
    node.live("town-hall");
    let mut listener = Listener::join(&node, "town-hall");
    listener.catch_up();
    let live = listener.at;
    assert!(node.get(9090, "/readyz").starts_with("HTTP/1.1 200"));

    let ballast = node.setup.data.join("ballast");
    let mut filling = std::fs::File::create(&ballast).expect("made");
    while filling.write_all(&[0; 4_096]).is_ok() {}
    let full = listener.at;
    until("the operator is told", || {
        let ready = node.get(9090, "/readyz");
        ready.starts_with("HTTP/1.1 503")
            && ready.contains("recordings: ")
            && ready.contains("No space left")
            && ready.contains("desk: the records cannot be written now")
    });
    let metrics = node.get(9090, "/metrics");
    assert!(
        metrics.contains("hustings_recording_trouble 1"),
        "{metrics}"
    );
    let studio = studio(&node);
    assert!(
        studio["recording_trouble"]
            .as_str()
            .is_some_and(|why| why.contains("No space left")),
        "the host is not told: {studio}"
    );
    node.hear("the live sound goes on");
    // A change that cannot be stored is refused, and has not happened.
    let refused = node.cli("space", &["create", "One more", "--id", "one-more"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("records cannot be written"), "{why}");
    assert!(node.get(8080, "/s/one-more").starts_with("HTTP/1.1 404"));
    // The sound has not missed a page: the listener reads every one, in real time, and newcomers come in.
    listener.until(full + 8 * SECOND);
    assert!(node.listen("town-hall").starts_with("HTTP/1.1 200"));

    drop(filling);
    std::fs::remove_file(&ballast).expect("removed");
    until("the disk takes the recording again", || {
        node.get(9090, "/readyz").starts_with("HTTP/1.1 200")
    });
    assert!(studio_is_calm(&node));
    node.space(&["create", "One more", "--id", "one-more"]);
    listener.catch_up();
    let last = listener.at;
    node.space(&["end", "town-hall"]);
    until("the replay is there", || {
        node.get(8080, "/s/town-hall/replay.ogg")
            .starts_with("HTTP/1.1 200")
    });
    let copy = tempfile::NamedTempFile::new().expect("a file");
    std::fs::copy(
        node.setup.data.join("recordings/town-hall-1.ogg"),
        copy.path(),
    )
    .expect("the recording");
    let (kept, played) = (seconds(copy.path()), (last - live) as f64 / SECOND as f64);
    assert!(
        kept >= played - 1.0,
        "the ring held what the disk did not take, yet {kept} s are kept of {played} s"
    );
    let (status, _, said) = node.terminate();
    assert!(status.success() && !said.contains("panicked"), "{said}");
}

fn studio(node: &crate::world::Node) -> serde_json::Value {
    let text = {
        use std::io::Read as _;
        let mut stream = node.say(
            8082,
            &format!(
                "GET /api/v1/spaces/town-hall/studio.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Authorization: Bearer {}\r\n\r\n",
                node.operator_token()
            ),
        );
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    };
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

fn studio_is_calm(node: &crate::world::Node) -> bool {
    studio(node)["recording_trouble"].is_null()
}
