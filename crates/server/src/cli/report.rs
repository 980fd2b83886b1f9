//! `hustings report`: what the flight recorder has kept. For now: whether it is whole.

use std::path::{Path, PathBuf};

use hustings_evidence::chain::{Expect, Hash, PublicKey, Tip, Verified};
use serde_json::json;

use crate::ops::flight::{BadChain, read, written};

/// Check the flight recorder's chain: that no row was changed, taken out, put in or moved since it was written. Says
/// `whole` with counts, or the first place that does not hold (exit code 1).
#[derive(Clone, Debug, clap::Args)]
pub struct ReportCommand {
    /// A data folder, a folder of segments, or one segment.
    #[arg(long, value_name = "PATH")]
    pub verify: PathBuf,
    /// A head that was published (in the log, on the status page), as N:HASH: the chain must contain it. Repeatable.
    #[arg(long, value_name = "N:HASH", value_parser = head)]
    pub head: Vec<Tip>,
    /// The node's public key, 64 hex digits, when it is known from elsewhere. Default: the one that the chain names.
    #[arg(long, value_name = "HEX")]
    pub key: Option<PublicKey>,
    /// Print JSON instead of words.
    #[arg(long)]
    pub json: bool,
}

impl ReportCommand {
    /// # Errors
    /// When the chain does not hold, or cannot be read.
    pub fn run(&self) -> anyhow::Result<()> {
        let checked = self.check(&self.verify);
        if self.json {
            println!("{:#}", as_json(&checked));
            anyhow::ensure!(checked.is_ok(), "the chain does not hold");
            return Ok(());
        }
        let told = checked.map_err(|bad| anyhow::anyhow!("not whole: {bad}"))?;
        print!("{}", in_words(&told));
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<Verified, BadChain> {
        let expect = Expect {
            key: self.key,
            heads: self.head.clone(),
            // Of one segment nothing is asked of those before it.
            part: path.is_file(),
        };
        read(path, expect, |_| {})
    }
}

fn head(text: &str) -> Result<Tip, String> {
    let say = || format!("`{text}` is no head; it is a serial and 64 hex digits, as N:HASH");
    let (n, hash) = text.split_once(':').ok_or_else(say)?;
    Ok(Tip {
        n: n.parse().map_err(|_| say())?,
        hash: hash.parse::<Hash>().map_err(|_| say())?,
    })
}

fn in_words(told: &Verified) -> String {
    let mut text = format!(
        "whole: lines {} to {} in {} segments, from {} to {}\n  {} seconds of the node, {} of spaces, {} happenings, {} starts, {} signatures\n",
        told.first,
        told.last.n,
        told.segments,
        written(told.from),
        written(told.to),
        told.node_rows,
        told.space_rows,
        told.happenings,
        told.starts,
        told.signatures,
    );
    let mut also = |so: bool, line: String| {
        if so {
            text.push_str(&format!("  {line}\n"));
        }
    };
    also(
        told.first > 1,
        format!(
            "lines 1 to {} went, for the chain is bounded; it says so itself",
            told.first - 1
        ),
    );
    also(
        told.lost_rows > 0,
        format!("{} rows were lost, as the chain says", told.lost_rows),
    );
    also(
        told.clock_steps > 0,
        format!("the clock was set {} times", told.clock_steps),
    );
    also(
        told.unknown > 0,
        format!("{} lines are of a newer version", told.unknown),
    );
    also(
        told.unsigned > 0,
        format!("the last {} lines are not signed yet", told.unsigned),
    );
    also(
        told.torn_bytes > 0,
        format!(
            "the last line is not finished ({} bytes): the node writes just now, or was killed",
            told.torn_bytes
        ),
    );
    also(
        told.heads_met > 0,
        format!("{} published heads are in it", told.heads_met),
    );
    also(
        told.heads_gone > 0,
        format!(
            "{} published heads are older than what is left",
            told.heads_gone
        ),
    );
    text.push_str(&format!(
        "  key  {}\n  head {}:{}\n",
        told.key, told.last.n, told.last.hash
    ));
    text
}

fn as_json(checked: &Result<Verified, BadChain>) -> serde_json::Value {
    match checked {
        Ok(told) => json!({
            "whole": true,
            "segments": told.segments,
            "first": told.first,
            "head": told.last,
            "key": told.key,
            "from": told.from,
            "to": told.to,
            "node_rows": told.node_rows,
            "space_rows": told.space_rows,
            "happenings": told.happenings,
            "starts": told.starts,
            "signatures": told.signatures,
            "unsigned_lines": told.unsigned,
            "lost_rows": told.lost_rows,
            "clock_steps": told.clock_steps,
            "unknown_lines": told.unknown,
            "torn_bytes": told.torn_bytes,
            "heads_met": told.heads_met,
            "heads_gone": told.heads_gone,
        }),
        Err(BadChain::Fault(fault)) => json!({
            "whole": false,
            "segment": fault.segment,
            "line": fault.line,
            "why": fault.why.to_string(),
        }),
        Err(bad) => json!({ "whole": false, "why": bad.to_string() }),
    }
}
