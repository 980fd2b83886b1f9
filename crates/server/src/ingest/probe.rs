//! Whether datagrams reach the media port by the addresses that browsers are told: a STUN request (RFC 8489) of our own, sent
//! there from a socket of its own, must come in at the node's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::Ingest;

/// Longest that a request may be under way, and the time between two tries: datagrams are lost.
const WITHIN: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(300);
const MAGIC_COOKIE: u32 = 0x2112_a442;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const INTEGRITY_BYTES: usize = 20;
const PRIORITY: u16 = 0x0024;
const PRIORITY_BYTES: usize = 4;

impl Ingest {
    /// Each address that browsers are told, and whether a datagram came through.
    pub async fn probe(&self) -> Vec<(SocketAddr, bool)> {
        let mut seen = Vec::new();
        for address in self.inner.locals.iter() {
            seen.push((*address, self.reaches(*address).await));
        }
        seen
    }

    async fn reaches(&self, address: SocketAddr) -> bool {
        let mut random = [0; 12];
        if getrandom::fill(&mut random).is_err() {
            return false;
        }
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let ufrag = format!("probe{name}");
        let (inbox, mut came) = mpsc::channel(1);
        self.inner.routes.add(ufrag.clone(), inbox);
        let request = request(&ufrag, random);
        let sent = async {
            let any: IpAddr = if address.is_ipv4() {
                Ipv4Addr::UNSPECIFIED.into()
            } else {
                Ipv6Addr::UNSPECIFIED.into()
            };
            let socket = UdpSocket::bind((any, 0)).await.ok()?;
            loop {
                socket.send_to(&request, address).await.ok()?;
                if let Ok(seen) = tokio::time::timeout(AGAIN, came.recv()).await {
                    return seen.map(|_| ());
                }
            }
        };
        let reached = tokio::time::timeout(WITHIN, sent).await;
        self.inner.routes.remove(&ufrag);
        matches!(reached, Ok(Some(())))
    }
}

/// A binding request with our name as the first half of its USERNAME (RFC 8445 section 7.2.2). Its integrity is by no key: it is
/// found by its name, and no session looks at it.
fn request(ufrag: &str, transaction: [u8; 12]) -> Vec<u8> {
    let name = format!("{ufrag}:preflight");
    let padded = name.len().next_multiple_of(4);
    let mut bytes = vec![0, 1];
    let length = 4 + padded + 4 + PRIORITY_BYTES + 4 + INTEGRITY_BYTES;
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(MAGIC_COOKIE.to_be_bytes());
    bytes.extend(transaction);
    bytes.extend(USERNAME.to_be_bytes());
    bytes.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(name.as_bytes());
    bytes.resize(bytes.len() + padded - name.len(), 0);
    for (attribute, size) in [
        (PRIORITY, PRIORITY_BYTES),
        (MESSAGE_INTEGRITY, INTEGRITY_BYTES),
    ] {
        bytes.extend(attribute.to_be_bytes());
        bytes.extend(u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes());
        bytes.resize(bytes.len() + size, 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use str0m::ice::StunMessage;

    use super::*;

    #[test]
    fn the_request_is_one_that_routes_read() {
        for ufrag in ["probe0123456789ab", "probe"] {
            let bytes = request(ufrag, [7; 12]);
            let message = StunMessage::parse(&bytes).unwrap();
            assert!(message.is_binding_request());
            assert_eq!(message.split_username(), Some((ufrag, "preflight")));
        }
    }
}
