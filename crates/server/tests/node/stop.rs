//! SIGTERM with everything open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::speak::speak;
use crate::world::Node;

/// The promise: whatever is open, a node that is told to end ends within this.
const END_WITHIN: Duration = Duration::from_secs(2);

fn rest(stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    BufReader::new(stream)
        .read_to_end(&mut all)
        .expect("an orderly end");
    all
}

/// Sound in the last Ogg page, without its head: granules and numbers differ between stream and recording.
fn last_sound(file: &[u8]) -> Vec<u8> {
    let at = file
        .windows(4)
        .rposition(|four| four == b"OggS")
        .expect("an Ogg page");
    let segments = usize::from(file[at + 26]);
    let sizes: usize = file[at + 27..at + 27 + segments]
        .iter()
        .map(|size| usize::from(*size))
        .sum();
    let sound = &file[at + 27 + segments..];
    assert_eq!(sound.len(), sizes, "the last page is whole");
    sound.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everything_open_it_ends_within_two_seconds_and_nobody_is_cut() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("town-hall");
    let speaker = speak(&node, "town-hall", "Ada", 440.0).await;
    crate::world::until("the speaker hears", || {
        speaker.heard.lock().expect("whole").len() > 48_000
    });

    let sound = "GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n";
    let listeners: Vec<_> = (0..8)
        .map(|_| {
            let stream = node.say(8080, sound);
            std::thread::spawn(move || rest(stream))
        })
        .collect();
    let who_does_not_read = node.say(8080, sound);
    let events = |port, path: &str| {
        let bearer = node.operator_token();
        let stream = node.say(
            port,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n"),
        );
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("data:") {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a line") > 0, "{path}");
        }
        reader
    };
    let streams = [
        events(8080, "/s/town-hall/events"),
        events(8082, "/api/v1/spaces/town-hall/studio-events"),
    ];
    let mut scrape = node.say(9090, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    scrape.read_exact(&mut [0; 200]).expect("metrics");
    let half = [
        node.say(9090, "GET /metrics HTTP/1.1\r\n"),
        node.say(
            8082,
            "POST /api/v1/spaces HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
        ),
        node.say(8080, "GET / HTTP/1.1\r\n"),
        node.connect(8080),
        node.connect(8082),
    ];

    let (status, took, said) = node.terminate();
    assert!(status.success(), "{status}");
    assert!(took < END_WITHIN, "it took {took:?}");
    assert!(!said.contains("panicked"), "{said}");
    for mut stream in streams {
        let mut end = String::new();
        stream
            .read_to_string(&mut end)
            .expect("an orderly end of the events");
    }
    let recorded = std::fs::read(data.path().join("recordings/town-hall-1.ogg.part"))
        .expect("the recording, for the next run to go on with");
    for listener in listeners {
        let heard = listener.join().expect("a listener");
        assert_eq!(
            last_sound(&heard),
            last_sound(&recorded),
            "the end is missing"
        );
    }
    drop((who_does_not_read, half, scrape));
}

/// The first line of an answer; none when the node has ended.
fn asked(node: &Node, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(node.address(9090)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    (!line.is_empty()).then_some(line)
}

/// Listeners are to hear the end: until they have the node is alive, and not ready.
#[test]
fn a_node_that_ends_is_not_ready_and_still_alive() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("town-hall");
    let sound = "GET /s/town-hall/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n";
    let listeners: Vec<_> = (0..4).map(|_| node.say(8080, sound)).collect();
    crate::world::until("they are inside", || {
        node.get(9090, "/metrics").contains("hustings_listeners 4")
    });
    for path in ["/readyz", "/healthz"] {
        assert!(asked(&node, path).is_some_and(|line| line.contains(" 200 ")));
    }
    node.signal("TERM");
    // How long it takes to end is not ours to say: whatever it answers until then is looked at.
    let mut not_ready = 0;
    while let (Some(ready), Some(alive)) = (asked(&node, "/readyz"), asked(&node, "/healthz")) {
        assert!(alive.contains(" 200 "), "{alive}");
        not_ready += u32::from(ready.contains(" 503 "));
    }
    assert!(not_ready > 0, "it ended and had not said so");
    let (status, ..) = node.terminate();
    assert!(status.success(), "{status}");
    drop(listeners);
}
