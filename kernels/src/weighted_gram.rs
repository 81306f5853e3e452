//! Weighted sums over samples, and over pairs of their features: the normal equations of a local linear model.
//!
//! A sample is told by its difference z from the explained row, one number per feature: for what is only compared, −1
//! where the sample has another value and 0 where it has the row's; for what is a quantity, the difference of the
//! standardised cells. In these coordinates the row itself is 0, so that sums keep their precision when its neighbours
//! weigh next to nothing.
//!
//! Twin: `shaders/weighted_gram.wgsl`, which weighs the samples of many rows by itself, and adds in pairs of float32.

use ndarray::Array2;

use crate::binding::{bindings, params};
use crate::symmetric::{add_lower, mirror};

bindings! {
    cells: Read, compared: Read, answers: Read, rows: Read, own: Read, models: Read, sums: Write,
}

params! {
    /// What one launch works on.
    {
        /// Rows.
        rows,
        /// Samples.
        samples,
        /// Features.
        features,
        /// Outputs.
        outputs,
        /// Numbers of a sample: 1, the differences of the features, and for the sums of answers those of the outputs.
        numbers,
        /// The bits of the kernel width.
        width,
        /// 1 and the output whose squared residuals weigh, too; 0 for none.
        residual,
        /// 0.
        zero,
    }
}

/// Samples whose weights a workgroup holds.
pub const SAMPLES_HELD: u32 = 64;

/// Samples whose bits are turned at a time.
const BLOCK: usize = 64;

/// Samples that are multiplied at a time.
const PANEL: usize = 1024;

/// Pairs of features that a product of matrices adds in the time of one pair whose bits are read by position.
const PAIR: usize = 40;

/// Those that it adds in the time in which one feature of a sample is read for it.
const CELL: usize = 150;

/// The differences of samples from a row.
#[derive(Debug, Clone)]
pub enum Differences {
    /// All are 0 or −1: by sample the features that are the row's, 64 to a word.
    Bits {
        /// Features.
        features: usize,
        /// (samples, words of the features).
        masks: Vec<u64>,
    },
    /// Any numbers.
    Dense {
        /// Features.
        features: usize,
        /// (samples, features).
        cells: Vec<f64>,
    },
}

/// Sums over samples with a weight w each, differences z, and targets t.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Σ w.
    pub weight: f64,
    /// Σ w z, by feature.
    pub z: Vec<f64>,
    /// Σ w z zᵀ, (features, features), symmetric.
    pub zz: Vec<f64>,
    /// Σ w t, by output.
    pub t: Vec<f64>,
    /// Σ w t², by output.
    pub tt: Vec<f64>,
    /// Σ w z t, (outputs, features).
    pub zt: Vec<f64>,
}

impl Differences {
    /// Of so many samples whose features are the row's where the bits of `columns`, one list of words per feature with
    /// a bit per sample, are set.
    pub fn of_bits(samples: usize, columns: &[&[u64]]) -> Self {
        let features = columns.len();
        let words = words(features);
        let mut masks = vec![0; samples * words];
        let mut square = [0_u64; BLOCK];
        for (block, masks) in masks.chunks_mut((BLOCK * words).max(1)).enumerate() {
            for (word, columns) in columns.chunks(BLOCK).enumerate() {
                square.fill(0);
                for (to, column) in square.iter_mut().zip(columns) {
                    *to = column.get(block).copied().unwrap_or_default();
                }
                transpose(&mut square);
                for (mask, &bits) in masks[word..].iter_mut().step_by(words).zip(&square) {
                    *mask = bits;
                }
            }
        }
        Self::Bits { features, masks }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        match self {
            Self::Bits { features, .. } | Self::Dense { features, .. } => *features,
        }
    }

    /// The squares of the lengths of the differences, by sample.
    pub fn squares(&self) -> Vec<f64> {
        match self {
            Self::Bits { features, masks } => {
                let equal = |mask: &[u64]| mask.iter().map(|word| word.count_ones()).sum::<u32>();
                let masks = masks.chunks(words(*features));
                masks
                    .map(|mask| *features as f64 - f64::from(equal(mask)))
                    .collect()
            }
            Self::Dense { features, cells } => {
                let rows = cells.chunks((*features).max(1));
                rows.map(|row| row.iter().map(|z| z * z).sum()).collect()
            }
        }
    }

