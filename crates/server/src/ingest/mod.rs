//! Sound that comes in: WebRTC sessions over one UDP port (and ICE-TCP), by WHIP. One WebRTC engine and one task a session.

mod address;
mod error;
mod newcomers;
mod probe;
mod quality;
mod registry;
mod resource;
mod routes;
mod sdp;
mod session;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hustings_control::ids::{PersonId, SpaceId};
use str0m::Rtc;
use str0m::change::SdpOffer;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use self::address::MediaAddress;
pub use self::error::IngestError;
use self::registry::{Entry, Registry, follow};
use self::routes::{INBOX_MAX, Routes};
use self::session::{Ice, Session, Shared};
use crate::desk::{Desk, DeskError};
use crate::live::Directory;

/// Sessions of a node at once: nineteen full stages. One more offer is refused with `Full`.
pub const SESSIONS_MAX: usize = 256;
/// Orders that wait for a session; it takes them between two datagrams.
const CONTROLS_MAX: usize = 16;
/// How long the stop waits for the sessions to say goodbye.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// What WHIP's POST gives back.
pub struct Accepted {
    /// Unguessable name of the session's resource.
    pub session: String,
    pub etag: String,
    pub answer_sdp: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

struct Inner {
    desk: Desk,
    directory: Arc<Directory>,
    udp: Arc<UdpSocket>,
    locals: Arc<[SocketAddr]>,
    bound: SocketAddr,
    routes: Arc<Routes>,
    registry: Arc<Registry>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Ingest {
    /// Binds UDP and TCP at `media` and starts its task(s). What `public` names is told to browsers instead of the machine's own addresses.
    ///
    /// # Errors
    /// When the address cannot be bound, or a public one has no address or port.
    pub async fn start(
        media: impl Into<MediaAddress>,
        public: impl IntoIterator<Item = SocketAddr>,
        desk: Desk,
        directory: Arc<Directory>,
    ) -> Result<Self, IngestError> {
        let media = media.into();
        let public: Vec<SocketAddr> = public.into_iter().collect();
        if let Some(bad) = public
            .iter()
            .find(|one| one.ip().is_unspecified() || one.port() == 0)
        {
            return Err(IngestError::Public(*bad));
        }
        let sockets = udp::bind(media.socket())
            .await
            .map_err(|error| IngestError::Bind(media, error))?;
        let own = address::to_name(media, sockets.address);
        let from = address::taken_from(media, &own);
        let locals: Arc<[SocketAddr]> = if public.is_empty() { own } else { public }.into();
        let routes = Arc::new(Routes::default());
        let registry = Arc::new(Registry::default());
        let tasks = vec![
            tokio::spawn(udp::receive(
                Arc::clone(&sockets.udp),
                Arc::clone(&routes),
                from.clone(),
            )),
            tokio::spawn(tcp::accept(sockets.tcp, Arc::clone(&routes), from)),
            tokio::spawn(follow(
                desk.notices(),
                Arc::clone(&directory),
                Arc::clone(&registry),
            )),
        ];
        tracing::info!(address = %sockets.address, "media is taken");
        let inner = Inner {
            desk,
            directory,
            udp: sockets.udp,
            locals,
            bound: sockets.address,
            routes,
            registry,
            tasks: Mutex::new(tasks),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where media is taken (the port that was given when any would do).
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.bound
    }

    /// Datagrams and connections of strangers, dropped before anything was kept of them.
    pub fn strangers(&self) -> u64 {
        self.inner.routes.strangers.load(Ordering::Relaxed)
    }

    /// Sessions held now.
    pub fn sessions(&self) -> usize {
        self.inner.registry.lock().len()
    }

    /// A second offer of the same person replaces the first session, in the same seat, as soon as it is connected.
    pub async fn offer(
        &self,
        space: SpaceId,
        person: PersonId,
        sdp: String,
    ) -> Result<Accepted, IngestError> {
        let inner = &self.inner;
        let offer = sdp::check_offer(&sdp)?;
        let handle = inner
            .directory
            .get(&space)
            .ok_or(DeskError::NoSpace(space.clone()))?;
        if handle.stage.load().is_none() {
            return Err(IngestError::StageStarting);
        }
        let mut rtc = session::engine_at(&inner.locals);
        let answer_sdp = accept(&mut rtc, offer)?;
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let (session, etag) = (random_name(), format!("\"{}\"", random_name()));
        let (inbox, datagrams) = mpsc::channel(INBOX_MAX);
        let (control, orders) = mpsc::channel(CONTROLS_MAX);
        let shared = Arc::new(Shared {
            quality: Mutex::new((0.0, 0.0, 0.0)),
            ice: Mutex::new(Ice {
                etag: etag.clone(),
                ufrag: ufrag.clone(),
                peer_ufrag: sdp::peer_ufrag(&sdp).unwrap_or_default(),
            }),
        });
        let entry = Entry {
            space,
            person,
            connected: false,
            control,
            shared: Arc::clone(&shared),
        };
        inner.registry.enter(session.clone(), entry)?;
        inner.routes.add(ufrag, inbox);
        let (registry, name) = (Arc::clone(&inner.registry), session.clone());
        let run = Session {
            rtc,
            offer: sdp,
            handle,
            person,
            locals: Arc::clone(&inner.locals),
            udp: Arc::clone(&inner.udp),
            routes: Arc::clone(&inner.routes),
            desk: inner.desk.clone(),
            inbox: datagrams,
            control: orders,
            shared,
            connected: Box::new(move || registry.connected(&name)),
        };
        inner.hold(session.clone(), run);
        Ok(Accepted {
            session,
            etag,
            answer_sdp,
        })
    }

    /// Who a session belongs to, for authorisation.
    pub fn owner(&self, session: &str) -> Option<(SpaceId, PersonId)> {
        self.inner
            .registry
            .lock()
            .get(session)
            .map(|entry| (entry.space.clone(), entry.person))
    }

    /// Ends a person's sessions (removed, banned).
    pub async fn hang_up(&self, space: &SpaceId, person: PersonId) {
        self.inner
            .registry
            .drop_where(|_, entry| entry.space == *space && entry.person == person);
    }

    /// Connection quality of the last seconds: (loss share 0..1, jitter ms, round trip ms).
    pub fn quality(&self, space: &SpaceId, person: PersonId) -> Option<(f32, f32, f32)> {
        let sessions = self.inner.registry.lock();
        let entry = sessions
            .values()
            .find(|entry| entry.connected && entry.space == *space && entry.person == person)?;
        Some(
            *entry
                .shared
                .quality
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Ends all sessions; the seats are kept, for the node may come back.
    pub async fn stop(self) {
        self.inner.registry.drop_where(|_, _| true);
        for task in self
            .inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            task.abort();
        }
        // Sessions hold the socket; when it is ours alone they have said goodbye.
        let goodbye = async {
            while Arc::strong_count(&self.inner.udp) > 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(STOP_DEADLINE, goodbye).await;
    }
}

impl Inner {
    /// Runs a session in a task of its own; whatever ends it, nothing of it stays behind.
    fn hold(&self, name: String, session: Session) {
        let (registry, routes) = (Arc::clone(&self.registry), Arc::clone(&self.routes));
        let shared = Arc::clone(&session.shared);
        let task = tokio::spawn(session.run());
        tokio::spawn(async move {
            if let Err(error) = task.await {
                tracing::error!(%error, "a session failed; the person's browser will offer anew");
            }
            routes.remove(&shared.ice().ufrag);
            registry.lock().remove(&name);
        });
    }
}

fn accept(rtc: &mut Rtc, offer: SdpOffer) -> Result<String, IngestError> {
    let answer = rtc.sdp_api().accept_offer(offer);
    let answer = answer.map_err(|error| IngestError::BadOffer(sdp::shorten(&error.to_string())))?;
    Ok(answer.to_sdp_string())
}

/// The answer to an offer by an engine that is thrown away: for fuzzers, who meet it as a speaker's bytes do.
///
/// # Errors
/// As for a speaker.
pub fn answer_to(sdp: &str) -> Result<String, IngestError> {
    let offer = sdp::check_offer(sdp)?;
    accept(&mut session::engine_at(&[]), offer)
}

/// The credentials that a trickle fragment names, and how many candidates; for fuzzers too.
///
/// # Errors
/// As for a speaker.
pub fn read_fragment(text: &str) -> Result<(Option<(String, String)>, usize), IngestError> {
    let fragment = sdp::fragment(text)?;
    Ok((fragment.credentials, fragment.candidates.len()))
}

/// 128 bits, in hex.
fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness nothing here is safe: ending the request is right.
    #[expect(
        clippy::expect_used,
        reason = "a machine without randomness cannot hold sessions"
    )]
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
