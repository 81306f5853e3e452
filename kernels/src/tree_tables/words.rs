//! Tables as the shaders read them: feature by feature, divided so that every list keeps to limits.

use super::{GROUPS_PER_SUM, Group, Pack, Slot};
use crate::forest::Forest;
use crate::tree_patterns::{NO_BIT, Op, Step, Tree};
use crate::words::{LAST, List, Sets, bound, test};

/// Some trees of a [`Pack`], for the kernels `tree_patterns` and `tree_tables`.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The trees, and their end.
    pub trees: Vec<Tree>,
    /// The ops, for each kind of thresholds.
    pub ops: Vec<Vec<Op>>,
    /// Number of groups.
    pub groups: u32,
    /// One list of slots per value cell that has any.
    pub lists: Vec<List>,
    /// The slots, list after list.
    pub slots: Vec<Slot>,
    /// The values by pattern, for every group and feature.
    pub tables: Vec<f32>,
}

/// What one [`Words`] may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of any one list.
    pub bytes: u64,
    /// Groups, more than one tree's own.
    pub groups: u32,
    /// Slots of one list.
    pub slots: u32,
}

/// Trees that share their partial sums, and so are never divided.
struct Unit<'a> {
    output: u32,
    trees: Vec<(&'a [Step], &'a [Group])>,
}

/// Lays a pack out, in as many parts as the limits demand. `None` if trees that share a partial
/// sum exceed them by themselves.
///
/// Every kind of `thresholds` has one number per node of the forest.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    pack: &Pack,
    limits: Limits,
) -> Option<Vec<Words>> {
    let mut parts = Vec::new();
    let mut draft = Draft::new(forest, pack, thresholds.len());
    for unit in units(pack) {
        let mut alone = Draft::new(forest, pack, thresholds.len());
        alone.push(forest, thresholds, sets, pack, &unit);
        if alone.words.groups == 0 {
            continue;
        }
        let alone_limits = Limits {
            groups: (limits.bytes / crate::ROWS as u64).min(u64::from(LAST)) as u32,
            ..limits
        };
        if !alone.fits(None, alone_limits) {
            return None;
        }
        if !alone.fits(Some(&draft), limits) {
            parts.push(draft.finish(limits.slots));
            draft = Draft::new(forest, pack, thresholds.len());
        }
        draft.push(forest, thresholds, sets, pack, &unit);
    }
    if draft.words.groups > 0 {
        parts.push(draft.finish(limits.slots));
    }
    Some(parts)
}

/// The trees of a pack by partial sum.
fn units(pack: &Pack) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    let mut pending = usize::MAX;
    for tree in &pack.trees {
        let (steps, groups) = pack.parts(tree);
        match units.last_mut() {
            Some(unit) if pending < GROUPS_PER_SUM && unit.output == tree.output => {
                unit.trees.push((steps, groups));
                pending += groups.len();
            }
            _ => {
                units.push(Unit {
                    output: tree.output,
                    trees: vec![(steps, groups)],
                });
                pending = groups.len();
            }
        }
    }
    units
}

/// [`Words`] under way: slots by value cell.
struct Draft {
    words: Words,
    outputs: u32,
    cells: Vec<Vec<Slot>>,
    used: Vec<u32>,
    slots: usize,
}

impl Draft {
    fn new(forest: &Forest, pack: &Pack, kinds: usize) -> Self {
        let values = pack.lanes.values(forest.features) as usize;
        Self {
            words: Words {
                ops: vec![Vec::new(); kinds],
                ..Words::default()
            },
            outputs: forest.outputs,
            cells: vec![Vec::new(); values * forest.outputs as usize],
            used: Vec::new(),
            slots: 0,
        }
    }

    /// Whether this and another draft keep to the limits together.
    fn fits(&self, other: Option<&Draft>, limits: Limits) -> bool {
        let within = |size: usize, len: &dyn Fn(&Draft) -> usize| {
            let len = len(self) + other.map_or(0, len);
            (len * size) as u64 <= limits.bytes && len < LAST as usize
        };
        let ops = |draft: &Draft| draft.words.ops.first().map_or(0, Vec::len);
        let groups = self.words.groups + other.map_or(0, |other| other.words.groups);
        groups <= limits.groups
            && within(size_of::<Op>(), &ops)
            && within(size_of::<Tree>(), &|draft| draft.words.trees.len() + 1)
            && within(size_of::<Slot>(), &|draft| draft.slots)
            && within(size_of::<f32>(), &|draft| draft.words.tables.len())
    }

