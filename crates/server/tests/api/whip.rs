//! WHIP from outside (RFC 9725): who may offer, what a session answers, and what bad offers are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hustings::stage::StageHost;
use hustings_control::ids::SpaceId;
use hustings_control::spaces::Seat;
use reqwest::Method;
use serde_json::{Value, json};
use str0m::media::Direction;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::peer::Peer;
use crate::support::{Answer, Node};

/// Nothing here takes as long on a machine that works.
const PATIENCE: Duration = Duration::from_secs(20);

const NO_OPUS: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n\
a=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n\
a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA\r\n\
a=rtpmap:0 PCMU/8000\r\n";

async fn offer(node: &Node, token: &str, kind: &str, sdp: &str) -> Answer {
    Answer::of(
        node.ask(Method::POST, "/s/evening/whip")
            .bearer_auth(token)
            .header("content-type", kind)
            .body(sdp.to_owned()),
    )
    .await
}

#[tokio::test]
async fn only_speakers_offer_and_only_sdp() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (_, speaker) = node.invite("evening", "speaker").await;
    let (_, listener) = node.invite("evening", "listener").await;
    let sdp = "application/sdp";
    Answer::of(
        node.ask(Method::POST, "/s/evening/whip")
            .header("origin", format!("http://{}", node.address))
            .body("v=0"),
    )
    .await
    .problem(401, "token-missing");
    Answer::of(
        node.ask(Method::POST, "/s/nowhere/whip")
            .bearer_auth(&speaker),
    )
    .await
    .problem(404, "unknown-space");
    offer(&node, &listener, sdp, "v=0")
        .await
        .problem(403, "not-allowed");
    offer(&node, &node.operator, sdp, "v=0")
        .await
        .problem(403, "wrong-role");
    offer(&node, &speaker, "text/plain", "v=0")
        .await
        .problem(415, "wrong-type");
    offer(&node, &speaker, sdp, "this is no SDP")
        .await
        .problem(400, "bad-offer");
    offer(&node, &speaker, sdp, &"v=0\r\n".repeat(20_000))
        .await
        .problem(413, "too-large");
    assert_eq!(
        node.operate(Method::POST, "/api/v1/spaces/evening/live", Value::Null)
            .await
            .status,
        200
    );
    offer(&node, &speaker, sdp, NO_OPUS)
        .await
        .problem(422, "no-opus");
    assert_eq!(
        node.operate(
            Method::POST,
            "/api/v1/spaces/evening/lock",
            json!({ "locked": true })
        )
        .await
        .status,
        200
    );
    offer(&node, &speaker, sdp, NO_OPUS)
        .await
        .problem(409, "stage-locked");
    assert_eq!(
        node.operate(Method::POST, "/api/v1/spaces/evening/end", Value::Null)
            .await
            .status,
        200
    );
    offer(&node, &speaker, sdp, NO_OPUS)
        .await
        .problem(409, "wrong-phase");
}

#[tokio::test]
async fn sessions_of_nobody_are_not_there() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (_, speaker) = node.invite("evening", "speaker").await;
    let path = "/s/evening/whip/0123456789abcdef";
    node.bearer(&speaker, Method::DELETE, path, Value::Null)
        .await
        .problem(404, "no-session");
    node.bearer(&speaker, Method::PATCH, path, Value::Null)
        .await
        .problem(404, "no-session");
    let options = Answer::of(node.ask(Method::OPTIONS, "/s/evening/whip")).await;
    assert_eq!(options.headers["accept-post"], "application/sdp");
    node.bearer(&speaker, Method::GET, "/s/evening/whip", Value::Null)
        .await
        .problem(405, "no-method");
}

