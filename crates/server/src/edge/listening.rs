//! The sockets that the public listener hears on, and who stands at them.

use std::io;
use std::net::SocketAddr;

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::limits::{BACKLOG, RECEIVE_BUFFER_BYTES};

/// One listener a shard, all on the same address. SO_REUSEPORT would let two nodes of one user share a port unseen, so
/// a socket without it asks first whether the port is free.
pub(super) fn bind(address: SocketAddr, shards: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let asking = open(address, false)?;
    let address = asking.local_addr()?.as_socket().unwrap_or(address);
    drop(asking);
    (0..shards.max(1))
        .map(|_| Ok(open(address, true)?.into()))
        .collect()
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    // Linux hands both on to every connection accepted: two system calls less for each, and the window fits from the start.
    socket.set_tcp_nodelay(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

pub(super) type Accepted = io::Result<(std::net::TcpStream, SocketAddr)>;

/// Who stands at the door now; `WouldBlock` when nobody does.
pub(super) fn next(listener: &TcpListener) -> Accepted {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (tcp, peer) = acceptfrom_with(listener, flags)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    Ok((tcp.into(), peer.ok_or(io::ErrorKind::NotConnected)?))
}

/// EMFILE, ENFILE, ENOMEM, ENOBUFS: the machine, not the peer, is why.
pub(super) fn is_short(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 12 | 105))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel keeps for somebody who sends and is not read.
    #[test]
    fn a_peer_that_is_not_read_holds_little_memory() {
        use std::io::Write as _;
        let listening = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port");
        let address = listening[0].local_addr().expect("bound");
        let mut peer = std::net::TcpStream::connect(address).expect("connected");
        listening[0].set_nonblocking(false).expect("set");
        let (accepted, _) = listening[0].accept().expect("accepted");
        peer.set_nonblocking(true).expect("set");
        while peer.write(&[0; 4_096]).is_ok() {}
        accepted.set_nonblocking(true).expect("set");
        let kept = socket2::SockRef::from(&accepted)
            .recv_buffer_size()
            .expect("a size");
        assert!(kept <= 2 * RECEIVE_BUFFER_BYTES, "{kept}");
        let mut whole = vec![0; 1 << 20];
        let waiting = accepted.peek(&mut whole).expect("bytes");
        assert!(
            waiting <= 2 * RECEIVE_BUFFER_BYTES,
            "{waiting} wait in the kernel"
        );
    }

    #[test]
    fn a_taken_port_is_an_error_and_not_shared() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 3).expect("a free port");
        let address = first[0].local_addr().expect("bound");
        assert!(
            first
                .iter()
                .all(|listener| listener.local_addr().is_ok_and(|a| a == address))
        );
        let second = bind(address, 1).expect_err("taken");
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    }
}
