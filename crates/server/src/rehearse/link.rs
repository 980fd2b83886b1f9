//! A connection of the driver: plain, or TLS; never blocking.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};

use super::target::Target;

pub(super) enum Link {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    /// Under way to the target, from this address where the machine has it.
    pub(super) fn open(target: &Target, from: Option<Ipv4Addr>) -> io::Result<Self> {
        let tcp = connect(target.address, from)?;
        Ok(match &target.tls {
            None => Self::Plain(tcp),
            Some((config, name)) => {
                let session = ClientConnection::new(std::sync::Arc::clone(config), name.clone());
                Self::Tls(Box::new(StreamOwned::new(
                    session.map_err(io::Error::other)?,
                    tcp,
                )))
            }
        })
    }

    pub(super) fn fd(&self) -> RawFd {
        match self {
            Self::Plain(tcp) => tcp.as_raw_fd(),
            Self::Tls(tls) => tls.sock.as_raw_fd(),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            Self::Tls(tls) => match tls.read(into) {
                // The node ends a stream by closing; sound has no length that could be cut short.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// What TLS still has to say of its own.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

fn connect(to: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let domain = if to.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => {}
        // EINPROGRESS: on its way.
        Err(error) if error.raw_os_error() == Some(115) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}
