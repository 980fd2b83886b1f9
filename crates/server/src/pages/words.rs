//! Numbers, durations and times as people read them. The server writes UTC; the page's script turns `<time>` into the reader's own time.

use hustings_control::ids::UnixMillis;
use maud::{Markup, html};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const CLOCK: &[FormatItem<'static>] = format_description!("[hour]:[minute] UTC");
const SECOND: &[FormatItem<'static>] = format_description!("[hour]:[minute]:[second] UTC");
const SHORT: &[FormatItem<'static>] = format_description!("[day padding:none] [month repr:short]");
const DATE: &[FormatItem<'static>] =
    format_description!("[day padding:none] [month repr:long] [year]");
const WEEKDAY: &[FormatItem<'static>] =
    format_description!("[weekday] [day padding:none] [month repr:short]");
const WHEN: &[FormatItem<'static>] =
    format_description!("[weekday] [day padding:none] [month repr:long] at [hour]:[minute] UTC");
const DATED: &[FormatItem<'static>] = format_description!(
    "[weekday] [day padding:none] [month repr:long] [year] at [hour]:[minute] UTC"
);
const STAMPED: &[FormatItem<'static>] = format_description!(
    "[weekday] [day padding:none] [month repr:long] [year] at [hour]:[minute]:[second] UTC"
);
const TITLE: &[FormatItem<'static>] = format_description!("[weekday] [hour]:[minute] UTC");
const STAMP: &[FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// How a moment is written. The script knows the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    Clock,
    /// The clock to the second, with its day when that is not today: what happened in a night is told apart by it.
    Second,
    /// The clock today, else the day.
    Near,
    Date,
    Weekday,
    When,
    /// The same with its year: for what is read and kept long after.
    Dated,
    /// To the second.
    Stamped,
}

impl As {
    const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Second => "second",
            Self::Near => "near",
            Self::Date => "date",
            Self::Weekday => "weekday",
            Self::When => "when",
            Self::Dated => "dated",
            Self::Stamped => "stamped",
        }
    }
}

pub(super) fn moment(at: UnixMillis, style: As, now: UnixMillis) -> Markup {
    let date = utc(at);
    let text = match style {
        As::Clock => format(date, CLOCK),
        As::Second if date.date() == utc(now).date() => format(date, SECOND),
        As::Second => format!("{}, {}", format(date, SHORT), format(date, SECOND)),
        As::Near if date.date() == utc(now).date() => format(date, CLOCK),
        As::Near => format(date, SHORT),
        As::Date => format(date, DATE),
        As::Weekday => format(date, WEEKDAY),
        As::When => format(date, WHEN),
        As::Dated => format(date, DATED),
        As::Stamped => format(date, STAMPED),
    };
    html! { time datetime=(date.format(&Rfc3339).unwrap_or_default()) data-as=(style.word()) { (text) } }
}

/// For the title of the tab, where no element can stand.
pub(super) fn title_moment(at: UnixMillis) -> String {
    format(utc(at), TITLE)
}

/// For iCalendar.
pub(super) fn stamp(at: UnixMillis) -> String {
    format(utc(at), STAMP)
}

/// `41,208`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 h 32 min`, `48 min`, `35 s`.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis.div_ceil(1_000);
    match (seconds / 3_600, seconds % 3_600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `1:32:00`, as players count.
pub(super) fn position(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (h, m, s) = (seconds / 3_600, seconds % 3_600 / 60, seconds % 60);
    if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m}:{s:02}")
    }
}

fn utc(at: UnixMillis) -> OffsetDateTime {
    // A time beyond the year 9999 cannot be written; the epoch stands for it rather than a panic.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn format(date: OffsetDateTime, items: &[FormatItem<'static>]) -> String {
    date.format(items).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_as_people_say_them() {
        for (value, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (41_208, "41,208"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(value), expected);
        }
        for (millis, expected) in [
            (400, "1 s"),
            (35_000, "35 s"),
            (60_000, "1 min"),
            (5_520_000, "1 h 32 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(duration(millis), expected);
        }
        assert_eq!(position(5_520_000), "1:32:00");
        assert_eq!(position(1_711_000), "28:31");
    }

    #[test]
    fn a_moment_near_now_is_a_clock_and_else_a_day() {
        let noon = UnixMillis(1_794_484_800_000);
        let near = moment(noon, As::Near, UnixMillis(noon.0 + 60_000)).into_string();
        let far = moment(noon, As::Near, UnixMillis(noon.0 + 86_400_000)).into_string();
        assert!(near.contains("12:00 UTC"), "{near}");
        assert!(
            far.contains("12 Nov") && !far.contains("12:00 UTC"),
            "{far}"
        );
        let day = |now| moment(noon, As::Second, UnixMillis(now)).into_string();
        assert!(day(noon.0 + 1).contains(">12:00:00 UTC<"));
        assert!(day(noon.0 + 86_400_000).contains(">12 Nov, 12:00:00 UTC<"));
        assert_eq!(stamp(noon), "20261112T120000Z");
        assert!(
            moment(UnixMillis(u64::MAX), As::When, noon)
                .into_string()
                .contains("1970")
        );
    }
}
