//! Margins of rows that take the cells of some columns from other rows, without those rows being made.
//! Twin: `shaders/shuffled_trees.wgsl`
//!
//! Splits compare ranks of cells among those of their column. Leaves are whole numbers, multiples of a unit that the
//! caller knows: sums are the same in whatever order, so that both twins, and every division into parts, have the same
//! bits.
//!
//! On the CPU, up to [`LANES`] shuffles go side by side. A tree of up to 64 leaves is not walked: each column's splits
//! leave a set of leaves, as bits, and what all sets have in common is the leaf of a row (after Lucchese et al. 2015,
//! "`QuickScorer`"). Another row's cell replaces the set of its own player alone; that of all others is made once. Of
//! larger trees, a row walks on from where a cell that it takes goes the other way. The shader walks every row.

mod masks;
mod walks;

use crate::binding::{bindings, params};
use crate::simd::Level;
use crate::simd::wide::{Wide, wide_instances};
use masks::Masks;

bindings! {
    roots: Read, steps: Read, sets: Read, values: Read, ranks: Read, players: Read, orders: Read, sums: Write,
}

params! {
    /// What one launch works on.
    {
        /// Rows.
        rows,
        /// Shuffles: all repeats of a player, then those of the next.
        shuffles,
        /// Shuffles of a player.
        repeats,
        /// The first shuffle.
        shuffle,
        /// Outputs.
        outputs,
        /// First tree.
        first,
        /// The tree after the last one.
        end,
    }
}

/// The rank of a missing cell: one more is the least number.
pub const MISSING: i32 = i32::MAX;

/// Marks a leaf in [`Step::column`], a tree that gives to all outputs in [`Root::output`], and a column that nobody
/// shuffles.
pub const NONE: u32 = u32::MAX;

/// Shuffles side by side.
pub const LANES: usize = 8;

/// Rows at a time whose ranks, and those that they take, are at hand while trees pass.
pub const ROWS: usize = 32;

/// A split, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Step {
    /// The column; [`NONE`] for a leaf.
    pub column: u32,
    /// A rank goes left if it is below this once `missing_left` is added, so that a missing cell can.
    pub below: i32,
    /// 0 or 1.
    pub missing_left: i32,
    /// Of a split that is no threshold, 1 and where its turns begin in [`Trees::sets`]; else 0.
    pub turns: u32,
    /// The step to the left; of a leaf, where its values are.
    pub left: u32,
    /// The step to the right.
    pub right: u32,
}

/// Where a tree begins, and what it gives to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Root {
    /// Its first step.
    pub step: u32,
    /// The output; [`NONE`] for all of them.
    pub output: u32,
}

/// Trees whose splits compare ranks.
#[derive(Debug, Clone, Default)]
pub struct Trees {
    /// All steps.
    pub steps: Vec<Step>,
    /// All trees.
    pub roots: Vec<Root>,
    /// What leaves give.
    pub values: Vec<i64>,
    /// For each split that is no threshold: how many turns there are, and these in their order. Ranks up to the first
    /// go right, from there to the next left, and so in turns.
    pub sets: Vec<u32>,
    /// Outputs.
    pub outputs: usize,
}

/// A shuffle of players, in up to [`LANES`] repeats, while rows pass once.
#[derive(Debug)]
pub struct Turn<'a> {
    /// By column the player, from 0 on; [`NONE`] of columns that nobody shuffles.
    pub players: &'a [u32],
    /// By player and lane, the row from which each row takes its cells.
    pub orders: &'a [&'a [Vec<u32>]],
}

/// The margins of some rows, without any base.
#[derive(Debug)]
pub struct Margins {
    /// (row, output), of rows as they are.
    pub base: Vec<i64>,
    /// (row, player, output): by lane, what is added; what idle lanes hold, nobody reads.
    pub differences: Vec<[i64; LANES]>,
}

/// Trees, made ready for a turn.
#[derive(Debug)]
pub struct Ready<'a> {
    trees: &'a Trees,
    turn: &'a Turn<'a>,
    /// By tree, its sets of leaves; `None` of a tree that is walked.
    masks: Vec<Option<Masks>>,
    /// By column its place among those that are shuffled; [`NONE`] of others.
    slots: Vec<u32>,
    /// The columns that are shuffled.
    columns: Vec<usize>,
    lanes: usize,
}

impl Trees {
    /// Whether a rank goes left.
    #[inline(always)]
    fn left(&self, step: &Step, rank: i32) -> bool {
        if step.turns == 0 {
            return rank.wrapping_add(step.missing_left) < step.below;
        }
        self.left_by_set(step.turns, rank)
    }

    #[cold]
    fn left_by_set(&self, set: u32, rank: i32) -> bool {
        let set = &self.sets[set as usize - 1..];
        let turns = &set[1..][..set[0] as usize];
        turns.partition_point(|&turn| turn <= rank as u32) % 2 == 1
    }

