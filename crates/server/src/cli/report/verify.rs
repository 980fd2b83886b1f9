//! `hustings report --verify`: whether what the flight recorder has kept is whole.

use std::path::Path;

use hustings_evidence::chain::{Expect, Verified};
use serde_json::json;

use crate::ops::flight::{BadChain, read, written};

/// # Errors
/// When the chain does not hold, or cannot be read.
pub(super) fn run(path: &Path, mut expect: Expect, as_json: bool) -> anyhow::Result<()> {
    // Of one segment nothing is asked of those before it.
    expect.part = path.is_file();
    let checked = read(path, expect, |_| {});
    if as_json {
        println!("{:#}", in_json(&checked));
        anyhow::ensure!(checked.is_ok(), "the chain does not hold");
        return Ok(());
    }
    let told = checked.map_err(|bad| anyhow::anyhow!("not whole: {bad}"))?;
    print!("{}", in_words(&told));
    Ok(())
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

fn in_json(checked: &Result<Verified, BadChain>) -> serde_json::Value {
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
