//! The engines of the interactions of pairs.

use std::ops::Range;

use whylight_kernels::tree_tables::{self, Lanes};
use whylight_kernels::{Block, Level, ROWS, tree_pairs_interactions, tree_quadrature_interactions};

use super::compile::Compiled;
use super::plan::PairPlan;

/// Bytes of the tables that all blocks of a tile read before the next tables, which come to the
/// second-level cache meanwhile.
pub(super) const SPAN_BYTES: usize = 96 << 10;

/// The engines of the interactions, for any amount of rows.
#[derive(Debug, Default)]
pub(super) struct Interactions {
    pub(super) tables: tree_tables::Pack,
    pub(super) spans: Vec<(u32, Range<usize>)>,
    pub(super) walks: Walks,
}

/// Trees that are walked for every row, by output, with the features of their longest path.
#[derive(Debug, Default)]
pub(super) struct Walks(Vec<(u32, u32)>);

/// Working memory of [`Walks`].
#[derive(Debug, Default)]
pub(super) struct Scratch {
    quadrature: tree_quadrature_interactions::Scratch,
    pairs: tree_pairs_interactions::Scratch,
}

impl Interactions {
    pub(super) fn new(compiled: &Compiled, plan: &PairPlan) -> Self {
        let (forest, tests) = (&compiled.forest, compiled.identities());
        let trees = &plan.tables;
        let lay_out = |lanes| tree_tables::Pack::without_tables(forest, tests, trees, lanes);
        let histograms = (compiled.background.as_ref())
            .map(|rows| rows.histograms(compiled, &lay_out(Lanes::Features)));
        let mut tables = lay_out(Lanes::Pairs);
        tables.fill(forest, tests, trees, game(histograms.as_deref()));
        Self {
            spans: tables.spans(SPAN_BYTES),
            tables,
            walks: Walks::new(compiled, plan),
        }
    }
}

impl Walks {
    pub(super) fn new(compiled: &Compiled, plan: &PairPlan) -> Self {
        let features = |&tree: &u32| (tree, compiled.shapes[tree as usize].path_features);
        Self(plan.walks.iter().map(features).collect())
    }

    /// Keeps some of the trees.
    #[cfg(feature = "gpu")]
    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.0.retain(|&(tree, _)| keep(tree));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds the interactions of the trees of an output: `pairs` is laid out (pair, row).
    pub(super) fn add(
        &self,
        compiled: &Compiled,
        thresholds: &[f32],
        of: u32,
        block: Block<'_>,
        scratch: &mut Scratch,
        pairs: &mut [[f64; ROWS]],
    ) {
        let forest = &compiled.forest;
        let output = |tree: u32| forest.tree_outputs[tree as usize];
        let until = |end: u32| (self.0).partition_point(|(tree, _)| output(*tree) < end);
        let trees = &self.0[until(of)..until(of + 1)];
        if trees.is_empty() {
            return;
        }
        let Some(background) = &compiled.background else {
            tree_quadrature_interactions::run(
                Level::detect(),
                forest,
                thresholds,
                trees,
                block,
                &mut scratch.quadrature,
                pairs,
            );
            return;
        };
        let trees: Vec<u32> = trees.iter().map(|(tree, _)| *tree).collect();
        tree_pairs_interactions::run(
            forest,
            thresholds,
            &trees,
            block,
            background.pairwise(compiled),
            &mut scratch.pairs,
            pairs,
        );
    }
}

/// The game of tables, against the weights of a background's patterns if there is one.
pub(super) fn game(histograms: Option<&[f64]>) -> tree_tables::Game<'_> {
    match histograms {
        Some(histograms) => tree_tables::Game::Interventional(histograms),
        None => tree_tables::Game::PathDependent,
    }
}
