//! Targets and what is read from them.

use super::*;

fn check(target: &str, expected: Option<(Option<&str>, Container, Burst)>) {
    let got = SoundRequest::parse("GET", target, |_| None);
    let got = got
        .as_ref()
        .map(|r| (r.space.as_ref().map(SpaceId::as_str), r.container, r.burst));
    assert_eq!(got, expected, "{target}");
}

#[test]
fn targets_are_told_apart() {
    check(
        "/s/town-hall/live.ogg",
        Some((Some("town-hall"), Container::Ogg, Burst::Long)),
    );
    check(
        "/s/town-hall/live.webm",
        Some((Some("town-hall"), Container::Webm, Burst::Short)),
    );
    check(
        "/s/town-hall/live.mp4?x=1&burst=long",
        Some((Some("town-hall"), Container::Mp4, Burst::Long)),
    );
    check(
        "/s/town-hall/live.ogg?b=s",
        Some((Some("town-hall"), Container::Ogg, Burst::Short)),
    );
    check(
        "/s/town-hall/live.ogg?burst=enormous",
        Some((Some("town-hall"), Container::Ogg, Burst::Long)),
    );
    check(
        "http://example.org/s/town-hall/live.ogg",
        Some((Some("town-hall"), Container::Ogg, Burst::Long)),
    );
    check(
        "/s/NOT A SPACE/live.ogg",
        Some((None, Container::Ogg, Burst::Long)),
    );
    check("/s//live.ogg", Some((None, Container::Ogg, Burst::Long)));
    check("/s/town-hall/live.mp3", None);
    check("/s/town-hall/x/live.ogg", None);
    check("/s/town-hall", None);
    check("/", None);
    check("http://example.org", None);
    check("*", None);
}

#[test]
fn what_is_shown_is_read_from_the_query() {
    let shown = |query: &str| {
        let target = format!("/s/town-hall/live.webm?{query}");
        let request = SoundRequest::parse("GET", &target, |_| None).expect("sound");
        match request.shown.shows() {
            Shows::Nothing => "nothing".to_owned(),
            Shows::Mark(mark) => format!("mark {mark:x}"),
            Shows::Token(text) => format!("token {}", String::from_utf8_lossy(text)),
        }
    };
    assert_eq!(shown("n=8c1"), "mark 8c1");
    assert_eq!(shown("n=8c1&t=abc&n=1"), "token abc");
    assert_eq!(shown("t=abc&n=8c1&t=def"), "token abc");
    assert_eq!(shown("n=nohex&burst=long"), "nothing");
    assert_eq!(shown(&format!("t={}", "a".repeat(129))), "token ");
    assert_eq!(
        shown(&format!("t={}", "a".repeat(128))),
        format!("token {}", "a".repeat(128))
    );
}
