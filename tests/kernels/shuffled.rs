//! Margins of shuffled rows, and units of them, against rows that are really shuffled.

use whylight_kernels::Level;
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::shuffled_sums::rests;
use whylight_kernels::shuffled_trees::{
    LANES, MISSING, NONE, ROWS, Ready, Root, Step, Trees, Turn,
};

use crate::support::random::Random;

/// Trees, ranks of rows, and a shuffle of some players.
pub(crate) struct Case {
    pub(crate) trees: Trees,
    /// (column, row).
    pub(crate) ranks: Vec<Vec<i32>>,
    pub(crate) rows: usize,
    /// By column its player.
    pub(crate) players: Vec<u32>,
    /// By player and repeat.
    pub(crate) orders: Vec<Vec<Vec<u32>>>,
}

impl Case {
    /// Trees of about so many leaves, of several outputs, with sets and missing cells.
    pub(crate) fn random(leaves: usize, rows: usize, repeats: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let (columns, outputs, distinct) = (6, 3, 9);
        let mut trees = Trees {
            outputs,
            ..Trees::default()
        };
        for tree in 0..7 {
            let output = if tree % 3 == 0 {
                NONE
            } else {
                tree % outputs as u32
            };
            let width = if output == NONE { outputs } else { 1 };
            let root = trees.steps.len() as u32;
            trees.roots.push(Root { step: root, output });
            grow(
                &mut trees,
                &mut random,
                (leaves, width),
                (columns, distinct),
            );
        }
        let rank = |random: &mut Random| match random.below(5) {
            0 => MISSING,
            _ => random.below(distinct) as i32,
        };
        let ranks = (0..columns).map(|_| (0..rows).map(|_| rank(&mut random)).collect());
        let ranks: Vec<Vec<i32>> = ranks.collect();
        let order = |random: &mut Random| -> Vec<u32> {
            (0..rows).map(|_| random.below(rows) as u32).collect()
        };
        Self {
            trees,
            ranks,
            rows,
            // A player of two columns, one that no tree reads perhaps, and a column that nobody shuffles.
            players: vec![0, 1, 0, NONE, 2, 3],
            orders: (0..4)
                .map(|_| (0..repeats).map(|_| order(&mut random)).collect())
                .collect(),
        }
    }

    /// The sums of leaves of a row, some of whose cells a player takes from another.
    pub(crate) fn walked(&self, row: usize, taken: Option<(u32, usize)>) -> Vec<i64> {
        let mut sums = vec![0_i64; self.trees.outputs];
        for root in &self.trees.roots {
            let mut step = &self.trees.steps[root.step as usize];
            while step.column != NONE {
                let column = step.column as usize;
                let from = match taken {
                    Some((player, other)) if self.players[column] == player => other,
                    _ => row,
                };
                let rank = self.ranks[column][from];
                let is_left = if step.turns == 0 {
                    (rank == MISSING && step.missing_left == 1)
                        || (rank != MISSING && rank + step.missing_left < step.below)
                } else {
                    let set = step.turns as usize;
                    let turns = &self.trees.sets[set..][..self.trees.sets[set - 1] as usize];
                    turns.iter().filter(|turn| **turn <= rank as u32).count() % 2 == 1
                };
                step = &self.trees.steps[if is_left { step.left } else { step.right } as usize];
            }
            let first = step.left as usize;
            if root.output == NONE {
                for (sum, value) in sums.iter_mut().zip(&self.trees.values[first..]) {
                    *sum += value;
                }
            } else {
                sums[root.output as usize] += self.trees.values[first];
            }
        }
        sums
    }

    /// By player, repeat and row the sums of shuffled rows.
    pub(crate) fn shuffled(&self) -> Vec<Vec<Vec<Vec<i64>>>> {
        let of_repeat = |player: usize, order: &Vec<u32>| -> Vec<Vec<i64>> {
            (0..self.rows)
                .map(|row| self.walked(row, Some((player as u32, order[row] as usize))))
                .collect()
        };
        let players = self.orders.iter().enumerate();
        players
            .map(|(player, orders)| {
                orders
                    .iter()
                    .map(|order| of_repeat(player, order))
                    .collect()
            })
            .collect()
    }
}

