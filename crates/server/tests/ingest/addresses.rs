//! Where media is taken, and what answers say of it.

use std::net::{IpAddr, SocketAddr};

use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::{Ingest, IngestError, MediaAddress};
use hustings::live::Directory;
use hustings::store::Store;
use str0m::media::Direction;

use crate::peer::{Peer, strength};
use crate::world::{ADA, LOW, World};

/// Protocol and address of each candidate of an answer to Ada.
async fn candidates(world: &World) -> Vec<(String, SocketAddr)> {
    let peer = Peer::offer(Direction::SendRecv).await;
    let answer = world.offer(ADA, &peer.offer).await.unwrap().answer_sdp;
    let lines = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let address = SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap());
            (words[2].to_lowercase(), address)
        })
        .collect()
}

fn both(address: SocketAddr) -> [(String, SocketAddr); 2] {
    [("udp".to_owned(), address), ("tcp".to_owned(), address)]
}

fn sorted(mut all: Vec<(String, SocketAddr)>) -> Vec<(String, SocketAddr)> {
    all.sort();
    all
}

/// Who sends from the address that he sends to, as a browser on this machine does.
async fn is_heard_from(world: &World, address: IpAddr, hertz: f32) {
    let peer = Peer::offer_from(address, Direction::SendRecv).await;
    let accepted = world.offer(ADA, &peer.offer).await.unwrap();
    let _ada = peer.talk(&accepted.answer_sdp, hertz);
    world
        .until("Ada is heard", || strength(&world.program(), hertz) > 0.05)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_of_loopback_is_named_and_heard_by_udp_and_tcp() {
    let world = World::live_at("127.0.0.2:0".parse().unwrap(), &[]).await;
    let node = world.ingest.local_addr();
    assert_eq!(node.ip(), "127.0.0.2".parse::<IpAddr>().unwrap());
    assert_eq!(sorted(candidates(&world).await), sorted(both(node).into()));
    let peer = Peer::offer(Direction::SendRecv).await;
    let accepted = world.offer(ADA, &peer.offer).await.unwrap();
    let _ada = peer.talk_by_tcp(&accepted.answer_sdp, LOW, node).await;
    world
        .until("Ada is heard", || strength(&world.program(), LOW) > 0.05)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_addresses_stand_in_the_answer_instead_of_the_machines_own() {
    let public: [SocketAddr; 2] = [
        "203.0.113.7:8081".parse().unwrap(),
        "[2001:db8::7]:8081".parse().unwrap(),
    ];
    let world = World::live_at("127.0.0.1:0".parse().unwrap(), &public).await;
    let wanted = public.into_iter().flat_map(both).collect();
    assert_eq!(sorted(candidates(&world).await), sorted(wanted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_address_names_what_can_be_reached() {
    let world = World::live_at("0.0.0.0:0".parse().unwrap(), &[]).await;
    let named = candidates(&world).await;
    let port = world.ingest.local_addr().port();
    assert!(!named.is_empty());
    for (_, address) in &named {
        assert!(
            !address.ip().is_unspecified() && address.port() == port,
            "{named:?}"
        );
    }
    is_heard_from(&world, named[0].1.ip(), LOW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_is_heard_at_each_address_it_names() {
    let world = World::live_at(MediaAddress::Local(0), &[]).await;
    let named = candidates(&world).await;
    assert!(
        named.iter().any(|(_, address)| address.ip().is_loopback()),
        "{named:?}"
    );
    // Firefox pairs its own address with one that is not of loopback only: there is one, if the machine has a network.
    for (i, (protocol, address)) in named.iter().enumerate() {
        let hertz = LOW + 300.0 * i as f32;
        if protocol == "udp" {
            is_heard_from(&world, address.ip(), hertz).await;
            continue;
        }
        let peer = Peer::offer(Direction::SendRecv).await;
        let accepted = world.offer(ADA, &peer.offer).await.unwrap();
        let _ada = peer
            .talk_by_tcp(&accepted.answer_sdp, hertz, *address)
            .await;
        world
            .until("Ada is heard by TCP", || {
                strength(&world.program(), hertz) > 0.05
            })
            .await;
    }
}

#[tokio::test]
async fn public_addresses_that_nobody_reaches_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let (clock, directory) = (Clock::start(), std::sync::Arc::new(Directory::default()));
    let store = Store::open(data.path()).await.unwrap();
    let desk = Desk::start(store, std::sync::Arc::clone(&directory), clock)
        .await
        .unwrap();
    for bad in ["0.0.0.0:8081", "203.0.113.7:0"] {
        let media: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let public: [SocketAddr; 1] = [bad.parse().unwrap()];
        let started = Ingest::start(media, public, desk.clone(), directory.clone()).await;
        assert!(matches!(started, Err(IngestError::Public(_))), "{bad}");
    }
}
