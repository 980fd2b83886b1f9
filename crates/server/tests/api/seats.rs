//! What operators set of a door, and tickets given out before the event.

use hustings::api::auth::TokenRole;
use hustings_control::ids::SpaceId;
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
async fn a_door_that_is_shut_is_told_to_pages_before_it_is_told_to_anybody_else() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let at = "/api/v1/spaces/evening/door";
    let set = node
        .operate(Method::PUT, at, json!({ "paused": true }))
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
    let told = || {
        let events = serde_json::to_value(node.app.entrance.events()).unwrap();
        let mut events = events.as_array().unwrap().iter();
        events.any(|one| one["kind"] == "mode" && one["to"] == "storm")
    };
    while !told() {
        tokio::task::yield_now().await;
    }
    let evening = SpaceId::parse("evening").unwrap();
    let serving = node
        .app
        .directory
        .get(&evening)
        .unwrap()
        .serving
        .load_full();
    let serving: Value = serde_json::from_slice(&serving.unwrap().body).unwrap();
    assert_eq!(serving["mode"], "storm", "{serving}");
}

#[tokio::test]
async fn what_an_operator_does_to_a_door_is_in_both_records_with_what_undoes_it() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let at = "/api/v1/spaces/evening/door";
    let set = json!({ "dropped": true });
    let answer = node.operate(Method::PUT, at, set.clone()).await;
    assert_eq!(
        (answer.status, &answer.body["dropped"]),
        (200, &json!(true))
    );
    // The same again is no error, and no second entry.
    assert_eq!(node.operate(Method::PUT, at, set).await.status, 200);
    let log = node
        .operate(Method::GET, "/api/v1/spaces/evening/log", Value::Null)
        .await;
    let events = log.body["events"].as_array().unwrap();
    let of_door: Vec<_> = events
        .iter()
        .filter(|one| one["event"]["kind"] == "door-set")
        .collect();
    assert_eq!(of_door.len(), 1, "{events:?}");
    assert_eq!(
        (&of_door[0]["by"], &of_door[0]["event"]["dropped"]),
        (&json!("operator"), &json!(true))
    );
    let events = serde_json::to_value(node.app.entrance.events()).unwrap();
    let acts = events.as_array().unwrap().iter();
    let acts: Vec<_> = acts.filter(|one| one["kind"] == "action").collect();
    assert_eq!(acts.len(), 1, "{events}");
    assert_eq!(
        (&acts[0]["kind"], &acts[0]["does"], &acts[0]["undo"]),
        (
            &json!("action"),
            &json!("drop"),
            &json!({ "does": "restore", "space": "evening" })
        )
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
    // Whoever may make spaces on the whole node is no operator either.
    let (now, role) = (node.app.clock.wall(), TokenRole::Host);
    let in_an_hour = now.0 / 1_000 + 3_600;
    let keys = &node.app.keys;
    let of_the_node = keys.mint("", role, None, None, in_an_hour, now).unwrap();
    let paused = json!({ "paused": true });
    let refused = node.bearer(&of_the_node, Method::PUT, at, paused).await;
    refused.problem(403, "operator-only");
    let guest = node.guest("evening", "speaker").await;
    let refused = node
        .page(&guest, Method::POST, path, json!({ "count": 1 }))
        .await;
    assert_eq!(refused.status, 403);
}
