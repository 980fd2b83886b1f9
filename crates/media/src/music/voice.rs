//! Two synthetic voices that babble: pulses of a throat through the three resonances of a mouth, in syllables and phrases.

use std::f32::consts::{PI, TAU};

/// Samples (4 s). A phrase: some syllables and a breath.
const PHRASE: u64 = 192_000;
/// Samples (0.7 s) of silence at a phrase's end.
const BREATH: u64 = 33_600;
const SYLLABLES_MIN: u64 = 12;
const SYLLABLES_SPAN: u64 = 5;
/// Samples (40 ms) of run-in before what is asked for, so that the resonances are as if it had always been speaking.
const RUN_IN: u64 = 1_920;
/// Hertz of the first three resonances of five vowels, as a grown man's mouth makes them.
const VOWELS: [[f32; 3]; 5] = [
    [730.0, 1090.0, 2440.0],
    [530.0, 1840.0, 2480.0],
    [300.0, 2200.0, 2950.0],
    [570.0, 840.0, 2410.0],
    [320.0, 900.0, 2240.0],
];
const BANDWIDTHS: [f32; 3] = [80.0, 100.0, 140.0];
const RATE: f32 = 48_000.0;
/// Brings speech to about -20 dBFS.
const STRENGTH: f32 = 0.9;

struct Person {
    /// Hertz.
    pitch: f32,
    /// A shorter throat resonates higher.
    mouth: f32,
    /// Samples by which the phrases of one begin after the other's.
    offset: u64,
}

const PEOPLE: [Person; 2] = [
    Person {
        pitch: 115.0,
        mouth: 1.0,
        offset: 0,
    },
    Person {
        pitch: 205.0,
        mouth: 1.17,
        offset: 71_000,
    },
];

