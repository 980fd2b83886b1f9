//! `hustings preflight`: go or no-go, by the running node itself.

use std::process::ExitCode;

use hyper::Method;
use serde_json::Value;

use super::NodeArgs;
use super::client::call;

/// No-go.
const NO_GO: u8 = 1;
/// It could not be looked at: no node, no token, no such space.
const COULD_NOT_LOOK: u8 = 2;

/// Look whether a running node is ready for an event.
#[derive(Clone, Debug, clap::Args)]
pub struct PreflightCommand {
    /// The space of the event; without one only the node is looked at.
    pub space: Option<String>,
    /// People expected at once.
    #[arg(long, default_value_t = crate::preflight::EXPECT_DEFAULT)]
    pub expect: u32,
    /// Go although nothing was rehearsed.
    #[arg(long)]
    pub without_rehearsal: bool,
    #[command(flatten)]
    pub node: NodeArgs,
}

impl PreflightCommand {
    /// Runs on a runtime of its own; call it outside of any.
    pub fn run(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let looked = match runtime {
            Ok(runtime) => runtime.block_on(call(&self.node, Method::GET, &self.path(), None)),
            Err(error) => Err(error.into()),
        };
        match looked {
            Ok(seen) => {
                if self.node.json {
                    println!("{seen}");
                } else {
                    print!("{}", words(&seen));
                }
                let go = seen.get("go").and_then(Value::as_bool) == Some(true);
                ExitCode::from(if go { 0 } else { NO_GO })
            }
            Err(error) => {
                eprintln!("hustings: it could not be looked at: {error:#}");
                ExitCode::from(COULD_NOT_LOOK)
            }
        }
    }

    fn path(&self) -> String {
        let mut path = format!(
            "/api/v1/preflight?expect={}&without_rehearsal={}",
            self.expect, self.without_rehearsal
        );
        if let Some(space) = &self.space {
            let plain = space.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            // What no id can be is refused by the node.
            path.push_str(&format!("&space={}", if plain { space } else { "-" }));
        }
        path
    }
}

fn words(seen: &Value) -> String {
    let word = |of: &Value, name: &str| {
        of.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut text = String::new();
    for line in seen
        .get("lines")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let verdict = match word(line, "verdict").as_str() {
            "go" => "go",
            "no-go" => "NO-GO",
            _ => "?",
        };
        text.push_str(&format!(
            "{verdict:<6} {:<16} {} (needed: {})\n",
            word(line, "name"),
            word(line, "seen"),
            word(line, "needed")
        ));
        let todo = word(line, "todo");
        if !todo.is_empty() {
            text.push_str(&format!("       {:<16} -> {todo}\n", ""));
        }
    }
    let go = seen.get("go").and_then(Value::as_bool) == Some(true);
    text.push_str(if go { "Go.\n" } else { "No-go.\n" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_what_was_seen_needed_and_to_do() {
        let seen = serde_json::json!({ "go": false, "lines": [
            { "name": "files", "verdict": "go", "seen": "9", "needed": "8", "todo": "" },
            { "name": "uplink", "verdict": "no-go", "seen": "none", "needed": "56 Mbit/s", "todo": "Set it." },
        ]});
        assert_eq!(
            words(&seen),
            "go     files            9 (needed: 8)\n\
             NO-GO  uplink           none (needed: 56 Mbit/s)\n       \
             \u{20}                -> Set it.\nNo-go.\n"
        );
    }
}
