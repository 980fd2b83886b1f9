//! What tokens and cookies say, and why they are refused.

use hustings_control::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use hustings_control::spaces::Role;
use serde::{Deserialize, Serialize};

pub(super) const ISSUER: &str = "hustings";
pub(super) const SESSION_ISSUER: &str = "hustings-session";
/// Seconds. Life of a signed-in browser, for a space and for the node.
pub const SESSION_TTL_S: u64 = 7 * 24 * 3_600;

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
