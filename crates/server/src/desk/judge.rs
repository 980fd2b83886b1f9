//! A command judged: the events it leads to, and the state after them, on a copy.

use hustings_control::ids::UnixMillis;
use hustings_control::spaces::{Actor, Command, Event, Recorded, Refusal, Space};

/// How a command is judged: `Space::decide`, but in tests of panics.
pub(super) type Decide = fn(&Space, Actor, Command, UnixMillis) -> Result<Vec<Event>, Refusal>;

/// The state after the command, and the events that lead there.
pub(super) fn judge(
    decide: Decide,
    before: &Space,
    by: Actor,
    command: Command,
    at: UnixMillis,
) -> Result<(Space, Vec<Recorded>), Refusal> {
    let events = decide(before, by, command, at)?;
    let recorded: Vec<Recorded> = (before.seq + 1..)
        .zip(events)
        .map(|(seq, event)| Recorded { seq, at, by, event })
        .collect();
    let mut after = before.clone();
    recorded.iter().for_each(|recorded| after.apply(recorded));
    Ok((after, recorded))
}
