//! What the shader is given.

use super::{Limits, Node, Others, PARTINGS, divide, others, shares};
use crate::forest::{self, Forest, LEAF, Test};
use crate::legendre::Index;
use crate::tree_pairs::{Background, Shares};
use crate::tree_tables::Lanes;
use crate::words::{LAST, MISSING, Sets, key};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    steps: 1 << 20,
    features: 64,
    lanes: Lanes::Features,
};

fn node(feature: u32, left: u32, value: f64) -> forest::Node {
    forest::Node {
        feature,
        column: if feature == LEAF { 0 } else { feature },
        test: Test::Below {
            missing_left: false,
        },
        left,
        right: left + 1,
        fraction: 1.0,
        value,
    }
}

/// Trees of one split each on these features, for one output each.
fn stumps(features: &[u32]) -> Forest {
    let mut forest = Forest {
        columns: 100,
        features: 100,
        outputs: features.len() as u32,
        ..Forest::default()
    };
    for (output, &feature) in (0..).zip(features) {
        let root = forest.nodes.len() as u32;
        forest.roots.push(root);
        forest.tree_outputs.push(output);
        let leaves = [node(LEAF, 0, 1.0), node(LEAF, 0, 2.0)];
        forest.nodes.push(node(feature, root + 1, 0.0));
        forest.nodes.extend(leaves);
    }
    forest
}

/// A path over these features, with a leaf on the left of each split.
fn path(features: &[u32]) -> Forest {
    let mut forest = Forest {
        roots: vec![0],
        tree_outputs: vec![0],
        columns: 100,
        features: 100,
        outputs: 1,
        ..Forest::default()
    };
    for &feature in features {
        let next = forest.nodes.len() as u32 + 1;
        forest.nodes.push(node(feature, next, 0.0));
        forest.nodes.push(node(LEAF, 0, f64::from(next)));
    }
    forest.nodes.push(node(LEAF, 0, 0.0));
    forest
}

fn of(forest: &Forest, limits: Limits) -> (Vec<super::Words>, Vec<u32>) {
    let thresholds = vec![1.0; forest.nodes.len()];
    let background = vec![2.0; forest.nodes.len()];
    let trees: Vec<u32> = (0..forest.trees() as u32).collect();
    let sets = Sets::new(forest);
    divide(forest, &[&thresholds], &background, &sets, &trees, limits)
}

fn splits(nodes: &[Node]) -> Vec<Node> {
    let splits = nodes.iter().filter(|node| node.test & LAST == 0);
    splits.copied().collect()
}

#[test]
fn a_feature_that_comes_again_keeps_its_place_on_the_path() {
    let (parts, left) = of(&path(&[7, 3, 7, 5, 3]), LIMITS);
    assert!(left.is_empty());
    let words = &parts[0];
    let segment = &words.segments[0];
    let members = |range: &std::ops::Range<u32>| {
        words.members[range.start as usize..range.end as usize].to_vec()
    };
    assert_eq!(members(&segment.features), [3, 5, 7]);
    assert_eq!(members(&segment.roots), [0]);
    let splits = splits(&words.nodes[0]);
    let places: Vec<_> = splits.iter().map(|n| n.place % PARTINGS).collect();
    assert_eq!(places, [0, 1, 0, 2, 1]);
    let numbers: Vec<_> = splits.iter().map(|n| n.place / PARTINGS).collect();
    assert_eq!(numbers, [2, 0, 2, 1, 0]);
    let bounds = splits.iter().map(|n| (n.bound, n.other));
    assert!(bounds.into_iter().all(|b| b == (key(1.0), key(2.0))));
}

#[test]
fn the_leaves_of_a_tree_are_as_far_below_zero_as_above() {
    let (parts, _) = of(&path(&[0, 1, 2]), LIMITS);
    let leaves = parts[0].nodes[0].iter().filter(|n| n.test == LAST);
    let leaves: Vec<f32> = leaves.map(|n| f32::from_bits(n.bound)).collect();
    // 1, 3, 5 and 0.
    assert_eq!(leaves, [-1.5, 0.5, 2.5, -2.5]);
}

