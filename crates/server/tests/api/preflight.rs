//! Go or no-go over the API: by a real node that is looked at from within.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Node};

#[tokio::test]
async fn an_operator_is_told_line_by_line() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.space("evening").await;
    let at = "/api/v1/preflight?space=evening&expect=20";
    let seen = node.operate(Method::GET, at, Value::Null).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let verdict = |seen: &Answer, name: &str| {
        let lines = seen.body["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["name"] == name);
        line.unwrap_or_else(|| panic!("no {name}"))["verdict"].clone()
    };
    for (name, expected) in [
        ("files", "go"),
        ("media", "go"),
        ("database", "go"),
        ("hold-music", "go"),
        ("certificate", "unknown"),
        ("clock", "unknown"),
        ("hosts-invited", "go"),
        ("hosts-checked", "no-go"),
        ("uplink", "no-go"),
        ("rehearsal", "no-go"),
    ] {
        assert_eq!(verdict(&seen, name), expected, "{name}: {}", seen.body);
    }
    assert_eq!(seen.body["go"], false);
    let without = format!("{at}&without_rehearsal=true");
    let seen = node.operate(Method::GET, &without, Value::Null).await;
    assert_eq!(verdict(&seen, "rehearsal"), "unknown");
    let crowd = "/api/v1/preflight?expect=4000000000";
    let seen = node.operate(Method::GET, crowd, Value::Null).await;
    assert_eq!(verdict(&seen, "files"), "no-go");
    assert_eq!(
        verdict(&seen, "memory").as_str().map(|v| v != "go"),
        Some(true)
    );
    let nowhere = "/api/v1/preflight?space=nowhere";
    let refused = node.operate(Method::GET, nowhere, Value::Null).await;
    refused.problem(404, "unknown-space");
    let cookie = node.enter("evening", &host).await;
    let refused = node.page(&cookie, Method::GET, at, Value::Null).await;
    assert_eq!(refused.status, 401, "a host is no operator");
}
