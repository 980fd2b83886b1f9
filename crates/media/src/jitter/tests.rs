//! Order, loss, silence, absurd packets, and the delay that follows the jitter.

use super::*;

fn packet(sequence: u64, timestamp: u32) -> SourcePacket {
    SourcePacket {
        sequence,
        timestamp,
        opus: Bytes::from_static(crate::opus::SILENCE),
        level: None,
    }
}

fn at(ms: u64) -> Now {
    Now::from_millis(10_000 + ms)
}

#[test]
fn reordered_packets_come_out_in_order() {
    let mut jitter = Jitter::default();
    for sequence in [7, 5, 6, 9, 8] {
        assert!(jitter.push(packet(sequence, sequence as u32 * 960), at(sequence * 20)));
    }
    assert!(!jitter.push(packet(8, 8 * 960), at(180)));
    jitter.settle(samples_of(at(180)));
    let order: Vec<u64> = std::iter::from_fn(|| jitter.pop().map(|held| held.sequence)).collect();
    assert_eq!(order, [5, 6, 7, 8, 9]);
    assert_eq!(jitter.counts().duplicate, 1);
    assert!(!jitter.push(packet(4, 4 * 960), at(200)));
    assert_eq!(jitter.counts().late, 1);
}

#[test]
fn a_time_jump_without_a_sequence_gap_is_no_loss() {
    let check = |second: SourcePacket, expected: Due| {
        let mut jitter = Jitter::default();
        jitter.push(packet(1, 0), at(0));
        jitter.push(second, at(60));
        jitter.settle(samples_of(at(0)));
        jitter.pop();
        assert_eq!(jitter.due(), expected);
    };
    check(
        packet(2, 960),
        Due::Packet {
            late: 0,
            samples: 960,
        },
    );
    check(packet(2, 2_880), Due::Gap(1_920));
    check(
        packet(3, 1_920),
        Due::Lost {
            samples: 960,
            one: true,
        },
    );
    check(
        packet(4, 2_880),
        Due::Lost {
            samples: 1_920,
            one: false,
        },
    );
    // One packet of sound and one of padding.
    check(
        packet(4, 1_920),
        Due::Lost {
            samples: 960,
            one: true,
        },
    );
}

#[test]
fn an_absurd_packet_is_dropped_and_a_new_run_followed() {
    let mut jitter = Jitter::default();
    jitter.push(packet(10, 0), at(0));
    for hostile in [u64::MAX, 1 << 40, 10 + WINDOW_PACKETS] {
        assert!(!jitter.push(packet(hostile, 960), at(20)), "{hostile}");
    }
    assert!(!jitter.push(packet(11, u32::MAX / 2), at(20)));
    assert!(jitter.push(packet(11, 960), at(20)));
    assert!(!jitter.push(packet(90_000, 777), at(40)));
    assert!(jitter.push(packet(90_001, 777 + 960), at(60)));
    assert_eq!(jitter.counts().resyncs, 1);
    assert_eq!(jitter.first().map(|held| held.sequence), Some(90_001));
}

#[test]
fn payloads_that_are_no_opus_are_refused() {
    let mut jitter = Jitter::default();
    for (sequence, payload) in [
        vec![],
        vec![0xff, 0xff, 0x3f],
        vec![0x03],
        vec![0xfc; 5_000],
    ]
    .into_iter()
    .enumerate()
    {
        let taken = jitter.push(
            SourcePacket {
                sequence: sequence as u64,
                timestamp: 0,
                opus: payload.into(),
                level: None,
            },
            at(0),
        );
        assert!(!taken, "{sequence}");
    }
    assert_eq!(jitter.counts().refused, 4);
}

#[test]
fn the_delay_follows_the_jitter() {
    let check = |jitter_ms: u64, expected: std::ops::RangeInclusive<i64>| {
        let mut jitter = Jitter::default();
        for sequence in 0..500u64 {
            let late = (sequence * 7_919) % (jitter_ms + 1);
            jitter.push(
                packet(sequence, sequence as u32 * 960),
                at(sequence * 20 + late),
            );
            jitter.settle(0);
            jitter.pop();
        }
        let delay = jitter.delay() / 48;
        assert!(
            expected.contains(&delay),
            "{jitter_ms} ms of jitter: {delay} ms of delay"
        );
    };
    check(0, 40..=40);
    check(60, 60..=90);
    check(150, 130..=180);
    check(900, 200..=200);
}
