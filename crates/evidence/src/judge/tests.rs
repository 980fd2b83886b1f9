//! Of the judge, by rows made here.

use hustings_control::gate::ticket::TokenFault;
use hustings_control::gate::{Cause, Reason};
use hustings_control::ids::UnixMillis;
use proptest::prelude::*;

use super::*;
use crate::row::{Happening, Shed, What};

const START: u64 = 1_800_000_000;

/// An evening of so many seconds with a newcomer a second, who stays for five minutes.
fn evening(length: u64) -> Vec<Second> {
    let second = |i: u64| {
        let mut second = Second {
            at: START + i,
            covers_ms: 1_000,
            inside: 300,
            entered: 1,
            as_page: 1,
            pages: 1,
            left: 1,
            stayed_10s: 1,
            seats: 5_000,
            networks: 12,
            entropy_mbit: 3_400,
            top_permille: 80,
            ..Second::default()
        };
        second.knocks.offered = 2;
        second.knocks.seated = 1;
        second
    };
    (0..length).map(second).collect()
}

fn judged(seconds: &[Second], happenings: &[Happening]) -> Finding {
    judge(&Facts {
        seconds,
        happenings,
        proven: None,
    })
}

fn happened(at: u64, what: What) -> Happening {
    Happening {
        at: UnixMillis((START + at) * 1_000),
        what,
        ..Happening::default()
    }
}

/// From `at` on many come, ever fewer, and all find a seat.
fn crowd(seconds: &mut [Second], at: usize) {
    for (i, second) in seconds[at..].iter_mut().enumerate() {
        let came = (200.0 * 0.97_f64.powi(i as i32)) as u32;
        second.knocks.offered += came * 2;
        second.knocks.seated += came;
        second.entered += u64::from(came);
        second.stayed_10s += u64::from(came);
        second.pages += u64::from(came);
        second.inside += 4_000;
        (second.networks, second.entropy_mbit) = (200, 7_000);
    }
}

#[test]
fn an_evening_without_anything_is_quiet() {
    let finding = judged(&evening(600), &[]);
    assert_eq!(
        (finding.outcome, finding.named.len()),
        (Outcome::Quiet, 0),
        "{finding:#?}"
    );
    assert_eq!(finding.headline, "Nothing went wrong.");
}

#[test]
fn many_who_come_at_once_and_stay_are_a_crowd() {
    let mut seconds = evening(600);
    crowd(&mut seconds, 200);
    let finding = judged(&seconds, &[happened(200, What::SpaceLive)]);
    assert_eq!(finding.named, [Class::FlashCrowd], "{finding:#?}");
    assert!(!finding.harm.is_any());
    let crowd = finding.explanation(Class::FlashCrowd).unwrap();
    assert_eq!(
        (crowd.part, crowd.strength),
        (Part::Main, Strength::VeryStrong)
    );
    assert!(
        crowd
            .supporting
            .iter()
            .any(|each| each.rule == "at-the-announced-time")
    );
}

#[test]
fn a_crowd_whose_pages_a_cache_sends_is_a_crowd() {
    for marked in [true, false] {
        let mut seconds = evening(600);
        crowd(&mut seconds, 200);
        for second in &mut seconds {
            second.pages = 0;
            second.as_page = if marked { second.entered } else { 0 };
        }
        let finding = judged(&seconds, &[]);
        assert_eq!(finding.named, [Class::FlashCrowd], "{finding:#?}");
    }
}

#[test]
fn bare_requests_that_a_calm_door_lets_in_are_no_crowd() {
    let mut seconds = evening(600);
    for second in &mut seconds[200..230] {
        second.entered += 100;
        second.stayed_10s += 100;
        (second.networks, second.entropy_mbit) = (200, 7_000);
    }
    for second in &mut seconds[230..400] {
        second.knocks.offered += 500;
        second.knocks.waiting.add(Cause::NoRight, 500);
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.named, [Class::Attack], "{finding:#?}");
}

