//! The operator's board: who gets in, what it shows, what it does, and what others cannot make it do.

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::Node;

struct Answered {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

const OWN: [(&str, &str); 3] = [
    ("host", "board.test"),
    ("origin", "http://board.test"),
    ("sec-fetch-site", "same-origin"),
];

async fn ask(node: &Node, path: &str, form: Option<&str>, lines: &[(&str, &str)]) -> Answered {
    let mut request = Request::builder().uri(path);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let request = match form {
        None => request.body(Body::empty()),
        Some(form) => request
            .method("POST")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned())),
    };
    let router = hustings::pages::board_router(node.app.clone());
    let answer = router.oneshot(request.unwrap()).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Answered {
        status,
        headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Signs in; gives the cookie.
async fn enter(node: &Node) -> String {
    let form = format!("token={}", node.operator);
    let entered = ask(node, "/board/enter", Some(&form), &OWN).await;
    assert_eq!(entered.status, 303, "{}", entered.text);
    let set = entered.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("hustings_board="), "{set}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

fn with(cookie: &str) -> Vec<(&str, &str)> {
    OWN.into_iter().chain([("cookie", cookie)]).collect()
}

#[tokio::test]
async fn only_an_operator_sees_the_board() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let host = node.space("evening").await;
    let strange = ask(&node, "/board", None, &[]).await;
    assert!(
        strange.text.contains("Operator’s token"),
        "{}",
        strange.text
    );
    assert!(!strange.text.contains("id=\"board\""));
    for (token, status) in [("", 401), ("nonsense", 401), (&*host, 403)] {
        let form = format!("token={token}");
        let refused = ask(&node, "/board/enter", Some(&form), &OWN).await;
        assert_eq!(refused.status, status, "{token}");
        assert!(!refused.headers.contains_key(header::SET_COOKIE));
    }
    let cookie = enter(&node).await;
    let board = ask(&node, "/board", None, &with(&cookie)).await;
    assert!(board.text.contains("id=\"board\"") && board.text.contains("All is well."));
    assert_eq!(board.headers[header::CACHE_CONTROL], "private, no-store");
    let policy = board.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"));
    // A studio's session is none of the board's.
    let studio = node.enter("evening", &host).await;
    let refused = ask(&node, "/board", None, &with(&studio)).await;
    assert!(!refused.text.contains("id=\"board\""));
    let left = ask(&node, "/board/leave", Some(""), &with(&cookie)).await;
    let taken = left.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(taken.contains("Max-Age=0"), "{taken}");
}

#[tokio::test]
async fn each_action_is_asked_before_it_is_done_kept_in_both_records_and_undone() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let cookie = enter(&node).await;
    let me = with(&cookie);
    let door = async || {
        let at = "/api/v1/spaces/evening/door";
        node.operate(Method::GET, at, Value::Null).await.body
    };
    let asked = ask(&node, "/board/ask?does=pause&space=evening", None, &me).await;
    assert!(asked.text.contains("Pause the door of “An evening”?"));
    assert_eq!(door().await["paused"], false, "a question changes nothing");
    let done = ask(&node, "/board/do", Some("does=pause&space=evening"), &me).await;
    assert_eq!((done.status, &door().await["paused"]), (303, &json!(true)));
    assert_eq!(done.headers[header::LOCATION], "/board?open=evening");
    let again = ask(&node, "/board/do", Some("does=pause&space=evening"), &me).await;
    assert!(again.status == 409 && again.text.contains("The door is so already."));
    let limits = "does=limits&space=evening&limit=500&share=12.5";
    assert_eq!(ask(&node, "/board/do", Some(limits), &me).await.status, 303);
    let told = "does=tell&space=*&message=Ten+minutes+%3Cb%3Elate%3C%2Fb%3E";
    assert_eq!(ask(&node, "/board/do", Some(told), &me).await.status, 303);
    let cadence = "does=cadence&min_ms=200&max_ms=400";
    assert_eq!(
        ask(&node, "/board/do", Some(cadence), &me).await.status,
        303
    );
    let seen = door().await;
    assert_eq!(
        (&seen["paused"], &seen["limit"], &seen["guaranteed"]),
        (&json!(true), &json!(500), &json!(0.125))
    );
    let board = ask(&node, "/board", None, &me).await.text;
    for words in [
        "You keep one door shut.",
        "An evening: the door is paused.",
        "at most 500, 12.5 % of the seats",
        "Ten minutes &lt;b&gt;late&lt;/b&gt;",
        "between 200 and 400 ms",
        "Undo",
    ] {
        assert!(board.contains(words), "{words}: {board}");
    }
    assert!(!board.contains("<b>late"));
    // The door's two changes and the message, by an operator.
    let log = node
        .operate(Method::GET, "/api/v1/spaces/evening/log", Value::Null)
        .await;
    let kinds: Vec<_> = log.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["by"] == "operator")
        .filter_map(|one| one["event"]["kind"].as_str())
        .collect();
    assert!(
        kinds.ends_with(&["door-set", "door-set", "told"]),
        "{kinds:?}"
    );
    // What undoes the pause stands in the event, and does.
    let events = serde_json::to_value(node.app.entrance.events()).unwrap();
    let events = events.as_array().unwrap();
    let paused = events.iter().find(|one| one["does"] == "pause").unwrap();
    assert_eq!(
        paused["undo"],
        json!({ "does": "resume", "space": "evening" })
    );
    let undone = ask(&node, "/board/do", Some("does=resume&space=evening"), &me).await;
    let seen = door().await;
    assert_eq!(
        (undone.status, &seen["paused"], &seen["limit"]),
        (303, &json!(false), &json!(500))
    );
}

