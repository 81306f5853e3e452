//! Estimated values from some coalitions: a least squares problem (Lundberg & Lee 2017) over
//! coalitions drawn by their leverage in it (Musco & Witter 2025).
//!
//! The Shapley values are the slopes of the additive game that is nearest to v among those that agree
//! with it on no players and on all of them, where a coalition of size s weighs
//! `(n − 1) / (C(n, s) s (n − s))`. In that problem every size has the same leverage, so as many
//! coalitions of each size are drawn, without replacement, each together with its complement; sizes
//! that have no more than their share are taken whole, and leave the rest to the others. With a
//! coalition and its complement, only the difference of their worths counts.
//!
//! The standard error is that of a jackknife: the pairs are dealt into [`GROUPS`] groups within each
//! size, and the values are estimated again without each of them.

use std::collections::HashSet;

use whylight_kernels::coalition_trees::CHUNK;

use super::solve::Factor;
use crate::error::{Error, Result};
use crate::random::{SplitMix64, mix};

/// Groups of the jackknife.
const GROUPS: usize = 10;

/// Pairs of coalitions that an estimate draws at most: it holds the members of each.
const MOST_PAIRS: u32 = 1 << 18;

/// Players of an estimate at most: a replicate of the jackknife holds their square.
pub(in crate::explain) const MOST_PLAYERS: usize = 1024;

/// Coalitions to evaluate, for a number of players, and how values come of them.
#[derive(Debug)]
pub(in crate::explain) struct Design {
    players: usize,
    pairs: Vec<Pair>,
    /// Coalitions of the pairs, each followed by its complement, then all players and none, as sets of
    /// bits: for each [`CHUNK`], by player.
    pub(in crate::explain) chunks: Vec<Chunk>,
    /// The whole first, then without each group.
    replicates: Vec<Replicate>,
}

/// Up to [`CHUNK`] coalitions.
#[derive(Debug)]
pub(in crate::explain) struct Chunk {
    /// By player, the coalitions that it is in.
    pub(in crate::explain) members: Vec<[u64; CHUNK / 64]>,
    pub(in crate::explain) count: usize,
}

/// A coalition and its complement.
#[derive(Debug)]
struct Pair {
    /// Ascending.
    members: Vec<u32>,
    /// The group, unless all coalitions of the size are taken.
    group: Option<usize>,
}

/// The least squares problem over some pairs.
#[derive(Debug)]
struct Replicate {
    /// By pair; 0 for those that are left out.
    weights: Vec<f64>,
    factor: Factor,
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

    /// For at least two players, with about as many pairs as asked for, and no fewer than values can
    /// be estimated from. `None` for more than [`MOST_PLAYERS`].
    pub(in crate::explain) fn new(players: usize, pairs: Option<u32>, seed: u64) -> Option<Self> {
        if players > MOST_PLAYERS {
            return None;
        }
        let least = 2 * players;
        let pairs = pairs.map_or(1024 + players, |pairs| (pairs as usize).max(least));
        let mut random = SplitMix64::new(mix(seed ^ mix(players as u64)));
        let sizes = sizes(players, pairs);
        let mut drawn = Vec::new();
        let mut next_group = 0;
        for (size, &(count, all)) in (1..).zip(&sizes) {
            let is_whole = count as f64 >= all;
            let coalitions = if is_whole {
                every(players, size)
            } else {
                draw(players, size, count, &mut random)
            };
            for members in coalitions {
                let group = (!is_whole).then_some(next_group % GROUPS);
                next_group += usize::from(!is_whole);
                drawn.push(Pair { members, group });
            }
        }
        let is_estimate = drawn.iter().any(|pair| pair.group.is_some());
        let without = (0..GROUPS).filter(|_| is_estimate).map(Some);
        let replicates = [None].into_iter().chain(without);
        let replicates = replicates.map(|group| Replicate::new(players, &drawn, group));
        Some(Self {
            players,
            replicates: replicates.collect::<Option<_>>()?,
            chunks: chunks(players, &mut drawn),
            pairs: drawn,
        })
    }

