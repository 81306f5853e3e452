//! Exact values from all coalitions.

use crate::explain::Index;

/// Sums over blocks of coalitions, until all 2^players have come.
///
/// A player's value is the sum of `w(|S|) (v(S ∪ i) − v(S))` over the coalitions S without it, with
/// `w(s) = s! (n − s − 1)! / n!` (Shapley 1953) or `2^−(n−1)` (Banzhaf 1965). Each coalition T counts
/// for its members with `w(|T| − 1)` and against all others with `w(|T|)`, so a value is the sum of
/// `(w(|T| − 1) + w(|T|)) v(T)` over the T with the player, less that of `w(|T|) v(T)` over all T.
#[derive(Debug)]
pub(in crate::explain) struct Exact {
    players: usize,
    outputs: usize,
    /// By size from 0 to the number of players, for which it is 0.
    weights: Vec<f64>,
    /// (player, output).
    with: Vec<f64>,
    all: Vec<f64>,
}

impl Exact {
    pub(in crate::explain) fn new(players: usize, outputs: usize, index: Index) -> Self {
        let mut weights = vec![0.0; players + 1];
        for size in 0..players {
            weights[size] = match index {
                Index::Banzhaf => 0.5_f64.powi(players as i32 - 1),
                Index::Shapley if size == 0 => 1.0 / players as f64,
                Index::Shapley => weights[size - 1] * size as f64 / (players - size) as f64,
            };
        }
        Self {
            players,
            outputs,
            weights,
            with: vec![0.0; players * outputs],
            all: vec![0.0; outputs],
        }
    }

    /// Takes what the 2^`bits` coalitions from `first` on are worth, laid out (output, coalition),
    /// which is used up.
    pub(in crate::explain) fn add(&mut self, first: u32, bits: usize, worth: &mut [f64]) {
        let count = 1_usize << bits;
        for (output, worth) in worth.chunks_mut(count).enumerate() {
            for (coalition, worth) in (first..).zip(worth.iter_mut()) {
                let size = coalition.count_ones() as usize;
                let without = self.weights[size];
                self.all[output] += without * *worth;
                let with = if size == 0 {
                    0.0
                } else {
                    self.weights[size - 1]
                };
                *worth *= with + without;
            }
            // The sum over the coalitions with a player, then the others with and without it as one.
            let mut rest = worth;
            for player in (0..bits).rev() {
                let (low, high) = rest.split_at_mut(1 << player);
                self.with[player * self.outputs + output] += high.iter().sum::<f64>();
                for (low, high) in low.iter_mut().zip(&*high) {
                    *low += high;
                }
                rest = low;
            }
            for player in (bits..self.players).filter(|player| first >> player & 1 == 1) {
                self.with[player * self.outputs + output] += rest[0];
            }
        }
    }

    /// The values (player, output).
    pub(in crate::explain) fn values(self) -> Vec<f64> {
        let outputs = self.outputs;
        let values = self.with.into_iter().enumerate();
        values
            .map(|(at, with)| with - self.all[at % outputs])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Exact;
    use crate::explain::Index;

    /// A game of four players with no structure.
    fn worth(coalition: usize) -> f64 {
        ((coalition * 7919 + 13) % 101) as f64 * 0.37
    }

    fn naive(index: Index) -> Vec<f64> {
        let factorial = |n: usize| (1..=n).product::<usize>() as f64;
        (0..4)
            .map(|player| {
                let without = (0..16_usize).filter(|coalition| coalition >> player & 1 == 0);
                without
                    .map(|coalition| {
                        let size = coalition.count_ones() as usize;
                        let weight = match index {
                            Index::Shapley => factorial(size) * factorial(3 - size) / 24.0,
                            Index::Banzhaf => 0.125,
                        };
                        weight * (worth(coalition | 1 << player) - worth(coalition))
                    })
                    .sum()
            })
            .collect()
    }

    #[test]
    fn blocks_of_any_size_give_the_values_of_the_definition() {
        for index in [Index::Shapley, Index::Banzhaf] {
            let expected = naive(index);
            for bits in 0..=4 {
                let mut exact = Exact::new(4, 2, index);
                for first in (0..16_u32).step_by(1 << bits) {
                    let block = first as usize..first as usize + (1 << bits);
                    let mut both: Vec<f64> = block.clone().map(worth).collect();
                    both.extend(block.map(|coalition| -2.0 * worth(coalition)));
                    exact.add(first, bits, &mut both);
                }
                for (player, (values, expected)) in
                    exact.values().chunks(2).zip(&expected).enumerate()
                {
                    assert!(
                        (values[0] - expected).abs() < 1e-12,
                        "{index:?} {bits} {player}"
                    );
                    assert!(
                        (values[1] + 2.0 * expected).abs() < 1e-12,
                        "{index:?} {bits}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_players_have_no_values() {
        let mut exact = Exact::new(0, 1, Index::Shapley);
        exact.add(0, 0, &mut [3.0]);
        assert!(exact.values().is_empty());
    }
}
