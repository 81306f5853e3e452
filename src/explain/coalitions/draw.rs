//! Which coalitions an estimate is made from: in pairs of a coalition and its complement, of which the one
//! that is drawn is no larger, or has the first player.

use std::collections::{HashMap, HashSet};

use crate::random::{SplitMix64, mix};

/// A coalition and its complement.
#[derive(Debug)]
pub(in crate::explain) struct Pair {
    /// Ascending.
    pub(super) members: Vec<u32>,
    /// Where it belongs, among the strata.
    pub(super) stratum: usize,
    /// How often it was drawn.
    pub(super) times: f64,
}

impl AsRef<[u32]> for Pair {
    fn as_ref(&self) -> &[u32] {
        &self.members
    }
}

/// Pairs that were drawn from the same ones, alike.
#[derive(Debug, Clone)]
pub(super) struct Stratum {
    /// The weight of a pair in the least squares problem, each time that it was drawn.
    pub(super) weight: f64,
    /// The part of its pairs that was not drawn: the factor of the variance where draws are without
    /// replacement. 0 where all were.
    pub(super) left: f64,
}

/// The weight of all coalitions of a size in the least squares problem, and of their complements.
fn weight(players: usize, size: usize) -> f64 {
    let (n, s) = (players as f64, size as f64);
    let sides = if 2 * size == players { 1.0 } else { 2.0 };
    sides * (n - 1.0) / (s * (n - s))
}

/// As many pairs of each size as the leverage of coalitions says, without replacement, and at least those
/// that there were before: a larger number of pairs has those of a smaller one.
pub(super) fn by_leverage(
    players: usize,
    pairs: usize,
    seed: u64,
    before: &[Pair],
) -> (Vec<Pair>, Vec<Stratum>) {
    let mut known = vec![0; players / 2];
    for pair in before {
        known[pair.stratum] += 1;
    }
    let mut drawn = Vec::new();
    let mut strata = Vec::new();
    for (stratum, (count, all)) in sizes(players, pairs).into_iter().enumerate() {
        let (size, count) = (stratum + 1, count.max(known[stratum]));
        let is_whole = count as f64 >= all;
        let coalitions = if is_whole {
            every(players, size)
        } else {
            let mut random = SplitMix64::new(mix(seed ^ mix((players << 32 | size) as u64)));
            draw(players, size, count, &mut random)
        };
        let draws = coalitions.len() as f64;
        strata.push(Stratum {
            weight: weight(players, size) / draws,
            left: if is_whole { 0.0 } else { 1.0 - draws / all },
        });
        drawn.extend(coalitions.into_iter().map(|members| Pair {
            members,
            stratum,
            times: 1.0,
        }));
    }
    // Those that there were come first, in their order.
    let places: HashMap<&[u32], usize> = (before.iter().enumerate())
        .map(|(place, pair)| (&*pair.members, place))
        .collect();
    drawn.sort_by_key(|pair| places.get(&*pair.members).copied().unwrap_or(usize::MAX));
    (drawn, strata)
}

/// As shap's `KernelExplainer` has them: all coalitions of a size, from the outermost sizes on, while there
/// are pairs left for what they weigh, then some of the other sizes by their weight, with replacement.
pub(super) fn by_kernel(players: usize, pairs: usize, seed: u64) -> (Vec<Pair>, Vec<Stratum>) {
    let (mut drawn, mut strata): (Vec<Pair>, Vec<Stratum>) = (Vec::new(), Vec::new());
    let half = players / 2;
    let rest = |from: usize| (from..=half).map(|size| weight(players, size)).sum::<f64>();
    let mut all = 1.0;
    let mut size = 1;
    while size <= half {
        all *= (players - size + 1) as f64 / size as f64;
        let count = if 2 * size == players { all / 2.0 } else { all };
        let share = (pairs - drawn.len().min(pairs)) as f64 * weight(players, size) / rest(size);
        if share < count * (1.0 - 1e-8) {
            break;
        }
        let coalitions = every(players, size);
        let draws = coalitions.len() as f64;
        strata.push(Stratum {
            weight: weight(players, size) / draws,
            left: 0.0,
        });
        drawn.extend(coalitions.into_iter().map(|members| Pair {
            members,
            stratum: size - 1,
            times: 1.0,
        }));
        size += 1;
    }
    if size > half {
        return (drawn, strata);
    }
    let mut random = SplitMix64::new(mix(seed ^ mix(players as u64)));
    let (begin, stratum, wanted) = (drawn.len(), strata.len(), pairs.max(drawn_least(&drawn)));
    let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut draws = 0;
    while drawn.len() < wanted && draws < 4 * (wanted - begin) {
        let mut at = random.unit() * rest(size);
        let mut of = size;
        while of < half && at >= weight(players, of) {
            at -= weight(players, of);
            of += 1;
        }
        let members = draw(players, of, 1, &mut random).swap_remove(0);
        draws += 1;
        if let Some(&place) = places.get(&members) {
            drawn[place].times += 1.0;
        } else {
            places.insert(members.clone(), drawn.len());
            drawn.push(Pair {
                members,
                stratum,
                times: 1.0,
            });
        }
    }
    strata.push(Stratum {
        weight: rest(size) / f64::from(draws as u32),
        left: 1.0,
    });
    (drawn, strata)
}

/// Two draws at least beside those that are whole.
fn drawn_least(whole: &[Pair]) -> usize {
    whole.len() + 2
}

/// Orders of the players; of each, the coalitions of those that come first.
pub(super) fn by_permutations(
    players: usize,
    pairs: usize,
    seed: u64,
) -> (Vec<Pair>, Vec<Vec<u32>>) {
    let count = (pairs / (players - 1)).max(2);
    let mut random = SplitMix64::new(mix(seed ^ mix(players as u64)));
    let mut orders = Vec::with_capacity(count);
    let mut drawn = Vec::with_capacity(count * (players - 1));
    for _ in 0..count {
        let mut order: Vec<u32> = (0..players as u32).collect();
        for at in 0..players - 1 {
            order.swap(at, at + random.below(players - at));
        }
        for size in 1..players {
            let mut members = order[..size].to_vec();
            members.sort_unstable();
            drawn.push(Pair {
                members,
                stratum: 0,
                times: 1.0,
            });
        }
        orders.push(order);
    }
    (drawn, orders)
}

/// By size from 1 to half of the players: the pairs to draw, and how many there are.
pub(super) fn sizes(players: usize, pairs: usize) -> Vec<(usize, f64)> {
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
        if known.insert(named.clone()) {
            coalitions.push(named);
        }
    }
    coalitions
}

#[cfg(test)]
mod tests {
    use super::{by_leverage, draw, every, sizes};
    use crate::random::SplitMix64;

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
    fn more_pairs_have_the_fewer_ones_first() {
        for players in [2, 5, 12, 13, 31] {
            let mut before = Vec::new();
            for pairs in [20, 40, 200, 500, 5000] {
                let (drawn, strata) = by_leverage(players, pairs, 7, &before);
                assert!(drawn.len() >= before.len(), "{players} {pairs}");
                for (pair, old) in drawn.iter().zip(&before) {
                    assert_eq!(pair.members, old.members, "{players} {pairs}");
                }
                assert!(drawn.iter().all(|pair| pair.stratum < strata.len()));
                before = drawn;
            }
        }
    }
}
