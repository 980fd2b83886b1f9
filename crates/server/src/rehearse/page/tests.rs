//! What the page says of a claim that is made, of one that is withdrawn, and of a scenario.

use hustings_control::gate::Resource;
use hustings_rehearse::fit::{Driver, Use};

use super::*;
use crate::rehearse::{FORMAT, Seen};

/// Five loads, twice; files run out at 1,500 listeners.
fn record(late_ms: f64) -> Record {
    let point = |round: u32, listeners: f64| Point {
        round,
        listeners,
        lasted_s: 10.0,
        uses: vec![Use {
            resource: Resource::Files,
            used: 100.0 + listeners,
            limit: 1_600.0,
        }],
        harmed: 0,
        driver: Driver {
            cpu: 0.2,
            late_p99_ms: late_ms,
            pressed: 100,
            unsent: 0,
        },
        ..Point::default()
    };
    let loads = [100.0, 200.0, 400.0, 600.0, 800.0];
    let rounds = (1..=2).flat_map(|round| loads.map(|load| point(round, load)));
    let mut record = Record {
        format: FORMAT,
        target: "live.example.org:443".into(),
        what: "claim".into(),
        seed: 1,
        scale: 1.0,
        parts: vec![1],
        of: 1,
        begun_ms: 1,
        lasted_s: 125.0,
        permit: Some("00000000000000af".into()),
        ended_early: None,
        bottleneck: None,
        seen: Seen::default(),
        points: rounds.collect(),
        not_rehearsed: vec!["<b>the uplink</b>".into()],
        claim: None,
        simulated: Vec::new(),
    };
    record.seen.sound.watched = 20;
    record.seen.sound.silence_ms = 410;
    record.seen.second(9).inside = 800;
    record.conclude();
    record
}

#[test]
fn a_claim_stands_in_the_house_look_and_needs_nothing_else() {
    let html = page(&record(1.0));
    for words in [
        "This installation holds 1,485 listeners.",
        "Files ends first.",
        "Ends with, listeners",
        "where it ends, with 95 % certainty",
        "--baize",
        "default-src 'none'",
        "99 of 100 presses were sent within 1 ms of their time",
        "Longest pause before the next piece came",
        "&lt;b&gt;the uplink",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    let lower = html.to_lowercase();
    assert!(!lower.contains("<script") && !lower.contains("url(") && !lower.contains(" src="));
    assert_eq!(html.matches("class=\"dot\"").count(), 10 + 1);
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
}

#[test]
fn a_claim_that_is_withdrawn_does_not_say_where_it_ends() {
    let html = page(&record(332.0));
    for words in [
        "No claim is made.",
        "332 ms late",
        "The driver was the bottleneck",
        "sent within 332 ms of their time",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    for words in [
        "Ends with",
        "class=\"span\"",
        "This installation holds",
        "1,500",
    ] {
        assert!(!html.contains(words), "{words}: {html}");
    }
}

#[test]
fn a_scenario_says_how_many_heard() {
    let mut record = record(1.0);
    (record.claim, record.what) = (None, "announced-start".to_owned());
    (record.seen.people.came, record.seen.people.heard) = (1_200, 1_180);
    let html = page(&record);
    assert!(html.contains("1,180 of 1,200 heard.") && html.contains("announced-start"));
    assert!(!html.contains("What listeners use up"));
}
