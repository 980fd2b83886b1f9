//! What goes into the session's engine and what comes out of it: datagrams, candidates, ICE restarts, events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::media::MediaKind;
use str0m::net::{DatagramSend, Protocol, Receive, TcpType, Transmit};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use super::{End, Ice, LOOK_EVERY, Running};
use crate::ingest::routes::Datagram;
use crate::ingest::{IngestError, sdp, udp};

/// TCP connections a session answers by.
const TCP_BACKS_MAX: usize = 4;

/// A new engine that is reached at `locals`. It keeps its own deadlines in the machine's monotonic time.
pub(in crate::ingest) fn engine_at(locals: &[SocketAddr]) -> Rtc {
    let mut rtc = RtcConfig::new()
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .set_stats_interval(Some(Duration::from_secs(1)))
        .build(Instant::now());
    for local in locals {
        let tcp = Candidate::builder()
            .tcp()
            .host(*local)
            .tcptype(TcpType::Passive)
            .build();
        for candidate in [Candidate::host(*local, "udp"), tcp] {
            match candidate {
                Ok(candidate) => {
                    rtc.add_local_candidate(candidate);
                }
                Err(error) => tracing::warn!(%error, "a media address cannot be named in answers"),
            }
        }
    }
    rtc
}

impl Running {
    pub(super) fn candidates(&mut self, candidates: Vec<Candidate>) {
        for candidate in candidates {
            self.rtc.add_remote_candidate(candidate);
            self.drain();
        }
    }

    /// Sound goes on over the old pair until the peer has nominated a new one. DTLS and the seat stay as they are.
    pub(super) fn restart(
        &mut self,
        fragment: sdp::Fragment,
        etag: String,
    ) -> Result<String, IngestError> {
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

    pub(super) fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(space = %self.handle.id, %error, "a session failed");
            self.end = Some(End::Failed);
        }
    }

    pub(super) fn datagram(&mut self, datagram: Datagram) {
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

    pub(super) fn drain(&mut self) -> Instant {
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
                self.look_at = Instant::now();
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
}
