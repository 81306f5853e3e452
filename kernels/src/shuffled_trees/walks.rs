//! A row walks a tree once. At each split on its path, the ranks that the split's column takes in all lanes are compared
//! at once; only a lane whose rank goes the other way walks on from there, and adds what its leaf differs by.

use super::{Cells, LANES, Margins, NONE, Ready, Root, Step, To, Trees};

/// A player that leaves a path: which, the step that it goes to, and a bit for each lane in which it does.
type Parted = (u32, u32, u8);

impl Trees {
    /// By lane, a bit for each rank that goes left.
    #[inline(always)]
    fn lefts(&self, step: &Step, ranks: &[i32; LANES]) -> u8 {
        let mut lefts = 0;
        if step.turns == 0 {
            for (lane, rank) in ranks.iter().enumerate() {
                lefts |= u8::from(rank.wrapping_add(step.missing_left) < step.below) << lane;
            }
        } else {
            for (lane, &rank) in ranks.iter().enumerate() {
                lefts |= u8::from(self.left_by_set(step.turns, rank)) << lane;
            }
        }
        lefts
    }
}

/// Adds what a tree gives.
#[inline(always)]
pub(super) fn add(
    ready: &Ready<'_>,
    cells: &Cells,
    root: Root,
    to: &To,
    parted: &mut Vec<Parted>,
    margins: &mut Margins,
) {
    let trees = ready.trees;
    let lanes = u8::MAX >> (LANES - ready.lanes.clamp(1, LANES));
    let mut alive = vec![lanes; to.players];
    for row in 0..cells.height {
        let taken = cells.taken(row);
        let mut step = &trees.steps[root.step as usize];
        while step.column != NONE {
            let column = step.column as usize;
            let is_left = trees.left(step, cells.own[column][row]);
            if let Some(ranks) = taken.get(ready.slots[column] as usize) {
                let player = ready.turn.players[column];
                let alive = &mut alive[player as usize];
                let differs = trees.lefts(step, ranks) ^ if is_left { u8::MAX } else { 0 };
                let parting = differs & *alive;
                if parting != 0 {
                    *alive &= !parting;
                    parted.push((
                        player,
                        if is_left { step.right } else { step.left },
                        parting,
                    ));
                }
            }
            step = &trees.steps[if is_left { step.left } else { step.right } as usize];
        }
        let own = &trees.values[step.left as usize..][..to.range.len()];
        for (margin, value) in to.base(margins, row).iter_mut().zip(own) {
            *margin += value;
        }
        for (player, start, mut left) in parted.drain(..) {
            alive[player as usize] = lanes;
            let differences = to.differences(margins, row, player);
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                let leaf = walk(ready, cells, start, (row, player, lane));
                let values = trees.values[leaf..].iter().zip(own);
                for (difference, (value, before)) in differences.iter_mut().zip(values) {
                    difference[lane] += value - before;
                }
            }
        }
    }
}

/// Where the values are of the leaf that a row reaches from a step on, with the cells that a player takes.
#[inline(always)]
fn walk(
    ready: &Ready<'_>,
    cells: &Cells,
    start: u32,
    (row, player, lane): (usize, u32, usize),
) -> usize {
    let taken = cells.taken(row);
    let mut step = &ready.trees.steps[start as usize];
    while step.column != NONE {
        let column = step.column as usize;
        let rank = if ready.turn.players[column] == player {
            taken[ready.slots[column] as usize][lane]
        } else {
            cells.own[column][row]
        };
        let is_left = ready.trees.left(step, rank);
        step = &ready.trees.steps[if is_left { step.left } else { step.right } as usize];
    }
    step.left as usize
}
