//! Exact interactions of two players from all coalitions.

use super::Exact;
use crate::explain::Index;

/// The interactions (player, player) of a game, from what its 2^`players` coalitions are worth, by number.
///
/// The Shapley interaction index of players i and j is the sum of
/// `s! (n − s − 2)! / (n − 1)! · (v(S ∪ ij) − v(S ∪ i) − v(S ∪ j) + v(S))` over the coalitions S without them
/// (Grabisch & Roubens 1999). As for trees (Lundberg et al. 2020), each of its two cells has half of it, and the
/// diagonal what is left of the player's value.
pub(in crate::explain) fn interactions(players: usize, worth: &[f64]) -> Vec<f64> {
    let mut weights = vec![0.0; players.saturating_sub(1)];
    for size in 0..weights.len() {
        weights[size] = if size == 0 {
            1.0 / (players - 1) as f64
        } else {
            weights[size - 1] * size as f64 / (players - size - 1) as f64
        };
    }
    let mut exact = Exact::new(players, 1, Index::Shapley);
    exact.add(0, players, &mut worth.to_vec());
    let mut cells = vec![0.0; players * players];
    for (player, value) in exact.values().into_iter().enumerate() {
        cells[player * players + player] = value;
    }
    for i in 0..players {
        for j in i + 1..players {
            let (one, other) = (1 << i, 1 << j);
            let without = (0..worth.len()).filter(|set| set & (one | other) == 0);
            let added = without.map(|set| {
                let both = worth[set | one | other] - worth[set | one];
                weights[set.count_ones() as usize] * (both - worth[set | other] + worth[set])
            });
            let half = 0.5 * added.sum::<f64>();
            cells[i * players + j] = half;
            cells[j * players + i] = half;
            cells[i * players + i] -= half;
            cells[j * players + j] -= half;
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::interactions;

    /// Of x y the halves are the two players' and theirs together; of x alone, its own.
    #[test]
    fn products_and_sums_have_the_interactions_that_are_known() {
        let worth: Vec<f64> = (0..8_usize)
            .map(|set| {
                let [x, y, z] = [0, 1, 2].map(|player| (set >> player & 1) as f64);
                3.0 * x + 2.0 * x * y - 6.0 * x * y * z
            })
            .collect();
        let got = interactions(3, &worth);
        // Of x y z, a third is each player's, and half is each pair's.
        let expected = [4.0, -0.5, -1.5, -0.5, 1.0, -1.5, -1.5, -1.5, 1.0];
        for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert!(
                (got - expected).abs() < 1e-12,
                "{at}: {got} is not {expected}"
            );
        }
        assert_eq!(interactions(0, &[1.0]), Vec::<f64>::new());
        assert_eq!(interactions(1, &[1.0, 4.0]), [3.0]);
    }
}