    /// Coalitions to evaluate.
    pub(in crate::explain) fn coalitions(&self) -> usize {
        2 * self.pairs.len() + 2
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

    /// The values of the players and their standard errors, from what the coalitions are worth.
    pub(in crate::explain) fn values(&self, worth: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let total = match worth {
            [.., all, none] => all - none,
            _ => 0.0,
        };
        let of = |replicate: &Replicate| replicate.values(self.players, &self.pairs, worth, total);
        let values = of(&self.replicates[0]);
        let others: Vec<Vec<f64>> = self.replicates[1..].iter().map(of).collect();
        let count = others.len().max(1) as f64;
        let error = |player: usize| {
            let mean = others.iter().map(|values| values[player]).sum::<f64>() / count;
            let squares = others.iter().map(|values| (values[player] - mean).powi(2));
            ((count - 1.0) / count * squares.sum::<f64>()).sqrt()
        };
        let errors = (0..self.players).map(error).collect();
        (values, errors)
    }
}

impl Replicate {
    /// The problem without a group; `None` if it has no solution.
    fn new(players: usize, pairs: &[Pair], without: Option<usize>) -> Option<Self> {
        let is_in = |pair: &&Pair| without.is_none() || pair.group != without;
        let mut counts = vec![0_usize; players];
        for pair in pairs.iter().filter(is_in) {
            counts[pair.members.len()] += 1;
        }
        let n = players as f64;
        let weights: Vec<f64> = (pairs.iter())
            .map(|pair| {
                if !is_in(&pair) {
                    return 0.0;
                }
                let size = pair.members.len();
                let s = size as f64;
                // The weight of all coalitions of the two sizes, or of the one that is half of all.
                let sides = if 2 * size == players { 1.0 } else { 2.0 };
                sides * (n - 1.0) / (s * (n - s)) / counts[size] as f64
            })
            .collect();
        // Σ w a aᵀ for a = members − size / n, which is 0 along (1, …, 1): there the values add up to
        // the total whatever the coalitions say.
        let mut matrix = vec![0.0; players * players];
        let mut rows = vec![0.0; players];
        for (pair, weight) in pairs.iter().zip(&weights) {
            rows.fill(-(pair.members.len() as f64) / n);
            for &member in &pair.members {
                rows[member as usize] += 1.0;
            }
            for (i, a) in rows.iter().enumerate() {
                let row = &mut matrix[i * players..][..players];
                for (cell, b) in row.iter_mut().zip(&rows) {
                    *cell += weight * a * b;
                }
            }
        }
        let trace: f64 = (0..players).map(|i| matrix[i * players + i]).sum();
        for cell in &mut matrix {
            *cell += trace / (n * n);
        }
        let factor = Factor::new(players, matrix)?;
        Some(Self { weights, factor })
    }

