//! Who asks: by bearer token or by cookie, for the node or in one space.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use hustings_control::ids::{InviteId, PersonId};
use hustings_control::spaces::space::Person;
use hustings_control::spaces::{Actor, Command, Recorded, Refusal, Role};

use super::App;
use super::auth::{AuthError, Claims, TokenRole, parse_hex};
use super::cookies::{Kind, cookie, cookie_name};
use super::door::{Door, guard};
use super::problem::{Answer, Problem};
use super::rights::{Nobody, bearer, befriend, may_speak, node_role, node_session};
use crate::desk::DeskError;
use crate::live::SpaceHandle;

/// Somebody with rights on the whole node, or nobody (with the reason).
pub(super) struct OnNode {
    pub(super) app: App,
    pub(super) role: Result<TokenRole, AuthError>,
}

impl OnNode {
    /// Operators and hosts of the node make and list spaces.
    pub(super) fn needed(&self) -> Answer<TokenRole> {
        Ok(self.role?)
    }
}

impl FromRequestParts<Door> for OnNode {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Answer<Self> {
        let app = door.app.clone();
        let role = if let Some(token) = bearer(&parts.headers)? {
            node_role(&app.keys.verify(token, app.clock.wall())?)
        } else {
            guard(
                &app,
                &parts.method,
                parts.extensions.get::<MatchedPath>(),
                &parts.headers,
            )?;
            node_session(&app, &parts.headers)
        };
        match role {
            Ok(_) => befriend(parts),
            Err(why) => {
                parts.extensions.insert(Nobody(why));
            }
        }
        Ok(Self { app, role })
    }
}

/// A request about one space that exists, and who makes it.
pub(super) struct InSpace {
    pub(super) app: App,
    pub(super) space: Arc<SpaceHandle>,
    /// A node-wide role, or an operator's token for this space.
    pub(super) node: Option<TokenRole>,
    pub(super) person: Option<PersonId>,
    /// The path's other name: of a person, an invitation or a session; empty when it has none.
    pub(super) param: String,
    /// Why nobody was recognised.
    why: AuthError,
}

impl FromRequestParts<Door> for InSpace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Answer<Self> {
        let app = door.app.clone();
        let params = RawPathParams::from_request_parts(parts, door)
            .await
            .map_err(|_| Problem::unknown_space())?;
        let id = params
            .iter()
            .find(|(name, _)| *name == "id")
            .map(|(_, id)| id)
            .unwrap_or_default();
        let space = app
            .directory
            .by_text(id)
            .ok_or_else(Problem::unknown_space)?;
        let param = params
            .iter()
            .find(|(name, _)| *name != "id")
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default();
        let mut at = Self {
            app,
            space,
            node: None,
            person: None,
            param,
            why: AuthError::Missing,
        };
        if let Some(token) = bearer(&parts.headers)? {
            at.by_token(token).await?;
        } else {
            guard(
                &at.app,
                &parts.method,
                parts.extensions.get::<MatchedPath>(),
                &parts.headers,
            )?;
            at.by_cookies(&parts.headers);
        }
        if at.node.is_some() || at.me().is_some_and(|me| may_speak(&me)) {
            befriend(parts);
        }
        if at.node.is_none() && at.person.is_none() {
            parts.extensions.insert(Nobody(at.why));
        }
        Ok(at)
    }
}

impl InSpace {
    /// Who the audit trail names: the person, unless only the node-wide role allows what hosts do.
    pub(super) fn actor(&self) -> Answer<Actor> {
        let managing = self.role() >= Some(Role::CoHost);
        match (self.person, self.node) {
            (Some(person), _) if managing => Ok(Actor::Person(person)),
            (_, Some(_)) => Ok(Actor::Operator),
            (Some(person), None) => Ok(Actor::Person(person)),
            (None, None) => Err(self.why.into()),
        }
    }

    /// Role of the person in the space, banned or unknown people having none.
    pub(super) fn role(&self) -> Option<Role> {
        self.person
            .and_then(|person| self.space.snapshot.load().role_of(Actor::Person(person)))
    }

    pub(super) fn manages(&self) -> bool {
        self.node.is_some() || self.role() >= Some(Role::CoHost)
    }

    /// For reading what only managers see.
    pub(super) fn needs_manager(&self) -> Answer<()> {
        self.actor()?;
        if self.manages() {
            Ok(())
        } else {
            Err(AuthError::WrongRole("host or co-host").into())
        }
    }

