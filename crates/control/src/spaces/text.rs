//! What people write about themselves and their spaces, made fit to be shown next to what others wrote.

use super::refusal::Refusal;

/// One line: control characters become spaces or vanish, runs of blanks become one.
pub(super) fn line(text: &str, what: &'static str, max: usize) -> Result<String, Refusal> {
    let mut out = String::new();
    for word in text.split(char::is_whitespace) {
        let before = out.len();
        if !out.is_empty() {
            out.push(' ');
        }
        let start = out.len();
        out.extend(word.chars().filter(|c| !is_treacherous(*c)));
        if out.len() == start {
            out.truncate(before);
        }
    }
    within(out, what, max)
}

/// As `line`, and something must be left.
pub(super) fn some_line(text: &str, what: &'static str, max: usize) -> Result<String, Refusal> {
    let out = line(text, what, max)?;
    if out.is_empty() {
        Err(Refusal::Empty { what })
    } else {
        Ok(out)
    }
}

/// Several lines: as `line`, but line feeds stay.
pub(super) fn lines(text: &str, what: &'static str, max: usize) -> Result<String, Refusal> {
    let kept: String = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| *c == '\n' || !is_treacherous(*c))
        .collect();
    within(kept.trim().to_owned(), what, max)
}

fn within(text: String, what: &'static str, max: usize) -> Result<String, Refusal> {
    if text.chars().count() > max {
        Err(Refusal::TooLong { what, max })
    } else {
        Ok(text)
    }
}

/// Characters that change how the text around them is shown, or that nobody sees: a name could pass for another.
pub(super) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_loses_what_misleads() {
        assert_eq!(
            line(
                "  An\tna \u{202e}  \u{200b} Lind\u{7}qvist\n",
                "the name",
                40
            ),
            Ok("An na Lindqvist".into())
        );
    }

    #[test]
    fn nothing_visible_is_empty() {
        assert_eq!(
            some_line(" \u{200b}\u{202a}\n", "the name", 40),
            Err(Refusal::Empty { what: "the name" })
        );
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(line(&"ü".repeat(40), "the name", 40).is_ok());
        assert_eq!(
            line(&"ü".repeat(41), "the name", 40),
            Err(Refusal::TooLong {
                what: "the name",
                max: 40
            })
        );
    }

    #[test]
    fn several_lines_keep_their_line_feeds() {
        assert_eq!(
            lines("a\r\n\u{1}b\u{202e}c\n", "the description", 20),
            Ok("a\nbc".into())
        );
    }
}
