//! Controls that are fitted to all pairs but those of a fold: ever more of them, each time those that say the
//! most of what the ones before leave.

use super::signs::{Layout, add_signed, table, tables};

/// Controls that are looked at again between the stages at which all are.
const CANDIDATES: usize = 512;

/// The ridges of players and of controls, as parts of the weight of all pairs.
const RIDGES: [f64; 2] = [1e-6, 3e-3];

/// What all paths share: pairs by place.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) layout: Layout,
    /// The players of whom there are controls.
    pub(super) chosen: Vec<usize>,
    /// Their places in `chosen`, three by three.
    pub(super) triples: Vec<[u8; 3]>,
    weights: Vec<f64>,
    residuals: Vec<f64>,
    /// The mean sign of the players: what every feature has that says nothing.
    means: Vec<f64>,
}

/// The features of a fit are the signs of the chosen players, then of the controls, less their mean.
#[derive(Debug)]
pub(super) struct Path<'a> {
    problem: &'a Problem,
    fold: usize,
    /// Features at most.
    most: usize,
    /// (byte, feature).
    features: Vec<u8>,
    /// (place, feature by eights).
    by_place: Vec<u8>,
    /// The Cholesky factor of their products, row by row, and the right side solved by it.
    factor: Vec<f64>,
    solved: Vec<f64>,
    /// By feature.
    slopes: Vec<f64>,
    /// By control, in the order of the features: its triple.
    controls: Vec<usize>,
    is_taken: Vec<bool>,
    candidates: Vec<usize>,
    /// What is left of the residuals, by place.
    pub(super) left: Vec<f64>,
}

impl Problem {
    /// Numbers of pairs: weights, residuals and the parts of the players that are members.
    pub(super) fn new(
        layout: Layout,
        chosen: Vec<usize>,
        weights: &[f64],
        residuals: &[f64],
        shares: impl Iterator<Item = f64>,
    ) -> Self {
        let weights = layout.spread(weights.iter().copied());
        let residuals = layout.spread(residuals.iter().copied());
        let means = layout.spread(shares.map(|share| 2.0 * share - 1.0));
        let mut triples = Vec::new();
        let count = chosen.len() as u8;
        for i in 0..count {
            for j in i + 1..count {
                triples.extend((j + 1..count).map(|k| [i, j, k]));
            }
        }
        Self {
            layout,
            chosen,
            triples,
            weights,
            residuals,
            means,
        }
    }

    /// The table of the weights of eight pairs, times other numbers if there are some. They are made anew for each
    /// fit: all of them would be 2 KiB for every eight pairs.
    fn table(&self, byte: usize, numbers: Option<&[f64]>) -> [f64; 256] {
        let places = 8 * byte..8 * byte + 8;
        let weights = &self.weights[places.clone()];
        match numbers {
            None => table(weights),
            Some(numbers) => {
                let mut products = [0.0; 8];
                let pairs = weights.iter().zip(&numbers[places]);
                for (product, (weight, number)) in products.iter_mut().zip(pairs) {
                    *product = weight * number;
                }
                table(&products)
            }
        }
    }

    /// The loss of what is left of pairs, at these places: it counts as it does for the variance of values.
    pub(super) fn loss(&self, places: std::ops::Range<usize>, left: &[f64]) -> f64 {
        let pairs = self.weights[places.clone()].iter().zip(&left[places]);
        pairs.map(|(weight, left)| (weight * left).powi(2)).sum()
    }

    /// The loss of the residuals themselves.
    pub(super) fn whole_loss(&self) -> f64 {
        self.loss(0..self.residuals.len(), &self.residuals)
    }

    /// Bytes of a control's signs, where those of a chosen player are given.
    fn signs<'b>(
        &self,
        triple: usize,
        of: &impl Fn(usize) -> &'b [u8],
    ) -> impl Iterator<Item = u8> {
        let [a, b, c] = self.triples[triple].map(|at| of(self.chosen[usize::from(at)]));
        a.iter().zip(b).zip(c).map(|((a, b), c)| a ^ b ^ c)
    }

    /// What controls say of pairs, by place, where the signs of players are given.
    pub(super) fn said<'b>(
        &self,
        controls: &[(usize, f64)],
        of: impl Fn(usize) -> &'b [u8],
    ) -> Vec<f64> {
        let mut said = vec![0.0; self.weights.len()];
        let mut of_players = vec![0.0; self.chosen.len()];
        for &(triple, slope) in controls {
            for at in self.triples[triple] {
                of_players[usize::from(at)] -= slope / 3.0;
            }
            for (byte, said) in self.signs(triple, &of).zip(said.chunks_exact_mut(8)) {
                add_signed(byte, slope, said);
            }
        }
        for (&player, slope) in self.chosen.iter().zip(of_players) {
            for (&byte, said) in of(player).iter().zip(said.chunks_exact_mut(8)) {
                add_signed(byte, slope, said);
            }
        }
        said
    }
}

