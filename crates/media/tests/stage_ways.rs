//! What the stage does in the situations that people meet: sound check, hold music, dead air, loss and return, late ticks.

use std::sync::Arc;

use bytes::Bytes;
use hustings_media::limits::{PICKED_MAX, STAGE_SEATS_MAX, TICK_SAMPLES};
use hustings_media::music;
use hustings_media::opus::{Decoder, Encoder, PACKET_SAMPLES_MAX};
use hustings_media::stage::{
    Bed, SourceKey, SourcePacket, SourceState, Stage, StageAlarm, StageFull, TickOutput,
};
use hustings_media::time::{Epoch, MediaTime, Now};

struct Speaker {
    key: SourceKey,
    encoder: Encoder,
    sent: u64,
    gain: f32,
    level: Option<u8>,
}

impl Speaker {
    fn new(key: u32, gain: f32) -> Self {
        Self {
            key: SourceKey(key),
            encoder: Encoder::new(32_000, false).unwrap(),
            sent: 0,
            gain,
            level: None,
        }
    }

    fn packet(&mut self) -> SourcePacket {
        let mut pcm = vec![0.0; TICK_SAMPLES];
        music::voice(
            (self.key.0 % 2) as u8,
            self.sent * 960 + u64::from(self.key.0) * 7_000,
            &mut pcm,
        );
        pcm.iter_mut().for_each(|sample| *sample *= self.gain);
        let mut opus = Vec::new();
        self.encoder.encode(&pcm, &mut opus).unwrap();
        self.sent += 1;
        SourcePacket {
            sequence: self.sent,
            timestamp: (self.sent * 960) as u32,
            opus: Bytes::from(opus),
            level: self.level,
        }
    }
}

struct House {
    stage: Stage,
    speakers: Vec<Speaker>,
    tick: u64,
    out: TickOutput,
    ears: Decoder,
    heard: Vec<f32>,
    alarms: Vec<(u64, StageAlarm)>,
}

