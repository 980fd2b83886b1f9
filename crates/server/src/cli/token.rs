//! `hustings token`: tokens for people, encoders and integrations, signed with the node's key.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use hustings_control::ids::SpaceId;

use crate::api::auth::{Keys, TokenRole, draw, hex};
use crate::clock::Clock;
use crate::rehearsal::{Permit, target_of};

/// Mint a signed token. With --space it is an invitation to that space (it can be revoked there); without, --role
/// operator or host holds for the whole node.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenCommand {
    /// What the bearer may do.
    #[arg(long, value_enum, required_unless_present = "rehearsal")]
    pub role: Option<TokenRole>,
    /// A permit for `hustings rehearse` instead: it needs --target, --rate and --people, and holds a day at most.
    #[arg(long, conflicts_with_all = ["role", "space"], requires_all = ["target", "rate", "people"])]
    pub rehearsal: bool,
    /// URL of this node's public listener, as --public-url says it: the only one that the permit is good for.
    #[arg(long, value_name = "URL", requires = "rehearsal")]
    pub target: Option<String>,
    /// Requests a second of all drivers together.
    #[arg(long, requires = "rehearsal")]
    pub rate: Option<u32>,
    /// Listeners at once.
    #[arg(long, requires = "rehearsal")]
    pub people: Option<u32>,
    /// How long from now it does not hold yet, such as 2h.
    #[arg(long, value_name = "TIME", requires = "rehearsal", value_parser = parse_ttl)]
    pub begins_in: Option<Duration>,
    /// The space's id.
    #[arg(long)]
    pub space: Option<String>,
    /// The bearer's name.
    #[arg(long, default_value = "")]
    pub name: String,
    /// How long it holds: a number and s, m, h or d, such as 12h. Default: 30d; a permit 2h.
    #[arg(long, value_parser = parse_ttl)]
    pub ttl: Option<Duration>,
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
        let Some(role) = self.role else {
            return self.permit(clock);
        };
        let space = self
            .space
            .as_deref()
            .map(SpaceId::parse)
            .transpose()
            .context("--space")?;
        let whole_node = matches!(role, TokenRole::Operator | TokenRole::Host);
        anyhow::ensure!(
            whole_node || space.is_some(),
            "a speaker's or listener's token is for one space: name it with --space"
        );
        let now = clock.wall();
        let exp = now.0 / 1_000 + self.ttl.unwrap_or(TTL).as_secs();
        let token =
            Keys::read(&self.data)?.mint(&self.name, role, space.clone(), None, exp, now)?;
        if self.json {
            let told = serde_json::json!({ "token": token, "role": role, "space": space, "expires_at": exp.saturating_mul(1_000) });
            return Ok(format!("{told}\n"));
        }
        Ok(format!("{token}\n"))
    }

    fn permit(&self, clock: Clock) -> anyhow::Result<String> {
        let (Some(url), Some(rate), Some(people)) = (&self.target, self.rate, self.people) else {
            anyhow::bail!("a permit needs --target, --rate and --people");
        };
        let target = target_of(url).with_context(|| {
            format!("--target {url:?} is no URL such as https://live.example.org")
        })?;
        let begins_s = clock.wall().0 / 1_000 + self.begins_in.unwrap_or_default().as_secs();
        let ends_s = begins_s + self.ttl.unwrap_or(PERMIT_TTL).as_secs();
        let permit = Permit {
            id: draw()?,
            target,
            from_s: u32::try_from(begins_s)?,
            until_s: u32::try_from(ends_s)?,
            rate,
            people,
        };
        let text = Keys::read(&self.data)?.permits().seal(&permit)?;
        if self.json {
            let told = serde_json::json!({ "permit": text, "id": hex(permit.id), "target": permit.target, "from_s": begins_s, "until_s": ends_s, "rate": rate, "people": people });
            return Ok(format!("{told}\n"));
        }
        Ok(format!("{text}\n"))
    }
}

/// How long a token, and a permit, holds unless it is said.
const TTL: Duration = Duration::from_secs(30 * 24 * 3_600);
const PERMIT_TTL: Duration = Duration::from_secs(2 * 3_600);

/// Longest life of a token; more is surely a slip.
const TTL_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3_600);

pub(crate) fn parse_ttl(text: &str) -> Result<Duration, String> {
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
            role: Some(TokenRole::Speaker),
            space: Some("evening".into()),
            name: "Ada".into(),
            ttl: Some(Duration::from_secs(60)),
            rehearsal: false,
            target: None,
            rate: None,
            people: None,
            begins_in: None,
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
                ..command.clone()
            }
            .output(clock)
            .is_err(),
            "speakers speak in a space"
        );
        let permit = TokenCommand {
            role: None,
            space: None,
            rehearsal: true,
            target: Some("https://live.example.org".into()),
            rate: Some(300),
            people: Some(2_000),
            ..command
        };
        let text = permit.output(clock).unwrap();
        let opened = keys.permits().open(text.trim().as_bytes()).unwrap();
        assert_eq!(opened.target, "live.example.org:443");
        assert_eq!(opened.until_s - opened.from_s, 60);
        let days = TokenCommand {
            ttl: Some(Duration::from_secs(7 * 24 * 3_600)),
            ..permit
        };
        assert!(days.output(clock).is_err(), "a permit is for an evening");
    }
}
