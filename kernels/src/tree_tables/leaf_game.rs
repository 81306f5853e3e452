//! The Shapley values of the game of one leaf, for every set of its conditions that a row can meet.
//!
//! A leaf pays its value to the coalitions that meet all conditions of its path, one condition per
//! feature (or group of features). The worth of a coalition is a product over the conditions, so
//! its multilinear extension is one, too, and a Shapley value is the integral of its derivative
//! along the diagonal (Owen 1972), which Gauss–Legendre quadrature integrates exactly.

use super::{MAX_ENTRIES, PAIRS, SLOTS};
use crate::legendre::Rule;

/// The values of one leaf and the memory to compute them. A set of conditions has bit k for
/// condition k.
pub(super) struct LeafGame {
    /// By condition, or pair of conditions, and set of conditions that the row meets.
    pub(super) values: Vec<[f64; MAX_ENTRIES]>,
    product: [f64; MAX_ENTRIES],
    sums: [[f64; MAX_ENTRIES]; 6],
}

/// The place of a pair i < j among the pairs of so many, in the order (0, 1), (0, 2), …, (1, 2), ….
pub(super) fn pair(i: usize, j: usize, count: usize) -> usize {
    i * (2 * count - i - 1) / 2 + j - i - 1
}

impl LeafGame {
    pub(super) fn new() -> Self {
        Self {
            values: vec![[0.0; MAX_ENTRIES]; PAIRS],
            product: [0.0; MAX_ENTRIES],
            sums: [[0.0; MAX_ENTRIES]; 6],
        }
    }

