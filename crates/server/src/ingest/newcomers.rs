//! ICE-TCP connections that have not named a session yet. They take no place from speakers; among them the oldest of the
//! most crowded prefix makes room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::edge::prefixes::{Crowding, PerLevel};

/// Connections without a session at once; for one more the oldest of the most crowded prefix is closed.
const NEWCOMERS_MAX: usize = 256;
/// The same of one prefix; for one more its own oldest is closed. A speaker's first frame comes within a round trip.
const NEWCOMERS_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 64,
    v6_64: 32,
    v6_56: 64,
    v6_48: 128,
};

pub(super) struct Newcomers(Mutex<Book>);

struct Book {
    next: u64,
    crowding: Crowding,
    waiting: HashMap<u64, oneshot::Sender<()>>,
}

impl Newcomers {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Book {
            next: 0,
            crowding: Crowding::new(NEWCOMERS_OF_PREFIX),
            waiting: HashMap::new(),
        })))
    }

    /// A place until the first frame, and what says that it is lost.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> (Place, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        let mut book = self.book();
        book.next += 1;
        let number = book.next;
        book.waiting.insert(number, tell);
        if let Some(oldest) = book.crowding.enter(number, Some(from)) {
            book.push_out(oldest);
        }
        while book.waiting.len() > NEWCOMERS_MAX {
            let Some(oldest) = book.crowding.oldest_of_the_most_crowded() else {
                break;
            };
            book.push_out(oldest);
        }
        drop(book);
        let place = Place {
            newcomers: Arc::clone(self),
            number,
        };
        (place, told)
    }

    /// What it holds is whole at any time: a panic elsewhere changes nothing.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn push_out(&mut self, number: u64) {
        self.crowding.leave(number);
        if let Some(tell) = self.waiting.remove(&number) {
            // Whoever goes by itself in this moment needs not be told.
            let _ = tell.send(());
        }
    }
}

pub(super) struct Place {
    newcomers: Arc<Newcomers>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.newcomers.book();
        book.crowding.leave(self.number);
        book.waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crowded_make_room_and_nothing_is_left_behind() {
        let newcomers = Newcomers::new();
        let mut speaker = newcomers.enter([203, 0, 113, 1].into());
        let cap = NEWCOMERS_OF_PREFIX.v4_24 as usize;
        let mut flood: Vec<_> = (0..cap + 5)
            .map(|_| newcomers.enter([198, 51, 100, 1].into()))
            .collect();
        for net in 0..200 {
            flood.push(newcomers.enter([10, 0, net, 1].into()));
        }
        // Five for its own cap, nine for the others.
        let mut told = flood.iter_mut().map(|(_, told)| told.try_recv().is_ok());
        assert!(told.by_ref().take(14).all(|told| told));
        assert!(!told.any(|told| told));
        assert!(speaker.1.try_recv().is_err());
        assert_eq!(newcomers.book().waiting.len(), NEWCOMERS_MAX);
        drop((flood, speaker));
        let book = newcomers.book();
        assert!(book.waiting.is_empty() && book.crowding.len() == 0);
    }
}
