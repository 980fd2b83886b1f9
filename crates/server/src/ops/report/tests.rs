//! Reports of evidence made here: whole, public, hostile, changed.

use hustings_control::gate::ticket::TokenFault;
use hustings_control::gate::{Cause, Reason};
use hustings_control::ids::UnixMillis;
use hustings_evidence::chain::{Expect, Tip, Writer};
use hustings_evidence::judge::{Class, Outcome};
use hustings_evidence::row::{Happening, NodeRow, Row, SpaceRow, What, Who};

use super::*;

const START: u64 = 1_794_510_000;
const HOSTILE: &str =
    "</style><script>alert(1)</script><img src=//evil.example onerror=x> \" ' & \u{202e}";

/// Ten minutes in which a crowd comes, forged rights come from one network, and half the seats are taken away.
fn night() -> (Vec<NodeRow>, Vec<SpaceRow>, Vec<Happening>) {
    let space = SpaceId::parse("town-hall").expect("an id");
    let (mut nodes, mut spaces) = (Vec::new(), Vec::new());
    for second in 0..600_u32 {
        let at = UnixMillis((START + u64::from(second)) * 1_000);
        let came = if second < 200 {
            2
        } else {
            (120.0 * 0.98_f64.powi(second as i32 - 200)) as u32 + 2
        };
        let mut row = SpaceRow {
            at,
            space: Some(space.clone()),
            ..SpaceRow::default()
        };
        row.knocks.free.offered = came * 2;
        row.knocks.free.seated = came;
        row.people.inside = 500 + second * 5;
        (
            row.people.entered,
            row.behaviour.stayed_10s,
            row.behaviour.stayed_60s,
        ) = (came, came, came);
        (
            row.spread.prefixes,
            row.spread.entropy_mbit,
            row.spread.top_permille,
        ) = (120, 6_500, 900);
        if second >= 300 {
            row.knocks.free.offered += 401;
            row.knocks
                .free
                .turned_away
                .set(Reason::Token(TokenFault::Forged), 400);
            row.knocks.free.waiting.set(Cause::NotYourTurn, 1);
            row.people.waiting = 40;
        }
        spaces.push(row);
        let seats = if second < 290 { 9_000 } else { 4_000 };
        nodes.push(NodeRow {
            at,
            took_ms: 1_000,
            seats,
            seats_out: 500,
            ..NodeRow::default()
        });
    }
    let happening = |at: u64, what, name: &str| Happening {
        at: UnixMillis((START + at) * 1_000),
        what,
        who: Who::Operator,
        name: name.into(),
        before: "9000".into(),
        after: HOSTILE.into(),
        ..Happening::default()
    };
    let happenings = vec![
        happening(290, What::ConfigChanged, "seats"),
        happening(295, What::OperatorActed, "Ms Nightingale"),
        Happening {
            space: SpaceId::parse("next-door").ok(),
            ..happening(296, What::LimitChanged, "elsewhere")
        },
    ];
    (nodes, spaces, happenings)
}

fn records() -> Records {
    let (nodes, spaces, happenings) = night();
    Records {
        space: SpaceId::parse("town-hall").expect("an id"),
        title: HOSTILE.to_owned(),
        seconds: hustings_evidence::judge::seconds(&nodes, &spaces),
        happenings,
        proof: Proof {
            whole: true,
            words: HOSTILE.to_owned(),
            hash: "ab".repeat(32),
            key: "cd".repeat(32),
        },
        proven: None,
    }
}

#[test]
fn the_page_needs_nothing_else_and_nothing_written_leaves_its_place() {
    for public in [false, true] {
        let html = Report::new(&records(), public).html();
        let lower = html.to_lowercase();
        assert!(
            !lower.contains("<script") && !lower.contains("<img") && !lower.contains("<link"),
            "{public}"
        );
        assert!(!lower.contains("@import") && !lower.contains("url("));
        assert!(
            !html.contains('\u{202e}'),
            "nothing turns the direction of the words"
        );
        for tag in lower
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            let links = tag.matches("href=").count();
            assert!(
                !tag.contains(" src=") && links == tag.matches("href=\"#").count(),
                "{tag}"
            );
            assert!(!tag.contains(" on") && !tag.contains("evil"), "{tag}");
        }
        assert_eq!(lower.matches("</style>").count(), 1);
        // All that is left of it is text.
        assert!(html.contains("&lt;/style&gt;&lt;script&gt;"));
        assert!(html.contains("default-src 'none'"));
    }
}

