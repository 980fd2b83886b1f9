//! A PROXY header is read whole or not at all, within its bound, and what follows it changes nothing.

use hustings::edge::proxy::parse_proxy;

const BYTES_MAX: usize = 536;

pub(crate) fn check(data: &[u8]) {
    match parse_proxy(data) {
        Ok(Some(header)) => {
            assert!((16..=BYTES_MAX).contains(&header.len) && header.len <= data.len());
            assert_eq!(parse_proxy(&data[..header.len]), Ok(Some(header)));
            for cut in 0..header.len {
                assert_eq!(parse_proxy(&data[..cut]), Ok(None), "cut at {cut}");
            }
        }
        Ok(None) => assert!(data.len() < BYTES_MAX, "waits for more than the bound"),
        Err(malformed) => {
            let more = [data, b"more"].concat();
            assert_eq!(parse_proxy(&more), Err(malformed), "malformed for good");
        }
    }
}
