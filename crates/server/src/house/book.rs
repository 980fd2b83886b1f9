//! Who holds the connections of a house listener. Whoever has shown a right on a connection keeps it, and its prefix is a
//! friend's from then on; strangers are bounded, and make room for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::limits::{
    BURST_S, CONNECTIONS_PER_S_OF_PREFIX, FRIENDS_MAX, HANDSHAKE_DEADLINE, HANDSHAKES_BURST_S,
    HANDSHAKES_PER_S, HANDSHAKES_PER_S_OF_PREFIX, REQUESTS_PER_S_OF_PREFIX, STRANGERS_MAX,
    STRANGERS_MAX_OF_PREFIX,
};
use crate::edge::AbuseConfig;
use crate::edge::prefixes::{Crowding, Prefix, prefixes};
use crate::edge::rates::{Pace, Rates};
use crate::shield::Offence;

/// One listener's. All its connections share it.
pub(super) struct Book {
    abuse: AbuseConfig,
    began: Instant,
    pages: Mutex<Pages>,
}

struct Pages {
    next: u64,
    /// Connections by which nobody has shown a right. The task stands here as soon as it has begun.
    strangers: HashMap<u64, Option<AbortHandle>>,
    crowding: Crowding,
    connections: Rates,
    requests: Rates,
    handshakes: Rates,
    handshake_pace: Pace,
    /// Friends' prefixes, and when each was last seen, by the count of notes.
    friends: HashMap<Prefix, u64>,
}

impl Book {
    pub(super) fn new(abuse: AbuseConfig) -> Arc<Self> {
        let pages = Pages {
            next: 0,
            strangers: HashMap::new(),
            crowding: Crowding::new(STRANGERS_MAX_OF_PREFIX),
            connections: Rates::new(CONNECTIONS_PER_S_OF_PREFIX, BURST_S),
            requests: Rates::new(REQUESTS_PER_S_OF_PREFIX, BURST_S),
            handshakes: Rates::new(HANDSHAKES_PER_S_OF_PREFIX, HANDSHAKES_BURST_S),
            handshake_pace: Pace::new(HANDSHAKES_PER_S, HANDSHAKES_BURST_S),
            friends: HashMap::new(),
        };
        Arc::new(Self {
            abuse,
            began: Instant::now(),
            pages: Mutex::new(pages),
        })
    }

    /// Enters a newcomer as a stranger, and drops others if it is one too many; none when its prefix comes too fast.
    pub(super) fn welcome(self: &Arc<Self>, from: IpAddr) -> Option<Guest> {
        let now_us = self.now_us();
        let mut pages = self.pages();
        let bounded = self.bounded(&pages, from);
        if bounded.is_some_and(|address| !pages.connections.allow(address, now_us)) {
            drop(pages);
            self.blame(from, Offence::OverCap);
            return None;
        }
        pages.next += 1;
        let number = pages.next;
        pages.strangers.insert(number, None);
        if let Some(victim) = pages.crowding.enter(number, bounded) {
            pages.drop_one(victim);
        }
        let over = pages.strangers.len().saturating_sub(STRANGERS_MAX);
        pages.shed(over);
        Some(Guest(Arc::new(Held {
            book: Arc::clone(self),
            number,
            from,
            has_a_right: AtomicBool::new(false),
        })))
    }

    /// Drops up to so many strangers, the oldest of the most crowded prefix first.
    pub(super) fn shed(&self, count: usize) {
        self.pages().shed(count);
    }

    /// The address whose prefixes are bounded; none for proxies, this machine itself and friends.
    fn bounded(&self, pages: &Pages, from: IpAddr) -> Option<IpAddr> {
        let address = self.abuse.bounded(from)?;
        let is_friend =
            narrowest(address).is_some_and(|prefix| pages.friends.contains_key(&prefix));
        (!is_friend).then_some(address)
    }

    fn blame(&self, from: IpAddr, offence: Offence) {
        self.abuse.offenders.note(from, offence);
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What it holds is whole at any time: a panic elsewhere changes nothing.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn shed(&mut self, count: usize) {
        for _ in 0..count {
            let Some(victim) = self.crowding.oldest_of_the_most_crowded() else {
                return;
            };
            self.drop_one(victim);
        }
    }

    fn drop_one(&mut self, number: u64) {
        self.crowding.leave(number);
        if let Some(task) = self.strangers.remove(&number).flatten() {
            task.abort();
        }
    }

    fn befriend(&mut self, address: IpAddr) {
        let Some(prefix) = narrowest(address) else {
            return;
        };
        self.next += 1;
        if self.friends.len() >= FRIENDS_MAX && !self.friends.contains_key(&prefix) {
            let oldest = self.friends.iter().min_by_key(|(_, seen)| **seen);
            if let Some(oldest) = oldest.map(|(prefix, _)| *prefix) {
                self.friends.remove(&oldest);
            }
        }
        self.friends.insert(prefix, self.next);
    }
}

fn narrowest(address: IpAddr) -> Option<Prefix> {
    prefixes(Some(address)).next()
}

/// A connection in the book, for as long as it or a request of it lives.
#[derive(Clone)]
pub struct Guest(Arc<Held>);

struct Held {
    book: Arc<Book>,
    number: u64,
    from: IpAddr,
    has_a_right: AtomicBool,
}

impl Guest {
    /// Somebody on it has shown a right: it is not dropped for others any more, and its prefix is a friend's.
    pub fn has_a_right(&self) {
        let mut pages = self.0.book.pages();
        self.0.has_a_right.store(true, Relaxed);
        pages.strangers.remove(&self.0.number);
        pages.crowding.leave(self.0.number);
        pages.befriend(self.0.from);
    }

