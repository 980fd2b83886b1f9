//! The line calls as many as it says, however they came.

use super::*;

#[test]
fn those_who_came_in_one_moment_are_called_one_by_one() {
    let line = Line::new(Now(0));
    let places: Vec<_> = (0..30).map(|_| line.mint(0)).collect();
    for tick in 1..=300_u64 {
        line.roll(Now::from_millis(tick * 100));
        if tick.is_multiple_of(10) {
            line.call(1);
        }
        let called: Vec<_> = places.iter().map(|place| line.is_called(*place)).collect();
        let many = (tick / 10) as usize;
        assert!(called[..many].iter().all(|called| *called), "{tick}");
        assert!(called[many..].iter().all(|called| !called), "{tick}");
    }
    for (place, position) in places.iter().zip(1..) {
        assert_eq!(line.position(*place), position);
    }
}

#[test]
fn a_place_is_where_it_was_when_buckets_roll_and_the_lot_decides_before_the_draw() {
    let line = Line::new(Now(0));
    assert!(line.draw_at(Now::from_millis(5_000)));
    let drawn: Vec<_> = [3_u32 << 30, 1 << 30, 1 << 31]
        .into_iter()
        .map(|random| line.mint(random))
        .collect();
    line.roll(Now::from_millis(5_000));
    let late: Vec<_> = (0..4)
        .map(|each| {
            line.roll(Now::from_millis(6_000 + each * 7_000));
            line.mint(0)
        })
        .collect();
    let at = |place: &Place| line.position(*place);
    assert_eq!(drawn.iter().map(at).collect::<Vec<_>>(), [2, 0, 1]);
    assert_eq!(late.iter().map(at).collect::<Vec<_>>(), [4, 5, 6, 7]);
    line.call(2);
    let called = |place: &Place| line.is_called(*place);
    assert_eq!(drawn.iter().filter(|place| called(place)).count(), 2);
    assert!(!late.iter().any(called));
    line.call(3);
    assert!(drawn.iter().all(called));
    assert_eq!(late.iter().filter(|place| called(place)).count(), 2);
}
