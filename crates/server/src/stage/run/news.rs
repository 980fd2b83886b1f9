//! What a run tells: the roster to pages and into the sound, levels between two rosters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hustings_control::ids::UnixMillis;
use hustings_control::spaces::Space;
use hustings_media::stage::Bed;
use hustings_media::time::Now;

use super::Run;
use crate::stage::roster::{LiveFacts, Roster};

/// Milliseconds between rosters when only levels or counts changed.
const ROSTER_EVERY_MS: u64 = 1_000;
/// Milliseconds between rosters inside the sound when only levels changed: more often would cost listeners more bytes than promised.
const CARRIED_ROSTER_EVERY_MS: u64 = 2_000;
/// Milliseconds between levels inside the sound when nothing changed.
const LEVELS_EVERY_MS: u64 = 1_000;

impl Run {
    pub(super) fn publish(&mut self, space: &Space, now: Now) {
        // Counted on the stage's own clock, which cannot be set back.
        let reactions = self
            .reactions
            .add(self.parts.handle.presses.take(), UnixMillis(now.0 / 1_000));
        let roster = Roster::of(
            space,
            &LiveFacts {
                listening: self.parts.handle.counts.listening(),
                recording: self.parts.recording.load(Ordering::Relaxed),
                music: self.bed == Bed::HoldMusic,
                dead_air: self.dead_air,
                cadence_ms: self.parts.pace.announced_ms(),
                media_ms: self.stage.media_time().as_millis(),
                reactions,
                sources: &self.levels,
            },
        );
        let music = self.bed == Bed::HoldMusic;
        self.parts.handle.music.store(music, Ordering::Relaxed);
        self.carry_levels(&roster, now);
        let quiet = roster.clone().quiet();
        let due = |at: Now, every_ms: u64| now.since(at) >= every_ms * 1_000;
        let news = self.last_roster.as_ref() != Some(&quiet);
        let unmoved = quiet.clone().unmoved();
        let carry = self.last_carried.as_ref() != Some(&unmoved)
            || due(self.carried_at, CARRIED_ROSTER_EVERY_MS);
        if !(news || carry || due(self.roster_at, ROSTER_EVERY_MS)) {
            return;
        }
        let json = roster.json();
        if carry {
            self.carried_at = now;
            self.last_carried = Some(unmoved);
            for packer in &mut self.packers {
                packer.roster(&json);
            }
        }
        if news || due(self.roster_at, ROSTER_EVERY_MS) {
            self.roster_at = now;
            self.last_roster = Some(quiet);
            self.parts.handle.state_json.store(Arc::new(json.clone()));
            let _ = self.parts.handle.roster.send(json);
        }
    }

    /// Between two rosters the sound carries levels alone; unchanged ones now and then, for who has just come.
    fn carry_levels(&mut self, roster: &Roster, now: Now) {
        let levels = roster.levels();
        let due = now.since(self.levels_at) >= LEVELS_EVERY_MS * 1_000;
        if levels != self.last_levels || due {
            for packer in &mut self.packers {
                packer.levels(&levels);
            }
            self.last_levels = levels;
            self.levels_at = now;
        }
    }
}
