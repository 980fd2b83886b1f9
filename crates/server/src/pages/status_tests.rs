//! What the status page says in each state.

use hustings_control::ids::SpaceId;
use hustings_control::spaces::{Actor, Event, Recorded};

use super::*;
use crate::glance::{DoorNow, OnStage};
use crate::usher::DoorWish;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn space(events: &[Event]) -> Space {
    let id = SpaceId::parse("town-hall").unwrap();
    let created = Event::Created {
        id,
        title: "<b>Town</b>".into(),
        description: String::new(),
        listed: true,
        starts_at: Some(UnixMillis(NOW.0 + 60_000)),
        record: true,
    };
    let recorded = |seq: usize, event: &Event| Recorded {
        seq: seq as u64 + 1,
        at: NOW,
        by: Actor::Operator,
        event: event.clone(),
    };
    let all: Vec<_> = std::iter::once(&created)
        .chain(events)
        .enumerate()
        .map(|(seq, event)| recorded(seq, event))
        .collect();
    Space::replay(&all).expect("created first")
}

fn text(events: &[Event], stage: OnStage, door: Option<DoorNow>, step: Step) -> String {
    let glance = Glance {
        space: Arc::new(space(events)),
        listening: 41_208,
        peak: 50_000,
        stage,
        door,
    };
    let node = NodeNow {
        at: NOW,
        step,
        head: None,
    };
    let made = frame::prepared(whole(&glance, &node), CACHE);
    String::from_utf8(made.whole.to_vec()).unwrap()
}

fn door(mode: Mode, paused: bool) -> Option<DoorNow> {
    Some(DoorNow {
        mode,
        inside: 3,
        waiting: 1_234,
        wish: DoorWish {
            paused,
            ..DoorWish::default()
        },
    })
}

#[test]
fn it_says_what_is_in_each_state() {
    let live = [Event::Opened, Event::WentLive];
    let still = OnStage::default;
    let lost = OnStage {
        host_lost: true,
        ..still()
    };
    let silent = OnStage {
        dead_air: true,
        ..still()
    };
    let ended = [
        Event::Opened,
        Event::WentLive,
        Event::Ended { by_itself: false },
    ];
    let calm = || door(Mode::Calm, false);
    for (events, stage, door, step, words) in [
        (&[][..], still(), calm(), Step::Ground, "It has not begun."),
        (
            &live[..1],
            still(),
            calm(),
            Step::Ground,
            "The doors are open.",
        ),
        (&live, still(), calm(), Step::Ground, "gets in at once"),
        (
            &live,
            lost,
            calm(),
            Step::Ground,
            "The host has lost the connection.",
        ),
        (&live, silent, calm(), Step::Ground, "The stage is silent."),
        (
            &live,
            still(),
            door(Mode::Storm, false),
            Step::Line,
            "1,234",
        ),
        (
            &live,
            still(),
            door(Mode::Storm, true),
            Step::Ground,
            "The operator has paused the door",
        ),
        (&live, still(), calm(), Step::Side, "very busy"),
        (
            &ended,
            still(),
            None,
            Step::Ground,
            "The recording will be under the link",
        ),
        (
            &[Event::Cancelled {
                reason: "Ill.".into(),
            }],
            still(),
            None,
            Step::Ground,
            "Ill. Nothing will happen",
        ),
    ] {
        let text = text(events, stage, door, step);
        assert!(text.contains(words), "{words}: {text}");
        assert!(!text.contains("<b>Town"), "{text}");
    }
}

#[test]
fn the_head_of_the_chain_stands_on_it_until_it_is_over() {
    let head = serde_json::json!({
        "n": 61, "hash": "ab".repeat(32), "at": NOW, "key": "cd".repeat(32), "sig": "ef".repeat(64),
    });
    let node = NodeNow {
        at: NOW,
        step: Step::Ground,
        head: Some(serde_json::from_value(head).unwrap()),
    };
    let glance = |events: &[Event]| Glance {
        space: Arc::new(space(events)),
        listening: 0,
        peak: 0,
        stage: OnStage::default(),
        door: None,
    };
    // Who writes the head down the evening before takes it from here.
    for going in [&[][..], &[Event::Opened]] {
        let going = whole(&glance(going), &node).main.into_string();
        assert!(
            going.contains(&format!("61:{}", "ab".repeat(32))),
            "{going}"
        );
        assert!(
            going.contains("As of ") && going.contains(" 2027 at 08:00:00 UTC"),
            "{going}"
        );
    }
    let over = [Event::Opened, Event::Ended { by_itself: false }];
    let over = whole(&glance(&over), &node).main.into_string();
    // That page is made once, and would show an old one for ever.
    assert!(!over.contains("61:"), "{over}");
}

#[test]
fn it_is_an_answer_of_its_own_that_caches_may_keep() {
    let text = text(&[], OnStage::default(), None, Step::Ground);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    for line in [
        "Cache-Control: public, max-age=2",
        "Content-Security-Policy: default-src 'none'",
        &format!("Content-Length: {}", body.len()),
    ] {
        assert!(head.contains(line), "{head}");
    }
    // It is whole without its script, which only looks again in place.
    assert!(
        body.contains(r#"<noscript><meta http-equiv="refresh" content="10">"#),
        "{body}"
    );
    assert_eq!(body.matches("<script").count(), 1, "{body}");
}