#[test]
fn forged_rights_beside_a_crowd_are_named_beside_it() {
    let mut seconds = evening(600);
    crowd(&mut seconds, 200);
    for second in &mut seconds[250..400] {
        second.knocks.offered += 500;
        second
            .knocks
            .turned_away
            .add(Reason::Token(TokenFault::Forged), 500);
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(
        finding.named,
        [Class::FlashCrowd, Class::Attack],
        "{finding:#?}"
    );
    let attack = finding.explanation(Class::Attack).unwrap();
    assert_eq!(
        (attack.part, &attack.kinds[..]),
        (Part::Present, &[Kind::ForgedRights][..])
    );
    assert!(
        finding
            .headline
            .ends_with("There was an attack as well, which kept nobody out."),
        "{}",
        finding.headline
    );
    assert!(
        attack
            .supporting
            .iter()
            .any(|each| each.words.contains("75,000 knocks")),
        "{attack:#?}"
    );
}

#[test]
fn silent_connections_are_an_attack_and_nobody_is_called_a_crowd() {
    let mut seconds = evening(300);
    for second in &mut seconds[100..200] {
        second.shed.add(Shed::SlowHead, 40);
        second.accepted += 40;
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.named, [Class::Attack], "{finding:#?}");
    assert_eq!(
        finding.explanation(Class::Attack).unwrap().kinds,
        [Kind::SlowHeads]
    );
}

#[test]
fn those_who_fall_out_and_come_again_are_a_storm_and_those_who_leave_are_not() {
    let mut seconds = evening(300);
    for second in &mut seconds[150..158] {
        second.inside = 20;
    }
    for second in &mut seconds[151..158] {
        (second.entered, second.returned, second.resume) = (40, 40, 40);
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.named, [Class::ReconnectStorm], "{finding:#?}");
    assert_eq!(
        (finding.harm.fell_out, finding.harm.from),
        (280, Some(START + 149))
    );

    let mut seconds = evening(300);
    for second in &mut seconds[150..] {
        second.inside = 20;
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.outcome, Outcome::Quiet, "{finding:#?}");
    let of = |finding: &Finding| {
        let storm = finding.explanation(Class::ReconnectStorm).unwrap();
        assert!(storm.supporting.is_empty(), "{storm:#?}");
        assert_eq!((storm.part, storm.against.len()), (Part::RuledOut, 1));
        storm.against[0].words.clone()
    };
    let words = of(&finding);
    for part in ["280 of 300", "left together", "no failure is on record"] {
        assert!(words.contains(part), "{words}");
    }
    let ended = of(&judged(&seconds, &[happened(152, What::RehearsalEnded)]));
    assert!(ended.contains("when something planned ended"), "{ended}");
    // After a failure nobody says that there was none.
    let silent = of(&judged(&seconds, &[happened(120, What::DeadAir)]));
    assert!(!silent.contains("as at an end"), "{silent}");
}

/// Half the seats are gone with a change of ours, and those who come stand in line.
fn half_the_seats() -> (Vec<Second>, Vec<Happening>) {
    let mut seconds = evening(600);
    for (i, second) in seconds[200..].iter_mut().enumerate() {
        (second.limit, second.in_line, second.inside) = (Some(200), i as u64, 200);
        second.knocks.offered += 2;
        second.knocks.waiting.add(Cause::NotYourTurn, 2);
        second.issued = i as u64 + 1;
        second.called = second.issued / 2;
    }
    let mut change = happened(200, What::LimitChanged);
    (change.name, change.before, change.after) = ("limit".into(), "400".into(), "200".into());
    (seconds, vec![change])
}

#[test]
fn a_change_that_takes_seats_is_our_own_mistake_and_no_attack() {
    let (seconds, happenings) = half_the_seats();
    let finding = judged(&seconds, &happenings);
    assert_eq!(
        finding.named.first(),
        Some(&Class::OwnMistake),
        "{finding:#?}"
    );
    assert!(!finding.named.contains(&Class::Attack));
    assert!(
        finding
            .summary
            .contains("a setting was changed (limit): from 400 to 200"),
        "{}",
        finding.summary
    );
    assert!(
        finding
            .would_have_helped
            .iter()
            .any(|each| each.contains("half hour before"))
    );
}

#[test]
fn what_was_rehearsed_speaks_for_and_against_a_mistake() {
    let (seconds, _) = half_the_seats();
    let with = |listeners| {
        judge(&Facts {
            seconds: &seconds,
            happenings: &[],
            proven: Some(Proven { listeners }),
        })
    };
    let rules = |finding: Finding| {
        let own = finding.explanation(Class::OwnMistake).unwrap().clone();
        (own.supporting, own.against)
    };
    assert!(
        rules(with(5_000))
            .0
            .iter()
            .any(|each| each.rule == "below-what-was-rehearsed")
    );
    assert!(
        rules(with(250))
            .1
            .iter()
            .any(|each| each.rule == "more-than-was-rehearsed")
    );
}

#[test]
fn a_restart_is_a_storm_though_its_first_row_has_nearly_all_back() {
    let mut seconds = evening(300);
    let first = &mut seconds[155];
    (first.entered, first.returned, first.resume) = (280, 280, 280);
    first.knocks.offered += 280;
    first.knocks.seated += 280;
    seconds.drain(151..155);
    let happened = [
        happened(155, What::NodeWasKilled),
        happened(155, What::NodeStarted),
    ];
    let finding = judged(&seconds, &happened);
    assert_eq!(
        finding.named,
        [Class::ReconnectStorm],
        "{}",
        finding.summary
    );
    assert_eq!(finding.harm.fell_out, 300);
    // Without a restart on record it is a hole in the rows, and nobody fell out.
    assert_eq!(judged(&seconds, &[]).harm.fell_out, 0);
}

/// Forged tickets from the 100th to the 160th second; `marked`: with a rehearsal's permit.
fn forged(seconds: &mut [Second], marked: bool) {
    for second in &mut seconds[100..160] {
        second.knocks.offered += 8;
        let reason = Reason::Token(TokenFault::Forged);
        second.knocks.turned_away.set(reason, 8);
        second.rehearsed += if marked { 8 } else { 0 };
    }
}

#[test]
fn a_rehearsed_attack_is_called_one_and_one_beside_a_rehearsal_is_not() {
    let mut seconds = evening(300);
    forged(&mut seconds, true);
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.named, [Class::Attack]);
    assert!(
        finding
            .headline
            .starts_with("There was a rehearsed attack."),
        "{}",
        finding.headline
    );
    // All of the evening was a rehearsal.
    for second in &mut seconds {
        second.rehearsed = second.knocks.offered.into();
        second.rehearsed_inside = second.inside;
    }
    let finding = judged(&seconds, &[]);
    assert!(
        finding
            .headline
            .starts_with("This was a rehearsal. There was a rehearsed attack."),
        "{}",
        finding.headline
    );
    assert_eq!(finding.rehearsed_permille, 1_000);
    // A rehearsal is under way, and the forged ones come from elsewhere.
    let mut seconds = evening(300);
    seconds.iter_mut().for_each(|second| second.rehearsed = 2);
    forged(&mut seconds, false);
    let finding = judged(&seconds, &[]);
    assert!(
        finding.headline.starts_with("There was an attack.")
            && !finding.headline.contains("rehears"),
        "{}",
        finding.headline
    );
    assert!(
        finding.summary.contains("were a rehearsal's"),
        "{}",
        finding.summary
    );
    // Nobody is told of a rehearsal that there was not.
    let quiet = judged(&evening(300), &[]);
    assert!(!quiet.headline.contains("rehears") && !quiet.summary.contains("rehears"));
    let mut rehearsed = evening(300);
    for second in &mut rehearsed {
        second.rehearsed = second.knocks.offered.into();
    }
    let headline = judged(&rehearsed, &[]).headline;
    assert_eq!(headline, "This was a rehearsal. Nothing went wrong.");
}

