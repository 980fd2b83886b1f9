//! Makes the row of one space, and adds it to the node's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hustings_control::gate::spread::Spread as Seen;
use hustings_control::gate::{Mode, Tally};
use hustings_control::spaces::Seat;
use hustings_evidence::row::{Behaviour, Knocks, People, SpaceRow, Spread, Stage};

use super::gather::short;
use crate::live::SpaceHandle;

/// Sums of a space at the row before.
#[derive(Clone, Copy, Default)]
pub(super) struct Before {
    joins: u64,
    left: u64,
    lost: u64,
    too_slow: u64,
    replaced: u64,
    heard_out: u64,
    as_page: u64,
    pages: u64,
    polls: u64,
    looks: u64,
    gone_early: u64,
    gone_later: u64,
    restarts: u64,
    pushed: u64,
    rehearsed: u64,
    rehearsed_joins: u64,
}

pub(super) fn space_row(
    handle: &SpaceHandle,
    before: &mut Before,
    tally: &Tally,
    spread: &Seen,
    seconds: &[u32],
) -> SpaceRow {
    let counts = &handle.counts;
    let knocks = Knocks::from(tally);
    let door = handle.door.load_full();
    let (issued, called) = door.as_ref().map_or((0, 0), |door| door.line());
    let mut behaviour = Behaviour {
        pages: since(&counts.pages, &mut before.pages),
        polls: since(&counts.polls, &mut before.polls),
        looks: since(&counts.looks, &mut before.looks),
        gone_before_10s: since(&counts.stays.gone_early, &mut before.gone_early),
        gone_before_60s: since(&counts.stays.gone_later, &mut before.gone_later),
        ..Behaviour::default()
    };
    let mut rehearsed_60s = 0;
    for second in seconds {
        let (short, long) = counts.stays.stayed(*second);
        behaviour.stayed_10s += short;
        behaviour.stayed_60s += long;
        let (_, long) = counts.rehearsed.stays.stayed(*second);
        rehearsed_60s += long;
    }
    let people = People {
        inside: short(counts.inside()),
        waiting: short(issued.saturating_sub(called)),
        entered: since(&counts.joins, &mut before.joins),
        as_page: since(&counts.as_page, &mut before.as_page),
        returned: knocks.resume.admitted(),
        left: since(&counts.left, &mut before.left),
        lost: since(&counts.lost, &mut before.lost),
        too_slow: since(&counts.too_slow, &mut before.too_slow),
        replaced: since(&counts.replaced, &mut before.replaced),
        heard_out: since(&counts.heard_out, &mut before.heard_out),
        in_line: door.as_ref().map_or(0, |door| door.in_line()),
        rehearsed: since(&counts.rehearsed.knocks, &mut before.rehearsed),
        rehearsed_entered: since(&counts.rehearsed.joins, &mut before.rehearsed_joins),
        rehearsed_60s,
        rehearsed_inside: short(counts.rehearsed.listening.load(Relaxed)),
    };
    SpaceRow {
        space: Some(handle.id.clone()),
        phase: Some(handle.snapshot.load().phase),
        knocks,
        spread: spread_of(spread),
        people,
        behaviour,
        mode: door.as_ref().map_or(Mode::Calm, |door| door.mode()),
        issued,
        called,
        puzzle_tries: door.as_ref().map_or(0, |door| door.hardest()),
        ..SpaceRow::default()
    }
}

