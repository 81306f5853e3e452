//! Gauss–Legendre quadrature on [0, 1], and the index that it stands for.

/// How a value weighs what a player adds to each coalition of the others.
///
/// Of a game whose multilinear extension is f, both are integrals of its derivative along the
/// diagonal u ↦ f(u, …, u) (Owen 1972): the Shapley value over all of [0, 1], the Banzhaf value at ½.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Index {
    /// The mean over all orders of the players (Shapley 1953): the values of a row add up.
    #[default]
    Shapley,
    /// The mean over all coalitions (Banzhaf 1965): the values of a row do not add up.
    Banzhaf,
}

impl Index {
    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Index::Shapley => "shapley",
            Index::Banzhaf => "banzhaf",
        }
    }

    /// Points that the values of a path over so many features need.
    pub fn points_for_path(self, features: usize) -> usize {
        match self {
            Index::Shapley => features.div_ceil(2).max(1),
            Index::Banzhaf => 1,
        }
    }

    /// The rule of so many points, at least one, for the values of a path.
    pub fn rule(self, points: usize) -> Rule {
        match self {
            Index::Shapley => Rule::new(points),
            Index::Banzhaf => {
                let mut weights = vec![0.0; points];
                weights[0] = 1.0;
                Rule {
                    points: vec![0.5; points],
                    weights,
                }
            }
        }
    }
}

/// A rule `∫₀¹ f(u) du ≈ Σ weights[q] f(points[q])`, exact for polynomials of degree 2n − 1.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The points, ascending, all inside (0, 1).
    pub points: Vec<f64>,
    /// Their weights; they sum to 1.
    pub weights: Vec<f64>,
}

impl Rule {
    /// The rule with `n` points, by Newton's method on the Legendre polynomial.
    pub fn new(n: usize) -> Self {
        let mut points = vec![0.0; n];
        let mut weights = vec![0.0; n];
        for i in 0..n {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (value, derivative) = legendre(n, x);
                slope = derivative;
                let step = value / derivative;
                x -= step;
                if step.abs() < 4.0 * f64::EPSILON {
                    break;
                }
            }
            // x descends from 1 to -1.
            points[n - 1 - i] = f64::midpoint(1.0, x);
            weights[n - 1 - i] = 1.0 / ((1.0 - x * x) * slope * slope);
        }
        Self { points, weights }
    }
}

/// The Legendre polynomial of degree `n` and its derivative at `x`, |x| < 1.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn integrates_every_monomial_up_to_its_degree() {
        for n in 1..=40 {
            let rule = Rule::new(n);
            for degree in 0..2 * n {
                let sum: f64 = rule
                    .points
                    .iter()
                    .zip(&rule.weights)
                    .map(|(u, w)| w * u.powi(degree as i32))
                    .sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!(
                    (sum - exact).abs() < 1e-14,
                    "{n} points, degree {degree}: {sum} is not {exact}"
                );
            }
        }
    }
}
