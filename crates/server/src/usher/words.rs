//! What a knock says and what is answered, as JSON: the same whether a shard answers or a page's thread.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use hustings_control::gate::limits::{RESUME_LIFE_MS, SEAT_HELD_MS};
use hustings_control::gate::line::Estimate;
use hustings_control::gate::puzzle::SOLUTION_CHARS;
use hustings_control::gate::ticket::TOKEN_CHARS;
use hustings_control::gate::{Ask, Cause, Door, Mode, Reason, Shows, TokenText, Verdict, Waiting};

use super::Wicket;

/// Milliseconds after which somebody who was turned away may knock again with nothing in hand.
const RETRY_MS: u32 = 1_000;
/// The same at a door that an operator has dropped: it stays so for a while.
const CLOSED_RETRY_MS: u32 = 15_000;

/// A knock's body. What else it says is not looked at.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Body<'a> {
    ask: Asks,
    #[serde(borrow)]
    show: Option<&'a str>,
    /// A mark: 1 to 16 hex digits.
    n: Option<&'a str>,
    solution: Option<&'a str>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asks {
    #[default]
    Right,
    Puzzle,
    Resume,
}

/// Whether the gate has judged what was asked, and counted it as a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Knocked,
    /// The right to come back, which who is inside asks for.
    Aside,
}

/// The body is no JSON object of a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadKnock;

/// Knocks as the body says, and writes the answer's JSON into `out`, which is emptied first.
///
/// # Errors
/// When the body is no knock; then the gate was not asked.
pub(crate) fn answer_knock(
    wicket: &mut Wicket,
    door: &Arc<Door>,
    from: IpAddr,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<Asked, BadKnock> {
    let body: Body<'_> = if body.is_empty() {
        Body::default()
    } else {
        serde_json::from_slice(body).map_err(|_| BadKnock)?
    };
    let mut solved = [0; SOLUTION_CHARS];
    let shows = shows(&body, &mut solved)?;
    out.clear();
    let ask = match body.ask {
        Asks::Right => Ask::Right,
        Asks::Puzzle => Ask::Puzzle,
        Asks::Resume => {
            write_resume(wicket, door, from, shows, out);
            return Ok(Asked::Aside);
        }
    };
    let verdict = wicket.knock(door, from, ask, shows);
    let mode = door.mode();
    // Writing to a Vec does not fail.
    let _ = match verdict {
        Verdict::Enter(entry) => {
            wicket.hold(entry.pass);
            write_enter(entry.ticket.as_ref(), SEAT_HELD_MS, out)
        }
        // There is nothing to hold: the sound is asked for with nothing in hand, or with the ticket, which may find a seat.
        Verdict::Wait(Waiting {
            cause: Cause::Open,
            place,
            ..
        }) => write_enter(place.as_ref(), 0, out),
        Verdict::Wait(waiting) => {
            let draw_ms = door.draws_in_ms(wicket.now());
            write_waiting(&waiting, mode, draw_ms, out)
        }
        Verdict::Prove(puzzle) => write!(
            out,
            r#"{{"verdict":"prove","puzzle":"{}","tries":{}}}"#,
            puzzle.token.as_str(),
            puzzle.tries
        ),
        Verdict::TurnAway(reason) => write_turned_away(reason, out),
    };
    Ok(Asked::Knocked)
}

