//! A straight line and the universal scalability law through measured points, with intervals by a studentised bootstrap:
//! resampled residuals, and each resample judged by its own error, which keeps its word with a dozen points too.

use serde::Serialize;

use super::squares::{self, Squares};
use crate::dice::Dice;

/// Resamples behind each interval: its ends are the 25th of a thousand from both sides.
const RESAMPLES: usize = 1_000;
/// Of a hundred intervals so many hold what they speak of.
pub const CONFIDENCE: f64 = 0.95;

/// A value with the interval that holds it 95 times of 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// One measured point: a load, and what was measured at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub load: f64,
    pub value: f64,
}

/// What a load uses of a resource: `at_rest + each * load`.
#[derive(Clone, Debug)]
pub struct Line {
    squares: Squares,
    rows: Vec<[f64; squares::MOST]>,
}

impl Line {
    /// `None` with fewer than three points, at one load only, or where a use is not above 0.
    pub fn fit(samples: &[Sample]) -> Option<Self> {
        let rows: Vec<_> = samples.iter().map(|one| [1.0, one.load, 0.0]).collect();
        let values: Vec<f64> = samples.iter().map(|one| one.value).collect();
        Some(Self {
            squares: squares::fit(&rows, &values, 2)?,
            rows,
        })
    }

    pub fn at_rest(&self) -> f64 {
        self.squares.theta[0]
    }

    pub fn each(&self) -> f64 {
        self.squares.theta[1]
    }

    /// Standard deviation of a point about the line, as a share of it.
    pub fn scatter(&self) -> f64 {
        self.squares.variance.sqrt()
    }

    /// The load at which one run is expected to reach `limit`: the interval holds what a run reaches, and not only the mean
    /// of many. `None` when more load uses no more.
    pub fn reaches(&self, limit: f64, seed: u64) -> Option<Estimate> {
        let (value, error) = crossing(&self.squares, limit)?;
        let mut dice = Dice::new(seed);
        let mut strayed = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            let Some((again, off)) = self.resampled(&mut dice) else {
                continue;
            };
            // The run to come has an error of its own.
            let reached = (limit / (1.0 + off) - self.at_rest()) / self.each();
            if let Some((value, error)) = crossing(&again, limit) {
                strayed.push((value - reached) / error.max(f64::MIN_POSITIVE));
            }
        }
        // Points that lie on the line to the last digit have no interval, and need none.
        if error <= value.abs() * 1e-12 {
            return Some(Estimate {
                value,
                low: value,
                high: value,
            });
        }
        interval(value, error, strayed)
    }

    fn resampled(&self, dice: &mut Dice) -> Option<(Squares, f64)> {
        let off = draw(&self.squares.residuals, dice);
        let values = resample(&self.squares, dice);
        Some((squares::fit(&self.rows, &values, 2)?, off.max(-0.9)))
    }
}

/// Where the line reaches `limit`, and the standard error of one run that does.
fn crossing(line: &Squares, limit: f64) -> Option<(f64, f64)> {
    let [at_rest, each, _] = line.theta;
    let load = (limit - at_rest) / each;
    if each <= 0.0 || !load.is_finite() {
        return None;
    }
    let of_the_line = line.variance_of(&[-1.0 / each, -load / each, 0.0]);
    let of_the_run = line.variance * (limit / each).powi(2);
    Some((load, (of_the_line + of_the_run).sqrt()))
}

/// Gunther's law: throughput X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Universal {
    /// Throughput of one.
    pub lambda: Estimate,
    /// What waits for what is shared.
    pub sigma: Estimate,
    /// What each costs every other. Above 0 there is a load beyond which more is less.
    pub kappa: Estimate,
}

