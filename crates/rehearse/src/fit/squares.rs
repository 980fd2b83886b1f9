//! Least squares with up to three coefficients, for errors that grow with what is measured: what matters is by how many
//! per cent a point is off.

/// Coefficients of one fit at most.
pub(crate) const MOST: usize = 3;
type Row = [f64; MOST];

/// A fit of `terms` coefficients: values, and what is known of their errors.
#[derive(Clone, Debug)]
pub(crate) struct Squares {
    pub(crate) terms: usize,
    pub(crate) theta: Row,
    /// (X'WX)^-1: times `variance` it is the covariance of `theta`.
    pub(crate) inverse: [Row; MOST],
    /// Of the relative residuals, freed of the bias of small samples.
    pub(crate) variance: f64,
    pub(crate) fitted: Vec<f64>,
    /// Relative residuals, each set right for how much its own point pulled the fit, and their mean taken off.
    pub(crate) residuals: Vec<f64>,
}

/// `None` when there are not more points than coefficients, when the points do not tell the coefficients apart, or when a
/// value is not above 0.
pub(crate) fn fit(rows: &[Row], values: &[f64], terms: usize) -> Option<Squares> {
    let fits = (1..=MOST).contains(&terms) && rows.len() == values.len() && rows.len() > terms;
    if !fits || !values.iter().all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    // The weights rest on what is fitted and not on what was measured: else points that came out low by chance would pull.
    let mut weights: Vec<f64> = values.iter().map(|value| value.powi(-2)).collect();
    let mut solved = solve(rows, values, &weights, terms)?;
    for _ in 0..2 {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min) / 10.0;
        weights = rows
            .iter()
            .map(|row| product(row, &solved.0, terms).max(least).powi(-2))
            .collect();
        solved = solve(rows, values, &weights, terms)?;
    }
    let (theta, inverse) = solved;
    let fitted: Vec<f64> = rows.iter().map(|row| product(row, &theta, terms)).collect();
    if !fitted.iter().all(|value| *value > 0.0) {
        return None;
    }
    let relative = |(value, fitted): (&f64, &f64)| value / fitted - 1.0;
    let raw: Vec<f64> = values.iter().zip(&fitted).map(relative).collect();
    let free = (rows.len() - terms) as f64;
    let variance = raw.iter().map(|one| one * one).sum::<f64>() / free;
    let leverage = |at: usize| quadratic(&rows[at], &inverse, terms) * weights[at];
    let mut residuals: Vec<f64> = raw
        .iter()
        .enumerate()
        .map(|(at, one)| one / (1.0 - leverage(at)).max(0.05).sqrt())
        .collect();
    let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
    residuals.iter_mut().for_each(|one| *one -= mean);
    Some(Squares {
        terms,
        theta,
        inverse,
        variance,
        fitted,
        residuals,
    })
}

impl Squares {
    /// Variance of a function of the coefficients whose derivatives are `slope`.
    pub(crate) fn variance_of(&self, slope: &Row) -> f64 {
        quadratic(slope, &self.inverse, self.terms) * self.variance
    }
}

pub(crate) fn product(row: &Row, theta: &Row, terms: usize) -> f64 {
    (0..terms).map(|at| row[at] * theta[at]).sum()
}

fn quadratic(row: &Row, matrix: &[Row; MOST], terms: usize) -> f64 {
    (0..terms)
        .map(|i| {
            (0..terms)
                .map(|j| row[i] * matrix[i][j] * row[j])
                .sum::<f64>()
        })
        .sum()
}

fn solve(
    rows: &[Row],
    values: &[f64],
    weights: &[f64],
    terms: usize,
) -> Option<(Row, [Row; MOST])> {
    let (mut normal, mut right) = ([[0.0; MOST]; MOST], [0.0; MOST]);
    for ((row, value), weight) in rows.iter().zip(values).zip(weights) {
        for i in 0..terms {
            right[i] += weight * row[i] * value;
            for j in 0..terms {
                normal[i][j] += weight * row[i] * row[j];
            }
        }
    }
    let inverse = invert(normal, terms)?;
    let mut theta = [0.0; MOST];
    for (i, row) in inverse.iter().enumerate().take(terms) {
        theta[i] = product(row, &right, terms);
    }
    Some((theta, inverse))
}

/// Gauss and Jordan with pivots; `None` when the matrix is as good as singular.
fn invert(mut matrix: [Row; MOST], terms: usize) -> Option<[Row; MOST]> {
    // Rows and columns are brought to one size first, so that one bound tells what is singular.
    let scale: Vec<f64> = (0..terms).map(|at| matrix[at][at].sqrt()).collect();
    if !scale.iter().all(|one| one.is_finite() && *one > 0.0) {
        return None;
    }
    let mut inverse = [[0.0; MOST]; MOST];
    for i in 0..terms {
        inverse[i][i] = 1.0;
        for j in 0..terms {
            matrix[i][j] /= scale[i] * scale[j];
        }
    }
    for at in 0..terms {
        let pivot =
            (at..terms).max_by(|a, b| matrix[*a][at].abs().total_cmp(&matrix[*b][at].abs()))?;
        matrix.swap(at, pivot);
        inverse.swap(at, pivot);
        let size = matrix[at][at];
        if size.abs() < 1e-12 {
            return None;
        }
        for j in 0..terms {
            matrix[at][j] /= size;
            inverse[at][j] /= size;
        }
        for other in (0..terms).filter(|other| *other != at) {
            let times = matrix[other][at];
            for j in 0..terms {
                matrix[other][j] -= times * matrix[at][j];
                inverse[other][j] -= times * inverse[at][j];
            }
        }
    }
    for i in 0..terms {
        for j in 0..terms {
            inverse[i][j] /= scale[i] * scale[j];
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_points_give_their_coefficients() {
        let rows: Vec<Row> = (1..=6)
            .map(|n| {
                let n = f64::from(n);
                [1.0, n, n * n]
            })
            .collect();
        let values: Vec<f64> = rows
            .iter()
            .map(|row| 2.0 * row[0] + 3.0 * row[1] + 0.5 * row[2])
            .collect();
        let fit = fit(&rows, &values, 3).expect("a fit");
        for (got, known) in fit.theta.iter().zip([2.0, 3.0, 0.5]) {
            assert!((got - known).abs() < 1e-8, "{got} and not {known}");
        }
        assert!(fit.variance < 1e-18 && fit.residuals.iter().all(|one| one.abs() < 1e-9));
    }

    #[test]
    fn what_tells_nothing_is_refused() {
        let same = vec![[1.0, 5.0, 0.0]; 6];
        assert!(fit(&same, &[3.0; 6], 2).is_none(), "one load only");
        let two = vec![[1.0, 1.0, 0.0], [1.0, 2.0, 0.0]];
        assert!(
            fit(&two, &[1.0, 2.0], 2).is_none(),
            "no more points than coefficients"
        );
        let three = vec![[1.0, 1.0, 0.0], [1.0, 2.0, 0.0], [1.0, 3.0, 0.0]];
        for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(fit(&three, &[1.0, bad, 2.0], 2).is_none(), "{bad}");
        }
    }
}
