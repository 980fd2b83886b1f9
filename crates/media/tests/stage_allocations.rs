//! A tick allocates what leaves it, the packets' bytes; beside that only the codec's encoder allocates, for its own scratch.

use bytes::Bytes;
use hustings_media::limits::{PICKED_MAX, TICK_SAMPLES};
use hustings_media::opus::Encoder;
use hustings_media::stage::{SourceKey, SourcePacket, Stage, TickOutput};
use hustings_media::time::{Epoch, MediaTime, Now};

const TICKS: u64 = 300;
const WARM: u64 = 100;

#[test]
fn a_tick_allocates_its_packets_and_what_the_encoder_takes() {
    let mut stage = Stage::new(Epoch(0), MediaTime(0), Now(0));
    let mut encoder = Encoder::new(32_000, false).unwrap();
    let (mut packets, mut codec) = (Vec::new(), 0);
    for tick in 0..TICKS as usize {
        let pcm: Vec<f32> = (0..TICK_SAMPLES)
            .map(|i| 0.1 * (((tick * TICK_SAMPLES + i) as f32) * 0.05).sin())
            .collect();
        let mut opus = Vec::with_capacity(4_000);
        let told = allocation_counter::measure(|| encoder.encode(&pcm, &mut opus).unwrap());
        codec = codec.max(told.count_total);
        packets.push(Bytes::from(opus));
    }
    (0..13).for_each(|key| stage.seat(SourceKey(key), Now(0)).unwrap());
    stage.on_air(true, Now(0));
    let mut out = TickOutput::default();
    let (mut allocations, mut made, mut longest) = (0, 0, 0);
    for tick in 0..TICKS {
        let now = Now::from_millis(100 + tick * 20);
        for key in 0..13 {
            let opus = packets[tick as usize].clone();
            let packet = SourcePacket {
                sequence: tick,
                timestamp: (tick * 960) as u32,
                opus,
                level: Some(20),
            };
            stage.packet(SourceKey(key), packet, now);
        }
        let told = allocation_counter::measure(|| stage.tick(now, &mut out));
        if tick >= WARM {
            allocations += told.count_total;
            longest = longest.max(told.count_total);
            made += 1 + out.minus.len() as u64;
        }
    }
    eprintln!(
        "{allocations} allocations for {made} packets, at most {longest} a tick; the encoder alone takes up to {codec}"
    );
    assert_eq!(out.minus.len(), PICKED_MAX);
    assert!(allocations <= made * (1 + codec));
}