pub(super) fn stage_of(handle: &SpaceHandle, before: &mut Before, up_ms: u64) -> Stage {
    let levels = handle.levels.load();
    let count = |so: &dyn Fn(&&hustings_media::stage::SourceState) -> bool| {
        short(levels.iter().filter(so).count() as u64)
    };
    let rings = handle.rings.load();
    let pushed = rings
        .as_ref()
        .as_ref()
        .map_or(0, |rings| rings.ogg.next_sequence());
    // New rings begin anew.
    let pages_pushed = pushed.checked_sub(before.pushed).unwrap_or(pushed);
    before.pushed = pushed;
    let snapshot = handle.snapshot.load();
    let on_stage = |so: fn(&Seat) -> bool| {
        short(
            snapshot
                .people
                .values()
                .filter(|person| so(&person.seat))
                .count() as u64,
        )
    };
    Stage {
        running: handle.stage.load().is_some(),
        restarts: since(&handle.stage_restarts, &mut before.restarts),
        seated: on_stage(|seat| *seat != Seat::None),
        lost: on_stage(|seat| matches!(seat, Seat::LostSince(_))),
        muted: count(&|source| source.muted),
        zeros: count(&|source| source.zeros),
        loudest: levels.iter().map(|source| source.level).max().unwrap_or(0),
        silent_ms: match handle.silent_since.load(Relaxed) {
            0 => 0,
            since => short(up_ms.saturating_sub(since)),
        },
        music: handle.music.load(Relaxed),
        pages_pushed: short(pages_pushed),
        ..Stage::default()
    }
}

pub(super) fn spread_of(seen: &Seen) -> Spread {
    if seen.knocks() == 0 {
        return Spread::default();
    }
    let knocks = u64::from(seen.knocks());
    let top = seen.top();
    let share = |count: u64| short((count * 1_000 / knocks).min(1_000));
    let first = top.first().map_or(0, |entry| u64::from(entry.1));
    Spread {
        prefixes: seen.distinct().round().clamp(1.0, 4e9) as u32,
        entropy_mbit: (seen.entropy() * 1_000.0).round().clamp(0.0, 8_000.0) as u32,
        top_permille: share(first),
        top8_permille: share(top.iter().map(|entry| u64::from(entry.1)).sum()),
    }
}

/// How much happens in a space: those of which least does have no row of their own when there are too many.
pub(super) fn busy(row: &SpaceRow) -> u64 {
    let people = &row.people;
    let all = [
        row.knocks.sum().offered,
        people.inside,
        people.waiting,
        people.entered,
        people.left,
        people.lost,
        people.too_slow,
        people.replaced,
        people.heard_out,
        row.behaviour.pages,
        row.stage.restarts,
    ];
    all.into_iter().map(u64::from).sum()
}

pub(super) fn add_people(sum: &mut People, more: &People) {
    for (sum, more) in [
        (&mut sum.inside, more.inside),
        (&mut sum.waiting, more.waiting),
        (&mut sum.entered, more.entered),
        (&mut sum.as_page, more.as_page),
        (&mut sum.returned, more.returned),
        (&mut sum.left, more.left),
        (&mut sum.lost, more.lost),
        (&mut sum.too_slow, more.too_slow),
        (&mut sum.replaced, more.replaced),
        (&mut sum.heard_out, more.heard_out),
        (&mut sum.in_line, more.in_line),
        (&mut sum.rehearsed, more.rehearsed),
        (&mut sum.rehearsed_entered, more.rehearsed_entered),
        (&mut sum.rehearsed_60s, more.rehearsed_60s),
        (&mut sum.rehearsed_inside, more.rehearsed_inside),
    ] {
        *sum = sum.saturating_add(more);
    }
}

pub(super) fn add_behaviour(sum: &mut Behaviour, more: &Behaviour) {
    for (sum, more) in [
        (&mut sum.pages, more.pages),
        (&mut sum.polls, more.polls),
        (&mut sum.looks, more.looks),
        (&mut sum.stayed_10s, more.stayed_10s),
        (&mut sum.stayed_60s, more.stayed_60s),
        (&mut sum.gone_before_10s, more.gone_before_10s),
        (&mut sum.gone_before_60s, more.gone_before_60s),
    ] {
        *sum = sum.saturating_add(more);
    }
}

fn since(count: &AtomicU64, before: &mut u64) -> u32 {
    let now = count.load(Relaxed);
    short(now.saturating_sub(std::mem::replace(before, now)))
}