    fn push(
        &mut self,
        forest: &Forest,
        thresholds: &[&[f32]],
        sets: &Sets,
        pack: &Pack,
        unit: &Unit<'_>,
    ) {
        let mut touched: Vec<u32> = Vec::new();
        for (steps, groups) in &unit.trees {
            let before = self.words.groups;
            let tree = Tree {
                first: self.words.ops.first().map_or(0, Vec::len) as u32,
                group: before,
            };
            for group in groups.iter().filter(|group| group.width > 0) {
                self.push_group(pack, group, unit.output, &mut touched);
            }
            if self.words.groups == before {
                continue;
            }
            self.words.trees.push(tree);
            for (ops, thresholds) in self.words.ops.iter_mut().zip(thresholds) {
                push_ops(forest, thresholds, sets, steps, groups, ops);
            }
        }
        for cell in touched {
            if let Some(slot) = self.cells[cell as usize].last_mut() {
                slot.group |= LAST;
            }
        }
    }

    fn push_group(&mut self, pack: &Pack, group: &Group, output: u32, touched: &mut Vec<u32>) {
        let first = group.first as usize;
        let entries = &pack.entries[first..first + (1 << group.bits)];
        for (lane, &feature) in group.features[..usize::from(group.width)]
            .iter()
            .enumerate()
        {
            let cell = feature * self.outputs + output;
            let slots = &mut self.cells[cell as usize];
            if slots.is_empty() {
                self.used.push(cell);
            }
            if slots.last().is_none_or(|slot| slot.group & LAST != 0) {
                touched.push(cell);
            }
            slots.push(Slot {
                group: self.words.groups,
                table: self.words.tables.len() as u32,
            });
            self.slots += 1;
            self.words
                .tables
                .extend(entries.iter().map(|entry| entry[lane]));
        }
        self.words.groups += 1;
    }

    fn finish(mut self, most: u32) -> Words {
        self.words.trees.push(Tree {
            first: self.words.ops.first().map_or(0, Vec::len) as u32,
            group: self.words.groups,
        });
        self.used.sort_unstable();
        for cell in self.used {
            let slots = &self.cells[cell as usize];
            let mut first = self.words.slots.len() as u32;
            // A list ends where a partial sum does.
            for sum in slots.chunk_by(|slot, _| slot.group & LAST == 0) {
                let end = self.words.slots.len() as u32;
                if end > first && end + sum.len() as u32 > first + most {
                    self.words.lists.push(List {
                        first,
                        end,
                        to: cell,
                    });
                    first = end;
                }
                self.words.slots.extend(sum);
            }
            self.words.lists.push(List {
                first,
                end: self.words.slots.len() as u32,
                to: cell,
            });
        }
        self.words
    }
}

/// The ops of a tree. A group's slot is filled by the steps up to it; a group whose tests were all
/// made for the group before takes the low bits that the register still holds.
fn push_ops(
    forest: &Forest,
    thresholds: &[f32],
    sets: &Sets,
    steps: &[Step],
    groups: &[Group],
    ops: &mut Vec<Op>,
) {
    let mut steps = steps.iter().peekable();
    for group in groups.iter().filter(|group| group.width > 0) {
        let first = ops.len();
        while let Some(step) = steps.next_if(|step| step.to <= group.slot) {
            let node = &forest.nodes[step.node as usize];
            ops.push(Op {
                test: test(node),
                bound: bound(node, thresholds[step.node as usize], sets),
                bit: step.bit,
                mask: 0,
            });
        }
        if ops.len() == first {
            ops.push(Op {
                test: 0,
                bound: 0,
                bit: NO_BIT,
                mask: 0,
            });
        }
        if let Some(op) = ops.last_mut() {
            op.mask = (1 << group.bits) - 1;
        }
    }
}
