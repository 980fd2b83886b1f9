//! A speaker for tests: a WebRTC engine of its own over a real UDP (or TCP) socket, that says a tone and keeps what it hears.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hustings_media::limits::TICK_SAMPLES;
use hustings_media::opus::{Decoder, Encoder, PACKET_SAMPLES_MAX};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};

/// A speaker that has made its offer and waits for the answer.
pub(crate) struct Peer {
    rtc: Rtc,
    pending: SdpPendingOffer,
    pub(crate) offer: String,
    udp: UdpSocket,
    mid: Mid,
}

/// A speaker on its way.
pub(crate) struct Speaker {
    /// Off: the network is dead, nothing is sent.
    pub(crate) network: Arc<AtomicBool>,
    pub(crate) heard: Arc<Mutex<Vec<f32>>>,
    /// The answer, for an ICE restart changes a part of it only.
    answer: String,
    orders: mpsc::Sender<Order>,
    task: tokio::task::JoinHandle<()>,
}

/// What a speaker can be made to do beside talking.
enum Order {
    /// Begins an ICE restart; gives the new offer.
    Restart(oneshot::Sender<String>),
    /// Ends it.
    Answer(String),
    /// Sends bytes as they are from the speaker's own address.
    Bytes(SocketAddr, Vec<u8>),
    /// Sends RTP in the speaker's own, encrypted stream.
    Rtp(Box<Rtp>),
}

/// RTP as nobody sends it.
#[derive(Clone, Default)]
pub(crate) struct Rtp {
    pub(crate) sequence: u64,
    pub(crate) time: u32,
    /// None: Opus.
    pub(crate) payload_type: Option<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) sources: usize,
    pub(crate) level: Option<i8>,
}

impl Speaker {
    fn start(run: Run, answer: &str, way: Way, hertz: f32) -> Self {
        let (orders, queue) = mpsc::channel(1_024);
        Self {
            network: Arc::clone(&run.network),
            heard: Arc::clone(&run.heard),
            answer: answer.to_owned(),
            orders,
            task: tokio::spawn(run.talk(way, hertz, queue)),
        }
    }

    async fn order(&self, order: Order) {
        assert!(
            self.orders.send(order).await.is_ok(),
            "the speaker has ended"
        );
    }

    /// The trickle fragment that asks for an ICE restart.
    pub(crate) async fn restart(&self) -> String {
        let (reply, offer) = oneshot::channel();
        self.order(Order::Restart(reply)).await;
        let offer = offer.await.unwrap();
        let kept = ["a=ice-ufrag", "a=ice-pwd", "m=", "a=mid", "a=candidate"];
        let lines = offer
            .lines()
            .filter(|line| kept.iter().any(|kept| line.starts_with(kept)));
        lines.map(|line| format!("{line}\r\n")).collect()
    }

