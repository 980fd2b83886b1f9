//! Ranges of a file, as players ask for them (RFC 9110 section 14.2).

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// First and last byte.
    Part(u64, u64),
    Nothing,
}

/// One range of bytes (RFC 9110, section 14). Several ranges, other units and what cannot be read are answered with the whole.
pub(super) fn parse_range(text: &str, length: u64) -> Wanted {
    let Some((first, last)) = text
        .trim()
        .strip_prefix("bytes=")
        .filter(|set| !set.contains(','))
        .and_then(|set| set.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Wanted::All;
    }
    // A number beyond u64 is beyond the file.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => Wanted::All,
        (true, false) if number(last) == 0 || length == 0 => Wanted::Nothing,
        (true, false) => Wanted::Part(length.saturating_sub(number(last)), length - 1),
        (false, _) if number(first) >= length => Wanted::Nothing,
        (false, true) => Wanted::Part(number(first), length - 1),
        (false, false) if number(last) < number(first) => Wanted::All,
        (false, false) => Wanted::Part(number(first), number(last).min(length - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-", Wanted::Part(0, 99)),
            ("bytes=10-19", Wanted::Part(10, 19)),
            ("bytes=90-1000", Wanted::Part(90, 99)),
            ("bytes=-10", Wanted::Part(90, 99)),
            ("bytes=-1000", Wanted::Part(0, 99)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=0-1", Wanted::All),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_range(text, 100), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(parse_range("bytes=-5", 0), Wanted::Nothing);
    }
}