    /// Loop iterations of a walk through each tree, at the most, the ends of loops among them.
    pub fn levels(&self) -> Vec<u64> {
        let of_tree = |root: &Root| {
            let (mut most, mut ahead) = (0, vec![(root.step, 0)]);
            while let Some((step, above)) = ahead.pop() {
                let step = &self.steps[step as usize];
                if step.column == NONE {
                    most = most.max(above);
                    continue;
                }
                let of_set = match step.turns {
                    0 => 0,
                    set => 2 + self.sets[set as usize - 1].max(1).ilog2(),
                };
                let here = above + 1 + u64::from(of_set);
                ahead.extend([(step.left, here), (step.right, here)]);
            }
            most + 2 + self.range(*root).len() as u64
        };
        self.roots.iter().map(of_tree).collect()
    }

    /// The outputs that a tree gives to.
    fn range(&self, root: Root) -> std::ops::Range<usize> {
        match root.output {
            NONE => 0..self.outputs,
            output => output as usize..output as usize + 1,
        }
    }
}

impl<'a> Ready<'a> {
    /// For the players of a turn.
    pub fn new(trees: &'a Trees, turn: &'a Turn<'a>) -> Self {
        let mut slots = vec![NONE; turn.players.len()];
        let mut columns = Vec::new();
        for (column, &player) in turn.players.iter().enumerate() {
            if player != NONE {
                slots[column] = columns.len() as u32;
                columns.push(column);
            }
        }
        let masks = |root: &Root| Masks::new(trees, *root, turn.players, &slots);
        Self {
            masks: trees.roots.iter().map(masks).collect(),
            lanes: turn.orders.first().map_or(0, |orders| orders.len()),
            trees,
            turn,
            slots,
            columns,
        }
    }

    /// The margins of up to [`ROWS`] rows from the first on. `ranks` are those of all rows, by column.
    pub fn margins(
        &self,
        level: Level,
        ranks: &[Vec<i32>],
        first: usize,
        height: usize,
    ) -> Margins {
        let players = self.turn.orders.len();
        let mut cells = Cells {
            own: vec![[0; ROWS]; ranks.len()],
            taken: vec![[0; LANES]; height * self.columns.len()],
            slots: self.columns.len(),
            height,
        };
        for (own, ranks) in cells.own.iter_mut().zip(ranks) {
            own[..height].copy_from_slice(&ranks[first..first + height]);
        }
        for (slot, &column) in self.columns.iter().enumerate() {
            let orders = self.turn.orders[self.turn.players[column] as usize];
            for (lane, order) in orders.iter().enumerate() {
                for row in 0..height {
                    cells.taken[row * cells.slots + slot][lane] =
                        ranks[column][order[first + row] as usize];
                }
            }
        }
        let mut margins = Margins {
            base: vec![0; height * self.trees.outputs],
            differences: vec![[0; LANES]; height * players * self.trees.outputs],
        };
        run(level, self, &cells, &mut margins);
        margins
    }
}

/// Ranks of some rows, and those that they take.
#[derive(Debug)]
struct Cells {
    /// By column, that of each row.
    own: Vec<[i32; ROWS]>,
    /// (row, slot): by lane the rank that is taken.
    taken: Vec<[i32; LANES]>,
    slots: usize,
    height: usize,
}

impl Cells {
    #[inline(always)]
    fn taken(&self, row: usize) -> &[[i32; LANES]] {
        &self.taken[row * self.slots..][..self.slots]
    }
}

wide_instances! {
    fn run = all(ready: &Ready<'_>, cells: &Cells, margins: &mut Margins)
}

#[inline(always)]
fn all<W: Wide>(ready: &Ready<'_>, cells: &Cells, margins: &mut Margins) {
    let players = ready.turn.orders.len();
    let mut space = masks::Space::default();
    let mut parted = Vec::new();
    for (root, masks) in ready.trees.roots.iter().zip(&ready.masks) {
        let to = To {
            players,
            outputs: ready.trees.outputs,
            range: ready.trees.range(*root),
        };
        match masks {
            Some(masks) => masks.add(ready.trees, cells, &to, &mut space, margins),
            None => walks::add(ready, cells, *root, &to, &mut parted, margins),
        }
    }
}

/// Where a tree gives to.
#[derive(Debug)]
struct To {
    players: usize,
    outputs: usize,
    range: std::ops::Range<usize>,
}

impl To {
    #[inline(always)]
    fn base<'a>(&self, margins: &'a mut Margins, row: usize) -> &'a mut [i64] {
        &mut margins.base[row * self.outputs..][self.range.clone()]
    }

    #[inline(always)]
    fn differences<'a>(
        &self,
        margins: &'a mut Margins,
        row: usize,
        player: u32,
    ) -> &'a mut [[i64; LANES]] {
        let first = (row * self.players + player as usize) * self.outputs;
        &mut margins.differences[first..][self.range.clone()]
    }
}
