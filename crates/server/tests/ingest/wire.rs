//! What comes at the media port that no speaker of ours sends: strangers, forgers, and RTP with absurd numbers.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hustings_control::spaces::Seat;
use str0m::media::Direction;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::peer::{Peer, Rtp, Speaker, strength};
use crate::world::{ADA, BEN, HIGH, LOW, World};

/// Not random, but as good: the same bytes in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

/// A STUN binding request for `username` with a wrong integrity (RFC 8489).
fn stun(username: &str) -> Vec<u8> {
    let mut attributes = vec![0x00, 0x06];
    attributes.extend((username.len() as u16).to_be_bytes());
    attributes.extend(username.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0x00, 0x25, 0x00, 0x00]); // USE-CANDIDATE
    attributes.extend([0x00, 0x08, 0x00, 0x14]); // MESSAGE-INTEGRITY
    attributes.extend([0x5a; 20]);
    let mut message = vec![0x00, 0x01];
    message.extend((attributes.len() as u16).to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.extend([9; 12]);
    message.extend(attributes);
    message
}

/// A DTLS 1.2 record that says it is a ClientHello.
fn client_hello() -> Vec<u8> {
    let body = noise(3, 120);
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend((body.len() as u16 + 12).to_be_bytes());
    record.extend([
        1,
        0,
        0,
        body.len() as u8,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        body.len() as u8,
    ]);
    record.extend(body);
    record
}

/// RTP with a header extension of `words` 32-bit words, whether they are there or not.
fn rtp_with_extension(words: u16, there: usize) -> Vec<u8> {
    let mut packet = vec![0x90, 111, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 0xbe, 0xde];
    packet.extend(words.to_be_bytes());
    packet.extend(noise(5, there));
    packet
}

fn all_kinds() -> Vec<Vec<u8>> {
    let mut kinds = vec![
        vec![],
        vec![0; 20],
        vec![0x80; 12],
        vec![0x80; 200],
        vec![22; 100],
        vec![0xff; 1_500],
        vec![0x80; 2_400],
        vec![0x9f; 76],
        client_hello(),
        stun("nobody:nothing"),
        stun(":"),
        stun(&"u".repeat(1_000)),
        rtp_with_extension(u16::MAX, 1_000),
        rtp_with_extension(300, 1_200),
    ];
    kinds.extend((0..200).map(|seed| noise(seed, seed as usize * 7)));
    kinds
}

