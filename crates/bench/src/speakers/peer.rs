//! One end of a pair: a real WebRTC engine that says tones, or listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hustings_media::limits::TICK_SAMPLES;
use hustings_media::opus::Encoder;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

use super::ears::Ears;
use super::tones::{EVERY_PACKETS, sound};
use super::{ONSETS, PACKET, WARM};

pub(super) enum Says {
    /// Sends its packets so long after the clock's whole 20 ms.
    Tones(Duration),
    /// Listens, and sends silence as a muted microphone does.
    Silence,
}

pub(super) struct Peer {
    rtc: Rtc,
    pending: SdpPendingOffer,
    pub(super) offer: String,
    udp: UdpSocket,
    mid: Mid,
}

impl Peer {
    pub(super) async fn offer() -> anyhow::Result<Self> {
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(udp.local_addr()?, "udp")?);
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = change.apply().context("no offer")?;
        Ok(Self {
            rtc,
            pending,
            offer: offer.to_sdp_string(),
            udp,
            mid,
        })
    }

    /// Talks until it has heard all onsets (who says silence) or is stopped (who says tones).
    pub(super) async fn run(
        mut self,
        answer: String,
        says: Says,
        sent: Arc<Mutex<Vec<Instant>>>,
        own: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let answer = SdpAnswer::from_sdp_string(&answer)?;
        self.rtc.sdp_api().accept_answer(self.pending, answer)?;
        let mut encoder = Encoder::new(48_000, false)?;
        let mut ears = Ears::new(own)?;
        let mut packet = Vec::new();
        let start = match says {
            Says::Tones(phase) => tokio::time::Instant::now() + phase,
            Says::Silence => tokio::time::Instant::now(),
        };
        let mut beat = tokio::time::interval_at(start, PACKET);
        let (mut number, mut connected) = (0_u64, false);
        let mut buffer = [0; 2_000];
        let local = self.udp.local_addr()?;
        loop {
            let deadline = loop {
                match self.rtc.poll_output()? {
                    Output::Timeout(at) => break at,
                    Output::Transmit(out) => {
                        self.udp.send_to(&out.contents, out.destination).await?;
                    }
                    Output::Event(Event::Connected) => connected = true,
                    Output::Event(Event::RtpPacket(packet)) => {
                        ears.hear(&packet.payload, &sent)?;
                    }
                    Output::Event(_) => {}
                }
            };
            if matches!(says, Says::Silence) && ears.delays.len() >= ONSETS + WARM {
                return Ok(ears.delays.split_off(WARM));
            }
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    if let Ok(receive) = Receive::new(Protocol::Udp, from, local, &buffer[..length]) {
                        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
                    }
                }
                _ = beat.tick(), if connected => {
                    let tones = matches!(says, Says::Tones(_));
                    let pcm = if tones { sound(number) } else { vec![0.0; TICK_SAMPLES] };
                    encoder.encode(&pcm, &mut packet)?;
                    let now = Instant::now();
                    if tones && number % EVERY_PACKETS == 0 {
                        sent.lock().unwrap_or_else(PoisonError::into_inner).push(now);
                    }
                    let pt = self.rtc.codec_config().params()[0].pt();
                    let level = if tones { -12 } else { -127 };
                    let level = ExtensionValues { audio_level: Some(level), ..Default::default() };
                    let mut direct = self.rtc.direct_api();
                    let stream = direct.stream_tx_by_mid(self.mid, None).context("no stream")?;
                    let time = (number * TICK_SAMPLES as u64) as u32;
                    stream.write_rtp(RtpWrite::new(pt, (1_000 + number).into(), time, now, packet.as_slice()).ext_vals(level));
                    number += 1;
                }
                () = tokio::time::sleep_until(deadline.into()) => self.rtc.handle_input(Input::Timeout(Instant::now()))?,
            }
        }
    }
}