#[test]
fn trees_beyond_the_limits_are_left_to_the_caller() {
    let longest: Vec<u32> = (0..PARTINGS).collect();
    assert!(of(&path(&longest), LIMITS).1.is_empty());
    let longer: Vec<u32> = (0..=PARTINGS).collect();
    assert_eq!(of(&path(&longer), LIMITS).1, [0]);
    let again = [&longest[..], &longest].concat();
    assert!(of(&path(&again), LIMITS).1.is_empty());
    let steps = Limits {
        steps: 13,
        ..LIMITS
    };
    assert!(of(&path(&[0, 1]), steps).1.is_empty());
    assert_eq!(of(&path(&[0, 1, 2]), steps).1, [0]);
    // Past nobody above the first split, one feature above the second, another above its repetition.
    let pairs = |steps| Limits {
        steps,
        lanes: Lanes::Pairs,
        ..LIMITS
    };
    assert!(of(&path(&[0, 1, 0]), pairs(14 + 1 + 2 + 2)).1.is_empty());
    assert_eq!(of(&path(&[0, 1, 0]), pairs(14 + 1 + 2 + 1)).1, [0]);
    let bytes = Limits {
        bytes: 119,
        ..LIMITS
    };
    assert!(of(&path(&[0, 1]), bytes).1.is_empty());
    assert_eq!(of(&path(&[0, 1, 2]), bytes).1, [0]);
}

#[test]
fn segments_end_with_the_output_and_with_the_features_of_a_tile() {
    let mut forest = stumps(&[4, 9, 4, 8, 9, 1]);
    forest.tree_outputs = vec![0, 0, 0, 0, 0, 1];
    let limits = Limits {
        features: 2,
        ..LIMITS
    };
    let (parts, _) = of(&forest, limits);
    assert_eq!(parts.len(), 1);
    let words = &parts[0];
    let lists: Vec<_> = (words.segments.iter())
        .map(|s| {
            let of = |range: &std::ops::Range<u32>| {
                words.members[range.start as usize..range.end as usize].to_vec()
            };
            (s.output, of(&s.features), of(&s.roots))
        })
        .collect();
    assert_eq!(
        lists,
        [
            (0, vec![4, 9], vec![0, 3, 6]),
            (0, vec![8, 9], vec![9, 12]),
            (1, vec![1], vec![15]),
        ]
    );
    // A part ends where its list is full.
    let bytes = Limits {
        bytes: 130,
        ..limits
    };
    let (parts, left) = of(&forest, bytes);
    assert_eq!(parts.len(), 3);
    assert!(left.is_empty());
    assert!(parts.iter().all(|part| part.nodes[0].len() == 6));
}

#[test]
fn background_rows_without_a_weight_are_left_out_and_parts_keep_to_the_limit() {
    let background = Background {
        cells: &[1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0, 7.0, 8.0],
        thresholds: &[],
        weights: &[0.5, 0.0, 0.25, 0.25],
        shares: &Shares::new(Index::Shapley, 1),
    };
    let bits = |weight: f32| weight.to_bits();
    let whole = vec![
        (key(1.0), MISSING, key(7.0)),
        (key(2.0), key(6.0), key(8.0)),
        (bits(0.5), bits(0.25), bits(0.25)),
        // Of u32::MAX units, which three divides.
        (0x8000_0000, 0x3FFF_FFFF, 0x4000_0000),
    ];
    let whole: Vec<u32> = whole.into_iter().flat_map(|(a, b, c)| [a, b, c]).collect();
    let all = others(&background, 2, 1 << 20);
    assert_eq!(all.parts, [(3, whole)]);
    assert_eq!(all.unit, 2.0_f32.powi(-32));
    let parts = others(&background, 2, 32).parts;
    let rows: Vec<u32> = parts.iter().map(|(rows, _)| *rows).collect();
    assert_eq!(rows, [2, 1]);
    assert_eq!(parts[1].1, [key(7.0), key(8.0), bits(0.25), 0x4000_0000]);
}

#[test]
fn equal_weights_are_equal_numbers_of_units() {
    for rows in [1, 3, 7, 100, 12_345] {
        let background = Background {
            cells: &vec![0.0; rows],
            thresholds: &[],
            weights: &vec![1.0 / rows as f64; rows],
            shares: &Shares::new(Index::Shapley, 1),
        };
        let Others { parts, unit } = others(&background, 1, 1 << 20);
        let units = &parts[0].1[2 * rows..];
        assert!(units.iter().all(|&weight| weight == u32::MAX / rows as u32));
        let total = f64::from(units[0]) * rows as f64 * f64::from(unit);
        assert!((total - 1.0).abs() < 1e-7);
    }
}

#[test]
fn shares_are_looked_up_by_both_sides() {
    let table = shares(&Shares::new(Index::Shapley, 1));
    let most = PARTINGS as usize;
    let of = |k: usize, t: usize| table[k * (most + 1) + t];
    assert_eq!(of(0, 5), 0.0);
    assert_eq!(of(1, 0), 1.0);
    assert_eq!(of(2, 1), 1.0 / 6.0);
    assert_eq!(of(most, 0), 1.0 / most as f32);
    assert!(of(most / 2, most / 2) > 0.0);
    assert_eq!(table.len(), (most + 1) * (most + 1));
}
