//! A host who talks and a speaker who hears it, both by WHIP at a real node: real WebRTC engines, in a thread of their own.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hustings_media::opus::{Decoder, PACKET_SAMPLES_MAX};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

use super::wire::OTHER;
use crate::process::Server;
use crate::speakers::peer::{Peer, Says};

/// Where host and speaker sit: not this machine's own address, which has no bounds.
const SEAT: Ipv4Addr = Ipv4Addr::new(127, 201, 7, 1);
/// Longest that any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest until the tone is heard for the first time.
const FIRST_MAX: Duration = Duration::from_secs(15);
/// Samples of one block that is looked at: 10 ms.
const BLOCK: usize = 480;
/// Of a block with the tone in it; the tone itself has 0.28.
const LOUD_RMS: f32 = 0.02;
/// Milliseconds of one packet.
const PACKET_MS: f64 = 20.0;

/// The tone as the speaker heard it.
#[derive(Clone, Copy)]
pub(crate) struct Tone {
    /// Of the time: no packet came for it, or one without the tone.
    pub(crate) broken_percent: f64,
    /// Between two packets.
    pub(crate) longest_gap_ms: f64,
}

struct Heard {
    decoder: Decoder,
    pcm: Vec<f32>,
    since: Instant,
    last: Option<Instant>,
    packets: u64,
    broken_blocks: u64,
    longest_gap: Duration,
    loud_ever: bool,
}

pub(crate) struct Voices {
    heard: Arc<Mutex<Heard>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl Voices {
    /// In the space `other`, which must be open. Returns when the tone is heard.
    pub(crate) fn start(server: &Server) -> anyhow::Result<Self> {
        let heard = Arc::new(Mutex::new(Heard {
            decoder: Decoder::new()?,
            pcm: vec![0.0; PACKET_SAMPLES_MAX],
            since: Instant::now(),
            last: None,
            packets: 0,
            broken_blocks: 0,
            longest_gap: Duration::ZERO,
            loud_ever: false,
        }));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (host, speaker) = (
            runtime.block_on(Peer::offer())?,
            runtime.block_on(Peer::offer())?,
        );
        let host_answer = seat(server, "host", &host.offer)?;
        let speaker_answer = seat(server, "speaker", &speaker.offer)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let ears = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let nobody = Mutex::new(Vec::new());
                let talks = host.run(host_answer, Says::Tone, &nobody, |_| Ok(false));
                let hears = speaker.run(speaker_answer, Says::Silence, &nobody, |opus| {
                    lock(&ears).hear(opus)?;
                    Ok(false)
                });
                tokio::select! {
                    ended = talks => ended,
                    ended = hears => ended,
                    _ = stopped => Ok(()),
                }
            })
        });
        let voices = Self {
            heard,
            stop: Some(stop),
            thread: Some(thread),
        };
        let begun = Instant::now();
        while !lock(&voices.heard).loud_ever {
            anyhow::ensure!(begun.elapsed() < FIRST_MAX, "the host's tone never came");
            std::thread::sleep(Duration::from_millis(50));
        }
        // The first second is the jitter buffer's and the level's.
        std::thread::sleep(Duration::from_secs(1));
        Ok(voices)
    }

    /// Counts from now on.
    pub(crate) fn mark(&self) {
        let mut heard = lock(&self.heard);
        (heard.packets, heard.broken_blocks) = (0, 0);
        heard.longest_gap = Duration::ZERO;
        heard.since = Instant::now();
    }

    /// What was heard since.
    pub(crate) fn tone(&self) -> Tone {
        let heard = lock(&self.heard);
        let wall_ms = heard.since.elapsed().as_secs_f64() * 1e3;
        // A packet is under way at either end.
        let missing_ms = (wall_ms - (heard.packets + 2) as f64 * PACKET_MS).max(0.0);
        let broken_ms = missing_ms + heard.broken_blocks as f64 * 10.0;
        let silent = heard
            .last
            .map_or(heard.since.elapsed(), |last| last.elapsed());
        Tone {
            broken_percent: broken_ms / wall_ms.max(1.0) * 100.0,
            longest_gap_ms: heard.longest_gap.max(silent).as_secs_f64() * 1e3,
        }
    }
}

impl Drop for Voices {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && let Ok(Err(why)) = thread.join()
        {
            println!("  the voices ended: {why:#}");
        }
    }
}

impl Heard {
    fn hear(&mut self, opus: &[u8]) -> anyhow::Result<()> {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.longest_gap = self.longest_gap.max(now - last);
        }
        self.packets += 1;
        let samples = self.decoder.decode(opus, &mut self.pcm)?;
        for block in self.pcm[..samples].chunks(BLOCK) {
            let power = block.iter().map(|x| x * x).sum::<f32>() / block.len() as f32;
            let loud = power.sqrt() > LOUD_RMS;
            self.loud_ever |= loud;
            self.broken_blocks += u64::from(!loud);
        }
        Ok(())
    }
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Invites somebody, offers, and gives the answer.
fn seat(server: &Server, role: &str, offer: &str) -> anyhow::Result<String> {
    let token = std::fs::read_to_string(server.data().join("operator-token"))?;
    let invite = ask(
        server,
        &format!("POST /api/v1/spaces/{OTHER}/invites HTTP/1.1"),
        token.trim(),
        "application/json",
        &format!(r#"{{"role":"{role}","name":"A {role}"}}"#),
    )?;
    let invite: Value = serde_json::from_str(&invite)?;
    let invite = invite["token"].as_str().context("no invite's token")?;
    ask(
        server,
        &format!("POST /s/{OTHER}/whip HTTP/1.1"),
        invite,
        "application/sdp",
        offer,
    )
}

/// Seats that the studio shows as taken.
pub(crate) fn seats_taken(server: &Server) -> anyhow::Result<usize> {
    let token = std::fs::read_to_string(server.data().join("operator-token"))?;
    let studio = ask(
        server,
        &format!("GET /api/v1/spaces/{OTHER}/studio.json HTTP/1.1"),
        token.trim(),
        "application/json",
        "",
    )?;
    Ok(studio.matches(r#""seat":"taken""#).count())
}

/// A request at the stage's listener, plain or sealed as the server is; the answer's body.
fn ask(server: &Server, line: &str, token: &str, kind: &str, body: &str) -> anyhow::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((SEAT, 0)).into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let stage: SocketAddr = server.stage.parse()?;
    socket.connect(&stage.into())?;
    let mut stream: TcpStream = socket.into();
    let text = format!(
        "{line}\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    match &server.target.tls {
        None => {
            stream.write_all(text.as_bytes())?;
            stream.read_to_end(&mut answer)?;
        }
        Some(config) => {
            let name = ServerName::IpAddress(stage.ip().into());
            let session = ClientConnection::new(Arc::clone(config), name)?;
            let mut sealed = StreamOwned::new(session, stream);
            sealed.write_all(text.as_bytes())?;
            // Some ends are not told in TLS; the answer is whole by then.
            let _ = sealed.read_to_end(&mut answer);
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let good = head.starts_with("HTTP/1.1 2");
    anyhow::ensure!(good, "{line}: {}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}
