//! Estimated values from some coalitions, which one of four ways to sample chooses.

use whylight_kernels::coalition_trees::CHUNK;
use whylight_kernels::least_squares::{LeastSquares, MOST_PLAYERS};

use super::draw::{self, Pair};
use super::{controls, squares};
use crate::error::{Error, Result};

/// Pairs of coalitions that an estimate draws at most: it holds the members of each.
pub(in crate::explain) const MOST_PAIRS: u32 = 1 << 18;

/// How coalitions are chosen, and values come of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::explain) enum Sampling {
    /// By their leverage in the least squares problem of [`super::squares`], each another (Musco & Witter
    /// 2025).
    Leverage,
    /// As [`Sampling::Leverage`], of what [`super::controls`] do not say.
    Adjusted,
    /// As shap's `KernelExplainer` (Lundberg & Lee 2017) draws them, for the same problem.
    Kernel,
    /// Along random orders of the players, each there and back: what a player adds to those before it, on
    /// average over the orders (Castro et al. 2009; Mitchell et al. 2022).
    Permutations,
}

/// Coalitions to evaluate, for a number of players, and how values come of them.
#[derive(Debug)]
pub(in crate::explain) struct Design {
    players: usize,
    sampling: Sampling,
    seed: u64,
    pairs: Vec<Pair>,
    /// Pairs, the first ones, that another design has evaluated.
    known: usize,
    /// Coalitions of the other pairs, each followed by its complement, then all players and none, as sets
    /// of bits: for each [`CHUNK`], by player.
    pub(in crate::explain) chunks: Vec<Chunk>,
    solver: Solver,
}

/// Up to [`CHUNK`] coalitions.
#[derive(Debug)]
pub(in crate::explain) struct Chunk {
    /// By player, the coalitions that it is in.
    pub(in crate::explain) members: Vec<[u64; CHUNK / 64]>,
    pub(in crate::explain) count: usize,
}

#[derive(Debug)]
enum Solver {
    Squares(LeastSquares),
    /// The orders of the players.
    Orders(Vec<Vec<u32>>),
}

impl Design {
    /// Refuses to draw more pairs than memory is taken for.
    pub(in crate::explain) fn check(samples: Option<u32>) -> Result<()> {
        match samples.filter(|&pairs| pairs > MOST_PAIRS) {
            None => Ok(()),
            Some(pairs) => Err(Error::Parameter {
                name: "samples",
                got: pairs.to_string(),
                allowed: format!("up to {MOST_PAIRS} pairs of coalitions"),
            }),
        }
    }

    /// Pairs that are drawn where nobody says how many.
    pub(in crate::explain) fn default_pairs(players: usize) -> usize {
        1024 + players
    }

    /// For at least two players, with about as many pairs as asked for, and no fewer than values
    /// and their errors can be estimated from. `None` for more than [`MOST_PLAYERS`].
    pub(in crate::explain) fn new(
        sampling: Sampling,
        players: usize,
        pairs: Option<u32>,
        seed: u64,
    ) -> Option<Self> {
        let pairs = pairs.map_or(Self::default_pairs(players), |pairs| pairs as usize);
        Self::make(sampling, players, pairs, seed, &[])
    }

    /// A design of more pairs, which has those of this one; they need not be evaluated again.
    pub(in crate::explain) fn grown(&self, pairs: usize) -> Option<Self> {
        Self::make(self.sampling, self.players, pairs, self.seed, &self.pairs)
    }

    fn make(
        sampling: Sampling,
        players: usize,
        pairs: usize,
        seed: u64,
        before: &[Pair],
    ) -> Option<Self> {
        if players > MOST_PLAYERS as usize {
            return None;
        }
        let least = pairs.max(3 * players);
        let (mut pairs, solver) = if sampling == Sampling::Permutations {
            let (pairs, orders) = draw::by_permutations(players, pairs, seed);
            (pairs, Solver::Orders(orders))
        } else {
            let (pairs, strata) = if sampling == Sampling::Kernel {
                draw::by_kernel(players, least, seed)
            } else {
                draw::by_leverage(players, least, seed, before)
            };
            let problem = squares::problem(players, &pairs, &strata)?;
            (pairs, Solver::Squares(problem))
        };
        Some(Self {
            players,
            sampling,
            seed,
            known: before.len(),
            chunks: chunks(players, before.len(), &mut pairs),
            pairs,
            solver,
        })
    }

    /// Coalitions to evaluate.
    pub(in crate::explain) fn coalitions(&self) -> usize {
        2 * (self.pairs.len() - self.known) + 2
    }

    /// Coalitions that values come from.
    pub(in crate::explain) fn size(&self) -> usize {
        2 * self.pairs.len() + 2
    }

