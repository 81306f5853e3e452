//! Control variates: games whose Shapley values are 0, so that an estimate without them is one of the same
//! values, and varies less by as much as they say of the game.
//!
//! Of a coalition and its complement the difference alone counts, in which interactions of two players cancel
//! (their value is exact): what is left begins with those of three. With a sign for each player, 1 for a member
//! and −1 for the others, the control of players i, j and k is the game `s_i s_j s_k − (s_i + s_j + s_k) / 3`.
//! Its value is 0 for each of them, by symmetry and efficiency, and with the additive games it spans the
//! interactions of three.
//!
//! This is regression adjustment (Witter, Liu & Musco 2025, "Regression-adjusted Monte Carlo estimators for
//! Shapley values and probabilistic values") with a polynomial of order 3 as the regression, whose own values
//! are known, and the least squares problem of [`super::squares`] for what it leaves. Controls are taken stage
//! by stage, those that say the most of what the ones before leave, as in orthogonal matching pursuit, by each
//! of three paths that each leave out a fold of the pairs; as many as leave the least of the pairs that they
//! were not fitted to. What is taken from the gains is the mean of the three.
//!
//! Standard errors come from what a path leaves of its own fold. The mean of the paths is nearer: the variance of
//! what it leaves is less by a third of the mean squared difference of two paths (Krogh & Vedelsby 1995, "Neural
//! network ensembles, cross validation, and active learning"), which shows at coalitions that none has seen.

mod path;
mod signs;

use whylight_kernels::least_squares::LeastSquares;

use self::path::{Path, Problem};
use self::signs::Layout;
use super::draw::Pair;
use crate::random::SplitMix64;

/// Folds of the pairs.
const FOLDS: usize = 3;

/// Players whose controls are considered at most: those of the largest values.
const PLAYERS: usize = 40;

/// Controls by stage, and the stages at which all are considered.
const STAGES: [usize; 8] = [12, 18, 27, 40, 60, 90, 135, 200];
const ANEW: [usize; 3] = [0, 2, 4];

/// Stages in a row that may leave more than the best one did.
const PATIENCE: usize = 2;

/// Parts of the loss of the gains below which what is left is rounding.
const ROUNDING: f64 = 1e-24;

/// Part of the variance that the mean of the paths has at the least.
const LEAST_PART: f64 = 0.25;

/// What is left of gains by controls that were fitted to others, and what the standard errors that come of it are
/// to be multiplied by.
#[derive(Debug)]
pub(super) struct Unfitted {
    pub(super) gains: Vec<f64>,
    pub(super) scale: f64,
}

/// Takes from the gains what controls say of them.
pub(super) fn adjust(squares: &LeastSquares, pairs: &[Pair], gains: &mut [f64]) -> Unfitted {
    let players = squares.players;
    let slopes = squares.slopes(pairs, gains);
    let residuals = squares.residuals(pairs, gains, &slopes);
    let mut unfitted = Unfitted {
        gains: gains.to_vec(),
        scale: 1.0,
    };
    let loss = |numbers: &[f64]| -> f64 {
        let pairs = numbers.iter().zip(&squares.weights);
        pairs
            .map(|(number, weight)| (weight * number).powi(2))
            .sum()
    };
    if loss(&residuals) <= ROUNDING * loss(gains) {
        return unfitted;
    }
    let mut chosen: Vec<usize> = (0..players).collect();
    chosen.sort_by(|&a, &b| slopes[b].abs().total_cmp(&slopes[a].abs()).then(a.cmp(&b)));
    chosen.truncate(PLAYERS);
    let shares = pairs
        .iter()
        .map(|pair| pair.members.len() as f64 / players as f64);
    let layout = Layout::new(players, pairs);
    let problem = Problem::new(layout, chosen, &squares.weights, &residuals, shares);
    let Some(paths) = fitted(&problem, pairs.len()) else {
        return unfitted;
    };
    let said: Vec<Vec<f64>> = (paths.iter())
        .map(|controls| problem.said(controls, |player| problem.layout.player(player)))
        .collect();
    let places = problem.layout.places.iter();
    for ((gain, unfitted), &place) in gains.iter_mut().zip(&mut unfitted.gains).zip(places) {
        let own = problem.layout.fold_of(place);
        *unfitted -= said[own][place];
        *gain -= said.iter().map(|said| said[place]).sum::<f64>() / FOLDS as f64;
    }
    unfitted.scale = scale(squares, &problem, &paths, &residuals, &said);
    unfitted
}

/// By fold: the controls that were fitted to the pairs of the others, and their slopes; `None` if none say
/// anything of the pairs that they were not fitted to.
fn fitted(problem: &Problem, pairs: usize) -> Option<Vec<Vec<(usize, f64)>>> {
    let most = (pairs / 3).min(problem.triples.len());
    let stages = STAGES.iter().take_while(|controls| **controls <= most);
    let last = *stages.clone().last()?;
    let paths = (0..FOLDS).map(|fold| Path::new(problem, fold, last));
    let mut paths: Vec<Path<'_>> = paths.collect::<Option<_>>()?;
    let (mut best, mut found, mut worse) = (problem.whole_loss(), None, 0);
    for (stage, &controls) in stages.enumerate() {
        let mut loss = 0.0;
        for (fold, path) in paths.iter_mut().enumerate() {
            if path.grow(controls, ANEW.contains(&stage)).is_none() {
                return found;
            }
            let bytes = problem.layout.of_fold(fold);
            loss += problem.loss(8 * bytes.start..8 * bytes.end, &path.left);
        }
        if loss < best {
            best = loss;
            found = Some(paths.iter().map(Path::controls).collect());
            worse = 0;
        } else {
            worse += 1;
            if worse == PATIENCE {
                break;
            }
        }
    }
    found
}

/// What the mean of the paths leaves, as a part of what one does, where pairs are drawn: the root of both variances.
fn scale(
    squares: &LeastSquares,
    problem: &Problem,
    paths: &[Vec<(usize, f64)>],
    residuals: &[f64],
    said: &[Vec<f64>],
) -> f64 {
    let players = squares.players;
    // Coalitions of the same sizes, of other players.
    let mut random = SplitMix64::new(players as u64);
    let mut others: Vec<usize> = (0..players).collect();
    for at in 1..players {
        others.swap(at, random.below(at + 1));
    }
    let elsewhere: Vec<Vec<f64>> = (paths.iter())
        .map(|controls| problem.said(controls, |player| problem.layout.player(others[player])))
        .collect();
    let (mut of_one, mut apart) = (0.0, 0.0);
    for &pair in &squares.drawn {
        let pair = pair as usize;
        let (weight, residual) = (squares.weights[pair], residuals[pair]);
        let place = problem.layout.places[pair];
        let own = problem.layout.fold_of(place);
        of_one += (weight * (residual - said[own][place])).powi(2);
        let mean = elsewhere.iter().map(|said| said[place]).sum::<f64>() / FOLDS as f64;
        let spread: f64 = elsewhere
            .iter()
            .map(|said| (said[place] - mean).powi(2))
            .sum();
        apart += weight * weight * spread / FOLDS as f64;
    }
    // The spread about the mean is a third of the mean squared difference of two of three.
    let part = 1.0 - apart / of_one.max(f64::MIN_POSITIVE);
    part.max(LEAST_PART).sqrt()
}
