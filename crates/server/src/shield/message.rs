//! What node and helper say to each other: one line of JSON a message, and one an answer. What is not exactly this is
//! malformed.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::limits::{BATCH_MAX, NEVER_MAX, SECONDS_MAX};

/// The lengths of prefixes that can be dropped: each has a set of its own in the kernel, so that none overlaps another.
pub(super) const LENGTHS_V4: [u8; 2] = [32, 24];
pub(super) const LENGTHS_V6: [u8; 3] = [64, 56, 48];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Message {
    /// Prefixes to drop, each with its seconds.
    Drop(Vec<(IpNet, u64)>),
    /// All that the node wants never to be blocked, in place of what it said before.
    Never(Vec<IpNet>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Prefixes that are dropped from now on.
    pub dropped: u64,
    /// Prefixes that were dropped already.
    pub already: u64,
    /// Prefixes that are never blocked, or had no room.
    pub refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("not a message")]
    NoMessage,
    #[error("too many prefixes")]
    TooMany,
    #[error("a prefix of this length cannot be dropped")]
    Length,
    #[error("a prefix has bits beyond its length")]
    HostBits,
    #[error("a prefix is dropped for 1 to {SECONDS_MAX} s")]
    Seconds,
}

impl Message {
    /// Reads one line, without its end.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let message: Self = serde_json::from_slice(line).map_err(|_| Malformed::NoMessage)?;
        match &message {
            Self::Drop(prefixes) if prefixes.len() > BATCH_MAX => return Err(Malformed::TooMany),
            Self::Never(prefixes) if prefixes.len() > NEVER_MAX => return Err(Malformed::TooMany),
            Self::Drop(prefixes) => {
                for (prefix, seconds) in prefixes {
                    can_be_dropped(prefix)?;
                    if !(1..=SECONDS_MAX).contains(seconds) {
                        return Err(Malformed::Seconds);
                    }
                }
            }
            Self::Never(_) => {}
        }
        Ok(message)
    }

    /// The line, with its end. A message that cannot be written is empty, and is refused as malformed.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

fn can_be_dropped(prefix: &IpNet) -> Result<(), Malformed> {
    let lengths: &[u8] = match prefix {
        IpNet::V4(_) => &LENGTHS_V4,
        IpNet::V6(_) => &LENGTHS_V6,
    };
    if !lengths.contains(&prefix.prefix_len()) {
        return Err(Malformed::Length);
    }
    if prefix.trunc() != *prefix {
        return Err(Malformed::HostBits);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::limits::MESSAGE_BYTES_MAX;
    use super::*;

    #[test]
    fn only_what_is_exactly_a_message_is_read() {
        let good = br#"{"drop":[["203.0.113.0/24",60],["2001:db8:1::/48",3600]]}"#;
        let Ok(Message::Drop(prefixes)) = Message::parse(good) else {
            panic!("a good message was refused")
        };
        assert_eq!(prefixes.len(), 2);
        let cases: [(&str, Malformed); 11] = [
            ("", Malformed::NoMessage),
            ("{}", Malformed::NoMessage),
            (r#"{"allow":[]}"#, Malformed::NoMessage),
            (r#"{"drop":[],"never":[]}"#, Malformed::NoMessage),
            (
                r#"{"drop":[["203.0.113.0/24; flush ruleset",60]]}"#,
                Malformed::NoMessage,
            ),
            (r#"{"drop":[["203.0.113.0/24",-1]]}"#, Malformed::NoMessage),
            (r#"{"drop":[["0.0.0.0/0",60]]}"#, Malformed::Length),
            (r#"{"drop":[["2001:db8::/32",60]]}"#, Malformed::Length),
            (r#"{"drop":[["203.0.113.7/24",60]]}"#, Malformed::HostBits),
            (r#"{"drop":[["203.0.113.0/24",0]]}"#, Malformed::Seconds),
            (r#"{"drop":[["203.0.113.0/24",3601]]}"#, Malformed::Seconds),
        ];
        for (text, why) in cases {
            assert_eq!(Message::parse(text.as_bytes()), Err(why), "{text}");
        }
    }

    #[test]
    fn the_largest_messages_fit_in_a_line_and_larger_ones_are_malformed() {
        let prefix: IpNet = "2001:0db8:ffff:ffff::/64".parse().expect("a prefix");
        let full = Message::Drop(vec![(prefix, SECONDS_MAX); BATCH_MAX]);
        let line = full.line();
        assert!(line.len() <= MESSAGE_BYTES_MAX, "{} bytes", line.len());
        assert_eq!(Message::parse(line.trim_ascii_end()), Ok(full));
        let over = Message::Drop(vec![(prefix, 1); BATCH_MAX + 1]).line();
        assert_eq!(
            Message::parse(over.trim_ascii_end()),
            Err(Malformed::TooMany)
        );
        let over = Message::Never(vec![prefix; NEVER_MAX + 1]).line();
        assert_eq!(
            Message::parse(over.trim_ascii_end()),
            Err(Malformed::TooMany)
        );
    }
}
