//! The composition root: builds the parts of a node from its configuration, joins them, and ends them in order.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command as SpaceCommand, Role};
use hustings_media::fanout::CadenceBounds;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};

use crate::api::{self, App, auth};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::{Command, Hustings, Serve};
use crate::desk::Desk;
use crate::edge::{AbuseConfig, Edge, EdgeConfig};
use crate::ending_signal::EndingSignal;
use crate::house::{HouseListener, TlsAcceptor, certificates};
use crate::ingest::Ingest;
use crate::live::{Directory, Ending};
use crate::shield::Shield;
use crate::stage::StageHost;
use crate::store::{DataLock, Store, StoreError};
use crate::usher::{self, Entrance, NodeEvent, UsherThread};
use crate::{ops, pages};

/// What a request under way on the house's listeners is given at the end.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// What speakers' sessions are given to say goodbye; who is not reached then finds out by silence.
const GOODBYE_DEADLINE: Duration = Duration::from_millis(500);
/// What files that are just read or decoded are given when all else has ended.
const THREADS_GRACE: Duration = Duration::from_millis(200);
/// Between looks for recordings that are older than `--keep-recordings`.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3_600);
/// Threads of the house: stages, ingest, studio and operator. The crowd has threads of its own.
const HOUSE_THREADS: usize = 2;

pub fn main(arguments: Hustings) -> ExitCode {
    let done = match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(serve_arguments)) => serve(*serve_arguments),
        Some(Command::Token(token)) => token.run(),
        Some(Command::Space(space)) => space.run(),
        Some(Command::Simulate(simulate)) => simulate.run(),
        Some(Command::Shield(shield)) => shield.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hustings: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Serve) -> anyhow::Result<()> {
    ops::log::start();
    crate::open_files::raise();
    let house = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HOUSE_THREADS)
        .thread_name("house")
        .enable_all()
        .build()
        .context("the house's threads cannot be started")?;
    let served = house.block_on(async {
        let mut ending = EndingSignal::listen()?;
        let node = Node::start(config).await?;
        node.greet().await?;
        ending.wait().await;
        println!("Ending: recordings are closed and everyone is told.");
        node.stop().await;
        Ok(())
    });
    house.shutdown_timeout(THREADS_GRACE);
    served
}

/// A running node.
pub struct Node {
    app: App,
    config: Serve,
    edge: Edge,
    _shield: Shield,
    usher: UsherThread,
    /// Begins the end of all event streams.
    ending: watch::Sender<bool>,
    stages: StageHost,
    stage_listener: HouseListener,
    operator_listener: HouseListener,
    chores: tokio::task::JoinSet<()>,
    fresh: bool,
    /// Held until the node has ended, so that no second node writes to the same data.
    _lock: DataLock,
}

