//! The end that an operator makes of a rehearsal, or of a permit before anything came of it.

use super::*;

/// Permits that are revoked at once; a window is a day at most, so that more are somebody's slip. One more is not revoked, and
/// that is told.
pub(super) const ENDED_MAX: usize = 4_096;
/// Until a permit of which nothing but its id is known is shown, nobody knows when its window ends: it stays revoked.
const UNTIL_UNKNOWN: u32 = u32::MAX;

/// What an operator has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Something had come of it.
    Rehearsal,
    /// Nothing has come of it since the node's start, and nothing will: whether there is such a permit, nobody knows.
    Permit,
}

#[derive(Debug, thiserror::Error)]
pub enum CannotEnd {
    #[error("{ENDED_MAX} permits are revoked already")]
    Full,
    #[error(transparent)]
    Unwritten(#[from] anyhow::Error),
}

impl Rehearsals {
    /// Ends one, or revokes a permit of which nothing has come yet: its listeners are closed, and all that is asked by it from
    /// now on, over a restart too, is answered with that.
    ///
    /// # Errors
    /// When that could not be written: it is ended, but a restart would forget it. Or when too many are revoked already.
    pub fn end(&self, id: u64, wall: UnixMillis) -> Result<Ends, CannotEnd> {
        // Whoever begins one holds it too, and looks at what is ended.
        let _changing = lock(&self.changes);
        let running = self.running.load();
        let mut found = running.iter().filter(|one| one.permit.id == id).peekable();
        let begun = found.peek().map(|one| one.permit.until_s);
        found.for_each(|one| one.ended.store(true, Relaxed));
        let ends = match begun {
            Some(_) => Ends::Rehearsal,
            None => Ends::Permit,
        };
        let Some(house) = self.house.get() else {
            return Ok(ends);
        };
        let mut ended = lock(&house.ended);
        ended.retain(|one| one.id != id && u64::from(one.until_s) > wall.0 / 1_000);
        if ended.len() >= ENDED_MAX {
            return Err(CannotEnd::Full);
        }
        let until_s = begun.unwrap_or(UNTIL_UNKNOWN);
        ended.push(Ended { id, until_s });
        tracing::info!(id = %format_args!("{id:016x}"), ?ends, "the operator ended a rehearsal");
        if let Some(data) = &house.data {
            let text = serde_json::to_string(&*ended).map_err(anyhow::Error::from)?;
            crate::api::secrets::write(&data.join(ENDED_FILE), &text)?;
        }
        Ok(ends)
    }

    /// Ids of the permits that were ended or revoked, and may be shown yet; in the order in which that was done.
    pub fn revoked(&self, wall: UnixMillis) -> Vec<u64> {
        let Some(house) = self.house.get() else {
            return Vec::new();
        };
        let ended = lock(&house.ended);
        let holds = |one: &&Ended| u64::from(one.until_s) > wall.0 / 1_000;
        ended.iter().filter(holds).map(|one| one.id).collect()
    }
}
