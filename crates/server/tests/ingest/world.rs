//! A live space with real store, desk, stage and ingest, and two people who may speak in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::{Accepted, Ingest, IngestError, MediaAddress};
use hustings::live::{Directory, SpaceHandle};
use hustings::stage::StageHost;
use hustings::store::Store;
use hustings_control::ids::{InviteId, PersonId, SpaceId};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Role, Seat};
use hustings_media::opus::{Decoder, PACKET_SAMPLES_MAX};
use str0m::media::Direction;

use crate::peer::{Peer, Speaker};

pub(crate) const ADA: PersonId = PersonId(1);
pub(crate) const BEN: PersonId = PersonId(2);
pub(crate) const LOW: f32 = 440.0;
pub(crate) const HIGH: f32 = 1_500.0;
/// Nothing here takes as long on a machine that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) ingest: Ingest,
    pub(crate) handle: Arc<SpaceHandle>,
    pub(crate) host: StageHost,
    _data: tempfile::TempDir,
}

impl World {
    pub(crate) async fn live() -> Self {
        Self::live_at("127.0.0.1:0".parse().unwrap(), &[]).await
    }

    pub(crate) async fn live_at(media: MediaAddress, public: &[SocketAddr]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(data.path()).await.unwrap();
        let directory = Arc::new(Directory::default());
        let archive = Archive::open(data.path()).unwrap();
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock)
            .await
            .unwrap();
        let host = StageHost::start(desk.clone(), store, Arc::clone(&directory), archive, clock);
        let ingest = Ingest::start(media, public.iter().copied(), desk.clone(), directory)
            .await
            .unwrap();
        let id = SpaceId::parse("town-hall").unwrap();
        let draft = Draft {
            title: "Town hall".to_owned(),
            record: true,
            ..Draft::default()
        };
        let handle = desk.create(Actor::Operator, Some(id), draft).await.unwrap();
        let world = Self {
            desk,
            ingest,
            handle,
            host,
            _data: data,
        };
        for (person, role, name) in [(ADA, Role::Host, "Ada"), (BEN, Role::Speaker, "Ben")] {
            let invite = InviteId(person.0);
            world
                .operator(Command::Invite {
                    invite,
                    role,
                    name: name.to_owned(),
                    expires_at: None,
                })
                .await;
            world
                .desk
                .command(
                    &world.handle.id,
                    Actor::Person(person),
                    Command::Enter {
                        person,
                        invite,
                        name: None,
                    },
                )
                .await
                .unwrap();
        }
        world.operator(Command::GoLive).await;
        world
            .until("the stage runs", || world.handle.stage.load().is_some())
            .await;
        world
    }

    pub(crate) async fn operator(&self, command: Command) {
        self.desk
            .command(&self.handle.id, Actor::Operator, command)
            .await
            .unwrap();
    }

    pub(crate) async fn offer(&self, person: PersonId, sdp: &str) -> Result<Accepted, IngestError> {
        self.ingest
            .offer(self.handle.id.clone(), person, sdp.to_owned())
            .await
    }

    pub(crate) async fn speaker(&self, person: PersonId, hertz: f32) -> (Speaker, Accepted) {
        let peer = Peer::offer(Direction::SendRecv).await;
        let accepted = self.offer(person, &peer.offer).await.unwrap();
        (peer.talk(&accepted.answer_sdp, hertz), accepted)
    }

    pub(crate) fn seat(&self, person: PersonId) -> Seat {
        self.handle.snapshot.load().people[&person].seat
    }

    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_slice(&self.handle.state_json.load()).unwrap()
    }

    /// Looks each 10 ms until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn() -> bool) {
        let looks = async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, looks).await.is_ok(),
            "never: {what}; {}",
            self.state()
        );
    }

    /// The last second of the program, decoded from the Ogg ring.
    pub(crate) fn program(&self) -> Vec<f32> {
        let rings = self.handle.rings.load_full();
        let ogg = &rings.as_ref().as_ref().unwrap().ogg;
        let mut pages = Vec::new();
        ogg.pages_from(ogg.next_sequence().saturating_sub(10), 10, &mut pages);
        let mut decoder = Decoder::new().unwrap();
        let (mut sound, mut pcm) = (Vec::new(), vec![0.0; PACKET_SAMPLES_MAX]);
        for page in pages {
            for packet in packets(&page.bytes) {
                let samples = decoder.decode(&packet, &mut pcm).unwrap();
                sound.extend_from_slice(&pcm[..samples]);
            }
        }
        sound
    }
}

/// Packets of Ogg pages that hold whole packets.
fn packets(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while bytes.len() > 27 && bytes.starts_with(b"OggS") {
        let segments = usize::from(bytes[26]);
        let (lacing, mut body) = bytes[27..].split_at(segments);
        let mut packet = Vec::new();
        for &length in lacing {
            let (piece, rest) = body.split_at(usize::from(length));
            packet.extend_from_slice(piece);
            body = rest;
            if length < 255 {
                found.push(std::mem::take(&mut packet));
            }
        }
        bytes = body;
    }
    found
}
