//! Tokens: signed claims (JWT, HS256) of operators, integrators and invitations; and the sessions that cookies carry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hustings_control::ids::{InviteId, SpaceId, UnixMillis};
use hustings_control::spaces::Role;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

pub use super::claims::{
    AuthError, Claims, SESSION_TTL_S, Session, TokenRole, draw, hex, parse_hex,
};
use super::claims::{ISSUER, SESSION_ISSUER};
use super::secrets;
use crate::rehearsal::PermitKey;

/// The key that this node signs with. Other `*.key` files of the folder belong to integrators and are only verified with.
const OWN_KEY: &str = "node";
/// Bytes. Longer tokens are refused before they are decoded; ours have about 350.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Seconds. Life of an operator's token; it is made anew at a start when less than a tenth is left.
pub const OPERATOR_TTL_S: u64 = 400 * 24 * 3_600;
/// Seconds. Life of an invitation's token when the invitation has no end of its own.
pub const INVITE_TTL_S: u64 = 400 * 24 * 3_600;
/// Keys that a node loads; more files are an error at the start, for each costs nothing but attention.
const KEYS_MAX: usize = 64;
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
    permits: PermitKey,
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
        let mut own = None;
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
                let session = blake3::derive_key("hustings session cookies v1", &secret);
                own = Some((Key::new(&session), PermitKey::of(&secret)));
            }
            keys.insert(id.to_owned(), Key::new(&secret));
        }
        let (session, permits) = own.with_context(|| {
            format!(
                "{} holds no {OWN_KEY}.key: start `hustings serve` once with this --data",
                folder.display()
            )
        })?;
        Ok(Self {
            keys,
            session,
            permits,
            operator_file: data.join("operator-token"),
        })
    }

    /// What permits of rehearsals are sealed with.
    pub fn permits(&self) -> &PermitKey {
        &self.permits
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
        let exp = invite_ends_s(expires_at, now);
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

/// Unix seconds until which a link that is made now is good.
pub(super) fn invite_ends_s(expires_at: Option<UnixMillis>, now: UnixMillis) -> u64 {
    expires_at.map_or(now.0 / 1_000 + INVITE_TTL_S, |at| at.0 / 1_000)
}
