//! The one UDP socket of all sessions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use str0m::net::Protocol;
use tokio::net::{TcpListener, UdpSocket};

use super::routes::{DATAGRAM_BYTES_MAX, Datagram, Routes};

/// Bytes the kernel may hold for us while this task waits for a core: a second of 13 speakers with room to spare.
const SOCKET_BUFFER_BYTES: usize = 1 << 20;
/// Tries to find a port that is free for both protocols, when any port will do.
const PORT_TRIES: usize = 16;

pub(super) struct Sockets {
    pub(super) udp: Arc<UdpSocket>,
    pub(super) tcp: TcpListener,
    pub(super) address: SocketAddr,
}

/// UDP and TCP on the same number.
pub(super) async fn bind(media: SocketAddr) -> std::io::Result<Sockets> {
    let mut tries = if media.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = bind_udp(media)?;
        let address = udp.local_addr()?;
        tries -= 1;
        match TcpListener::bind(address).await {
            Ok(tcp) => {
                return Ok(Sockets {
                    udp: Arc::new(udp),
                    tcp,
                    address,
                });
            }
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn bind_udp(media: SocketAddr) -> std::io::Result<UdpSocket> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(media), Type::DGRAM, None)?;
    if media.is_ipv6() && media.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // The kernel may give less; that costs packets under load, not function.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&media.into())?;
    UdpSocket::from_std(socket.into())
}

/// Addresses to name in answers. For "any address": the one each family's default route leaves by, and loopback.
pub(super) fn host_addresses(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut found = Vec::new();
    // Connecting a datagram socket sends nothing; it only asks the routing table. The targets are documentation addresses.
    found.extend(route_address(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    ));
    found.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if bound.is_ipv6() {
        found.extend(route_address(
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        ));
    }
    found.dedup();
    found
        .into_iter()
        .map(|ip| SocketAddr::new(ip, bound.port()))
        .collect()
}

fn route_address(any: IpAddr, target: IpAddr) -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((target, 9)).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|address| address.ip())
        .filter(|ip| !ip.is_unspecified())
}

pub(super) async fn receive(udp: Arc<UdpSocket>, routes: Arc<Routes>) {
    // One byte more than is taken, to see what is too long.
    let mut buffer = [0_u8; DATAGRAM_BYTES_MAX + 1];
    loop {
        let (length, from) = match udp.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // Errors of earlier sends come back here; they are not this socket's end.
                tracing::debug!(%error, "receiving media failed");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let source = SocketAddr::new(from.ip().to_canonical(), from.port());
        let bytes = &buffer[..length];
        let inbox = (length <= DATAGRAM_BYTES_MAX)
            .then(|| routes.find(Protocol::Udp, source, bytes))
            .flatten();
        let Some(inbox) = inbox else {
            routes.count_stranger();
            continue;
        };
        let datagram = Datagram {
            at: Instant::now(),
            proto: Protocol::Udp,
            source,
            bytes: Bytes::copy_from_slice(bytes),
            back: None,
        };
        // Full: the session is behind, and what comes later is worth as little as on a lossy network.
        let _ = inbox.try_send(datagram);
    }
}

/// Sends without waiting; a full socket loses the datagram, as a network would.
pub(super) fn send(udp: &UdpSocket, to: SocketAddr, bytes: &[u8]) {
    let v6 = udp.local_addr().is_ok_and(|local| local.is_ipv6());
    let to = match to.ip() {
        IpAddr::V4(ip) if v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port()),
        _ => to,
    };
    let _ = udp.try_send_to(bytes, to);
}
