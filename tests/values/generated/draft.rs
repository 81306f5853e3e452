//! Random ensembles before any library has written them: what a split asks, and where the answers
//! lead. What a cell answers is each library's own rule.

use crate::support::random::Random;

/// Levels of a tree up to which both sides grow.
const BUSHY: usize = 5;

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Number,
    Binary,
    Classes,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    /// How many categories it has; 0 for numbers.
    pub(super) categories: u32,
    /// Where a library asks this of columns, not of splits: missing cells answer yes.
    pub(super) missing_yes: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// A comparison with a number.
    Threshold(f64),
    /// Whether the category is one of these, which are sorted.
    Members(Vec<u32>),
}

#[derive(Debug, Clone)]
pub(super) struct Split {
    pub(super) column: usize,
    pub(super) ask: Ask,
    pub(super) missing_yes: bool,
    /// Any number, for what else a library's splits differ in.
    pub(super) kind: usize,
    /// The parts of the tree where the answer no and the answer yes lead.
    pub(super) next: [usize; 2],
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    Leaf { values: Vec<f64>, cover: u32 },
    Split(Split),
}

/// A tree, its root first.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) columns: Vec<Column>,
    pub(super) task: Task,
    pub(super) outputs: usize,
    /// Whether leaves hold a number for each output; else trees take turns.
    pub(super) is_vector: bool,
    /// Whether all splits of a level are the same.
    pub(super) is_oblivious: bool,
    /// Whether the file has covers.
    pub(super) has_cover: bool,
    /// What margins begin with, by output.
    pub(super) base: Vec<f64>,
    /// What the sums of the trees are divided by, if by anything.
    pub(super) divisor: Option<usize>,
    pub(super) trees: Vec<Tree>,
}

/// What a library can write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Categories of a split at the most; 0 if the library has none.
    pub(super) members: usize,
    /// Leaves with several numbers, always, never, or now and then.
    pub(super) is_vector: Option<bool>,
    pub(super) can_be_oblivious: bool,
    pub(super) can_lack_cover: bool,
    pub(super) has_base: bool,
    pub(super) average: Average,
}

/// What a library can divide the sums of trees by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Average {
    Nothing,
    /// The number of trees of an output.
    Rounds,
    /// The number of all trees.
    Trees,
}

impl Draft {
    pub(super) fn new(habits: Habits, random: &mut Random) -> Self {
        let task = [Task::Number, Task::Binary, Task::Classes][random.below(3)];
        let outputs = if task == Task::Classes {
            3 + random.below(2)
        } else {
            1
        };
        // The definition takes twice the time for every feature more.
        let features = match random.below(12) {
            0 => 6 + random.below(3),
            _ => 1 + random.below(5),
        };
        let column = |random: &mut Random| {
            let is_category = habits.members > 0 && random.chance(0.4);
            Column {
                categories: match random.below(3) {
                    _ if !is_category => 0,
                    0 => 1100 + random.below(400) as u32,
                    1 => 40,
                    _ => 5,
                },
                missing_yes: random.chance(0.5),
            }
        };
        let columns = (0..features).map(|_| column(random)).collect();
        let is_vector = habits.is_vector.unwrap_or_else(|| random.chance(0.5));
        let mut draft = Self {
            columns,
            task,
            outputs,
            is_vector: is_vector && outputs > 1,
            is_oblivious: habits.can_be_oblivious && random.chance(0.6),
            has_cover: !(habits.can_lack_cover && random.chance(0.3)),
            base: vec![0.0; outputs],
            divisor: None,
            trees: Vec::new(),
        };
        // The base of a probability is one itself in some files.
        if habits.has_base && task != Task::Binary {
            let base = |_| random.below(9) as f64 / 4.0 - 1.0;
            draft.base = (0..outputs).map(base).collect();
        }
        let rounds = 1 + random.below(4);
        let trees = if draft.is_vector {
            rounds
        } else {
            rounds * outputs
        };
        if random.chance(0.3) {
            draft.divisor = match habits.average {
                Average::Nothing => None,
                Average::Rounds => Some(rounds),
                Average::Trees => Some(trees),
            };
        }
        let depth = |random: &mut Random| match random.below(12) {
            // Long paths now and then, which tables do not hold.
            0 if !draft.is_oblivious => 16,
            _ => random.below(BUSHY + 1),
        };
        draft.trees = (0..trees)
            .map(|_| draft.tree(depth(random), BUSHY, habits.members, random))
            .collect();
        draft
    }

    /// Numbers in a leaf.
    pub(super) fn width(&self) -> usize {
        if self.is_vector { self.outputs } else { 1 }
    }

    /// A tree of at most so many levels; both sides grow in the last ones, in those before only one.
    pub(super) fn tree(
        &self,
        depth: usize,
        bushy: usize,
        members: usize,
        random: &mut Random,
    ) -> Tree {
        let levels: Vec<Split> = (0..depth).map(|_| self.split(members, random)).collect();
        let mut tree = Tree::default();
        self.grow(&mut tree, &levels, bushy, members, random);
        tree
    }

    /// Adds a subtree of at most as many levels; its place.
    fn grow(
        &self,
        tree: &mut Tree,
        levels: &[Split],
        bushy: usize,
        members: usize,
        random: &mut Random,
    ) -> usize {
        let n = tree.parts.len();
        let is_chain = levels.len() > bushy;
        let stops = !self.is_oblivious && !is_chain && n > 0 && random.chance(0.2);
        let [level, below @ ..] = levels else {
            tree.parts.push(self.leaf(random));
            return n;
        };
        if stops {
            tree.parts.push(self.leaf(random));
            return n;
        }
        let split = if self.is_oblivious {
            level.clone()
        } else {
            self.split(members, random)
        };
        tree.parts.push(Part::Split(split));
        let short = random.below(2);
        let next = [0, 1].map(|side| {
            let levels = if is_chain && side == short {
                &[]
            } else {
                below
            };
            self.grow(tree, levels, bushy, members, random)
        });
        if let Part::Split(split) = &mut tree.parts[n] {
            split.next = next;
        }
        n
    }

