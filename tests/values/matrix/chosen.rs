//! The models and rows of a cell of the matrix.

use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::model::{self, Model, Node, Test, Tree, Trees};
use whylight::{Error, Table};

use super::super::subject::Subject;
use super::table::Outcome;
use super::{MODELS, WEIGHTS};
use crate::corpus::cases;
use crate::support::random::Random;

/// Features whose coalitions are enumerated, and splits of a path, at most.
const SMALL: usize = 8;

/// Rows of a model that are explained.
const ROWS: usize = 3;

/// More categories than this are many.
const MANY: usize = 1000;

/// What is special of a model or of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    /// A cell that the model tests is missing.
    Missing,
    /// A category beyond all that the model names.
    Unseen,
    /// A column of many categories.
    Many,
    /// Several outputs.
    Several,
}

pub(super) const KINDS: [Kind; 5] = [
    Kind::Any,
    Kind::Missing,
    Kind::Unseen,
    Kind::Many,
    Kind::Several,
];

/// A model, rows of it to explain, and rows to explain them against.
pub(super) struct Chosen {
    pub(super) subject: Subject,
    pub(super) rows: Vec<usize>,
    pub(super) background: Vec<usize>,
}

impl Chosen {
    fn new(subject: &Subject, rows: Vec<usize>) -> Self {
        let height = subject.table.rows();
        let spread = |i: usize| (i * 37 + 5) % height;
        Self {
            subject: subject.clone(),
            rows,
            background: (0..WEIGHTS.len()).map(spread).collect(),
        }
    }
}

/// Models that have such rows.
pub(super) fn chosen(
    subjects: &[Subject],
    kind: Kind,
    fits: impl Fn(&Subject) -> bool,
) -> Vec<Chosen> {
    let is_small = |s: &&Subject| s.trees.features.len() <= SMALL && depth(&s.trees) <= SMALL;
    let small = || subjects.iter().filter(is_small).filter(|s| fits(s));
    let with_rows = small().filter_map(|subject| {
        let rows = 0..subject.table.rows();
        let rows = rows.filter(|&i| has(subject, kind, subject.rows.row(i)));
        let rows: Vec<usize> = rows.take(ROWS).collect();
        (!rows.is_empty()).then(|| Chosen::new(subject, rows))
    });
    let found: Vec<Chosen> = with_rows.take(MODELS).collect();
    if found.is_empty() && kind == Kind::Many && subjects[0].trees.format != "CatBoost JSON" {
        return small().filter_map(widened).take(1).collect();
    }
    found
}

/// What the loader says of files that it refuses because of such rows: `CatBoost` turns columns of
/// many categories into statistics of the labels.
pub(super) fn refused_by_the_loader(library: &str, kind: Kind) -> Outcome {
    if library != "catboost" || kind != Kind::Many {
        return Outcome::NoModel;
    }
    let case = cases(library)
        .into_iter()
        .find(|case| case.facts["refused"] == "CTR");
    let path = case.unwrap().model();
    match model::load(&path) {
        Err(Error::Unsupported { what, .. }) => {
            let file = format!("{}: ", path.display());
            Outcome::Refused(what.strip_prefix(&file).unwrap().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

fn depth(trees: &Trees) -> usize {
    fn below(tree: &Tree, n: usize) -> usize {
        match &tree.nodes[n] {
            Node::Leaf { .. } => 0,
            Node::Split(split) => {
                let depth = |child: u32| below(tree, child as usize);
                1 + depth(split.left).max(depth(split.right))
            }
        }
    }
    let depths = trees.trees.iter().map(|tree| below(tree, 0));
    depths.max().unwrap_or(0)
}

/// The tests of each feature.
fn tests(trees: &Trees) -> impl Iterator<Item = (usize, &Test)> {
    let nodes = trees.trees.iter().flat_map(|tree| &tree.nodes);
    nodes.filter_map(|node| match node {
        Node::Split(split) => Some((split.feature as usize, &split.test)),
        Node::Leaf { .. } => None,
    })
}

/// The largest category that a test names; `None` of a test of numbers.
fn largest(test: &Test) -> Option<f64> {
    match test {
        Test::Below(_) | Test::Always => None,
        Test::Category(set) => {
            let bits = 32 * set.words.len();
            let named = |bit: &usize| set.words[bit / 32] >> (bit % 32) & 1 == 1;
            Some((0..bits).rev().find(named).map_or(-1.0, |bit| bit as f64))
        }
        Test::OneOf(values) => values.iter().copied().reduce(f64::max),
    }
}

fn has(subject: &Subject, kind: Kind, row: &[f64]) -> bool {
    let trees = &subject.trees;
    let named = |feature: usize| {
        let tests = tests(trees).filter(|(tested, _)| *tested == feature);
        tests.filter_map(|(_, test)| largest(test)).reduce(f64::max)
    };
    let mut tested = tests(trees).map(|(feature, _)| feature);
    match kind {
        Kind::Any => true,
        Kind::Several => trees.outputs.len() > 1,
        Kind::Missing => tested.any(|feature| row[feature].is_nan()),
        Kind::Unseen => (0..row.len())
            .any(|f| named(f).is_some_and(|largest| row[f] <= -1.0 || row[f] >= largest + 1.0)),
        Kind::Many => {
            let is_many = |f: usize| named(f).is_some_and(|largest| largest >= MANY as f64);
            (0..row.len()).any(|f| is_many(f) && row[f].is_finite() && row[f] >= 0.0)
        }
    }
}

/// The model with every set of categories reaching beyond a thousand, and rows with such categories;
/// `None` of a model without sets, or whose categories have labels.
fn widened(subject: &Subject) -> Option<Chosen> {
    let mut wide = subject.clone();
    let Model::Trees(mut own) = (*subject.model).clone() else {
        return None;
    };
    if own.features.iter().any(|f| f.categories.is_some()) {
        return None;
    }
    let columns: Vec<usize> = (0..own.features.len())
        .filter(|f| tests(&own).any(|(tested, test)| tested == *f && largest(test).is_some()))
        .collect();
    let (rows, features) = (subject.rows.shape[0], subject.rows.shape[1]);
    for &column in &columns {
        for row in 0..ROWS {
            wide.rows.cells[row * features + column] = (MANY + 3 * row + column) as f64;
        }
    }
    widen(&mut own);
    widen(&mut wide.trees);
    wide.model = Arc::new(Model::Trees(own));
    let cells = Array2::from_shape_vec((rows, features), wide.rows.cells.clone()).unwrap();
    wide.table = Table::new(None, Cells::F64(cells)).unwrap();
    (!columns.is_empty()).then(|| Chosen::new(&wide, (0..ROWS).collect()))
}

fn widen(trees: &mut Trees) {
    let mut random = Random(7);
    let nodes = trees.trees.iter_mut().flat_map(|tree| &mut tree.nodes);
    for node in nodes {
        let Node::Split(split) = node else { continue };
        match &mut split.test {
            Test::Below(_) | Test::Always => {}
            Test::Category(set) => set.words.resize_with(40, || random.next() as u32),
            Test::OneOf(values) => {
                let more = (MANY..3 * MANY).filter(|_| random.chance(0.5));
                values.extend(more.map(|value| value as f64));
            }
        }
    }
}