fn write_enter(ticket: Option<&TokenText>, held_ms: u64, out: &mut Vec<u8>) -> io::Result<()> {
    match ticket {
        Some(ticket) => write!(
            out,
            r#"{{"verdict":"enter","ticket":"{}","held_ms":{held_ms}}}"#,
            ticket.as_str()
        ),
        None => write!(out, r#"{{"verdict":"enter","ticket":null,"held_ms":0}}"#),
    }
}

fn shows<'a>(body: &Body<'a>, solved: &'a mut [u8; SOLUTION_CHARS]) -> Result<Shows<'a>, BadKnock> {
    match (body.show, body.solution, body.n) {
        (Some(puzzle), Some(solution), _) => {
            if puzzle.len() != TOKEN_CHARS || solution.len() != SOLUTION_CHARS - TOKEN_CHARS {
                // No token at all: the gate says what it is, and counts it.
                return Ok(Shows::Token(b""));
            }
            let (head, tail) = solved.split_at_mut(TOKEN_CHARS);
            head.copy_from_slice(puzzle.as_bytes());
            tail.copy_from_slice(solution.as_bytes());
            Ok(Shows::Token(solved))
        }
        (Some(token), None, _) => Ok(Shows::Token(token.as_bytes())),
        (None, _, Some(mark)) => mark_of(mark.as_bytes()).map(Shows::Mark).ok_or(BadKnock),
        (None, _, None) => Ok(Shows::Nothing),
    }
}

/// 1 to 16 hex digits.
pub(crate) fn mark_of(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    let whole = (1..=16).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    whole
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

fn write_resume(
    wicket: &mut Wicket,
    door: &Arc<Door>,
    from: IpAddr,
    shows: Shows<'_>,
    out: &mut Vec<u8>,
) {
    let _ = match wicket.resume(door, from, shows) {
        Some(ticket) => write!(
            out,
            r#"{{"verdict":"resume","ticket":"{}","renew_ms":{}}}"#,
            ticket.as_str(),
            RESUME_LIFE_MS / 2
        ),
        None => write!(
            out,
            r#"{{"verdict":"turn_away","reason":"not_inside","retry_ms":{RETRY_MS}}}"#
        ),
    };
}

fn write_waiting(
    waiting: &Waiting,
    mode: Mode,
    draw_ms: Option<u64>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let cause = waiting.cause;
    write!(
        out,
        r#"{{"verdict":"wait","cause":"{}","place":"#,
        cause.name()
    )?;
    match &waiting.place {
        Some(place) => write!(out, r#""{}""#, place.as_str())?,
        None => write!(out, "null")?,
    }
    let (ahead, position) = (waiting.ahead, waiting.position);
    write!(out, r#","ahead":{ahead},"position":{position},"wait":"#)?;
    match waiting.wait {
        Estimate::Between(low, high) => write!(out, r#"{{"low_s":{low},"high_s":{high}}}"#)?,
        Estimate::Unknown => write!(out, "null")?,
    }
    if let Some(draw) = draw_ms.filter(|_| mode == Mode::Storm) {
        write!(out, r#","draw_ms":{draw}"#)?;
    }
    let offered = mode == Mode::Storm && matches!(cause, Cause::NoRight | Cause::NotYourTurn);
    let poll_ms = waiting.poll_ms;
    write!(out, r#","poll_ms":{poll_ms},"puzzle_offered":{offered}}}"#)
}

fn write_turned_away(reason: Reason, out: &mut Vec<u8>) -> std::io::Result<()> {
    let name = reason.name();
    let retry_ms = match reason {
        Reason::Closed => CLOSED_RETRY_MS,
        _ => RETRY_MS,
    };
    write!(
        out,
        r#"{{"verdict":"turn_away","reason":"{name}","retry_ms":{retry_ms}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_hex() {
        assert_eq!(mark_of(b"8c"), Some(0x8c));
        assert_eq!(mark_of(b"ffffffffffffffff"), Some(u64::MAX));
        for bad in ["", "+1", "x", "00000000000000000", "é"] {
            assert_eq!(mark_of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn bodies_are_read_or_refused() {
        let read = |text: &str| {
            let body: Result<Body<'_>, _> = serde_json::from_str(text);
            body.map_err(|_| BadKnock).and_then(|body| {
                let mut solved = [0; SOLUTION_CHARS];
                let shown = match shows(&body, &mut solved)? {
                    Shows::Nothing => "nothing".to_owned(),
                    Shows::Token(token) => format!("token {}", token.len()),
                    Shows::Mark(mark) => format!("mark {mark:x}"),
                };
                Ok(shown)
            })
        };
        assert_eq!(read("{}").as_deref(), Ok("nothing"));
        assert_eq!(
            read(r#"{"ask":"resume","n":"8c"}"#).as_deref(),
            Ok("mark 8c")
        );
        assert_eq!(
            read(r#"{"ask":"right","show":"abc","took_ms":4}"#).as_deref(),
            Ok("token 3")
        );
        let (puzzle, solution) = ("p".repeat(80), "s".repeat(48));
        let both = format!(r#"{{"show":"{puzzle}","solution":"{solution}"}}"#);
        assert_eq!(read(&both).as_deref(), Ok("token 128"));
        let short = format!(r#"{{"show":"{puzzle}","solution":"s"}}"#);
        assert_eq!(read(&short).as_deref(), Ok("token 0"));
        for bad in [
            r#"{"n":"no"}"#,
            r#"{"ask":"sound"}"#,
            r#"{"show":7}"#,
            "[1]",
            "{",
        ] {
            assert_eq!(read(bad), Err(BadKnock), "{bad}");
        }
    }
}