#[tokio::test]
async fn other_sites_bad_fields_and_large_bodies_change_nothing() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let cookie = enter(&node).await;
    let pause = Some("does=pause&space=evening");
    for foreign in [
        vec![("host", "board.test")],
        vec![("host", "board.test"), ("origin", "null")],
        vec![("host", "board.test"), ("origin", "http://evil.test")],
        vec![
            ("host", "board.test"),
            ("origin", "http://board.test"),
            ("sec-fetch-site", "cross-site"),
        ],
        vec![
            ("host", "board.test"),
            ("origin", "http://board.test"),
            ("sec-fetch-site", "same-site"),
        ],
    ] {
        let lines: Vec<_> = foreign.into_iter().chain([("cookie", &*cookie)]).collect();
        let refused = ask(&node, "/board/do", pause, &lines).await;
        assert_eq!(refused.status, 403, "{lines:?}");
    }
    // Without a session, and with somebody else's.
    assert_eq!(ask(&node, "/board/do", pause, &OWN).await.status, 401);
    let forged = with("hustings_board=eyJhbGciOiJub25lIn0.e30.");
    assert_eq!(ask(&node, "/board/do", pause, &forged).await.status, 401);
    let me = with(&cookie);
    let large = format!("does=tell&message={}", "x".repeat(20_000));
    for (form, status) in [
        ("does=explode&space=evening", 422),
        ("does=drop&space=nowhere", 404),
        ("does=drop", 422),
        ("does=pause", 422),
        ("does=tell&message=Late", 422),
        ("does=limits&space=evening&limit=-1", 422),
        ("does=music&space=evening", 409),
        (&*large, 413),
    ] {
        assert_eq!(
            ask(&node, "/board/do", Some(form), &me).await.status,
            status,
            "{form:.60}"
        );
    }
    let get = ask(&node, "/board/do?does=pause&space=evening", None, &me).await;
    assert_eq!(get.status, 405, "a link cannot act");
    let at = "/api/v1/spaces/evening/door";
    let door = node.operate(Method::GET, at, Value::Null).await;
    assert_eq!(door.body["paused"], false);
    assert!(node.app.entrance.events().is_empty());
}
