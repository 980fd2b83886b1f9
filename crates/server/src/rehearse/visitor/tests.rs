//! Visits, answered by hand.

use super::*;

fn visitor(manner: Manner) -> Visitor {
    let who = Coming {
        manner,
        space: "demo".into(),
        from: Ipv4Addr::LOCALHOST,
        stays: Duration::from_secs(60),
        patience: None,
        number: 0x7ace,
        thief: false,
    };
    Visitor::new(who, Instant::now())
}

fn asked(one: &Visitor) -> String {
    let (lines, body) = one.request();
    lines + &body
}

#[test]
fn with_script_one_sees_the_page_knocks_waits_and_comes_with_a_ticket() {
    let mut one = visitor(Manner::Page);
    assert!(asked(&one).starts_with("GET /s/demo HTTP"));
    assert_eq!(one.read(b"HTTP/1.1 200 OK\r\n\r\n<html>", true), Next::Ask);
    assert!(asked(&one).contains("live.webm?n=7ace"));
    assert_eq!(one.read(b"HTTP/1.1 503 Full\r\n\r\nlater", true), Next::Ask);
    assert_eq!(one.asks, Asks::Knock);
    let wait = br#"x{"verdict":"wait","cause":"no_right","place":"PLACE","ahead":4,"position":5,"wait":null,"poll_ms":2100,"puzzle_offered":false}"#;
    assert_eq!(
        one.read(wait, true),
        Next::AskAfter(Duration::from_millis(2_100))
    );
    assert_eq!(one.asks, Asks::Serving);
    let line = br#"x{"called":1,"pace":[1.0,2.0]}"#;
    let Next::AskAfter(pause) = one.read(line, true) else {
        panic!()
    };
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(8)).contains(&pause),
        "{pause:?}"
    );
    assert_eq!(one.read(br#"x{"called":5,"pace":null}"#, true), Next::Ask);
    assert!(asked(&one).contains(r#""show":"PLACE""#));
    assert_eq!(
        one.read(br#"{"verdict":"enter","ticket":"T","held_ms":30000}"#, true),
        Next::Ask
    );
    assert!(asked(&one).contains("live.webm?t=T "));
    assert_eq!(one.read(b"HTTP/1.1 200 OK\r\n\r\n", false), Next::More);
    assert_eq!(
        one.read(b"HTTP/1.1 200 OK\r\n\r\nO", false),
        Next::Inside(19)
    );
}

/// A door that is busy calls everybody at once, and what it tells of its line is a second old: a page that believed it would sleep
/// for half a minute before an open door.
#[test]
fn before_a_busy_door_one_knocks_whatever_the_line_said_a_second_ago() {
    let wait = |cause: &str| {
        format!(
            r#"x{{"verdict":"wait","cause":"{cause}","place":"PLACE","position":305,"wait":null,"poll_ms":900}}"#
        )
    };
    let line = |mode: &str| {
        format!(r#"x{{"mode":"{mode}","called":200,"issued":310,"pace":null,"seal":"1:ab"}}"#)
    };
    let mut one = visitor(Manner::Page);
    one.asks = Asks::Knock;
    assert_eq!(
        one.read(wait("no_right").as_bytes(), true),
        Next::AskAfter(Duration::from_millis(900))
    );
    assert_eq!(one.asks, Asks::Serving);
    assert_eq!(one.read(line("busy").as_bytes(), true), Next::Ask);
    assert_eq!(one.asks, Asks::Knock);
    // In a storm one's turn is yet to come: looks come twice as seldom each.
    one.read(wait("not_your_turn").as_bytes(), true);
    let mut pauses = (0..4).map(|_| match one.read(line("storm").as_bytes(), true) {
        Next::AskAfter(pause) => pause.as_secs(),
        other => panic!("{other:?}"),
    });
    assert_eq!((pauses.next(), pauses.next()), (Some(12), Some(24)));
    assert!(pauses.all(|pause| (30..=60).contains(&pause)));
    // Only a seat is missing: the line does not tell when there is one.
    one.asks = Asks::Knock;
    one.read(wait("no_seat").as_bytes(), true);
    assert_eq!(one.asks, Asks::Knock);
}

#[test]
fn without_script_one_follows_the_page() {
    let mut one = visitor(Manner::NoScript);
    assert_eq!(one.read(b"HTTP/1.1 200 OK\r\n\r\n<html>", true), Next::Ask);
    let sent = b"HTTP/1.1 303 See Other\r\nLocation: /s/demo/line?place=P\r\n\r\n";
    assert_eq!(one.read(sent, true), Next::Ask);
    let page = b"HTTP/1.1 200 OK\r\nrefresh: 3; url=/s/demo/line?place=Q\r\n\r\n<html>";
    assert_eq!(one.read(page, true), Next::AskAfter(Duration::from_secs(3)));
    assert_eq!(one.asks, Asks::Line("/s/demo/line?place=Q".to_owned()));
    let ticket = "t".repeat(80);
    let turn = format!("HTTP/1.1 200 OK\r\n\r\n<audio src=\"/s/demo/live.ogg?t={ticket}\">");
    assert_eq!(one.read(turn.as_bytes(), true), Next::Ask);
    assert!(asked(&one).contains(&format!("live.ogg?t={ticket} ")));
}

#[test]
fn who_was_inside_comes_back_with_its_right() {
    let mut one = visitor(Manner::Page);
    one.asks = Asks::Resume;
    assert!(asked(&one).contains(r#"{"ask":"resume","n":"7ace"}"#));
    assert_eq!(
        one.read(br#"HTTP/1.1 200 OK {"ticket":"R","renew_ms":240000}"#, true),
        Next::Done
    );
    one.falls_out(Instant::now());
    assert!(one.returns && asked(&one).contains("live.webm?t=R "));
    // The right is worth nothing any more: again from the door.
    assert_eq!(
        one.read(b"HTTP/1.1 503 Full\r\nRetry-After: 5\r\n\r\nlater", true),
        Next::Ask
    );
    assert_eq!(asked(&one).lines().last(), Some(r#"{"ask":"right"}"#));
}

#[test]
fn a_player_comes_again_when_it_is_told() {
    let mut one = visitor(Manner::Player);
    let Next::AskAfter(pause) = one.read(b"HTTP/1.1 503 Full\r\nRetry-After: 5\r\n\r\nlater", true)
    else {
        panic!()
    };
    assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&pause));
    // A connection that breaks: soon at first, then later and later, as our page does.
    let mut most = Duration::ZERO;
    for attempt in 0..20 {
        let Next::AskAfter(wait) = one.read(b"", true) else {
            panic!("it gives up");
        };
        let within = Duration::from_millis((1_000 << attempt.min(3)).min(8_000));
        assert!(
            (Duration::from_millis(250)..within).contains(&wait),
            "{attempt}: {wait:?}"
        );
        most = most.max(wait);
    }
    assert!(most > Duration::from_secs(4), "{most:?}");
    assert_eq!(one.broken, 20);
}
