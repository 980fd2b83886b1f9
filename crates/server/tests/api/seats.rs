//! What operators set of a door, and tickets given out before the event.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Node, PUBLIC};

#[tokio::test]
async fn an_operator_sets_a_door_and_a_restart_keeps_it() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let at = "/api/v1/spaces/evening/door";
    let set = json!({ "guaranteed": 0.25, "limit": 500, "paused": true });
    let answer = node.operate(Method::PUT, at, set).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    node.kill().await;
    let node = Node::start(data.path()).await;
    let kept = node.operate(Method::GET, at, Value::Null).await;
    assert_eq!(
        (
            &kept.body["guaranteed"],
            &kept.body["limit"],
            &kept.body["paused"]
        ),
        (&json!(0.25), &json!(500), &json!(true))
    );
    for wrong in [
        json!({ "guaranteed": 1.1 }),
        json!({ "guaranteed": -0.1 }),
        json!({ "limit": 0 }),
        json!({ "limit": 4_000_000_000u32 }),
    ] {
        let refused = node.operate(Method::PUT, at, wrong).await;
        refused.problem(422, "bad-door");
    }
    let open = node.operate(Method::PUT, at, json!({})).await;
    assert_eq!(
        (&open.body["limit"], &open.body["paused"]),
        (&Value::Null, &json!(false))
    );
}

#[tokio::test]
async fn a_host_gives_tickets_out_and_sets_no_door() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.enter("evening", &node.space("evening").await).await;
    let path = "/api/v1/spaces/evening/tickets";
    let given = node
        .page(&host, Method::POST, path, json!({ "count": 3 }))
        .await;
    assert_eq!(given.status, 201, "{}", given.body);
    let links: std::collections::BTreeSet<&str> = given.body["links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link.as_str().unwrap())
        .collect();
    assert_eq!(links.len(), 3);
    let start = format!("{PUBLIC}/s/evening#t=");
    assert!(
        links
            .iter()
            .all(|link| link.starts_with(&start) && link.len() == start.len() + 80)
    );
    for count in [0, 1_001] {
        let refused = node
            .page(&host, Method::POST, path, json!({ "count": count }))
            .await;
        refused.problem(422, "bad-count");
    }
    let at = "/api/v1/spaces/evening/door";
    assert_eq!(
        node.page(&host, Method::GET, at, Value::Null)
            .await
            .text("mode"),
        "calm"
    );
    let refused = node
        .page(&host, Method::PUT, at, json!({ "paused": true }))
        .await;
    assert_eq!(refused.status, 403);
    let guest = node.guest("evening", "speaker").await;
    let refused = node
        .page(&guest, Method::POST, path, json!({ "count": 1 }))
        .await;
    assert_eq!(refused.status, 403);
}
