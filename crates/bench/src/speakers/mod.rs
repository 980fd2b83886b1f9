//! How much later a speaker hears another because the server stands between them. Real WebRTC engines over loopback, the
//! server's own stage and ingest in this process; the codec's delay of the peers themselves is taken out.

mod ears;
pub(crate) mod peer;
mod tones;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

use self::ears::Ears;
use self::peer::{Peer, Says};
use self::tones::own_delay;
use crate::table::{Bound, Table};

/// Pairs of speakers, each in a space of its own. Their packets are sent at different moments of the stage's tick, for
/// where in the tick a packet comes is the largest part of what differs.
const PAIRS: u64 = 5;
/// Onsets measured in each pair.
const ONSETS: usize = 50;
/// Onsets at the beginning that are left out: the jitter buffer learns, the stage picks.
const WARM: usize = 6;
const PACKET: Duration = Duration::from_millis(20);
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
        let ingest = Ingest::start(media, None, desk.clone(), Arc::clone(&directory)).await?;
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
            let sent = Arc::clone(&sent);
            ends.push(tokio::spawn(async move {
                let mut ears = Ears::new(own)?;
                let hear = |opus: &[u8]| {
                    ears.hear(opus, &sent)?;
                    Ok(ears.delays.len() >= ONSETS + WARM)
                };
                peer.run(accepted.answer_sdp, role, &sent, hear).await?;
                anyhow::Ok(ears.delays.split_off(WARM))
            }));
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
