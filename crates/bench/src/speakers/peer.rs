//! One end of a pair: a real WebRTC engine that says tones, or listens.

use std::sync::{Mutex, PoisonError};
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

use super::PACKET;
use super::tones::{EVERY_PACKETS, sound, steady};

pub(crate) enum Says {
    /// Sends its packets so long after the clock's whole 20 ms.
    Tones(Duration),
    /// One tone without end.
    Tone,
    /// Listens, and sends silence as a muted microphone does.
    Silence,
}

pub(crate) struct Peer {
    rtc: Rtc,
    pending: SdpPendingOffer,
    pub(crate) offer: String,
    udp: UdpSocket,
    mid: Mid,
}

impl Peer {
    pub(crate) async fn offer() -> anyhow::Result<Self> {
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

    /// Talks until `hear`, which gets each packet that comes, has heard enough; else until it is dropped. When tones begin is
    /// noted in `sent`.
    pub(crate) async fn run(
        mut self,
        answer: String,
        says: Says,
        sent: &Mutex<Vec<Instant>>,
        mut hear: impl FnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let answer = SdpAnswer::from_sdp_string(&answer)?;
        self.rtc.sdp_api().accept_answer(self.pending, answer)?;
        let mut encoder = Encoder::new(48_000, false)?;
        let mut packet = Vec::new();
        let start = match says {
            Says::Tones(phase) => tokio::time::Instant::now() + phase,
            Says::Tone | Says::Silence => tokio::time::Instant::now(),
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
                        if hear(&packet.payload)? {
                            return Ok(());
                        }
                    }
                    Output::Event(_) => {}
                }
            };
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    if let Ok(receive) = Receive::new(Protocol::Udp, from, local, &buffer[..length]) {
                        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
                    }
                }
                _ = beat.tick(), if connected => {
                    let tones = matches!(says, Says::Tones(_));
                    let pcm = match says {
                        Says::Tones(_) => sound(number),
                        Says::Tone => steady(),
                        Says::Silence => vec![0.0; TICK_SAMPLES],
                    };
                    encoder.encode(&pcm, &mut packet)?;
                    let now = Instant::now();
                    if tones && number % EVERY_PACKETS == 0 {
                        sent.lock().unwrap_or_else(PoisonError::into_inner).push(now);
                    }
                    let pt = self.rtc.codec_config().params()[0].pt();
                    let level = if matches!(says, Says::Silence) { -127 } else { -12 };
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
