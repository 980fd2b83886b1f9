//! `hustings token`: tokens for people, encoders and integrations, signed with the node's key.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use hustings_control::ids::SpaceId;

use crate::api::auth::{Keys, TokenRole};
use crate::clock::Clock;

/// Mint a signed token. With --space it is an invitation to that space (it can be revoked there); without, --role
/// operator or host holds for the whole node.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenCommand {
    /// What the bearer may do.
    #[arg(long, value_enum)]
    pub role: TokenRole,
    /// The space's id.
    #[arg(long)]
    pub space: Option<String>,
    /// The bearer's name.
    #[arg(long, default_value = "")]
    pub name: String,
    /// How long it holds: a number and s, m, h or d, such as 12h.
    #[arg(long, default_value = "30d", value_parser = parse_ttl)]
    pub ttl: Duration,
    /// The node's data folder; its keys lie there.
    #[arg(long, default_value = "./hustings-data")]
    pub data: PathBuf,
    /// Print JSON instead of the bare token.
    #[arg(long)]
    pub json: bool,
}

impl TokenCommand {
    pub fn run(&self) -> anyhow::Result<()> {
        print!("{}", self.output(Clock::start())?);
        Ok(())
    }

    fn output(&self, clock: Clock) -> anyhow::Result<String> {
        let space = self
            .space
            .as_deref()
            .map(SpaceId::parse)
            .transpose()
            .context("--space")?;
        let whole_node = matches!(self.role, TokenRole::Operator | TokenRole::Host);
        anyhow::ensure!(
            whole_node || space.is_some(),
            "a speaker's or listener's token is for one space: name it with --space"
        );
        let now = clock.wall();
        let exp = now.0 / 1_000 + self.ttl.as_secs();
        let token =
            Keys::read(&self.data)?.mint(&self.name, self.role, space.clone(), None, exp, now)?;
        if self.json {
            let told = serde_json::json!({ "token": token, "role": self.role, "space": space, "expires_at": exp.saturating_mul(1_000) });
            return Ok(format!("{told}\n"));
        }
        Ok(format!("{token}\n"))
    }
}

/// Longest life of a token; more is surely a slip.
const TTL_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3_600);

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let told = || format!("{text:?} is no time: write a number and s, m, h or d, such as 12h");
    let unit = text.chars().last().ok_or_else(told)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 24 * 3_600,
        _ => return Err(told()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| told())?;
    let ttl = number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(told)?;
    if ttl.is_zero() || ttl > TTL_MAX {
        Err("a token holds for 1 s to 10 years".to_owned())
    } else {
        Ok(ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(parse_ttl("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_ttl("2d"), Ok(Duration::from_secs(172_800)));
        for bad in [
            "",
            "d",
            "12",
            "-1h",
            "0s",
            "99999d",
            "99999999999999999999d",
            "3é",
        ] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_minted_token_verifies_with_the_nodes_keys() {
        let data = tempfile::tempdir().unwrap();
        let command = TokenCommand {
            role: TokenRole::Speaker,
            space: Some("evening".into()),
            name: "Ada".into(),
            ttl: Duration::from_secs(60),
            data: data.path().to_owned(),
            json: false,
        };
        let clock = Clock::start();
        assert!(
            command.output(clock).is_err(),
            "there are no keys before the first start"
        );
        let keys = Keys::open(data.path()).unwrap();
        let claims = keys
            .verify(&command.output(clock).unwrap(), clock.wall())
            .unwrap();
        assert_eq!(
            (claims.role, claims.sub.as_str()),
            (TokenRole::Speaker, "Ada")
        );
        assert!(
            TokenCommand {
                space: None,
                ..command
            }
            .output(clock)
            .is_err(),
            "speakers speak in a space"
        );
    }
}
