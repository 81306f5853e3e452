//! Trees: a row keeps its leaf in every tree where the cell that it takes goes the way of its own.
//!
//! A row walks a tree once. At each split on its path, the cells that the split's column takes in all repeats are
//! compared at once; only a repeat whose cell goes the other way walks on from there, and adds what its leaf differs
//! by. A split thus costs a comparison of ranks: columns are ranked among their own cells before.
//!
//! Leaves are summed as whole numbers, multiples of 2⁻⁶¹ of the largest sum: rows that reach the same leaves have the
//! same margin to the last bit, whichever way it came about, as metrics of ranks need it.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::{Engine, Rows, Shuffled, ranks};
use crate::error::Result;
use crate::explain::answers::Answers;
use crate::model::{Fraction, Link, Missing, Node, Output, Precision, Split, Test, Tree, Trees};

/// The rank of a missing cell: one more is the least number.
pub(super) const MISSING: i32 = i32::MAX;

/// Marks a leaf in [`Step::column`].
const LEAF: u32 = u32::MAX;

/// Marks a column that nobody shuffles.
const NONE: u32 = u32::MAX;

/// Repeats that are compared at once.
const LANES: usize = 8;

/// Rows whose ranks, and the ranks that they take, are at hand while trees pass.
const ROWS: usize = 32;

/// A split, or a leaf.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The column, of those that trees test; [`LEAF`] for a leaf.
    column: u32,
    /// A rank goes left if it is below this once `missing_left` is added, so that a missing cell can.
    below: i32,
    missing_left: i32,
    /// Of a test that is no threshold, its split plus 1.
    other: u32,
    /// Left, right; of a leaf, the first is where its values are.
    children: [u32; 2],
}

/// A tree: its root, and the output that it adds to, `None` for all.
type Root = (u32, Option<u32>);

/// Trees in ranks of the cells of some rows.
pub(super) struct Walks<'a> {
    answers: Answers,
    precision: Precision,
    fraction: Fraction,
    steps: Vec<Step>,
    roots: Vec<Root>,
    /// What leaves add, in units of `unit`.
    values: Vec<i64>,
    unit: f64,
    base: &'a [f64],
    /// Splits that are no thresholds.
    others: Vec<&'a Split>,
    /// By feature its place among the columns, of those that trees test.
    columns: Vec<Option<usize>>,
    /// By column the rank of each row.
    ranks: Vec<Vec<i32>>,
    /// By column its distinct cells.
    cells: Vec<Vec<f64>>,
}

impl<'a> Walks<'a> {
    pub(super) fn new(trees: &'a Trees, rows: &Rows, answers: Answers) -> Self {
        let mut columns = vec![None; trees.features.len()];
        let splits = trees.trees.iter().flat_map(|tree| &tree.nodes);
        let mut used = Vec::new();
        for node in splits {
            if let Node::Split(split) = node {
                let place = &mut columns[split.feature as usize];
                if place.is_none() {
                    *place = Some(used.len());
                    used.push(split.feature as usize);
                }
            }
        }
        let (ranks, cells) = (used.par_iter())
            .map(|&feature| ranks(rows.column(feature), trees.precision))
            .unzip();
        let mut walks = Self {
            answers,
            precision: trees.precision,
            fraction: trees.fraction,
            steps: Vec::new(),
            roots: Vec::new(),
            values: Vec::new(),
            unit: unit(trees),
            base: &trees.base,
            others: Vec::new(),
            columns,
            ranks,
            cells,
        };
        for tree in &trees.trees {
            let (first, values) = (walks.steps.len() as u32, walks.values.len() as u32);
            let (width, output) = match tree.output {
                Output::One(output) => (1, Some(output)),
                Output::All => (trees.base.len() as u32, None),
            };
            walks.roots.push((first, output));
            let whole = tree
                .values
                .iter()
                .map(|value| (value / walks.unit).round() as i64);
            walks.values.extend(whole);
            for node in &tree.nodes {
                let step = match node {
                    Node::Leaf { leaf, .. } => Step {
                        column: LEAF,
                        below: 0,
                        missing_left: 0,
                        other: 0,
                        children: [values + leaf * width, 0],
                    },
                    Node::Split(split) => walks.step(split, first),
                };
                walks.steps.push(step);
            }
        }
        walks
    }

    fn step(&mut self, split: &'a Split, first: u32) -> Step {
        let column = self.columns[split.feature as usize].unwrap_or_default();
        let cells = &self.cells[column];
        let mut step = Step {
            column: column as u32,
            below: 0,
            missing_left: i32::from(split.missing_left),
            other: 0,
            children: [first + split.left, first + split.right],
        };
        let threshold = match split.test {
            Test::Below(threshold) => Some(threshold),
            Test::Always => Some(f64::INFINITY),
            Test::Category(_) | Test::OneOf(_) => None,
        };
        let below = |cell: f64| match split.test {
            Test::Always => true,
            _ => threshold.is_some_and(|threshold| cell < threshold),
        };
        if split.missing == Missing::Never {
            step.missing_left = i32::from(below(0.0));
        }
        // Cells that count as missing, which are no NaN, have to go where they would go anyway.
        let is_plain = threshold.is_some()
            && (split.missing != Missing::NanOrZero
                || (cells.iter())
                    .filter(|cell| split.missing.apply(**cell).is_nan())
                    .all(|cell| below(*cell) == split.missing_left));
        if is_plain {
            step.below = cells.partition_point(|cell| below(*cell)) as i32 + step.missing_left;
        } else {
            self.others.push(split);
            step.other = self.others.len() as u32;
        }
        step
    }

