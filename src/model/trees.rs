//! The one intermediate form of tree ensembles: what the file says, with every library's rule for
//! thresholds, missing values and categories written down as data.

/// An additive ensemble of decision trees.
///
/// The raw margin of a row for output `k` is `base[k]` plus the values of the leaves that the row
/// reaches. Averages, tree weights (dart), scales and biases are already in the leaf values and in
/// `base`.
#[derive(Debug, Clone)]
pub struct Trees {
    /// The format, as it appears in messages: `XGBoost JSON`, `LightGBM text`, ….
    pub format: &'static str,
    /// The training objective as the file names it, such as `binary:logistic`; empty if unknown.
    pub objective: String,
    /// The columns that the model reads, in the order of its feature indexes.
    pub features: Vec<Feature>,
    /// One name per output: class names where the file has them, else `output 0`, …; at least one.
    pub outputs: Vec<String>,
    /// The raw margin of each output before any tree.
    pub base: Vec<f64>,
    /// How the library reads a cell before it compares.
    pub precision: Precision,
    /// How the library turns a fractional category into an integer.
    pub fraction: Fraction,
    /// The trees, in the order of the file.
    pub trees: Vec<Tree>,
    /// True where leaf values are divided by the number of iterations (random forests): dropping
    /// iterations then rescales the others.
    pub averaged: bool,
    /// The iteration that early stopping chose, where the file records one (counted from 0).
    pub best_iteration: Option<u32>,
    /// False where the file stores no cover (number of training rows per node): covers must then
    /// be counted from a background table before path-dependent values are defined.
    pub has_cover: bool,
}

/// A column that the model reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feature {
    /// Its name; `None` where the file has none or only a generated one (`f0`, `Column_0`).
    pub name: Option<String>,
    /// Its category labels, where the file has them.
    pub categories: Option<Categories>,
}

/// The labels of a categorical feature; the position of a label is its category number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categories {
    /// Labels by category number, or their hashes ([`Numbers::Hashes`]). A string cell that is none
    /// of them is an unseen category (-1).
    pub labels: Vec<String>,
    /// What a number in such a column means.
    pub numbers: Numbers,
}

/// What a numeric cell means in a column with category labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// It is the category number (XGBoost, LightGBM).
    Codes,
    /// Its decimal text is the label, and 1 is not 1.0 (CatBoost).
    Labels,
    /// It is the label, however a cell spells it (LightGBM).
    Values,
    /// As [`Numbers::Labels`], but the file has only hashes of the labels: each of
    /// [`Categories::labels`] is, in decimal, the lower 32 bits of the `CityHash64` of a label
    /// (`CatBoost` saved without its pool).
    Hashes,
}

/// How the library reads a cell before it compares it with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Rounded to float32 (XGBoost, CatBoost, ONNX with float inputs).
    F32,
    /// As float64 (LightGBM, ONNX with double inputs).
    F64,
}

impl Precision {
    /// A cell, as it is read.
    pub(crate) fn read(self, cell: f64) -> f64 {
        match self {
            Self::F32 => f64::from(cell as f32),
            Self::F64 => cell,
        }
    }
}

/// How a fractional category value becomes an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraction {
    /// Toward zero: -0.5 is category 0 (LightGBM).
    Truncate,
    /// Downward: -0.5 is category -1, which no set contains (XGBoost).
    Floor,
}

/// One decision tree. Node 0 is the root; every other node is the child of exactly one node.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Nodes in the order of the file where it numbers them, so that a leaf's index is the native
    /// one where the library's leaf ids are node ids (XGBoost).
    pub nodes: Vec<Node>,
    /// Leaf values, row-major (leaf, width): width is 1 for [`Output::One`], else the number of
    /// outputs.
    pub values: Vec<f64>,
    /// Where the leaf values go.
    pub output: Output,
    /// The boosting iteration that this tree belongs to.
    pub iteration: u32,
    /// By row of [`Tree::values`], what leaves predict that are linear in some features; empty where
    /// every leaf is its value alone. Only of trees of [`Output::One`].
    pub linear: Vec<LinearLeaf>,
}

/// A leaf that is linear in some features (LightGBM `linear_tree`): it predicts `constant + Σ weight ·
/// cell`, but for a row where one of these cells is NaN, or without terms, its value in
/// [`Tree::values`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinearLeaf {
    /// What the cells are added to.
    pub constant: f64,
    /// Index into [`Trees::features`], and weight. Cells are read as float64.
    pub terms: Vec<(u32, f64)>,
}

/// Where a tree's leaf values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To one output.
    One(u32),
    /// Each leaf carries a vector with one value per output.
    All,
}

/// A node of a tree.
#[derive(Debug, Clone)]
pub enum Node {
    /// An inner node.
    Split(Split),
    /// A leaf.
    Leaf {
        /// The row of [`Tree::values`]; the native leaf id where the library numbers leaves apart
        /// from nodes (LightGBM, CatBoost).
        leaf: u32,
        /// Weight of the training rows that reached it, ≥ 0.
        cover: f64,
    },
}

/// An inner node: where a row goes from here.
#[derive(Debug, Clone)]
pub struct Split {
    /// Index into [`Trees::features`].
    pub feature: u32,
    /// What decides for a value that is not missing.
    pub test: Test,
    /// Which values count as missing here.
    pub missing: Missing,
    /// Where missing values go.
    pub missing_left: bool,
    /// Node index of the left child.
    pub left: u32,
    /// Node index of the right child.
    pub right: u32,
    /// Weight of the training rows that reached it, ≥ 0.
    pub cover: f64,
}

/// Which cells count as missing at a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// NaN.
    Nan,
    /// NaN and |x| ≤ 1e-35 (LightGBM `zero_as_missing`).
    NanOrZero,
    /// None: NaN is read as 0 (LightGBM `use_missing=false`).
    Never,
}

/// The test of a split; it holds for a value that goes left.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `x < threshold`. A library's `x <= t` is `x < next_up(t)` in the precision that it compares
    /// in; its `x > t` is the same with the children exchanged. `+∞` lets every number but `+∞`
    /// itself left; see [`Test::Always`].
    Below(f64),
    /// Every value that is not missing goes left (`x <= +∞`).
    Always,
    /// The value is a category number.
    Category(CategorySet),
    /// Values equal to one of these, exactly, go left (ONNX `BRANCH_EQ`, `BRANCH_MEMBER`).
    OneOf(Vec<f64>),
}

impl Test {
    /// Words of 32 categories, or values, that the test holds.
    pub(super) fn set_words(&self) -> usize {
        match self {
            Test::Below(_) | Test::Always => 0,
            Test::Category(set) => set.words.len(),
            Test::OneOf(values) => 2 * values.len(),
        }
    }
}

/// A set of categories, as a bitset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategorySet {
    /// Bit `c % 32` of word `c / 32` is set for every member `c`. At most 2^24 bits.
    pub words: Vec<u32>,
    /// True when members go left and all others right; false when members go right and all others
    /// (negative, unseen, too large) left.
    pub members_left: bool,
}