    /// For reading the studio: who speaks, or may.
    pub(super) fn needs_stage(&self) -> Answer<()> {
        self.actor()?;
        let may = self.me().is_some_and(|me| may_speak(&me));
        if self.node.is_some() || may {
            Ok(())
        } else {
            Err(AuthError::WrongRole("speaker").into())
        }
    }

    pub(super) fn needs_person(&self) -> Answer<PersonId> {
        match (self.person, self.node) {
            (Some(person), _) => Ok(person),
            (None, Some(_)) => {
                Err(AuthError::WrongRole("a person's invitation, not an operator's token,").into())
            }
            (None, None) => Err(self.why.into()),
        }
    }

    /// The person that the path names; `me` is whoever asks.
    pub(super) fn named(&self) -> Answer<PersonId> {
        if self.param == "me" {
            self.needs_person()
        } else {
            parse_hex(&self.param)
                .map(PersonId)
                .ok_or_else(|| Problem::unknown("person"))
        }
    }

    pub(super) fn me(&self) -> Option<Person> {
        let space = self.space.snapshot.load();
        self.person
            .and_then(|person| space.people.get(&person).cloned())
    }

    pub(super) async fn command(&self, command: Command) -> Answer<Vec<Recorded>> {
        let by = self.actor()?;
        Ok(self.app.desk.command(&self.space.id, by, command).await?)
    }

    /// Shows the invitation behind a token: `person` gets its role. An invitation minted outside is written down first,
    /// so that it is listed and can be revoked.
    pub(super) async fn enter(
        &self,
        claims: &Claims,
        person: PersonId,
        name: Option<String>,
    ) -> Answer<()> {
        let invite = claims.invite_id().ok_or(AuthError::Malformed)?;
        self.know(claims, invite).await?;
        let desk = &self.app.desk;
        match desk
            .command(
                &self.space.id,
                Actor::Person(person),
                Command::Enter {
                    person,
                    invite,
                    name,
                },
            )
            .await
        {
            Ok(_) | Err(DeskError::Refused(Refusal::Already { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn know(&self, claims: &Claims, invite: InviteId) -> Answer<()> {
        if claims.invite.is_some() || self.space.snapshot.load().invites.contains_key(&invite) {
            return Ok(());
        }
        let expires_at = Some(hustings_control::ids::UnixMillis(
            claims.exp.saturating_mul(1_000),
        ));
        let command = Command::Invite {
            invite,
            role: claims.role.in_space(),
            name: claims.sub.clone(),
            expires_at,
        };
        match self
            .app
            .desk
            .command(&self.space.id, Actor::Operator, command)
            .await
        {
            // Two requests with the same new token: the other one was first.
            Ok(_) | Err(DeskError::Refused(Refusal::Already { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn by_token(&mut self, token: &str) -> Answer<()> {
        let claims = self.app.keys.verify(token, self.app.clock.wall())?;
        match &claims.space {
            None => self.node = Some(node_role(&claims)?),
            Some(space) if *space != self.space.id => return Err(AuthError::WrongSpace.into()),
            Some(_) if claims.role == TokenRole::Operator => self.node = Some(TokenRole::Operator),
            Some(_) => {
                let person = claims.person_id();
                self.enter(&claims, person, None).await?;
                self.person = Some(person);
            }
        }
        Ok(())
    }

    fn by_cookies(&mut self, headers: &HeaderMap) {
        self.node = node_session(&self.app, headers).ok();
        for kind in [Kind::Studio, Kind::Hand] {
            let session = cookie(headers, &cookie_name(&self.app, kind, Some(&self.space.id)))
                .ok_or(AuthError::Missing)
                .and_then(|value| self.app.keys.verify_session(value, self.app.clock.wall()))
                .and_then(|session| {
                    if session.space.as_ref() == Some(&self.space.id) {
                        Ok(session)
                    } else {
                        Err(AuthError::WrongSpace)
                    }
                })
                .and_then(|session| session.person().ok_or(AuthError::Malformed))
                .and_then(|person| {
                    if self.space.snapshot.load().people.contains_key(&person) {
                        Ok(person)
                    } else {
                        Err(AuthError::NotAmong)
                    }
                });
            match session {
                Ok(person) => {
                    self.person = Some(person);
                    return;
                }
                Err(AuthError::Missing) => {}
                Err(why) => self.why = why,
            }
        }
    }
}
