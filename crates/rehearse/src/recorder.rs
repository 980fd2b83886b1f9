//! What the virtual node's flight recorder counts within a second; [`crate::rows`] makes the rows of it.

use std::collections::VecDeque;

use hustings_control::gate::UsherReport;
use hustings_control::gate::load::Resource;
use hustings_evidence::row::{Happening, NodeRow, SpaceRow};

use crate::crowd::{Crowd, NONE};
use crate::kind::Kind;

/// Milliseconds of the two marks that a listener's stay is counted by, as at the server.
const STAYS_MS: [u32; 2] = [10_000, 60_000];
/// In place of a person, for seats of bare requests: they stay.
const NOBODY: u32 = u32::MAX;

/// Why a connection to the sound ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// From the listener's side, or broken: the node cannot tell the two apart.
    Left,
    /// The same right came in elsewhere.
    Replaced,
    /// With the node.
    Killed,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) of: Vec<SpaceSecond>,
    /// Who came in when, waiting for the ten and for the sixty seconds.
    stays: [VecDeque<(u32, u32)>; 2],
    pub(crate) nodes: Vec<NodeRow>,
    pub(crate) spaces: Vec<SpaceRow>,
    pub(crate) happenings: Vec<Happening>,
    /// Which spaces are live.
    pub(crate) live: Vec<bool>,
    /// Rows that could not be kept since the one before.
    pub(crate) lost: u32,
    /// When the node began.
    pub(crate) began_ms: u32,
    pub(crate) capacity: u32,
    pub(crate) short: Option<Resource>,
    /// Of the whole night, at the row before.
    pub(crate) before: Before,
    /// Since when nobody is heard though it is live, and whether that was told.
    pub(crate) silent_since: Option<u32>,
    pub(crate) dead_air: bool,
    /// By how much the wall's clock was off at the row before.
    pub(crate) off: i64,
}

/// Sums at the row before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    pub(crate) slow_heads: u64,
    pub(crate) slow_ended: u64,
    pub(crate) silent_shed: u64,
    pub(crate) handshakes_failed: u64,
    pub(crate) sweeps_ns: f64,
    pub(crate) busy_ns: Vec<f64>,
}

/// Of one space in one second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpaceSecond {
    /// Of the whole night.
    pub(crate) inside: u32,
    pub(crate) entered: u32,
    pub(crate) as_page: u32,
    pub(crate) left: u32,
    pub(crate) replaced: u32,
    pub(crate) pages: u32,
    pub(crate) scripts: u32,
    pub(crate) polls: u32,
    pub(crate) looks: u32,
    pub(crate) stayed: [u32; 2],
    pub(crate) gone: [u32; 2],
}

impl Recorder {
    pub(crate) fn new(spaces: usize, seats: u32) -> Self {
        Self {
            of: vec![SpaceSecond::default(); spaces],
            live: vec![false; spaces],
            capacity: seats,
            ..Self::default()
        }
    }

    pub(crate) fn note(&mut self, report: &UsherReport) {
        (self.capacity, self.short) = (report.capacity, Some(report.short));
    }

    /// A connection gets the sound. `who`: none for a bare request's.
    pub(crate) fn entered(&mut self, space: u8, who: Option<u32>, as_page: bool, ms: u32) {
        let second = &mut self.of[usize::from(space)];
        second.inside += 1;
        second.entered += 1;
        second.as_page += u32::from(as_page);
        second.looks += u32::from(as_page);
        self.stays[0].push_back((ms, who.unwrap_or(NOBODY)));
    }

    /// A connection ended that had begun at `since`.
    pub(crate) fn gone(&mut self, space: u8, since: u32, why: Gone, ms: u32) {
        let second = &mut self.of[usize::from(space)];
        second.inside = second.inside.saturating_sub(1);
        if why == Gone::Killed {
            return;
        }
        second.left += u32::from(why == Gone::Left);
        second.replaced += u32::from(why == Gone::Replaced);
        let stayed = ms.saturating_sub(since);
        if let Some(mark) = STAYS_MS.iter().position(|mark| stayed < *mark) {
            second.gone[mark] += 1;
        }
    }

    /// Somebody loads the space's page.
    pub(crate) fn page(&mut self, space: u8, kind: Kind) {
        let second = &mut self.of[usize::from(space)];
        second.pages += 1;
        // One stylesheet and one script; the rest is in them.
        second.scripts += if kind == Kind::NoScript { 1 } else { 2 };
    }

    pub(crate) fn poll(&mut self, space: u8) {
        self.of[usize::from(space)].polls += 1;
    }

    /// Who has reached the marks by now.
    pub(crate) fn look_at_stays(&mut self, crowd: &Crowd, ms: u32) {
        for (mark, stay_ms) in STAYS_MS.into_iter().enumerate() {
            while let Some((since, who)) = self.stays[mark].front().copied() {
                if since + stay_ms > ms {
                    break;
                }
                self.stays[mark].pop_front();
                let person = crowd.people.get(who as usize);
                let stays =
                    person.is_none_or(|person| person.seat != NONE && person.entered == since);
                if stays {
                    let space = person.map_or(0, |person| usize::from(person.door));
                    self.of[space].stayed[mark] += 1;
                    if let Some(next) = self.stays.get_mut(mark + 1) {
                        next.push_back((since, who));
                    }
                }
            }
        }
    }

    /// A new second begins; what is a state goes on.
    pub(crate) fn next_second(&mut self) {
        for second in &mut self.of {
            let inside = second.inside;
            *second = SpaceSecond {
                inside,
                ..SpaceSecond::default()
            };
        }
    }

    /// The node is gone, and with it every connection.
    pub(crate) fn node_gone(&mut self) {
        self.stays.iter_mut().for_each(VecDeque::clear);
        self.of.fill(SpaceSecond::default());
    }
}
