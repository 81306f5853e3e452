//! Leaves that are linear in cells: values, interactions and coalitions, against the definition, with
//! missing cells on either side, and two numbers to each player.

use whylight_kernels::coalition_trees::{self, CHUNK, Game};
use whylight_kernels::forest::{LinearLeaf, Term};
use whylight_kernels::legendre::Index;
use whylight_kernels::response::{Link, Response};
use whylight_kernels::{Block, Forest, ROWS, tree_pairs, tree_pairs_interactions};

use super::coalitions::members;
use super::interventional::in_order;
use crate::reference::interventional::{self, Other};
use crate::reference::shapley;
use crate::support::forest::{Spec, forest, rows};
use crate::support::random::Random;

/// Sums in float64 in another order.
const ROUNDING: f64 = 1e-12;

/// Background rows.
const OTHERS: usize = 5;

/// Numbers of a player that leaves can be linear in.
const NUMBERS: usize = 2;

/// What a player brings: the cell of splits, then the two parts of each number.
type Cell = [f32; 1 + 2 * NUMBERS];

struct Case {
    forest: Forest,
    thresholds: Vec<f32>,
    /// (column, row), of which the first row is explained against the next ones.
    cells: Vec<f32>,
    weights: Vec<f64>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let spec = Spec {
            trees: 1 + seed as usize % 3,
            depth: seed as usize % 7,
            features: 2 + seed as usize % 6,
            outputs: 1 + seed as usize % 2,
            ..Spec::default()
        };
        let mut random = Random(seed ^ 0x11EA);
        let (mut forest, thresholds) = forest(spec, seed);
        for (n, node) in forest.nodes.iter().enumerate() {
            if node.is_leaf() && random.chance(0.8) {
                let terms = (0..random.below(5)).map(|_| {
                    let player = random.below(spec.features);
                    let high = spec.features + 2 * (player * NUMBERS + random.below(NUMBERS));
                    Term {
                        feature: player as u32,
                        high: high as u32,
                        low: high as u32 + 1,
                        weight: 3.0 * random.unit() - 1.5,
                    }
                });
                let leaf = LinearLeaf {
                    terms: terms.collect(),
                    constant: random.unit() - 0.5,
                };
                forest.linear_of.resize(n, u32::MAX);
                forest.linear_of.push(forest.linear.len() as u32);
                forest.linear.push(leaf);
            }
        }
        let mut cells = rows(spec, seed);
        for _ in 0..spec.features * NUMBERS {
            let missing = [0.0, 0.1, 0.5][random.below(3)];
            let numbers: Vec<f64> = (0..ROWS)
                .map(|row| match random.below(6) {
                    _ if random.chance(missing) => f64::NAN,
                    // A number that does not vary.
                    0 if row > 0 => 0.25,
                    _ => random.unit() * 4.0 - 2.0,
                })
                .collect();
            cells.extend(numbers.iter().map(|x| *x as f32));
            cells.extend(numbers.iter().map(|x| (x - f64::from(*x as f32)) as f32));
        }
        forest.columns = (cells.len() / ROWS) as u32;
        let weights = (0..OTHERS).map(|b| if b == 2 { 0.0 } else { 0.25 });
        Self {
            forest,
            thresholds,
            cells,
            weights: weights.collect(),
        }
    }

    fn players(&self) -> usize {
        self.forest.features as usize
    }

    /// What each player brings to a row.
    fn row(&self, row: usize) -> Vec<Cell> {
        let of = |column: usize| self.cells[column * ROWS + row];
        (0..self.players())
            .map(|player| {
                let first = self.players() + 2 * NUMBERS * player;
                let mut cell = [of(player); 1 + 2 * NUMBERS];
                for (part, cell) in cell[1..].iter_mut().enumerate() {
                    *cell = of(first + part);
                }
                cell
            })
            .collect()
    }

    fn margins(&self, row: &[Cell]) -> Vec<f64> {
        let forest = &self.forest;
        let mut margins = vec![0.0; forest.outputs as usize];
        for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
            let mut n = root as usize;
            while !forest.nodes[n].is_leaf() {
                let node = &forest.nodes[n];
                let x = row[node.feature as usize][0];
                let left = node.test.left(x, self.thresholds[n], &forest.sets);
                n = if left { node.left } else { node.right } as usize;
            }
            let place = forest
                .linear_of
                .get(n)
                .map_or(usize::MAX, |&place| place as usize);
            margins[output as usize] += match forest.linear.get(place) {
                None => forest.nodes[n].value,
                Some(leaf) => {
                    let cells = leaf.terms.iter().map(|term| {
                        let first = self.players() + 2 * NUMBERS * term.feature as usize;
                        let part = 1 + term.high as usize - first;
                        let of = &row[term.feature as usize];
                        f64::from(of[part]) + f64::from(of[part + 1])
                    });
                    let cells: Vec<f64> = cells.collect();
                    if cells.iter().any(|cell| cell.is_nan()) {
                        forest.nodes[n].value
                    } else {
                        let terms = leaf.terms.iter().zip(cells);
                        leaf.constant + terms.map(|(term, cell)| term.weight * cell).sum::<f64>()
                    }
                }
            };
        }
        margins
    }

    /// What every coalition is worth, (output, coalition).
    fn worth(&self, row: usize, answer: impl Fn(Vec<f64>) -> Vec<f64>) -> Vec<Vec<f64>> {
        let others: Vec<Other<Cell>> = (self.weights.iter().enumerate())
            .map(|(b, &weight)| (self.row(ROWS - 1 - b), weight))
            .collect();
        interventional::of(&self.row(row), &others, |row| answer(self.margins(row)))
    }

    /// By column, of a row of the block.
    fn columns(&self, row: usize) -> Vec<f32> {
        let columns = self.cells.chunks(ROWS);
        columns.map(|column| column[row]).collect()
    }

    fn background(&self) -> Vec<f32> {
        let rows = (0..OTHERS).map(|b| self.columns(ROWS - 1 - b));
        rows.flatten().collect()
    }
}