#[test]
fn a_lost_host_and_a_lost_database_are_dependencies() {
    let mut seconds = evening(300);
    for second in &mut seconds[100..160] {
        (second.silent_ms, second.speakers_lost) = (5_000, 1);
    }
    let finding = judged(&seconds, &[happened(99, What::SpeakerLost)]);
    assert_eq!(finding.named, [Class::DependencyFailure], "{finding:#?}");
    assert_eq!(finding.harm.dead_air_listener_seconds, 60 * 300);
    // A stage that was empty before is empty again when the node comes back: nobody was lost. Somebody on it was.
    let emptied = [happened(99, What::StageEmpty)];
    let lost = |seconds: &[_]| {
        let finding = judged(seconds, &emptied);
        finding.named.contains(&Class::DependencyFailure)
    };
    assert!(!lost(&seconds));
    seconds[50].seated = 1;
    assert!(lost(&seconds));
    let finding = judged(
        &evening(300),
        &[
            happened(50, What::DatabaseGone),
            happened(90, What::DatabaseBack),
        ],
    );
    assert_eq!(finding.named, [Class::DependencyFailure]);
    assert_eq!(
        finding.explanation(Class::DependencyFailure).unwrap().kinds,
        [Kind::Database]
    );
}

#[test]
fn the_headline_says_first_that_nobody_was_harmed() {
    let stall = |seconds: &[Second], until| {
        let gone = happened(50, What::DatabaseGone);
        judged(seconds, &[gone, happened(until, What::DatabaseBack)])
    };
    let calm = evening(300);
    let finding = stall(&calm, 53);
    assert_eq!(finding.named, [Class::DependencyFailure]);
    assert_eq!(
        finding.headline,
        "Nobody was harmed. Something we depend on stalled for 3 s."
    );
    assert_eq!(
        stall(&calm, 170).headline,
        "Nobody was harmed. Something we depend on failed for 2 min."
    );
    // Whom the node itself ended was harmed, though no stretch of time is.
    let mut seconds = calm;
    seconds[51].too_slow = 1;
    assert_eq!(
        stall(&seconds, 53).headline,
        "Something we depend on stalled for 3 s."
    );
    seconds[60].silent_ms = 1;
    let (mut waited, change) = half_the_seats();
    assert_eq!(judged(&waited, &change).headline, "It was our own mistake.");
    waited.truncate(190);
    crowd(&mut waited, 100);
    assert_eq!(
        judged(&waited, &[]).headline,
        "Nobody was harmed. It was a flash crowd."
    );
}

