//! Tokens, cookies and who may do what with them.

use hustings::api::auth::TokenRole;
use hustings_control::ids::UnixMillis;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Node, PUBLIC};

#[tokio::test]
async fn a_token_is_exchanged_for_a_cookie_that_knows_its_bearer() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.space("evening").await;
    let entered = node
        .page(
            "",
            Method::POST,
            "/studio/evening/enter",
            json!({ "token": host, "name": "Ada" }),
        )
        .await;
    assert_eq!(
        (entered.text("role"), entered.text("name")),
        ("host", "Ada")
    );
    let cookie = entered.cookie();
    assert!(cookie.starts_with("hustings_studio_evening="), "{cookie}");
    let me = node
        .page(
            &cookie,
            Method::GET,
            "/api/v1/spaces/evening/me",
            Value::Null,
        )
        .await;
    assert_eq!(me.text("person"), entered.text("person"));
    let again = node
        .page(
            &cookie,
            Method::POST,
            "/studio/evening/enter",
            json!({ "token": host }),
        )
        .await;
    assert_eq!(
        again.text("person"),
        entered.text("person"),
        "the same browser stays the same person"
    );
    let out = node
        .page(
            &cookie,
            Method::DELETE,
            "/studio/evening/enter",
            Value::Null,
        )
        .await;
    assert_eq!(
        (out.status, out.cookie().as_str()),
        (204, "hustings_studio_evening=")
    );
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.space("evening").await;
    node.space("other").await;
    let get = |token: String| {
        let node = &node;
        async move {
            node.bearer(&token, Method::GET, "/api/v1/spaces/evening", Value::Null)
                .await
        }
    };
    assert_eq!(get(host.clone()).await.status, 200);
    get(format!("{}AAAA", &host[..host.len() - 4]))
        .await
        .problem(401, "token-forged");
    get("nonsense".into()).await.problem(401, "token-malformed");
    let elsewhere = tempfile::tempdir().unwrap();
    let theirs = hustings::api::auth::Keys::open(elsewhere.path()).unwrap();
    get(theirs.mint_operator(node.app.clock.wall()).unwrap())
        .await
        .problem(401, "token-forged");
    let past = UnixMillis(1_000_000);
    get(node
        .app
        .keys
        .mint("", TokenRole::Operator, None, None, 1_001, past)
        .unwrap())
    .await
    .problem(401, "token-expired");
    node.bearer(&host, Method::GET, "/api/v1/spaces/other", Value::Null)
        .await
        .problem(403, "wrong-space");
    node.bearer(&host, Method::GET, "/api/v1/spaces", Value::Null)
        .await
        .problem(403, "wrong-role");
    Answer::of(node.ask(Method::GET, "/api/v1/spaces"))
        .await
        .problem(401, "token-missing");
    Answer::of(node.ask(Method::GET, "/api/v1/spaces/evening"))
        .await
        .problem(401, "token-missing");
}

#[tokio::test]
async fn roles_bound_what_people_do() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (speaker, cohost, listener) = (
        node.guest("evening", "speaker").await,
        node.guest("evening", "co-host").await,
        node.guest("evening", "listener").await,
    );
    let at = |path: &str| format!("/api/v1/spaces/evening{path}");
    node.page(&speaker, Method::POST, &at("/open"), Value::Null)
        .await
        .problem(403, "not-allowed");
    node.page(&speaker, Method::GET, &at("/log"), Value::Null)
        .await
        .problem(403, "wrong-role");
    node.page(&listener, Method::GET, &at("/studio.json"), Value::Null)
        .await
        .problem(403, "wrong-role");
    assert_eq!(
        node.page(&speaker, Method::GET, &at("/studio.json"), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        node.page(&cohost, Method::POST, &at("/open"), Value::Null)
            .await
            .text("phase"),
        "open"
    );
    node.page(&cohost, Method::POST, &at("/end"), Value::Null)
        .await
        .problem(403, "not-allowed");
    node.page(
        &cohost,
        Method::POST,
        &at("/invites"),
        json!({ "role": "host" }),
    )
    .await
    .problem(403, "not-allowed");
    let hosts = node
        .page(&cohost, Method::GET, &at("/invites"), Value::Null)
        .await;
    let host = hosts.body["invites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["role"] == "host")
        .unwrap()["invite"]
        .as_str()
        .unwrap()
        .to_owned();
    node.page(
        &cohost,
        Method::POST,
        &at(&format!("/invites/{host}/link")),
        Value::Null,
    )
    .await
    .problem(403, "wrong-role");
    let log = node
        .page(&cohost, Method::GET, &at("/log"), Value::Null)
        .await;
    let opened = log.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["event"]["kind"] == "opened")
        .unwrap()
        .clone();
    assert!(
        opened["by"]["person"].is_u64(),
        "the audit trail names who did it: {opened}"
    );
}

#[tokio::test]
async fn changes_by_cookie_must_come_from_our_own_pages() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let cookie = node.enter("evening", &node.space("evening").await).await;
    let open = || {
        node.ask(Method::POST, "/api/v1/spaces/evening/open")
            .header("cookie", &cookie)
    };
    let own = format!("http://{}", node.address);
    Answer::of(open()).await.problem(403, "cross-site");
    Answer::of(open().header("origin", "https://evil.example"))
        .await
        .problem(403, "cross-site");
    Answer::of(open().header("origin", "null"))
        .await
        .problem(403, "cross-site");
    Answer::of(
        open()
            .header("origin", &own)
            .header("sec-fetch-site", "cross-site"),
    )
    .await
    .problem(403, "cross-site");
    Answer::of(open().header("origin", PUBLIC))
        .await
        .problem(403, "cross-site");
    assert_eq!(
        Answer::of(
            open()
                .header("origin", &own)
                .header("sec-fetch-site", "same-origin")
        )
        .await
        .status,
        200
    );
    let sign_in = node
        .ask(Method::POST, "/studio/enter")
        .json(&json!({ "token": node.operator }));
    Answer::of(sign_in).await.problem(403, "cross-site");
}

#[tokio::test]
async fn operators_sign_in_on_the_node_and_host_any_space() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.space("evening").await;
    node.page("", Method::POST, "/studio/enter", json!({ "token": host }))
        .await
        .problem(403, "wrong-role");
    let entered = node
        .page(
            "",
            Method::POST,
            "/studio/enter",
            json!({ "token": node.operator }),
        )
        .await;
    assert_eq!(entered.text("role"), "operator");
    let cookie = entered.cookie();
    assert_eq!(
        node.page(&cookie, Method::GET, "/api/v1/me", Value::Null)
            .await
            .text("role"),
        "operator"
    );
    assert_eq!(
        node.page(&cookie, Method::GET, "/api/v1/spaces", Value::Null)
            .await
            .body["spaces"][0]["id"],
        "evening"
    );
    let hosting = node
        .page(
            &cookie,
            Method::POST,
            "/studio/evening/enter",
            json!({ "name": "The house" }),
        )
        .await;
    assert_eq!(
        (hosting.text("role"), hosting.text("name")),
        ("host", "The house")
    );
    assert!(
        node.page("", Method::GET, "/api/v1/me", Value::Null)
            .await
            .body["role"]
            .is_null()
    );
    node.page("", Method::POST, "/studio/evening/enter", json!({}))
        .await
        .problem(401, "token-missing");
}
