//! Values of pairs of coalitions against the definition of the least squares problem.

use whylight_kernels::least_squares::LeastSquares;

use crate::support::random::Random;

/// A problem, and worths of its coalitions.
pub(crate) struct Case {
    pub(crate) problem: LeastSquares,
    /// By pair.
    pub(crate) members: Vec<Vec<u32>>,
}

impl Case {
    /// With any numbers in the places of an inverse and of spreads: what comes of them is not asked.
    pub(crate) fn new(players: usize, pairs: usize, drawn: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut inverse = vec![0.0; players * players];
        for i in 0..players {
            for j in 0..=i {
                let cell = random.unit() - 0.25;
                inverse[i * players + j] = cell;
                inverse[j * players + i] = cell;
            }
        }
        let members = (0..pairs)
            .map(|_| {
                let part = random.unit();
                (0..players as u32)
                    .filter(|_| random.chance(part))
                    .collect()
            })
            .collect();
        // Every other one first, then the rest.
        let mut places: Vec<u32> = (0..pairs as u32).step_by(2).collect();
        places.extend((1..pairs as u32).step_by(2));
        places.truncate(drawn);
        Self {
            problem: LeastSquares {
                players,
                weights: (0..pairs).map(|_| random.unit()).collect(),
                inverse,
                spreads: (0..drawn * players)
                    .map(|_| random.unit() as f32 - 0.5)
                    .collect(),
                drawn: places,
            },
            members,
        }
    }

    /// The values and standard errors that worths give, as defined.
    fn defined(&self, worths: &[f64], total: f64) -> [Vec<f64>; 2] {
        let (n, problem) = (self.problem.players, &self.problem);
        let row = |pair: usize| -> Vec<f64> {
            let size = self.members[pair].len() as f64;
            let is_in = |player: usize| self.members[pair].contains(&(player as u32));
            (0..n)
                .map(|player| f64::from(u8::from(is_in(player))) - size / n as f64)
                .collect()
        };
        // An even division of the total is the additive game of equal values.
        let even = |pair: usize| total * self.members[pair].len() as f64 / n as f64;
        let gain = |pair: usize| {
            let of_even = even(pair) - (total - even(pair));
            (worths[2 * pair] - worths[2 * pair + 1] - of_even) / 2.0
        };
        let mut slopes = vec![0.0; n];
        for pair in 0..self.members.len() {
            let of_pair = row(pair);
            for (slope, inverse) in slopes.iter_mut().zip(problem.inverse.chunks(n)) {
                let product: f64 = inverse.iter().zip(&of_pair).map(|(a, b)| a * b).sum();
                *slope += product * problem.weights[pair] * gain(pair);
            }
        }
        let mut errors = vec![0.0; n];
        for (place, &pair) in problem.drawn.iter().enumerate() {
            let pair = pair as usize;
            let fitted: f64 = row(pair).iter().zip(&slopes).map(|(a, b)| a * b).sum();
            let spreads = &problem.spreads[place * n..];
            for (error, spread) in errors.iter_mut().zip(spreads) {
                *error += (f64::from(*spread) * (gain(pair) - fitted)).powi(2);
            }
        }
        let rest = (total - slopes.iter().sum::<f64>()) / n as f64;
        [
            slopes.iter().map(|slope| slope + rest).collect(),
            errors.into_iter().map(f64::sqrt).collect(),
        ]
    }
}

/// Players, pairs, and those of them that were drawn.
pub(crate) const SIZES: [[usize; 3]; 7] = [
    [1, 1, 1],
    [2, 3, 0],
    [7, 20, 20],
    [31, 64, 11],
    [33, 65, 40],
    [70, 130, 130],
    [301, 40, 33],
];

#[test]
fn values_of_pairs_are_as_defined() {
    for (seed, [players, pairs, drawn]) in (1..).zip(SIZES) {
        let case = Case::new(players, pairs, drawn, seed);
        let mut random = Random(seed + 100);
        let worths: Vec<f64> = (0..2 * pairs).map(|_| random.unit() - 0.5).collect();
        let problem = &case.problem;
        let gains = problem.gains(&case.members, &worths, 0.7);
        let (values, errors) = problem.values(&case.members, &gains, &gains, 0.7);
        let expected = case.defined(&worths, 0.7);
        for (got, expected) in [values, errors].iter().zip(&expected) {
            let scale = expected.iter().fold(1e-3_f64, |most, x| most.max(x.abs()));
            for (got, expected) in got.iter().zip(expected) {
                let far = (got - expected).abs();
                assert!(far <= 1e-12 * scale, "{players}: {got} is not {expected}");
            }
        }
    }
}
