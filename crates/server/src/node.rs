//! The composition root: builds the parts of a node from its configuration, joins them, and ends them in order.

mod chores;
mod greeting;
mod recorder;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use hustings_media::fanout::CadenceBounds;
use tokio::sync::watch;

use crate::alarms::{Watched, Webhook};
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
use crate::ops::flight::{Flight, FlightThread, Line};
use crate::pages::StatusThread;
use crate::shield::Shield;
use crate::stage::StageHost;
use crate::store::{DataLock, Store};
use crate::usher::{self, Entrance, Keeper, UsherThread};
use crate::{ops, pages, rehearsal};

/// What a request under way on the house's listeners is given at the end.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// The same on the operator's listener, which answers until all sound has ended.
const LAST_GRACE: Duration = Duration::from_millis(200);
/// What speakers' sessions are given to say goodbye; who is not reached then finds out by silence.
const GOODBYE_DEADLINE: Duration = Duration::from_millis(500);
/// What files that are just read or decoded are given when all else has ended.
const THREADS_GRACE: Duration = Duration::from_millis(200);
/// Threads of the house: stages, ingest, studio and operator. The crowd has threads of its own.
const HOUSE_THREADS: usize = 2;

pub fn main(arguments: Hustings) -> ExitCode {
    let done = match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(serve_arguments)) => serve(*serve_arguments),
        Some(Command::Preflight(preflight)) => return preflight.run(),
        Some(Command::Token(token)) => token.run(),
        Some(Command::Space(space)) => space.run(),
        Some(Command::Report(report)) => report.run(),
        Some(Command::Simulate(simulate)) => simulate.run(),
        Some(Command::Rehearse(rehearse)) => rehearse.run(),
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
    ops::log::start(config.log_format);
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
    flight: FlightThread,
    _status: StatusThread,
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
        let store = Store::open(&config.data).await?;
        let Built {
            app,
            line,
            stages,
            keeper,
            ending,
        } = build(&config, &store, cadence).await?;
        let fresh = app.directory.all().is_empty();
        let shield = Shield::of(&config, app.clock);
        let abuse = AbuseConfig::of(&config, &shield);
        let tls = config.tls_cert.clone().zip(config.tls_key.clone());
        let (edge, usher) = open_to_the_crowd(&config, &app, &abuse, tls.clone(), keeper)?;
        let (flight, started) = recorder::record(&config, &app, line, &edge, &shield, &store)?;
        let rooms = pages::studio_router(app.clone()).merge(api::stage_routes::router(app.clone()));
        let rooms = rooms.layer(axum::Extension(shield.friends()));
        let tls = tls.map(certificates).transpose()?;
        let of_operator = tls.clone().filter(|_| config.operator_tls);
        let stage_listener = listen("stage", config.stage, tls, rooms, abuse.clone()).await?;
        let operations = ops::router(app.clone(), edge.meter(), shield.meter())
            .merge(pages::board_router(app.clone()));
        let operator_listener =
            listen("operator", config.operator, of_operator, operations, abuse).await?;
        let chores = chores::begin(&app, &config, edge.meter(), store);
        // The records take them now; the recorder has begun already.
        for happening in started {
            app.entrance.happened(happening);
        }
        let status = StatusThread::of(&app)?;
        Ok(Self {
            app,
            config,
            edge,
            usher,
            flight,
            _status: status,
            ending,
            _shield: shield,
            stages,
            stage_listener,
            operator_listener,
            chores,
            fresh,
            _lock: lock,
        })
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
            flight,
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
                flight.stop();
            };
            if tokio::task::spawn_blocking(end).await.is_err() {
                tracing::error!("the public listener's end failed");
            }
        };
        tokio::join!(sound, self.stage_listener.stop(STOP_GRACE));
        // Until here `/readyz` says that the node ends, and `/healthz` that it is alive: nobody is to kill it over its end.
        self.operator_listener.stop(LAST_GRACE).await;
    }
}

/// What a node is before it listens.
struct Built {
    app: App,
    stages: StageHost,
    keeper: Option<Keeper>,
    ending: watch::Sender<bool>,
    line: Line,
}

async fn build(config: &Serve, store: &Store, cadence: CadenceBounds) -> anyhow::Result<Built> {
    let clock = Clock::start();
    let keys = Arc::new(auth::Keys::open(&config.data)?);
    let archive = Archive::open(&config.data)?;
    let directory = Arc::new(Directory::default());
    directory.pace.set_bounds(cadence);
    directory.pace.set_core_share(config.core_share);
    let desk = Desk::start(store.clone(), Arc::clone(&directory), clock).await?;
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
    let (entrance, keeper) =
        Entrance::open(config.gate_settings(shards()), Some(&config.data), clock)?;
    let wicket = Arc::new(Mutex::new(entrance.wicket()?));
    let target = rehearsal::target_of(&config.public_base()).unwrap_or_default();
    let permits = keys.permits().clone();
    let rehearsals = &directory.rehearsals;
    rehearsals
        .open(permits, target, Some(&config.data), clock.wall())
        .context("what rehearsals were ended cannot be read")?;
    let (ending, begun) = Ending::channel();
    let (flight, line) = Flight::line();
    let webhook = Webhook::of(config, clock)?;
    let app = App {
        ending: begun,
        watched: Watched::new(webhook),
        config: Arc::new(config.clone()),
        desk,
        directory,
        archive,
        ingest,
        keys,
        clock,
        entrance,
        wicket,
        flight,
        public_url: config.public_base().into(),
        stage_url: config.stage_base().into(),
        secure: config.tls_cert.is_some() || config.public_base().starts_with("https://"),
    };
    Ok(Built {
        app,
        stages,
        keeper,
        ending,
        line,
    })
}

/// The public listener, and the usher who says how many come in.
fn open_to_the_crowd(
    config: &Serve,
    app: &App,
    abuse: &AbuseConfig,
    tls: Option<(PathBuf, PathBuf)>,
    keeper: Option<Keeper>,
) -> anyhow::Result<(Edge, UsherThread)> {
    let connections_max = crate::open_files::for_the_crowd();
    let crowd = EdgeConfig {
        abuse: abuse.clone(),
        listen: config.listen,
        tls,
        shards: shards(),
        connections_max,
        entrance: Arc::clone(&app.entrance),
    };
    let pages = pages::public_router(app.clone());
    let edge = Edge::start(crowd, Arc::clone(&app.directory), pages, app.clock)?;
    let measure = usher::measure(edge.meter(), connections_max, config.uplink);
    let usher = UsherThread::start(
        Arc::clone(&app.entrance),
        Arc::clone(&app.directory),
        measure,
        Some(Arc::clone(&app.wicket)),
        keeper,
    );
    Ok((edge, usher.context("the usher's thread cannot be started")?))
}

async fn listen(
    name: &str,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: axum::Router,
    abuse: AbuseConfig,
) -> anyhow::Result<HouseListener> {
    HouseListener::start(address, tls, router, abuse)
        .await
        .with_context(|| {
            format!("the {name} address {address} cannot be used; choose another with --{name}")
        })
}

/// A shard for each core; the house's threads share them, for the kernel knows best who is busy.
fn shards() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