    #[inline(always)]
    fn left(&self, step: &Step, rank: i32) -> bool {
        if step.other == 0 {
            return rank.wrapping_add(step.missing_left) < step.below;
        }
        self.left_of_other(step, rank)
    }

    #[cold]
    fn left_of_other(&self, step: &Step, rank: i32) -> bool {
        let cells = &self.cells[step.column as usize];
        let cell = usize::try_from(rank).ok().and_then(|rank| cells.get(rank));
        let split = self.others[step.other as usize - 1];
        split.left(
            cell.copied().unwrap_or(f64::NAN),
            self.precision,
            self.fraction,
        )
    }

    /// By lane, a bit for each rank that goes left.
    #[inline(always)]
    fn lefts(&self, step: &Step, ranks: &[i32; LANES]) -> u8 {
        let mut lefts = 0;
        if step.other == 0 {
            for (lane, rank) in ranks.iter().enumerate() {
                lefts |= u8::from(rank.wrapping_add(step.missing_left) < step.below) << lane;
            }
        } else {
            for (lane, &rank) in ranks.iter().enumerate() {
                lefts |= u8::from(self.left_of_other(step, rank)) << lane;
            }
        }
        lefts
    }

    /// What shuffled columns make of the margins of some rows.
    fn block(&self, first: usize, height: usize, turn: &Turn<'_>) -> Margins {
        let (columns, outputs) = (self.ranks.len(), self.base.len());
        let mut own = vec![0; height * columns];
        let mut taken = vec![[0; LANES]; height * turn.columns.len()];
        for (column, ranks) in self.ranks.iter().enumerate() {
            for row in 0..height {
                own[row * columns + column] = ranks[first + row];
            }
        }
        for (slot, (column, orders)) in turn.columns.iter().enumerate() {
            let ranks = &self.ranks[*column];
            for (lane, order) in orders.iter().enumerate() {
                for row in 0..height {
                    taken[row * turn.columns.len() + slot][lane] =
                        ranks[order[first + row] as usize];
                }
            }
        }
        let mut made = Margins {
            base: vec![0; height * outputs],
            differences: vec![[0; LANES]; height * turn.players * outputs],
        };
        let mut alive = vec![turn.lanes; turn.players];
        let mut parted: Vec<(u32, u32, u8)> = Vec::new();
        for &(root, output) in &self.roots {
            let range = output.map_or(0..outputs, |output| output as usize..output as usize + 1);
            for row in 0..height {
                let own = &own[row * columns..][..columns];
                let taken = &taken[row * turn.columns.len()..][..turn.columns.len()];
                let mut step = &self.steps[root as usize];
                while step.column != LEAF {
                    let column = step.column as usize;
                    let is_left = self.left(step, own[column]);
                    let [slot, player] = turn.slots[column];
                    if let Some(ranks) = taken.get(slot as usize) {
                        let alive = &mut alive[player as usize];
                        let differs = self.lefts(step, ranks) ^ if is_left { u8::MAX } else { 0 };
                        let parting = differs & *alive;
                        if parting != 0 {
                            *alive &= !parting;
                            parted.push((player, step.children[usize::from(is_left)], parting));
                        }
                    }
                    step = &self.steps[step.children[usize::from(!is_left)] as usize];
                }
                let leaf = step.children[0] as usize;
                let of_leaf = &self.values[leaf..][..range.len()];
                for (margin, value) in made.base[row * outputs..][range.clone()]
                    .iter_mut()
                    .zip(of_leaf)
                {
                    *margin += value;
                }
                for (player, start, lanes) in parted.drain(..) {
                    alive[player as usize] = turn.lanes;
                    let to = (row * turn.players + player as usize) * outputs;
                    let to = &mut made.differences[to..][range.clone()];
                    let mut left = lanes;
                    while left != 0 {
                        let lane = left.trailing_zeros() as usize;
                        left &= left - 1;
                        let other = self.walk(start, own, taken, turn, player, lane);
                        let values = self.values[other..].iter().zip(of_leaf);
                        for (to, (value, before)) in to.iter_mut().zip(values) {
                            to[lane] += value - before;
                        }
                    }
                }
            }
        }
        made
    }

