//! What coalitions are worth, all of them and some of them, against the definition.

use whylight_kernels::Forest;
use whylight_kernels::coalition_trees::{self, CHUNK, Game, NONE, Scratch};
use whylight_kernels::response::{EXPECTILE_GAP, Link, Response};

use crate::support::forest::{Spec, forest, row, rows};
use crate::support::random::Random;

/// Sums in float64 in another order.
const ROUNDING: f64 = 1e-12;

/// A row against a background, and who plays.
pub(crate) struct Case {
    pub(crate) forest: Forest,
    pub(crate) thresholds: Vec<f32>,
    pub(crate) row: Vec<f32>,
    pub(crate) background: Vec<f32>,
    pub(crate) weights: Vec<f64>,
    pub(crate) base: Vec<f64>,
    /// By feature, the last one in the first place; the feature in the middle is the same in all rows,
    /// and has none.
    pub(crate) places: Vec<u32>,
}

impl Case {
    pub(crate) fn new(spec: Spec, seed: u64, others: usize) -> Self {
        let (forest, thresholds) = forest(spec, seed);
        let block = rows(spec, seed);
        let mut cells: Vec<Vec<f32>> = (0..=others).map(|i| row(&block, i)).collect();
        let same = spec.features / 2;
        let cell = cells[0][same];
        for row in &mut cells {
            row[same] = cell;
        }
        let mut random = Random(seed ^ 0x5A);
        let mut weights: Vec<f64> = (0..others)
            .map(|i| if i % 5 == 3 { 0.0 } else { 0.1 + random.unit() })
            .collect();
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        let mut places = vec![NONE; spec.features];
        let playing = (0..spec.features).rev().filter(|feature| *feature != same);
        for (place, feature) in (0..).zip(playing) {
            places[feature] = place;
        }
        Self {
            forest,
            thresholds,
            row: cells[0].clone(),
            background: cells[1..].concat(),
            weights,
            base: (0..spec.outputs).map(|k| 0.3 * k as f64 - 0.2).collect(),
            places,
        }
    }

    pub(crate) fn players(&self) -> usize {
        self.places.len() - 1
    }

    pub(crate) fn game(&self, response: Response) -> Game<'_> {
        Game {
            forest: &self.forest,
            thresholds: [&self.thresholds; 2],
            row: &self.row,
            background: &self.background,
            weights: &self.weights,
            base: &self.base,
            response,
            places: &self.places,
        }
    }

    /// What a coalition is worth, by number of the response.
    fn worth(&self, response: Response, coalition: usize) -> Vec<f64> {
        let mut worth = vec![0.0; response.outputs(self.base.len())];
        let columns = self.row.len();
        for (other, weight) in self.background.chunks(columns).zip(&self.weights) {
            let mut margins = self.base.clone();
            for (&root, &output) in self.forest.roots.iter().zip(&self.forest.tree_outputs) {
                let mut n = root as usize;
                while !self.forest.nodes[n].is_leaf() {
                    let node = &self.forest.nodes[n];
                    let place = self.places[node.feature as usize];
                    let is_in = place != NONE && coalition >> place & 1 == 1;
                    let cells = if is_in { &self.row[..] } else { other };
                    let cell = cells[node.column as usize];
                    let left = node.test.left(cell, self.thresholds[n], &self.forest.sets);
                    n = if left { node.left } else { node.right } as usize;
                }
                margins[output as usize] += self.forest.nodes[n].value;
            }
            for (worth, answer) in worth.iter_mut().zip(answer(response, &margins)) {
                *worth += weight * answer;
            }
        }
        worth
    }
}

fn answer(Response { link, loss }: Response, margins: &[f64]) -> Vec<f64> {
    let each = |f: &dyn Fn(f64) -> f64| margins.iter().map(|&m| f(m)).collect::<Vec<f64>>();
    let total: f64 = margins.iter().map(|m| m.exp()).sum();
    match link {
        Link::Identity => each(&|m| m),
        Link::Logistic { scale } if loss => (margins.iter())
            .flat_map(|m| {
                let p = 1.0 / (1.0 + (-scale * m).exp());
                [-(1.0 - p).ln(), -p.ln()]
            })
            .collect(),
        Link::Logistic { scale } => each(&|m| 1.0 / (1.0 + (-scale * m).exp())),
        Link::Softmax if loss => each(&|m| total.ln() - m),
        Link::Softmax => each(&|m| m.exp() / total),
        Link::Exp => each(&f64::exp),
        Link::Softplus => each(&|m| (1.0 + m.exp()).ln()),
        Link::SignedSquare => each(&|m| if m < 0.0 { -m * m } else { m * m }),
        Link::Step => each(&|m| if m > 0.0 { 1.0 } else { 0.0 }),
        Link::Variance => (margins.iter().enumerate())
            .map(|(k, m)| if k == 0 { *m } else { m.exp().powi(2) })
            .collect(),
        Link::Expectiles => (0..margins.len())
            .map(|k| {
                let gaps = margins[1..=k]
                    .iter()
                    .map(|m| EXPECTILE_GAP + (1.0 + m.exp()).ln());
                margins[0] + gaps.sum::<f64>()
            })
            .collect(),
    }
}