/// Half of the rows are missing: whatever the others show, nothing is said for certain.
#[test]
fn too_little_is_undetermined() {
    let mut seconds = evening(600);
    crowd(&mut seconds, 200);
    let half: Vec<_> = seconds
        .iter()
        .filter(|second| second.at % 2 == 0)
        .cloned()
        .collect();
    let finding = judged(&half, &[]);
    assert_eq!(
        (finding.outcome, finding.headline.as_str()),
        (Outcome::Undetermined, "We cannot say.")
    );
    assert!(finding.summary.contains("50 %"), "{}", finding.summary);
    assert_eq!(judged(&seconds[..40], &[]).outcome, Outcome::Undetermined);
    assert_eq!(judged(&[], &[]).outcome, Outcome::Undetermined);
}

/// Everybody waits, and nothing that the rules know explains it.
#[test]
fn harm_that_nothing_explains_is_undetermined() {
    let mut seconds = evening(300);
    for second in &mut seconds[100..200] {
        second.knocks.waiting.add(Cause::NotYourTurn, 3);
        second.knocks.offered += 3;
        (second.entered, second.stayed_10s) = (0, 0);
        second.in_line = 5;
    }
    let finding = judged(&seconds, &[]);
    assert_eq!(finding.outcome, Outcome::Undetermined, "{finding:#?}");
    assert!(finding.harm.is_any());
}

