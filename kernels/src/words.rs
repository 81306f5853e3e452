//! Cells and tests as the 32-bit words that the shaders compare.
//!
//! Shading languages may flush subnormal numbers and need not honour NaN, so the shaders compare
//! integers: the [`key`] of a number grows with the number, and a missing cell is [`MISSING`].
//! Twin: shaders/common/cell.wgsl

use std::collections::HashMap;

use crate::curve::Curve;
use crate::decision::Decision;
use crate::forest::{Forest, Node, Test};
use crate::kernel_machine::Shape;
use crate::mlp::Activation;
use crate::neighbours::Weighting;
use crate::pooling::Task;
use crate::products::Mean;

/// The key of NaN, above all others.
pub const MISSING: u32 = u32::MAX;
/// The bits of a test's word that hold the column.
pub const COLUMN: u32 = 0x0FFF_FFFF;
/// Flag: missing cells go left (of a condition: meet it).
pub const MISSING_LEFT: u32 = 0x1000_0000;
/// Flag: members of the category set go left (of a condition: meet it).
pub const MEMBERS_LEFT: u32 = 0x2000_0000;
/// Flag: the test is membership in a category set.
pub const CATEGORY: u32 = 0x4000_0000;
/// Flag: the last item of a list within a list; a leaf.
pub const LAST: u32 = 0x8000_0000;
/// Key of 0.
pub const ZERO_KEY: u32 = 0x8000_0000;
/// Key of 2³¹, from which on no category is a member of any set.
pub const END_KEY: u32 = 0xCF00_0000;