impl Node {
    /// # Errors
    /// When the data folder, a port or the TLS files cannot be used; the message says what to do.
    pub async fn start(config: Serve) -> anyhow::Result<Self> {
        let cadence = CadenceBounds::new(config.cadence_min, config.cadence_max).context(
            "the cadence cannot be so: 100 <= --cadence-min <= --cadence-max <= 2000 (milliseconds)",
        )?;
        let lock = DataLock::take(&config.data)?;
        let clock = Clock::start();
        let store = Store::open(&config.data).await?;
        let keys = Arc::new(auth::Keys::open(&config.data)?);
        let archive = Archive::open(&config.data)?;
        let directory = Arc::new(Directory::default());
        directory.pace.set_bounds(cadence);
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock).await?;
        let fresh = directory.all().is_empty();
        let stages = StageHost::start(
            desk.clone(),
            store.clone(),
            Arc::clone(&directory),
            archive.clone(),
            clock,
        );
        let ingest = Ingest::start(
            config.media,
            config.media_public.iter().copied(),
            desk.clone(),
            Arc::clone(&directory),
        )
        .await?;
        let shards = shards();
        let (entrance, keeper) =
            Entrance::open(config.gate_settings(shards), Some(&config.data), clock)?;
        let wicket = Arc::new(Mutex::new(entrance.wicket()?));
        let (ending, begun) = Ending::channel();
        let app = App {
            ending: begun,
            desk,
            directory: Arc::clone(&directory),
            archive,
            ingest,
            keys,
            clock,
            entrance: Arc::clone(&entrance),
            wicket: Arc::clone(&wicket),
            public_url: config.public_base().into(),
            stage_url: config.stage_base().into(),
            secure: config.tls_cert.is_some() || config.public_base().starts_with("https://"),
        };
        let tls = config.tls_cert.clone().zip(config.tls_key.clone());
        let shield = Shield::of(&config, clock);
        let connections_max = crate::open_files::for_the_crowd();
        let edge = EdgeConfig {
            abuse: AbuseConfig::of(&config, &shield),
            listen: config.listen,
            tls: tls.clone(),
            shards,
            connections_max,
            entrance: Arc::clone(&entrance),
        };
        let edge = Edge::start(
            edge,
            Arc::clone(&directory),
            pages::public_router(app.clone()),
            clock,
        )?;
        let measure = usher::measure(edge.meter(), connections_max, config.uplink);
        let usher = UsherThread::start(entrance, directory, measure, Some(wicket), keeper)
            .context("the usher's thread cannot be started")?;
        let rooms = pages::studio_router(app.clone()).merge(api::stage_routes::router(app.clone()));
        let rooms = rooms.layer(axum::Extension(shield.friends()));
        let stage_listener = listen(
            "stage",
            config.stage,
            tls.map(certificates).transpose()?,
            rooms,
        )
        .await?;
        let operations = ops::router(app.clone(), edge.meter(), shield.meter());
        let operator_listener = listen("operator", config.operator, None, operations).await?;
        let mut chores = begin_chores(&app, &config);
        chores.spawn(open_doors(app.clone()));
        chores.spawn(store_events(app.entrance.store_events(), store));
        let _lock = lock;
        Ok(Self {
            app,
            config,
            edge,
            usher,
            ending,
            _shield: shield,
            stages,
            stage_listener,
            operator_listener,
            chores,
            fresh,
            _lock,
        })
    }

    /// Says where everything is. The link of a first space is shown once: whoever has it is host.
    async fn greet(&self) -> anyhow::Result<()> {
        let public = &self.app.public_url;
        println!("Hustings is up.");
        println!("  Page:            {public}/");
        if self.config.demo {
            println!(
                "  Demo space:      {public}/s/demo   (two synthetic voices; or: ffplay {public}/s/demo/live.ogg)"
            );
        }
        if self.fresh {
            println!("  Your first space: {}", self.first_space().await?);
        }
        println!("  Studio:          {}/studio", self.app.stage_url);
        println!(
            "  Operator token:  in {} (paste it into the studio)",
            self.app.keys.operator_file().display()
        );
        println!(
            "  Metrics, health: http://{}/metrics",
            self.operator_listener.address
        );
        if self.config.listen.ip().is_loopback() {
            println!(
                "Only this machine can reach it. For others: --listen 0.0.0.0:443 --stage 0.0.0.0:8443 --media 0.0.0.0:8081"
            );
            println!(
                "  --public-url https://your.name --tls-cert FILE --tls-key FILE (browsers open microphones on https only)."
            );
        }
        Ok(())
    }

    async fn first_space(&self) -> anyhow::Result<String> {
        let draft = Draft {
            title: "Your first space".into(),
            listed: true,
            record: true,
            ..Draft::default()
        };
        let space = self.app.desk.create(Actor::Operator, None, draft).await?;
        let invite = hustings_control::ids::InviteId(auth::draw()?);
        let invitation = SpaceCommand::Invite {
            invite,
            role: Role::Host,
            name: "Host".into(),
            expires_at: None,
        };
        self.app
            .desk
            .command(&space.id, Actor::Operator, invitation)
            .await?;
        let token = self.app.keys.mint_invite(
            &space.id,
            invite,
            Role::Host,
            None,
            self.app.clock.wall(),
        )?;
        Ok(format!(
            "{}/studio/{}#token={token}",
            self.app.stage_url, space.id
        ))
    }

    pub fn public_address(&self) -> SocketAddr {
        self.edge.local_addr()
    }

    pub fn stage_address(&self) -> SocketAddr {
        self.stage_listener.address
    }

    /// In order: event streams end, speakers are told, stages push their last pages and recordings are on the disk, then
    /// listeners are served to the end of their rings. The house takes no new requests meanwhile. Under 2 s when the disk
    /// answers.
    pub async fn stop(mut self) {
        self.ending.send_replace(true);
        self.chores.abort_all();
        let Self {
            app,
            stages,
            edge,
            usher,
            ..
        } = self;
        let sound = async {
            if tokio::time::timeout(GOODBYE_DEADLINE, app.ingest.stop())
                .await
                .is_err()
            {
                tracing::warn!("not every speaker could be told of the end");
            }
            stages.stop().await;
            // Threads are joined; that takes a moment and must not hold a runtime's thread. What a restart must know of those
            // inside is written before they are sent away.
            let end = move || {
                usher.stop();
                edge.stop();
            };
            if tokio::task::spawn_blocking(end).await.is_err() {
                tracing::error!("the public listener's end failed");
            }
        };
        tokio::join!(
            sound,
            self.stage_listener.stop(STOP_GRACE),
            self.operator_listener.stop(STOP_GRACE)
        );
    }
}

