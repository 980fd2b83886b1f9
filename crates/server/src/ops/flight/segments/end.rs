//! The end of a segment as a run finds it that goes on with it: the last line, what was torn, how the run before ended.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use hustings_control::ids::UnixMillis;
use hustings_evidence::chain::{Entry, Hash, Lost, LostWhy, Tip};
use hustings_evidence::row::What;

use crate::ops::flight::limits::SEGMENT_BYTES_MAX;

pub(super) struct End {
    /// Bytes up to the end of the last whole line that can be gone on from.
    pub(super) whole: u64,
    pub(super) tip: Option<Tip>,
}

/// Looks from the end for a line that is one.
pub(super) fn last_line(file: &File) -> io::Result<End> {
    let text = read_all(file)?;
    let mut end = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let whole = end as u64;
    while end > 0 {
        let line = text.get(..end - 1).unwrap_or_default();
        let start = line
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if let Some((entry, hash)) = line.get(start..).and_then(parse) {
            let tip = Tip { n: entry.n, hash };
            return Ok(End {
                whole,
                tip: Some(tip),
            });
        }
        end = start;
    }
    Ok(End { whole, tip: None })
}

fn parse(line: &[u8]) -> Option<(Entry, Hash)> {
    let (hash, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some((serde_json::from_str(json).ok()?, hash.parse().ok()?))
}

/// Takes an unfinished line away. A segment that does not hold is left as it is: the report names the place.
pub(super) fn mend(file: &File, whole: u64) -> io::Result<Option<Lost>> {
    let bytes = file.metadata()?.len().saturating_sub(whole);
    if bytes > 0 {
        file.set_len(whole)?;
        return Ok(Some(Lost {
            bytes,
            why: LostWhy::Torn,
            ..Lost::default()
        }));
    }
    let text = read_all(file)?;
    let mut verifier = hustings_evidence::chain::Verifier::new(Default::default());
    let holds = text
        .split_inclusive(|byte| *byte == b'\n')
        .all(|line| verifier.line(line).is_ok());
    Ok((!holds).then(|| Lost {
        why: LostWhy::Broken,
        ..Lost::default()
    }))
}

/// When the last row was written, unless the node said that it ends: that stands before the row of its last second.
pub(super) fn killed_at(file: &File, whole: u64) -> io::Result<Option<UnixMillis>> {
    let text = read_all(file)?;
    let lines = text
        .get(..whole as usize)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .rev();
    let mut last = None;
    for (entry, _) in lines.filter_map(parse) {
        if let Some(happening) = entry.happening {
            match happening.what {
                What::NodeStopped => return Ok(None),
                // It came no further than this.
                What::NodeStarted => return Ok(last.or(Some(happening.at))),
                _ => {}
            }
        }
        if let Some(row) = entry.node {
            if last.is_some() {
                break;
            }
            last = Some(row.at);
        }
    }
    Ok(last)
}

fn read_all(mut file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    // A segment is begun anew before it is so large; what is larger is not ours.
    file.take(SEGMENT_BYTES_MAX * 4).read_to_end(&mut text)?;
    Ok(text)
}
