//! Trees: splits are lowered to the ranks of cells among those of their column, and leaves to whole numbers, multiples of
//! 2⁻⁶¹ of the largest sum. Rows that reach the same leaves have the same margin to the last bit, whichever way it came
//! about and on whichever device, as metrics of ranks need it.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::shuffled_trees::{
    self, LANES, MISSING, Margins, NONE, ROWS, Ready, Root, Step, Turn,
};

use super::PermutationOptions;
use super::engine::{Engine, Place, Shuffled, placed};
use super::gpu::Shuffles;
use super::rows::Rows;
use crate::error::Result;
use crate::explain::answers::Answers;
use crate::model::{Link, Missing, Node, Output, Precision, Split, Test, Tree, Trees};

/// Trees in ranks of the cells of some rows.
pub(super) struct Ranked<'a> {
    answers: Answers,
    trees: shuffled_trees::Trees,
    /// What one is, of the whole numbers of leaves.
    unit: f64,
    base: &'a [f64],
    /// By feature its place among the columns, of those that trees test.
    columns: Vec<Option<usize>>,
    /// By column the rank of each row.
    ranks: Vec<Vec<i32>>,
    on_gpu: Option<Shuffles>,
    place: Place,
    /// The sums of rows as they are, once someone has made them.
    sums: OnceLock<Vec<i64>>,
}

impl<'a> Ranked<'a> {
    /// # Errors
    /// [`crate::Error::Gpu`] if the GPU fails.
    pub(super) fn new(
        trees: &'a Trees,
        rows: &Rows,
        answers: Answers,
        options: &PermutationOptions,
    ) -> Result<Self> {
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
        let (ranks, cells): (Vec<Vec<i32>>, Vec<Vec<f64>>) = (used.par_iter())
            .map(|&feature| ranks(rows.column(feature), trees.precision))
            .unzip();
        let unit = unit(trees);
        let mut to = shuffled_trees::Trees {
            outputs: trees.base.len(),
            ..shuffled_trees::Trees::default()
        };
        for tree in &trees.trees {
            let (first, values) = (to.steps.len() as u32, to.values.len() as u32);
            let (width, output) = match tree.output {
                Output::One(output) => (1, output),
                Output::All => (trees.base.len() as u32, NONE),
            };
            to.roots.push(Root {
                step: first,
                output,
            });
            let whole = tree.values.iter().map(|value| (value / unit).round());
            to.values.extend(whole.map(|value| value as i64));
            for node in &tree.nodes {
                let step = match node {
                    Node::Leaf { leaf, .. } => Step {
                        column: NONE,
                        below: 0,
                        missing_left: 0,
                        turns: 0,
                        left: values + leaf * width,
                        right: 0,
                    },
                    Node::Split(split) => {
                        let column = columns[split.feature as usize].unwrap_or_default();
                        let (below, turns) = lower(split, trees, &cells[column], &mut to.sets);
                        Step {
                            column: column as u32,
                            below,
                            missing_left: i32::from(goes_left_without(split)),
                            turns,
                            left: first + split.left,
                            right: first + split.right,
                        }
                    }
                };
                to.steps.push(step);
            }
        }
        // What is summed on a GPU stays at hand as long as the next tree gives to the same output.
        to.roots.sort_by_key(|root| root.output);
        let made = Shuffles::new(&to, &ranks, rows.height, options);
        let (on_gpu, place) = placed(&options.device, made)?;
        Ok(Self {
            answers,
            trees: to,
            unit,
            base: &trees.base,
            columns,
            ranks,
            on_gpu,
            place,
            sums: OnceLock::new(),
        })
    }

    /// The answers of all players and repeats, as sums that a GPU has.
    fn on_gpu(
        &self,
        shuffles: &Shuffles,
        rows: &Rows,
        shuffled: &Shuffled,
    ) -> Result<Vec<Array2<f64>>> {
        let repeats = shuffled.first().map_or(1, |(_, orders)| orders.len());
        let orders: Vec<&[u32]> = (shuffled.iter())
            .flat_map(|(_, orders)| orders.iter().map(Vec::as_slice))
            .collect();
        let sums = shuffles.sums(&self.players(rows, shuffled), repeats, &orders)?;
        let (height, outputs) = (rows.height, self.base.len());
        let of_shuffles = sums.par_chunks_exact((height * outputs).max(1));
        Ok(of_shuffles
            .map(|sums| {
                let turned = (0..sums.len()).map(|at| sums[at % outputs * height + at / outputs]);
                self.answers(height, turned)
            })
            .collect())
    }

    /// By column the player of those that are shuffled.
    fn players(&self, rows: &Rows, shuffled: &Shuffled) -> Vec<u32> {
        let mut players = vec![NONE; self.ranks.len()];
        for (number, (player, _)) in shuffled.iter().enumerate() {
            for &feature in &rows.members[*player] {
                if let Some(column) = self.columns[feature] {
                    players[column] = number as u32;
                }
            }
        }
        players
    }

