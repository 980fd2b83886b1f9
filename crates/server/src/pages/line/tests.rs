//! Of the line's pages.

use super::*;

fn waiting(cause: Cause, ahead: u64, wait: Estimate) -> Waiting {
    Waiting {
        cause,
        place: None,
        ahead,
        position: ahead + 100,
        wait,
        poll_ms: 2_000,
    }
}

#[test]
fn no_wait_is_a_single_number_without_a_range() {
    let says = |cause, wait_s| wait(&waiting(cause, 9, wait_s));
    let turn = Cause::NotYourTurn;
    assert_eq!(
        says(turn, Estimate::Between(240, 480)),
        "About 6 minutes, between 4 and 8."
    );
    assert_eq!(
        says(turn, Estimate::Between(55, 80)),
        "About 1 minute, up to 2."
    );
    assert_eq!(says(turn, Estimate::Between(9, 30)), "Less than a minute.");
    assert!(says(turn, Estimate::Unknown).contains("cannot say"));
    assert!(says(Cause::NoSeat, Estimate::Between(0, 0)).contains("next"));
    let far = says(turn, Estimate::Between(u32::MAX, u32::MAX));
    assert!(far.starts_with("About 71582788 minutes"), "{far}");
}

#[test]
fn a_ticket_says_place_and_people_and_draws_a_bounded_queue() {
    let text = ticket(
        &waiting(Cause::NotYourTurn, 8_000_000, Estimate::Unknown),
        false,
    )
    .into_string();
    assert!(text.contains("8,000,101") && text.contains("8,000,000 people are ahead of you."));
    assert_eq!(text.matches("class=\"them\"").count() as u64, QUEUE_DRAWN);
    let one = ticket(&waiting(Cause::NotYourTurn, 1, Estimate::Unknown), false).into_string();
    assert!(
        one.contains("1 person is ahead of you.") && one.matches("class=\"them\"").count() == 1
    );
}