    fn values(&self, players: usize, pairs: &[Pair], worth: &[f64], total: f64) -> Vec<f64> {
        let n = players as f64;
        let mut values = vec![0.0; players];
        let mut shared = 0.0;
        let worths = worth.chunks_exact(2);
        for ((pair, worths), weight) in pairs.iter().zip(worths).zip(&self.weights) {
            let share = pair.members.len() as f64 / n;
            // What the pair says beside what an even division of the total does.
            let gain = 0.5 * (worths[0] - worths[1] - (2.0 * share - 1.0) * total);
            shared += weight * gain * share;
            for &member in &pair.members {
                values[member as usize] += weight * gain;
            }
        }
        for value in &mut values {
            *value -= shared;
        }
        self.factor.solve(&mut values);
        let rest = (total - values.iter().sum::<f64>()) / n;
        for value in &mut values {
            *value += rest;
        }
        values
    }
}

/// By size from 1 to half of the players: the pairs to draw, and how many there are.
fn sizes(players: usize, pairs: usize) -> Vec<(usize, f64)> {
    let mut all = 1.0;
    let sizes = (1..=players / 2).map(|size| {
        all *= (players - size + 1) as f64 / size as f64;
        let is_half = 2 * size == players;
        // A pair of halves is drawn from either side: half of the leverage, and of the pairs.
        let share = if is_half { 0.5 } else { 1.0 };
        (share, all * share)
    });
    let sizes: Vec<(f64, f64)> = sizes.collect();
    let mut taken: Vec<Option<usize>> = vec![None; sizes.len()];
    loop {
        let left = pairs.saturating_sub(taken.iter().flatten().sum()) as f64;
        let shares = sizes
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| taken.is_none());
        let shares: f64 = shares.map(|((share, _), _)| share).sum();
        let part = |share: f64| (left * share / shares).round().max(2.0);
        let mut is_done = true;
        for ((share, all), taken) in sizes.iter().zip(&mut taken) {
            if taken.is_none() && *all <= part(*share) {
                *taken = Some(all.round() as usize);
                is_done = false;
            }
        }
        if is_done {
            let sizes = sizes.into_iter().zip(taken);
            return sizes
                .map(|((share, all), taken)| (taken.unwrap_or(part(share) as usize), all))
                .collect();
        }
    }
}

/// Every coalition of a size; of a size that is half of all, those with the first player.
fn every(players: usize, size: usize) -> Vec<Vec<u32>> {
    let is_half = 2 * size == players;
    let mut coalitions = Vec::new();
    let mut members: Vec<u32> = (0..size as u32).collect();
    loop {
        if !is_half || members[0] == 0 {
            coalitions.push(members.clone());
        }
        // The next in the order of the alphabet.
        let most = |at: usize| (players - size + at) as u32;
        let Some(at) = (0..size).rev().find(|&at| members[at] < most(at)) else {
            return coalitions;
        };
        members[at] += 1;
        for next in at + 1..size {
            members[next] = members[next - 1] + 1;
        }
    }
}

/// Some coalitions of a size, each another, and none the complement of another.
fn draw(players: usize, size: usize, count: usize, random: &mut SplitMix64) -> Vec<Vec<u32>> {
    let mut known = HashSet::new();
    let mut coalitions = Vec::new();
    let mut order: Vec<u32> = (0..players as u32).collect();
    while coalitions.len() < count {
        for at in 0..size {
            order.swap(at, at + random.below(players - at));
        }
        let mut members = order[..size].to_vec();
        members.sort_unstable();
        let mut named = members.clone();
        if 2 * size == players && members[0] != 0 {
            let is_other = |player: &u32| members.binary_search(player).is_err();
            named = (0..players as u32).filter(is_other).collect();
        }
        if known.insert(named) {
            coalitions.push(members);
        }
    }
    coalitions
}

