//! A rehearsal as operators see it.

use utoipa::ToSchema;

use super::*;

/// A rehearsal as it is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Told {
    /// 16 hex digits.
    pub id: String,
    /// Unix milliseconds between which the permit holds.
    pub from: u64,
    pub until: u64,
    /// Requests a second, and listeners at once, that it allows.
    pub rate: u32,
    pub people: u32,
    /// Unix milliseconds of its first and its newest request.
    pub first: u64,
    pub last: u64,
    pub ended: bool,
    pub requests: u64,
    pub pages: u64,
    pub knocks: u64,
    /// Requests for sound that were let in.
    pub joins: u64,
    /// Requests refused for being too many.
    pub over: u64,
    pub listening: u64,
    pub peak: u64,
    /// Nothing more comes of it: its drivers have told their end, it was ended, or nothing came for half a minute.
    pub finished: bool,
    /// Of one that is finished: everybody who listened heard all, and its drivers were not the bottleneck.
    pub passed: bool,
    /// In words, when it is finished.
    pub words: String,
}

impl Running {
    pub(super) fn told(&self) -> Told {
        let permit = &self.permit;
        let finished = self.kept.load(Relaxed);
        let kept = finished.then(|| self.to_keep());
        let of = |count: &AtomicU64| count.load(Relaxed);
        Told {
            id: format!("{:016x}", permit.id),
            from: u64::from(permit.from_s) * 1_000,
            until: u64::from(permit.until_s) * 1_000,
            rate: permit.rate,
            people: permit.people,
            first: self.first_ms,
            last: of(&self.last_ms),
            ended: self.ended.load(Relaxed),
            requests: of(&self.requests),
            pages: of(&self.pages),
            knocks: of(&self.knocks),
            joins: of(&self.joins),
            over: of(&self.refused),
            listening: of(&self.listening),
            peak: of(&self.peak),
            finished,
            passed: kept.as_ref().is_some_and(Kept::passed),
            words: kept.as_ref().map(Kept::words).unwrap_or_default(),
        }
    }
}
