//! What is looked at in an offer or a trickle fragment before the WebRTC engine sees it, so that the errors are clear.

use std::ops::RangeInclusive;

use str0m::Candidate;
use str0m::change::SdpOffer;

use super::IngestError;

/// Bytes. A browser's audio offer has 2-6 kB; larger is refused unread.
const OFFER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a trickle fragment.
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;
/// RFC 8839, section 5.4.
const UFRAG_CHARS: RangeInclusive<usize> = 4..=256;
const PASSWORD_CHARS: RangeInclusive<usize> = 22..=256;
/// Candidates taken from one fragment; the rest is not needed, for the peer reaches us, not we it.
const CANDIDATES_MAX: usize = 32;

pub(super) fn check_offer(sdp: &str) -> Result<SdpOffer, IngestError> {
    if sdp.len() > OFFER_BYTES_MAX {
        return Err(IngestError::BadOffer(format!(
            "it is larger than {OFFER_BYTES_MAX} bytes"
        )));
    }
    if !sdp.starts_with("v=0") {
        return Err(IngestError::BadOffer(
            "it does not begin with v=0".to_owned(),
        ));
    }
    let audio = audio_section(sdp).ok_or(IngestError::NoOpus)?;
    let opus = audio
        .iter()
        .filter_map(|line| line.strip_prefix("a=rtpmap:"))
        .any(|map| {
            let codec = map.split_once(' ').map_or("", |(_, codec)| codec);
            codec
                .get(..11)
                .is_some_and(|name| name.eq_ignore_ascii_case("opus/48000/"))
                || codec.eq_ignore_ascii_case("opus/48000")
        });
    if !opus {
        return Err(IngestError::NoOpus);
    }
    if audio
        .iter()
        .any(|line| matches!(*line, "a=recvonly" | "a=inactive"))
    {
        return Err(IngestError::BadOffer(
            "its audio is not to be sent: offer sendonly or sendrecv".to_owned(),
        ));
    }
    SdpOffer::from_sdp_string(sdp)
        .map_err(|error| IngestError::BadOffer(shorten(&error.to_string())))
}

/// Lines of the first audio section that is not switched off.
fn audio_section(sdp: &str) -> Option<Vec<&str>> {
    let mut lines = sdp
        .lines()
        .map(str::trim_end)
        .skip_while(|line| !line.starts_with("m=audio ") || line.starts_with("m=audio 0 "));
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("m=")).collect())
}

/// What an `application/trickle-ice-sdpfrag` (RFC 8840) says that we use.
#[derive(Debug)]
pub(super) struct Fragment {
    /// User fragment and password.
    pub(super) credentials: Option<(String, String)>,
    pub(super) candidates: Vec<Candidate>,
}

pub(super) fn fragment(text: &str) -> Result<Fragment, IngestError> {
    let bad = |what: String| Err(IngestError::BadFragment(what));
    if text.len() > FRAGMENT_BYTES_MAX {
        return bad(format!("it is larger than {FRAGMENT_BYTES_MAX} bytes"));
    }
    let (mut ufrag, mut password, mut candidates) = (None, None, Vec::new());
    for line in text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if let Some(theirs) = line.strip_prefix("a=ice-ufrag:") {
            ufrag.get_or_insert(theirs);
        } else if let Some(theirs) = line.strip_prefix("a=ice-pwd:") {
            password.get_or_insert(theirs);
        } else if let Some(candidate) = line.strip_prefix("a=candidate:") {
            // Names (mDNS) and kinds that are not known are skipped: the peer shows its address when it comes.
            if candidates.len() < CANDIDATES_MAX
                && let Ok(candidate) = Candidate::from_sdp_string(&format!("candidate:{candidate}"))
            {
                candidates.push(candidate);
            }
        } else if line.get(1..2) != Some("=") {
            return bad("a line is no SDP line".to_owned());
        }
    }
    let credentials = match (ufrag, password) {
        (Some(ufrag), Some(password)) => {
            if !ice_text(ufrag, UFRAG_CHARS) || !ice_text(password, PASSWORD_CHARS) {
                return bad("its ICE credentials are not as RFC 8839 has them".to_owned());
            }
            Some((ufrag.to_owned(), password.to_owned()))
        }
        (None, None) => None,
        _ => return bad("ice-ufrag and ice-pwd come together or not at all".to_owned()),
    };
    Ok(Fragment {
        credentials,
        candidates,
    })
}

