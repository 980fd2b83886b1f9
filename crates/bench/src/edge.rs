//! The edge by itself, the same code as in the binary, fed with exactly the bytes that the bare loop sends. The demo
//! would not do: what it says is less than 48 kbit/s, and its encoder's time is not the listeners'.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use hustings::clock::Clock;
use hustings::edge::{AbuseConfig, Edge, EdgeConfig};
use hustings::live::{Directory, Rings, SpaceHandle};
use hustings::usher::{Entrance, UsherThread};
use hustings_control::gate::{Load, Settings};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Phase, Recorded, Space};
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::{CadenceBounds, Ring};
use hustings_media::limits::{PAGE_SAMPLES, RING_PAGES_MAX, SAMPLE_RATE};
use hustings_media::time::{Epoch, MediaTime};

use crate::bare::CHUNK_BYTES;
use crate::process::LIFE;
use crate::tls;

const PAGES_PER_S: usize = (SAMPLE_RATE as u64 / PAGE_SAMPLES) as usize;

/// Serves the space `bench` until its life is over, at a fixed cadence.
pub(crate) fn serve(
    address: &str,
    cadence_ms: u64,
    tls: Option<&tls::Files>,
) -> anyhow::Result<()> {
    let directory = Arc::new(Directory::default());
    let fixed = CadenceBounds::new(cadence_ms, cadence_ms).context("a cadence out of bounds")?;
    directory.pace.set_bounds(fixed);
    let ring = open_space(&directory)?;
    let clock = Clock::start();
    let entrance = Entrance::passing(Settings::default(), clock)?;
    let config = EdgeConfig {
        listen: address.parse()?,
        tls: tls.map(|files| (files.cert.clone(), files.key.clone())),
        shards: 1,
        connections_max: u64::MAX,
        abuse: AbuseConfig::default(),
        entrance: Arc::clone(&entrance),
    };
    let edge = Edge::start(config, Arc::clone(&directory), axum::Router::new(), clock)?;
    let spare = Box::new(Load::default);
    let usher = UsherThread::start(entrance, directory, spare, None, None)?;
    let begun = Instant::now();
    let (mut due, mut number) = (begun, 0);
    for _ in 0..RING_PAGES_MAX {
        number = push(&ring, number);
    }
    while begun.elapsed() < LIFE {
        due += Duration::from_secs(1) / PAGES_PER_S as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        number = push(&ring, number);
    }
    usher.stop();
    edge.stop();
    Ok(())
}

fn push(ring: &Ring, number: u64) -> u64 {
    ring.push(CutPage {
        epoch: Epoch(1),
        media_time: MediaTime(number * PAGE_SAMPLES),
        duration: PAGE_SAMPLES as u32,
        start: true,
        bytes: Bytes::from(vec![0x55; CHUNK_BYTES / PAGES_PER_S]),
    });
    number + 1
}

fn open_space(directory: &Directory) -> anyhow::Result<Ring> {
    let id = SpaceId::parse("bench").ok().context("an id")?;
    let draft = Draft {
        title: "Figures".to_owned(),
        ..Draft::default()
    };
    let event = Space::create(id, draft, UnixMillis(1))
        .ok()
        .context("a space")?;
    let created = Recorded {
        seq: 1,
        at: UnixMillis(1),
        by: Actor::Operator,
        event,
    };
    let mut space = Space::replay([&created]).context("a space")?;
    space.phase = Phase::Live;
    let handle = SpaceHandle::new(space);
    let ring = || Ring::new(Bytes::from_static(&[0x55; 200]), RING_PAGES_MAX);
    let rings = Rings {
        ogg: ring(),
        webm: ring(),
        mp4: ring(),
    };
    let ogg = rings.ogg.clone();
    handle.rings.store(Arc::new(Some(rings)));
    directory.insert(Arc::new(handle));
    Ok(ogg)
}
