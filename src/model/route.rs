//! The definition of routing: one row, one tree, float64, nothing clever. The kernels are held
//! against it, and the additivity of every result is measured with it.

use super::trees::{
    CategorySet, Fraction, Missing, Node, Output, Precision, Split, Test, Tree, Trees,
};

/// LightGBM's `kZeroThreshold`, a float32 constant.
const ZERO: f64 = 1e-35_f32 as f64;

impl CategorySet {
    /// Whether a category number goes left.
    pub fn left(&self, category: f64) -> bool {
        // Out-of-range floats are compared before the cast, which would saturate.
        let inside = category >= 0.0
            && category < (self.words.len() * 32) as f64
            && self.words[category as usize / 32] >> (category as usize % 32) & 1 == 1;
        inside == self.members_left
    }
}

impl Missing {
    /// The cell as a split with this rule sees it: NaN if it is missing.
    pub fn apply(self, cell: f64) -> f64 {
        match self {
            Missing::Never if cell.is_nan() => 0.0,
            Missing::NanOrZero if cell.abs() <= ZERO => f64::NAN,
            _ => cell,
        }
    }
}

impl Split {
    /// Whether `cell` goes left, by the rules of the model that the split belongs to.
    pub fn left(&self, cell: f64, precision: Precision, fraction: Fraction) -> bool {
        let cell = match precision {
            Precision::F32 => f64::from(cell as f32),
            Precision::F64 => cell,
        };
        let cell = self.missing.apply(cell);
        if cell.is_nan() {
            return self.missing_left;
        }
        match &self.test {
            Test::Below(threshold) => cell < *threshold,
            Test::Always => true,
            Test::Category(set) => set.left(match fraction {
                Fraction::Truncate => cell.trunc(),
                Fraction::Floor => cell.floor(),
            }),
            Test::OneOf(values) => values.contains(&cell),
        }
    }
}

impl Node {
    /// Weight of the training rows that reached it.
    pub fn cover(&self) -> f64 {
        match self {
            Node::Leaf { cover, .. } => *cover,
            Node::Split(split) => split.cover,
        }
    }

    fn cover_mut(&mut self) -> &mut f64 {
        match self {
            Node::Leaf { cover, .. } => cover,
            Node::Split(split) => &mut split.cover,
        }
    }
}

impl Tree {
    /// What a leaf of a tree of [`Output::One`] predicts for a row, which has one cell per feature.
    pub fn prediction(&self, leaf: usize, row: &[f64]) -> f64 {
        let value = self.values[leaf];
        let Some(linear) = self.linear.get(leaf).filter(|leaf| !leaf.terms.is_empty()) else {
            return value;
        };
        let mut sum = linear.constant;
        for &(feature, weight) in &linear.terms {
            let cell = row[feature as usize];
            if cell.is_nan() {
                return value;
            }
            sum += weight * cell;
        }
        sum
    }

    /// Applies a multiplication, or a division, to all numbers that the leaves predict from.
    pub(super) fn scale(&mut self, by: impl Fn(&mut f64)) {
        self.values.iter_mut().for_each(&by);
        for leaf in &mut self.linear {
            by(&mut leaf.constant);
            leaf.terms.iter_mut().for_each(|(_, weight)| by(weight));
        }
    }

    /// Sets all covers to zero.
    pub(super) fn clear_covers(&mut self) {
        for node in &mut self.nodes {
            *node.cover_mut() = 0.0;
        }
    }
}

impl Trees {
    /// Whether the leaves of some tree are linear in features.
    pub fn has_linear_leaves(&self) -> bool {
        self.trees.iter().any(|tree| !tree.linear.is_empty())
    }

    /// The index in [`super::Tree::nodes`] of the leaf of tree `t` that a row reaches. `row` has
    /// one cell per feature.
    pub fn leaf(&self, t: usize, row: &[f64]) -> usize {
        let nodes = &self.trees[t].nodes;
        let mut n = 0;
        while let Node::Split(split) = &nodes[n] {
            let cell = row[split.feature as usize];
            n = if split.left(cell, self.precision, self.fraction) {
                split.left
            } else {
                split.right
            } as usize;
        }
        n
    }

    /// Sets all covers to zero, for [`Trees::count_cover`] to count.
    pub fn clear_covers(&mut self) {
        self.trees.iter_mut().for_each(Tree::clear_covers);
        self.has_cover = true;
    }

    /// Adds a row to the cover of every node that it reaches.
    pub fn count_cover(&mut self, row: &[f64]) {
        let (precision, fraction) = (self.precision, self.fraction);
        for tree in &mut self.trees {
            let mut n = 0;
            loop {
                let node = &mut tree.nodes[n];
                *node.cover_mut() += 1.0;
                let Node::Split(split) = node else { break };
                let cell = row[split.feature as usize];
                let left = split.left(cell, precision, fraction);
                n = if left { split.left } else { split.right } as usize;
            }
        }
    }

    /// The raw margins of a row, summed in float64: `row` has one cell per feature, the result one
    /// number per output.
    pub fn margin(&self, row: &[f64]) -> Vec<f64> {
        self.margins(1, row)
    }

    /// The raw margins (rows, outputs) of some rows, each as [`Trees::margin`] gives it: `cells` is
    /// (rows, features). Tree after tree, so that each comes from memory once.
    pub fn margins(&self, rows: usize, cells: &[f64]) -> Vec<f64> {
        let features = cells.len() / rows.max(1);
        let outputs = self.base.len();
        let mut margins = self.base.repeat(rows);
        for (t, tree) in self.trees.iter().enumerate() {
            for (row, margins) in margins.chunks_mut(outputs.max(1)).enumerate() {
                let cells = &cells[row * features..][..features];
                let Node::Leaf { leaf, .. } = tree.nodes[self.leaf(t, cells)] else {
                    continue;
                };
                match tree.output {
                    Output::One(k) => margins[k as usize] += tree.prediction(leaf as usize, cells),
                    Output::All => {
                        let values = &tree.values[leaf as usize * outputs..];
                        for (margin, value) in margins.iter_mut().zip(values) {
                            *margin += value;
                        }
                    }
                }
            }
        }
        margins
    }
}
