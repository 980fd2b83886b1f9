//! Which session a datagram belongs to: by the ICE user fragment of a STUN request, else by an address that a session has
//! proved to be its peer's. What belongs to nobody is dropped before anything is kept of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use str0m::ice::StunMessage;
use str0m::net::Protocol;
use tokio::sync::mpsc;

/// Datagrams that wait for a session (over a second of sound); newer ones are dropped when full.
pub(super) const INBOX_MAX: usize = 128;
/// Addresses remembered for a session; networks change, but not that often: the oldest is forgotten.
const ADDRESSES_MAX: usize = 8;
/// Bytes. The engine takes no larger datagram.
pub(super) const DATAGRAM_BYTES_MAX: usize = 2_000;

pub(super) struct Datagram {
    pub(super) at: Instant,
    pub(super) proto: Protocol,
    pub(super) source: SocketAddr,
    pub(super) bytes: Bytes,
    /// The way back when it came by TCP.
    pub(super) back: Option<mpsc::Sender<Bytes>>,
}

pub(super) type Inbox = mpsc::Sender<Datagram>;
type Address = (Protocol, SocketAddr);

#[derive(Default)]
pub(super) struct Routes {
    table: Mutex<Table>,
    /// Datagrams and connections of nobody we know.
    pub(super) strangers: AtomicU64,
}

#[derive(Default)]
struct Table {
    by_ufrag: HashMap<String, Inbox>,
    by_address: HashMap<Address, (String, Inbox)>,
    /// By session (its ufrag), oldest first.
    addresses: HashMap<String, Vec<Address>>,
}

impl Routes {
    pub(super) fn add(&self, ufrag: String, inbox: Inbox) {
        self.table().by_ufrag.insert(ufrag, inbox);
    }

    pub(super) fn remove(&self, ufrag: &str) {
        let mut table = self.table();
        table.by_ufrag.remove(ufrag);
        for address in table.addresses.remove(ufrag).unwrap_or_default() {
            if table
                .by_address
                .get(&address)
                .is_some_and(|(owner, _)| owner == ufrag)
            {
                table.by_address.remove(&address);
            }
        }
    }

    /// An ICE restart: the session is found by its new name, and still by the addresses it had.
    pub(super) fn rename(&self, old: &str, new: &str) {
        let mut table = self.table();
        let Some(inbox) = table.by_ufrag.remove(old) else {
            return;
        };
        let addresses = table.addresses.remove(old).unwrap_or_default();
        for address in &addresses {
            if let Some((owner, _)) = table.by_address.get_mut(address)
                && owner == old
            {
                new.clone_into(owner);
            }
        }
        table.addresses.insert(new.to_owned(), addresses);
        table.by_ufrag.insert(new.to_owned(), inbox);
    }

    /// The session has proved (by the integrity of a STUN message) that its peer sends from there.
    pub(super) fn remember(&self, ufrag: &str, address: Address) {
        let mut table = self.table();
        let Some(inbox) = table.by_ufrag.get(ufrag).cloned() else {
            return;
        };
        if table
            .by_address
            .get(&address)
            .is_some_and(|(owner, _)| owner == ufrag)
        {
            return;
        }
        table.by_address.insert(address, (ufrag.to_owned(), inbox));
        let known = table.addresses.entry(ufrag.to_owned()).or_default();
        known.push(address);
        if known.len() > ADDRESSES_MAX {
            let oldest = known.remove(0);
            table.by_address.remove(&oldest);
        }
    }

    pub(super) fn find(&self, proto: Protocol, source: SocketAddr, bytes: &[u8]) -> Option<Inbox> {
        match stun_ufrag(bytes) {
            Some(ufrag) => self.table().by_ufrag.get(&ufrag).cloned(),
            None => self
                .table()
                .by_address
                .get(&(proto, source))
                .map(|(_, inbox)| inbox.clone()),
        }
    }

    pub(super) fn count_stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        // Nothing in here panics half way; a poisoned table is as good as before.
        self.table
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Our half of a STUN request's USERNAME.
fn stun_ufrag(bytes: &[u8]) -> Option<String> {
    if bytes.len() < 20 || bytes[0] > 1 {
        return None;
    }
    let message = StunMessage::parse(bytes).ok()?;
    if !message.is_binding_request() {
        return None;
    }
    message.split_username().map(|(ours, _)| ours.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_forgotten_oldest_first_and_with_their_session() {
        let routes = Routes::default();
        let (inbox, _kept) = mpsc::channel(1);
        routes.add("a".to_owned(), inbox);
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for port in 1..=9 {
            routes.remember("a", (Protocol::Udp, address(port)));
        }
        assert!(
            routes
                .find(Protocol::Udp, address(1), &[0x80, 0, 0])
                .is_none()
        );
        assert!(
            routes
                .find(Protocol::Udp, address(9), &[0x80, 0, 0])
                .is_some()
        );
        assert!(
            routes
                .find(Protocol::Tcp, address(9), &[0x80, 0, 0])
                .is_none()
        );
        routes.remember("nobody", (Protocol::Udp, address(20)));
        assert!(
            routes
                .find(Protocol::Udp, address(20), &[0x80, 0, 0])
                .is_none()
        );
        routes.rename("a", "b");
        assert!(
            routes
                .find(Protocol::Udp, address(9), &[0x80, 0, 0])
                .is_some(),
            "addresses go with the session through an ICE restart"
        );
        routes.remove("a");
        assert!(
            routes
                .find(Protocol::Udp, address(9), &[0x80, 0, 0])
                .is_some()
        );
        routes.remove("b");
        assert!(
            routes
                .find(Protocol::Udp, address(9), &[0x80, 0, 0])
                .is_none()
        );
    }
}
