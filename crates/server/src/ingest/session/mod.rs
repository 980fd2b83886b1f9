//! One WHIP session: the WebRTC engine of one person, in a task of its own, so that a failure ends one session only.

mod engine;
mod seat;
mod sound;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hustings_control::ids::PersonId;
use hustings_control::spaces::{Actor, Command};
use hustings_media::stage::SourceKey;
use str0m::media::Mid;
use str0m::rtp::Ssrc;
use str0m::{Candidate, Input, Rtc};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(super) use self::engine::engine_at;
use super::quality::Quality;
use super::routes::{Datagram, Routes};
use super::{IngestError, sdp};
use crate::desk::{Desk, DeskError};
use crate::live::SpaceHandle;
use crate::stage::{Heard, StageCall};

/// Between two looks at deadlines.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) enum Control {
    Candidates(Vec<Candidate>),
    /// New ICE credentials of the peer (RFC 9725, 4.3.3); the answer is a fragment with ours.
    Restart {
        fragment: sdp::Fragment,
        /// The session's ETag from then on.
        etag: String,
        reply: oneshot::Sender<Result<String, IngestError>>,
    },
    /// The person hung up: the seat is given back.
    Leave,
    /// The seat is no longer this session's (another session took it, or the person was removed).
    Drop,
}

/// What the registry and the session's task share.
pub(super) struct Shared {
    pub(super) quality: Mutex<(f32, f32, f32)>,
    pub(super) ice: Mutex<Ice>,
}

/// The ICE session that holds now; a restart puts another in its place.
#[derive(Clone)]
pub(super) struct Ice {
    pub(super) etag: String,
    /// Ours: datagrams find the session by it.
    pub(super) ufrag: String,
    pub(super) peer_ufrag: String,
}

impl Shared {
    pub(super) fn ice(&self) -> MutexGuard<'_, Ice> {
        self.ice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Session {
    pub(super) rtc: Rtc,
    /// As it came: an ICE restart is the same offer with other credentials.
    pub(super) offer: String,
    pub(super) handle: Arc<SpaceHandle>,
    pub(super) person: PersonId,
    pub(super) locals: Arc<[SocketAddr]>,
    pub(super) udp: Arc<UdpSocket>,
    pub(super) routes: Arc<Routes>,
    pub(super) desk: Desk,
    pub(super) inbox: mpsc::Receiver<Datagram>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) shared: Arc<Shared>,
    /// Called once when connected: older sessions of this person end.
    pub(super) connected: Box<dyn FnOnce() + Send>,
}

enum Wake {
    Time,
    Datagram(Datagram),
    Control(Control),
    Heard(Option<Heard>),
    Desk(Result<(), DeskError>),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotConnected,
    Silent,
    PeerClosed,
    Refused,
    Left,
    Dropped,
    Failed,
}

struct Running {
    rtc: Rtc,
    offer: String,
    handle: Arc<SpaceHandle>,
    person: PersonId,
    locals: Arc<[SocketAddr]>,
    udp: Arc<UdpSocket>,
    routes: Arc<Routes>,
    desk: Desk,
    shared: Arc<Shared>,
    on_connected: Option<Box<dyn FnOnce() + Send>>,
    backs: HashMap<SocketAddr, mpsc::Sender<Bytes>>,
    begun: Instant,
    last_datagram: Instant,
    look_at: Instant,
    connected: bool,
    lost: bool,
    /// The desk says that the person has the seat.
    taken: bool,
    asking: Option<JoinHandle<Result<(), DeskError>>>,
    ask_at: Instant,
    source: Option<SourceKey>,
    heard: Option<mpsc::Receiver<Heard>>,
    stage: Option<mpsc::Sender<StageCall>>,
    mid: Option<Mid>,
    ssrc: Option<Ssrc>,
    ssrc_at: Instant,
    send_sequence: u64,
    send_offset: u32,
    quality: Quality,
    end: Option<End>,
}

