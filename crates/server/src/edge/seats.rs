//! Seats of connections that HTTP reads (pages, replays, events), in one shard. Kept-alive ones hold files for nothing, so
//! they have a part of them only: beyond it those of the most crowded prefix end first, each once it has answered what it
//! was asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::abuse::{Abuse, Caller};
use super::counters::{Room, ShardCounters};
use super::limits::{
    HTTP_CROWDED, HTTP_ENDING_MAX, HTTP_MAX, HTTP_MAX_OF_PREFIX, HTTP_PART, KEEP_ALIVE,
    KEEP_ALIVE_CROWDED,
};
use super::prefixes::Crowding;

pub(super) struct HttpSeats {
    counters: Arc<ShardCounters>,
    /// Connections that may stay; for one more another is told to end.
    most: usize,
    book: Mutex<Book>,
}

struct Book {
    next: u64,
    crowding: Crowding,
    /// Those that were not told to end yet.
    staying: HashMap<u64, oneshot::Sender<()>>,
}

impl HttpSeats {
    pub(super) fn new(counters: Arc<ShardCounters>, room: &Room) -> Arc<Self> {
        let shards = u64::try_from(room.shards.len()).unwrap_or(u64::MAX).max(1);
        let part = (room.connections_max / HTTP_PART / shards).clamp(1, HTTP_MAX);
        Arc::new(Self {
            counters,
            most: usize::try_from(part).unwrap_or(usize::MAX),
            book: Mutex::new(Book {
                next: 0,
                crowding: Crowding::new(HTTP_MAX_OF_PREFIX),
                staying: HashMap::new(),
            }),
        })
    }

    /// A seat; others make room. None when too many that were told to end have not yet.
    pub(super) fn take(self: &Arc<Self>, caller: &Caller) -> Option<HttpSeat> {
        self.enter(caller.bounded())
    }

    fn enter(self: &Arc<Self>, from: Option<IpAddr>) -> Option<HttpSeat> {
        let taken = self.counters.http_connections.load(Relaxed);
        if taken >= HTTP_MAX + HTTP_ENDING_MAX {
            return None;
        }
        self.counters.http_connections.fetch_add(1, Relaxed);
        let (tell, told) = oneshot::channel();
        let mut book = self.book();
        book.next += 1;
        let number = book.next;
        book.staying.insert(number, tell);
        if let Some(oldest) = book.crowding.enter(number, from) {
            self.end(&mut book, oldest);
        }
        while book.staying.len() > self.most && self.end_one(&mut book) {}
        drop(book);
        Some(HttpSeat {
            seats: Arc::clone(self),
            number,
            crowded: taken >= HTTP_CROWDED,
            told: Some(told),
        })
    }

    /// Tells up to `count` to end, the oldest of the most crowded prefix first; gives how many there were.
    pub(super) fn shed(&self, count: usize) -> usize {
        let mut book = self.book();
        (0..count).take_while(|_| self.end_one(&mut book)).count()
    }

    fn end_one(&self, book: &mut Book) -> bool {
        let oldest = book.crowding.oldest_of_the_most_crowded();
        oldest.map(|oldest| self.end(book, oldest)).is_some()
    }

    fn end(&self, book: &mut Book, number: u64) {
        book.crowding.leave(number);
        if let Some(tell) = book.staying.remove(&number) {
            // Whoever ends by itself in this moment needs not be told.
            let _ = tell.send(());
            self.counters.abuse.count(Abuse::PagesShed);
        }
    }

    /// What it holds is whole at any time: a panic elsewhere changes nothing.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when dropped.
pub(super) struct HttpSeat {
    seats: Arc<HttpSeats>,
    number: u64,
    crowded: bool,
    told: Option<oneshot::Receiver<()>>,
}

impl HttpSeat {
    pub(super) fn counters(&self) -> Arc<ShardCounters> {
        Arc::clone(&self.seats.counters)
    }

    pub(super) fn keep_alive(&self) -> Duration {
        if self.crowded {
            KEEP_ALIVE_CROWDED
        } else {
            KEEP_ALIVE
        }
    }

    /// Ready when others need the room: the connection ends after what it answers now.
    pub(super) async fn is_needed(&mut self) {
        if let Some(told) = self.told.as_mut() {
            let needed = told.await;
            self.told = None;
            if needed.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

impl Drop for HttpSeat {
    fn drop(&mut self) {
        let mut book = self.seats.book();
        book.crowding.leave(self.number);
        book.staying.remove(&self.number);
        self.seats.counters.http_connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::abuse::AbuseStats;
    use super::*;

    fn seats(connections_max: u64) -> Arc<HttpSeats> {
        let counters: Arc<ShardCounters> = Arc::default();
        let room = Room {
            shards: [Arc::clone(&counters)].into(),
            connections_max,
        };
        HttpSeats::new(counters, &room)
    }

    fn ip(net: u8) -> Option<IpAddr> {
        Some([198, 51, net, 1].into())
    }

    fn is_told(seat: &mut HttpSeat) -> bool {
        seat.told
            .as_mut()
            .is_some_and(|told| told.try_recv().is_ok())
    }

    fn shed(seats: &HttpSeats) -> u64 {
        let mut stats = AbuseStats::default();
        seats.counters.abuse.add_to(&mut stats);
        stats.of(Abuse::PagesShed)
    }

    #[test]
    fn the_most_crowded_prefix_makes_room_for_the_others() {
        let seats = seats(40 * HTTP_PART);
        let mut few: Vec<_> = (1..=10).filter_map(|net| seats.enter(ip(net))).collect();
        let mut many: Vec<_> = (0..50).filter_map(|_| seats.enter(ip(0))).collect();
        assert_eq!((few.len(), many.len()), (10, 50), "everybody comes in");
        let told = many.iter_mut().map(is_told).filter(|told| *told).count();
        assert_eq!((told, shed(&seats)), (20, 20));
        assert!(few.iter_mut().all(|seat| !is_told(seat)));
        drop((few, many));
        assert!(seats.book().staying.is_empty() && seats.book().crowding.len() == 0);
        assert_eq!(seats.counters.http_connections.load(Relaxed), 0);
    }

    #[test]
    fn those_who_do_not_end_are_bounded_too() {
        let seats = seats(4 * HTTP_PART);
        let most = (HTTP_MAX + HTTP_ENDING_MAX) as usize;
        let kept: Vec<_> = (0..most).filter_map(|_| seats.enter(None)).collect();
        assert_eq!(kept.len(), most);
        assert!(seats.enter(ip(1)).is_none());
        assert_eq!(seats.shed(100), 4);
    }
}