    /// Where the values are of the leaf that a row reaches from a node on, with the cells that a player takes.
    #[inline(always)]
    fn walk(
        &self,
        start: u32,
        own: &[i32],
        taken: &[[i32; LANES]],
        turn: &Turn<'_>,
        player: u32,
        lane: usize,
    ) -> usize {
        let mut step = &self.steps[start as usize];
        while step.column != LEAF {
            let column = step.column as usize;
            let [slot, of] = turn.slots[column];
            let rank = if of == player {
                taken[slot as usize][lane]
            } else {
                own[column]
            };
            step = &self.steps[step.children[usize::from(!self.left(step, rank))] as usize];
        }
        step.children[0] as usize
    }

    /// The answers of players in up to [`LANES`] repeats: (player, lane).
    fn turn(
        &self,
        rows: &Rows,
        shuffled: &Shuffled,
        lanes: std::ops::Range<usize>,
    ) -> Vec<Array2<f64>> {
        let mut turn = Turn {
            slots: vec![[NONE; 2]; self.ranks.len()],
            columns: Vec::new(),
            players: shuffled.len(),
            lanes: u8::MAX >> (LANES - lanes.len()),
        };
        for (number, (player, orders)) in shuffled.iter().enumerate() {
            for &feature in &rows.members[*player] {
                if let Some(column) = self.columns[feature] {
                    turn.slots[column] = [turn.columns.len() as u32, number as u32];
                    turn.columns.push((column, &orders[lanes.clone()]));
                }
            }
        }
        let starts: Vec<usize> = (0..rows.height).step_by(ROWS).collect();
        let blocks: Vec<Margins> = (starts.par_iter())
            .map(|&first| self.block(first, ROWS.min(rows.height - first), &turn))
            .collect();
        let outputs = self.base.len();
        let variants = shuffled.len() * lanes.len();
        (0..variants)
            .into_par_iter()
            .map(|variant| {
                let (player, lane) = (variant / lanes.len(), variant % lanes.len());
                let mut answers = Array2::zeros((rows.height, outputs));
                let blocks = blocks.iter().flat_map(|block| {
                    let bases = block.base.chunks_exact(outputs);
                    bases.zip(block.differences.chunks_exact(turn.players * outputs))
                });
                for (mut to, (base, differences)) in answers.outer_iter_mut().zip(blocks) {
                    let differences = &differences[player * outputs..][..outputs];
                    for ((to, base), difference) in to.iter_mut().zip(base).zip(differences) {
                        *to = (base + difference[lane]) as f64 * self.unit;
                    }
                }
                answers += &ArrayView1::from(self.base);
                linked(self.answers.link(), answers)
            })
            .collect()
    }
}

/// What is shuffled while rows walk once.
struct Turn<'a> {
    /// By column its place among those that are shuffled, and the player; [`NONE`] of others.
    slots: Vec<[u32; 2]>,
    /// The columns that are shuffled, and for each lane the row that gives a row its cell.
    columns: Vec<(usize, &'a [Vec<u32>])>,
    players: usize,
    /// A bit for each lane that is taken.
    lanes: u8,
}

/// The margins of some rows.
struct Margins {
    /// (row, output), of rows as they are.
    base: Vec<i64>,
    /// (row, player, output): by lane what is added.
    differences: Vec<[i64; LANES]>,
}

/// A power of 2 of which all sums of leaves are some multiple below 2⁶¹.
fn unit(trees: &Trees) -> f64 {
    let largest = |tree: &Tree| {
        tree.values
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()))
    };
    let most: f64 = trees.trees.iter().map(largest).sum();
    // Of no leaves but 0, any; of the least numbers, one that is none of them itself.
    let exponent = if most > 0.0 { most.log2().ceil() } else { 0.0 };
    (exponent - 61.0).max(-1000.0).exp2()
}

/// What a link makes of margins.
fn linked(link: Link, mut margins: Array2<f64>) -> Array2<f64> {
    match link {
        Link::Identity | Link::Probability => {}
        Link::Logistic { scale } => {
            margins.mapv_inplace(|margin| 1.0 / (1.0 + (-scale * margin).exp()));
        }
        link => {
            for mut row in margins.outer_iter_mut() {
                let answers = link.predict(&row.to_vec());
                for (to, answer) in row.iter_mut().zip(answers) {
                    *to = answer;
                }
            }
        }
    }
    margins
}

impl Engine for Walks<'_> {
    fn name(&self) -> &'static str {
        "trees"
    }

    fn base(&self, rows: &Rows) -> Result<Array2<f64>> {
        let cells = Array2::from_shape_fn((rows.height, rows.features()), |(row, feature)| {
            rows.column(feature)[row]
        });
        self.answers.to(cells)
    }

    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>> {
        let repeats = shuffled.first().map_or(0, |(_, orders)| orders.len());
        let mut answers: Vec<Vec<Array2<f64>>> = vec![Vec::new(); shuffled.len()];
        for first in (0..repeats).step_by(LANES) {
            let lanes = first..repeats.min(first + LANES);
            let mut made = self.turn(rows, shuffled, lanes.clone()).into_iter();
            for answers in &mut answers {
                answers.extend(made.by_ref().take(lanes.len()));
            }
        }
        Ok(answers.concat())
    }

    fn reads(&self, feature: usize) -> bool {
        self.columns[feature].is_some()
    }
}
