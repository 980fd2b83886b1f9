//! Where media is taken, and the addresses that browsers are told to send it to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where media is taken: UDP, and ICE-TCP on the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaAddress {
    /// At all addresses of this machine, and only from this machine itself. Firefox never pairs its own address with one of
    /// loopback, so that a node on loopback alone could not be spoken to from it.
    Local(u16),
    At(SocketAddr),
}

impl MediaAddress {
    /// The address of the socket.
    pub fn socket(self) -> SocketAddr {
        match self {
            Self::Local(port) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
            Self::At(address) => address,
        }
    }
}

impl From<SocketAddr> for MediaAddress {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

impl fmt::Display for MediaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(port) => write!(f, "local:{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for MediaAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let local = text.strip_prefix("local:").map(str::parse);
        match local {
            Some(Ok(port)) => Ok(Self::Local(port)),
            Some(Err(_)) => Err("after local: comes a port".to_owned()),
            None => text.parse().map(Self::At).map_err(|_| {
                "write local:PORT (from this machine only) or ADDRESS:PORT, such as 0.0.0.0:8081"
                    .to_owned()
            }),
        }
    }
}

/// Addresses to name in answers when nobody gave them, the likelier first.
pub(super) fn to_name(media: MediaAddress, bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut found = Vec::new();
    // Connecting a datagram socket sends nothing; it only asks the routing table. The targets are documentation addresses.
    found.extend(route_address(
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::new(192, 0, 2, 1).into(),
    ));
    if bound.is_ipv6() {
        found.extend(route_address(
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ));
    }
    // To others loopback is their own machine; it is named where only this machine is meant, or nothing else is there.
    if found.is_empty() || matches!(media, MediaAddress::Local(_)) {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found
        .into_iter()
        .map(|ip| SocketAddr::new(ip, bound.port()))
        .collect()
}

/// Whose datagrams and connections are taken.
#[derive(Clone, Debug)]
pub(super) enum TakenFrom {
    Everybody,
    /// This machine, known by these addresses and loopback. The kernel drops what claims to come from them and comes from outside.
    Machine(Vec<IpAddr>),
}

impl TakenFrom {
    pub(super) fn takes(&self, source: IpAddr) -> bool {
        match self {
            Self::Everybody => true,
            Self::Machine(own) => source.is_loopback() || own.contains(&source),
        }
    }
}

pub(super) fn taken_from(media: MediaAddress, locals: &[SocketAddr]) -> TakenFrom {
    match media {
        MediaAddress::Local(_) => TakenFrom::Machine(locals.iter().map(SocketAddr::ip).collect()),
        MediaAddress::At(_) => TakenFrom::Everybody,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> MediaAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in ["local:8081", "0.0.0.0:8081", "[::]:1"] {
            assert_eq!(address(text).to_string(), text);
        }
        for wrong in ["local:", "local:70000", "8081", "localhost:1", ""] {
            assert!(wrong.parse::<MediaAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_named_can_be_reached() {
        let one = "127.0.0.2:9".parse().unwrap();
        assert_eq!(to_name(MediaAddress::At(one), one), [one]);
        let any = "0.0.0.0:9".parse().unwrap();
        let named = to_name(MediaAddress::At(any), any);
        assert!(!named.is_empty());
        assert!(
            named
                .iter()
                .all(|one| one.port() == 9 && !one.ip().is_unspecified())
        );
        assert!(
            named.len() == 1 || named.iter().all(|one| !one.ip().is_loopback()),
            "{named:?}"
        );
        let own = to_name(MediaAddress::Local(9), any);
        assert_eq!(own.last(), Some(&"127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn local_takes_from_this_machine_only() {
        let locals = ["198.51.100.7:9".parse().unwrap()];
        let local = taken_from(MediaAddress::Local(9), &locals);
        for (source, taken) in [
            ("127.0.0.1", true),
            ("127.3.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("203.0.113.1", false),
        ] {
            assert_eq!(local.takes(source.parse().unwrap()), taken, "{source}");
        }
        let any = taken_from(address("0.0.0.0:9"), &locals);
        assert!(any.takes("203.0.113.1".parse().unwrap()));
    }
}