/// The constants that shaders repeat, by name; a test compares them.
pub const CONSTANTS: &[(&str, u32)] = &[
    ("ROWS", crate::ROWS as u32),
    ("QUADS", crate::ROWS as u32 / 4),
    ("MISSING", MISSING),
    ("COLUMN", COLUMN),
    ("MISSING_LEFT", MISSING_LEFT),
    ("MEMBERS_LEFT", MEMBERS_LEFT),
    ("CATEGORY", CATEGORY),
    ("LAST", LAST),
    ("ZERO_KEY", ZERO_KEY),
    ("END_KEY", END_KEY),
    ("NO_BIT", crate::tree_patterns::NO_BIT),
    ("NONE", crate::shuffled_trees::NONE),
    ("SUMS", crate::tree_quadrature::words::SUMS),
    ("PARTINGS", crate::tree_pairs::words::PARTINGS),
    ("REMEMBERED", crate::tree_quadrature::words::REMEMBERED),
    ("LOW", crate::tree_leaf_tables::LOW),
    ("MOST_HELD", crate::tree_leaf_tables::MOST_HELD),
    (
        "MOST_FEATURES",
        crate::tree_quadrature_interactions::MOST_FEATURES,
    ),
    ("LOGISTIC", crate::response::LOGISTIC),
    ("SOFTMAX", crate::response::SOFTMAX),
    ("EXP", crate::response::EXP),
    ("SOFTPLUS", crate::response::SOFTPLUS),
    ("SIGNED_SQUARE", crate::response::SIGNED_SQUARE),
    ("STEP", crate::response::STEP),
    ("VARIANCE", crate::response::VARIANCE),
    ("EXPECTILES", crate::response::EXPECTILES),
    ("NO_PLACE", crate::coalition_trees::NONE),
    ("MOST_OUTPUTS", crate::coalition_trees::MOST_OUTPUTS as u32),
    ("TOGETHER", crate::coalition_sums::TOGETHER as u32),
    ("SETS", crate::coalition_sums::SETS as u32),
    ("HELD", crate::coalition_sums::HELD),
    (
        "SETS_HELD",
        crate::coalition_sums::HELD / crate::coalition_sums::TOGETHER as u32
            * crate::coalition_sums::SETS as u32,
    ),
    ("OF_PRODUCT", Shape::Product.code()[0]),
    ("OF_POWER", Shape::Power { degree: 0 }.code()[0]),
    ("OF_TANH", Shape::Tanh.code()[0]),
    ("OF_MATERN", Shape::Matern { order: 0 }.code()[0]),
    ("OF_EXP", Shape::Exp.code()[0]),
    ("SUMMED", crate::kernel_machine::SUMMED),
    ("TILE", crate::mlp::TILE),
    ("TO_RELU", Activation::Relu.code()),
    ("TO_LOGISTIC", Activation::Logistic.code()),
    ("TO_TANH", Activation::Tanh.code()),
    ("BY_INVERSE", Weighting::Inverse.code()),
    ("BY_INVERSE_ROOT", Weighting::InverseRoot.code()),
    ("MOST_NEIGHBOURS", crate::neighbours::MOST_NEIGHBOURS as u32),
    ("IS_MARGINS", Decision::Margins.code()),
    ("IS_PAIR", Decision::Pair { least: 0.0 }.code()),
    ("IS_SOFTMAX", Decision::Softmax.code()),
    ("IS_COUPLED", Decision::Coupled { classes: 0 }.code()),
    ("IS_VOTES", Decision::Votes { classes: 0 }.code()),
    ("MOST_CLASSES", crate::decision::MOST_CLASSES as u32),
    ("MOST_PLAYERS", crate::least_squares::MOST_PLAYERS),
    ("PAIRS_HELD", crate::product_games::PAIRS_HELD),
    ("SAMPLES_HELD", crate::weighted_gram::SAMPLES_HELD),
    ("SIDE", crate::matmul::SIDE),
    ("DEPTH", crate::matmul::DEPTH),
    ("MOST_HIDDEN", crate::gru::MOST_HIDDEN),
    ("MOST_WIDTH", crate::attention::MOST_WIDTH),
    ("NO_WORD", crate::vectors::NONE),
    ("NORM_RUN", crate::adam::NORM_RUN),
    ("CHANNELS", crate::convolution::BLOCK as u32),
    ("RUN", crate::contributions::RUN),
    ("TEAM", crate::contributions::TEAM),
    ("MEAN_IS_NONE", Mean::Neither.code()),
    ("MEAN_IS_FIRST", Mean::First.code()),
    ("MEAN_IS_SECOND", Mean::Second.code()),
    ("LINE_POINTS", crate::lines::Task::Points.code()),
    ("LINE_ROWS", crate::lines::Task::Rows.code()),
    ("LINE_OTHERS", crate::lines::Task::Others.code()),
    ("POOL_VALUES", Task::Values.code()),
    ("POOL_WINNERS", Task::Winners.code()),
    ("POOL_MULTIPLIERS", Task::Multipliers.code()),
    ("CURVE_NEAR", crate::curve::NEAR.to_bits()),
    ("CURVE_RELU", Curve::Relu.code()[0]),
    ("CURVE_LEAKY", Curve::Leaky(0.0).code()[0]),
    ("CURVE_SELU", Curve::Selu(0.0, 0.0).code()[0]),
    ("CURVE_CELU", Curve::Celu(0.0).code()[0]),
    ("CURVE_GELU", Curve::Gelu.code()[0]),
    ("CURVE_GELU_TANH", Curve::GeluTanh.code()[0]),
    ("CURVE_SWISH", Curve::Swish(0.0).code()[0]),
    ("CURVE_HARD_SWISH", Curve::HardSwish.code()[0]),
    ("CURVE_HARD_SIGMOID", Curve::HardSigmoid(0.0, 0.0).code()[0]),
    ("CURVE_MISH", Curve::Mish.code()[0]),
    ("CURVE_SOFTPLUS", Curve::Softplus.code()[0]),
    ("CURVE_SOFTSIGN", Curve::Softsign.code()[0]),
    ("CURVE_SIGMOID", Curve::Sigmoid.code()[0]),
    ("CURVE_TANH", Curve::Tanh.code()[0]),
    ("CURVE_CLIP", Curve::Clip(0.0, 0.0).code()[0]),
    (
        "CURVE_THRESHOLDED_RELU",
        Curve::ThresholdedRelu(0.0).code()[0],
    ),
    ("CURVE_SHRINK", Curve::Shrink(0.0, 0.0).code()[0]),
    ("CURVE_EXP", Curve::Exp.code()[0]),
    ("CURVE_LOG", Curve::Log.code()[0]),
    ("CURVE_SQRT", Curve::Sqrt.code()[0]),
    ("CURVE_RECIPROCAL", Curve::Reciprocal.code()[0]),
    ("CURVE_POWER", Curve::Power(0.0).code()[0]),
    ("CURVE_ABS", Curve::Abs.code()[0]),
    ("CURVE_ERF", Curve::Erf.code()[0]),
    ("CURVE_SIN", Curve::Sin.code()[0]),
    ("CURVE_COS", Curve::Cos.code()[0]),
    ("CURVE_SIGN", Curve::Sign.code()[0]),
    ("CURVE_FLOOR", Curve::Floor.code()[0]),
    ("CURVE_CEIL", Curve::Ceil.code()[0]),
    ("CURVE_ROUND", Curve::Round.code()[0]),
    ("CURVE_TRUNCATE", Curve::Truncate.code()[0]),
    ("CURVE_EQUAL", Curve::Equal(0.0).code()[0]),
    ("CURVE_GREATER", Curve::Greater(0.0).code()[0]),
    ("CURVE_LESS", Curve::Less(0.0).code()[0]),
];

/// A number as an integer: `key(a) < key(b)` exactly if `a < b`; 0 and −0 have one key.
#[inline]
pub fn key(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() {
        MISSING
    } else if x == 0.0 {
        ZERO_KEY
    } else if bits >> 31 == 1 {
        !bits
    } else {
        bits | ZERO_KEY
    }
}

/// What may be taken from all leaves of a tree where values depend on their differences alone, as they do
/// against a background: in float32, differences between large numbers would be lost.
pub(crate) fn centre(forest: &Forest, root: u32) -> f64 {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut stack = vec![root];
    while let Some(n) = stack.pop() {
        let node = &forest.nodes[n as usize];
        if node.is_leaf() {
            (low, high) = (low.min(node.value), high.max(node.value));
        } else {
            stack.extend([node.left, node.right]);
        }
    }
    low / 2.0 + high / 2.0
}