/// The coalitions of the pairs, and of all players and none.
fn chunks(players: usize, pairs: &mut Vec<Pair>) -> Vec<Chunk> {
    pairs.push(Pair {
        members: (0..players as u32).collect(),
        group: None,
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
    let chunks = pairs.chunks(CHUNK / 2).map(chunk).collect();
    pairs.pop();
    chunks
}

#[cfg(test)]
mod tests {
    use super::{Design, draw, every, sizes};
    use crate::random::SplitMix64;

    /// What a coalition of a design is worth, and its values.
    fn estimate(design: &Design, players: usize, v: &dyn Fn(&[bool]) -> f64) -> [Vec<f64>; 2] {
        let mut worth = Vec::new();
        for chunk in &design.chunks {
            for c in 0..chunk.count {
                let is_in = |p: usize| chunk.members[p][c / 64] >> (c % 64) & 1 == 1;
                let coalition: Vec<bool> = (0..players).map(is_in).collect();
                worth.push(v(&coalition));
            }
        }
        assert_eq!(worth.len(), design.coalitions());
        let (values, errors) = design.values(&worth);
        [values, errors]
    }

    #[test]
    fn an_additive_game_is_estimated_exactly_from_any_coalitions() {
        for players in [2, 3, 7, 18, 33, 200] {
            let weight = |player: usize| ((player * 37) % 11) as f64 - 4.0;
            let v = |coalition: &[bool]| {
                let members = (0..players).filter(|&player| coalition[player]);
                2.5 + members.map(weight).sum::<f64>()
            };
            let design = Design::new(players, Some(64), 3).expect("few players");
            let [values, errors] = estimate(&design, players, &v);
            for player in 0..players {
                assert!(
                    (values[player] - weight(player)).abs() < 1e-9,
                    "{players} {player}"
                );
                assert!(errors[player] < 1e-9, "{players} {player}");
            }
        }
    }

    /// A game of products of neighbours, whose values are known: half of each product to each.
    #[test]
    fn a_game_of_pairs_is_estimated_within_its_error() {
        let players = 24;
        let strength = |i: usize| ((i * 29) % 7) as f64 - 2.0;
        let v = |coalition: &[bool]| {
            let pairs = (0..players - 1).filter(|&i| coalition[i] && coalition[i + 1]);
            // A triple, so that coalitions and complements together do not give it exactly.
            let triple = coalition[0] && coalition[5] && coalition[9] && coalition[11];
            pairs.map(strength).sum::<f64>() + if triple { 8.0 } else { 0.0 }
        };
        let expected = |i: usize| {
            let mut value = if i < players - 1 {
                0.5 * strength(i)
            } else {
                0.0
            };
            value += if i > 0 { 0.5 * strength(i - 1) } else { 0.0 };
            value + if [0, 5, 9, 11].contains(&i) { 2.0 } else { 0.0 }
        };
        let mut outside = 0;
        for seed in 0..20 {
            let design = Design::new(players, None, seed).expect("few players");
            let [values, errors] = estimate(&design, players, &v);
            let total: f64 = values.iter().sum();
            assert!((total - v(&[true; 24])).abs() < 1e-9, "{total}");
            for i in 0..players {
                assert!(errors[i] > 0.0 && errors[i] < 0.5, "{i}: {}", errors[i]);
                outside += usize::from((values[i] - expected(i)).abs() > 2.0 * errors[i]);
            }
        }
        // Of 480 values 5 % are expected outside of two errors.
        assert!((1..70).contains(&outside), "{outside} of 480");
    }

    #[test]
    fn all_coalitions_are_taken_where_they_are_few() {
        let v = |coalition: &[bool]| {
            let number = (0..6).fold(0, |sum, p| 2 * sum + usize::from(coalition[p]));
            ((number * 7919 + 13) % 101) as f64
        };
        let design = Design::new(6, Some(1000), 0).expect("few players");
        assert_eq!(design.coalitions(), 64);
        let [values, errors] = estimate(&design, 6, &v);
        let mut exact =
            crate::explain::coalitions::Exact::new(6, 1, crate::explain::Index::Shapley);
        let worth = |number: usize| {
            let coalition: Vec<bool> = (0..6).map(|p| number >> p & 1 == 1).collect();
            v(&coalition)
        };
        exact.add(0, 6, &mut (0..64).map(worth).collect::<Vec<f64>>());
        for (value, exact) in values.iter().zip(exact.values()) {
            assert!((value - exact).abs() < 1e-9, "{value} is not {exact}");
        }
        assert!(errors.iter().all(|&error| error == 0.0), "{errors:?}");
    }

    #[test]
    fn coalitions_are_drawn_without_replacement() {
        assert_eq!(every(5, 2).len(), 10);
        assert_eq!(every(6, 3).len(), 10);
        let mut drawn = draw(8, 4, 35, &mut SplitMix64::new(1));
        assert_eq!(drawn.len(), 35);
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), 35);
        let total: usize = sizes(30, 1000).iter().map(|(count, _)| count).sum();
        assert!((900..1100).contains(&total), "{total}");
    }

    #[test]
    fn too_many_players_have_no_design() {
        assert!(Design::new(1025, None, 0).is_none());
    }
}