/// Every response of a number of outputs.
pub(crate) fn responses() -> Vec<Response> {
    let links = [
        Link::Identity,
        Link::Logistic { scale: 1.5 },
        Link::Softmax,
        Link::Exp,
        Link::Softplus,
        Link::SignedSquare,
        Link::Step,
        Link::Variance,
        Link::Expectiles,
    ];
    let plain = links.into_iter().map(|link| Response { link, loss: false });
    let losses = [Link::Logistic { scale: 0.7 }, Link::Softmax];
    let losses = losses.into_iter().map(|link| Response { link, loss: true });
    plain.chain(losses).collect()
}

/// Random cases: every shape that the generator has.
pub(crate) fn cases() -> impl Iterator<Item = (u64, Case)> {
    (0..24_u64).map(|seed| {
        let spec = Spec {
            trees: 1 + seed as usize % 9,
            depth: seed as usize % 8,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            oblivious: seed % 6 == 5,
            ..Spec::default()
        };
        (seed, Case::new(spec, seed, 1 + seed as usize % 13))
    })
}

fn near(got: f64, expected: f64, name: &str) {
    let off = (got - expected).abs();
    assert!(
        off <= ROUNDING * expected.abs().max(1.0) * 100.0,
        "{name}: {got} is not {expected}"
    );
}

#[test]
fn every_coalition_is_worth_its_definition_in_blocks_of_any_size() {
    for (seed, case) in cases() {
        let players = case.players();
        for response in responses() {
            let outputs = response.outputs(case.base.len());
            for bits in [0, players.min(2), players] {
                let count = 1 << bits;
                for first in (0..1_usize << players).step_by(count) {
                    let mut worth = vec![0.0; outputs * count];
                    coalition_trees::every(
                        case.game(response),
                        first as u32,
                        bits as u32,
                        &mut Scratch::default(),
                        &mut worth,
                    );
                    for at in 0..count {
                        let expected = case.worth(response, first + at);
                        for (k, expected) in expected.into_iter().enumerate() {
                            let name = format!("seed {seed}, {response:?}, {}", first + at);
                            near(worth[k * count + at], expected, &name);
                        }
                    }
                }
            }
        }
    }
}

/// Sets of bits of all coalitions whose number is in the list.
pub(crate) fn members(coalitions: &[usize], players: usize) -> Vec<[u64; CHUNK / 64]> {
    let mut members = vec![[0; CHUNK / 64]; players];
    for (c, coalition) in coalitions.iter().enumerate() {
        for (player, members) in members.iter_mut().enumerate() {
            members[c / 64] |= ((coalition >> player & 1) as u64) << (c % 64);
        }
    }
    members
}

#[test]
fn some_coalitions_are_worth_what_they_are_among_all() {
    for (seed, case) in cases() {
        let players = case.players();
        let all = 1 << players;
        for count in [1, 63, 64, 65, CHUNK] {
            let coalitions: Vec<usize> = (0..count).map(|c| (c * 37 + 11) % all).collect();
            for response in responses() {
                let outputs = response.outputs(case.base.len());
                let mut worth = vec![0.0; outputs * count];
                coalition_trees::some(
                    case.game(response),
                    &members(&coalitions, players),
                    count,
                    &mut Scratch::default(),
                    &mut worth,
                );
                for (c, &coalition) in coalitions.iter().enumerate().step_by(17) {
                    let expected = case.worth(response, coalition);
                    for (k, expected) in expected.into_iter().enumerate() {
                        let name = format!("seed {seed}, {response:?}, {coalition}");
                        near(worth[k * count + c], expected, &name);
                    }
                }
            }
        }
    }
}

#[test]
fn losses_and_probabilities_of_large_margins_are_finite() {
    for margin in [-800.0, 800.0] {
        for response in responses() {
            if matches!(response.link, Link::Exp | Link::Variance) {
                continue;
            }
            let mut sums = vec![0.0; response.outputs(2)];
            response.add(&mut [margin, 0.0], 1, 1.0, &mut sums);
            assert!(
                sums.iter().all(|sum| sum.is_finite()),
                "{response:?}: {sums:?}"
            );
        }
    }
}