/// Grows a tree; `below` a column's threshold, every rank can be met.
fn grow(
    trees: &mut Trees,
    random: &mut Random,
    (leaves, width): (usize, usize),
    (columns, distinct): (usize, usize),
) {
    let at = trees.steps.len();
    if leaves == 1 {
        trees.steps.push(Step {
            column: NONE,
            below: 0,
            missing_left: 0,
            turns: 0,
            left: trees.values.len() as u32,
            right: 0,
        });
        // Whole numbers whose sums need both words.
        let value = |random: &mut Random| (random.next() >> 6) as i64 - (1 << 57);
        trees.values.extend((0..width).map(|_| value(random)));
        return;
    }
    let missing_left = random.below(2) as i32;
    let mut set = 0;
    if random.chance(0.3) {
        let mut turns: Vec<u32> = (0..distinct as u32)
            .filter(|_| random.chance(0.4))
            .collect();
        if random.chance(0.5) {
            turns.push(MISSING as u32);
        }
        set = trees.sets.len() as u32 + 1;
        trees.sets.push(turns.len() as u32);
        trees.sets.extend(turns);
    }
    trees.steps.push(Step {
        column: random.below(columns) as u32,
        below: random.below(distinct + 2) as i32 - 1 + missing_left,
        missing_left,
        turns: set,
        left: at as u32 + 1,
        right: 0,
    });
    let left = 1 + random.below(leaves - 1);
    grow(trees, random, (left, width), (columns, distinct));
    trees.steps[at].right = trees.steps.len() as u32;
    grow(trees, random, (leaves - left, width), (columns, distinct));
}

#[test]
fn sums_of_shuffled_rows_are_those_of_rows_that_are_made() {
    // On either side of a word of leaves, of a block of rows, and of the lanes.
    for (seed, leaves) in (0..).zip([1, 2, 7, 63, 64, 65, 150]) {
        for rows in [1, ROWS - 1, ROWS, ROWS + 3] {
            for lanes in [1, 5, LANES] {
                let case = Case::random(leaves, rows, lanes, seed);
                let orders: Vec<&[Vec<u32>]> = case.orders.iter().map(Vec::as_slice).collect();
                let turn = Turn {
                    players: &case.players,
                    orders: &orders,
                };
                let expected = case.shuffled();
                let ready = Ready::new(&case.trees, &turn);
                for level in Level::available() {
                    for first in (0..rows).step_by(ROWS) {
                        let height = ROWS.min(rows - first);
                        let got = ready.margins(level, &case.ranks, first, height);
                        for row in 0..height {
                            let base = &got.base[row * 3..][..3];
                            assert_eq!(base, case.walked(first + row, None), "{leaves} {level:?}");
                            for (player, expected) in expected.iter().enumerate() {
                                for (lane, expected) in expected.iter().enumerate() {
                                    let at = (row * case.orders.len() + player) * 3;
                                    let sums: Vec<i64> = (0..3)
                                        .map(|o| base[o] + got.differences[at + o][lane])
                                        .collect();
                                    assert_eq!(
                                        sums,
                                        expected[first + row],
                                        "{leaves} leaves, {rows} rows, {level:?}: {player} {lane}"
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn rests_are_those_of_all_others() {
    let mut random = Random(4);
    for (players, units) in [(1, 1), (2, 3), (7, 5), (40, 2), (0, 3)] {
        let mut numbers =
            |count: usize| -> Vec<f64> { (0..count).map(|_| 0.5 + random.unit()).collect() };
        let (start, terms) = (numbers(units), numbers(players * units));
        for combine in [Combine::Sum, Combine::Product] {
            let got = rests(combine, &start, &terms);
            assert_eq!(got.len(), players * units);
            for player in 0..players {
                for unit in 0..units {
                    let others = (0..players).filter(|other| *other != player);
                    let others = others.map(|other| terms[other * units + unit]);
                    let expected = match combine {
                        Combine::Sum => start[unit] + others.sum::<f64>(),
                        Combine::Product => start[unit] * others.product::<f64>(),
                    };
                    let off = (got[player * units + unit] - expected).abs();
                    assert!(
                        off <= 1e-13 * expected,
                        "{players} {combine:?} {player} {unit}"
                    );
                }
            }
        }
    }
}