impl Session {
    pub(super) async fn run(self) {
        let now = Instant::now();
        let (mut inbox, mut control) = (self.inbox, self.control);
        let random = getrandom::u64().unwrap_or(0);
        let mut running = Running {
            rtc: self.rtc,
            offer: self.offer,
            handle: self.handle,
            person: self.person,
            locals: self.locals,
            udp: self.udp,
            routes: self.routes,
            desk: self.desk,
            shared: self.shared,
            on_connected: Some(self.connected),
            backs: HashMap::new(),
            begun: now,
            last_datagram: now,
            look_at: now,
            connected: false,
            lost: false,
            taken: false,
            asking: None,
            ask_at: now,
            source: None,
            heard: None,
            stage: None,
            mid: None,
            ssrc: None,
            ssrc_at: now,
            // The engine wants the first sequence below 2^16.
            send_sequence: random & 0x3fff,
            send_offset: (random >> 32) as u32,
            quality: Quality::new(now),
            end: None,
        };
        let end = running.serve(&mut inbox, &mut control).await;
        running.close(end).await;
    }
}

impl Running {
    async fn serve(
        &mut self,
        inbox: &mut mpsc::Receiver<Datagram>,
        control: &mut mpsc::Receiver<Control>,
    ) -> End {
        loop {
            // One change, then all output: the engine's rule.
            let engine = self.drain();
            let now = Instant::now();
            if now >= self.look_at {
                self.look_at = now + LOOK_EVERY;
                self.look(now);
            }
            if let Some(end) = self.end {
                return end;
            }
            if !self.rtc.is_alive() {
                return End::PeerClosed;
            }
            let wake = engine.min(self.look_at);
            let wake = tokio::select! {
                biased;
                control = control.recv() => control.map_or(Wake::Control(Control::Drop), Wake::Control),
                datagram = inbox.recv() => datagram.map_or(Wake::Control(Control::Drop), Wake::Datagram),
                heard = next_heard(&mut self.heard) => Wake::Heard(heard),
                answer = next_answer(&mut self.asking) => Wake::Desk(answer),
                () = tokio::time::sleep_until(wake.into()) => Wake::Time,
            };
            match wake {
                Wake::Time => self.input(Input::Timeout(Instant::now())),
                Wake::Datagram(datagram) => self.datagram(datagram),
                Wake::Control(Control::Candidates(candidates)) => self.candidates(candidates),
                Wake::Control(Control::Restart {
                    fragment,
                    etag,
                    reply,
                }) => {
                    // Nobody waits for the reply any more: the restart holds nevertheless, its ETag is not known.
                    let _ = reply.send(self.restart(fragment, etag));
                }
                Wake::Control(Control::Leave) => return End::Left,
                Wake::Control(Control::Drop) => return End::Dropped,
                Wake::Heard(Some(Heard::Sound { media_time, opus })) => {
                    self.play(media_time, &opus)
                }
                // Warnings reach people by the roster.
                Wake::Heard(Some(Heard::Alarm(_))) => {}
                Wake::Heard(None) => self.unseated(),
                Wake::Desk(answer) => self.answered(answer),
            }
        }
    }

    async fn close(&mut self, end: End) {
        tracing::info!(space = %self.handle.id, ?end, "a session ends");
        self.unseat();
        if self.rtc.close().is_ok() {
            self.drain();
        }
        self.routes.remove(&self.shared.ice().ufrag);
        if let Some(asking) = self.asking.take() {
            let _ = asking.await;
        }
        let command = match end {
            End::Left => Command::LeaveSeat {
                person: self.person,
            },
            End::Silent | End::PeerClosed | End::Failed if self.connected => {
                Command::LoseConnection {
                    person: self.person,
                }
            }
            _ => return,
        };
        if let Err(error) = self
            .desk
            .command(&self.handle.id, Actor::Node, command)
            .await
        {
            tracing::debug!(space = %self.handle.id, %error, "the desk knew already");
        }
    }
}

async fn next_heard(heard: &mut Option<mpsc::Receiver<Heard>>) -> Option<Heard> {
    match heard {
        Some(heard) => heard.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_answer(
    asking: &mut Option<JoinHandle<Result<(), DeskError>>>,
) -> Result<(), DeskError> {
    let Some(handle) = asking else {
        return std::future::pending().await;
    };
    let answer = handle.await.unwrap_or(Err(DeskError::Busy));
    *asking = None;
    answer
}
