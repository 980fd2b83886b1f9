//! Invitations: revoked, issued anew, minted outside.

use hustings::api::auth::TokenRole;
use hustings_control::ids::SpaceId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Node;

#[tokio::test]
async fn a_revoked_link_is_worthless_and_a_new_one_works() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let (invite, token) = node.invite("evening", "speaker").await;
    assert_eq!(
        node.operate(
            Method::DELETE,
            &format!("/api/v1/spaces/evening/invites/{invite}"),
            Value::Null
        )
        .await
        .status,
        204
    );
    node.page(
        "",
        Method::POST,
        "/studio/evening/enter",
        json!({ "token": token }),
    )
    .await
    .problem(403, "invitation-revoked");
    node.bearer(&token, Method::GET, "/api/v1/spaces/evening", Value::Null)
        .await
        .problem(403, "invitation-revoked");
    node.operate(
        Method::POST,
        &format!("/api/v1/spaces/evening/invites/{invite}/link"),
        Value::Null,
    )
    .await
    .problem(403, "invitation-revoked");
    node.guest("evening", "speaker").await;
}

#[tokio::test]
async fn a_token_minted_outside_is_listed_and_can_be_revoked() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path()).await;
    node.space("evening").await;
    let now = node.app.clock.wall();
    let space = SpaceId::parse("evening").unwrap();
    let token = node
        .app
        .keys
        .mint(
            "Encoder",
            TokenRole::Speaker,
            Some(space),
            None,
            now.0 / 1_000 + 600,
            now,
        )
        .unwrap();
    let me = |token: String| {
        let node = &node;
        async move {
            node.bearer(
                &token,
                Method::GET,
                "/api/v1/spaces/evening/me",
                Value::Null,
            )
            .await
        }
    };
    let first = me(token.clone()).await;
    assert_eq!(
        (first.text("name"), first.text("role")),
        ("Encoder", "speaker")
    );
    assert_eq!(me(token.clone()).await.text("person"), first.text("person"));
    let invites = node
        .operate(Method::GET, "/api/v1/spaces/evening/invites", Value::Null)
        .await;
    let invite = invites.body["invites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["name"] == "Encoder")
        .unwrap()["invite"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        node.operate(
            Method::DELETE,
            &format!("/api/v1/spaces/evening/invites/{invite}"),
            Value::Null
        )
        .await
        .status,
        204
    );
    me(token).await.problem(403, "invitation-revoked");
}
