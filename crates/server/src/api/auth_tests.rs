//! Keys, tokens and sessions by themselves.

use hustings_control::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use hustings_control::spaces::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use std::path::Path;

use super::auth::*;
use super::claims::ISSUER;
use super::secrets;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn space() -> SpaceId {
    SpaceId::parse("evening").unwrap()
}

#[test]
fn an_invitation_survives_the_way_and_ends_with_its_time() {
    let data = tempfile::tempdir().unwrap();
    let keys = Keys::open(data.path()).unwrap();
    let token = keys
        .mint_invite(
            &space(),
            InviteId(0xbeef),
            Role::Speaker,
            Some(UnixMillis(NOW.0 + 5_000)),
            NOW,
        )
        .unwrap();
    let claims = keys.verify(&token, NOW).unwrap();
    assert_eq!(
        (claims.invite_id(), claims.space, claims.role),
        (Some(InviteId(0xbeef)), Some(space()), TokenRole::Speaker)
    );
    assert_eq!(
        keys.verify(&token, UnixMillis(NOW.0 + 5_000)),
        Err(AuthError::Expired)
    );
    assert!(keys.verify(&token, UnixMillis(NOW.0 + 3_999)).is_ok());
}

#[test]
fn foreign_and_altered_tokens_are_forged() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (Keys::open(a.path()).unwrap(), Keys::open(b.path()).unwrap());
    assert_eq!(
        ours.verify(&theirs.mint_operator(NOW).unwrap(), NOW),
        Err(AuthError::Forged)
    );
    let token = ours.mint_operator(NOW).unwrap();
    let altered = format!("{}AAAA", &token[..token.len() - 4]);
    assert_eq!(ours.verify(&altered, NOW), Err(AuthError::Forged));
    assert_eq!(ours.verify("nonsense", NOW), Err(AuthError::Malformed));
    assert_eq!(
        ours.verify(&"a".repeat(5_000), NOW),
        Err(AuthError::Malformed)
    );
}

#[test]
fn a_session_is_no_token_and_a_token_no_session() {
    let data = tempfile::tempdir().unwrap();
    let keys = Keys::open(data.path()).unwrap();
    let cookie = keys
        .sign_session(&Session::of_person(
            space(),
            PersonId(7),
            TokenRole::Host,
            NOW,
        ))
        .unwrap();
    assert_eq!(
        keys.verify_session(&cookie, NOW).unwrap().person(),
        Some(PersonId(7))
    );
    assert!(keys.verify(&cookie, NOW).is_err());
    assert!(
        keys.verify_session(&keys.mint_operator(NOW).unwrap(), NOW)
            .is_err()
    );
}

#[test]
fn keys_and_the_operators_token_are_private_and_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let first = Keys::open(data.path()).unwrap();
    let token = std::fs::read_to_string(first.operator_file()).unwrap();
    let second = Keys::open(data.path()).unwrap();
    assert_eq!(
        std::fs::read_to_string(second.operator_file()).unwrap(),
        token
    );
    assert!(
        second
            .verify(&token, crate::clock::Clock::start().wall())
            .is_ok()
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.path().join("keys")), 0o700);
    assert_eq!(mode(&data.path().join("keys/node.key")), 0o600);
    assert_eq!(mode(first.operator_file()), 0o600);
}

#[test]
fn an_integrators_key_verifies_by_its_name() {
    let data = tempfile::tempdir().unwrap();
    Keys::open(data.path()).unwrap();
    secrets::write(&data.path().join("keys/press.key"), &"ab".repeat(32)).unwrap();
    let keys = Keys::read(data.path()).unwrap();
    let claims = Claims {
        iss: ISSUER.into(),
        sub: "Ada".into(),
        role: TokenRole::Speaker,
        space: Some(space()),
        invite: None,
        exp: NOW.0 / 1_000 + 60,
        iat: NOW.0 / 1_000,
        jti: "j1".into(),
    };
    let header = Header {
        kid: Some("press".into()),
        ..Header::new(Algorithm::HS256)
    };
    let token =
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&[0xab; 32])).unwrap();
    assert_eq!(keys.verify(&token, NOW).unwrap(), claims);
    assert_eq!(
        claims.invite_id(),
        Claims {
            sub: "Eve".into(),
            ..claims.clone()
        }
        .invite_id()
    );
}
