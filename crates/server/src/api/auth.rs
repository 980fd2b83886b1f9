//! Tokens: signed claims (JWT, HS256) of operators, integrators and invitations; and the sessions that cookies carry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hustings_control::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use hustings_control::spaces::Role;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::secrets;

const ISSUER: &str = "hustings";
const SESSION_ISSUER: &str = "hustings-session";
/// The key that this node signs with. Other `*.key` files of the folder belong to integrators and are only verified with.
const OWN_KEY: &str = "node";
/// Bytes. Longer tokens are refused before they are decoded; ours have about 350.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Seconds. Life of an operator's token; it is made anew at a start when less than a tenth is left.
pub const OPERATOR_TTL_S: u64 = 400 * 24 * 3_600;
/// Seconds. Life of an invitation's token when the invitation has no end of its own.
pub const INVITE_TTL_S: u64 = 400 * 24 * 3_600;
/// Seconds. Life of a signed-in browser, for a space and for the node.
pub const SESSION_TTL_S: u64 = 7 * 24 * 3_600;
/// Keys that a node loads; more files are an error at the start, for each costs nothing but attention.
const KEYS_MAX: usize = 64;

/// What a token lets its bearer be. Without a space, `Operator` and `Host` hold for the whole node.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRole {
    Operator,
    Host,
    CoHost,
    Speaker,
    Listener,
}

impl TokenRole {
    pub const fn in_space(self) -> Role {
        match self {
            Self::Operator | Self::Host => Role::Host,
            Self::CoHost => Role::CoHost,
            Self::Speaker => Role::Speaker,
            Self::Listener => Role::Listener,
        }
    }
}

impl From<Role> for TokenRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Host => Self::Host,
            Role::CoHost => Self::CoHost,
            Role::Speaker => Self::Speaker,
            Role::Listener => Self::Listener,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    /// A name for people: of the bearer, or of the integration.
    #[serde(default)]
    pub sub: String,
    pub role: TokenRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceId>,
    /// The invitation (16 hex digits) that this token shows. Tokens minted outside have none; their `jti` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// Seconds since the epoch.
    pub exp: u64,
    pub iat: u64,
    pub jti: String,
}

impl Claims {
    /// The invitation behind the token: named by it, or, for tokens minted outside, derived from its `jti`, so that
    /// those can be listed and revoked as well.
    pub fn invite_id(&self) -> Option<InviteId> {
        match &self.invite {
            Some(hex) => parse_hex(hex).map(InviteId),
            None => Some(InviteId(derived(
                "hustings invitation of a minted token v1",
                &self.jti,
            ))),
        }
    }

    /// Who a bearer without a cookie is: the same person each time, so that an encoder comes back to its seat.
    pub fn person_id(&self) -> PersonId {
        PersonId(derived("hustings person of a bearer token v1", &self.jti))
    }
}

/// Who a cookie says somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    iss: String,
    /// Absent: the session is for the whole node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    pub role: TokenRole,
    pub exp: u64,
}

impl Session {
    pub fn of_person(space: SpaceId, person: PersonId, role: TokenRole, now: UnixMillis) -> Self {
        Self {
            iss: SESSION_ISSUER.to_owned(),
            space: Some(space),
            person: Some(hex(person.0)),
            role,
            exp: now.0 / 1_000 + SESSION_TTL_S,
        }
    }

    /// Never outlives the token that was shown for it.
    pub fn of_node(claims: &Claims, now: UnixMillis) -> Self {
        let exp = claims.exp.min(now.0 / 1_000 + SESSION_TTL_S);
        Self {
            iss: SESSION_ISSUER.to_owned(),
            space: None,
            person: None,
            role: claims.role,
            exp,
        }
    }

    pub fn person(&self) -> Option<PersonId> {
        self.person.as_deref().and_then(parse_hex).map(PersonId)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error(
        "this needs a token or a signed-in browser: open your invitation's link, or send `Authorization: Bearer`"
    )]
    Missing,
    #[error("the token cannot be read; copy the whole link or token")]
    Malformed,
    #[error("the token's signature is not of this installation")]
    Forged,
    #[error("the token has run out; ask for a new link")]
    Expired,
    #[error("the token's role does not allow this: {0} is needed")]
    WrongRole(&'static str),
    #[error("the token is for another space")]
    WrongSpace,
    #[error("you are not, or no longer, among the people of this space")]
    NotAmong,
    #[error(
        "the request came from another site, or does not tell where from (Origin); it was not carried out"
    )]
    CrossSite,
}

struct Key {
    sign: EncodingKey,
    verify: DecodingKey,
}

impl Key {
    fn new(secret: &[u8]) -> Self {
        Self {
            sign: EncodingKey::from_secret(secret),
            verify: DecodingKey::from_secret(secret),
        }
    }
}