/// What the random counters found: places that jump to the greatest number when no page was seen.
#[test]
fn places_that_jump_do_not_run_over() {
    let mut seconds = evening(120);
    for second in &mut seconds[60..] {
        (second.issued, second.called, second.entered, second.pages) = (u64::MAX, 5, u64::MAX, 0);
    }
    assert!(!judged(&seconds, &[]).headline.is_empty());
}

fn any_second() -> impl Strategy<Value = Second> {
    let number = prop_oneof![Just(0), Just(1), 0_u64..10_000, Just(u64::MAX)];
    let time = prop_oneof![99 => 0_u64..400, 1 => any::<u64>()];
    (
        time,
        proptest::collection::vec(number, 24),
        any::<[u32; 6]>(),
        any::<i64>(),
    )
        .prop_map(|(at, n, k, left)| {
            let mut second = Second {
                at,
                covers_ms: n[0],
                resume: n[1],
                effort: n[2],
                strays: n[3],
                networks: n[4],
                entropy_mbit: n[5],
                top_permille: n[6],
                inside: n[7],
                in_line: n[8],
                entered: n[9],
                returned: n[10],
                left: n[11],
                lost: n[12],
                too_slow: n[13],
                stayed_10s: n[14],
                gone_early: n[15],
                issued: n[16],
                called: n[17],
                limit: Some(n[18]),
                seats: n[19],
                silent_ms: n[20],
                dropped: n[21],
                own_errors: n[22],
                certificate_left_s: left,
                full_permille: [Some(n[23]); 5],
                handshakes_failed: n[9],
                dependency_us: [n[3]; 4],
                listen_drops: n[3],
                dependency_failures: [n[1]; 4],
                speakers_lost: n[2],
                ..Second::default()
            };
            second.knocks.offered = k[0];
            second.knocks.took_over = k[1];
            second.knocks.proving = k[2];
            second.knocks.waiting.add(Cause::NoSeat, k[3]);
            second.knocks.turned_away.add(Reason::Spent, k[4]);
            second.shed.add(Shed::Silent, k[5]);
            second
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the counters: an answer, always the same, and numbers in every sentence.
    #[test]
    fn no_counters_break_the_judge(
        seconds in proptest::collection::vec(any_second(), 0..200),
        what in proptest::collection::vec((0_u64..500, 0_usize..6), 0..6),
    ) {
        let kinds = [What::LimitChanged, What::NodeStarted, What::DatabaseGone, What::DiskFull, What::SpeakerLost, What::CertificateExpired];
        let happenings: Vec<_> = what.into_iter().map(|(at, what)| Happening {
            at: UnixMillis(at * 1_000), what: kinds[what], ..Happening::default()
        }).collect();
        let facts = Facts { seconds: &seconds, happenings: &happenings, proven: Some(Proven { listeners: u64::MAX }) };
        let finding = judge(&facts);
        let json = serde_json::to_string(&finding).expect("JSON");
        prop_assert!(!json.contains("NaN") && !json.contains("inf "));
        prop_assert_eq!(json, serde_json::to_string(&judge(&facts)).expect("JSON"));
        prop_assert!(!finding.headline.is_empty());
        prop_assert!(minutes(&seconds, &happenings).iter().all(|minute| minute.from < minute.to));
    }
}

/// docs/verdict.md prints all rules and numbers as they are here.
#[test]
fn the_published_rules_are_these() {
    let published = include_str!("../../../../docs/verdict.md");
    let (rules, thresholds) = tables();
    assert!(
        published.contains(&rules),
        "docs/verdict.md must hold:\n{rules}"
    );
    assert!(
        published.contains(&thresholds),
        "docs/verdict.md must hold:\n{thresholds}"
    );
}
