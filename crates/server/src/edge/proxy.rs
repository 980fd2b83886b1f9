//! Who the client is when a proxy stands before the node: the PROXY protocol's second version, and X-Forwarded-For.
//! Both are believed only from the prefixes that the operator named; anybody else could write them too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::limits::{FORWARDED_HOPS_MAX, PROXY_DEADLINE, PROXY_HEADER_BYTES_MAX};

/// What `--trusted-proxy` and `--proxy-protocol` say.
#[derive(Clone, Debug, Default)]
pub struct ProxyConfig {
    pub trusted: Vec<IpNet>,
    /// Connections of trusted prefixes begin with a PROXY header.
    pub protocol: bool,
}

impl ProxyConfig {
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|prefix| prefix.contains(&address))
    }
}

/// A client's address, and whether something of what proxies said could not be read and was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    pub malformed: bool,
}

/// The right-most hop that is no trusted proxy of ours: what stands left of it, anybody may have written. `forwarded`
/// are the values of X-Forwarded-For in the order of the head. A hop that is no address ends the search at the last one
/// that was.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    config: &ProxyConfig,
) -> Client {
    let mut client = Client {
        address: peer.to_canonical(),
        malformed: false,
    };
    if !config.is_trusted(peer) {
        return client;
    }
    let hops = forwarded
        .rev()
        .flat_map(|value| value.rsplit(|byte| *byte == b','));
    for (number, hop) in hops.enumerate() {
        let Some(address) = hop_address(hop).filter(|_| number < FORWARDED_HOPS_MAX) else {
            client.malformed = true;
            return client;
        };
        client.address = address;
        if !config.is_trusted(address) {
            return client;
        }
    }
    client
}

/// `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:1234`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .or_else(|| {
            text.strip_prefix('[')?
                .strip_suffix(']')?
                .parse::<Ipv6Addr>()
                .ok()
                .map(IpAddr::V6)
        })?;
    Some(address.to_canonical())
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_BYTES: usize = 16;

/// What a PROXY header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// None: the proxy speaks for itself (LOCAL), or does not know whom for.
    pub source: Option<SocketAddr>,
    /// Bytes of the whole header.
    pub len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The header's length as soon as its fixed part is there.
fn announced_len(fixed: &[u8; FIXED_BYTES]) -> Result<usize, Malformed> {
    let [.., high, low] = *fixed;
    let len = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    let version = fixed.get(12).map_or(0, |byte| byte >> 4);
    if !fixed.starts_with(&SIGNATURE) || version != 2 || len > PROXY_HEADER_BYTES_MAX {
        return Err(Malformed);
    }
    Ok(len)
}

/// Reads a PROXY v2 header (haproxy's proxy-protocol.txt, 2.2). `None`: not whole yet.
pub fn parse_proxy(bytes: &[u8]) -> Result<Option<Announced>, Malformed> {
    let common = bytes.len().min(SIGNATURE.len());
    if bytes.get(..common) != SIGNATURE.get(..common) {
        return Err(Malformed);
    }
    let Some(fixed) = bytes.first_chunk::<FIXED_BYTES>() else {
        return Ok(None);
    };
    let len = announced_len(fixed)?;
    let Some(addresses) = bytes.get(FIXED_BYTES..len) else {
        return Ok(None);
    };
    let (command, family) = (fixed[12] & 0x0f, fixed[13]);
    let source = match (command, family) {
        (0, _) | (1, 0) => None,
        (1, 0x11) => Some(source_v4(addresses).ok_or(Malformed)?),
        (1, 0x21) => Some(source_v6(addresses).ok_or(Malformed)?),
        _ => return Err(Malformed),
    };
    Ok(Some(Announced { source, len }))
}

/// Source and destination address, source and destination port; what follows are TLVs, which say nothing to us.
fn source_v4(bytes: &[u8]) -> Option<SocketAddr> {
    let (block, _) = bytes.split_first_chunk::<12>()?;
    let [a, b, c, d, .., high, low, _, _] = *block;
    let port = u16::from_be_bytes([high, low]);
    Some(SocketAddr::from((Ipv4Addr::new(a, b, c, d), port)))
}

fn source_v6(bytes: &[u8]) -> Option<SocketAddr> {
    let (block, _) = bytes.split_first_chunk::<36>()?;
    let [.., high, low, _, _] = *block;
    let address = Ipv6Addr::from(*block.first_chunk::<16>()?);
    let port = u16::from_be_bytes([high, low]);
    Some(SocketAddr::new(IpAddr::from(address).to_canonical(), port))
}