    /// Whether all coalitions are among them.
    pub(in crate::explain) fn is_whole(&self) -> bool {
        match &self.solver {
            Solver::Squares(problem) => problem.drawn.is_empty(),
            Solver::Orders(_) => false,
        }
    }

    /// The coalitions one after the other, and the words of 32 bits that each has.
    pub(in crate::explain) fn masks(&self) -> (Vec<u32>, usize) {
        let words = self.players.div_ceil(32);
        let mut masks = Vec::with_capacity(words * self.coalitions());
        for chunk in &self.chunks {
            for c in 0..chunk.count {
                let start = masks.len();
                masks.resize(start + words, 0);
                for (player, members) in chunk.members.iter().enumerate() {
                    let is_in = (members[c / 64] >> (c % 64) & 1) as u32;
                    masks[start + player / 32] |= is_in << (player % 32);
                }
            }
        }
        (masks, words)
    }

    /// The values of the players and their standard errors, from what the coalitions are worth: of all the
    /// pairs, then all players and none.
    pub(in crate::explain) fn values(&self, worth: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let [.., all, none] = worth else {
            return (vec![0.0; self.players], vec![0.0; self.players]);
        };
        let total = all - none;
        match &self.solver {
            Solver::Orders(orders) => along(orders, worth, self.players),
            Solver::Squares(problem) => {
                let mut gains = problem.gains(&self.pairs, worth, total);
                if self.sampling == Sampling::Adjusted && !self.is_whole() {
                    let unfitted = controls::adjust(problem, &self.pairs, &mut gains);
                    let (values, mut errors) =
                        problem.values(&self.pairs, &gains, &unfitted.gains, total);
                    for error in &mut errors {
                        *error *= unfitted.scale;
                    }
                    return (values, errors);
                }
                problem.values(&self.pairs, &gains, &gains, total)
            }
        }
    }

    /// The least squares problem of all of the pairs, in their order, which leaves nothing else to be done;
    /// `None` where there is more to it, or another way.
    pub(in crate::explain) fn problem(&self) -> Option<(&LeastSquares, &[Pair])> {
        match &self.solver {
            Solver::Squares(problem)
                if self.known == 0 && (self.sampling != Sampling::Adjusted || self.is_whole()) =>
            {
                Some((problem, &self.pairs))
            }
            _ => None,
        }
    }
}

/// The means of what players add along orders, there and back, and their standard errors.
fn along(orders: &[Vec<u32>], worth: &[f64], players: usize) -> (Vec<f64>, Vec<f64>) {
    let (all, none) = (worth[worth.len() - 2], worth[worth.len() - 1]);
    let (mut sums, mut squares) = (vec![0.0; players], vec![0.0; players]);
    for (order, worth) in orders.iter().zip(worth.chunks_exact(2 * (players - 1))) {
        let (mut there, mut back) = (none, all);
        for (place, &player) in order.iter().enumerate() {
            let [next, rest] = match worth.get(2 * place..2 * place + 2) {
                Some(worth) => [worth[0], worth[1]],
                None => [all, none],
            };
            let added = 0.5 * (next - there + back - rest);
            sums[player as usize] += added;
            squares[player as usize] += added * added;
            (there, back) = (next, rest);
        }
    }
    let count = orders.len() as f64;
    let error = |(sum, squares): (&f64, &f64)| {
        let spread = (squares - sum * sum / count).max(0.0) / (count - 1.0);
        (spread / count).sqrt()
    };
    let errors = sums.iter().zip(&squares).map(error).collect();
    (sums.iter().map(|sum| sum / count).collect(), errors)
}

/// The coalitions of the pairs but for the first ones, and of all players and none.
fn chunks(players: usize, known: usize, pairs: &mut Vec<Pair>) -> Vec<Chunk> {
    pairs.push(Pair {
        members: (0..players as u32).collect(),
        stratum: 0,
        times: 0.0,
    });
    let chunk = |pairs: &[Pair]| {
        let mut members = vec![[0_u64; CHUNK / 64]; players];
        for (p, pair) in pairs.iter().enumerate() {
            let (word, bit) = (2 * p / 64, 2 * p % 64);
            for of_player in &mut members {
                of_player[word] |= 1 << (bit + 1);
            }
            for &member in &pair.members {
                // In the coalition, and not in its complement.
                members[member as usize][word] ^= 3 << bit;
            }
        }
        Chunk {
            members,
            count: 2 * pairs.len(),
        }
    };
    let chunks = pairs[known..].chunks(CHUNK / 2).map(chunk).collect();
    pairs.pop();
    chunks
}

#[cfg(test)]
mod tests;
