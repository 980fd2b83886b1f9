//! Numbers, times and shares as the finding says them.

/// 1,234,567
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut words = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

/// A rate or factor: 7.3 below ten, else without decimals.
pub fn rate(rate: f64) -> String {
    if !rate.is_finite() {
        return "very many".to_owned();
    }
    if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        number(rate.round() as u64)
    }
}

/// 19:02:11, of the time in UTC.
pub fn clock(at: u64) -> String {
    let second = at % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// 12.3 %, and whole numbers from ten on.
pub fn percent(share: f64) -> String {
    let share = if share.is_finite() {
        share * 100.0
    } else {
        0.0
    };
    if share < 10.0 {
        format!("{share:.1} %")
    } else {
        format!("{share:.0} %")
    }
}

/// 42 s, 2 min 5 s, 3 h 10 min
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", number(seconds / 3_600), seconds / 60 % 60),
    }
}

/// Without characters that turn the direction of what follows, or are not seen: a setting's name must not rewrite a sentence.
pub fn plain(text: &str) -> String {
    let turns = |c: &char| matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars()
        .filter(|c| !c.is_control() && !turns(c))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_like_people_write_them() {
        assert_eq!((number(0), number(1_000)), ("0".into(), "1,000".into()));
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            (percent(0.0123), percent(0.96)),
            ("1.2 %".into(), "96 %".into())
        );
        assert_eq!(clock(1_800_000_000), "08:00:00");
        assert_eq!(plain("a\u{202e}b\nc ä"), "abc ä");
        assert_eq!(
            (duration(59), duration(125), duration(7_260)),
            ("59 s".into(), "2 min 5 s".into(), "2 h 1 min".into())
        );
        assert_eq!(
            (rate(f64::NAN), percent(f64::NAN)),
            ("very many".into(), "0.0 %".into())
        );
    }
}