    /// Takes the fragment that answers a restart.
    pub(crate) async fn restarted(&self, fragment: &str) {
        let of = |name: &str| {
            let line = fragment.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("no {name} in {fragment}"))
        };
        let (ufrag, password) = (of("a=ice-ufrag:"), of("a=ice-pwd:"));
        let answer: String = self
            .answer
            .lines()
            .map(|line| match line {
                _ if line.starts_with("a=ice-ufrag:") => format!("{ufrag}\r\n"),
                _ if line.starts_with("a=ice-pwd:") => format!("{password}\r\n"),
                _ => format!("{line}\r\n"),
            })
            .collect();
        self.order(Order::Answer(answer)).await;
    }

    pub(crate) async fn send_bytes(&self, to: SocketAddr, bytes: Vec<u8>) {
        self.order(Order::Bytes(to, bytes)).await;
    }

    pub(crate) async fn send_rtp(&self, rtp: Rtp) {
        self.order(Order::Rtp(Box::new(rtp))).await;
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    pub(crate) async fn offer(direction: Direction) -> Self {
        Self::offer_from([127, 0, 0, 1].into(), direction).await
    }

    /// From an address of this machine.
    pub(crate) async fn offer_from(address: IpAddr, direction: Direction) -> Self {
        let udp = UdpSocket::bind((address, 0)).await.unwrap();
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(udp.local_addr().unwrap(), "udp").unwrap());
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, direction, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        Self {
            rtc,
            pending,
            offer: offer.to_sdp_string(),
            udp,
            mid,
        }
    }

    /// Takes the answer and talks: a tone of `hertz`, in packets of 20 ms.
    pub(crate) fn talk(mut self, answer: &str, hertz: f32) -> Speaker {
        let sdp = answer.to_owned();
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc
            .sdp_api()
            .accept_answer(self.pending, answer)
            .unwrap();
        let run = Run::new(self.rtc, self.mid);
        Speaker::start(run, &sdp, Way::Udp(self.udp), hertz)
    }

    /// The same over ICE-TCP: UDP is taken away and the node's TCP candidate used.
    pub(crate) async fn talk_by_tcp(
        mut self,
        answer: &str,
        hertz: f32,
        node: SocketAddr,
    ) -> Speaker {
        let stream = TcpStream::connect(node).await.unwrap();
        let local = stream.local_addr().unwrap();
        let candidate = Candidate::builder()
            .tcp()
            .host(local)
            .tcptype(TcpType::Active)
            .build()
            .unwrap();
        let udp = Candidate::host(self.udp.local_addr().unwrap(), "udp").unwrap();
        self.rtc.direct_api().invalidate_candidate(&udp);
        self.rtc.add_local_candidate(candidate);
        let without_udp: String = answer
            .lines()
            .filter(|line| !(line.contains("candidate:") && line.to_lowercase().contains(" udp ")))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let answer = SdpAnswer::from_sdp_string(&without_udp).unwrap();
        self.rtc
            .sdp_api()
            .accept_answer(self.pending, answer)
            .unwrap();
        let run = Run::new(self.rtc, self.mid);
        let way = Way::Tcp(stream, node, Vec::new());
        Speaker::start(run, &without_udp, way, hertz)
    }
}

enum Way {
    Udp(UdpSocket),
    /// Stream, the other end, bytes of an unfinished frame.
    Tcp(TcpStream, SocketAddr, Vec<u8>),
}

impl Way {
    async fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send_to(bytes, to).await),
            Self::Tcp(stream, ..) => {
                let mut frame = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
                frame.extend_from_slice(bytes);
                let _ = stream.write_all(&frame).await;
            }
        }
    }

    /// Cancel-safe.
    async fn receive(&mut self) -> (Protocol, SocketAddr, SocketAddr, Vec<u8>) {
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; 2_000];
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                buffer.truncate(length);
                (Protocol::Udp, from, socket.local_addr().unwrap(), buffer)
            }
            Self::Tcp(stream, node, unfinished) => loop {
                if unfinished.len() >= 2 {
                    let length = usize::from(u16::from_be_bytes([unfinished[0], unfinished[1]]));
                    if unfinished.len() >= 2 + length {
                        let frame = unfinished[2..2 + length].to_vec();
                        unfinished.drain(..2 + length);
                        return (Protocol::Tcp, *node, stream.local_addr().unwrap(), frame);
                    }
                }
                if stream.read_buf(unfinished).await.unwrap_or(0) == 0 {
                    std::future::pending::<()>().await;
                }
            },
        }
    }
}

struct Run {
    rtc: Rtc,
    mid: Mid,
    network: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<f32>>>,
    pending: Option<SdpPendingOffer>,
}

impl Run {
    fn new(rtc: Rtc, mid: Mid) -> Self {
        Self {
            rtc,
            mid,
            network: Arc::new(AtomicBool::new(true)),
            heard: Arc::new(Mutex::new(Vec::new())),
            pending: None,
        }
    }

