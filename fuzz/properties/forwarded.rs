//! Whatever X-Forwarded-For says: the client is the peer or a hop, and nothing a client writes on the left of the hop
//! that was believed changes who he is.

use std::net::IpAddr;

use hustings::edge::proxy::{ProxyConfig, client_address};

/// Each line is the value of one header.
pub(crate) fn check(data: &[u8]) {
    let config = ProxyConfig {
        trusted: vec!["10.0.0.0/8".parse().expect("a prefix")],
        protocol: false,
    };
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let client = client_address(proxy, values.iter().copied(), &config);
    let stranger = IpAddr::from([203, 0, 113, 9]);
    let direct = client_address(stranger, values.iter().copied(), &config);
    assert_eq!(direct.address, stranger, "nobody speaks for a stranger");
    assert!(!direct.malformed);
    if !config.is_trusted(client.address) {
        assert!(!client.malformed, "the search ends at the first stranger");
        let forged = [&b"198.51.100.1, nonsense, 10.0.0.1"[..]];
        let more = forged.into_iter().chain(values.iter().copied());
        assert_eq!(client_address(proxy, more, &config), client);
    }
}
