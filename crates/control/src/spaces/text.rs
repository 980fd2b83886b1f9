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
        out.push_str(&shown(word));
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
    let kept: Vec<String> = text.split('\n').map(shown).collect();
    within(kept.join("\n").trim().to_owned(), what, max)
}

fn within(text: String, what: &'static str, max: usize) -> Result<String, Refusal> {
    if text.chars().count() > max {
        Err(Refusal::TooLong { what, max })
    } else {
        Ok(text)
    }
}

/// What is left when everything that nobody sees is taken out. Joiners and variation selectors stay where writing needs them:
/// within words of scripts that join (from Arabic on), and after signs and emoji.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !is_treacherous(*c)) {
        let before = out.chars().next_back();
        let fits = match c {
            '\u{200c}' | '\u{200d}' => before.is_some_and(|b| b >= '\u{600}' && !is_joiner(b)),
            '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|b| b >= '\u{203c}' && !is_selector(b)),
            _ => true,
        };
        if fits {
            out.push(c);
        }
    }
    out.truncate(out.trim_end_matches(is_joiner).len());
    out
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Characters that change how the text around them is shown, or that nobody sees (Unicode's default ignorables, fillers, the
/// blank of Braille): a name could pass for another.
pub(super) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
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

    /// Found by an attacker: names that looked like others', or like none.
    #[test]
    fn nobody_passes_for_another_by_what_nobody_sees() {
        let name = |text: &str| some_line(text, "the name", 40);
        assert_eq!(
            name("Ada (synthetic)\u{2060}"),
            Ok("Ada (synthetic)".into())
        );
        assert_eq!(name("\u{200e}\u{61c}Host"), Ok("Host".into()));
        assert_eq!(name("A\u{200d}d\u{ad}a\u{fe0f}\u{200c}"), Ok("Ada".into()));
        for blank in [
            "\u{3164}",
            "\u{2800}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{e0041}",
        ] {
            assert_eq!(
                name(blank),
                Err(Refusal::Empty { what: "the name" }),
                "{blank:?}"
            );
        }
        // What writing needs stays: Persian, Malayalam, a family, a heart.
        for whole in [
            "\u{645}\u{6cc}\u{200c}\u{631}\u{648}\u{645}",
            "\u{d28}\u{d4d}\u{200d}\u{d31}",
            "\u{1f469}\u{200d}\u{1f467}",
            "\u{2764}\u{fe0f}",
        ] {
            assert_eq!(name(whole), Ok(whole.into()));
        }
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