fn ice_text(text: &str, chars: RangeInclusive<usize>) -> bool {
    chars.contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// The offer with other ICE credentials and without the candidates of the old ones.
pub(super) fn restarted(offer: &str, ufrag: &str, password: &str) -> String {
    let mut text = String::with_capacity(offer.len());
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
            continue;
        }
        if line.starts_with("a=ice-ufrag:") {
            text.push_str("a=ice-ufrag:");
            text.push_str(ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            text.push_str("a=ice-pwd:");
            text.push_str(password);
        } else {
            text.push_str(line);
        }
        text.push_str("\r\n");
    }
    text
}

/// The lines of an answer that make a trickle fragment: ICE, and to which media it belongs.
pub(super) fn answer_fragment(answer: &str) -> String {
    const KEPT: [&str; 6] = [
        "a=ice-",
        "a=group:",
        "m=",
        "a=mid:",
        "a=candidate:",
        "a=end-of-candidates",
    ];
    answer
        .lines()
        .map(str::trim_end)
        .filter(|line| KEPT.iter().any(|kept| line.starts_with(kept)))
        .flat_map(|line| [line, "\r\n"])
        .collect()
}

/// The peer's ICE user fragment as its offer names it.
pub(super) fn peer_ufrag(sdp: &str) -> Option<String> {
    sdp.lines()
        .find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"))
        .map(str::to_owned)
}

/// Error texts may hold a piece of the input; it is not sent back whole.
pub(super) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

    fn refusal(body: &str) -> String {
        check_offer(&format!("{HEAD}{body}"))
            .err()
            .map_or_else(|| "taken".to_owned(), |error| error.to_string())
    }

    #[test]
    fn offers_that_cannot_work_say_why() {
        assert_eq!(
            check_offer("hello").unwrap_err().to_string(),
            "the offer is no SDP that can be read: it does not begin with v=0"
        );
        assert!(
            check_offer(&format!("{HEAD}{}", "a".repeat(OFFER_BYTES_MAX)))
                .unwrap_err()
                .to_string()
                .contains("larger")
        );
        assert_eq!(refusal(""), "the offer has no Opus audio");
        assert_eq!(
            refusal("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\n"),
            "the offer has no Opus audio"
        );
        assert_eq!(
            refusal(
                "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 1\r\na=rtpmap:1 opus/48000/2\r\n"
            ),
            "the offer has no Opus audio"
        );
        assert!(
            refusal("m=audio 9 UDP/TLS/RTP/SAVPF 1\r\na=rtpmap:1 opus/48000/2\r\na=recvonly\r\n")
                .contains("sendonly or sendrecv")
        );
    }

    #[test]
    fn fragments_give_candidates_and_credentials() {
        let text = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
            a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host\r\n\
            a=candidate:2 1 udp 2113929471 fb2a4c1e-0000.local 10100 typ host\r\na=end-of-candidates\r\n";
        let found = fragment(text).unwrap();
        assert_eq!(found.candidates.len(), 1);
        assert_eq!(found.credentials.unwrap().0, "abcd");
        assert!(fragment("").unwrap().credentials.is_none());
        let many = "a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host\r\n".repeat(200);
        assert_eq!(fragment(&many).unwrap().candidates.len(), CANDIDATES_MAX);
        for bad in [
            "what?".to_owned(),
            "a=ice-ufrag:abcd\r\n".to_owned(),
            "a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n".to_owned(),
            "a=ice-ufrag:a b c\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n".to_owned(),
            "a=x\r\n".repeat(FRAGMENT_BYTES_MAX),
        ] {
            assert!(
                matches!(fragment(&bad), Err(IngestError::BadFragment(_))),
                "{}",
                shorten(&bad)
            );
        }
    }

    #[test]
    fn a_restart_changes_the_credentials_and_nothing_else() {
        let offer = "v=0\r\na=ice-ufrag:old\r\na=ice-pwd:older\r\na=mid:0\r\na=candidate:1 1 udp 1 203.0.113.1 1 typ host\r\n";
        assert_eq!(
            restarted(offer, "new", "newer"),
            "v=0\r\na=ice-ufrag:new\r\na=ice-pwd:newer\r\na=mid:0\r\n"
        );
        assert_eq!(
            answer_fragment(offer),
            "a=ice-ufrag:old\r\na=ice-pwd:older\r\na=mid:0\r\na=candidate:1 1 udp 1 203.0.113.1 1 typ host\r\n"
        );
    }
}
