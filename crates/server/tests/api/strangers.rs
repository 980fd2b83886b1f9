//! Requests by which nobody shows a right: they stand in nobody's way, least of all of those who run the evening.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hustings::api::stage_routes;
use hustings::edge::AbuseConfig;
use hustings::house::HouseListener;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Answer, Node};

/// The node's stage listener once more, with the house's own bounds; all of 127/8 is this machine, so that there are as many
/// prefixes as a test likes.
async fn house(node: &Node) -> HouseListener {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let router = stage_routes::router(node.app.clone());
    HouseListener::start(any, None, router, AbuseConfig::default())
        .await
        .unwrap()
}

async fn evening(data: &std::path::Path) -> (Node, HouseListener, String) {
    let node = Node::start(data).await;
    let host = node.enter("evening", &node.space("evening").await).await;
    let open = "/api/v1/spaces/evening/open";
    let opened = node.page(&host, Method::POST, open, Value::Null).await;
    assert_eq!(opened.status, 200);
    let house = house(&node).await;
    (node, house, host)
}

/// A head that promises a body, and never brings it.
async fn without_body(house: &HouseListener, from: [u8; 4], line: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(house.address).await.unwrap();
    let at = house.address;
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {at}\r\nOrigin: http://{at}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The first line of what comes.
async fn status_line(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn hand(
    house: &HouseListener,
    from: Ipv4Addr,
    method: Method,
    cookie: &str,
    name: &str,
) -> Answer {
    let client = reqwest::Client::builder().local_address(IpAddr::from(from));
    let url = format!("http://{}/api/v1/spaces/evening/hands", house.address);
    let request = client
        .build()
        .unwrap()
        .request(method, url)
        .header("origin", format!("http://{}", house.address))
        .header("cookie", cookie)
        .json(&json!({ "name": name }));
    Answer::of(request).await
}

#[tokio::test]
async fn bodies_that_do_not_come_lock_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let (node, house, _) = evening(data.path()).await;
    let mut slow = Vec::new();
    for number in 0..280 {
        let net = 60 + u8::try_from(number % 4).unwrap();
        let raise = "POST /api/v1/spaces/evening/hands";
        slow.push(without_body(&house, [127, net, 1, 1], raise).await);
    }
    // The oldest of a prefix goes for its newest: then all are in work.
    for oldest in &mut slow[..4] {
        assert_eq!(status_line(oldest).await, "HTTP/1.1 429");
    }
    let space = format!("http://{}/api/v1/spaces/evening", house.address);
    let asked = reqwest::Client::new()
        .get(space)
        .bearer_auth(&node.operator);
    assert_eq!(Answer::of(asked).await.status, 200, "the operator comes in");
    for from in [[127, 70, 1, 1], [127, 60, 1, 1]] {
        let raised = hand(&house, from.into(), Method::POST, "", "Ann").await;
        assert_eq!(raised.status, 201, "{from:?}: {raised:?}");
    }
}

#[tokio::test]
async fn who_has_no_right_is_told_so_before_the_body() {
    let data = tempfile::tempdir().unwrap();
    let (_node, house, _) = evening(data.path()).await;
    for line in [
        "POST /api/v1/spaces",
        "PATCH /api/v1/spaces/evening",
        "PUT /api/v1/spaces/evening/door",
        "PUT /api/v1/cadence",
    ] {
        let mut stranger = without_body(&house, [127, 60, 1, 1], line).await;
        assert_eq!(status_line(&mut stranger).await, "HTTP/1.1 401", "{line}");
    }
}

#[tokio::test]
async fn the_hands_of_one_network_leave_room_for_others() {
    let data = tempfile::tempdir().unwrap();
    let (node, house, host) = evening(data.path()).await;
    let crowd = Ipv4Addr::new(127, 80, 1, 1);
    let mut cookies = Vec::new();
    for number in 0..10 {
        let name = format!("Guest {number}");
        let raised = hand(&house, crowd, Method::POST, "", &name).await;
        assert_eq!(raised.status, 201, "{raised:?}");
        cookies.push(raised.cookie());
    }
    let neighbour = Ipv4Addr::new(127, 80, 1, 77);
    let refused = hand(&house, neighbour, Method::POST, "", "Eve").await;
    refused.problem(429, "hands-of-your-network");
    let elsewhere = Ipv4Addr::new(127, 81, 1, 1);
    let raised = hand(&house, elsewhere, Method::POST, "", "Ann").await;
    assert_eq!(raised.status, 201);
    let lowered = hand(&house, crowd, Method::DELETE, &cookies[0], "").await;
    assert_eq!(lowered.status, 204);
    let raised = hand(&house, neighbour, Method::POST, "", "Eve").await;
    assert_eq!(raised.status, 201, "{raised:?}");
    let all = "/api/v1/spaces/evening/hands/decline";
    let by_guest = node.page(&cookies[1], Method::POST, all, Value::Null).await;
    assert_eq!(by_guest.status, 403);
    let declined = node.page(&host, Method::POST, all, Value::Null).await;
    assert_eq!(
        (declined.status, &declined.body["declined"]),
        (200, &json!(11))
    );
    let studio = "/api/v1/spaces/evening/studio.json";
    let studio = node.page(&host, Method::GET, studio, Value::Null).await;
    assert_eq!(studio.body["hands"], json!([]));
    let again = hand(&house, crowd, Method::POST, &cookies[0], "Guest 0").await;
    assert_eq!(again.status, 201, "{again:?}");
}