async fn listen(
    name: &str,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: axum::Router,
) -> anyhow::Result<HouseListener> {
    HouseListener::start(address, tls, router)
        .await
        .with_context(|| {
            format!("the {name} address {address} cannot be used; choose another with --{name}")
        })
}

/// A shard for each core; the house's threads share them, for the kernel knows best who is busy.
fn shards() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What runs beside the listeners until the node ends.
fn begin_chores(app: &App, config: &Serve) -> tokio::task::JoinSet<()> {
    let mut chores = tokio::task::JoinSet::new();
    if config.demo {
        chores.spawn(crate::stage::demo::run_demo(
            app.desk.clone(),
            Arc::clone(&app.directory),
            app.clock,
        ));
    }
    if let Some(days) = config.keep_recordings {
        chores.spawn(expire_recordings(app.clone(), days));
    }
    chores
}

/// A space that opens has its door at once, and not only at the usher's next tick.
async fn open_doors(app: App) {
    let mut notices = app.desk.notices();
    // Of what was missed nothing is lost: the usher looks at all spaces.
    while !matches!(notices.recv().await, Err(RecvError::Closed)) {
        app.entrance.look();
    }
}

async fn store_events(mut events: mpsc::Receiver<NodeEvent>, store: Store) {
    while let Some(event) = events.recv().await {
        let stored = match serde_json::to_string(&event) {
            Ok(body) => store.note_node_event(&body).await,
            Err(error) => Err(StoreError::Query(error.to_string())),
        };
        if let Err(error) = stored {
            tracing::warn!(%error, "an event of the door could not be stored");
        }
    }
}

async fn expire_recordings(app: App, days: u32) {
    let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        interval.tick().await;
        let archive = app.archive.clone();
        let now = app.clock.wall();
        let Ok(expired) = tokio::task::spawn_blocking(move || archive.expire(days, now)).await
        else {
            return;
        };
        for space in app.directory.all().values() {
            let recording = space.snapshot.load().recording.clone();
            if recording
                .is_some_and(|recording| !recording.deleted && expired.contains(&recording.object))
                && let Err(error) = app
                    .desk
                    .command(&space.id, Actor::Operator, SpaceCommand::DeleteRecording)
                    .await
            {
                tracing::warn!(space = %space.id, %error, "an expired recording is gone but could not be marked so");
            }
        }
    }
}
