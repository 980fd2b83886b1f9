//! Requests on the stage listener by which nobody shows a right. They have places of their own, so that no crowd of them
//! takes those of whoever runs the evening; and among them the most crowded prefix makes room first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tokio::sync::oneshot;

use super::problem::Problem;
use crate::edge::prefixes::{Crowding, PerLevel};
use crate::live::Directory;

/// Requests of strangers in work at once on the stage listener, those whose body is awaited among them: 64 KiB each at most.
/// For one more the oldest of the most crowded prefix ends with 503.
const STRANGERS_MAX: usize = 256;
/// The same of one prefix; for one more its own oldest ends with 429. Each takes some milliseconds when its body comes at
/// once, so that hundreds behind one address who raise their hands together come through.
const STRANGERS_MAX_OF_PREFIX: PerLevel = PerLevel {
    v4_24: 32,
    v6_64: 16,
    v6_56: 32,
    v6_48: 64,
};

pub(super) struct Strangers {
    pages: Mutex<Pages>,
    directory: Arc<Directory>,
}

struct Pages {
    next: u64,
    crowding: Crowding,
    in_work: HashMap<u64, oneshot::Sender<PushedOut>>,
}

/// Why a request that was in work makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushedOut {
    /// Its network has as many in work as it may.
    OwnNetwork,
    /// There are as many strangers as there may be.
    Full,
}

impl From<PushedOut> for Problem {
    fn from(why: PushedOut) -> Self {
        match why {
            PushedOut::OwnNetwork => Self::caller(
                StatusCode::TOO_MANY_REQUESTS,
                "network-busy",
                "too many requests of your network are in work at once; try again in a moment",
            ),
            PushedOut::Full => Self::busy("too many requests are in work; try again in a second"),
        }
    }
}

impl Strangers {
    pub(super) fn new(directory: Arc<Directory>) -> Arc<Self> {
        Arc::new(Self {
            pages: Mutex::new(Pages {
                next: 0,
                crowding: Crowding::new(STRANGERS_MAX_OF_PREFIX),
                in_work: HashMap::new(),
            }),
            directory,
        })
    }

    /// A place, and what says that it is lost. Without an address only the bound of all holds.
    pub(super) fn enter(
        self: &Arc<Self>,
        from: Option<IpAddr>,
    ) -> (Place, oneshot::Receiver<PushedOut>) {
        let (tell, told) = oneshot::channel();
        let mut pages = self.pages();
        pages.next += 1;
        let number = pages.next;
        pages.in_work.insert(number, tell);
        let mut lost = 0;
        if let Some(oldest) = pages.crowding.enter(number, from) {
            lost += pages.push_out(oldest, PushedOut::OwnNetwork);
        }
        while pages.in_work.len() > STRANGERS_MAX {
            let Some(oldest) = pages.crowding.oldest_of_the_most_crowded() else {
                break;
            };
            lost += pages.push_out(oldest, PushedOut::Full);
        }
        drop(pages);
        self.directory.strangers_dropped.fetch_add(lost, Relaxed);
        let place = Place {
            book: Arc::clone(self),
            number,
        };
        (place, told)
    }

    /// What it holds is whole at any time: a panic elsewhere changes nothing.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// How many were pushed out: one, unless it has just ended by itself.
    fn push_out(&mut self, number: u64, why: PushedOut) -> u64 {
        self.crowding.leave(number);
        let told = self
            .in_work
            .remove(&number)
            .is_some_and(|tell| tell.send(why).is_ok());
        u64::from(told)
    }
}

/// Held while the request is in work.
pub(super) struct Place {
    book: Arc<Strangers>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut pages = self.book.pages();
        pages.crowding.leave(self.number);
        pages.in_work.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(net: usize) -> Option<IpAddr> {
        Some([11, (net >> 8) as u8, net as u8, 1].into())
    }

    #[test]
    fn the_most_crowded_make_room_and_places_come_back() {
        let strangers = Strangers::new(Arc::default());
        let cap = STRANGERS_MAX_OF_PREFIX.v4_24 as usize;
        let mut flood: Vec<_> = (0..cap + 3).map(|_| strangers.enter(ip(0))).collect();
        for (_, told) in &mut flood[..3] {
            assert_eq!(told.try_recv(), Ok(PushedOut::OwnNetwork));
        }
        let mut others: Vec<_> = (1..=STRANGERS_MAX - cap)
            .map(|net| strangers.enter(ip(net)))
            .collect();
        let mut newest = strangers.enter(ip(1_000));
        assert_eq!(flood[3].1.try_recv(), Ok(PushedOut::Full));
        assert!(others.iter_mut().all(|(_, told)| told.try_recv().is_err()));
        assert!(newest.1.try_recv().is_err());
        assert_eq!(strangers.directory.strangers_dropped.load(Relaxed), 4);
        drop((flood, others, newest));
        let pages = strangers.pages();
        assert!(pages.in_work.is_empty() && pages.crowding.len() == 0);
    }

    #[test]
    fn those_without_an_address_are_bounded_together() {
        let strangers = Strangers::new(Arc::default());
        let mut many: Vec<_> = (0..=STRANGERS_MAX).map(|_| strangers.enter(None)).collect();
        assert_eq!(many[0].1.try_recv(), Ok(PushedOut::Full));
        assert!(many[1].1.try_recv().is_err());
    }
}
