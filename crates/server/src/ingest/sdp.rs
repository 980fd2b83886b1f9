//! What is looked at in an offer or a trickle fragment before the WebRTC engine sees it, so that the errors are clear.

use str0m::Candidate;
use str0m::change::SdpOffer;

use super::IngestError;

/// Bytes. A browser's audio offer has 2-6 kB; larger is refused unread.
const OFFER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a trickle fragment.
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;
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

/// Candidates of an `application/trickle-ice-sdpfrag` for the peer that has the credentials `ufrag`.
pub(super) fn candidates(fragment: &str, ufrag: &str) -> Result<Vec<Candidate>, IngestError> {
    if fragment.len() > FRAGMENT_BYTES_MAX {
        return Err(IngestError::BadFragment(format!(
            "it is larger than {FRAGMENT_BYTES_MAX} bytes"
        )));
    }
    let mut found = Vec::new();
    for line in fragment
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if let Some(theirs) = line.strip_prefix("a=ice-ufrag:") {
            if theirs != ufrag {
                return Err(IngestError::RestartRefused);
            }
        } else if let Some(candidate) = line.strip_prefix("a=candidate:") {
            // Names (mDNS) and kinds that are not known are skipped: the peer shows its address when it comes.
            if let Ok(candidate) = Candidate::from_sdp_string(&format!("candidate:{candidate}")) {
                found.push(candidate);
            }
            if found.len() >= CANDIDATES_MAX {
                break;
            }
        } else if line.get(1..2) != Some("=") {
            return Err(IngestError::BadFragment("a line is no SDP line".to_owned()));
        }
    }
    Ok(found)
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
    fn fragments_give_candidates_and_refuse_restarts() {
        let fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
            a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host\r\n\
            a=candidate:2 1 udp 2113929471 fb2a4c1e-0000.local 10100 typ host\r\na=end-of-candidates\r\n";
        assert_eq!(candidates(fragment, "abcd").unwrap().len(), 1);
        assert!(matches!(
            candidates(fragment, "other"),
            Err(IngestError::RestartRefused)
        ));
        assert!(matches!(
            candidates("what?", "abcd"),
            Err(IngestError::BadFragment(_))
        ));
    }
}
