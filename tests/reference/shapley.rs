//! Shapley values and interactions of a game, from what each of its coalitions is worth.

/// Values (Shapley 1953) of the players of a game: `worth` has one number per coalition, whose bit k
/// is set if player k is in.
pub(crate) fn values(worth: &[f64]) -> Vec<f64> {
    let players = worth.len().ilog2() as usize;
    let value = |player: usize| {
        let without = (0..worth.len()).filter(|coalition| coalition >> player & 1 == 0);
        let gains = without.map(|coalition| {
            let gain = worth[coalition | 1 << player] - worth[coalition];
            weight(coalition.count_ones() as usize, players) * gain
        });
        gains.sum()
    };
    (0..players).map(value).collect()
}

/// Interactions (player, player) as Lundberg et al. (2020) have them: half of the interaction index of
/// Grabisch & Roubens (1999) off the diagonal, and on it what is left of the value.
pub(crate) fn interactions(worth: &[f64]) -> Vec<Vec<f64>> {
    let players = worth.len().ilog2() as usize;
    let mut interactions = vec![vec![0.0; players]; players];
    for (i, interactions) in interactions.iter_mut().enumerate() {
        for j in (0..players).filter(|j| *j != i) {
            let (one, other) = (1 << i, 1 << j);
            for coalition in (0..worth.len()).filter(|coalition| coalition & (one | other) == 0) {
                let gain = worth[coalition | one | other] + worth[coalition]
                    - worth[coalition | one]
                    - worth[coalition | other];
                let size = coalition.count_ones() as usize;
                interactions[j] += 0.5 * weight(size, players - 1) * gain;
            }
        }
    }
    for (i, value) in values(worth).into_iter().enumerate() {
        interactions[i][i] = value - interactions[i].iter().sum::<f64>();
    }
    interactions
}

/// size! (players − size − 1)! / players!
fn weight(size: usize, players: usize) -> f64 {
    let ways: f64 = (0..size).fold(1.0, |ways, k| {
        ways * (players - 1 - k) as f64 / (k + 1) as f64
    });
    1.0 / (players as f64 * ways)
}

/// Banzhaf values (Banzhaf 1965) of the players of a game.
pub(crate) fn banzhaf(worth: &[f64]) -> Vec<f64> {
    let players = worth.len().ilog2() as usize;
    let value = |player: usize| {
        let without = (0..worth.len()).filter(|coalition| coalition >> player & 1 == 0);
        let gains = without.map(|coalition| worth[coalition | 1 << player] - worth[coalition]);
        gains.sum::<f64>() * 2.0 / worth.len() as f64
    };
    (0..players).map(value).collect()
}

/// The game between groups of players, whose members join together: `of` has the group of each.
pub(crate) fn grouped(worth: &[f64], of: &[u32]) -> Vec<f64> {
    let groups = of.iter().max().map_or(0, |last| last + 1);
    let union = |groups: usize| {
        let members = (0..of.len()).filter(|player| groups >> of[*player] & 1 == 1);
        members.map(|player| 1 << player).sum::<usize>()
    };
    (0..1_usize << groups)
        .map(|groups| worth[union(groups)])
        .collect()
}
