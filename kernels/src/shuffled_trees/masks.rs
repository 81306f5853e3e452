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
    /// By member whose column is one, what it leaves possible: of missing cells, of the least rank, and from each
    /// threshold on.
    rungs: Vec<Rung>,
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
    /// Where its rungs begin, if all of its splits are thresholds of one column.
    rungs: Option<usize>,
}

/// What a column leaves possible from a rank on, up to that of the next rung.
#[derive(Debug, Clone, Copy)]
struct Rung {
    from: i32,
    kept: u64,
}

/// The rungs of splits that are thresholds of one column.
fn line(splits: &[Split], rungs: &mut Vec<Rung>) {
    let kept = |side: &dyn Fn(&Split) -> bool| {
        let kept = |split: &Split| if side(split) { split.left } else { split.right };
        splits.iter().fold(u64::MAX, |all, split| all & kept(split))
    };
    // A missing cell is below a threshold where it goes left.
    let from = |split: &Split| split.below - split.missing_left;
    let mut thresholds: Vec<i32> = splits.iter().map(from).collect();
    thresholds.sort_unstable();
    rungs.push(Rung {
        from: super::MISSING,
        kept: kept(&|split| split.missing_left == 1),
    });
    rungs.push(Rung {
        from: i32::MIN,
        kept: kept(&|_| true),
    });
    rungs.extend(thresholds.iter().map(|&rank| Rung {
        from: rank,
        kept: kept(&|split| rank < from(split)),
    }));
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
                    rungs: None,
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
        let mut rungs = Vec::new();
        for member in &mut members {
            let splits = &splits[member.first..member.end];
            let is_line = |split: &Split| split.turns == 0 && split.column == splits[0].column;
            if splits.iter().all(is_line) {
                member.rungs = Some(rungs.len());
                line(splits, &mut rungs);
            }
        }
        Some(Self {
            rungs,
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
                let rest = space.rest[usize::from(member)][row];
                let member = self.members[usize::from(member)];
                let differences = to.differences(margins, row, member.player);
                let splits = &self.splits[member.first..member.end];
                if let Some(first) = member.rungs {
                    let rungs = &self.rungs[first..][..splits.len() + 2];
                    let ranks = &taken[splits[0].slot as usize];
                    for (output, (difference, before)) in
                        differences.iter_mut().zip(own).enumerate()
                    {
                        let values = &self.values[output..];
                        let value = |rung: &Rung| {
                            values[(rest & rung.kept).trailing_zeros() as usize * width]
                        };
                        climb(rungs, ranks, value, *before, difference);
                    }
                    continue;
                }
                let mut kept = [rest; LANES];
                for split in splits {
                    split.keep(trees, &taken[split.slot as usize], &mut kept);
                }
                let kept = kept.map(|kept| kept.trailing_zeros() as usize);
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
            for row in 0..ROWS {
                before[row] &= kept[row];
            }
        }
        let mut after = [u64::MAX; ROWS];
        for (rest, kept) in space.rest[..count].iter_mut().zip(&space.kept).rev() {
            for row in 0..ROWS {
                rest[row] &= after[row];
                after[row] &= kept[row];
            }
        }
        before
    }
}

/// Adds what the value of the last rung that a rank is at or above differs by, for each of some ranks.
#[inline(always)]
fn climb(
    rungs: &[Rung],
    ranks: &[i32; LANES],
    value: impl Fn(&Rung) -> i64,
    before: i64,
    difference: &mut [i64; LANES],
) {
    let [missing, least, thresholds @ ..] = rungs else {
        return;
    };
    let mut last = value(least);
    let mut sums = [last - before; LANES];
    for rung in thresholds {
        let next = value(rung);
        let rise = next - last;
        for lane in 0..LANES {
            sums[lane] += rise & -i64::from(ranks[lane] >= rung.from);
        }
        last = next;
    }
    let rise = value(missing) - last;
    for lane in 0..LANES {
        sums[lane] += rise & -i64::from(ranks[lane] == missing.from);
    }
    for lane in 0..LANES {
        difference[lane] += sums[lane];
    }
}

impl Split {
    /// Keeps what the side of each rank leaves possible.
    #[inline(always)]
    fn keep<const N: usize>(&self, trees: &Trees, ranks: &[i32; N], kept: &mut [u64; N]) {
        let (below, missing_left) = (self.below, self.missing_left);
        // Of two words by a mask, not by an address, which vectors have one of.
        let (either, right) = (self.left ^ self.right, self.right);
        if self.turns == 0 {
            for lane in 0..N {
                let is_left = ranks[lane].wrapping_add(missing_left) < below;
                kept[lane] &= right ^ (either & u64::from(is_left).wrapping_neg());
            }
        } else {
            for lane in 0..N {
                let is_left = trees.left_by_set(self.turns, ranks[lane]);
                kept[lane] &= right ^ (either & u64::from(is_left).wrapping_neg());
            }
        }
    }
}
