//! Who was inside may come back, and no more; prefixes are counted where they are cut.

use super::super::prefix::Prefix;
use super::super::prefix::tests::{SALT, v6};
use super::*;

#[test]
fn who_was_inside_may_come_back_and_no_more() {
    let prefixes = Prefixes::new(100);
    let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
    assert!(!prefixes.may_come_back(&charge));
    for _ in 0..3 {
        prefixes.enter(&charge, false);
    }
    assert!(!prefixes.may_come_back(&charge));
    prefixes.leave(&charge, false);
    assert!(!prefixes.may_come_back(&charge), "it was no loss");
    prefixes.lost(&charge);
    assert!(prefixes.may_come_back(&charge));
    prefixes.enter(&charge, false);
    prefixes.came_back(&charge, true);
    assert!(!prefixes.may_come_back(&charge), "as many as were inside");
    prefixes.leave(&charge, false);
    prefixes.turn();
    assert!(prefixes.may_come_back(&charge), "one period later, again");
    prefixes.turn();
    assert!(!prefixes.may_come_back(&charge), "two periods later");
}

#[test]
fn a_loss_is_made_good_once() {
    let prefixes = Prefixes::new(100);
    let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
    let lose = || {
        prefixes.enter(&charge, false);
        prefixes.leave(&charge, false);
        prefixes.lost(&charge);
    };
    lose();
    for _ in 0..RETURN_TRIES {
        assert!(prefixes.may_come_back(&charge));
        prefixes.enter(&charge, false);
        prefixes.came_back(&charge, true);
        prefixes.leave(&charge, false);
    }
    assert!(!prefixes.may_come_back(&charge), "after so many tries");
    lose();
    prefixes.came_back(&charge, false);
    assert!(!prefixes.may_come_back(&charge), "by a right of its own");
    (0..100_000).for_each(|_| prefixes.lost(&charge));
    prefixes.turn();
    prefixes.came_back(&charge, false);
    assert!(prefixes.may_come_back(&charge), "nothing runs over");
}

#[test]
fn a_restart_keeps_the_allowance() {
    let before = Prefixes::new(100);
    let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
    before.enter(&charge, false);
    let text = serde_json::to_string(&before.snapshot()).unwrap();
    let after = Prefixes::new(100);
    assert!(after.restore(&serde_json::from_str(&text).unwrap()));
    assert!(after.may_come_back(&charge));
    after.enter(&charge, false);
    after.came_back(&charge, true);
    assert!(!after.may_come_back(&charge));
    assert!(!Prefixes::new(10_000).restore(&before.snapshot()));
    let other = Charge::new(Prefix::v4([10, 0, 0, 1]), 2, &SALT);
    assert!(!after.may_come_back(&other), "another door");
}

#[test]
fn the_wide_prefix_is_capped_across_its_parts() {
    let prefixes = Prefixes::new(100);
    let caps = Caps { fine: 2, wide: 5 };
    for fourth in 0..5 {
        let charge = Charge::new(v6(7, fourth), 1, &SALT);
        assert!(!prefixes.capped(&charge, &caps));
        prefixes.enter(&charge, false);
    }
    assert!(prefixes.capped(&Charge::new(v6(7, 0x900), 1, &SALT), &caps));
    assert!(!prefixes.capped(&Charge::new(v6(8, 0), 1, &SALT), &caps));
    let one = Charge::new(v6(9, 0), 1, &SALT);
    prefixes.enter(&one, false);
    prefixes.enter(&one, false);
    assert!(prefixes.capped(&one, &caps), "the /64");
}
