//! Leaves as the bits of a word: a split keeps those that its side leaves possible, and the one that all splits keep is
//! the leaf of a row.

use super::{Cells, LANES, Margins, NONE, ROWS, Root, To, Trees};

/// A tree of up to 64 leaves.
#[derive(Debug)]
pub(super) struct Masks {
    /// The splits by player: those of columns that nobody shuffles first.
    splits: Vec<Split>,
    /// The players of the tree, and where their splits begin and end.
    members: Vec<Member>,
    /// The first split of a player.
    first: usize,
    /// By leaf, where the members on its path begin in `paths`; one more for the end.
    starts: Vec<u16>,
    paths: Vec<u8>,
    /// (leaf, output).
    values: Vec<i64>,
    /// A bit for each leaf.
    leaves: u64,
}

/// What a split keeps.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: u32,
    slot: u32,
    below: i32,
    missing_left: i32,
    turns: u32,
    left: u64,
    right: u64,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    player: u32,
    first: usize,
    end: usize,
}

/// What members leave possible, for every row.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// What the splits of each member keep.
    kept: Vec<[u64; ROWS]>,
    /// What all others keep.
    rest: Vec<[u64; ROWS]>,
}

/// A tree on its way to masks.
struct Reading<'a> {
    trees: &'a Trees,
    /// Where each leaf has its values.
    leaves: Vec<u32>,
    /// The path to each leaf, as splits.
    paths: Vec<Vec<usize>>,
    splits: Vec<Split>,
}

impl Reading<'_> {
    /// The leaves below a step; `None` if there are too many in all.
    fn below(&mut self, step: u32, path: &mut Vec<usize>) -> Option<u64> {
        let step = self.trees.steps[step as usize];
        if step.column == NONE {
            if self.leaves.len() == 64 {
                return None;
            }
            self.leaves.push(step.left);
            self.paths.push(path.clone());
            return Some(1 << (self.leaves.len() - 1));
        }
        // A path of as many splits has more leaves beside it.
        if path.len() == 64 {
            return None;
        }
        let number = self.splits.len();
        self.splits.push(Split {
            column: step.column,
            slot: NONE,
            below: step.below,
            missing_left: step.missing_left,
            turns: step.turns,
            left: 0,
            right: 0,
        });
        path.push(number);
        let left = self.below(step.left, path)?;
        let right = self.below(step.right, path)?;
        path.pop();
        self.splits[number].left = !right;
        self.splits[number].right = !left;
        Some(left | right)
    }
}

impl Masks {
    /// `None` for a tree of more leaves than a word has bits.
    pub(super) fn new(trees: &Trees, root: Root, players: &[u32], slots: &[u32]) -> Option<Self> {
        let mut reading = Reading {
            trees,
            leaves: Vec::new(),
            paths: Vec::new(),
            splits: Vec::new(),
        };
        let leaves = reading.below(root.step, &mut Vec::new())?;
        let player = |split: &Split| players[split.column as usize];
        let mut order: Vec<usize> = (0..reading.splits.len()).collect();
        // Nobody comes before the first player.
        order.sort_by_key(|&split| player(&reading.splits[split]).wrapping_add(1));
        let mut members: Vec<Member> = Vec::new();
        let mut of_split = vec![None; order.len()];
        let mut splits = Vec::with_capacity(order.len());
        for (place, &number) in order.iter().enumerate() {
            let mut split = reading.splits[number];
            split.slot = slots[split.column as usize];
            let player = player(&split);
            splits.push(split);
            if player == NONE {
                continue;
            }
            match members.last_mut() {
                Some(member) if member.player == player => member.end = place + 1,
                _ => members.push(Member {
                    player,
                    first: place,
                    end: place + 1,
                }),
            }
            of_split[number] = Some(members.len() as u8 - 1);
        }
        let (mut starts, mut paths) = (vec![0], Vec::new());
        for path in &reading.paths {
            let first = paths.len();
            for member in path.iter().filter_map(|&split| of_split[split]) {
                if !paths[first..].contains(&member) {
                    paths.push(member);
                }
            }
            starts.push(paths.len() as u16);
        }
        let width = trees.range(root).len();
        let values = (reading.leaves.iter())
            .flat_map(|&place| &trees.values[place as usize..][..width])
            .copied()
            .collect();
        Some(Self {
            first: members.first().map_or(splits.len(), |member| member.first),
            splits,
            members,
            starts,
            paths,
            values,
            leaves,
        })
    }

