//! The sockets that the public listener hears on, and who stands at them.

use std::io;
use std::net::SocketAddr;

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::limits::BACKLOG;

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
    // Linux hands it on to every connection accepted: one system call less for each.
    socket.set_tcp_nodelay(true)?;
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
