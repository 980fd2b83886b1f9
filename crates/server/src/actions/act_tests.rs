//! Forms read and written again, nonsense refused, and what undoes each change.

use super::*;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_was_read_is_asked_again_with_the_same_fields() {
    for all in [
        vec![("does", "pause"), ("space", "*")],
        vec![("does", "resume"), ("space", "town-hall")],
        vec![("does", "drop"), ("space", "town-hall")],
        vec![
            ("does", "limits"),
            ("space", "town-hall"),
            ("limit", "500"),
            ("share", "12.5"),
        ],
        vec![
            ("does", "tell"),
            ("space", "*"),
            ("message", "Ten minutes <late>"),
        ],
        vec![("does", "music-off"), ("space", "town-hall")],
        vec![("does", "cadence"), ("min_ms", "100"), ("max_ms", "400")],
        vec![("does", "end-rehearsal"), ("rehearsal", "00000000000000af")],
    ] {
        let act = Act::read(&fields(&all)).unwrap();
        assert_eq!(Act::read(&act.fields()).unwrap(), act);
        assert!(act.question("Town").0.ends_with('?'));
    }
}

#[test]
fn nonsense_is_refused_with_its_field() {
    let long = "x".repeat(MESSAGE_CHARS_MAX + 1);
    for (all, named) in [
        (vec![("does", "explode")], "does"),
        (vec![("does", "drop")], "space"),
        (vec![("does", "drop"), ("space", "*")], "space"),
        (vec![("does", "pause")], "space"),
        (vec![("does", "tell"), ("message", "Late")], "space"),
        (vec![("does", "drop"), ("space", "../x")], "space"),
        (
            vec![("does", "limits"), ("space", "abc"), ("limit", "0")],
            "limit",
        ),
        (
            vec![("does", "limits"), ("space", "abc"), ("share", "NaN")],
            "share",
        ),
        (
            vec![("does", "tell"), ("space", "abc"), ("message", &long)],
            "message",
        ),
        (vec![("does", "cadence"), ("min_ms", "5")], "min_ms"),
        (
            vec![("does", "end-rehearsal"), ("rehearsal", "x")],
            "rehearsal",
        ),
    ] {
        let problem = Act::read(&fields(&all)).unwrap_err();
        assert!(
            problem.detail.contains(&format!("`{named}`")),
            "{problem:?}"
        );
        assert_eq!(problem.status, 422);
    }
}

#[test]
fn each_change_of_a_door_names_what_undoes_it() {
    let space = SpaceId::parse("town-hall").unwrap();
    let before = DoorWish {
        limit: Some(30),
        ..DoorWish::default()
    };
    let paused = DoorWish {
        paused: true,
        ..before
    };
    assert_eq!(door_undo(&space, before, paused)["does"], "resume");
    assert_eq!(door_undo(&space, paused, before)["does"], "pause");
    let undo = door_undo(&space, before, DoorWish::default());
    assert_eq!((&*undo["does"], &*undo["limit"]), ("limits", "30"));
    assert_eq!(tell_undo(&space, "before")["message"], "before");
}
