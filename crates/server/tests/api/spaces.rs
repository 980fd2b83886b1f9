//! Spaces by the API: their life, bad input, uploads, the description, and the command line.

use hustings::cli::SpaceCommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Node};

#[tokio::test]
async fn a_space_lives_and_ends_and_a_restart_keeps_all() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let cookie = node.enter("evening", &node.space("evening").await).await;
    let at = |path: &str| format!("/api/v1/spaces/evening{path}");
    let edited = node
        .page(
            &cookie,
            Method::PATCH,
            &at(""),
            json!({ "title": "Another", "starts_at": 4_000_000_000_000u64, "record": false }),
        )
        .await;
    assert_eq!(
        (
            edited.text("title"),
            &edited.body["starts_at"],
            &edited.body["record"]
        ),
        ("Another", &json!(4_000_000_000_000u64), &json!(false))
    );
    assert!(
        node.page(
            &cookie,
            Method::PATCH,
            &at(""),
            json!({ "starts_at": null })
        )
        .await
        .body["starts_at"]
            .is_null()
    );
    assert_eq!(
        node.page(&cookie, Method::PATCH, &at(""), json!({ "listed": false }))
            .await
            .body["title"],
        "Another"
    );
    assert_eq!(
        node.page(&cookie, Method::POST, &at("/live"), Value::Null)
            .await
            .text("phase"),
        "live"
    );
    assert_eq!(
        node.page(
            &cookie,
            Method::POST,
            &at("/lock"),
            json!({ "locked": true })
        )
        .await
        .body["stage_locked"],
        true
    );
    let before = node.page(&cookie, Method::GET, &at(""), Value::Null).await;
    let (operator, address) = (node.operator.clone(), node.address);
    node.kill().await;

    let node = Node::start(data.path()).await;
    assert_eq!(node.operator, operator);
    let mut after = node.page(&cookie, Method::GET, &at(""), Value::Null).await;
    after.body["studio"] = json!(format!("http://{address}/studio/evening"));
    assert_eq!(
        after.body, before.body,
        "the cookie of before still opens the same space"
    );
    assert_eq!(
        node.page(&cookie, Method::GET, &at("/me"), Value::Null)
            .await
            .text("role"),
        "host"
    );
    assert_eq!(
        node.page(&cookie, Method::POST, &at("/end"), Value::Null)
            .await
            .text("phase"),
        "ended"
    );
    node.page(&cookie, Method::POST, &at("/live"), Value::Null)
        .await
        .problem(409, "wrong-phase");
}

#[tokio::test]
async fn bad_input_is_told_as_a_problem() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let make = |body: Value| {
        let node = &node;
        async move { node.operate(Method::POST, "/api/v1/spaces", body).await }
    };
    node.operate(Method::GET, "/api/v1/spaces/nowhere", Value::Null)
        .await
        .problem(404, "unknown-space");
    node.operate(Method::GET, "/api/v1/spaces/NO..WHERE", Value::Null)
        .await
        .problem(404, "unknown-space");
    make(json!({ "id": "evening", "title": "Twice" }))
        .await
        .problem(409, "id-taken");
    make(json!({ "id": "-", "title": "Bad" }))
        .await
        .problem(422, "bad-id");
    make(json!({ "title": "" })).await.problem(422, "empty");
    make(json!({ "title": "x".repeat(200) }))
        .await
        .problem(422, "too-long");
    make(json!({ "title": 7 })).await.problem(400, "bad-json");
    make(json!({ "title": "x".repeat(70_000) }))
        .await
        .problem(413, "too-large");
    let form = node
        .ask(Method::POST, "/api/v1/spaces")
        .bearer_auth(&node.operator)
        .body("title=x");
    Answer::of(form).await.problem(415, "not-json");
    node.operate(
        Method::GET,
        "/api/v1/spaces/evening/log?after=x",
        Value::Null,
    )
    .await
    .problem(400, "bad-query");
    node.operate(Method::GET, "/api/v2", Value::Null)
        .await
        .problem(404, "no-route");
    let method = node
        .operate(Method::PUT, "/api/v1/spaces/evening", Value::Null)
        .await;
    method.problem(405, "no-method");
    assert!(method.headers.contains_key("allow"));
    node.operate(
        Method::POST,
        "/api/v1/spaces/evening/hush",
        json!({ "millis": 5 }),
    )
    .await
    .problem(409, "no-stage");
}