/// A space that is live, with its stage.
async fn live(node: &Node) -> StageHost {
    node.space("evening").await;
    let app = &node.app;
    let host = StageHost::start(
        app.desk.clone(),
        node.store.clone(),
        Arc::clone(&app.directory),
        app.archive.clone(),
        app.clock,
    );
    let went = node
        .operate(Method::POST, "/api/v1/spaces/evening/live", Value::Null)
        .await;
    assert_eq!(went.status, 200, "{went:?}");
    let handle = app
        .directory
        .get(&SpaceId::parse("evening").unwrap())
        .unwrap();
    until("the stage runs", || handle.stage.load().is_some()).await;
    host
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn patch(node: &Node, token: &str, path: &str, if_match: Option<&str>, body: &str) -> Answer {
    let request = node
        .ask(Method::PATCH, path)
        .bearer_auth(token)
        .header("content-type", "application/trickle-ice-sdpfrag")
        .body(body.to_owned());
    Answer::of(match if_match {
        Some(tag) => request.header("if-match", tag),
        None => request,
    })
    .await
}

fn taken(node: &Node) -> usize {
    let handle = node.app.directory.get(&SpaceId::parse("evening").unwrap());
    let snapshot = handle.unwrap().snapshot.load_full();
    let people = snapshot.people.values();
    people.filter(|one| one.seat == Seat::Taken).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_begins_trickles_restarts_and_ends_as_rfc_9725_has_it() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let _host = live(&node).await;
    let (_, token) = node.invite("evening", "speaker").await;
    let peer = Peer::offer(Direction::SendRecv).await;
    let made = offer(&node, &token, "application/sdp", &peer.offer).await;
    assert_eq!(made.status, 201, "{made:?}");
    let header = |of: &Answer, name: &str| of.headers[name].to_str().unwrap().to_owned();
    let location = header(&made, "location");
    assert!(location.starts_with("/s/evening/whip/"), "{location}");
    assert_eq!(header(&made, "content-type"), "application/sdp");
    assert_eq!(
        header(&made, "accept-patch"),
        "application/trickle-ice-sdpfrag"
    );
    let etag = header(&made, "etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let speaker = peer.talk(made.body.as_str().unwrap(), 440.0);
    until("the seat is taken", || taken(&node) == 1).await;

    let trickle = "a=candidate:1 1 udp 2113929471 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n";
    let to = |tag, body| patch(&node, &token, &location, tag, body);
    let taken_in = to(Some(&etag), trickle).await;
    assert_eq!(
        (taken_in.status, header(&taken_in, "etag")),
        (204, etag.clone())
    );
    to(None, trickle).await.problem(428, "if-match-missing");
    to(Some("\"other\""), trickle)
        .await
        .problem(412, "stale-etag");
    to(Some(&etag), "what?").await.problem(400, "bad-fragment");
    let wrong_type = node.ask(Method::PATCH, &location).bearer_auth(&token);
    Answer::of(
        wrong_type
            .header("content-type", "application/sdp")
            .body("v=0"),
    )
    .await
    .problem(415, "wrong-type");
    let (_, other) = node.invite("evening", "speaker").await;
    patch(&node, &other, &location, Some(&etag), trickle)
        .await
        .problem(404, "no-session");

    let fragment = speaker.restart().await;
    to(Some(&etag), &fragment)
        .await
        .problem(422, "restart-refused");
    let restarted = to(Some("*"), &fragment).await;
    assert_eq!(restarted.status, 200, "{restarted:?}");
    assert_eq!(
        header(&restarted, "content-type"),
        "application/trickle-ice-sdpfrag"
    );
    let newer = header(&restarted, "etag");
    assert_ne!(newer, etag);
    speaker.restarted(restarted.body.as_str().unwrap()).await;
    to(Some(&etag), trickle).await.problem(412, "stale-etag");
    assert_eq!(to(Some(&newer), trickle).await.status, 204);
    assert_eq!(taken(&node), 1);

    let ended = node
        .bearer(&token, Method::DELETE, &location, Value::Null)
        .await;
    assert_eq!(ended.status, 200);
    until("the seat is given back", || taken(&node) == 0).await;
    node.bearer(&token, Method::DELETE, &location, Value::Null)
        .await
        .problem(404, "no-session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_offer_with_the_same_seat_ends_the_first_session() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let _host = live(&node).await;
    let (_, token) = node.invite("evening", "speaker").await;
    let mut sessions = Vec::new();
    let mut speakers = Vec::new();
    for _ in 0..2 {
        let peer = Peer::offer(Direction::SendRecv).await;
        let made = offer(&node, &token, "application/sdp", &peer.offer).await;
        assert_eq!(made.status, 201, "{made:?}");
        speakers.push(peer.talk(made.body.as_str().unwrap(), 440.0));
        until("the seat is taken", || taken(&node) == 1).await;
        sessions.push(made.headers["location"].to_str().unwrap().to_owned());
    }
    until("one session is left", || node.app.ingest.sessions() == 1).await;
    node.bearer(&token, Method::DELETE, &sessions[0], Value::Null)
        .await
        .problem(404, "no-session");
    assert_eq!(taken(&node), 1);
}

#[tokio::test]
async fn a_stage_that_is_not_there_yet_is_the_nodes_fault_and_comes() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (_, token) = node.invite("evening", "speaker").await;
    let went = node
        .operate(Method::POST, "/api/v1/spaces/evening/live", Value::Null)
        .await;
    assert_eq!(went.status, 200);
    let peer = Peer::offer(Direction::SendRecv).await;
    let refused = offer(&node, &token, "application/sdp", &peer.offer).await;
    refused.problem(503, "stage-starting");
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn an_offer_that_never_ends_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (_, token) = node.invite("evening", "speaker").await;
    let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
    let head = format!(
        "POST /s/evening/whip HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/sdp\r\nContent-Length: 5000\r\n\r\nv=0\r\n",
        node.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 512];
    let length = tokio::time::timeout(PATIENCE, stream.read(&mut answer))
        .await
        .expect("an answer")
        .unwrap();
    let text = String::from_utf8_lossy(&answer[..length]);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert_eq!(node.app.ingest.sessions(), 0);
}
