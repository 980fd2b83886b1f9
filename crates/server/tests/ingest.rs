//! Speakers over real sockets: what they say is in the ring, what they hear is the others, and what goes wrong is told.

mod ingest_peer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::{Accepted, Ingest, IngestError};
use hustings::live::{Directory, SpaceHandle};
use hustings::stage::StageHost;
use hustings::store::Store;
use hustings_control::ids::{InviteId, PersonId, SpaceId};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command, Role, Seat};
use hustings_media::opus::{Decoder, PACKET_SAMPLES_MAX};
use ingest_peer::{Peer, Speaker, strength};
use str0m::media::Direction;

const ADA: PersonId = PersonId(1);
const BEN: PersonId = PersonId(2);
const LOW: f32 = 440.0;
const HIGH: f32 = 1_500.0;
/// Nothing here takes as long on a machine that works.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    desk: Desk,
    ingest: Ingest,
    handle: Arc<SpaceHandle>,
    host: StageHost,
    _data: tempfile::TempDir,
}

impl World {
    async fn live() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(data.path()).await.unwrap();
        let directory = Arc::new(Directory::default());
        let archive = Archive::open(data.path()).unwrap();
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock)
            .await
            .unwrap();
        let host = StageHost::start(desk.clone(), store, Arc::clone(&directory), archive, clock);
        let ingest = Ingest::start(
            "127.0.0.1:0".parse().unwrap(),
            None,
            desk.clone(),
            directory,
            clock,
        )
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

    async fn operator(&self, command: Command) {
        self.desk
            .command(&self.handle.id, Actor::Operator, command)
            .await
            .unwrap();
    }

    async fn offer(&self, person: PersonId, sdp: &str) -> Result<Accepted, IngestError> {
        self.ingest
            .offer(self.handle.id.clone(), person, sdp.to_owned())
            .await
    }

    async fn speaker(&self, person: PersonId, hertz: f32) -> (Speaker, Accepted) {
        let peer = Peer::offer(Direction::SendRecv).await;
        let accepted = self.offer(person, &peer.offer).await.unwrap();
        (peer.talk(&accepted.answer_sdp, hertz), accepted)
    }

    fn seat(&self, person: PersonId) -> Seat {
        self.handle.snapshot.load().people[&person].seat
    }

    fn state(&self) -> serde_json::Value {
        serde_json::from_slice(&self.handle.state_json.load()).unwrap()
    }

    /// Looks each 10 ms until it is so.
    async fn until(&self, what: &str, so: impl Fn() -> bool) {
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
    fn program(&self) -> Vec<f32> {
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

fn last_half_second(heard: &[f32]) -> &[f32] {
    &heard[heard.len().saturating_sub(24_000)..]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speakers_are_in_the_program_and_hear_the_others_but_not_themselves() {
    let world = World::live().await;
    let (ada, _) = world.speaker(ADA, LOW).await;
    let (ben, _) = world.speaker(BEN, HIGH).await;
    world
        .until("both are in the program", || {
            let program = world.program();
            strength(&program, LOW) > 0.05 && strength(&program, HIGH) > 0.05
        })
        .await;
    for (who, speaker, own, other) in [("Ada", &ada, LOW, HIGH), ("Ben", &ben, HIGH, LOW)] {
        world
            .until(
                &format!("{who} hears the other and not the own voice"),
                || {
                    let heard = speaker.heard.lock().unwrap();
                    let last = last_half_second(&heard);
                    strength(last, other) > 0.05 && strength(last, own) < 0.01
                },
            )
            .await;
    }
    world
        .until("levels show", || {
            world.state()["people"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["level"].as_u64().unwrap() > 0)
        })
        .await;
    assert_eq!(world.state()["recording"], true);
    let (loss, _, _) = world.ingest.quality(&world.handle.id, ADA).unwrap();
    assert!(loss < 0.2, "{loss}");
    world.operator(Command::End).await;
    world
        .until("the stage is gone and the replay there", || {
            world.handle.stage.load().is_none()
                && world.handle.rings.load().is_none()
                && world.state()["replay"] == true
        })
        .await;
    world
        .until("the sessions are gone", || world.ingest.sessions() == 0)
        .await;
    world.ingest.stop().await;
    world.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_silent_is_lost_within_a_second_or_so_and_keeps_the_seat() {
    let world = World::live().await;
    let (ada, _) = world.speaker(ADA, LOW).await;
    world
        .until("Ada is heard", || strength(&world.program(), LOW) > 0.05)
        .await;
    let died = std::time::Instant::now();
    ada.network.store(false, Ordering::Relaxed);
    world
        .until("the roster says lost", || {
            world.state()["people"][0]["lost"] == true
        })
        .await;
    let took = died.elapsed();
    assert!(took < Duration::from_millis(2_000), "{took:?}");
    assert_eq!(world.state()["hostLost"], true);
    assert!(matches!(world.seat(ADA), Seat::LostSince(_)));
    ada.network.store(true, Ordering::Relaxed);
    world
        .until("Ada is back in the same seat", || {
            world.seat(ADA) == Seat::Taken
        })
        .await;
    world
        .until("and heard", || strength(&world.program(), LOW) > 0.05)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_offer_takes_the_same_seat() {
    let world = World::live().await;
    let (_first, accepted) = world.speaker(ADA, LOW).await;
    world
        .until("Ada is heard", || strength(&world.program(), LOW) > 0.05)
        .await;
    let (_second, again) = world.speaker(ADA, HIGH).await;
    world
        .until("only the second is heard", || {
            let program = world.program();
            strength(&program, HIGH) > 0.05 && strength(&program, LOW) < 0.01
        })
        .await;
    assert!(world.ingest.owner(&accepted.session).is_none());
    assert_eq!(
        world.ingest.owner(&again.session),
        Some((world.handle.id.clone(), ADA))
    );
    assert_eq!(world.seat(ADA), Seat::Taken);
    let log = world.desk.log(&world.handle.id, 0, 100).await.unwrap();
    let left = log
        .iter()
        .any(|one| matches!(one.event, hustings_control::spaces::Event::SeatLeft { .. }));
    assert!(!left, "the seat was kept all the time");
    world.ingest.delete(&again.session).await.unwrap();
    world
        .until("the seat is given back", || world.seat(ADA) == Seat::None)
        .await;
    assert!(matches!(
        world.ingest.delete(&again.session).await,
        Err(IngestError::NoSession)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_blocks_udp_is_passed_by_tcp() {
    let world = World::live().await;
    let peer = Peer::offer(Direction::SendOnly).await;
    let accepted = world.offer(ADA, &peer.offer).await.unwrap();
    assert!(
        accepted.answer_sdp.contains("a=recvonly"),
        "{}",
        accepted.answer_sdp
    );
    let _ada = peer
        .talk_by_tcp(&accepted.answer_sdp, LOW, world.ingest.local_addr())
        .await;
    world
        .until("Ada is heard", || strength(&world.program(), LOW) > 0.05)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_is_hung_up() {
    let world = World::live().await;
    let (_ben, _) = world.speaker(BEN, HIGH).await;
    world
        .until("Ben is heard", || strength(&world.program(), HIGH) > 0.05)
        .await;
    world.operator(Command::Remove { person: BEN }).await;
    world
        .until("Ben is gone", || {
            world.ingest.sessions() == 0 && strength(&world.program(), HIGH) < 0.01
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_and_leaves_nothing_behind() {
    let world = World::live().await;
    let refused = |result: Result<Accepted, IngestError>| {
        result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refused(world.offer(ADA, "garbage").await).contains("no SDP"));
    let peer = Peer::offer(Direction::SendRecv).await;
    let no_opus = peer.offer.replace("opus/48000", "speex/16000");
    assert!(matches!(
        world.offer(ADA, &no_opus).await,
        Err(IngestError::NoOpus)
    ));
    let no_fingerprint: String = peer
        .offer
        .lines()
        .filter(|line| !line.starts_with("a=fingerprint"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    assert!(matches!(
        world.offer(ADA, &no_fingerprint).await,
        Err(IngestError::BadOffer(_))
    ));
    assert_eq!(world.ingest.sessions(), 0);

    let accepted = world.offer(ADA, &peer.offer).await.unwrap();
    let patch = async |tag: Option<&str>, body: &str| {
        world
            .ingest
            .patch(&accepted.session, tag, body.to_owned())
            .await
    };
    assert!(matches!(patch(None, "").await, Err(IngestError::NeedsEtag)));
    assert!(matches!(
        patch(Some("\"other\""), "").await,
        Err(IngestError::StaleEtag)
    ));
    assert!(matches!(
        patch(Some("*"), "").await,
        Err(IngestError::RestartRefused)
    ));
    assert!(matches!(
        patch(Some(&accepted.etag), "?").await,
        Err(IngestError::BadFragment(_))
    ));
    assert!(matches!(
        patch(Some(&accepted.etag), "a=ice-ufrag:new\r\n").await,
        Err(IngestError::RestartRefused)
    ));
    let candidate = "a=candidate:1 1 udp 2113929471 127.0.0.1 9 typ host\r\n";
    assert_eq!(
        patch(Some(&accepted.etag), candidate).await.unwrap(),
        (None, accepted.etag.clone())
    );

    let before = world.ingest.strangers();
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut noise: Vec<Vec<u8>> = vec![
        vec![],
        vec![0; 20],
        vec![0x80; 200],
        vec![22; 100],
        vec![0xff; 1_500],
        vec![0x80; 2_400],
    ];
    noise.extend((0..100_u64).map(|seed| {
        (0..seed * 11)
            .map(|i| {
                (seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(i * 1_442_695)
                    >> 13) as u8
            })
            .collect()
    }));
    for datagram in &noise {
        stranger
            .send_to(datagram, world.ingest.local_addr())
            .await
            .unwrap();
    }
    world
        .until("all of them are counted and dropped", || {
            world.ingest.strangers() == before + noise.len() as u64
        })
        .await;
    let mut stream = tokio::net::TcpStream::connect(world.ingest.local_addr())
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &[0xff; 64])
        .await
        .unwrap();
    world
        .until("a stranger's connection is closed and counted", || {
            world.ingest.strangers() == before + noise.len() as u64 + 1
        })
        .await;
    let (_ada, _) = world.speaker(ADA, LOW).await;
    world
        .until("who is no stranger is heard", || {
            strength(&world.program(), LOW) > 0.05
        })
        .await;
}
