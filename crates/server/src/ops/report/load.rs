//! Reads what a report needs from the flight recorder's files, and whether they are whole.

use std::collections::VecDeque;
use std::path::Path;

use hustings_control::ids::SpaceId;
use hustings_evidence::chain::{Entry, Expect, Verified};
use hustings_evidence::judge::words::number;
use hustings_evidence::judge::{Gathering, Proven, seconds};
use hustings_evidence::row::{Happening, SpaceRow};
use hustings_rehearse::Run;

use super::{Proof, Records};
use crate::ops::flight::{BadChain, read, written};
use crate::rehearsal;

/// Happenings that are kept while reading; older ones belong to older nights.
const HAPPENINGS_KEPT: usize = 20_000;

/// The last night of `space` in the chain at `path`: a data folder, its `flight` folder, or one segment. What stands before
/// the first bad place is told, and that the rest is not.
///
/// # Errors
/// When there is no chain, or a file cannot be read.
pub fn load(
    path: &Path,
    space: SpaceId,
    title: String,
    expect: Expect,
) -> Result<Records, BadChain> {
    let mut gathering = Gathering::default();
    let mut happenings: VecDeque<Happening> = VecDeque::new();
    let told = read(path, expect, |entry| {
        let Entry {
            node,
            space: row,
            happening,
            ..
        } = entry;
        if let Some(node) = node {
            gathering.node(&node);
        }
        if let Some(row) = row.filter(|row| row.space.as_ref() == Some(&space)) {
            gathering.space(&row);
        }
        if let Some(happening) = happening {
            if happenings.len() >= HAPPENINGS_KEPT {
                happenings.pop_front();
            }
            happenings.push_back(happening);
        }
    });
    let proof = match told {
        Ok(told) => whole(&told),
        Err(BadChain::Fault(fault)) => Proof {
            whole: false,
            words: format!(
                "The records do not hold from here on: {fault}. What follows is made of what stands before."
            ),
            ..Proof::default()
        },
        Err(bad) => return Err(bad),
    };
    let seconds = gathering.seconds();
    // What was rehearsed in this very night proves nothing about it.
    let begun_ms = seconds
        .first()
        .map_or(u64::MAX, |first| first.at.saturating_mul(1_000));
    let data = match path.parent() {
        Some(above) if path.ends_with("flight") => above,
        _ => path,
    };
    let proven = rehearsal::proven(data, begun_ms).unwrap_or_else(|error| {
        tracing::warn!(%error, "the report does not know what was rehearsed");
        None
    });
    Ok(Records {
        space,
        title,
        seconds,
        happenings: happenings.into(),
        proof,
        proven: proven.map(|listeners| Proven { listeners }),
    })
}

/// Of a night that did not happen: its first space. None: it had no rows.
pub fn of_virtual(run: &Run, name: &str, seed: u64) -> Option<Records> {
    let space = run.spaces.first()?.space.clone()?;
    let rows = run.spaces.iter();
    let rows = rows.filter(|row| row.space.as_ref() == Some(&space));
    let rows: Vec<SpaceRow> = rows.cloned().collect();
    Some(Records {
        seconds: seconds(&run.nodes, &rows),
        happenings: run.happenings.clone(),
        title: format!("Simulated: {name}"),
        proof: Proof {
            whole: true,
            words: format!(
                "None of this happened: hustings simulate made these rows, of the scenario {name} with seed {seed}. No node has signed them."
            ),
            ..Proof::default()
        },
        proven: None,
        space,
    })
}

fn whole(told: &Verified) -> Proof {
    let lost = match told.lost_rows {
        0 => String::new(),
        lost => format!(
            " {} rows were lost, as the records say themselves.",
            number(lost)
        ),
    };
    Proof {
        whole: true,
        words: format!(
            "Each of lines {} to {} follows from the one before, from {} to {}, and {} signatures are the node’s; the last {} lines are not signed yet.{lost}",
            number(told.first),
            number(told.last.n),
            written(told.from),
            written(told.to),
            number(told.signatures),
            number(told.unsigned)
        ),
        hash: told.last.hash.to_string(),
        key: told.key.to_string(),
    }
}
