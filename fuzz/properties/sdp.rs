//! Whatever an offer or a trickle fragment says: it is answered or refused, and a refusal holds no more of it than a line.

use hustings::ingest::{answer_to, read_fragment};

/// Characters of a refusal: our own words and at most 200 of theirs.
const REFUSAL_CHARS: usize = 400;
const CANDIDATES_MAX: usize = 32;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match answer_to(text) {
        Ok(answer) => assert!(answer.starts_with("v=0") && answer.contains("m=audio")),
        Err(refused) => refusal(&refused.to_string()),
    }
    match read_fragment(text) {
        Ok((credentials, candidates)) => {
            assert!(candidates <= CANDIDATES_MAX);
            if let Some((ufrag, password)) = credentials {
                assert!((4..=256).contains(&ufrag.len()) && (22..=256).contains(&password.len()));
                assert!(!(ufrag + &password).contains(char::is_whitespace));
            }
        }
        Err(refused) => refusal(&refused.to_string()),
    }
}

fn refusal(text: &str) {
    assert!(text.chars().count() <= REFUSAL_CHARS, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}
