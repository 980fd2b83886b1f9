//! What a node says when it is up.

use hustings_control::ids::InviteId;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command as SpaceCommand, Role};

use super::Node;
use crate::api::auth;

impl Node {
    /// Says where everything is. The link of a first space is shown once: whoever has it is host.
    pub(super) async fn greet(&self) -> anyhow::Result<()> {
        let public = &self.app.public_url;
        println!("Hustings is up.");
        println!("  Page:            {public}/");
        if self.config.demo {
            println!(
                "  Demo space:      {public}/s/demo   (two synthetic voices; or: ffplay {public}/s/demo/live.ogg)"
            );
        }
        if self.fresh {
            println!("  Your first space: {}", self.first_space().await?);
        }
        println!("  Studio:          {}/studio", self.app.stage_url);
        println!(
            "  Operator token:  in {} (paste it into the studio)",
            self.app.keys.operator_file().display()
        );
        let scheme = if self.config.operator_tls {
            "https"
        } else {
            "http"
        };
        let operator = format!("{scheme}://{}", self.operator_listener.address);
        println!("  Board:           {operator}/board   (the same token)");
        println!("  Metrics, health: {operator}/metrics");
        if self.config.listen.ip().is_loopback() {
            println!(
                "Only this machine can reach it. For others: --listen 0.0.0.0:443 --stage 0.0.0.0:8443 --media 0.0.0.0:8081"
            );
            println!(
                "  --public-url https://your.name --tls-cert FILE --tls-key FILE (browsers open microphones on https only)."
            );
        }
        Ok(())
    }

    async fn first_space(&self) -> anyhow::Result<String> {
        let draft = Draft {
            title: "Your first space".into(),
            listed: true,
            record: true,
            ..Draft::default()
        };
        let space = self.app.desk.create(Actor::Operator, None, draft).await?;
        let invite = InviteId(auth::draw()?);
        let invitation = SpaceCommand::Invite {
            invite,
            role: Role::Host,
            name: "Host".into(),
            expires_at: None,
        };
        self.app
            .desk
            .command(&space.id, Actor::Operator, invitation)
            .await?;
        let token = self.app.keys.mint_invite(
            &space.id,
            invite,
            Role::Host,
            None,
            self.app.clock.wall(),
        )?;
        Ok(format!(
            "{}/studio/{}#token={token}",
            self.app.stage_url, space.id
        ))
    }
}
