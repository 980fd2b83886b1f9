//! Watches for dead air: live, and nobody says anything.

use super::StageAlarm;
use crate::time::Now;

/// Microseconds (10 s) of silence before everybody on stage is warned.
const DEAD_AIR_US: u64 = 10_000_000;
/// Ticks (60 ms) of sound before the silence counts as over: a click does not end it.
const SOUND_TICKS: u32 = 3;

/// Why it may be silent, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) all_muted: bool,
    pub(super) zeros: bool,
    pub(super) lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Air {
    /// Not live, or music plays.
    Unwatched,
    /// Live, and the music that is meant to play is not there yet: a silence counts, and is not told before it is judged.
    MusicComes,
    Watched,
}

#[derive(Default)]
pub(super) struct AirWatch {
    silent_since: Option<Now>,
    sound_ticks: u32,
    alarmed: bool,
    hushed_until: Now,
}

impl AirWatch {
    pub(super) fn hush(&mut self, until: Now) {
        self.hushed_until = until;
    }

    /// One tick. `sound`: something was heard.
    pub(super) fn tick(
        &mut self,
        air: Air,
        sound: bool,
        reason: Reason,
        now: Now,
    ) -> Option<StageAlarm> {
        self.sound_ticks = if sound {
            self.sound_ticks.saturating_add(1)
        } else {
            0
        };
        if air == Air::Unwatched || self.sound_ticks >= SOUND_TICKS {
            self.silent_since = None;
            return self.over();
        }
        let since = *self.silent_since.get_or_insert(now);
        if now < self.hushed_until {
            return self.over();
        }
        if air == Air::MusicComes {
            return None;
        }
        let silent = now.since(since);
        if self.alarmed || silent < DEAD_AIR_US {
            return None;
        }
        self.alarmed = true;
        Some(StageAlarm::DeadAir {
            silent_ms: silent / 1_000,
            all_muted: reason.all_muted,
            zeros: reason.zeros,
            lost: reason.lost,
        })
    }

    fn over(&mut self) -> Option<StageAlarm> {
        std::mem::take(&mut self.alarmed).then_some(StageAlarm::DeadAirOver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sound as (from, to) in seconds; alarms as (second, begins).
    fn check(sound: &[(u64, u64)], hush: Option<(u64, u64)>, expected: &[(u64, bool)]) {
        let mut watch = AirWatch::default();
        let mut alarms = Vec::new();
        for ms in (0..60_000).step_by(20) {
            if let Some((at, until)) = hush
                && ms == at * 1_000
            {
                watch.hush(Now::from_millis(until * 1_000));
            }
            let heard = sound
                .iter()
                .any(|(from, to)| (from * 1_000..to * 1_000).contains(&ms));
            match watch.tick(Air::Watched, heard, Reason::default(), Now::from_millis(ms)) {
                Some(StageAlarm::DeadAir { .. }) => alarms.push((ms / 1_000, true)),
                Some(_) => alarms.push((ms / 1_000, false)),
                None => {}
            }
        }
        assert_eq!(alarms, expected, "{sound:?} {hush:?}");
    }

    #[test]
    fn alarms_come_once_and_end_once() {
        check(&[(0, 60)], None, &[]);
        check(&[(0, 5), (12, 20), (25, 60)], None, &[]);
        check(&[], None, &[(10, true)]);
        check(&[(0, 5), (30, 60)], None, &[(15, true), (30, false)]);
        check(&[(20, 30)], None, &[(10, true), (20, false), (40, true)]);
        check(&[], Some((5, 40)), &[(40, true)]);
        check(&[], Some((20, 40)), &[(10, true), (20, false), (40, true)]);
    }
}