    /// The game of Lundberg et al. (2020), `v(S) = value · ∏_{j∈S} [j met] · ∏_{j∉S} z_j` with
    /// `z_j` the fraction of the cover that meets condition j:
    /// `φ_i = value ([i met] − z_i) ∫₀¹ ∏_{j≠i} [z_j (1 − u) + [j met] u] du`.
    pub(super) fn path_dependent(&mut self, rule: &Rule, fractions: &[f64], value: f64) {
        let sets = 1_usize << fractions.len();
        for values in &mut self.values[..fractions.len()] {
            values[..sets].fill(0.0);
        }
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            self.multiply(u, weight * value, fractions);
            for (k, (z, values)) in fractions.iter().zip(&mut self.values).enumerate() {
                let factors = [-1.0 / (1.0 - u), (1.0 - z) / (z * (1.0 - u) + u)];
                let products = self.product[..sets].iter().enumerate();
                for (value, (set, product)) in values.iter_mut().zip(products) {
                    *value += product * factors[set >> k & 1];
                }
            }
        }
    }

    /// The interactions of the pairs of conditions in the same game (Grabisch & Roubens 1999, and half
    /// of it for each of the two, as Lundberg et al. 2020 have it):
    /// `φ_ij = ½ value ([i met] − z_i) ([j met] − z_j) ∫₀¹ ∏_{k≠i,j} [z_k (1 − u) + [k met] u] du`.
    pub(super) fn path_dependent_pairs(&mut self, rule: &Rule, fractions: &[f64], value: f64) {
        let count = fractions.len();
        let sets = 1_usize << count;
        for values in &mut self.values[..count * count.saturating_sub(1) / 2] {
            values[..sets].fill(0.0);
        }
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            self.multiply(u, 0.5 * weight * value, fractions);
            let factors = |z: f64| [-1.0 / (1.0 - u), (1.0 - z) / (z * (1.0 - u) + u)];
            for i in 0..count {
                let of_i = factors(fractions[i]);
                for j in i + 1..count {
                    let of_j = factors(fractions[j]);
                    let both = [0, 1, 2, 3].map(|met| of_i[met & 1] * of_j[met >> 1]);
                    let values = &mut self.values[pair(i, j, count)][..sets];
                    let products = self.product[..sets].iter().enumerate();
                    for (value, (set, product)) in values.iter_mut().zip(products) {
                        *value += product * both[set >> i & 1 | (set >> j & 1) << 1];
                    }
                }
            }
        }
    }

    /// `factor ∏_j [z_j (1 − u) + [j met] u]` for every set of met conditions.
    fn multiply(&mut self, u: f64, factor: f64, fractions: &[f64]) {
        self.product[0] = factor;
        let mut filled = 1;
        for z in fractions {
            let unmet = z * (1.0 - u);
            let (low, high) = self.product.split_at_mut(filled);
            for (low, high) in low.iter_mut().zip(high) {
                *high = *low * (unmet + u);
                *low *= unmet;
            }
            filled *= 2;
        }
    }

    /// The game in which the features outside a coalition take the values of a background row, and
    /// its mean over the background: `weights` has, by set of conditions, the weight of the
    /// background rows that meet exactly these.
    ///
    /// For a row that meets c and a background row that meets b, only `c ∪ b` of all conditions
    /// pays: `φ_i = value ∫₀¹ u^(k−1) (1 − u)^t du` for i in c alone, and
    /// `−value ∫₀¹ u^k (1 − u)^(t−1) du` for i in b alone, where k conditions are in c alone and t
    /// in b alone. Of the background rows only the number of missed conditions counts, and whether
    /// they meet what the row misses: a sum over supersets for every point of the rule, so the work
    /// is that of 2^D sets, not of background rows times rows.
    pub(super) fn interventional(
        &mut self,
        rule: &Rule,
        conditions: usize,
        weights: &[f64],
        value: f64,
    ) {
        let sets = 1_usize << conditions;
        self.sums(rule, conditions, weights, |u| {
            let fewer = value / (1.0 - u);
            [value / u, fewer / u, fewer, 0.0, 0.0, 0.0]
        });
        let [with, without, absent, ..] = &self.sums;
        for (k, values) in self.values[..conditions].iter_mut().enumerate() {
            for (met, value) in values[..sets].iter_mut().enumerate() {
                let missed = !met & (sets - 1);
                *value = if met >> k & 1 == 1 {
                    // The background rows that miss k are those that are not said to meet it.
                    with[missed] - without[missed | 1 << k]
                } else {
                    -absent[missed]
                };
            }
        }
    }

    /// The interactions of the pairs of conditions in the same game. For i and j in c alone it takes
    /// background rows that miss both, which those that contain one, or both, of them are subtracted
    /// for; for i in c alone and j in b alone those that miss i; for both in b alone all.
    pub(super) fn interventional_pairs(
        &mut self,
        rule: &Rule,
        conditions: usize,
        weights: &[f64],
        value: f64,
    ) {
        let sets = 1_usize << conditions;
        let half = 0.5 * value;
        self.sums(rule, conditions, weights, |u| {
            let fewer = half / (1.0 - u);
            let fewest = fewer / (1.0 - u);
            let square = u * u;
            [
                half / square,
                fewer / square,
                fewest / square,
                fewer / u,
                fewest / u,
                fewest,
            ]
        });
        let [none, one, two, met, met_one, both] = &self.sums;
        for i in 0..conditions {
            for j in i + 1..conditions {
                let values = &mut self.values[pair(i, j, conditions)][..sets];
                let (i, j) = (1 << i, 1 << j);
                for (row, value) in values.iter_mut().enumerate() {
                    let missed = !row & (sets - 1);
                    *value = match (row & i != 0, row & j != 0) {
                        (true, true) => {
                            none[missed] - one[missed | i] - one[missed | j] + two[missed | i | j]
                        }
                        (true, false) => met_one[missed | i] - met[missed],
                        (false, true) => met_one[missed | j] - met[missed],
                        (false, false) => both[missed],
                    };
                }
            }
        }
    }

    /// For every set s of conditions, sums over the points u of the rule and the background rows that
    /// meet s and miss k conditions: `factor(u) u^k (1 − u)^|s|`, for each of the factors.
    fn sums(
        &mut self,
        rule: &Rule,
        conditions: usize,
        weights: &[f64],
        factors: impl Fn(f64) -> [f64; 6],
    ) {
        let sets = 1_usize << conditions;
        for sums in &mut self.sums {
            sums[..sets].fill(0.0);
        }
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            let mut missed = [1.0; SLOTS + 1];
            let mut kept = [weight; SLOTS + 1];
            for k in 0..conditions {
                missed[k + 1] = missed[k] * u;
                kept[k + 1] = kept[k] * (1.0 - u);
            }
            let above = &mut self.product[..sets];
            for (set, (above, weight)) in above.iter_mut().zip(weights).enumerate() {
                *above = weight * missed[conditions - set.count_ones() as usize];
            }
            sum_over_supersets(above);
            for (set, above) in above.iter_mut().enumerate() {
                *above *= kept[set.count_ones() as usize];
            }
            for (sums, factor) in self.sums.iter_mut().zip(factors(u)) {
                if factor != 0.0 {
                    for (sum, above) in sums[..sets].iter_mut().zip(&*above) {
                        *sum += factor * above;
                    }
                }
            }
        }
    }
}

/// Replaces the number of each set by the sum over the sets that contain it.
fn sum_over_supersets(sums: &mut [f64]) {
    let mut bit = 1;
    while bit < sums.len() {
        for pair in sums.chunks_exact_mut(2 * bit) {
            let (without, with) = pair.split_at_mut(bit);
            for (without, with) in without.iter_mut().zip(with) {
                *without += *with;
            }
        }
        bit *= 2;
    }
}
