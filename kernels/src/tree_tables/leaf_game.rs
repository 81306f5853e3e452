//! The Shapley values of the game of one leaf, for every set of its conditions that a row can meet.
//!
//! A leaf pays its value to the coalitions that meet all conditions of its path, one condition per
//! feature (or group of features). The worth of a coalition is a product over the conditions, so
//! its multilinear extension is one, too, and a Shapley value is the integral of its derivative
//! along the diagonal (Owen 1972), which Gauss–Legendre quadrature integrates exactly.

use super::{MAX_ENTRIES, SLOTS};
use crate::legendre::Rule;

/// The values of one leaf and the memory to compute them. A set of conditions has bit k for
/// condition k.
pub(super) struct LeafGame {
    /// By condition and set of conditions that the row meets.
    pub(super) values: [[f64; MAX_ENTRIES]; SLOTS],
    product: [f64; MAX_ENTRIES],
    with: [f64; MAX_ENTRIES],
    without: [f64; MAX_ENTRIES],
    absent: [f64; MAX_ENTRIES],
}

impl LeafGame {
    pub(super) fn new() -> Self {
        Self {
            values: [[0.0; MAX_ENTRIES]; SLOTS],
            product: [0.0; MAX_ENTRIES],
            with: [0.0; MAX_ENTRIES],
            without: [0.0; MAX_ENTRIES],
            absent: [0.0; MAX_ENTRIES],
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
            self.product[0] = weight * value;
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
            for (k, (z, values)) in fractions.iter().zip(&mut self.values).enumerate() {
                let factors = [-1.0 / (1.0 - u), (1.0 - z) / (z * (1.0 - u) + u)];
                let products = self.product[..sets].iter().enumerate();
                for (value, (set, product)) in values.iter_mut().zip(products) {
                    *value += product * factors[set >> k & 1];
                }
            }
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
        for sums in [&mut self.with, &mut self.without, &mut self.absent] {
            sums[..sets].fill(0.0);
        }
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            let mut missed = [1.0; SLOTS + 1];
            let mut kept = [weight * value; SLOTS + 1];
            for k in 0..conditions {
                missed[k + 1] = missed[k] * u;
                kept[k + 1] = kept[k] * (1.0 - u);
            }
            let above = &mut self.product[..sets];
            for (set, (above, weight)) in above.iter_mut().zip(weights).enumerate() {
                *above = weight * missed[conditions - set.count_ones() as usize];
            }
            sum_over_supersets(above);
            for (set, &above) in above.iter().enumerate() {
                let kept = above * kept[set.count_ones() as usize];
                let fewer = kept / (1.0 - u);
                self.with[set] += kept / u;
                self.without[set] += fewer / u;
                self.absent[set] += fewer;
            }
        }
        for (k, values) in self.values[..conditions].iter_mut().enumerate() {
            for (met, value) in values[..sets].iter_mut().enumerate() {
                let missed = !met & (sets - 1);
                *value = if met >> k & 1 == 1 {
                    // The background rows that miss k are those that are not said to meet it.
                    self.with[missed] - self.without[missed | 1 << k]
                } else {
                    -self.absent[missed]
                };
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
