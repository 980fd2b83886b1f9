//! How well a person's connection carries sound, counted from what arrives.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds looked back over.
const WINDOW: usize = 5;

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    received: u64,
    first: u64,
    last: u64,
}

pub(super) struct Quality {
    begun: Instant,
    /// Second number and what it brought; the newest last, at most `WINDOW`.
    seconds: VecDeque<(u64, Second)>,
    jitter: f64,
    last_transit: Option<f64>,
    round_trip: Duration,
}

impl Quality {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            seconds: VecDeque::new(),
            jitter: 0.0,
            last_transit: None,
            round_trip: Duration::ZERO,
        }
    }

    /// `sequence` is extended; `rtp_time` has 48 kHz, and is absent for a packet of padding alone, by which browsers measure the way.
    pub(super) fn packet(&mut self, at: Instant, sequence: u64, rtp_time: Option<u32>) {
        let second = self.second(at);
        if self
            .seconds
            .back()
            .is_none_or(|(number, _)| *number != second)
        {
            self.seconds.push_back((
                second,
                Second {
                    received: 0,
                    first: sequence,
                    last: sequence,
                },
            ));
            if self.seconds.len() > WINDOW {
                self.seconds.pop_front();
            }
        }
        if let Some((_, counts)) = self.seconds.back_mut() {
            counts.received += 1;
            counts.first = counts.first.min(sequence);
            counts.last = counts.last.max(sequence);
        }
        let Some(rtp_time) = rtp_time else {
            return;
        };
        // RFC 3550, 6.4.1, in milliseconds. A wrap of the RTP time shows as one absurd step, which is left out.
        let transit =
            at.duration_since(self.begun).as_secs_f64() * 1_000.0 - f64::from(rtp_time) / 48.0;
        if let Some(last) = self.last_transit.replace(transit) {
            let step = (transit - last).abs();
            if step < 10_000.0 {
                self.jitter += (step - self.jitter) / 16.0;
            }
        }
    }

    pub(super) fn round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Loss share (0..1), jitter and round trip in milliseconds; the round trip is 0 while it is not known.
    pub(super) fn report(&self, now: Instant) -> (f32, f32, f32) {
        let oldest = self.second(now).saturating_sub(WINDOW as u64);
        let recent = || {
            self.seconds
                .iter()
                .filter(|(number, _)| *number >= oldest)
                .map(|(_, counts)| counts)
        };
        let received: u64 = recent().map(|counts| counts.received).sum();
        let first = recent().map(|counts| counts.first).min();
        let last = recent().map(|counts| counts.last).max();
        let loss = match (first, last) {
            (Some(first), Some(last)) => {
                1.0 - (received as f32 / (last - first + 1) as f32).min(1.0)
            }
            _ => 1.0,
        };
        (
            loss,
            self.jitter as f32,
            self.round_trip.as_secs_f32() * 1_000.0,
        )
    }

    fn second(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.begun).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_not_lost() {
        let begun = Instant::now();
        let mut quality = Quality::new(begun);
        for sequence in 0..200_u64 {
            let time = (sequence % 4 != 3).then_some((sequence * 960) as u32);
            quality.packet(begun + Duration::from_millis(sequence * 20), sequence, time);
        }
        let (loss, jitter, _) = quality.report(begun + Duration::from_secs(4));
        assert!(loss == 0.0 && jitter < 0.01, "{loss} {jitter}");
    }

    #[test]
    fn every_fourth_packet_lost_is_a_quarter() {
        let begun = Instant::now();
        let mut quality = Quality::new(begun);
        for sequence in (0..400_u64).filter(|sequence| sequence % 4 != 3) {
            quality.packet(
                begun + Duration::from_millis(sequence * 20),
                70_000 + sequence,
                Some((sequence * 960) as u32),
            );
        }
        let (loss, jitter, _) = quality.report(begun + Duration::from_secs(8));
        assert!((0.23..0.27).contains(&loss), "{loss}");
        assert!(jitter < 0.01, "{jitter}");
        assert_eq!(
            quality.report(begun + Duration::from_secs(60)).0,
            1.0,
            "nothing arrives any more"
        );
    }
}