/// Turns float32 cells into keys in place.
pub fn encode(cells: &mut [f32]) {
    for word in bytemuck::cast_slice_mut::<f32, u32>(cells) {
        *word = key(f32::from_bits(*word));
    }
}

/// The word of a split's column and flags.
pub(crate) fn test(node: &Node) -> u32 {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    node.column
        | match node.test {
            Test::Below { missing_left } => flag(missing_left, MISSING_LEFT),
            Test::Category {
                members_left,
                missing_left,
                ..
            } => CATEGORY | flag(members_left, MEMBERS_LEFT) | flag(missing_left, MISSING_LEFT),
        }
}

/// The word that a split compares with: the key of its threshold, or the place of its set.
pub(crate) fn bound(node: &Node, threshold: f32, sets: &Sets) -> u32 {
    match node.test {
        // Nothing is below NaN, and nothing is at or above it.
        Test::Below { missing_left } if threshold.is_nan() && !missing_left => 0,
        Test::Below { .. } => key(threshold),
        Test::Category { first, words, .. } => sets.place(first, words),
    }
}

/// The category sets of a forest, each with its length before it.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    /// The words; never empty.
    pub words: Vec<u32>,
    places: HashMap<(u32, u32), u32>,
}

impl Sets {
    /// The sets that the nodes of a forest use.
    pub fn new(forest: &Forest) -> Self {
        let mut sets = Self {
            words: vec![0],
            places: HashMap::new(),
        };
        for node in &forest.nodes {
            if let Test::Category { first, words, .. } = node.test
                && !node.is_leaf()
                && !sets.places.contains_key(&(first, words))
            {
                sets.places.insert((first, words), sets.words.len() as u32);
                sets.words.push(words);
                let (first, words) = (first as usize, words as usize);
                sets.words.extend(&forest.sets[first..first + words]);
            }
        }
        sets
    }

    fn place(&self, first: u32, words: u32) -> u32 {
        // The empty set at 0 is never asked for: every set of a split is known.
        self.places.get(&(first, words)).copied().unwrap_or(0)
    }
}

/// A run of items that one invocation goes through, and where its sum goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct List {
    /// First item.
    pub first: u32,
    /// End of the items.
    pub end: u32,
    /// The output, or the value cell (feature · outputs + output).
    pub to: u32,
}

/// Orders lists into rounds, so that no two lists of a round go to the same place and the lists of
/// one place keep their order: first list and number of lists of each round.
pub fn rounds(lists: &mut [List]) -> Vec<(u32, u32)> {
    let mut seen: HashMap<u32, u32> = HashMap::new();
    let mut numbered: Vec<(u32, List)> = (lists.iter())
        .map(|list| {
            let round = seen.entry(list.to).or_insert(0);
            *round += 1;
            (*round, *list)
        })
        .collect();
    numbered.sort_by_key(|&(round, _)| round);
    let mut rounds: Vec<(u32, u32)> = Vec::new();
    let mut last = 0;
    for (i, (list, (round, ordered))) in lists.iter_mut().zip(numbered).enumerate() {
        *list = ordered;
        match rounds.last_mut() {
            Some((_, count)) if round == last => *count += 1,
            _ => rounds.push((i as u32, 1)),
        }
        last = round;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::{List, MISSING, encode, key, rounds};

    #[test]
    fn lists_of_one_place_keep_their_order_in_separate_rounds() {
        let list = |first, to| List {
            first,
            end: first + 1,
            to,
        };
        let mut lists = [list(0, 7), list(1, 7), list(2, 3), list(3, 7)];
        assert_eq!(rounds(&mut lists), [(0, 2), (2, 1), (3, 1)]);
        assert_eq!(lists, [list(0, 7), list(2, 3), list(1, 7), list(3, 7)]);
    }

    #[test]
    fn keys_compare_as_the_numbers_do() {
        let mut numbers = vec![f32::NEG_INFINITY, f32::MIN, -1.5, -1.0, -1e-45, -0.0, 0.0];
        numbers.extend([1e-45, f32::MIN_POSITIVE, 1.0, 1.0_f32.next_up(), f32::MAX]);
        numbers.push(f32::INFINITY);
        for &a in &numbers {
            for &b in &numbers {
                assert_eq!(a < b, key(a) < key(b), "{a} < {b}");
                assert_eq!(a == b, key(a) == key(b), "{a} == {b}");
            }
            assert!(key(a) < MISSING);
        }
    }

    #[test]
    fn every_nan_is_missing() {
        let mut cells = [0xFFC0_0001, 0x7F80_0001, 0x7FFF_FFFF].map(f32::from_bits);
        encode(&mut cells);
        assert_eq!(cells.map(f32::to_bits), [MISSING; 3]);
    }
}
