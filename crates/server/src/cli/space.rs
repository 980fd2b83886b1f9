//! `hustings space`: spaces of a running node, by its API.

use hyper::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::NodeArgs;
use super::client::call;

const UNTIL: &[FormatItem<'static>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");

/// Make, list and run spaces of a running node.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum SpaceCommand {
    /// Make a space; prints the host's link.
    Create {
        title: String,
        /// 3 to 64 characters of a-z, 0-9 and '-'; drawn when left out.
        #[arg(long)]
        id: Option<String>,
        /// A sentence or two for its page.
        #[arg(long, default_value = "")]
        description: String,
        /// When it starts, such as 2030-05-01T20:00:00+02:00.
        #[arg(long, value_parser = parse_time)]
        starts_at: Option<u64>,
        /// Not shown on the front page; only the link leads there.
        #[arg(long)]
        unlisted: bool,
        /// Nothing of it is kept, so there is no replay.
        #[arg(long)]
        no_recording: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// All spaces, newest first.
    List {
        #[command(flatten)]
        node: NodeArgs,
    },
    /// One space.
    Show {
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Open the doors: hold music plays.
    Open {
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Go live.
    Live {
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// End it for everybody.
    End {
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Call it off before it was live.
    Cancel {
        id: String,
        /// Why, for its page.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Invite somebody; prints the link alone on a line, and beside it, on stderr, whom it is for and until when.
    Invite {
        id: String,
        /// host, co-host, speaker or listener.
        #[arg(long, default_value = "speaker")]
        role: String,
        /// The name they come in under; a host can change it.
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// The audit trail.
    Log {
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
}

/// How an answer is told to people.
type Words = fn(&Value) -> String;
type Asked = (NodeArgs, Method, String, Option<Value>, Words);

impl SpaceCommand {
    /// Runs on a runtime of its own; call it outside of any.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (words, beside) = runtime.block_on(self.output())?;
        print!("{words}");
        eprint!("{beside}");
        Ok(())
    }

    /// What scripts may take, and what only people read.
    async fn output(self) -> anyhow::Result<(String, String)> {
        let invites = match &self {
            Self::Invite { id, .. } => Some(id.clone()),
            _ => None,
        };
        let (node, method, path, body, words) = self.request();
        let answer = call(&node, method, &path, body).await?;
        if node.json {
            return Ok((format!("{answer}\n"), String::new()));
        }
        let beside = invites.map_or_else(String::new, |space| whose_link(&answer, &space));
        Ok((words(&answer), beside))
    }

    fn request(self) -> Asked {
        let post = |node, id: &str, what: &str, body, words: Words| {
            (
                node,
                Method::POST,
                format!("/api/v1/spaces/{}/{what}", escape(id)),
                body,
                words,
            )
        };
        match self {
            Self::Create {
                title,
                id,
                description,
                starts_at,
                unlisted,
                no_recording,
                node,
            } => {
                let body = json!({ "id": id, "title": title, "description": description, "starts_at": starts_at, "listed": !unlisted, "record": !no_recording });
                (
                    node,
                    Method::POST,
                    "/api/v1/spaces".to_owned(),
                    Some(body),
                    made,
                )
            }
            Self::List { node } => (node, Method::GET, "/api/v1/spaces".to_owned(), None, all),
            Self::Show { id, node } => (
                node,
                Method::GET,
                format!("/api/v1/spaces/{}", escape(&id)),
                None,
                one,
            ),
            Self::Open { id, node } => post(node, &id, "open", None, one),
            Self::Live { id, node } => post(node, &id, "live", None, one),
            Self::End { id, node } => post(node, &id, "end", None, one),
            Self::Cancel { id, reason, node } => {
                post(node, &id, "cancel", Some(json!({ "reason": reason })), one)
            }
            Self::Invite {
                id,
                role,
                name,
                node,
            } => post(
                node,
                &id,
                "invites",
                Some(json!({ "role": role, "name": name })),
                link,
            ),
            Self::Log { id, node } => (
                node,
                Method::GET,
                format!("/api/v1/spaces/{}/log", escape(&id)),
                None,
                log,
            ),
        }
    }
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn one(space: &Value) -> String {
    format!(
        "{:<10} {:<24} {:>6} listening  {}\n           {}\n",
        word(space, "phase"),
        word(space, "id"),
        space.get("listening").unwrap_or(&Value::Null),
        word(space, "title"),
        word(space, "page")
    )
}

fn all(answer: &Value) -> String {
    let spaces = answer.get("spaces").and_then(Value::as_array);
    let text: String = spaces.into_iter().flatten().map(one).collect();
    if text.is_empty() {
        "no spaces yet; make one with `hustings space create TITLE`\n".to_owned()
    } else {
        text
    }
}

fn made(space: &Value) -> String {
    format!("{}host's link: {}\n", one(space), word(space, "host_link"))
}

fn link(invite: &Value) -> String {
    format!("{}\n", word(invite, "link"))
}

/// Whom an invitation's link is for, what it lets them do, and until when.
fn whose_link(invite: &Value, space: &str) -> String {
    let name = match word(invite, "name") {
        "" => "one person",
        name => name,
    };
    let may = match word(invite, "role") {
        "host" => "to run the space and to speak, as host",
        "co-host" => "to run the space and to speak, as co-host",
        "listener" => "to listen and to ask to speak",
        _ => "to speak, as speaker",
    };
    let until = invite.get("good_until").and_then(Value::as_i64);
    let until = until
        .and_then(|ms| OffsetDateTime::from_unix_timestamp(ms / 1_000).ok())
        .and_then(|at| at.format(UNTIL).ok())
        .map_or_else(String::new, |at| format!(" It is good until {at}."));
    format!(
        "This link is for {name}, {may} in {space}.{until} Whoever has it comes in by it: send it to nobody else.\n"
    )
}

fn log(answer: &Value) -> String {
    let events = answer.get("events").and_then(Value::as_array);
    events
        .into_iter()
        .flatten()
        .map(|event| format!("{event}\n"))
        .collect()
}

/// What no id has is refused by the node; it must only not leave the path.
fn escape(id: &str) -> String {
    id.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b == b'-' {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn parse_time(text: &str) -> Result<u64, String> {
    let told = |_| format!("{text:?} is no time: write it as 2030-05-01T20:00:00+02:00");
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(told)?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000)
        .map_err(|_| "the time lies before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_says_whose_it_is_and_until_when_beside_its_link() {
        let invite = json!({ "link": "https://x/studio/evening#token=a", "role": "speaker", "name": "Grace", "good_until": 1_794_484_800_000_u64 });
        assert_eq!(link(&invite), "https://x/studio/evening#token=a\n");
        let words = whose_link(&invite, "evening");
        assert!(
            words.starts_with(
                "This link is for Grace, to speak, as speaker in evening. It is good until 12 November 2026, 12:00 UTC."
            ),
            "{words}"
        );
        let unnamed = whose_link(&json!({ "role": "host" }), "evening");
        assert!(unnamed.contains("for one person, to run"), "{unnamed}");
    }

    #[test]
    fn times_and_ids_stand_as_the_api_wants_them() {
        assert_eq!(parse_time("1970-01-01T01:00:01+01:00"), Ok(1_000));
        assert!(parse_time("tomorrow").is_err());
        assert_eq!(escape("evening-1"), "evening-1");
        assert_eq!(escape("../x"), "%2E%2E%2Fx");
    }
}
