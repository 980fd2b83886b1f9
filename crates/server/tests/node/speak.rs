//! Somebody on stage, by an invitation and WHIP, as a browser does it.

use str0m::media::Direction;

use crate::ingest_peer::{Peer, Speaker};
use crate::world::Node;

/// Who says a tone of so many hertz.
pub(crate) async fn speak(node: &Node, space: &str, name: &str, hertz: f32) -> Speaker {
    let invite = node.space(&["invite", space, "--role", "speaker", "--name", name]);
    let link = invite["link"].as_str().expect("a link");
    let token = link.split("#token=").nth(1).expect("a token in the link");
    let peer = Peer::offer(Direction::SendRecv).await;
    let answered = reqwest::Client::new()
        .post(format!("http://{}/s/{space}/whip", node.address(8082)))
        .bearer_auth(token)
        .header("content-type", "application/sdp")
        .body(peer.offer.clone())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answered.status(), 201);
    peer.talk(&answered.text().await.expect("an answer"), hertz)
}