    /// Adds what the tree gives.
    #[inline(always)]
    pub(super) fn add(
        &self,
        trees: &Trees,
        cells: &Cells,
        to: &To,
        space: &mut Space,
        margins: &mut Margins,
    ) {
        let leaves = self.keep(trees, cells, space);
        let width = to.range.len();
        for (row, leaf) in leaves[..cells.height].iter().enumerate() {
            let leaf = leaf.trailing_zeros() as usize;
            let own = &self.values[leaf * width..][..width];
            for (margin, value) in to.base(margins, row).iter_mut().zip(own) {
                *margin += value;
            }
            let taken = cells.taken(row);
            let path = usize::from(self.starts[leaf])..usize::from(self.starts[leaf + 1]);
            for &member in &self.paths[path] {
                let mut kept = [space.rest[usize::from(member)][row]; LANES];
                let member = self.members[usize::from(member)];
                for split in &self.splits[member.first..member.end] {
                    split.keep(trees, &taken[split.slot as usize], &mut kept);
                }
                let kept = kept.map(|kept| kept.trailing_zeros() as usize);
                let differences = to.differences(margins, row, member.player);
                for (output, (difference, before)) in differences.iter_mut().zip(own).enumerate() {
                    for lane in 0..LANES {
                        let value = self.values[kept[lane] * width + output];
                        difference[lane] += value - before;
                    }
                }
            }
        }
    }

    /// The leaf of each row, as a bit, and in `space` what the splits of all other players keep for each member.
    #[inline(always)]
    fn keep(&self, trees: &Trees, cells: &Cells, space: &mut Space) -> [u64; ROWS] {
        let count = self.members.len();
        if space.kept.len() < count {
            space.kept.resize(count, [0; ROWS]);
            space.rest.resize(count, [0; ROWS]);
        }
        let mut before = [self.leaves; ROWS];
        for split in &self.splits[..self.first] {
            split.keep(trees, &cells.own[split.column as usize], &mut before);
        }
        for (number, member) in self.members.iter().enumerate() {
            let mut kept = [u64::MAX; ROWS];
            for split in &self.splits[member.first..member.end] {
                split.keep(trees, &cells.own[split.column as usize], &mut kept);
            }
            space.rest[number] = before;
            space.kept[number] = kept;
            for (before, kept) in before.iter_mut().zip(&kept) {
                *before &= kept;
            }
        }
        let mut after = [u64::MAX; ROWS];
        for (rest, kept) in space.rest[..count].iter_mut().zip(&space.kept).rev() {
            for ((rest, kept), after) in rest.iter_mut().zip(kept).zip(&mut after) {
                *rest &= *after;
                *after &= kept;
            }
        }
        before
    }
}

impl Split {
    /// Keeps what the side of each rank leaves possible.
    #[inline(always)]
    fn keep<const N: usize>(&self, trees: &Trees, ranks: &[i32; N], kept: &mut [u64; N]) {
        if self.turns == 0 {
            for (kept, rank) in kept.iter_mut().zip(ranks) {
                let is_left = rank.wrapping_add(self.missing_left) < self.below;
                *kept &= if is_left { self.left } else { self.right };
            }
        } else {
            for (kept, &rank) in kept.iter_mut().zip(ranks) {
                let is_left = trees.left_by_set(self.turns, rank);
                *kept &= if is_left { self.left } else { self.right };
            }
        }
    }
}