pub struct Keys {
    keys: BTreeMap<String, Key>,
    session: Key,
    operator_file: PathBuf,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("ids", &self.keys.keys())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Makes `keys/` (0700, files 0600) when missing; writes the operator's token to `operator-token` beside it.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("keys");
        secrets::make_folder(&folder)?;
        let own = folder.join(format!("{OWN_KEY}.key"));
        if !own.exists() {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)
                .map_err(|e| anyhow::anyhow!("the system gives no randomness: {e}"))?;
            secrets::write(&own, &format!("{}\n", secrets::to_hex(&secret)))?;
        }
        let keys = Self::read(data)?;
        keys.refresh_operator_token(crate::clock::Clock::start().wall())?;
        Ok(keys)
    }

    /// Reads keys that are there already; makes nothing. For commands beside a node.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("keys");
        let mut keys = BTreeMap::new();
        let mut session = None;
        let files = std::fs::read_dir(&folder).with_context(|| {
            format!(
                "no keys in {}: start `hustings serve` once with this --data",
                folder.display()
            )
        })?;
        for file in files {
            let path = file?.path();
            let (Some(id), Some("key")) = (
                path.file_stem().and_then(|s| s.to_str()),
                path.extension().and_then(|e| e.to_str()),
            ) else {
                continue;
            };
            anyhow::ensure!(
                keys.len() < KEYS_MAX,
                "more than {KEYS_MAX} keys in {}; remove old ones",
                folder.display()
            );
            let secret = secrets::read_key(&path)?;
            if id == OWN_KEY {
                session = Some(Key::new(&blake3::derive_key(
                    "hustings session cookies v1",
                    &secret,
                )));
            }
            keys.insert(id.to_owned(), Key::new(&secret));
        }
        let session = session.with_context(|| {
            format!(
                "{} holds no {OWN_KEY}.key: start `hustings serve` once with this --data",
                folder.display()
            )
        })?;
        Ok(Self {
            keys,
            session,
            operator_file: data.join("operator-token"),
        })
    }

    /// Where the operator's token lies.
    pub fn operator_file(&self) -> &Path {
        &self.operator_file
    }

    pub fn mint_operator(&self, now: UnixMillis) -> anyhow::Result<String> {
        self.mint(
            "operator",
            TokenRole::Operator,
            None,
            None,
            now.0 / 1_000 + OPERATOR_TTL_S,
            now,
        )
    }

    /// The token of an invitation, for its link. It ends with the invitation.
    pub fn mint_invite(
        &self,
        space: &SpaceId,
        invite: InviteId,
        role: Role,
        expires_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> anyhow::Result<String> {
        let exp = expires_at.map_or(now.0 / 1_000 + INVITE_TTL_S, |at| at.0 / 1_000);
        self.mint("", role.into(), Some(space.clone()), Some(invite), exp, now)
    }

    /// Any token, as `hustings token` makes them.
    pub fn mint(
        &self,
        sub: &str,
        role: TokenRole,
        space: Option<SpaceId>,
        invite: Option<InviteId>,
        exp: u64,
        now: UnixMillis,
    ) -> anyhow::Result<String> {
        let own = self
            .keys
            .get(OWN_KEY)
            .context("the node's own key is missing")?;
        let jti = hex(draw()?);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: sub.to_owned(),
            role,
            space,
            invite: invite.map(|i| hex(i.0)),
            exp,
            iat: now.0 / 1_000,
            jti,
        };
        let header = Header {
            kid: Some(OWN_KEY.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        Ok(jsonwebtoken::encode(&header, &claims, &own.sign)?)
    }

    pub fn verify(&self, token: &str, now: UnixMillis) -> Result<Claims, AuthError> {
        let token = token.trim();
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
        let key = self
            .keys
            .get(header.kid.as_deref().unwrap_or(OWN_KEY))
            .ok_or(AuthError::Forged)?;
        let claims: Claims = decode(token, key, ISSUER)?;
        if claims.exp <= now.0 / 1_000 {
            Err(AuthError::Expired)
        } else {
            Ok(claims)
        }
    }

    pub fn sign_session(&self, session: &Session) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            session,
            &self.session.sign,
        )?)
    }

    pub fn verify_session(&self, cookie: &str, now: UnixMillis) -> Result<Session, AuthError> {
        if cookie.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Malformed);
        }
        let session: Session = decode(cookie, &self.session, SESSION_ISSUER)?;
        if session.exp <= now.0 / 1_000 {
            Err(AuthError::Expired)
        } else {
            Ok(session)
        }
    }

    fn refresh_operator_token(&self, now: UnixMillis) -> anyhow::Result<()> {
        let fresh_until = UnixMillis(now.0 + OPERATOR_TTL_S * 1_000 / 10);
        let good = std::fs::read_to_string(&self.operator_file)
            .is_ok_and(|token| self.verify(&token, fresh_until).is_ok());
        if good {
            Ok(())
        } else {
            secrets::write(
                &self.operator_file,
                &format!("{}\n", self.mint_operator(now)?),
            )
        }
    }
}

/// Signature and issuer; the caller compares the end with its own clock.
fn decode<T: serde::de::DeserializeOwned>(
    token: &str,
    key: &Key,
    issuer: &str,
) -> Result<T, AuthError> {
    use jsonwebtoken::errors::ErrorKind;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["iss", "exp"]);
    jsonwebtoken::decode(token, &key.verify, &validation)
        .map(|data| data.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature
            | ErrorKind::InvalidAlgorithm
            | ErrorKind::InvalidIssuer => AuthError::Forged,
            _ => AuthError::Malformed,
        })
}

/// Sixteen hex digits: how ids of people and invitations stand in JSON.
pub fn hex(id: u64) -> String {
    format!("{id:016x}")
}

pub fn parse_hex(text: &str) -> Option<u64> {
    let fits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// A new id of a person or an invitation.
pub fn draw() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|e| anyhow::anyhow!("the system gives no randomness: {e}"))
}

fn derived(context: &str, jti: &str) -> u64 {
    let key = blake3::derive_key(context, jti.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&key[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ours.verify(&"a".repeat(TOKEN_BYTES_MAX + 1), NOW),
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
}
