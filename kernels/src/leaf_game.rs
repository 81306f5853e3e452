//! The Shapley values of the game of one leaf, for every set of its conditions that a row can meet.
//!
//! A leaf pays its value to the coalitions that meet all conditions of its path, one condition per
//! feature (or group of features). The worth of a coalition is a product over the conditions, so
//! its multilinear extension is one, too, and a Shapley value is the integral of its derivative
//! along the diagonal (Owen 1972), which Gauss–Legendre quadrature integrates exactly.

use crate::legendre::Rule;

/// The values of one leaf and the memory to compute them. A set of conditions has bit k for
/// condition k.
pub(crate) struct LeafGame {
    /// Sets of the most conditions.
    entries: usize,
    /// By condition, or pair of conditions, and set of conditions that the row meets.
    values: Vec<f64>,
    product: Vec<f64>,
    sums: [Vec<f64>; 6],
}

/// The place of a pair i < j among the pairs of so many, in the order (0, 1), (0, 2), …, (1, 2), ….
pub(crate) fn pair(i: usize, j: usize, count: usize) -> usize {
    i * (2 * count - i - 1) / 2 + j - i - 1
}

impl LeafGame {
    /// For leaves of at most so many conditions, and so many values of each set.
    pub(crate) fn new(conditions: usize, values: usize) -> Self {
        let entries = 1 << conditions;
        Self {
            entries,
            values: vec![0.0; entries * values],
            product: vec![0.0; entries],
            sums: std::array::from_fn(|_| vec![0.0; entries]),
        }
    }

    /// The values of condition, or pair of conditions, `k`, by set of conditions that the row meets.
    #[inline(always)]
    pub(crate) fn values(&self, k: usize) -> &[f64] {
        &self.values[k * self.entries..][..self.entries]
    }

    /// The game of Lundberg et al. (2020), `v(S) = value · ∏_{j∈S} [j met] · ∏_{j∉S} z_j` with
    /// `z_j` the fraction of the cover that meets condition j:
    /// `φ_i = value ([i met] − z_i) ∫₀¹ ∏_{j≠i} [z_j (1 − u) + [j met] u] du`.
    pub(crate) fn path_dependent(&mut self, rule: &Rule, fractions: &[f64], value: f64) {
        let sets = 1_usize << fractions.len();
        for values in self.values.chunks_mut(self.entries).take(fractions.len()) {
            values[..sets].fill(0.0);
        }
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            self.multiply(u, weight * value, fractions);
            let values = self.values.chunks_mut(self.entries);
            for (k, (z, values)) in fractions.iter().zip(values).enumerate() {
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
    pub(crate) fn path_dependent_pairs(&mut self, rule: &Rule, fractions: &[f64], value: f64) {
        let count = fractions.len();
        let sets = 1_usize << count;
        let pairs = count * count.saturating_sub(1) / 2;
        for values in self.values.chunks_mut(self.entries).take(pairs) {
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
                    let values = &mut self.values[pair(i, j, count) * self.entries..][..sets];
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
    #[inline(always)]
    pub(crate) fn interventional(
        &mut self,
        rule: &Rule,
        conditions: usize,
        weights: &[f64],
        value: f64,
    ) {
        let sets = 1_usize << conditions;
        self.background_sums(rule, conditions, weights, value);
        let [with, without, absent, ..] = &self.sums;
        let values = self.values.chunks_mut(self.entries).take(conditions);
        for (k, values) in values.enumerate() {
            let bit = 1 << k;
            // From the sets that a row misses, which are the others in reverse.
            let blocks = values[..sets].chunks_exact_mut(2 * bit).rev();
            for (first, block) in (0..sets).step_by(2 * bit).zip(blocks) {
                let (unmet, met) = block.split_at_mut(bit);
                let (low, high) = (first..first + bit, first + bit..first + 2 * bit);
                for (value, absent) in unmet.iter_mut().rev().zip(&absent[high.clone()]) {
                    *value = -absent;
                }
                // The background rows that miss k are those that are not said to meet it.
                let sums = with[low].iter().zip(&without[high]);
                for (value, (with, without)) in met.iter_mut().rev().zip(sums) {
                    *value = with - without;
                }
            }
        }
    }

    /// What the values in that game are made of, by the set of conditions that the row misses: of one
    /// that it meets, the first number less the second of the set with it; of one that it misses, the
    /// third, negative.
    #[inline(always)]
    pub(crate) fn background_sums(
        &mut self,
        rule: &Rule,
        conditions: usize,
        weights: &[f64],
        value: f64,
    ) -> [&[f64]; 3] {
        let sets = 1_usize << conditions;
        self.sums(rule, conditions, weights, |u| {
            [value / u, 0.0, value / (1.0 - u), 0.0, 0.0, 0.0]
        });
        let [with, without, absent, ..] = &mut self.sums;
        // 1/(u (1 − u)) is 1/u + 1/(1 − u).
        let parts = with.iter().zip(&*absent);
        for (without, (with, absent)) in without[..sets].iter_mut().zip(parts) {
            *without = with + absent;
        }
        [&with[..sets], &without[..sets], &absent[..sets]]
    }

    /// The interactions of the pairs of conditions in the same game. For i and j in c alone it takes
    /// background rows that miss both, which those that contain one, or both, of them are subtracted
    /// for; for i in c alone and j in b alone those that miss i; for both in b alone all.
    pub(crate) fn interventional_pairs(
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
                let values = &mut self.values[pair(i, j, conditions) * self.entries..][..sets];
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
    #[inline(always)]
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
            let above = &mut self.product[..sets];
            for (above, share) in above.iter_mut().zip(weights) {
                *above = weight * share;
            }
            sum_over_supersets(above, u);
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

/// Replaces the number of each set s by the sum over the sets that contain it, times u for each
/// element that these miss and 1 − u for each of s.
#[inline(always)]
fn sum_over_supersets(sums: &mut [f64], u: f64) {
    let rest = 1.0 - u;
    let mut bit = 1;
    // The first elements pair numbers that stand together: a vector's worth of them at a time.
    if sums.len() >= 8 {
        for block in sums.as_chunks_mut::<8>().0 {
            for bit in [1, 2, 4] {
                for set in 0..8 {
                    if set & bit == 0 {
                        block[set] = u * block[set] + block[set | bit];
                        block[set | bit] *= rest;
                    }
                }
            }
        }
        bit = 8;
    }
    // Two elements at a time, which is half of the memory traffic.
    while 4 * bit <= sums.len() {
        for four in sums.chunks_exact_mut(4 * bit) {
            let (low, high) = four.split_at_mut(2 * bit);
            let (none, first) = low.split_at_mut(bit);
            let (second, both) = high.split_at_mut(bit);
            let low = none.iter_mut().zip(first);
            for ((none, first), (second, both)) in low.zip(second.iter_mut().zip(both)) {
                let of_none = u * *none + *first;
                let of_second = u * *second + *both;
                *none = u * of_none + of_second;
                *second = rest * of_second;
                let (of_first, of_both) = (rest * *first, rest * *both);
                *first = u * of_first + of_both;
                *both = rest * of_both;
            }
        }
        bit *= 4;
    }
    if bit < sums.len() {
        let (without, with) = sums.split_at_mut(bit);
        for (without, with) in without.iter_mut().zip(with) {
            *without = u * *without + *with;
            *with *= rest;
        }
    }
}
