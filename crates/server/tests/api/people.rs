//! Hands, people and the studio's live view.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Node, PUBLIC};

/// As the public page does it: from its own origin, which is another port.
async fn from_public_page(
    node: &Node,
    cookie: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Answer {
    let request = node
        .ask(method, path)
        .header("origin", PUBLIC)
        .header("sec-fetch-site", "same-site")
        .header("cookie", cookie);
    Answer::of(if body.is_null() {
        request
    } else {
        request.json(&body)
    })
    .await
}

#[tokio::test]
async fn a_listener_raises_a_hand_from_the_public_page_and_may_speak() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.enter("evening", &node.space("evening").await).await;
    let at = |path: &str| format!("/api/v1/spaces/evening{path}");
    assert_eq!(
        node.page(&host, Method::POST, &at("/open"), Value::Null)
            .await
            .status,
        200
    );

    let preflight = node
        .ask(Method::OPTIONS, &at("/hands"))
        .header("origin", PUBLIC)
        .header("access-control-request-method", "POST");
    let allowed = Answer::of(preflight).await;
    assert_eq!(
        (
            allowed.status,
            allowed.headers["access-control-allow-origin"]
                .to_str()
                .unwrap()
        ),
        (204, PUBLIC)
    );
    assert_eq!(allowed.headers["access-control-allow-credentials"], "true");
    let foreign = node
        .ask(Method::OPTIONS, &at("/hands"))
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    assert!(
        !Answer::of(foreign)
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
    let not_public = node
        .ask(Method::OPTIONS, &at("/end"))
        .header("origin", PUBLIC)
        .header("access-control-request-method", "POST");
    assert!(
        !Answer::of(not_public)
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );

    let raised = from_public_page(
        &node,
        "",
        Method::POST,
        &at("/hands"),
        json!({ "name": "Eve", "question": "Why?" }),
    )
    .await;
    assert_eq!(
        (
            raised.status,
            raised.text("role"),
            &raised.body["may_speak"]
        ),
        (201, "listener", &json!(false)),
        "{raised:?}"
    );
    let cookie = raised.cookie();
    assert!(cookie.starts_with("hustings_hand_evening="));
    from_public_page(
        &node,
        &cookie,
        Method::POST,
        &at("/hands"),
        json!({ "name": "Eve" }),
    )
    .await
    .problem(409, "no-change");

    let studio = node
        .page(&host, Method::GET, &at("/studio.json"), Value::Null)
        .await;
    assert_eq!(
        (
            &studio.body["hands"][0]["name"],
            &studio.body["hands"][0]["question"]
        ),
        (&json!("Eve"), &json!("Why?"))
    );
    let person = raised.text("person");
    assert_eq!(
        node.page(
            &host,
            Method::POST,
            &at(&format!("/hands/{person}/accept")),
            Value::Null
        )
        .await
        .status,
        204
    );
    let me = from_public_page(&node, &cookie, Method::GET, &at("/me"), Value::Null).await;
    assert_eq!(
        (&me.body["may_speak"], &me.body["hand"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(me.headers["access-control-allow-origin"], PUBLIC);
}

#[tokio::test]
async fn hosts_rename_and_ban_and_the_banned_stay_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.enter("evening", &node.space("evening").await).await;
    let (_, token) = node.invite("evening", "speaker").await;
    let speaker = node.enter("evening", &token).await;
    let at = |path: &str| format!("/api/v1/spaces/evening{path}");
    let person = node
        .page(&speaker, Method::GET, &at("/me"), Value::Null)
        .await
        .text("person")
        .to_owned();
    assert_eq!(
        node.page(
            &speaker,
            Method::PATCH,
            &at("/people/me"),
            json!({ "name": "Bob" })
        )
        .await
        .status,
        204
    );
    assert_eq!(
        node.page(
            &host,
            Method::PATCH,
            &at(&format!("/people/{person}")),
            json!({ "name": "Robert" })
        )
        .await
        .status,
        204
    );
    let me = node
        .page(&speaker, Method::GET, &at("/me"), Value::Null)
        .await;
    assert_eq!(me.text("name"), "Robert");
    let host_id = node
        .page(&host, Method::GET, &at("/me"), Value::Null)
        .await
        .text("person")
        .to_owned();
    node.page(
        &speaker,
        Method::POST,
        &at(&format!("/people/{host_id}/mute")),
        Value::Null,
    )
    .await
    .problem(403, "not-allowed");
    node.page(
        &host,
        Method::POST,
        &at("/people/0000000000000001/mute"),
        Value::Null,
    )
    .await
    .problem(404, "unknown");
    node.page(&host, Method::POST, &at("/people/nobody/mute"), Value::Null)
        .await
        .problem(404, "unknown");
    assert_eq!(
        node.page(
            &host,
            Method::POST,
            &at(&format!("/people/{person}/ban")),
            Value::Null
        )
        .await
        .status,
        204
    );
    node.page(
        &speaker,
        Method::POST,
        "/studio/evening/enter",
        json!({ "token": token }),
    )
    .await
    .problem(403, "banned");
    node.page(&speaker, Method::GET, &at("/studio.json"), Value::Null)
        .await
        .problem(403, "wrong-role");
}

#[tokio::test]
async fn the_studio_sees_changes_live_and_ends_for_who_is_banned() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.enter("evening", &node.space("evening").await).await;
    let speaker = node.guest("evening", "speaker").await;
    let at = |path: &str| format!("/api/v1/spaces/evening{path}");
    let person = node
        .page(&speaker, Method::GET, &at("/me"), Value::Null)
        .await
        .text("person")
        .to_owned();
    let mut events = Events {
        response: node
            .ask(Method::GET, &at("/studio-events"))
            .header("cookie", &speaker)
            .send()
            .await
            .unwrap(),
        text: String::new(),
    };
    assert_eq!(
        events.response.headers()["content-type"],
        "text/event-stream"
    );
    events
        .until(|kind, studio| kind == "studio" && studio["space"]["phase"] == "posted")
        .await;
    assert_eq!(
        node.page(&host, Method::POST, &at("/open"), Value::Null)
            .await
            .status,
        200
    );
    events
        .until(|kind, studio| kind == "studio" && studio["space"]["phase"] == "open")
        .await;
    assert_eq!(
        node.page(
            &host,
            Method::POST,
            &at(&format!("/people/{person}/ban")),
            Value::Null
        )
        .await
        .status,
        204
    );
    events.until(|kind, _| kind == "over").await;
    assert!(
        events.response.chunk().await.unwrap().is_none(),
        "nothing comes after the end"
    );
}

struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn until(&mut self, wanted: impl Fn(&str, &Value) -> bool) {
        loop {
            while let Some((event, rest)) = self
                .text
                .split_once("\n\n")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
            {
                self.text = rest;
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                if wanted(
                    &field("event:"),
                    &serde_json::from_str(&field("data:")).unwrap_or_default(),
                ) {
                    return;
                }
            }
            let chunk = self
                .response
                .chunk()
                .await
                .unwrap()
                .expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
