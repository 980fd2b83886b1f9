//! What the flags of `hustings rehearse` are read as.

use anyhow::Context as _;
use hustings_rehearse::scenario::FASTER_MOST;

use crate::rehearse::PARTS_MAX;

/// The text itself, or a file's.
pub(super) fn permit_text(told: &str) -> anyhow::Result<String> {
    let path = std::path::Path::new(told);
    if !told.contains('/') && !path.exists() {
        return Ok(told.trim().to_owned());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the permit {told} cannot be read"))?;
    Ok(text.trim().to_owned())
}

pub(super) fn faster(text: &str) -> Result<f64, String> {
    let told = || format!("{text:?} is not 1 to {FASTER_MOST} times as fast");
    let times: f64 = text.parse().map_err(|_| told())?;
    (1.0..=FASTER_MOST)
        .contains(&times)
        .then_some(times)
        .ok_or_else(told)
}

pub(super) fn part(text: &str) -> Result<(u32, u32), String> {
    let told = || format!("{text:?} is no part: write it like 2/4, of {PARTS_MAX} at most");
    let (part, of) = text.split_once('/').ok_or_else(told)?;
    let (part, of): (u32, u32) = (
        part.parse().map_err(|_| told())?,
        of.parse().map_err(|_| told())?,
    );
    ((1..=of).contains(&part) && of <= PARTS_MAX)
        .then_some((part, of))
        .ok_or_else(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_are_played_faster_and_never_slower() {
        assert_eq!(faster("2.5"), Ok(2.5));
        for bad in ["0.9", "0", "-2", "101", "NaN", "quick"] {
            assert!(faster(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_are_numbers_of_a_number() {
        assert_eq!(part("2/4"), Ok((2, 4)));
        for bad in ["", "1", "0/4", "5/4", "1/65", "a/b", "-1/2"] {
            assert!(part(bad).is_err(), "{bad}");
        }
    }
}
