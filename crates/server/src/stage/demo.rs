//! The demo: two synthetic people who talk in turns, seated like anybody, so that a newcomer hears and sees a live space.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hustings_control::ids::{InviteId, PersonId, SpaceId};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Phase, Role, Seat};
use hustings_media::limits::TICK_SAMPLES;
use hustings_media::stage::{SourceKey, SourcePacket};
use hustings_media::{music, opus};
use tokio::sync::mpsc;

use super::beat::Beat;
use super::{HEARD_MAX, Heard, StageCall, next_source};
use crate::clock::Clock;
use crate::desk::{Desk, DeskError};
use crate::live::{Directory, SpaceHandle};

const TITLE: &str = "Demo: two voices talk about nothing";
const NAMES: [&str; 2] = ["Ada (synthetic)", "Ben (synthetic)"];
/// Demo spaces that may have been ended before: demo, demo-2, … More means that somebody plays with us.
const DEMOS_MAX: u32 = 1_000;
/// Ticks of a turn, by turn: uneven, as people talk.
const TURNS: [u64; 5] = [260, 170, 340, 120, 220];
/// Ticks of silence at a turn's end.
const PAUSE_TICKS: u64 = 20;
/// Bits a second of each voice.
const BITRATE: u32 = 32_000;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Runs until its task is dropped. Ending the demo begins another after the next start.
pub async fn run_demo(desk: Desk, directory: Arc<Directory>, clock: Clock) {
    loop {
        match open(&desk, &directory).await {
            Ok((handle, people)) => {
                if let Err(error) = talk(&desk, &handle, people, clock).await {
                    tracing::warn!(%error, "the demo pauses");
                }
                if is_over(&handle) {
                    return tracing::info!(space = %handle.id, "the demo was ended");
                }
            }
            Err(error) => tracing::warn!(%error, "the demo cannot begin"),
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn is_over(handle: &SpaceHandle) -> bool {
    matches!(
        handle.snapshot.load().phase,
        Phase::Ended | Phase::Cancelled
    )
}

async fn open(
    desk: &Desk,
    directory: &Directory,
) -> Result<(Arc<SpaceHandle>, [PersonId; 2]), DeskError> {
    let handle = find_or_create(desk, directory).await?;
    if matches!(handle.snapshot.load().phase, Phase::Posted | Phase::Open) {
        desk.command(&handle.id, Actor::Operator, Command::GoLive)
            .await?;
    }
    let ada = enter(desk, &handle, NAMES[0], Role::Host).await?;
    let ben = enter(desk, &handle, NAMES[1], Role::Speaker).await?;
    Ok((handle, [ada, ben]))
}

async fn find_or_create(desk: &Desk, directory: &Directory) -> Result<Arc<SpaceHandle>, DeskError> {
    for number in 1..=DEMOS_MAX {
        let text = if number == 1 {
            "demo".to_owned()
        } else {
            format!("demo-{number}")
        };
        let Ok(id) = SpaceId::parse(&text) else { break };
        match directory.get(&id) {
            Some(handle) if is_over(&handle) => {}
            Some(handle) => return Ok(handle),
            None => {
                // Not recorded: it talks for as long as the node runs, and would fill the disk.
                let draft = Draft {
                    title: TITLE.to_owned(),
                    description:
                        "Two voices that a program makes, so that there is something to hear."
                            .to_owned(),
                    listed: true,
                    starts_at: None,
                    record: false,
                };
                return desk.create(Actor::Operator, Some(id), draft).await;
            }
        }
    }
    Err(DeskError::TooManySpaces(DEMOS_MAX as usize))
}

async fn enter(
    desk: &Desk,
    handle: &SpaceHandle,
    name: &str,
    role: Role,
) -> Result<PersonId, DeskError> {
    let known = handle
        .snapshot
        .load()
        .people
        .iter()
        .find(|(_, person)| person.name == name)
        .map(|(id, _)| *id);
    if let Some(person) = known {
        return Ok(person);
    }
    let (invite, person) = (InviteId(draw()?), PersonId(draw()?));
    let invited = Command::Invite {
        invite,
        role,
        name: name.to_owned(),
        expires_at: None,
    };
    desk.command(&handle.id, Actor::Operator, invited).await?;
    let entered = Command::Enter {
        person,
        invite,
        name: Some(name.to_owned()),
    };
    desk.command(&handle.id, Actor::Person(person), entered)
        .await?;
    Ok(person)
}

fn draw() -> Result<u64, DeskError> {
    getrandom::u64().map_err(|_| DeskError::Busy)
}

/// Talks until the stage is gone (it may have been started anew) or the space is over.
async fn talk(
    desk: &Desk,
    handle: &SpaceHandle,
    people: [PersonId; 2],
    clock: Clock,
) -> Result<(), DeskError> {
    let Some(stage) = handle.stage.load_full().as_ref().clone() else {
        return Ok(());
    };
    let mut voices = Vec::with_capacity(2);
    for (which, person) in (0..).zip(people) {
        if handle
            .snapshot
            .load()
            .people
            .get(&person)
            .is_none_or(|known| known.seat == Seat::None)
        {
            desk.command(&handle.id, Actor::Node, Command::TakeSeat { person })
                .await?;
        }
        let Some(voice) = Voice::seat(which, person, &stage) else {
            return Ok(());
        };
        voices.push(voice);
    }
    let mut beat = Beat::new(clock.now());
    let mut tick = 0;
    loop {
        tokio::time::sleep_until(tokio::time::Instant::from_std(
            clock.instant(beat.deadline()),
        ))
        .await;
        while beat.due(clock.now()).is_some() {
            let turn = turn_at(tick);
            for voice in &mut voices {
                if !voice.say(&stage, tick, turn == Some(voice.which)) {
                    return Ok(());
                }
            }
            tick += 1;
        }
    }
}

/// Whose turn it is; `None` in a pause.
fn turn_at(tick: u64) -> Option<u8> {
    // An odd number of turns: who had the long one gets the short one the next time round.
    let round: u64 = TURNS.iter().sum();
    let mut left = tick % round;
    let first = tick / round * TURNS.len() as u64;
    for (turn, length) in (first..).zip(TURNS) {
        if left < length {
            return (left + PAUSE_TICKS < length).then_some(u8::from(!turn.is_multiple_of(2)));
        }
        left -= length;
    }
    None
}

struct Voice {
    which: u8,
    source: SourceKey,
    heard: mpsc::Receiver<Heard>,
    encoder: opus::Encoder,
    pcm: Vec<f32>,
    packet: Vec<u8>,
    /// Samples said so far, so that a voice goes on where it stopped.
    said: u64,
}

impl Voice {
    fn seat(which: u8, person: PersonId, stage: &mpsc::Sender<StageCall>) -> Option<Self> {
        let encoder = opus::Encoder::new(BITRATE, false).ok()?;
        let source = next_source();
        let (out, heard) = mpsc::channel(HEARD_MAX);
        stage
            .try_send(StageCall::Seat {
                person,
                source,
                out,
            })
            .ok()?;
        Some(Self {
            which,
            source,
            heard,
            encoder,
            pcm: vec![0.0; TICK_SAMPLES],
            packet: Vec::new(),
            said: 0,
        })
    }

    /// False when the stage has let go of this voice.
    fn say(&mut self, stage: &mpsc::Sender<StageCall>, tick: u64, talking: bool) -> bool {
        loop {
            match self.heard.try_recv() {
                Ok(_) => {}
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        if talking {
            music::voice(self.which, self.said, &mut self.pcm);
            self.said += TICK_SAMPLES as u64;
        } else {
            // Rooms are never digitally silent; zeros would be taken for a dead microphone.
            for (index, sample) in self.pcm.iter_mut().enumerate() {
                *sample = if index % 2 == 0 { 3e-5 } else { -3e-5 };
            }
        }
        if self.encoder.encode(&self.pcm, &mut self.packet).is_err() {
            return false;
        }
        let samples = tick * TICK_SAMPLES as u64;
        let packet = SourcePacket {
            sequence: tick,
            timestamp: (samples & u64::from(u32::MAX)) as u32,
            opus: Bytes::copy_from_slice(&self.packet),
            level: Some(if talking { 20 } else { 90 }),
        };
        // Full: the stage stands still; what it did not get is lost, as with any speaker.
        !matches!(
            stage.try_send(StageCall::Packet {
                source: self.source,
                packet
            }),
            Err(mpsc::error::TrySendError::Closed(_))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_take_turns_with_pauses() {
        let round: u64 = TURNS.iter().sum();
        let said: Vec<_> = (0..round * 2).map(turn_at).collect();
        assert_eq!(said[0], Some(0));
        assert_eq!(said[TURNS[0] as usize], Some(1));
        assert_eq!(
            said[TURNS[0] as usize - 1],
            None,
            "a turn ends with a pause"
        );
        assert_eq!(
            said[round as usize],
            Some(1),
            "the second round begins with the other voice"
        );
        let shares = [0, 1].map(|who| said.iter().filter(|turn| **turn == Some(who)).count());
        assert_eq!(shares[0], shares[1]);
    }
}