    /// Values that float32 holds, and of which float64 adds any number exactly.
    fn leaf(&self, random: &mut Random) -> Part {
        let mut value = || (random.below(257) as f64 - 128.0) / 64.0;
        Part::Leaf {
            values: (0..self.width()).map(|_| value()).collect(),
            // Rows that no training row came with, now and then.
            cover: random.below(8).saturating_sub(1) as u32 * 7,
        }
    }

    fn split(&self, members: usize, random: &mut Random) -> Split {
        let column = random.below(self.columns.len());
        let categories = self.columns[column].categories as usize;
        let ask = if categories == 0 {
            Ask::Threshold(threshold(random))
        } else {
            let count = 1 + random.below(members.min(categories));
            let mut set: Vec<u32> = (0..count)
                .map(|_| random.below(categories) as u32)
                .collect();
            if random.chance(0.5) {
                // The last ones, which a set of less than a thousand would not have.
                set[0] = categories as u32 - 1;
            }
            set.sort_unstable();
            set.dedup();
            Ask::Members(set)
        };
        Split {
            column,
            ask,
            missing_yes: random.chance(0.5),
            kind: random.below(1 << 16),
            next: [0; 2],
        }
    }

    /// The thresholds of a column's splits.
    pub(super) fn thresholds(&self, column: usize) -> Vec<f64> {
        let parts = self.trees.iter().flat_map(|tree| &tree.parts);
        let asked = parts.filter_map(|part| match part {
            Part::Split(split) if split.column == column => match split.ask {
                Ask::Threshold(threshold) => Some(threshold),
                Ask::Members(_) => None,
            },
            _ => None,
        });
        asked.collect()
    }

    /// What the trees give to a row, by a library's rule of which cells answer yes.
    pub(super) fn margins(&self, row: &[f64], yes: fn(&Draft, &Split, f64) -> bool) -> Vec<f64> {
        let mut margins = self.base.clone();
        let divisor = self.divisor.unwrap_or(1) as f64;
        for (t, tree) in self.trees.iter().enumerate() {
            let mut n = 0;
            let values = loop {
                match &tree.parts[n] {
                    Part::Leaf { values, .. } => break values,
                    Part::Split(split) => {
                        n = split.next[usize::from(yes(self, split, row[split.column]))];
                    }
                }
            };
            for (k, value) in values.iter().enumerate() {
                let k = if self.is_vector { k } else { t % self.outputs };
                margins[k] += value / divisor;
            }
        }
        margins
    }

    /// A cell for a column: about its thresholds and categories, missing, or far from all of them.
    pub(super) fn cell(&self, column: usize, is_f32: bool, random: &mut Random) -> f64 {
        let categories = self.columns[column].categories;
        if categories > 0 {
            // The last but one is 2 for a library that rounds it to float32 before its fraction goes.
            let odd = [
                f64::NAN,
                -1.0,
                -0.5,
                2.5,
                5000.0,
                1e9,
                2.0_f64.next_down(),
                f64::INFINITY,
            ];
            return match random.below(4) {
                0 => odd[random.below(odd.len())],
                1 => f64::from(categories - 1),
                _ => random.below(categories as usize) as f64,
            };
        }
        let thresholds = self.thresholds(column);
        let odd = [f64::NAN, 0.0, 1e-36, f64::INFINITY, f64::NEG_INFINITY, -0.0];
        let is_f32 = is_f32 || random.chance(0.5);
        match random.below(8) {
            0 | 1 => odd[random.below(odd.len())],
            2 if !is_f32 => random.unit() * 3.0 - 1.5,
            2 | 3 => f64::from((random.unit() * 3.0 - 1.5) as f32),
            _ if thresholds.is_empty() => 0.5,
            near => {
                let threshold = thresholds[random.below(thresholds.len())];
                match (near, is_f32) {
                    (4, true) => f64::from((threshold as f32).next_up()),
                    (5, true) => f64::from((threshold as f32).next_down()),
                    (4, false) => threshold.next_up(),
                    (5, false) => threshold.next_down(),
                    _ => threshold,
                }
            }
        }
    }
}

impl Tree {
    /// The cover of a part: what the leaves below it have.
    pub(super) fn cover(&self, n: usize) -> u32 {
        match &self.parts[n] {
            Part::Leaf { cover, .. } => *cover,
            Part::Split(split) => split.next.iter().map(|&next| self.cover(next)).sum(),
        }
    }

    /// The leaves from the one of all noes to the one of all yeses.
    pub(super) fn leaves(&self, n: usize) -> Vec<(&[f64], u32)> {
        match &self.parts[n] {
            Part::Leaf { values, cover } => vec![(values, *cover)],
            Part::Split(split) => split.next.map(|next| self.leaves(next)).concat(),
        }
    }
}

/// Numbers of a small grid, so that cells hit them and paths ask for one twice; float32 holds them.
fn threshold(random: &mut Random) -> f64 {
    match random.below(10) {
        0 => f64::from(0.1_f32),
        1 => f64::from(-1e-36_f32),
        _ => random.below(9) as f64 / 4.0 - 1.0,
    }
}