    async fn obey(&mut self, order: Order, way: &mut Way) {
        match order {
            Order::Restart(reply) => {
                let mut change = self.rtc.sdp_api();
                change.ice_restart(true);
                let (offer, pending) = change.apply().unwrap();
                self.pending = Some(pending);
                reply.send(offer.to_sdp_string()).unwrap();
            }
            Order::Answer(answer) => {
                let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
                let pending = self.pending.take().unwrap();
                self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
            }
            Order::Bytes(to, bytes) => way.send(to, &bytes).await,
            Order::Rtp(rtp) => {
                let opus = self.rtc.codec_config().params()[0].pt();
                let level = ExtensionValues {
                    audio_level: rtp.level,
                    ..Default::default()
                };
                let mut direct = self.rtc.direct_api();
                let stream = direct.stream_tx_by_mid(self.mid, None).unwrap();
                let pt = rtp.payload_type.map_or(opus, Into::into);
                let write = RtpWrite::new(
                    pt,
                    rtp.sequence.into(),
                    rtp.time,
                    Instant::now(),
                    rtp.payload,
                )
                .csrc(&[7; 15][..rtp.sources])
                .ext_vals(level);
                stream.write_rtp(write);
            }
        }
    }

    async fn talk(mut self, mut way: Way, hertz: f32, mut orders: mpsc::Receiver<Order>) {
        let mut encoder = Encoder::new(48_000, false).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut packet, mut pcm) = (Vec::new(), vec![0.0; PACKET_SAMPLES_MAX]);
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let (mut said, mut connected) = (0_u64, false);
        loop {
            let deadline = loop {
                match self.rtc.poll_output().unwrap() {
                    Output::Timeout(at) => break at,
                    Output::Transmit(out) if self.network.load(Ordering::Relaxed) => {
                        way.send(out.destination, &out.contents).await
                    }
                    Output::Transmit(_) => {}
                    Output::Event(Event::Connected) => connected = true,
                    Output::Event(Event::RtpPacket(packet)) => {
                        let samples = decoder.decode(&packet.payload, &mut pcm).unwrap();
                        self.heard
                            .lock()
                            .unwrap()
                            .extend_from_slice(&pcm[..samples]);
                    }
                    Output::Event(_) => {}
                }
            };
            tokio::select! {
                (proto, source, destination, bytes) = way.receive() => {
                    if let Ok(receive) = Receive::new(proto, source, destination, &bytes) {
                        self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                    }
                }
                Some(order) = orders.recv() => self.obey(order, &mut way).await,
                _ = beat.tick(), if connected => {
                    let tone = |i: u64| (i as f32 / 48_000.0 * hertz * std::f32::consts::TAU).sin() * 0.3;
                    let from = said * TICK_SAMPLES as u64;
                    let sound: Vec<f32> = (from..from + TICK_SAMPLES as u64).map(|i| tone(i % 48_000)).collect();
                    encoder.encode(&sound, &mut packet).unwrap();
                    let pt = self.rtc.codec_config().params()[0].pt();
                    let level = ExtensionValues { audio_level: Some(-12), voice_activity: Some(true), ..Default::default() };
                    let mut direct = self.rtc.direct_api();
                    let stream = direct.stream_tx_by_mid(self.mid, None).unwrap();
                    stream.write_rtp(RtpWrite::new(pt, (1_000 + said).into(), from as u32, Instant::now(), packet.as_slice()).ext_vals(level));
                    said += 1;
                }
                () = tokio::time::sleep_until(deadline.into()) => self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
            }
        }
    }
}

/// Strength of one frequency (Goertzel), as the amplitude of a sine.
pub(crate) fn strength(pcm: &[f32], hertz: f32) -> f32 {
    let w = std::f32::consts::TAU * hertz / 48_000.0;
    let (mut s1, mut s2) = (0.0_f32, 0.0_f32);
    for sample in pcm {
        let s0 = sample + 2.0 * w.cos() * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - 2.0 * w.cos() * s1 * s2;
    2.0 * power.max(0.0).sqrt() / pcm.len().max(1) as f32
}
