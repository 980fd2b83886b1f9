//! How much later a speaker hears another because the server stands between them. Real WebRTC engines over loopback, the
//! server's own stage and ingest in this process; the codec's delay of the peers themselves is taken out.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::Ingest;
use hustings::live::{Directory, SpaceHandle};
use hustings::stage::StageHost;
use hustings::store::Store;
use hustings_control::ids::{InviteId, PersonId, SpaceId};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Role};
use hustings_media::limits::TICK_SAMPLES;
use hustings_media::opus::{Decoder, Encoder, PACKET_SAMPLES_MAX};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

use crate::table::{Bound, Table};

/// Pairs of speakers, each in a space of its own. Their packets are sent at different moments of the stage's tick, for
/// where in the tick a packet comes is the largest part of what differs.
const PAIRS: u64 = 5;
/// Onsets measured in each pair.
const ONSETS: usize = 50;
/// Packets from one onset to the next: half a second.
const EVERY_PACKETS: u64 = 25;
/// Packets that one tone lasts.
const TONE_PACKETS: u64 = 3;
/// Onsets at the beginning that are left out: the jitter buffer learns, the stage picks.
const WARM: usize = 6;
const PACKET: Duration = Duration::from_millis(20);
const TONE_HZ: f32 = 1_000.0;
const TONE_PEAK: f32 = 0.4;
/// A tone has begun where a sample passes this. Silence between has no sample of it.
const ONSET: f32 = 0.1;
/// An onset that comes later than this after it was sent is not that one's.
const ONSET_MAX: Duration = Duration::from_millis(400);
const RUN_MAX: Duration = Duration::from_secs(60);

pub(crate) fn report(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let own = own_delay()?;
    let mut delays = runtime.block_on(measure(own))?;
    delays.sort();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    anyhow::ensure!(delays.len() >= 200, "only {} onsets came", delays.len());
    println!("  {} onsets", delays.len());
    let own_ms = own as f64 / 48.0;
    table.add(
        "speaker to speaker, the peers' own codec (not counted below)",
        own_ms,
        "ms",
        Bound::Beside,
    );
    table.add(
        "speaker to speaker, added by the server, p50",
        at(0.5),
        "ms",
        Bound::Beside,
    );
    table.add(
        "speaker to speaker, added by the server, p99",
        at(0.99),
        "ms",
        Bound::AtMost(80.0),
    );
    Ok(())
}

/// The sound of packet `number`: a tone for some packets of each half second, else silence.
fn sound(number: u64) -> Vec<f32> {
    let step = std::f32::consts::TAU * TONE_HZ / 48_000.0;
    let loud = number % EVERY_PACKETS < TONE_PACKETS;
    (0..TICK_SAMPLES)
        .map(|i| {
            if loud {
                (i as f32 * step).cos() * TONE_PEAK
            } else {
                0.0
            }
        })
        .collect()
}

/// Samples from a tone's beginning to where it is heard when a packet goes straight from encoder to decoder.
fn own_delay() -> anyhow::Result<usize> {
    let (mut encoder, mut decoder) = (Encoder::new(48_000, false)?, Decoder::new()?);
    let (mut packet, mut pcm) = (Vec::new(), vec![0.0; PACKET_SAMPLES_MAX]);
    for number in 1..=4 * EVERY_PACKETS {
        encoder.encode(&sound(number), &mut packet)?;
        let samples = decoder.decode(&packet, &mut pcm)?;
        let onset = pcm[..samples].iter().position(|x| x.abs() > ONSET);
        if let (Some(onset), true) = (onset, number == 4 * EVERY_PACKETS) {
            return Ok(onset);
        }
    }
    anyhow::bail!("the codec does not give the tone back within its first packet")
}

struct House {
    desk: Desk,
    ingest: Ingest,
    directory: Arc<Directory>,
    stages: StageHost,
    _data: tempfile::TempDir,
}

