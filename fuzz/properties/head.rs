//! A head is whole or it is not: what comes after it changes nothing, and before its end nothing is decided.

use hustings::edge::asks_for;

pub(crate) fn check(data: &[u8]) {
    let Some(asks) = asks_for(data) else {
        return;
    };
    let more = [data, b"GET /s/more/live.ogg HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(
        asks_for(&more),
        Some(asks),
        "what follows a head changes it"
    );
    for cut in 0..data.len() {
        let before = asks_for(&data[..cut]);
        assert!(before.is_none() || before == Some(asks), "cut at {cut}");
    }
}