    /// The answers of players in up to [`LANES`] repeats: (player, lane).
    fn turn(
        &self,
        rows: &Rows,
        shuffled: &Shuffled,
        lanes: std::ops::Range<usize>,
    ) -> Vec<Array2<f64>> {
        let players = self.players(rows, shuffled);
        let orders: Vec<&[Vec<u32>]> = (shuffled.iter())
            .map(|(_, orders)| &orders[lanes.clone()])
            .collect();
        let turn = Turn {
            players: &players,
            orders: &orders,
        };
        let blocks = self.blocks(&turn, rows.height);
        self.sums.get_or_init(|| concatenated(&blocks));
        let outputs = self.base.len();
        let variants = shuffled.len() * lanes.len();
        (0..variants)
            .into_par_iter()
            .map(|variant| {
                let (player, lane) = (variant / lanes.len(), variant % lanes.len());
                let of_rows = blocks.iter().flat_map(|block| {
                    let bases = block.base.chunks_exact(outputs);
                    bases.zip(block.differences.chunks_exact(shuffled.len() * outputs))
                });
                let sums = of_rows.flat_map(|(base, differences)| {
                    let differences = &differences[player * outputs..][..outputs];
                    base.iter()
                        .zip(differences)
                        .map(|(base, difference)| base + difference[lane])
                });
                self.answers(rows.height, sums)
            })
            .collect()
    }

    /// The margins of a turn, in blocks of rows.
    fn blocks(&self, turn: &Turn<'_>, height: usize) -> Vec<Margins> {
        let (ready, level) = (Ready::new(&self.trees, turn), Level::detect());
        let starts: Vec<usize> = (0..height).step_by(ROWS).collect();
        (starts.par_iter())
            .map(|&first| ready.margins(level, &self.ranks, first, ROWS.min(height - first)))
            .collect()
    }

    /// The answers of rows whose leaves sum up to whole numbers, (row, output).
    fn answers(&self, height: usize, sums: impl Iterator<Item = i64>) -> Array2<f64> {
        let mut margins = Array2::zeros((height, self.base.len()));
        for (to, sum) in margins.iter_mut().zip(sums) {
            *to = sum as f64 * self.unit;
        }
        margins += &ArrayView1::from(self.base);
        linked(self.answers.link(), margins)
    }
}

/// The sums of all rows as they are.
fn concatenated(blocks: &[Margins]) -> Vec<i64> {
    blocks
        .iter()
        .flat_map(|block| &block.base)
        .copied()
        .collect()
}

/// Where a missing cell goes, as a threshold.
fn goes_left_without(split: &Split) -> bool {
    match (split.missing, &split.test) {
        (Missing::Never, Test::Below(threshold)) => 0.0 < *threshold,
        (Missing::Never, Test::Always) => true,
        (Missing::Never, _) => false,
        _ => split.missing_left,
    }
}

/// A split in ranks of the cells of its column: below which rank, and of what is no threshold 1 and where its set begins.
fn lower(split: &Split, trees: &Trees, cells: &[f64], sets: &mut Vec<u32>) -> (i32, u32) {
    let is_threshold = matches!(split.test, Test::Below(_) | Test::Always);
    let below = |cell: f64| match split.test {
        Test::Below(threshold) => cell < threshold,
        _ => true,
    };
    // Cells that count as missing, which are no NaN, have to go where they would go anyway.
    let is_plain = is_threshold
        && (split.missing != Missing::NanOrZero
            || (cells.iter())
                .filter(|cell| split.missing.apply(**cell).is_nan())
                .all(|cell| below(*cell) == split.missing_left));
    if is_plain {
        let rank = cells.partition_point(|cell| below(*cell)) as i32;
        return (rank + i32::from(goes_left_without(split)), 0);
    }
    let place = sets.len();
    sets.push(0);
    let mut was_left = false;
    let ranks = (0..cells.len() as u32).chain([MISSING as u32]);
    for (rank, cell) in ranks.zip(cells.iter().chain(&[f64::NAN])) {
        let is_left = split.left(*cell, trees.precision, trees.fraction);
        if is_left != was_left {
            sets.push(rank);
            was_left = is_left;
        }
    }
    sets[place] = (sets.len() - place - 1) as u32;
    (0, place as u32 + 1)
}

/// How many distinct cells come before each cell of a column, as it is read; a missing one comes after all.
fn ranks(column: &[f64], precision: Precision) -> (Vec<i32>, Vec<f64>) {
    let cells: Vec<f64> = column
        .iter()
        .map(|&cell| precision.read(cell) + 0.0)
        .collect();
    let mut values: Vec<f64> = cells
        .iter()
        .copied()
        .filter(|cell| !cell.is_nan())
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let rank = |cell: &f64| {
        if cell.is_nan() {
            MISSING
        } else {
            values.partition_point(|value| value < cell) as i32
        }
    };
    (cells.par_iter().map(rank).collect(), values)
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

impl Engine for Ranked<'_> {
    fn name(&self) -> &'static str {
        "trees"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn base(&self, rows: &Rows) -> Result<Array2<f64>> {
        let sums = self.sums.get_or_init(|| {
            let turn = Turn {
                players: &vec![NONE; self.ranks.len()],
                orders: &[],
            };
            concatenated(&self.blocks(&turn, rows.height))
        });
        Ok(self.answers(rows.height, sums.iter().copied()))
    }

    fn base_comes_along(&self) -> bool {
        self.on_gpu.is_none()
    }

    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>> {
        if let Some(shuffles) = &self.on_gpu {
            return self.on_gpu(shuffles, rows, shuffled);
        }
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