    /// Σ z β of every sample.
    pub fn times(&self, beta: &[f64]) -> Vec<f64> {
        match self {
            Self::Bits { features, masks } => {
                let none: f64 = -beta.iter().sum::<f64>();
                let mut set = Vec::with_capacity(*features);
                let masks = masks.chunks(words(*features));
                masks
                    .map(|mask| {
                        positions(mask.iter().copied(), &mut set);
                        set.iter().fold(none, |sum, &at| sum + beta[at])
                    })
                    .collect()
            }
            Self::Dense { features, cells } => {
                let dot = |row: &[f64]| row.iter().zip(beta).map(|(z, b)| z * b).sum();
                cells.chunks((*features).max(1)).map(dot).collect()
            }
        }
    }

    /// The sums with a weight per sample, of at least 0, and for each output a target per sample.
    pub fn sums(&self, weights: &[f64], targets: &[&[f64]]) -> Sums {
        if let Self::Bits { features, masks } = self {
            let kinds = [Kind::Equal, Kind::Different];
            let kinds = kinds.map(|kind| (kind.pairs(*features, masks), kind));
            let fewest = kinds.into_iter().min_by_key(|(pairs, _)| *pairs);
            let most = weights.len() * features * (features + CELL) / PAIR;
            if let Some((_, kind)) = fewest.filter(|(pairs, _)| *pairs <= most) {
                return of_positions(*features, masks, kind, weights, targets);
            }
        }
        self.of_products(weights, targets)
    }

    /// The differences of a sample.
    fn read(&self, sample: usize, to: &mut [f64]) {
        match self {
            Self::Bits { features, masks } => {
                let words = words(*features);
                let mask = &masks[sample * words..][..words];
                for (to, word) in to.chunks_mut(BLOCK).zip(mask) {
                    for (bit, to) in to.iter_mut().enumerate() {
                        *to = (word >> bit & 1) as f64 - 1.0;
                    }
                }
            }
            Self::Dense { features, cells } => {
                to.copy_from_slice(&cells[sample * features..][..*features]);
            }
        }
    }

    /// Sums as products of matrices, whose rows are samples times the roots of their weights.
    fn of_products(&self, weights: &[f64], targets: &[&[f64]]) -> Sums {
        let (features, samples) = (self.features(), weights.len());
        let mut sums = of_targets(weights, targets, features);
        let mut zz = Array2::zeros((features, features));
        let mut z = vec![0.0; features];
        for first in (0..samples).step_by(PANEL) {
            let panel = first..(first + PANEL).min(samples);
            let mut x = Array2::zeros((panel.len(), features));
            for (sample, mut x) in panel.zip(x.outer_iter_mut()) {
                self.read(sample, &mut z);
                let (weight, root) = (weights[sample], weights[sample].sqrt());
                add(weight, &z, &mut sums.z);
                for (target, zt) in targets.iter().zip(sums.zt.chunks_mut(features.max(1))) {
                    add(weight * target[sample], &z, zt);
                }
                for (x, z) in x.iter_mut().zip(&z) {
                    *x = root * z;
                }
            }
            add_lower(1.0, &x.t(), &x.t(), zz.view_mut());
        }
        mirror(zz.view_mut());
        sums.zz = zz.into_raw_vec_and_offset().0;
        sums
    }
}

/// Adds numbers times a weight.
fn add(weight: f64, numbers: &[f64], to: &mut [f64]) {
    for (to, number) in to.iter_mut().zip(numbers) {
        *to += weight * number;
    }
}

impl Sums {
    /// Those of some features.
    #[must_use]
    pub fn among(self, some: &[usize]) -> Self {
        let size = self.z.len();
        let of = |numbers: &[f64]| -> Vec<f64> { some.iter().map(|&at| numbers[at]).collect() };
        let zz = some.iter().flat_map(|&i| of(&self.zz[i * size..]));
        Self {
            z: of(&self.z),
            zz: zz.collect(),
            zt: self.zt.chunks(size.max(1)).flat_map(of).collect(),
            ..self
        }
    }
}

/// What positions are read of: few bits say as much as all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Features that are the row's.
    Equal,
    /// Features that are not.
    Different,
}