impl<'a> Path<'a> {
    /// Begins with the players, for up to so many controls. `None` if their least squares have no solution.
    pub(super) fn new(problem: &'a Problem, fold: usize, controls: usize) -> Option<Self> {
        let most = problem.chosen.len() + controls;
        let places = 8 * problem.layout.bytes();
        let mut path = Self {
            problem,
            fold,
            most,
            features: vec![0; problem.layout.bytes() * most],
            by_place: vec![0; places * most.div_ceil(8)],
            factor: vec![0.0; most * most],
            solved: Vec::with_capacity(most),
            slopes: Vec::new(),
            controls: Vec::with_capacity(controls),
            is_taken: vec![false; problem.triples.len()],
            candidates: Vec::new(),
            left: problem.residuals.clone(),
        };
        for (feature, &player) in problem.chosen.iter().enumerate() {
            path.put(feature, problem.layout.player(player).iter().copied());
        }
        path.fit(problem.chosen.len())?;
        Some(path)
    }

    /// Takes so many controls in all; with `anew`, any, else of the best ones of the last time.
    pub(super) fn grow(&mut self, controls: usize, anew: bool) -> Option<()> {
        let problem = self.problem;
        let scores = self.scores(anew || self.candidates.is_empty());
        let best = |&a: &usize, &b: &usize| {
            scores[b]
                .total_cmp(&scores[a])
                .then(self.candidates[a].cmp(&self.candidates[b]))
        };
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let count = CANDIDATES.min(order.len());
        if count < order.len() {
            order.select_nth_unstable_by(count, best);
        }
        order.truncate(count);
        order.sort_unstable_by(best);
        let kept: Vec<usize> = order.iter().map(|&at| self.candidates[at]).collect();
        let wanted = controls.saturating_sub(self.controls.len());
        for &triple in kept.iter().take(wanted) {
            let feature = problem.chosen.len() + self.controls.len();
            let of = |player: usize| problem.layout.player(player);
            self.put(feature, problem.signs(triple, &of));
            self.controls.push(triple);
            self.is_taken[triple] = true;
        }
        self.candidates = kept;
        self.fit(problem.chosen.len() + self.controls.len())
    }

    /// The controls and their slopes.
    pub(super) fn controls(&self) -> Vec<(usize, f64)> {
        let slopes = &self.slopes[self.problem.chosen.len()..];
        self.controls
            .iter()
            .copied()
            .zip(slopes.iter().copied())
            .collect()
    }

    /// Bytes of all folds but the one that is left out.
    fn bytes(&self) -> impl Iterator<Item = usize> + use<> {
        let out = self.problem.layout.of_fold(self.fold);
        (0..out.start).chain(out.end..self.problem.layout.bytes())
    }

    /// What each candidate says of what is left; of all controls, if `anew`. Below 0 if it is taken.
    fn scores(&mut self, anew: bool) -> Vec<f64> {
        let problem = self.problem;
        if anew {
            self.candidates = (0..problem.triples.len()).collect();
        }
        let mut scores = vec![0.0; self.candidates.len()];
        let mut weighted = [0.0; 8];
        let mut mean = 0.0;
        let of_chosen: Vec<&[u8]> = (problem.chosen.iter())
            .map(|&player| problem.layout.player(player))
            .collect();
        let mut own = [0_u8; super::PLAYERS];
        for byte in self.bytes() {
            for (bit, weighted) in weighted.iter_mut().enumerate() {
                let place = 8 * byte + bit;
                *weighted = problem.weights[place] * self.left[place];
                mean += *weighted * problem.means[place];
            }
            let table = table(&weighted);
            for (own, of) in own.iter_mut().zip(&of_chosen) {
                *own = of[byte];
            }
            for (score, &triple) in scores.iter_mut().zip(&self.candidates) {
                let [a, b, c] = problem.triples[triple].map(|at| own[usize::from(at)]);
                *score += table[usize::from(a ^ b ^ c)];
            }
        }
        for (score, &triple) in scores.iter_mut().zip(&self.candidates) {
            *score = if self.is_taken[triple] {
                -1.0
            } else {
                (*score - mean).abs()
            };
        }
        scores
    }