#[tokio::test]
async fn uploads_are_sound_and_bounded() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let put = |body: Vec<u8>| {
        Answer::of(
            node.ask(Method::PUT, "/api/v1/spaces/evening/hold-music")
                .bearer_auth(&node.operator)
                .body(body),
        )
    };
    put(b"this is no sound at all, but a sentence".to_vec())
        .await
        .problem(415, "not-sound");
    put(vec![0; 21 * 1024 * 1024])
        .await
        .problem(413, "too-large");
    assert_eq!(put(wav()).await.body["own_hold_music"], true);
    let back = node
        .operate(
            Method::DELETE,
            "/api/v1/spaces/evening/hold-music",
            Value::Null,
        )
        .await;
    assert_eq!(back.body["own_hold_music"], false);
}

/// A second of a 440 Hz tone, 16 bit mono at 48 kHz.
fn wav() -> Vec<u8> {
    let samples: Vec<u8> = (0..48_000)
        .flat_map(|n| {
            ((f64::from(n) * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 8_000.0).to_le_i16()
        })
        .collect();
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&48_000u32.to_le_bytes());
    file.extend_from_slice(&96_000u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    file.extend_from_slice(&samples);
    file
}

trait ToLe {
    fn to_le_i16(self) -> [u8; 2];
}

impl ToLe for f64 {
    fn to_le_i16(self) -> [u8; 2] {
        (self as i16).to_le_bytes()
    }
}

#[tokio::test]
async fn an_operator_bounds_the_cadence_and_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let put = |min: u64, max: u64| {
        let body = json!({ "min_ms": min, "max_ms": max });
        node.operate(Method::PUT, "/api/v1/cadence", body)
    };
    let fixed = put(100, 100).await;
    assert_eq!(
        (&fixed.body["min_ms"], &fixed.body["max_ms"]),
        (&json!(100), &json!(100))
    );
    for (min, max) in [(99, 2_000), (100, 2_001), (500, 400)] {
        put(min, max).await.problem(422, "cadence-out-of-bounds");
    }
    let seen = node
        .operate(Method::GET, "/api/v1/cadence", Value::Null)
        .await;
    assert_eq!(seen.body["max_ms"], 100, "a refused change changes nothing");
    let stranger = Answer::of(node.ask(Method::GET, "/api/v1/cadence")).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn the_checked_in_description_is_that_of_the_code() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let text = hustings::api::openapi::text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(file).parent().unwrap()).unwrap();
        std::fs::write(file, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        checked_in == text,
        "docs/openapi.json is not what the code says: run `UPDATE=1 cargo test --test api description`"
    );
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let served = Answer::of(node.ask(Method::GET, "/api/v1/openapi.json")).await;
    assert_eq!(served.body, serde_json::from_str::<Value>(&text).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_talks_to_the_node() {
    use clap::{FromArgMatches as _, Subcommand as _};
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    let (folder, stage) = (data.path().display().to_string(), node.address.to_string());
    let run = |args: &[&str]| {
        let all: Vec<String> = ["space"]
            .iter()
            .chain(args)
            .copied()
            .chain(["--data", &folder, "--stage", &stage])
            .map(str::to_owned)
            .collect();
        let matches = SpaceCommand::augment_subcommands(clap::Command::new("space"))
            .try_get_matches_from(all)
            .unwrap();
        let command = SpaceCommand::from_arg_matches(&matches).unwrap();
        tokio::task::spawn_blocking(move || command.run())
    };
    run(&["create", "From the shell", "--id", "shell", "--unlisted"])
        .await
        .unwrap()
        .unwrap();
    run(&["live", "shell", "--json"]).await.unwrap().unwrap();
    let space = node
        .operate(Method::GET, "/api/v1/spaces/shell", Value::Null)
        .await;
    assert_eq!(
        (
            space.text("title"),
            space.text("phase"),
            &space.body["listed"]
        ),
        ("From the shell", "live", &json!(false))
    );
    run(&["list"]).await.unwrap().unwrap();
    let refused = run(&["cancel", "shell"]).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("live"), "{refused}");
}