#[test]
fn all_that_is_promised_stands_on_the_page() {
    let report = Report::new(&records(), false);
    assert_eq!(
        report.finding.outcome,
        Outcome::Found,
        "{:#?}",
        report.finding
    );
    assert!(
        [Class::FlashCrowd, Class::Attack, Class::OwnMistake]
            .iter()
            .all(|class| report.finding.named.contains(class))
    );
    let html = report.html();
    for heading in [
        "Knocks at the door, per second",
        "Inside and in line",
        "Why we say flash crowd",
        "Why we say attack",
        "For",
        "Against",
        "The other explanations",
        "Our own part",
        "What would have helped",
        "What ran out first",
        "What this report does not know",
        "Who was harmed, and how much",
        "Minute by minute",
        "Every number, and what it counts",
        "The records are whole",
    ] {
        assert!(html.contains(heading), "{heading}");
    }
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert!(
        html.matches("role=\"img\"").count() >= 6
            && html.matches("The same as a table").count() == 1
    );
    assert!(html.contains("<h1 class=\"verdict\">"));
    assert!(html.len() < 400_000, "{}", html.len());
}

/// What could point to somebody is in neither the public page nor its JSON.
#[test]
fn the_public_report_points_to_nobody() {
    let records = records();
    let (own, public) = (Report::new(&records, false), Report::new(&records, true));
    let texts = |report: &Report| report.html() + &report.json().expect("JSON");
    let (own, public) = (texts(&own), texts(&public));
    for private in [
        "Ms Nightingale",
        "The busiest network had 90 % of the knocks",
    ] {
        assert!(own.contains(private), "{private}");
        assert!(!public.contains(private), "{private}");
    }
    // What was changed, and what for, is everybody's business.
    assert!(public.contains("a setting was changed (seats)") && !own.contains("elsewhere"));
    assert!(public.contains("Public report") && own.contains("Operator’s report"));
}

#[test]
fn the_json_holds_what_the_page_says() {
    let report = Report::new(&records(), false);
    let json: serde_json::Value =
        serde_json::from_str(&report.json().expect("JSON")).expect("JSON");
    assert_eq!(
        (json["version"].as_u64(), json["space"].as_str()),
        (Some(1), Some("town-hall"))
    );
    assert_eq!(json["numbers"]["turned_away"].as_u64(), Some(300 * 400));
    assert_eq!(json["numbers"]["peak"].as_u64(), Some(500 + 599 * 5));
    assert_eq!(
        json["finding"]["explanations"].as_array().map(Vec::len),
        Some(5)
    );
    assert_eq!(json["proof"]["whole"].as_bool(), Some(true));
    assert!(
        json["minutes"]
            .as_array()
            .is_some_and(|minutes| !minutes.is_empty())
    );
}

#[test]
fn of_no_rows_there_is_a_report_that_says_so() {
    let mut records = records();
    records.seconds.clear();
    let report = Report::new(&records, false);
    assert_eq!(report.finding.outcome, Outcome::Undetermined);
    assert!(report.html().contains("We cannot say."));
}

/// A chain of the night's rows as the recorder writes it, in a folder of its own.
fn chain_of(records: &(Vec<NodeRow>, Vec<SpaceRow>, Vec<Happening>)) -> tempfile::TempDir {
    let mut writer = Writer::new(&[7; 32], Tip::default());
    let mut bytes = Vec::new();
    writer.begin(UnixMillis(START * 1_000), &mut bytes);
    for happening in &records.2 {
        writer.row(&Row::Happening(happening.clone()), &mut bytes);
    }
    for (at, (node, space)) in records.0.iter().zip(&records.1).enumerate() {
        writer.row(&Row::Node(Box::new(node.clone())), &mut bytes);
        writer.row(&Row::Space(Box::new(space.clone())), &mut bytes);
        if at % 60 == 59 {
            writer.sign(node.at, &mut bytes);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("flight");
    std::fs::create_dir(&below).expect("a folder");
    std::fs::write(below.join("000000000001.jsonl"), bytes).expect("a segment");
    folder
}

fn load_from(folder: &tempfile::TempDir) -> Records {
    let space = SpaceId::parse("town-hall").expect("an id");
    load(
        folder.path(),
        space,
        "town-hall".to_owned(),
        Expect::default(),
    )
    .expect("a chain")
}

#[test]
fn the_report_of_the_files_is_that_of_the_rows() {
    let folder = chain_of(&night());
    let loaded = load_from(&folder);
    assert!(loaded.proof.whole, "{:?}", loaded.proof);
    assert_eq!(loaded.proof.hash.len(), 64);
    let (from_files, from_rows) = (Report::new(&loaded, false), Report::new(&records(), false));
    assert_eq!(from_files.finding, from_rows.finding);
    assert_eq!(from_files.numbers, from_rows.numbers);
}

/// One bit: the report says where, and tells what stands before it.
#[test]
fn of_a_changed_chain_the_report_says_so() {
    let folder = chain_of(&night());
    let path = folder.path().join("flight/000000000001.jsonl");
    let mut bytes = std::fs::read(&path).expect("the segment");
    let at = bytes.len() * 3 / 4;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("the segment");
    let loaded = load_from(&folder);
    assert!(
        !loaded.proof.whole && loaded.proof.words.contains("000000000001.jsonl, line"),
        "{:?}",
        loaded.proof
    );
    let report = Report::new(&loaded, false);
    assert!(
        (400..500).contains(&report.finding.seconds_known),
        "{}",
        report.finding.seconds_known
    );
    assert!(report.html().contains("The records are not whole"));
}
