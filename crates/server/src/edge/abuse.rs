//! What the crowd's door does with those who want no sound: what is counted, by reason, and who is told to the shield.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::HeaderMap;
pub use hustings_evidence::row::Shed as Abuse;

use super::counters::{ShardCounters, add};
use super::limits::{CONNECTIONS_PER_S_DEFAULT, HANDSHAKES_PER_S_DEFAULT};
use super::proxy::{self, ProxyConfig};
use crate::config::Serve;
use crate::shield::{Offence, Offenders, Shield};

/// Proxies that are believed, and where offences go. By default there is neither.
#[derive(Clone, Debug)]
pub struct AbuseConfig {
    pub proxies: Arc<ProxyConfig>,
    pub offenders: Offenders,
    /// New connections a second from one /24 to the node; other prefixes in proportion.
    pub connections_per_s: u32,
    /// TLS handshakes a second of one shard.
    pub handshakes_per_s: u32,
}

impl Default for AbuseConfig {
    fn default() -> Self {
        Self {
            proxies: Arc::default(),
            offenders: Offenders::off(),
            connections_per_s: CONNECTIONS_PER_S_DEFAULT,
            handshakes_per_s: HANDSHAKES_PER_S_DEFAULT,
        }
    }
}

impl AbuseConfig {
    pub fn of(config: &Serve, shield: &Shield) -> Self {
        let proxies = ProxyConfig {
            trusted: config.trusted_proxies.clone(),
            protocol: config.proxy_protocol,
        };
        Self {
            proxies: Arc::new(proxies),
            offenders: shield.offenders(),
            connections_per_s: config.prefix_connections,
            handshakes_per_s: config.handshakes,
        }
    }

    /// The address whose prefixes are bounded. None for proxies, which speak for many, and for this machine itself: an
    /// operator's own proxy or probe that he forgot to name.
    pub(crate) fn bounded(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        let is_this_machine = address == IpAddr::from([127, 0, 0, 1])
            || address == IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
        (!is_this_machine && !self.proxies.is_trusted(address)).then_some(address)
    }
}