/// Endless synthetic speech-like voice for the demo; `which` 0 or 1 sound clearly different (about 115 and 205 Hz). Gives
/// `out.len()` samples, mono at 48 kHz, from sample `from`; depends on nothing else, so any stretch can be made at any time.
pub fn voice(which: u8, from: u64, out: &mut [f32]) {
    let person = &PEOPLE[usize::from(which != 0)];
    let run_in = RUN_IN.min(from);
    let mut mouth = [Resonance::default(); 3];
    let mut before = 0.0;
    for step in 0..run_in + out.len() as u64 {
        let at = from - run_in + step + person.offset;
        let syllable = Syllable::at(u64::from(which), at);
        let pulse = syllable.throat(person, at);
        let breath = syllable.breath(at);
        let mut sound = (pulse - before) * 8.0 + breath;
        before = pulse;
        for (resonance, index) in mouth.iter_mut().zip(0..3) {
            sound = resonance.through(
                sound,
                syllable.formant(index) * person.mouth,
                BANDWIDTHS[index],
            );
        }
        if step >= run_in {
            out[(step - run_in) as usize] = (sound * STRENGTH).tanh() * 0.5;
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Resonance {
    last: f32,
    last_but_one: f32,
}

impl Resonance {
    fn through(&mut self, sound: f32, hertz: f32, bandwidth: f32) -> f32 {
        let radius = (-PI * bandwidth / RATE).exp();
        let turn = 2.0 * radius * (TAU * hertz / RATE).cos();
        let keep = -radius * radius;
        let out = (1.0 - turn - keep) * sound + turn * self.last + keep * self.last_but_one;
        self.last_but_one = self.last;
        self.last = out;
        out
    }
}

/// Where in the babble a sample lies.
struct Syllable {
    /// 0..1 through the syllable; negative in a breath.
    progress: f32,
    seconds: f32,
    begins: u64,
    /// 0..1 through the phrase, for the fall of the pitch.
    phrase: f32,
    seed: u64,
    next_seed: u64,
}

impl Syllable {
    fn at(which: u64, at: u64) -> Self {
        let phrase = at / PHRASE;
        let within = at % PHRASE;
        let seed = scramble(phrase * 2 + which);
        let count = SYLLABLES_MIN + seed % SYLLABLES_SPAN;
        let length = (PHRASE - BREATH) / count;
        let index = within / length;
        let begins = phrase * PHRASE + index * length;
        let silent = index >= count;
        Self {
            progress: if silent {
                -1.0
            } else {
                (at - begins) as f32 / length as f32
            },
            seconds: length as f32 / RATE,
            begins,
            phrase: within as f32 / PHRASE as f32,
            seed: scramble(seed ^ (index + 1)),
            next_seed: scramble(seed ^ (index + 2)),
        }
    }

    fn throat(&self, person: &Person, at: u64) -> f32 {
        if self.progress < 0.0 {
            return 0.0;
        }
        let t = (at - self.begins) as f32 / RATE;
        // The pitch of a syllable is a straight line, so its phase needs no memory; every syllable begins from silence.
        let lift = 1.0 + 0.16 * unit(self.seed >> 8)
            - 0.22 * (self.begins % PHRASE) as f32 / PHRASE as f32;
        let slope = 0.25 * (unit(self.seed >> 24) - 0.5) / self.seconds;
        let phase = (person.pitch * (lift * t + 0.5 * slope * t * t)).fract();
        let pulse = match phase {
            p if p < 0.4 => 0.5 * (1.0 - (PI * p / 0.4).cos()),
            p if p < 0.56 => (PI / 2.0 * (p - 0.4) / 0.16).cos(),
            _ => 0.0,
        };
        pulse * self.envelope() * (1.0 - 0.3 * self.phrase)
    }

    /// A hiss where some syllables begin, like an s or an f.
    fn breath(&self, at: u64) -> f32 {
        let hisses = self.seed.is_multiple_of(3) && (0.0..0.25).contains(&self.progress);
        if hisses {
            (unit(scramble(at)) - 0.5) * 0.25 * (self.progress * 4.0 * PI).sin()
        } else {
            0.0
        }
    }

    fn envelope(&self) -> f32 {
        let rise = ((self.progress - 0.12) / 0.2).clamp(0.0, 1.0);
        let fall = ((0.97 - self.progress) / 0.3).clamp(0.0, 1.0);
        (PI / 2.0 * rise.min(fall)).sin() * (0.6 + 0.4 * unit(self.seed >> 40))
    }

    /// The mouth glides from this vowel towards the next.
    fn formant(&self, index: usize) -> f32 {
        let (here, there) = (
            VOWELS[(self.seed % 5) as usize][index],
            VOWELS[(self.next_seed % 5) as usize][index],
        );
        let glide = ((self.progress - 0.6) / 0.4).clamp(0.0, 1.0);
        here + (there - here) * glide
    }
}

fn scramble(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn unit(x: u64) -> f32 {
    (x & 0xffff) as f32 / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(which: u8) -> Vec<f32> {
        let mut pcm = vec![0.0; 480_000];
        voice(which, 96_000, &mut pcm);
        pcm
    }

    /// The lag at which 50 ms stretches resemble themselves best, as the median in hertz.
    fn pitch(pcm: &[f32]) -> f32 {
        let mut found: Vec<usize> = Vec::new();
        for stretch in pcm.chunks_exact(2_400) {
            if stretch.iter().map(|s| s * s).sum::<f32>() < 2.0 {
                continue;
            }
            let likeness = |lag: usize| {
                let pairs = stretch.iter().zip(&stretch[lag..]);
                pairs.map(|(a, b)| a * b).sum::<f32>() / (2_400 - lag) as f32
            };
            found.extend((160..700).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))));
        }
        found.sort_unstable();
        48_000.0 / found[found.len() / 2] as f32
    }

    #[test]
    fn the_two_differ_in_pitch() {
        let (low, high) = (pitch(&speech(0)), pitch(&speech(1)));
        assert!((100.0..130.0).contains(&low), "{low}");
        assert!((180.0..235.0).contains(&high), "{high}");
    }

    #[test]
    fn they_are_as_loud_as_speech_and_pause() {
        for which in 0..2 {
            let pcm = speech(which);
            let rms = (pcm.iter().map(|s| s * s).sum::<f32>() / pcm.len() as f32).sqrt();
            assert!((0.03..0.2).contains(&rms), "{rms}");
            assert!(pcm.iter().all(|s| s.abs() <= 0.5));
            let quiet = pcm
                .chunks(960)
                .filter(|c| c.iter().all(|s| s.abs() < 0.001))
                .count();
            assert!((40..250).contains(&quiet), "{quiet}");
        }
    }

    #[test]
    fn pieces_join() {
        let whole = speech(0);
        let mut pieces = vec![0.0; whole.len()];
        for (index, piece) in pieces.chunks_mut(960).enumerate() {
            voice(0, 96_000 + index as u64 * 960, piece);
        }
        let worst = whole
            .iter()
            .zip(&pieces)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 2e-3, "{worst}");
    }
}
