//! Rows as they are written and read, old and new.

use hustings_control::gate::lanes::Lane;
use hustings_control::gate::{Cause, Reason, Tally};
use hustings_control::ids::{SpaceId, UnixMillis};

use super::*;

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a row is JSON")
}

#[test]
fn what_is_nothing_is_left_out_and_read_as_nothing() {
    assert_eq!(json(&NodeRow::default()), "{}");
    assert_eq!(
        serde_json::from_str::<NodeRow>("{}").expect("an empty row"),
        NodeRow::default()
    );
    let mut row = NodeRow {
        at: UnixMillis(1_723_492_800_000),
        cadence_ms: 100,
        ..NodeRow::default()
    };
    row.knocks.free.offered = 3;
    row.knocks.free.turned_away.set(Reason::Spent, 3);
    assert_eq!(
        json(&row),
        r#"{"at":1723492800000,"knocks":{"free":{"offered":3,"turned_away":{"spent":3}}},"cadence_ms":100}"#
    );
    assert_eq!(
        serde_json::from_str::<NodeRow>(&json(&row)).expect("its own text"),
        row
    );
}

#[test]
fn a_newer_versions_row_is_read_and_its_sums_stay() {
    let newer = r#"{"at":5,"gravity":9,"knocks":{"free":{"offered":4,"waiting":{"no_seat":1,"eclipse":3}}}}"#;
    let row: NodeRow = serde_json::from_str(newer).expect("a newer row");
    assert!(row.knocks.free.adds_up(), "{row:?}");
    assert_eq!(
        (
            row.knocks.free.waiting.of(Cause::NoSeat),
            row.knocks.free.waiting.others
        ),
        (1, 3)
    );
    let again: NodeRow = serde_json::from_str(&json(&row)).expect("its own text");
    assert_eq!(again, row);
    let happening: Happening =
        serde_json::from_str(r#"{"what":"meteor","who":"mars"}"#).expect("a newer happening");
    assert_eq!(
        (happening.what, happening.who),
        (What::Unknown, Who::Unknown)
    );
}

#[test]
fn a_gates_counts_are_a_rows_knocks() {
    let mut tally = Tally::default();
    tally.lanes[Lane::Free as usize].offered = 10;
    tally.lanes[Lane::Free as usize].seated = 4;
    tally.lanes[Lane::Free as usize].waiting[Cause::NotYourTurn as usize] = 6;
    tally.lanes[Lane::Resume as usize].offered = 2;
    tally.lanes[Lane::Resume as usize].took_over = 2;
    let knocks = Knocks::from(&tally);
    assert!(Lane::ALL.iter().all(|lane| knocks.lane(*lane).adds_up()));
    let sum = knocks.sum();
    assert_eq!(
        (
            sum.offered,
            sum.admitted(),
            sum.waiting.of(Cause::NotYourTurn)
        ),
        (12, 6, 6)
    );
}

#[test]
fn texts_are_bounded_and_plain() {
    let long = Text::from("ä".repeat(500).as_str());
    assert_eq!(long.as_str().chars().count(), TEXT_MAX);
    assert!(long.as_str().ends_with('…'));
    assert_eq!(Text::from("a\nb\u{1b}[31m").as_str(), "a b [31m");
    let read: Text = serde_json::from_str(&json(&"x".repeat(1_000))).expect("a text");
    assert_eq!(read.as_str().chars().count(), TEXT_MAX);
}

/// The chain's readers give up on longer lines, so no row may be longer, whatever is counted.
#[test]
fn the_largest_rows_are_bounded() {
    let space = SpaceId::parse(&"s".repeat(64)).expect("the longest id");
    let text = Text::from("…".repeat(500).as_str());
    let happening = Happening {
        at: UnixMillis(u64::MAX),
        up_ms: u64::MAX,
        what: What::CertificateExpires,
        who: Who::Operator,
        space: Some(space.clone()),
        name: text.clone(),
        before: text.clone(),
        after: text,
        number: i64::MIN,
        rehearsal: true,
    };
    let bytes = json(&Row::Happening(happening)).len();
    assert!(bytes < 2_048, "{bytes}");
    let full = full_of_numbers(&json(&template()));
    let row: NodeRow = serde_json::from_str(&full).expect("a row of the largest numbers");
    let bytes = json(&Row::Node(Box::new(row))).len();
    assert!((2_000..8_192).contains(&bytes), "{bytes}");
}

/// Every number of the text replaced by the largest that every field takes.
fn full_of_numbers(text: &str) -> String {
    text.replace(":1", &format!(":{}", i32::MAX))
}

fn template() -> NodeRow {
    let ones = |fields: &[Field]| {
        let pairs = fields.iter().map(|field| format!(r#""{}":1"#, field.name));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    };
    let counts = |names: Vec<&str>| {
        let pairs = names.iter().map(|name| format!(r#""{name}":1"#));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    };
    let used = ones(Used::FIELDS);
    let latency = ones(Latency::FIELDS);
    let lane = ones(LaneKnocks::FIELDS)
        .replace(
            r#""waiting":1"#,
            &format!(
                r#""waiting":{}"#,
                counts(Cause::ALL.map(Cause::name).to_vec())
            ),
        )
        .replace(
            r#""turned_away":1"#,
            &format!(
                r#""turned_away":{}"#,
                counts(Reason::ALL.map(Reason::name).to_vec())
            ),
        );
    let shed: Vec<&str> = <Shed as Named>::ALL
        .iter()
        .map(|shed| shed.name())
        .collect();
    let nested = |fields: &[Field], keys: &[&str], value: &str| {
        let mut text = ones(fields);
        for key in keys {
            text = text.replace(&format!(r#""{key}":1"#), &format!(r#""{key}":{value}"#));
        }
        text
    };
    let mut text = ones(NodeRow::FIELDS);
    // Names that stand within others come first.
    for (key, value) in [
        (
            "machine",
            nested(
                Machine::FIELDS,
                &["memory", "files", "crowd_files", "uplink", "disk"],
                &used,
            ),
        ),
        (
            "dependencies",
            nested(
                Dependencies::FIELDS,
                &["store", "disk", "webhook", "desk"],
                &latency,
            ),
        ),
        (
            "knocks",
            nested(
                Knocks::FIELDS,
                &["resume", "invited", "free", "effort"],
                &lane,
            ),
        ),
        ("spread", ones(Spread::FIELDS)),
        ("people", ones(People::FIELDS)),
        ("behaviour", ones(Behaviour::FIELDS)),
        (
            "connections",
            nested(Connections::FIELDS, &["shed"], &counts(shed)),
        ),
        ("step", r#""cadence""#.to_owned()),
        ("mode", r#""storm""#.to_owned()),
        ("short", r#""memory""#.to_owned()),
        ("cpu", ones(Cpu::FIELDS)),
        ("network", ones(Network::FIELDS)),
        ("tls", ones(Tls::FIELDS)),
        ("faults", ones(Faults::FIELDS)),
    ] {
        text = text.replacen(&format!(r#""{key}":1"#), &format!(r#""{key}":{value}"#), 1);
    }
    serde_json::from_str(&text).expect("a row of ones")
}

#[test]
fn every_field_tells_its_unit_and_stands_in_the_docs() {
    let table = table();
    assert!(table.lines().count() > 150);
    let docs = include_str!("../../../../docs/flight.md");
    assert!(
        docs.contains(&table),
        "docs/flight.md does not have this table:\n{table}"
    );
    for fields in [
        NodeRow::FIELDS,
        SpaceRow::FIELDS,
        Network::FIELDS,
        Happening::FIELDS,
    ] {
        for field in fields {
            assert!(field.about.trim().len() > 8, "{} says nothing", field.name);
        }
    }
}