    fn put(&mut self, feature: usize, signs: impl Iterator<Item = u8>) {
        let groups = self.most.div_ceil(8);
        for (byte, signs) in signs.enumerate() {
            self.features[byte * self.most + feature] = signs;
            for bit in 0..8 {
                let cell = &mut self.by_place[(8 * byte + bit) * groups + feature / 8];
                *cell |= (signs >> bit & 1) << (feature % 8);
            }
        }
    }

    /// Appends the features up to `end` to the least squares, and solves them.
    fn fit(&mut self, end: usize) -> Option<()> {
        let (problem, most, begin) = (self.problem, self.most, self.solved.len());
        let (mut all, mut of_means, mut side) = (0.0, 0.0, 0.0);
        let mut shared = vec![0.0; end];
        let mut sides = vec![0.0; end];
        for byte in self.bytes() {
            for place in 8 * byte..8 * byte + 8 {
                let (weight, mean) = (problem.weights[place], problem.means[place]);
                all += weight;
                of_means += weight * mean * mean;
                side += weight * mean * problem.residuals[place];
            }
            let features = &self.features[byte * most..][..end];
            let (means, residuals) = (
                problem.table(byte, Some(&problem.means)),
                problem.table(byte, Some(&problem.residuals)),
            );
            for ((&signs, shared), of_side) in features.iter().zip(&mut shared).zip(&mut sides) {
                *shared += means[usize::from(signs)];
                *of_side += residuals[usize::from(signs)];
            }
            let table = problem.table(byte, None);
            for (feature, &signs) in features.iter().enumerate().skip(begin) {
                let row = &mut self.factor[feature * most..][..=feature];
                for (cell, &other) in row.iter_mut().zip(features) {
                    *cell += table[usize::from(signs ^ other)];
                }
            }
        }
        for feature in begin..end {
            let (above, row) = self.factor.split_at_mut(feature * most);
            let row = &mut row[..=feature];
            for (other, shared_of) in shared.iter().enumerate().take(feature + 1) {
                row[other] += of_means - shared[feature] - shared_of;
            }
            for other in 0..feature {
                let of_other = &above[other * most..][..=other];
                let done = dot(&row[..other], &of_other[..other]);
                row[other] = (row[other] - done) / of_other[other];
            }
            let ridge = RIDGES[usize::from(feature >= problem.chosen.len())];
            let pivot = row[feature] + ridge * all - dot(&row[..feature], &row[..feature]);
            if pivot.is_nan() || pivot <= 1e-12 * all {
                return None;
            }
            row[feature] = pivot.sqrt();
            let done = dot(&row[..feature], &self.solved);
            self.solved
                .push((sides[feature] - side - done) / row[feature]);
        }
        self.slopes.clone_from(&self.solved);
        for feature in (0..end).rev() {
            let row = &self.factor[feature * most..][..=feature];
            self.slopes[feature] /= row[feature];
            let slope = self.slopes[feature];
            for (other, cell) in self.slopes.iter_mut().zip(&row[..feature]) {
                *other -= cell * slope;
            }
        }
        self.leave();
        Some(())
    }

    /// Writes what the features leave of the residuals.
    fn leave(&mut self) {
        let mut slopes = self.slopes.clone();
        slopes.resize(slopes.len().next_multiple_of(8), 0.0);
        let (sum, tables) = (slopes.iter().sum::<f64>(), tables(&slopes));
        let by_place = self.by_place.chunks_exact(self.most.div_ceil(8));
        let pairs = self.problem.residuals.iter().zip(&self.problem.means);
        for ((left, signs), (residual, mean)) in self.left.iter_mut().zip(by_place).zip(pairs) {
            let said = tables
                .iter()
                .zip(signs)
                .map(|(table, &signs)| table[usize::from(signs)]);
            *left = residual + mean * sum - said.sum::<f64>();
        }
    }
}

/// A sum of products in eight lanes, whose order is fixed.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = (a.remainder().iter().zip(b.remainder()))
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    rest + lanes.iter().sum::<f64>()
}
