//! `/s/{id}/event.ics`: the space as an iCalendar entry (RFC 5545).

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hustings_control::ids::UnixMillis;
use hustings_control::spaces::{Phase, Space};

use super::words::stamp;
use crate::api::App;

/// Octets in a line before it is folded (RFC 5545, section 3.1, says 75).
const LINE_MAX: usize = 73;
/// An hour stands in the calendar, for nobody knows how long people will talk.
const LENGTH_MS: u64 = 3_600_000;

pub(super) async fn event(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return (
            StatusCode::NOT_FOUND,
            "There is no space under this link.\n",
        )
            .into_response();
    };
    let space = handle.snapshot.load();
    let Some(text) = write(&space, &app.public_url, app.clock.wall()) else {
        return (
            StatusCode::NOT_FOUND,
            "No time is set for this space yet.\n",
        )
            .into_response();
    };
    let name = format!("attachment; filename=\"{}.ics\"", space.id);
    (
        [
            (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
            (header::CONTENT_DISPOSITION, name.as_str()),
            (header::CACHE_CONTROL, "public, max-age=60"),
        ],
        text,
    )
        .into_response()
}

/// `None` while no time is set.
fn write(space: &Space, public_url: &str, now: UnixMillis) -> Option<String> {
    let start = space.starts_at.or(space.live_at)?;
    let end = space
        .ended_at
        .filter(|end| *end > start)
        .unwrap_or(UnixMillis(start.0.saturating_add(LENGTH_MS)));
    let link = format!("{public_url}/s/{}", space.id);
    let host = public_url.rsplit('/').next().unwrap_or("hustings");
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Hustings//Spaces//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@{host}", space.id),
        format!("DTSTAMP:{}", stamp(now)),
        format!("SEQUENCE:{}", space.seq),
        format!("DTSTART:{}", stamp(start)),
        format!("DTEND:{}", stamp(end)),
        format!("SUMMARY:{}", escape(&space.title)),
        format!(
            "DESCRIPTION:{}",
            escape(
                format!(
                    "{}
{link}",
                    space.description
                )
                .trim_start()
            )
        ),
        format!("LOCATION:{}", escape(&link)),
        format!("URL:{link}"),
        format!(
            "STATUS:{}",
            if space.phase == Phase::Cancelled {
                "CANCELLED"
            } else {
                "CONFIRMED"
            }
        ),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    let mut out = String::new();
    for line in &lines {
        fold(line, &mut out);
    }
    Some(out)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Long lines go on in the next one after a space; a character is never cut.
fn fold(line: &str, out: &mut String) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > LINE_MAX {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_add_lines_of_its_own() {
        assert_eq!(
            escape("a;b,c\\d\r\nEND:VEVENT"),
            "a\\;b\\,c\\\\d\\nEND:VEVENT"
        );
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        fold(&"ä".repeat(100), &mut out);
        assert!(out.split("\r\n").all(|line| line.len() <= 75));
        assert_eq!(out.replace("\r\n ", "").trim_end(), "ä".repeat(100));
    }
}
