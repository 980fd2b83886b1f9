//! Reads a chain from its files and verifies it on the way.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use hustings_evidence::chain::{Entry, Expect, Fault, LINE_BYTES_MAX, Verified, Verifier};

use super::segments::list;

#[derive(Debug, thiserror::Error)]
pub enum BadChain {
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("there is no flight recorder's chain in {0}")]
    None(PathBuf),
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// Verifies the chain at `path`: a data folder, its `flight` folder, another folder of segments, or one segment. Every
/// entry goes to `each` once it is known to follow from those before it.
///
/// # Errors
/// The first place that does not hold, or a file that cannot be read.
pub fn read(
    path: &Path,
    expect: Expect,
    mut each: impl FnMut(Entry),
) -> Result<Verified, BadChain> {
    let segments = segments_at(path)?;
    let mut verifier = Verifier::new(expect);
    for path in &segments {
        let unreadable = |error| BadChain::File(path.clone(), error);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        verifier.segment(&name);
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            // One more byte than a line may have: longer ones are found to be so.
            let most = LINE_BYTES_MAX as u64 + 1;
            let read = file.by_ref().take(most).read_until(b'\n', &mut line);
            if read.map_err(unreadable)? == 0 {
                break;
            }
            if let Some(entry) = verifier.line(&line)? {
                each(entry);
            }
        }
    }
    Ok(verifier.end()?)
}

fn segments_at(path: &Path) -> Result<Vec<PathBuf>, BadChain> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let below = path.join("flight");
    let folder = if below.is_dir() {
        below
    } else {
        path.to_owned()
    };
    let all = list(&folder).map_err(|error| BadChain::File(folder.clone(), error))?;
    if all.is_empty() {
        return Err(BadChain::None(folder));
    }
    Ok(all)
}
