//! Whose network has how many raised hands in a space, so that one network does not take all that a space may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use hustings_control::ids::{PersonId, SpaceId};

use super::problem::{Answer, Problem};
use crate::edge::prefixes::{PerLevel, Prefix, prefixes};
use crate::live::SpaceHandle;

/// Raised hands of one prefix in one space that wait; one more is refused until one of them is taken down, accepted or
/// declined. A host calls a handful of people in an hour, so even a hall full of people behind one address loses nothing; a
/// space has 500 in all. Kept in memory: a restart counts anew.
const HANDS_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 10,
    v6_64: 5,
    v6_56: 10,
    v6_48: 20,
};

/// Hands that wait, by space, with the address they were raised from. As many rows as there are hands.
#[derive(Clone, Default)]
pub(super) struct HandsByNetwork(Arc<Mutex<HashMap<SpaceId, Waiting>>>);

type Waiting = HashMap<PersonId, Raised>;

struct Raised {
    from: IpAddr,
    /// The desk has not said yet whether it is up.
    pending: bool,
}

impl HandsByNetwork {
    /// Holds a place for a hand that is about to be raised. Without an address nothing is bounded here.
    ///
    /// # Errors
    /// The network has as many hands up as it may.
    pub(super) fn raise(
        &self,
        space: &SpaceHandle,
        person: PersonId,
        from: Option<IpAddr>,
    ) -> Answer<Raising> {
        let raising = |held| Raising {
            book: self.clone(),
            hand: (space.id.clone(), person),
            held,
        };
        let Some(from) = from else {
            return Ok(raising(false));
        };
        let up = space.snapshot.load_full();
        let mut book = self.book();
        book.retain(|id, waiting| *id == space.id || !waiting.is_empty());
        let waiting = book.entry(space.id.clone()).or_default();
        waiting.retain(|person, raised| raised.pending || up.hands.contains_key(person));
        // The desk answers who has one up already.
        if waiting.contains_key(&person) {
            return Ok(raising(false));
        }
        let of = |prefix: &Prefix| {
            let same = |raised: &&Raised| prefixes(Some(raised.from)).any(|own| own == *prefix);
            waiting.values().filter(same).count()
        };
        if prefixes(Some(from)).any(|prefix| of(&prefix) >= HANDS_OF_PREFIX.of(&prefix) as usize) {
            return Err(Problem::caller(
                StatusCode::TOO_MANY_REQUESTS,
                "hands-of-your-network",
                "as many hands as one network may raise are up from yours; wait until one of them is down",
            ));
        }
        let pending = true;
        waiting.insert(person, Raised { from, pending });
        Ok(raising(true))
    }

    /// What it holds is whole at any time: a panic elsewhere changes nothing.
    fn book(&self) -> MutexGuard<'_, HashMap<SpaceId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hand on its way up; dropped before it is `done`, its place is given back.
pub(super) struct Raising {
    book: HandsByNetwork,
    hand: (SpaceId, PersonId),
    held: bool,
}

impl Raising {
    pub(super) fn done(mut self) {
        let (space, person) = &self.hand;
        if let Some(raised) = self
            .book
            .book()
            .get_mut(space)
            .and_then(|waiting| waiting.get_mut(person))
        {
            raised.pending = false;
        }
        self.held = false;
    }
}

impl Drop for Raising {
    fn drop(&mut self) {
        if self.held
            && let Some(waiting) = self.book.book().get_mut(&self.hand.0)
        {
            waiting.remove(&self.hand.1);
        }
    }
}
