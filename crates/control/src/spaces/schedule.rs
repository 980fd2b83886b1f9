//! What time does to a space: kept seats run out, an empty live stage gets music and then ends.

use super::event::Event;
use super::space::{Seat, Space};
use crate::ids::UnixMillis;
use crate::limits::{EMPTY_END_MS, EMPTY_MUSIC_MS, SEAT_KEPT_MS};

impl Space {
    /// When `Command::Tick` should next be given.
    pub fn next_tick(&self) -> Option<UnixMillis> {
        let seats = self.people.values().filter_map(|person| match person.seat {
            Seat::LostSince(since) => Some(after(since, SEAT_KEPT_MS)),
            Seat::None | Seat::Taken => None,
        });
        let empty = self.empty_since.map(|since| {
            let wait = if self.empty_warned {
                EMPTY_END_MS
            } else {
                EMPTY_MUSIC_MS
            };
            after(since, wait)
        });
        seats.chain(empty).min()
    }

    pub(super) fn tick(&self, now: UnixMillis) -> Vec<Event> {
        let mut events: Vec<Event> = self
            .people
            .iter()
            .filter(|(_, person)| matches!(person.seat, Seat::LostSince(since) if now >= after(since, SEAT_KEPT_MS)))
            .map(|(id, _)| Event::SeatLeft { person: *id, ran_out: true })
            .collect();
        let Some(since) = self.empty_since else {
            return events;
        };
        if self.empty_warned {
            if now >= after(since, EMPTY_END_MS) {
                events.push(Event::Ended { by_itself: true });
            }
        } else if now >= after(since, EMPTY_MUSIC_MS) {
            if !self.hold_music {
                events.push(Event::HoldMusic {
                    on: true,
                    by_itself: true,
                });
            }
            events.push(Event::EmptyWarned);
        }
        events
    }

    /// Whether the person's seat is still kept after a lost connection.
    pub(super) fn is_kept(seat: Seat, now: UnixMillis) -> bool {
        matches!(seat, Seat::LostSince(since) if now < after(since, SEAT_KEPT_MS))
    }
}

fn after(since: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(since.0.saturating_add(millis))
}