impl House {
    async fn start() -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let clock = Clock::start();
        let store = Store::open(data.path()).await?;
        let directory = Arc::new(Directory::default());
        let archive = Archive::open(data.path())?;
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock).await?;
        let stages = StageHost::start(desk.clone(), store, Arc::clone(&directory), archive, clock);
        let media: SocketAddr = "127.0.0.1:0".parse()?;
        let ingest =
            Ingest::start(media, None, desk.clone(), Arc::clone(&directory), clock).await?;
        Ok(Self {
            desk,
            ingest,
            directory,
            stages,
            _data: data,
        })
    }

    /// A live space with two speakers that may come.
    async fn space(&self, number: u64) -> anyhow::Result<Arc<SpaceHandle>> {
        let id = SpaceId::parse(&format!("pair-{number}")).context("an id")?;
        let draft = Draft {
            title: "A pair".to_owned(),
            ..Draft::default()
        };
        let handle = self.desk.create(Actor::Operator, Some(id), draft).await?;
        for person in [1, 2].map(PersonId) {
            let invite = InviteId(person.0);
            let command = Command::Invite {
                invite,
                role: Role::Host,
                name: "Speaker".to_owned(),
                expires_at: None,
            };
            self.desk
                .command(&handle.id, Actor::Operator, command)
                .await?;
            let enter = Command::Enter {
                person,
                invite,
                name: None,
            };
            self.desk
                .command(&handle.id, Actor::Person(person), enter)
                .await?;
        }
        self.desk
            .command(&handle.id, Actor::Operator, Command::GoLive)
            .await?;
        while handle.stage.load().is_none() {
            tokio::time::sleep(PACKET).await;
        }
        Ok(handle)
    }
}

async fn measure(own: usize) -> anyhow::Result<Vec<Duration>> {
    let house = House::start().await?;
    let mut pairs = Vec::new();
    for number in 0..PAIRS {
        let handle = house.space(number).await?;
        let sent = Arc::new(Mutex::new(Vec::new()));
        let phase = PACKET * number as u32 / PAIRS as u32;
        let mut ends = Vec::new();
        for (person, role) in [(1, Says::Tones(phase)), (2, Says::Silence)] {
            let peer = Peer::offer().await?;
            let accepted = house
                .ingest
                .offer(handle.id.clone(), PersonId(person), peer.offer.clone())
                .await?;
            let run = peer.run(accepted.answer_sdp, role, Arc::clone(&sent), own);
            ends.push(tokio::spawn(run));
        }
        pairs.push(ends);
    }
    let mut delays = Vec::new();
    for mut ends in pairs {
        let (listener, talker) = (ends.pop(), ends.pop());
        let listener = listener.context("a listener")?;
        let heard = tokio::time::timeout(RUN_MAX, listener)
            .await
            .context("the onsets did not come in time")???;
        delays.extend(heard);
        if let Some(talker) = talker {
            talker.abort();
        }
    }
    anyhow::ensure!(house.directory.all().len() == PAIRS as usize);
    house.ingest.stop().await;
    house.stages.stop().await;
    Ok(delays)
}

enum Says {
    /// Sends its packets so long after the clock's whole 20 ms.
    Tones(Duration),
    /// Listens, and sends silence as a muted microphone does.
    Silence,
}

struct Peer {
    rtc: Rtc,
    pending: SdpPendingOffer,
    offer: String,
    udp: UdpSocket,
    mid: Mid,
}

impl Peer {
    async fn offer() -> anyhow::Result<Self> {
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
    async fn run(
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

/// Finds the onsets in what comes, and how long each took.
struct Ears {
    decoder: Decoder,
    pcm: Vec<f32>,
    own: usize,
    /// Samples since the last that was loud.
    quiet: usize,
    /// The last onset that was matched.
    last: Option<Instant>,
    delays: Vec<Duration>,
}

impl Ears {
    fn new(own: usize) -> anyhow::Result<Self> {
        Ok(Self {
            decoder: Decoder::new()?,
            pcm: vec![0.0; PACKET_SAMPLES_MAX],
            own,
            quiet: 0,
            last: None,
            delays: Vec::new(),
        })
    }

    fn hear(&mut self, opus: &[u8], sent: &Mutex<Vec<Instant>>) -> anyhow::Result<()> {
        let now = Instant::now();
        let samples = self.decoder.decode(opus, &mut self.pcm)?;
        for at in 0..samples {
            if self.pcm[at].abs() <= ONSET {
                self.quiet += 1;
                continue;
            }
            let begins = self.quiet > 4_800;
            self.quiet = 0;
            if begins {
                self.onset(now, at, sent);
            }
        }
        Ok(())
    }

    /// Without the server the same packet would have come when it was sent, with the onset `own` samples in.
    fn onset(&mut self, now: Instant, at: usize, sent: &Mutex<Vec<Instant>>) {
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = sent.last().copied().filter(|said| self.last != Some(*said)) else {
            return;
        };
        self.last = Some(said);
        let samples = |count: usize| Duration::from_secs_f64(count as f64 / 48_000.0);
        let took = (now + samples(at)).saturating_duration_since(said + samples(self.own));
        if took < ONSET_MAX {
            self.delays.push(took);
        }
    }
}