/// Takes the header off a connection of a trusted proxy, and no byte more.
pub(super) async fn read_proxy(tcp: &mut TcpStream) -> Result<Announced, Malformed> {
    let reading = async {
        let mut bytes = [0; PROXY_HEADER_BYTES_MAX];
        let fixed = bytes.first_chunk_mut::<FIXED_BYTES>().ok_or(Malformed)?;
        tcp.read_exact(fixed).await.map_err(|_| Malformed)?;
        let len = announced_len(fixed)?;
        let rest = bytes.get_mut(FIXED_BYTES..len).ok_or(Malformed)?;
        tcp.read_exact(rest).await.map_err(|_| Malformed)?;
        parse_proxy(bytes.get(..len).unwrap_or_default())?.ok_or(Malformed)
    };
    timeout(PROXY_DEADLINE, reading)
        .await
        .map_err(|_| Malformed)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ProxyConfig {
        ProxyConfig {
            trusted: ["10.0.0.0/8", "2001:db8:aaaa::/48"]
                .map(|text| text.parse().expect("a prefix"))
                .to_vec(),
            protocol: true,
        }
    }

    #[test]
    fn the_right_most_hop_that_is_not_trusted_is_the_client() {
        let cases: [(&str, &[&str], &str, bool); 15] = [
            // Nobody is believed who is not named.
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9", false),
            ("203.0.113.9", &["nonsense"], "203.0.113.9", false),
            ("10.0.0.1", &[], "10.0.0.1", false),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1", false),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1", false),
            // What the client wrote himself stands on the left.
            (
                "10.0.0.1",
                &["127.0.0.1, 198.51.100.1"],
                "198.51.100.1",
                false,
            ),
            (
                "10.0.0.1",
                &["garbage, 198.51.100.1,10.2.3.4"],
                "198.51.100.1",
                false,
            ),
            (
                "10.0.0.1",
                &["127.0.0.1", "198.51.100.1", "10.9.9.9"],
                "198.51.100.1",
                false,
            ),
            ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1", false),
            ("10.0.0.1", &[" 198.51.100.1:4711 "], "198.51.100.1", false),
            (
                "2001:db8:aaaa::1",
                &["[2001:db8::7]:443"],
                "2001:db8::7",
                false,
            ),
            ("2001:db8:aaaa::1", &["[2001:db8::7]"], "2001:db8::7", false),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1", true),
            ("10.0.0.1", &["198.51.100.1, , 10.2.2.2"], "10.2.2.2", true),
            ("10.0.0.1", &[""], "10.0.0.1", true),
        ];
        for (peer, values, expected, malformed) in cases {
            let client = client_address(
                peer.parse().expect("an address"),
                values.iter().map(|value| value.as_bytes()),
                &config(),
            );
            assert_eq!(client.address.to_string(), expected, "{peer} {values:?}");
            assert_eq!(client.malformed, malformed, "{peer} {values:?}");
        }
    }

    #[test]
    fn endless_hops_end_the_search() {
        let long = "10.0.0.2, ".repeat(FORWARDED_HOPS_MAX) + "10.0.0.3";
        let whole = format!("198.51.100.1, {long}");
        let peer = "10.0.0.1".parse().expect("an address");
        let client = client_address(peer, [whole.as_bytes()].into_iter(), &config());
        assert!(client.malformed);
        assert_eq!(client.address.to_string(), "10.0.0.2");
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    type Said = Result<Option<&'static str>, Malformed>;

    #[test]
    fn proxy_headers_are_read_whole_or_not_at_all() {
        let v4 = [198, 51, 100, 1, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];
        let mut with_tlv = v4.to_vec();
        with_tlv.extend([0x04, 0, 3, 1, 2, 3]);
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 7;
        v6[32..34].copy_from_slice(&4711_u16.to_be_bytes());
        let mut unix = [0; 216];
        unix[0] = b'/';
        let cases: [(Vec<u8>, Said); 11] = [
            (header(0x21, 0x11, &v4), Ok(Some("198.51.100.1:4711"))),
            (header(0x21, 0x11, &with_tlv), Ok(Some("198.51.100.1:4711"))),
            (header(0x21, 0x21, &v6), Ok(Some("[2001:db8::7]:4711"))),
            (header(0x20, 0x00, &[]), Ok(None)),
            (header(0x20, 0x11, &v4), Ok(None)),
            (header(0x21, 0x00, &[]), Ok(None)),
            (header(0x21, 0x11, &v4[..11]), Err(Malformed)),
            (header(0x21, 0x12, &v4), Err(Malformed)),
            (header(0x21, 0x31, &unix), Err(Malformed)),
            (header(0x11, 0x11, &v4), Err(Malformed)),
            (header(0x22, 0x11, &v4), Err(Malformed)),
        ];
        for (bytes, expected) in cases {
            let got = parse_proxy(&bytes)
                .map(|whole| whole.expect("whole").source.map(|s| s.to_string()));
            assert_eq!(
                got.as_ref().map(Option::as_deref),
                expected.as_ref().map(|s| *s),
                "{bytes:?}"
            );
            for cut in 0..bytes.len() {
                let got = parse_proxy(&bytes[..cut]);
                assert!(
                    got == Ok(None) || got == Err(Malformed),
                    "{cut} of {bytes:?}"
                );
            }
        }
        assert_eq!(parse_proxy(b"GET / HTTP/1.1\r\n"), Err(Malformed));
        assert_eq!(
            parse_proxy(b"PROXY TCP4 198.51.100.1 10.0.0.1 4711 443\r\n"),
            Err(Malformed)
        );
    }

    #[test]
    fn a_header_longer_than_the_bound_is_malformed_before_it_has_come() {
        let most = PROXY_HEADER_BYTES_MAX - FIXED_BYTES;
        assert!(parse_proxy(&header(0x20, 0, &vec![0; most])).is_ok_and(|whole| whole.is_some()));
        let long = header(0x20, 0, &vec![0; most + 1]);
        assert_eq!(parse_proxy(&long[..FIXED_BYTES]), Err(Malformed));
    }
}
