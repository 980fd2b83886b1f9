//! One WHIP session: the WebRTC engine of one person, in a task of its own, so that a failure ends one session only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hustings_control::ids::PersonId;
use hustings_control::spaces::{Actor, Command, Refusal};
use hustings_media::limits::OPUS_PACKET_BYTES_MAX;
use hustings_media::stage::{SourceKey, SourcePacket};
use str0m::format::Codec;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{DatagramSend, Protocol, Receive, Transmit};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::quality::Quality;
use super::routes::{Datagram, Routes};
use super::{IngestError, sdp, udp};
use crate::desk::{Desk, DeskError};
use crate::live::SpaceHandle;
use crate::stage::{HEARD_MAX, Heard, StageCall, next_source};

/// ICE and DTLS must be through by then; a session that strangers opened, or whose peer cannot reach us, ends.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Without any datagram for this long the desk is told that the connection is lost. (The stage tells it sooner of missing sound.)
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Without any datagram for this long the session ends; as long as a lost speaker keeps the seat.
const KEPT_FOR: Duration = Duration::from_millis(hustings_control::limits::SEAT_KEPT_MS);
/// Between two looks at deadlines, and two tries to be seated.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const SEAT_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// A peer that changes its sound's source more often is dropped meanwhile: each change costs the stage a new seat.
const SOURCE_CHANGE_EVERY: Duration = Duration::from_secs(1);
/// TCP connections a session answers by.
const TCP_BACKS_MAX: usize = 4;

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

    fn candidates(&mut self, candidates: Vec<Candidate>) {
        for candidate in candidates {
            self.rtc.add_remote_candidate(candidate);
            self.drain();
        }
    }

    /// Sound goes on over the old pair until the peer has nominated a new one. DTLS and the seat stay as they are.
    fn restart(&mut self, fragment: sdp::Fragment, etag: String) -> Result<String, IngestError> {
        let refused = |error: String| IngestError::RestartRefused(sdp::shorten(&error));
        let Some((peer_ufrag, password)) = fragment.credentials else {
            return Err(refused("the fragment has no ICE credentials".to_owned()));
        };
        let offer = sdp::restarted(&self.offer, &peer_ufrag, &password);
        let offer = sdp::check_offer(&offer)?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| refused(error.to_string()))?;
        let ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        {
            let mut ice = self.shared.ice();
            self.routes.rename(&ice.ufrag, &ufrag);
            *ice = Ice {
                etag,
                ufrag,
                peer_ufrag,
            };
        }
        self.drain();
        self.candidates(fragment.candidates);
        Ok(sdp::answer_fragment(&answer.to_sdp_string()))
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(space = %self.handle.id, %error, "a session failed");
            self.end = Some(End::Failed);
        }
    }

    fn datagram(&mut self, datagram: Datagram) {
        let Some(destination) = self.local_for(datagram.source) else {
            return;
        };
        let Ok(receive) = Receive::new(
            datagram.proto,
            datagram.source,
            destination,
            &datagram.bytes,
        ) else {
            return;
        };
        let input = Input::Receive(datagram.at, receive);
        // Checks the integrity of STUN messages, so that only the peer can make us remember an address.
        if !self.rtc.accepts(&input) {
            self.routes.count_stranger();
            return;
        }
        self.last_datagram = datagram.at;
        self.routes
            .remember(&self.shared.ice().ufrag, (datagram.proto, datagram.source));
        if let Some(back) = datagram.back {
            if self.backs.len() >= TCP_BACKS_MAX {
                self.backs.retain(|_, back| !back.is_closed());
            }
            if self.backs.len() < TCP_BACKS_MAX || self.backs.contains_key(&datagram.source) {
                self.backs.insert(datagram.source, back);
            }
        }
        self.input(input);
    }

    /// One socket hears for all our addresses; the engine is told the first of the peer's family.
    fn local_for(&self, source: SocketAddr) -> Option<SocketAddr> {
        self.locals
            .iter()
            .copied()
            .find(|local| local.is_ipv4() == source.is_ipv4())
    }

    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return at,
                Ok(Output::Transmit(transmit)) => self.transmit(&transmit),
                Ok(Output::Event(event)) => self.event(event),
                Err(error) => {
                    tracing::debug!(space = %self.handle.id, %error, "a session failed");
                    self.end = Some(End::Failed);
                    return Instant::now() + LOOK_EVERY;
                }
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let contents: &DatagramSend = &transmit.contents;
        if transmit.proto == Protocol::Udp {
            udp::send(&self.udp, transmit.destination, contents);
        } else if let Some(back) = self.backs.get(&transmit.destination) {
            let _ = back.try_send(Bytes::copy_from_slice(contents));
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                if let Some(connected) = self.on_connected.take() {
                    connected();
                }
            }
            Event::MediaAdded(added) if added.kind == MediaKind::Audio && self.mid.is_none() => {
                self.mid = Some(added.mid)
            }
            Event::RtpPacket(packet) => self.packet(&packet),
            Event::PeerStats(stats) => {
                let ice = stats
                    .selected_candidate_pair
                    .and_then(|pair| pair.current_round_trip_time);
                if let Some(round_trip) = stats.rtt.or(ice) {
                    self.quality.round_trip(round_trip);
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => self.lose(),
            Event::Closed => self.end = Some(End::PeerClosed),
            _ => {}
        }
    }

    fn packet(&mut self, packet: &RtpPacket) {
        let payload = &packet.payload;
        if Some(packet.header.payload_type) != self.opus_pt() {
            return;
        }
        let now = Instant::now();
        if self.ssrc != Some(packet.header.ssrc) {
            if self.ssrc.is_some() {
                // Another encoder, other sequence numbers: to the stage that is another source.
                if now.duration_since(self.ssrc_at) < SOURCE_CHANGE_EVERY {
                    return;
                }
                self.unseat();
                self.quality = Quality::new(now);
            }
            self.ssrc = Some(packet.header.ssrc);
            self.ssrc_at = now;
        }
        let sequence = *packet.seq_no;
        let time = (!payload.is_empty()).then_some(packet.header.timestamp);
        self.quality.packet(now, sequence, time);
        if payload.is_empty() || payload.len() > OPUS_PACKET_BYTES_MAX {
            return;
        }
        let (Some(source), Some(stage)) = (self.source, &self.stage) else {
            return;
        };
        let level = packet.header.ext_vals.audio_level.map(i8::unsigned_abs);
        let packet = SourcePacket {
            sequence,
            timestamp: packet.header.timestamp,
            opus: Bytes::from_owner(Arc::clone(payload)),
            level,
        };
        // Full: the stage stands still, and sound that waits is worth nothing.
        let _ = stage.try_send(StageCall::Packet { source, packet });
    }

    fn opus_pt(&self) -> Option<Pt> {
        self.rtc
            .codec_config()
            .iter()
            .find(|params| params.spec().codec == Codec::Opus)
            .map(|params| params.pt())
    }

    /// Sends what the person shall hear. RTP time follows media time, which never goes back, over restarts of the stage too.
    fn play(&mut self, media_time: u64, opus: &Bytes) {
        let (Some(mid), Some(pt)) = (self.mid, self.opus_pt()) else {
            return;
        };
        if !self.connected {
            return;
        }
        let time = ((media_time & u64::from(u32::MAX)) as u32).wrapping_add(self.send_offset);
        let sequence = self.send_sequence;
        let mut direct = self.rtc.direct_api();
        // None: the offer was sendonly, nothing goes back.
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else {
            return;
        };
        stream.write_rtp(RtpWrite::new(
            pt,
            sequence.into(),
            time,
            Instant::now(),
            opus.as_ref(),
        ));
        self.send_sequence += 1;
    }

    /// Each tenth of a second: deadlines, seat, quality.
    fn look(&mut self, now: Instant) {
        let quiet = now.saturating_duration_since(self.last_datagram);
        if !self.connected {
            if now.saturating_duration_since(self.begun) > CONNECT_DEADLINE {
                self.end = Some(End::NotConnected);
            }
            return;
        }
        *self
            .shared
            .quality
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.quality.report(now);
        if quiet > KEPT_FOR {
            self.end = Some(End::Silent);
        } else if quiet > LOST_AFTER {
            self.lose();
        } else if self.lost {
            self.lost = false;
            self.taken = false;
        }
        if self.lost || self.asking.is_some() || now < self.ask_at {
            return;
        }
        if !self.taken {
            self.ask(Command::TakeSeat {
                person: self.person,
            });
        } else if self.source.is_none() {
            self.seat();
        }
    }

    fn lose(&mut self) {
        if self.taken && !self.lost && self.asking.is_none() {
            self.ask(Command::LoseConnection {
                person: self.person,
            });
        }
        self.lost = true;
    }

    /// The desk writes to disk before it answers; the sound does not wait for that.
    fn ask(&mut self, command: Command) {
        let (desk, space) = (self.desk.clone(), self.handle.id.clone());
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
        self.asking = Some(tokio::spawn(async move {
            desk.command(&space, Actor::Node, command).await.map(drop)
        }));
    }

    fn answered(&mut self, answer: Result<(), DeskError>) {
        match answer {
            // What was lost meanwhile is not taken; the next look asks again.
            Ok(()) | Err(DeskError::Refused(Refusal::Already { .. })) => self.taken = !self.lost,
            Err(DeskError::Refused(_)) if self.lost => {}
            Err(DeskError::Refused(refusal)) => {
                tracing::info!(space = %self.handle.id, %refusal, "a session is refused the seat");
                self.end = Some(End::Refused);
            }
            Err(DeskError::NoSpace(_)) => self.end = Some(End::Refused),
            Err(error) => {
                tracing::warn!(space = %self.handle.id, %error, "a session waits for the desk")
            }
        }
    }

    fn seat(&mut self) {
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
        let Some(stage) = self.handle.stage.load_full().as_ref().clone() else {
            return;
        };
        let source = next_source();
        let (out, heard) = mpsc::channel(HEARD_MAX);
        if stage
            .try_send(StageCall::Seat {
                person: self.person,
                source,
                out,
            })
            .is_ok()
        {
            (self.source, self.heard, self.stage) = (Some(source), Some(heard), Some(stage));
        }
    }

    /// The stage has let go: it was started anew, or the seat is no longer ours. Ask for it from the beginning.
    fn unseated(&mut self) {
        (self.source, self.heard, self.stage) = (None, None, None);
        self.taken = false;
        self.ask_at = Instant::now() + SEAT_AGAIN_AFTER;
    }

    fn unseat(&mut self) {
        if let (Some(source), Some(stage)) = (self.source.take(), self.stage.take()) {
            let _ = stage.try_send(StageCall::Unseat { source });
        }
        self.heard = None;
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
