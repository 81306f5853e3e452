//! The tables of the interactions of pairs.

use std::ops::Range;

use whylight_kernels::tree_tables::{self, Lanes};

use super::compile::Compiled;

/// Bytes of the tables that all blocks of a tile read before the next tables, which come to the
/// second-level cache meanwhile.
pub(super) const SPAN_BYTES: usize = 96 << 10;

/// The tables of the interactions, for any amount of rows.
#[derive(Debug)]
pub(super) struct Interactions {
    pub(super) tables: tree_tables::Pack,
    pub(super) spans: Vec<(u32, Range<usize>)>,
}

impl Interactions {
    pub(super) fn new(compiled: &Compiled, trees: &[(u32, tree_tables::Cover)]) -> Self {
        let (forest, tests) = (&compiled.forest, compiled.identities());
        let lay_out = |lanes| tree_tables::Pack::without_tables(forest, tests, trees, lanes);
        let histograms = (compiled.background.as_ref())
            .map(|rows| rows.histograms(compiled, &lay_out(Lanes::Features)));
        let mut tables = lay_out(Lanes::Pairs);
        tables.fill(forest, tests, trees, game(histograms.as_deref()));
        Self {
            spans: tables.spans(SPAN_BYTES),
            tables,
        }
    }
}

/// The game of tables, against the weights of a background's patterns if there is one.
pub(super) fn game(histograms: Option<&[f64]>) -> tree_tables::Game<'_> {
    match histograms {
        Some(histograms) => tree_tables::Game::Interventional(histograms),
        None => tree_tables::Game::PathDependent,
    }
}
