//! Shapley values as the solution of a least squares problem (Lundberg & Lee 2017), over some coalitions.
//!
//! They are the slopes of the additive game that is nearest to v among those that agree with it on no
//! players and on all of them, where a coalition of size s weighs `(n − 1) / (C(n, s) s (n − s))`. In that
//! problem every size has the same leverage, so as many coalitions of each size are drawn, without
//! replacement, each together with its complement; sizes that have no more than their share are taken
//! whole, and leave the rest to the others (Musco & Witter 2025, "Provably accurate Shapley value estimation
//! via leverage score sampling"). With a coalition and its complement, only the difference of their worths
//! counts.
//!
//! The standard error is that of the linearised solution: what each pair that was drawn adds to it, by its
//! residual (HC2 of `MacKinnon` & White 1985), has a variance within each stratum, which draws without
//! replacement lessen by the part of the stratum that they take. The 95 % interval of a value is 1.96 standard
//! errors to either side.

use whylight_kernels::least_squares::LeastSquares;

use super::draw::{Pair, Stratum};
use super::solve::Factor;

/// Spreads that are held at most: of players, by pair that was drawn.
const MOST_SPREADS: usize = 1 << 26;

/// The least squares problem over some pairs; `None` if it has no solution, or is too large to be held.
pub(super) fn problem(players: usize, pairs: &[Pair], strata: &[Stratum]) -> Option<LeastSquares> {
    let is_drawn = |pair: &Pair| strata[pair.stratum].left > 0.0;
    let drawn: Vec<u32> = (0..pairs.len() as u32)
        .filter(|&pair| is_drawn(&pairs[pair as usize]))
        .collect();
    let held = drawn.len().saturating_mul(players);
    if held > MOST_SPREADS {
        return None;
    }
    let n = players as f64;
    let weights: Vec<f64> = (pairs.iter())
        .map(|pair| strata[pair.stratum].weight * pair.times)
        .collect();
    // Σ w a aᵀ for a = members − size / n, which is 0 along (1, …, 1): there the values add up to
    // the total whatever the coalitions say.
    let mut matrix = vec![0.0; players * players];
    let mut row = vec![0.0; players];
    for (pair, weight) in pairs.iter().zip(&weights) {
        centre(pair, &mut row);
        for (i, a) in row.iter().enumerate() {
            let cells = &mut matrix[i * players..][..players];
            for (cell, b) in cells.iter_mut().zip(&row) {
                *cell += weight * a * b;
            }
        }
    }
    let trace: f64 = (0..players).map(|i| matrix[i * players + i]).sum();
    for cell in &mut matrix {
        *cell += trace / (n * n);
    }
    let factor = Factor::new(players, matrix)?;
    let mut spreads = Vec::with_capacity(held);
    let mut solved = vec![0.0; players];
    for &pair in &drawn {
        let (pair, weight) = (&pairs[pair as usize], weights[pair as usize]);
        centre(pair, &mut row);
        solved.copy_from_slice(&row);
        factor.solve(&mut solved);
        let leverage: f64 = solved.iter().zip(&row).map(|(a, b)| weight * a * b).sum();
        let stratum = &strata[pair.stratum];
        // The solution follows the pair, whose residual is so much smaller on average.
        let draw = stratum.weight / (1.0 - leverage).max(0.1).sqrt();
        let spread = (stratum.left * pair.times).sqrt() * draw;
        spreads.extend(solved.iter().map(|cell| (spread * cell) as f32));
    }
    Some(LeastSquares {
        players,
        weights,
        inverse: factor.inverse(),
        drawn,
        spreads,
    })
}

/// Which players are members, less their share.
fn centre(pair: &Pair, row: &mut [f64]) {
    row.fill(-(pair.members.len() as f64) / row.len() as f64);
    for &member in &pair.members {
        row[member as usize] += 1.0;
    }
}