fn near(got: f64, expected: f64, name: &str) {
    assert!(
        (got - expected).abs() <= ROUNDING * expected.abs().max(10.0),
        "{name}: {got} is not {expected}"
    );
}

#[test]
fn values_and_interactions_of_linear_leaves_are_as_defined() {
    for seed in 0..60 {
        let mut case = Case::new(seed);
        case.forest.index = [Index::Shapley, Index::Banzhaf][seed as usize % 2];
        let (forest, players) = (&case.forest, case.players());
        let background = case.background();
        let longest = forest
            .shapes()
            .iter()
            .map(|shape| shape.path_features)
            .max();
        let shares = tree_pairs::Shares::new(forest.index, longest.unwrap_or(0) as usize);
        let background = tree_pairs::Background {
            cells: &background,
            thresholds: &case.thresholds,
            weights: &case.weights,
            shares: &shares,
        };
        let trees = in_order(forest);
        for output in 0..forest.outputs {
            let is_its = |tree: &u32| forest.tree_outputs[*tree as usize] == output;
            let trees = trees.iter().map(|&tree| tree as u32);
            let trees: Vec<u32> = trees.filter(is_its).collect();
            let block = Block::new(&case.cells, 3);
            let (mut values, mut pairs) = (
                vec![[0.0; ROWS]; players],
                vec![[0.0; ROWS]; players * (players - 1) / 2],
            );
            tree_pairs::run(
                forest,
                &case.thresholds,
                &trees,
                block,
                background,
                &mut tree_pairs::Scratch::default(),
                &mut values,
            );
            tree_pairs_interactions::run(
                forest,
                &case.thresholds,
                &trees,
                block,
                background,
                &mut tree_pairs_interactions::Scratch::default(),
                &mut pairs,
            );
            for row in 0..3 {
                let worth = &case.worth(row, |margins| margins)[output as usize];
                let of = |sums: &[[f64; ROWS]]| sums.iter().map(|sums| sums[row]).collect();
                let name = format!("seed {seed}, row {row}");
                is_defined(&name, forest.index, worth, of(&values), of(&pairs));
            }
        }
    }
}

/// Asserts that values, and interactions of the pairs of players, are those of a game.
fn is_defined(name: &str, index: Index, worth: &[f64], values: Vec<f64>, pairs: Vec<f64>) {
    let expected = match index {
        Index::Banzhaf => shapley::banzhaf(worth),
        Index::Shapley => shapley::values(worth),
    };
    for (player, (value, expected)) in values.into_iter().zip(expected).enumerate() {
        near(value, expected, &format!("{name}, player {player}"));
    }
    if index == Index::Banzhaf {
        return;
    }
    let mut pairs = pairs.into_iter();
    for (i, expected) in shapley::interactions(worth).iter().enumerate() {
        for (j, expected) in expected.iter().enumerate().skip(i + 1) {
            let name = format!("{name}, pair {i}, {j}");
            near(pairs.next().unwrap(), *expected, &name);
        }
    }
}

#[test]
fn coalitions_of_linear_leaves_are_worth_their_definition() {
    let response = Response {
        link: Link::Logistic { scale: 1.0 },
        loss: false,
    };
    for seed in 0..40 {
        let case = Case::new(seed);
        let (players, outputs) = (case.players(), case.forest.outputs as usize);
        let (row, background) = (case.columns(0), case.background());
        let places: Vec<u32> = (0..players as u32).rev().collect();
        let game = Game {
            forest: &case.forest,
            thresholds: [&case.thresholds; 2],
            row: &row,
            background: &background,
            weights: &case.weights,
            base: &vec![0.0; outputs],
            response,
            places: &places,
        };
        let expected = case.worth(0, |margins| {
            let p = margins.iter().map(|m| 1.0 / (1.0 + (-m).exp()));
            p.collect()
        });
        // The place of a player is the last one's for the first.
        let reversed =
            |coalition: usize| coalition.reverse_bits() >> (usize::BITS as usize - players);
        for bits in [0, players.min(2), players] {
            let count = 1 << bits;
            for first in (0..1_usize << players).step_by(count) {
                let mut worth = vec![0.0; outputs * count];
                let scratch = &mut coalition_trees::Scratch::default();
                coalition_trees::every(game, first as u32, bits as u32, scratch, &mut worth);
                for (at, worth) in worth.iter().enumerate() {
                    let coalition = first + at % count;
                    let expected = expected[at / count][reversed(coalition)];
                    near(*worth, expected, &format!("seed {seed}, {coalition}"));
                }
            }
        }
        let coalitions: Vec<usize> = (0..CHUNK).map(|c| (c * 37 + 11) % (1 << players)).collect();
        let mut worth = vec![0.0; outputs * CHUNK];
        coalition_trees::some(
            game,
            &members(&coalitions, players),
            CHUNK,
            &mut coalition_trees::Scratch::default(),
            &mut worth,
        );
        for (at, worth) in worth.iter().enumerate() {
            let coalition = coalitions[at % CHUNK];
            let expected = expected[at / CHUNK][reversed(coalition)];
            near(
                *worth,
                expected,
                &format!("seed {seed}, {coalition} of some"),
            );
        }
    }
}