/// What the shield is told of it; none where nobody is to blame.
fn offence(abuse: Abuse) -> Option<Offence> {
    Some(match abuse {
        Abuse::PrefixRate | Abuse::HandshakeRate => Offence::OverCap,
        Abuse::PrefixCrowded => Offence::Silent,
        Abuse::SlowHead => Offence::SlowHead,
        Abuse::SlowBody => Offence::SlowBody,
        Abuse::SlowReader => Offence::SlowReader,
        Abuse::BadHead => Offence::BadHead,
        Abuse::BadHandshake => Offence::BadHandshake,
        // The shortage is ours, proxies are trusted, and browsers open connections that they do not use in the end: behind
        // one address there may be hundreds. Below its prefix's bound each costs little.
        Abuse::Silent
        | Abuse::KnockRate
        | Abuse::PagesShed
        | Abuse::SilentShed
        | Abuse::BadProxyHeader
        | Abuse::BadForwarded => return None,
    })
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbuseStats([u64; Abuse::ALL.len()]);

impl AbuseStats {
    pub fn of(&self, abuse: Abuse) -> u64 {
        self.0.get(abuse as usize).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct AbuseCounters([AtomicU64; Abuse::ALL.len()]);

impl AbuseCounters {
    pub(super) fn count(&self, abuse: Abuse) {
        if let Some(counter) = self.0.get(abuse as usize) {
            add(counter, 1);
        }
    }

    pub(super) fn add_to(&self, stats: &mut AbuseStats) {
        for (sum, counter) in stats.0.iter_mut().zip(&self.0) {
            *sum += counter.load(Relaxed);
        }
    }
}

/// A connection's other end, for as long as it is not a listener.
#[derive(Clone)]
pub(super) struct Caller {
    /// Whom the packets come from.
    peer: SocketAddr,
    /// Whom they are said to come from by the PROXY protocol; else the same.
    pub(super) announced: SocketAddr,
    config: AbuseConfig,
    counters: Arc<ShardCounters>,
}

impl Caller {
    pub(super) fn new(peer: SocketAddr, config: AbuseConfig, counters: Arc<ShardCounters>) -> Self {
        Self {
            peer,
            announced: peer,
            config,
            counters,
        }
    }

    /// Whether its PROXY header is to be read first.
    pub(super) fn brings_proxy_header(&self) -> bool {
        self.config.proxies.protocol && self.is_proxy()
    }

    /// See [`AbuseConfig::bounded`].
    pub(super) fn bounded(&self) -> Option<IpAddr> {
        self.config.bounded(self.announced.ip())
    }

    /// The same for a client whom a proxy has named.
    pub(super) fn bounded_of(&self, client: IpAddr) -> Option<IpAddr> {
        self.config.bounded(client)
    }

    pub(super) fn refused(&self) -> &AtomicU64 {
        &self.counters.refused
    }

    /// Counts, and tells the shield whom it is to drop if this goes on.
    pub(super) fn blame(&self, abuse: Abuse) {
        self.counters.abuse.count(abuse);
        if abuse != Abuse::BadForwarded {
            add(&self.counters.refused, 1);
        }
        if let Some(offence) = offence(abuse).filter(|_| !self.is_proxy()) {
            self.config.offenders.note(self.peer.ip(), offence);
        }
    }

    /// Counts what other people's pages can make a browser do: a head that is too large, HTTP on a TLS port, a certificate
    /// that is not believed. Nobody is to be dropped for it.
    pub(super) fn excuse(&self, abuse: Abuse) {
        self.counters.abuse.count(abuse);
        add(&self.counters.refused, 1);
    }

    /// Who makes this request, by what trusted proxies say; the port is the connection's.
    pub(super) fn client(&self, headers: &HeaderMap) -> SocketAddr {
        let values = headers.get_all("x-forwarded-for");
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let peer = self.announced.ip();
        let client = proxy::client_address(peer, values.into_iter(), &self.config.proxies);
        if client.malformed {
            self.blame(Abuse::BadForwarded);
        }
        SocketAddr::new(client.address, self.announced.port())
    }

    /// The same for a head that was read here; its lines are looked at only where a proxy speaks.
    pub(super) fn client_of(&self, head: &[u8]) -> IpAddr {
        let peer = self.announced.ip();
        if !self.config.proxies.is_trusted(peer) {
            return peer;
        }
        let values = super::head::forwarded(head);
        let values = values.iter().map(Vec::as_slice);
        let client = proxy::client_address(peer, values, &self.config.proxies);
        if client.malformed {
            self.blame(Abuse::BadForwarded);
        }
        client.address
    }

    fn is_proxy(&self) -> bool {
        self.config.proxies.is_trusted(self.peer.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A browser's spare connections must not block its neighbours behind the same address.
    #[test]
    fn what_browsers_do_by_themselves_is_no_offence() {
        assert_eq!(offence(Abuse::Silent), None);
        assert_eq!(offence(Abuse::PrefixCrowded), Some(Offence::Silent));
        assert_eq!(offence(Abuse::BadHead), Some(Offence::BadHead));
    }

    #[test]
    fn every_kind_is_counted_under_its_own_name() {
        let counters = AbuseCounters::default();
        for (times, abuse) in (1..).zip(Abuse::ALL) {
            (0..times).for_each(|_| counters.count(abuse));
        }
        let mut stats = AbuseStats::default();
        counters.add_to(&mut stats);
        counters.add_to(&mut stats);
        let names: std::collections::BTreeSet<_> = Abuse::ALL.map(Abuse::name).into();
        assert_eq!(names.len(), Abuse::ALL.len());
        for (times, abuse) in (1..).zip(Abuse::ALL) {
            assert_eq!(stats.of(abuse), 2 * times, "{}", abuse.name());
        }
    }
}
