//! WHIP from outside: who may offer, and what bad offers are told. Media itself is tested with the ingest.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Node};

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