impl House {
    fn new(speakers: Vec<Speaker>) -> Self {
        let mut stage = Stage::new(Epoch(0), MediaTime(0), Now(0));
        speakers
            .iter()
            .for_each(|speaker| stage.seat(speaker.key, Now(0)).unwrap());
        let (ears, out) = (Decoder::new().unwrap(), TickOutput::default());
        Self {
            stage,
            speakers,
            tick: 0,
            out,
            ears,
            heard: Vec::new(),
            alarms: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now::from_millis(1_000 + self.tick * 20)
    }

    fn run(&mut self, ticks: usize) -> &mut Self {
        for _ in 0..ticks {
            let now = self.now();
            for speaker in &mut self.speakers {
                self.stage.packet(speaker.key, speaker.packet(), now);
            }
            self.stage.tick(now, &mut self.out);
            self.alarms.extend(
                self.out
                    .alarms
                    .drain(..)
                    .map(|alarm| (self.tick * 20, alarm)),
            );
            let mut pcm = [0.0; PACKET_SAMPLES_MAX];
            let written = self
                .ears
                .decode(&self.out.program.as_ref().unwrap().opus, &mut pcm)
                .unwrap();
            self.heard.extend_from_slice(&pcm[..written]);
            self.tick += 1;
        }
        self
    }

    fn live(mut self) -> Self {
        self.stage.on_air(true, self.now());
        self
    }

    fn rms(&mut self) -> f32 {
        let heard = std::mem::take(&mut self.heard);
        (heard.iter().map(|s| s * s).sum::<f32>() / heard.len() as f32).sqrt()
    }

    fn states(&self) -> Vec<SourceState> {
        let mut states = Vec::new();
        self.stage.states(&mut states);
        states
    }
}

#[test]
fn before_the_start_one_is_metered_but_not_heard_and_hears_an_echo() {
    let mut house = House::new(vec![Speaker::new(1, 1.0), Speaker::new(2, 1.0)]);
    house.stage.echo(SourceKey(1), true);
    let mut own_ears = Decoder::new().unwrap();
    let (mut echo, mut lamps) = (0.0f32, 0);
    for _ in 0..150 {
        house.run(1);
        lamps = lamps.max(house.states()[1].level);
        assert_eq!(
            house
                .out
                .minus
                .iter()
                .map(|(key, _)| key.0)
                .collect::<Vec<_>>(),
            [1]
        );
        let mut pcm = [0.0; PACKET_SAMPLES_MAX];
        own_ears.decode(&house.out.minus[0].1, &mut pcm).unwrap();
        echo += pcm[..TICK_SAMPLES].iter().map(|s| s * s).sum::<f32>();
    }
    assert!(house.rms() < 1e-4, "the sound check is heard outside");
    assert!((echo / 150.0 / 960.0).sqrt() > 0.02, "no echo");
    assert!(lamps >= 5, "lamps {lamps}");
    house.stage.echo(SourceKey(1), false);
    house.run(1);
    assert!(house.out.minus.is_empty());
    house = house.live();
    house.run(150);
    assert!(house.rms() > 0.03);
}

#[test]
fn thirteen_sit_six_are_picked_and_nobody_clips() {
    let mut speakers: Vec<_> = (0..STAGE_SEATS_MAX as u32)
        .map(|key| Speaker::new(key, 2.0))
        .collect();
    speakers
        .iter_mut()
        .step_by(2)
        .for_each(|speaker| speaker.level = Some(12));
    let mut house = House::new(speakers).live();
    assert_eq!(house.stage.seat(SourceKey(99), Now(0)), Err(StageFull));
    assert_eq!(house.stage.seat(SourceKey(3), Now(0)), Ok(()));
    house.run(100);
    assert_eq!(
        house.states().iter().filter(|state| state.picked).count(),
        PICKED_MAX
    );
    assert!(house.out.minus.len() >= PICKED_MAX);
    assert!(house.heard.iter().all(|s| s.abs() < 1.0));
    house.stage.unseat(SourceKey(3));
    assert_eq!(house.stage.seat(SourceKey(99), house.now()), Ok(()));
    house.run(2);
    assert_eq!(house.states().len(), STAGE_SEATS_MAX);
}

#[test]
fn hold_music_comes_goes_and_returns_softly() {
    let mut house = House::new(vec![]);
    house.stage.hold_music(Arc::from(music::hold_loop()));
    house.run(20);
    assert!(house.rms() < 1e-4);
    house.stage.bed(Bed::HoldMusic);
    house.run(50);
    house.heard.clear();
    house.run(50);
    assert!(house.rms() > 0.02, "no music before the start");
    house = house.live();
    house.run(50);
    assert!(house.rms() > 0.02, "no music on the empty stage");
    house.speakers.push(Speaker::new(5, 0.0));
    house.stage.seat(SourceKey(5), house.now()).unwrap();
    house.run(40);
    house.heard.clear();
    house.run(20);
    assert!(house.rms() < 1e-3, "music under a speaker");
    house.speakers.clear();
    house.stage.unseat(SourceKey(5));
    house.run(50);
    assert!(house.rms() > 0.02, "no music afterwards");
    assert!(
        house
            .alarms
            .iter()
            .all(|(_, alarm)| !matches!(alarm, StageAlarm::DeadAir { .. }))
    );
}

/// After a restart the hold music is made or read again while its stage is live and empty; that takes long on a busy machine.
#[test]
fn hold_music_that_is_on_its_way_is_no_dead_air_and_music_that_never_comes_is() {
    let dead_air = |music_at_s: Option<usize>| {
        let mut house = House::new(Vec::new()).live();
        house.stage.bed(Bed::HoldMusic);
        for second in 0..35 {
            if music_at_s == Some(second) {
                house.stage.hold_music(Arc::from(music::hold_loop()));
            }
            house.run(50);
        }
        house.alarms
    };
    assert!(dead_air(Some(15)).is_empty());
    let never = dead_air(None);
    assert!(
        matches!(never[..], [(_, StageAlarm::DeadAir { silent_ms, .. })] if (20_000..21_000).contains(&silent_ms)),
        "{never:?}"
    );
}

#[test]
fn dead_air_is_told_once_with_its_reason() {
    let check = |prepare: fn(&mut House), muted: bool, zeros: bool, lost: bool| {
        let mut house = House::new(vec![Speaker::new(1, 1.0)]).live();
        house.run(50);
        prepare(&mut house);
        house.run(900);
        let dead: Vec<_> = house
            .alarms
            .iter()
            .filter(|(_, alarm)| matches!(alarm, StageAlarm::DeadAir { .. }))
            .collect();
        assert_eq!(dead.len(), 1, "{:?}", house.alarms);
        let StageAlarm::DeadAir {
            silent_ms,
            all_muted,
            zeros: told_zeros,
            lost: told_lost,
        } = dead[0].1
        else {
            unreachable!()
        };
        assert!((10_000..10_100).contains(&silent_ms));
        assert_eq!((all_muted, told_zeros, told_lost), (muted, zeros, lost));
        house.stage.hush(house.now().plus_millis(5_000));
        house.run(1);
        assert_eq!(
            house.alarms.last().map(|(_, alarm)| alarm),
            Some(&StageAlarm::DeadAirOver)
        );
    };
    check(
        |house| house.stage.mute(SourceKey(1), true),
        true,
        false,
        false,
    );
    check(|house| house.speakers[0].gain = 0.0, false, true, false);
    check(|house| house.speakers.clear(), false, false, true);
}

#[test]
fn who_is_lost_is_told_and_comes_back_to_the_same_seat() {
    let mut house = House::new(vec![Speaker::new(1, 1.0), Speaker::new(2, 1.0)]).live();
    house.run(100);
    let away = house.speakers.remove(1);
    house.run(75);
    house.rms();
    assert!(house.states()[1].lost && !house.states()[1].picked);
    house.speakers.push(away);
    house.run(75);
    assert!(!house.states()[1].lost && house.states()[1].picked);
    let told: Vec<_> = house
        .alarms
        .iter()
        .map(|(ms, alarm)| (ms / 100, alarm.clone()))
        .collect();
    assert_eq!(
        told,
        [
            (30, StageAlarm::SourceLost(SourceKey(2))),
            (35, StageAlarm::SourceBack(SourceKey(2)))
        ]
    );
}

#[test]
fn a_clock_that_runs_wrong_is_followed() {
    // One packet more or less in 200: 5,000 ppm, fifty times what a bad crystal does.
    for extra in [-1i64, 1] {
        let mut house = House::new(vec![Speaker::new(1, 1.0)]).live();
        house.run(100);
        house.heard.clear();
        for round in 0..10 {
            let mut speaker = house.speakers.pop().unwrap();
            if extra > 0 {
                house
                    .stage
                    .packet(speaker.key, speaker.packet(), house.now());
                house.speakers.push(speaker);
                house.run(1);
            } else {
                house.run(1);
                house.speakers.push(speaker);
            }
            house.run(199);
            assert!(house.rms() > 0.03, "{extra} {round}");
        }
        let counts = house.stage.packet_counts();
        assert!(
            counts.resyncs == 0 && counts.late == 0 && counts.lost == 0,
            "{counts:?}"
        );
    }
}

#[test]
fn late_ticks_are_made_up_and_media_time_has_no_holes() {
    let mut house = House::new(vec![Speaker::new(1, 1.0)]).live();
    house.run(50);
    let before = house.stage.media_time();
    let late = house.now().plus_millis(400);
    for _ in 0..20 {
        house
            .stage
            .packet(SourceKey(1), house.speakers[0].packet(), late);
    }
    for _ in 0..20 {
        house.stage.tick(late, &mut house.out);
        assert!(house.out.program.is_some());
    }
    assert_eq!(
        house.stage.media_time().0,
        before.0 + 20 * TICK_SAMPLES as u64
    );
}

#[test]
fn a_voice_is_heard_within_a_tenth_of_a_second() {
    let mut house = House::new(vec![Speaker::new(1, 1.0)]).live();
    // Let the delay settle on a calm network, then compare what went in with what comes out.
    house.run(400);
    let mut spoken = vec![0.0; 144_000];
    music::voice(1, (house.speakers[0].sent - 150) * 960 + 7_000, &mut spoken);
    let heard = &house.heard[house.heard.len() - 144_000..];
    let likeness = |lag: usize| {
        heard[lag..]
            .iter()
            .zip(&spoken)
            .map(|(a, b)| a * b)
            .sum::<f32>()
    };
    let lag = (0..9_600)
        .step_by(8)
        .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
        .unwrap();
    assert!((960..=3_840).contains(&lag), "{} ms", lag / 48);
    let strength = |pcm: &[f32]| pcm.iter().map(|s| s * s).sum::<f32>().sqrt();
    let alike = likeness(lag) / (strength(heard) * strength(&spoken));
    assert!(alike > 0.8, "only {alike} of the voice is left");
}