impl Universal {
    /// Samples are (N, X). `None` with fewer than four points, fewer than three loads, or where a throughput is not above 0.
    pub fn fit(samples: &[Sample], seed: u64) -> Option<Self> {
        // N/X is linear in the coefficients; loads are scaled so that the squares of large ones drown nothing.
        let scale = samples.iter().map(|one| one.load).fold(1.0, f64::max);
        let row = |load: f64| {
            [
                1.0,
                (load - 1.0) / scale,
                load * (load - 1.0) / scale / scale,
            ]
        };
        let rows: Vec<_> = samples.iter().map(|one| row(one.load)).collect();
        let values: Vec<f64> = samples.iter().map(|one| one.load / one.value).collect();
        let fit = squares::fit(&rows, &values, 3)?;
        if fit.theta[0] <= 0.0 {
            return None;
        }
        let mut dice = Dice::new(seed);
        let mut strayed: [Vec<f64>; 3] = Default::default();
        let (known, errors) = coefficients(&fit, scale);
        for _ in 0..RESAMPLES {
            let Some(again) = squares::fit(&rows, &resample(&fit, &mut dice), 3) else {
                continue;
            };
            let (values, errors) = coefficients(&again, scale);
            for at in 0..3 {
                strayed[at].push((values[at] - known[at]) / errors[at].max(f64::MIN_POSITIVE));
            }
        }
        let [of_lambda, of_sigma, of_kappa] = strayed;
        Some(Self {
            lambda: interval(known[0], errors[0], of_lambda)?,
            sigma: interval(known[1], errors[1], of_sigma)?,
            kappa: interval(known[2], errors[2], of_kappa)?,
        })
    }

    pub fn throughput(&self, load: f64) -> f64 {
        let (sigma, kappa) = (self.sigma.value, self.kappa.value);
        self.lambda.value * load / (1.0 + sigma * (load - 1.0) + kappa * load * (load - 1.0))
    }

    /// Whether each listener surely makes all others dearer: then no straight line may be drawn beyond what was tested.
    pub fn bends(&self) -> bool {
        self.kappa.low > 0.0
    }
}

/// Lambda, sigma and kappa, and their standard errors.
fn coefficients(fit: &Squares, scale: f64) -> ([f64; 3], [f64; 3]) {
    let [a, b, c] = fit.theta;
    let values = [1.0 / a, b / a / scale, c / a / scale / scale];
    let slopes = [
        [-1.0 / a / a, 0.0, 0.0],
        [-b / a / a / scale, 1.0 / a / scale, 0.0],
        [-c / a / a / scale / scale, 0.0, 1.0 / a / scale / scale],
    ];
    (
        values,
        slopes.map(|slope| fit.variance_of(&slope).max(0.0).sqrt()),
    )
}

fn draw(residuals: &[f64], dice: &mut Dice) -> f64 {
    residuals[dice.below(residuals.len() as u32) as usize]
}

fn resample(fit: &Squares, dice: &mut Dice) -> Vec<f64> {
    let one = |fitted: &f64| fitted * (1.0 + draw(&fit.residuals, dice).max(-0.9));
    fit.fitted.iter().map(one).collect()
}