impl Kind {
    /// The bits of a mask that are of this kind.
    fn bits(self, features: usize, mask: &[u64]) -> impl Iterator<Item = u64> {
        let flip = if self == Self::Equal { 0 } else { u64::MAX };
        mask.iter().enumerate().map(move |(at, word)| {
            let beyond = ((at + 1) * BLOCK).saturating_sub(features);
            let inside = u64::MAX.checked_shr(beyond as u32).unwrap_or_default();
            (word ^ flip) & inside
        })
    }

    /// Pairs of features of this kind, over all samples.
    fn pairs(self, features: usize, masks: &[u64]) -> usize {
        let pairs = |mask: &[u64]| {
            let set = self.bits(features, mask).map(u64::count_ones).sum::<u32>() as usize;
            set * (set + 1) / 2
        };
        masks.chunks(words(features)).map(pairs).sum()
    }
}

/// Words that hold a bit for each of so many features, at least one.
fn words(features: usize) -> usize {
    features.div_ceil(64).max(1)
}

/// The places of the bits that are set.
fn positions(bits: impl Iterator<Item = u64>, set: &mut Vec<usize>) {
    set.clear();
    for (word, mut left) in bits.enumerate() {
        while left != 0 {
            set.push(word * BLOCK + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// Sums of targets, which need no differences.
fn of_targets(weights: &[f64], targets: &[&[f64]], features: usize) -> Sums {
    let weighted = |target: &&[f64]| weights.iter().zip(*target).map(|(w, t)| w * t).sum();
    let squared = |target: &&[f64]| weights.iter().zip(*target).map(|(w, t)| w * t * t).sum();
    Sums {
        weight: weights.iter().sum(),
        z: vec![0.0; features],
        zz: vec![0.0; features * features],
        t: targets.iter().map(weighted).collect(),
        tt: targets.iter().map(squared).collect(),
        zt: vec![0.0; features * targets.len()],
    }
}

/// Sums over the pairs of those features of a sample that are of a kind.
fn of_positions(
    features: usize,
    masks: &[u64],
    kind: Kind,
    weights: &[f64],
    targets: &[&[f64]],
) -> Sums {
    let mut sums = of_targets(weights, targets, features);
    let mut set = Vec::with_capacity(features);
    for (sample, mask) in masks.chunks(words(features)).enumerate() {
        let weight = weights[sample];
        positions(kind.bits(features, mask), &mut set);
        for (end, &i) in set.iter().enumerate() {
            let row = &mut sums.zz[i * features..][..features];
            for &j in &set[..=end] {
                row[j] += weight;
            }
        }
        for (target, zt) in targets.iter().zip(sums.zt.chunks_mut(features.max(1))) {
            let weighted = weight * target[sample];
            for &i in &set {
                zt[i] += weighted;
            }
        }
    }
    for i in 0..features {
        sums.z[i] = sums.zz[i * features + i];
    }
    for i in 0..features {
        for j in 0..=i {
            let both = sums.zz[i * features + j];
            let different = match kind {
                Kind::Equal => sums.weight - sums.z[i] - sums.z[j] + both,
                Kind::Different => both,
            };
            sums.zz[i * features + j] = different;
            sums.zz[j * features + i] = different;
        }
    }
    // Of what is equal, z is less by 1; what is different is −1.
    for z in &mut sums.z {
        *z = match kind {
            Kind::Equal => *z - sums.weight,
            Kind::Different => -*z,
        };
    }
    for (zt, t) in sums.zt.chunks_mut(features.max(1)).zip(&sums.t) {
        for zt in zt {
            *zt = match kind {
                Kind::Equal => *zt - t,
                Kind::Different => -*zt,
            };
        }
    }
    sums
}

/// Turns a square of bits about its diagonal: bit j of word i becomes bit i of word j.
fn transpose(square: &mut [u64; BLOCK]) {
    let mut half = BLOCK / 2;
    // The low bits of each pair of squares.
    let mut low = u64::MAX >> half;
    while half > 0 {
        for block in (0..BLOCK).step_by(2 * half) {
            for i in block..block + half {
                let swapped = ((square[i] >> half) ^ square[i + half]) & low;
                square[i] ^= swapped << half;
                square[i + half] ^= swapped;
            }
        }
        half /= 2;
        low ^= low << half;
    }
}
