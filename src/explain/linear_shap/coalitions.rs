//! Exact conditional values of a block: every coalition, by a Cholesky factor that grows and shrinks
//! by one feature.

use rayon::prelude::*;

use super::cholesky::{Factor, Square};

/// Features by which coalitions are divided into tasks, which threads share.
const PREFIX: usize = 6;

/// Tasks whose sums are held at a time.
const TASKS: usize = 8;

/// The matrices T (outputs, features, features) of a block with correlations R, in units of the
/// features' standard deviations, where the coefficients (outputs, features) are `slopes`.
pub(super) fn weights(matrix: &Square, slopes: &[Vec<f64>]) -> Vec<f64> {
    let size = matrix.size;
    let block = Block {
        matrix,
        slopes,
        targets: targets(matrix, slopes),
        shares: (0..size).map(|others| share(others, size)).collect(),
    };
    let mut sums = vec![0.0; slopes.len() * size * size];
    let prefix = size.min(PREFIX);
    let tasks: Vec<usize> = (0..1 << prefix).collect();
    // In the order of the tasks, whoever did them: the same bits on any number of threads.
    for tasks in tasks.chunks(TASKS) {
        let parts: Vec<Vec<f64>> = (tasks.par_iter())
            .map(|&task| Walk::run(&block, task, prefix))
            .collect();
        for part in parts {
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    // (outputs, cell's feature, value's feature) so far.
    let mut weights = vec![0.0; sums.len()];
    for (output, sums) in sums.chunks_exact(size * size).enumerate() {
        for (at, sum) in sums.iter().enumerate() {
            weights[(output * size + at % size) * size + at / size] = *sum;
        }
    }
    weights
}

/// R β: the covariance of each feature with each output.
pub(super) fn targets(matrix: &Square, slopes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let target = |slopes: &Vec<f64>| {
        let product = |row: usize| matrix.row(row).iter().zip(slopes).map(|(a, b)| a * b).sum();
        (0..matrix.size).map(product).collect()
    };
    slopes.iter().map(target).collect()
}

/// others! (size − others − 1)! / size!
fn share(others: usize, size: usize) -> f64 {
    let ways = (0..others).fold(1.0, |ways, k| ways * (size - 1 - k) as f64 / (k + 1) as f64);
    1.0 / (size as f64 * ways)
}

struct Block<'a> {
    matrix: &'a Square,
    slopes: &'a [Vec<f64>],
    targets: Vec<Vec<f64>>,
    /// What a coalition of so many others counts.
    shares: Vec<f64>,
}

/// A walk over the coalitions that begin alike.
struct Walk<'a> {
    block: &'a Block<'a>,
    factor: Factor<'a>,
    /// By output, the solution of `L y = (R β)_S`.
    solved: Vec<Vec<f64>>,
    /// (outputs, cell's feature, value's feature).
    sums: Vec<f64>,
    /// What each feature's value gets of the coalition's worth.
    signs: Vec<f64>,
    z: Vec<f64>,
    x: Vec<f64>,
}

impl<'a> Walk<'a> {
    /// The sums over the coalitions whose features below `prefix` are the bits of `task`.
    fn run(block: &'a Block<'a>, task: usize, prefix: usize) -> Vec<f64> {
        let size = block.matrix.size;
        let mut walk = Self {
            block,
            factor: Factor::new(block.matrix),
            solved: vec![Vec::new(); block.slopes.len()],
            sums: vec![0.0; block.slopes.len() * size * size],
            signs: vec![0.0; size],
            z: vec![0.0; size],
            x: vec![0.0; size],
        };
        for feature in (0..prefix).filter(|feature| task >> feature & 1 == 1) {
            walk.push(feature);
        }
        walk.visit(prefix);
        walk.sums
    }

    fn push(&mut self, feature: usize) {
        if self.factor.push(feature) {
            for (solved, target) in self.solved.iter_mut().zip(&self.block.targets) {
                let next = self.factor.forward(target[feature], solved);
                solved.push(next);
            }
        }
    }

    fn pop(&mut self) {
        self.factor.pop();
        let rank = self.factor.rank();
        for solved in &mut self.solved {
            solved.truncate(rank);
        }
    }

    /// Adds this coalition, and all that have more features from `next` on.
    fn visit(&mut self, next: usize) {
        if !self.factor.members.is_empty() {
            self.add();
        }
        for feature in next..self.block.matrix.size {
            self.push(feature);
            self.visit(feature + 1);
            self.pop();
        }
    }

    /// Adds what the coalition S is worth, `w · d_S` with `w = β_S + R_SS⁺ (R β − R β_S)_S`, to the
    /// values of its members, and takes it from those of the others.
    fn add(&mut self) {
        let (block, members) = (self.block, &self.factor.members);
        let (size, count) = (block.matrix.size, members.len());
        self.signs
            .fill(block.shares.get(count).map_or(0.0, |share| -share));
        for &member in members {
            self.signs[member] = block.shares[count - 1];
        }
        let rank = self.factor.rank();
        for (output, slopes) in block.slopes.iter().enumerate() {
            self.x[..count].fill(0.0);
            // The whole block leaves nothing to expect: w is β, without rounding.
            if count < size {
                let z = &mut self.z[..rank];
                z.copy_from_slice(&self.solved[output]);
                for (index, &member) in members.iter().enumerate() {
                    for (z, cell) in z.iter_mut().zip(self.factor.row(index)) {
                        *z -= cell * slopes[member];
                    }
                }
                self.factor.shortest(z, &mut self.x[..count]);
            }
            for (&member, x) in members.iter().zip(&self.x) {
                let w = slopes[member] + x;
                let sums = &mut self.sums[(output * size + member) * size..][..size];
                for (sum, sign) in sums.iter_mut().zip(&self.signs) {
                    *sum += sign * w;
                }
            }
        }
    }
}
