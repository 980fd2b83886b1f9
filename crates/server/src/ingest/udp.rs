//! The one UDP socket of all sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use str0m::net::Protocol;
use tokio::net::{TcpListener, UdpSocket};

use super::address::TakenFrom;
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

pub(super) async fn receive(udp: Arc<UdpSocket>, routes: Arc<Routes>, from: TakenFrom) {
    // One byte more than is taken, to see what is too long.
    let mut buffer = [0_u8; DATAGRAM_BYTES_MAX + 1];
    loop {
        let (length, sender) = match udp.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // Errors of earlier sends come back here; they are not this socket's end.
                tracing::debug!(%error, "receiving media failed");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let source = SocketAddr::new(sender.ip().to_canonical(), sender.port());
        let bytes = &buffer[..length];
        let inbox = (length <= DATAGRAM_BYTES_MAX && from.takes(source.ip()))
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