async fn said(world: &World, person: hustings_control::ids::PersonId, hertz: f32) -> Speaker {
    let (speaker, _) = world.speaker(person, hertz).await;
    world
        .until("the speaker is heard", || {
            strength(&world.program(), hertz) > 0.05
        })
        .await;
    speaker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_dropped_before_anything_is_kept_or_answered() {
    let world = World::live().await;
    let node = world.ingest.local_addr();
    let _ada = said(&world, ADA, LOW).await;
    let before = world.ingest.strangers();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let kinds = all_kinds();
    for datagram in &kinds {
        stranger.send_to(datagram, node).await.unwrap();
    }
    let sent = kinds.len() as u64;
    world
        .until("all of them are counted and dropped", || {
            world.ingest.strangers() == before + sent
        })
        .await;
    assert!(
        stranger.try_recv(&mut [0; 64]).is_err(),
        "no stranger is answered"
    );
    assert_eq!(world.ingest.sessions(), 1);
    assert!(strength(&world.program(), LOW) > 0.05);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_the_name_but_not_the_password_is_a_stranger() {
    let world = World::live().await;
    let node = world.ingest.local_addr();
    let peer = Peer::offer(Direction::SendRecv).await;
    let accepted = world.offer(ADA, &peer.offer).await.unwrap();
    let of = |sdp: &str| {
        let line = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        line.unwrap().trim().to_owned()
    };
    let username = format!("{}:{}", of(&accepted.answer_sdp), of(&peer.offer));
    let before = world.ingest.strangers();
    let forger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for datagram in [stun(&username), client_hello(), rtp_with_extension(2, 20)] {
        forger.send_to(&datagram, node).await.unwrap();
    }
    world
        .until(
            "the forged request, and what follows it, are dropped",
            || world.ingest.strangers() == before + 3,
        )
        .await;
    assert!(forger.try_recv(&mut [0; 64]).is_err(), "and not answered");
    let _ada = peer.talk(&accepted.answer_sdp, LOW);
    world
        .until("the session was not harmed", || {
            strength(&world.program(), LOW) > 0.05
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_connections_are_closed() {
    let world = World::live().await;
    let node = world.ingest.local_addr();
    let before = world.ingest.strangers();
    let framed = |bytes: &[u8]| {
        let mut frame = (bytes.len() as u16).to_be_bytes().to_vec();
        frame.extend(bytes);
        frame
    };
    let openings = [
        vec![0xff; 64],
        vec![0, 0],
        framed(b"GET / HTTP/1.1\r\n\r\n"),
        framed(&stun("nobody:nothing")),
        framed(&client_hello()),
    ];
    for opening in &openings {
        let mut stream = TcpStream::connect(node).await.unwrap();
        stream.write_all(opening).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut [0; 16])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{opening:?}");
    }
    assert_eq!(world.ingest.strangers(), before + openings.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_from_a_speakers_own_address_does_not_silence_him() {
    let world = World::live().await;
    let ada = said(&world, ADA, LOW).await;
    for _ in 0..3 {
        for datagram in all_kinds() {
            ada.send_bytes(world.ingest.local_addr(), datagram).await;
        }
    }
    let heard = ada.heard.lock().unwrap().len();
    world
        .until("he hears on", || {
            ada.heard.lock().unwrap().len() > heard + 48_000
        })
        .await;
    world
        .until("and is heard", || strength(&world.program(), LOW) > 0.05)
        .await;
    assert_eq!(world.seat(ADA), Seat::Taken);
    assert_eq!(world.ingest.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_rtp_harms_nobody_else_and_its_sender_comes_back() {
    let world = World::live().await;
    let _ben = said(&world, BEN, HIGH).await;
    let ada = said(&world, ADA, LOW).await;
    let opus = |toc: u8, length: usize| [vec![toc], noise(7, length)].concat();
    let mut absurd = Vec::new();
    for (i, sequence) in [0, 1, 0x7fff, 0x8000, 0xffff, 0x1_0000, 3, 0xf000, 500_000]
        .iter()
        .enumerate()
    {
        absurd.push(Rtp {
            sequence: *sequence,
            time: (i as u32).wrapping_mul(0x9e37_79b9),
            payload: opus(0x78, 60),
            ..Rtp::default()
        });
    }
    for time in [0, 1, u32::MAX, u32::MAX / 2, 1 << 31, 960] {
        absurd.push(Rtp {
            sequence: 2_000 + u64::from(time % 97),
            time,
            payload: opus(0x78, 60),
            ..Rtp::default()
        });
    }
    for length in [0, 1, 2, 100, 1_000, 1_150] {
        absurd.push(Rtp {
            sequence: 3_000 + length as u64,
            time: 5,
            payload: noise(9, length),
            ..Rtp::default()
        });
        absurd.push(Rtp {
            sequence: 3_001 + length as u64,
            time: 5,
            payload: opus(0xff, length),
            ..Rtp::default()
        });
    }
    for payload_type in [0, 13, 63, 72, 95, 126, 127] {
        absurd.push(Rtp {
            sequence: 5_000,
            payload_type: Some(payload_type),
            payload: opus(0x78, 60),
            ..Rtp::default()
        });
    }
    for level in [0, 127, -1, -127, i8::MIN] {
        absurd.push(Rtp {
            sequence: 6_000,
            level: Some(level),
            sources: 15,
            payload: opus(0x78, 60),
            ..Rtp::default()
        });
    }
    for rtp in &absurd {
        ada.send_rtp(rtp.clone()).await;
    }
    let ben_is_whole = || strength(&world.program(), HIGH) > 0.05;
    world
        .until("the other is heard meanwhile", ben_is_whole)
        .await;
    // The sender speaks on with the numbers of before.
    world
        .until("he is heard again when he speaks as others do", || {
            strength(&world.program(), LOW) > 0.05 && ben_is_whole()
        })
        .await;
    assert_eq!(
        (world.seat(ADA), world.seat(BEN)),
        (Seat::Taken, Seat::Taken)
    );
    assert!(world.handle.stage.load().is_some());
    ada.network.store(false, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_a_stranger_leaves_the_speaker_whole() {
    let world = World::live().await;
    let node: SocketAddr = world.ingest.local_addr();
    let ada = said(&world, ADA, LOW).await;
    let before = world.ingest.strangers();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // A burst of what a megabit carries in a second; the kernel may drop some of it, which is its right.
    for seed in 0..1_000_u64 {
        stranger.send_to(&noise(seed, 120), node).await.unwrap();
    }
    world
        .until("some of it is counted", || {
            world.ingest.strangers() > before
        })
        .await;
    let heard = ada.heard.lock().unwrap().len();
    world
        .until("the speaker hears on", || {
            ada.heard.lock().unwrap().len() > heard + 24_000
        })
        .await;
    assert!(strength(&world.program(), LOW) > 0.05);
}