/// From how far, in standard errors, resamples strayed. `None` when too few of them could be fitted to be believed.
fn interval(value: f64, error: f64, mut strayed: Vec<f64>) -> Option<Estimate> {
    strayed.retain(|one| one.is_finite());
    if strayed.len() < RESAMPLES * 9 / 10 {
        // Points that fit to the last digit leave nothing to resample.
        return (error <= value.abs() * 1e-9).then_some(Estimate {
            value,
            low: value,
            high: value,
        });
    }
    strayed.sort_by(f64::total_cmp);
    let outside = (1.0 - CONFIDENCE) / 2.0;
    let at = |share: f64| strayed[((strayed.len() - 1) as f64 * share).round() as usize];
    Some(Estimate {
        value,
        low: value - at(1.0 - outside) * error,
        high: value - at(outside) * error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADS: [f64; 6] = [1.0, 4.0, 8.0, 16.0, 24.0, 32.0];

    /// About normal, by the sum of twelve.
    fn noise(dice: &mut Dice) -> f64 {
        (0..12).map(|_| dice.part()).sum::<f64>() - 6.0
    }

    fn scaled(dice: &mut Dice, sigma: f64, kappa: f64, off: f64) -> Vec<Sample> {
        let mut samples = Vec::new();
        for load in LOADS.repeat(2) {
            let true_one =
                950.0 * load / (1.0 + sigma * (load - 1.0) + kappa * load * (load - 1.0));
            samples.push(Sample {
                load,
                value: true_one * (1.0 + off * noise(dice)),
            });
        }
        samples
    }

    #[test]
    fn known_sigma_and_kappa_lie_within_their_intervals() {
        for (sigma, kappa) in [(0.02, 0.000_5), (0.05, 0.0), (0.1, 0.002)] {
            let (mut sigmas, mut kappas, mut bends) = (0, 0, 0);
            for seed in 0..100 {
                let samples = scaled(&mut Dice::new(seed), sigma, kappa, 0.02);
                let fit = Universal::fit(&samples, seed).expect("a fit");
                sigmas += u32::from(fit.sigma.holds(sigma));
                kappas += u32::from(fit.kappa.holds(kappa));
                bends += u32::from(fit.bends());
            }
            println!(
                "sigma {sigma}: {sigmas} of 100, kappa {kappa}: {kappas} of 100, seen to bend: {bends}"
            );
            // 95 are expected; fewer than 91 would be chance one time in forty.
            assert!(
                sigmas >= 91 && kappas >= 91,
                "{sigma} {kappa}: {sigmas} and {kappas} of 100"
            );
            // An interval that held everything would say nothing.
            assert!(
                if kappa > 0.000_4 {
                    bends >= 90
                } else {
                    bends <= 6
                },
                "{bends} of 100 seen to bend"
            );
        }
    }

    #[test]
    fn exact_points_of_the_law_are_found_again() {
        let samples = scaled(&mut Dice::new(1), 0.03, 0.000_2, 0.0);
        let fit = Universal::fit(&samples, 1).expect("a fit");
        for (got, known) in [(fit.lambda, 950.0), (fit.sigma, 0.03), (fit.kappa, 0.000_2)] {
            assert!(
                (got.value / known - 1.0).abs() < 1e-6,
                "{got:?} and not {known}"
            );
        }
        assert!((fit.throughput(16.0) / samples[3].value - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_line_says_where_a_run_twice_as_far_ends() {
        let (mut held, mut widths) = (0, 0.0);
        for seed in 0..100 {
            let mut dice = Dice::new(seed + 1_000);
            let mut about = |load: f64| (0.04 + load * 0.000_07) * (1.0 + 0.03 * noise(&mut dice));
            let samples: Vec<Sample> = [1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]
                .repeat(2)
                .into_iter()
                .map(|load| Sample {
                    load,
                    value: about(load),
                })
                .collect();
            let line = Line::fit(&samples).expect("a line");
            let limit = 0.04 + 10_000.0 * 0.000_07;
            let reaches = line.reaches(limit, seed).expect("a load");
            let really = (limit / (about(10_000.0) / limit) - 0.04) / 0.000_07;
            held += u32::from(reaches.holds(really));
            widths += (reaches.high - reaches.low) / reaches.value / 100.0;
        }
        println!(
            "{held} of 100 runs ended within the interval, whose width is {widths:.3} of the load"
        );
        assert!((91..=100).contains(&held), "{held} of 100");
        assert!(
            (0.05..0.4).contains(&widths),
            "an interval as wide as {widths}"
        );
    }

    #[test]
    fn exact_points_have_no_width_and_flat_ones_no_end() {
        let samples = |each: f64| {
            [100.0, 200.0, 300.0, 400.0, 500.0].map(|load| Sample {
                load,
                value: 20.0 + each * load,
            })
        };
        let line = Line::fit(&samples(1.0)).expect("a line");
        let reaches = line.reaches(1_020.0, 1).expect("a load");
        assert!(
            (reaches.value - 1_000.0).abs() < 1e-6 && reaches.high - reaches.low < 1e-3,
            "{reaches:?}"
        );
        assert!(
            Line::fit(&samples(0.0))
                .expect("a line")
                .reaches(1_000.0, 1)
                .is_none()
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let samples = scaled(&mut Dice::new(3), 0.05, 0.001, 0.02);
        assert_eq!(Universal::fit(&samples, 9), Universal::fit(&samples, 9));
        assert_ne!(Universal::fit(&samples, 9), Universal::fit(&samples, 10));
    }
}