    /// The address whose prefixes are bounded; none for proxies and for this machine itself.
    pub fn bounded(&self) -> Option<IpAddr> {
        self.0.book.abuse.bounded(self.0.from)
    }

    /// Whether one more request may be answered.
    pub(super) fn may_ask(&self) -> bool {
        let book = &self.0.book;
        let now_us = book.now_us();
        let mut pages = book.pages();
        let stranger = pages.strangers.contains_key(&self.0.number);
        let bounded = book.bounded(&pages, self.0.from).filter(|_| stranger);
        bounded.is_none_or(|address| pages.requests.allow(address, now_us))
    }

    /// Microseconds until a handshake may begin, before anything is computed for it; none when it is refused.
    pub(super) fn handshake_in(&self) -> Option<u64> {
        let book = &self.0.book;
        let now_us = book.now_us();
        let longest = u64::try_from(HANDSHAKE_DEADLINE.as_micros()).unwrap_or(u64::MAX);
        let mut pages = book.pages();
        let Some(address) = book.bounded(&pages, self.0.from) else {
            return Some(0);
        };
        if !pages.handshakes.allow(address, now_us) {
            drop(pages);
            book.blame(address, Offence::OverCap);
            return None;
        }
        pages.handshake_pace.wait(now_us, longest)
    }

    /// The task that serves it, for whoever must drop it. If it was dropped already, the task ends here.
    pub(super) fn served_by(&self, task: AbortHandle) {
        let mut pages = self.0.book.pages();
        if let Some(place) = pages.strangers.get_mut(&self.0.number) {
            *place = Some(task);
        } else if !self.0.has_a_right.load(Relaxed) {
            task.abort();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut pages = self.book.pages();
        pages.strangers.remove(&self.number);
        pages.crowding.leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    fn connect(book: &Arc<Book>, from: [u8; 4]) -> Option<(Guest, JoinHandle<()>)> {
        let guest = book.welcome(from.into())?;
        let task = tokio::spawn(std::future::pending::<()>());
        guest.served_by(task.abort_handle());
        Some((guest, task))
    }

    async fn ended(task: JoinHandle<()>) -> bool {
        let end = tokio::time::timeout(std::time::Duration::from_secs(5), task).await;
        end.is_ok_and(|end| end.is_err_and(|error| error.is_cancelled()))
    }

    #[tokio::test]
    async fn strangers_make_room_and_who_has_a_right_does_not() {
        let book = Book::new(AbuseConfig::default());
        let (host, seated) = connect(&book, [203, 0, 113, 1]).expect("in");
        host.has_a_right();
        let (_first, oldest) = connect(&book, [198, 51, 0, 1]).expect("in");
        let mut crowd = vec![connect(&book, [198, 51, 0, 2]).expect("in")];
        for net in 0..STRANGERS_MAX - 2 {
            crowd.extend(connect(&book, [11, (net >> 8) as u8, net as u8, 1]));
        }
        assert_eq!(
            (crowd.len(), oldest.is_finished()),
            (STRANGERS_MAX - 1, false)
        );
        crowd.extend(connect(&book, [12, 0, 0, 1]));
        assert!(
            ended(oldest).await,
            "the oldest of the most crowded prefix goes"
        );
        assert!(crowd.iter().all(|(_, task)| !task.is_finished()));
        book.shed(usize::MAX);
        for (_, task) in crowd {
            assert!(ended(task).await);
        }
        assert!(!seated.is_finished());
        drop(host);
        let pages = book.pages();
        assert!(pages.strangers.is_empty() && pages.crowding.len() == 0);
    }

    #[tokio::test]
    async fn a_prefix_has_its_bounds_until_somebody_of_it_has_a_right() {
        let book = Book::new(AbuseConfig::default());
        let many: Vec<_> = (0..1_000)
            .filter_map(|_| connect(&book, [203, 0, 113, 1]))
            .collect();
        let burst = (CONNECTIONS_PER_S_OF_PREFIX.v4_24 * BURST_S) as usize;
        assert!((burst..burst + 40).contains(&many.len()), "{}", many.len());
        let held = book.pages().strangers.len();
        assert_eq!(held, STRANGERS_MAX_OF_PREFIX.v4_24 as usize);
        let (guest, _) = many.last().expect("some");
        let asked = (0..10_000).filter(|_| guest.may_ask()).count();
        assert!(asked < 1_000, "{asked} requests");
        assert!((0..1_000).any(|_| guest.handshake_in().is_none()));
        guest.has_a_right();
        assert!(connect(&book, [203, 0, 113, 7]).is_some());
        assert!((0..10_000).all(|_| guest.may_ask()));
        assert_eq!(guest.handshake_in(), Some(0));
        assert!(
            connect(&book, [203, 0, 114, 7]).is_some(),
            "a neighbour is another"
        );
    }

    #[tokio::test]
    async fn who_was_dropped_before_its_task_stood_in_the_book_is_dropped_all_the_same() {
        let book = Book::new(AbuseConfig::default());
        let guest = book.welcome([203, 0, 113, 1].into()).expect("in");
        book.shed(1);
        let task = tokio::spawn(std::future::pending::<()>());
        guest.served_by(task.abort_handle());
        assert!(ended(task).await);
    }

    #[test]
    fn friends_are_bounded() {
        let book = Book::new(AbuseConfig::default());
        let mut pages = book.pages();
        for net in 0..FRIENDS_MAX + 10 {
            pages.befriend([11, (net >> 8) as u8, net as u8, 1].into());
        }
        assert_eq!(pages.friends.len(), FRIENDS_MAX);
        let oldest = narrowest([11, 0, 0, 1].into()).expect("a prefix");
        assert!(!pages.friends.contains_key(&oldest));
    }
}
