//! Ids for spaces that can be read out on the telephone: words of two syllables, such as lumo-tavi-reko.

use hustings_control::ids::SpaceId;

const CONSONANTS: &[u8; 14] = b"bdfgklmnprstvz";
const VOWELS: &[u8; 5] = b"aeiou";
/// Twelve bits a word: three words for a space that is listed anyway.
const WORDS_LISTED: usize = 3;
/// Sixty-one bits, for an unlisted space is as secret as its link.
const WORDS_UNLISTED: usize = 5;

pub(super) fn draw(listed: bool) -> Result<SpaceId, getrandom::Error> {
    let words = if listed { WORDS_LISTED } else { WORDS_UNLISTED };
    let mut text = String::with_capacity(words * 5);
    for at in 0..words {
        if at > 0 {
            text.push('-');
        }
        let mut draw = getrandom::u64()?;
        for letters in [CONSONANTS.as_slice(), VOWELS, CONSONANTS, VOWELS] {
            let count = letters.len() as u64;
            text.push(char::from(letters[(draw % count) as usize]));
            draw /= count;
        }
    }
    // Letters and inner hyphens only, 14 or 24 of them: always an id.
    SpaceId::parse(&text).map_err(|_| getrandom::Error::UNEXPECTED)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn drawn_ids_are_readable_and_differ() {
        let drawn: BTreeSet<String> = (0..200).map(|_| draw(true).unwrap().to_string()).collect();
        assert!(drawn.len() >= 199, "{drawn:?}");
        for id in &drawn {
            let words: Vec<&str> = id.split('-').collect();
            assert_eq!(words.len(), WORDS_LISTED, "{id}");
            for word in words {
                let bytes = word.as_bytes();
                assert_eq!(bytes.len(), 4, "{id}");
                assert!(
                    CONSONANTS.contains(&bytes[0]) && VOWELS.contains(&bytes[1]),
                    "{id}"
                );
                assert!(
                    CONSONANTS.contains(&bytes[2]) && VOWELS.contains(&bytes[3]),
                    "{id}"
                );
            }
        }
    }

    #[test]
    fn unlisted_spaces_get_links_that_nobody_guesses() {
        assert_eq!(
            draw(false).unwrap().as_str().split('-').count(),
            WORDS_UNLISTED
        );
    }
}
