//! A line is a message or not; a message says the same when it is written and read again, and asks for nothing that the
//! helper must not do.

use hustings::shield::message::Message;

pub(crate) fn check(data: &[u8]) {
    let Ok(message) = Message::parse(data) else {
        return;
    };
    let line = message.line();
    assert_eq!(Message::parse(line.trim_ascii_end()), Ok(message.clone()));
    if let Message::Drop(prefixes) = message {
        assert!(prefixes.len() <= 1_024);
        for (prefix, seconds) in prefixes {
            assert!((1..=3_600).contains(&seconds));
            assert!([24, 32, 48, 56, 64].contains(&prefix.prefix_len()));
            assert!(prefix.prefix_len() >= if prefix.addr().is_ipv4() { 24 } else { 48 });
        }
    }
}
