//! Which engine takes which tree.

use rayon::prelude::*;
use whylight_kernels::forest::Shape;
use whylight_kernels::{tree_leaves, tree_quadrature, tree_tables};

use super::compile::Compiled;
use super::leaves;
use crate::error::{Error, Result};
use crate::explain::amount::Amount;
use crate::explain::method::Account;

/// Bytes of all tables, and of all factors, for an amount of rows. Trees beyond take the next engine,
/// which needs less.
const PACK_BYTES: usize = 384 << 20;

/// Bytes of all tables of interventional values: the next engine costs the rows times the background
/// rows.
const BACKGROUND_PACK_BYTES: usize = 1 << 30;

/// Bytes of the patterns of all rows that a thread holds, at every level of a tree whose leaves are looked
/// at one by one.
const PATTERN_BYTES: usize = 512 << 20;

/// Features of a model whose interactions are computed, at most: a thread holds the sums of all pairs
/// for a block of rows, 3 KiB per pair.
const INTERACTION_FEATURES: u32 = 512;

/// Features of a result of interactions, those that no split tests included: a row of a million has a
/// million million pairs of zeros.
const RESULT_FEATURES: usize = 4096;

/// Bytes of all tables of interactions.
const INTERACTION_BYTES: usize = 2 << 30;

/// Which engine takes a tree.
#[derive(Debug)]
pub(super) enum Engine {
    Tables(tree_tables::Cover),
    Quadrature,
    Few,
    /// With the features of the longest path whose patterns have a table.
    Leaves(usize),
    Pairs,
}

/// The engine of each tree, by output.
pub(super) fn choose(compiled: &Compiled, amount: Amount) -> Vec<(u32, Engine)> {
    let forest = &compiled.forest;
    let mut order: Vec<u32> = (0..forest.trees() as u32).collect();
    order.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    if let Some(background) = &compiled.background {
        return against(compiled, background.rows(), order, amount);
    }
    if amount == Amount::Few {
        return order.into_iter().map(|tree| (tree, Engine::Few)).collect();
    }
    // To find a division costs as much as some hundred rows of quadrature; a tree that is one
    // group is found at once.
    let mut limits = tree_tables::Limits::default();
    if amount == Amount::Some {
        limits.groups = 1;
    }
    let covers: Vec<Option<tree_tables::Cover>> = (order.par_iter())
        .map(|&tree| {
            let shape = compiled.shapes[tree as usize];
            if !limits.may_hold(shape.leaves) {
                return None;
            }
            let tests = compiled.identities();
            let points = tree_quadrature::points(forest.index, shape.path_features as usize);
            tree_tables::cover(forest, tests, tree as usize, limits)
                .filter(|cover| pays(cover, shape.leaves as usize, points, amount))
        })
        .collect();
    let (mut table_bytes, mut factor_bytes) = (0, 0);
    let mut engine = |tree: u32, cover: Option<tree_tables::Cover>| {
        let shape = compiled.shapes[tree as usize];
        let factors = shape.leaves as usize * 96;
        match cover {
            Some(cover) if table_bytes + cover.entries * 32 <= PACK_BYTES => {
                table_bytes += cover.entries * 32;
                Engine::Tables(cover)
            }
            _ if factor_bytes + factors <= PACK_BYTES => {
                factor_bytes += factors;
                Engine::Quadrature
            }
            _ => Engine::Few,
        }
    };
    let trees = order.into_iter().zip(covers);
    trees
        .map(|(tree, cover)| (tree, engine(tree, cover)))
        .collect()
}

/// Whether tables are cheaper than quadrature, in nanoseconds per row as measured on one AVX2 core
/// (benches/kernels.rs), the build shared by the rows.
fn pays(cover: &tree_tables::Cover, leaves: usize, points: usize, amount: Amount) -> bool {
    let rows = match amount {
        Amount::Few => return false,
        Amount::Some => 300.0,
        Amount::Many => 5000.0,
    };
    let entries = cover.entries as f64;
    let tables = 1.2 * cover.groups() as f64 + 0.1 * leaves as f64 + 30.0 * entries / rows;
    let quadrature = (0.2 + 0.3 * points as f64) * leaves as f64 * (1.0 + 100.0 / rows);
    tables < quadrature
}

/// The engine of each tree for interventional values against so many background rows.
fn against(
    compiled: &Compiled,
    background: usize,
    order: Vec<u32>,
    amount: Amount,
) -> Vec<(u32, Engine)> {
    let forest = &compiled.forest;
    let rows = amount.rows();
    let limits = tree_tables::Limits::default();
    // The tables of a tree, or else whether its leaves are looked at one by one.
    let choices: Vec<(Option<tree_tables::Cover>, bool)> = (order.par_iter())
        .map(|&tree| {
            let shape = &compiled.shapes[tree as usize];
            let pairs = rows * pairs(shape, background);
            // To find a division, to count the background and to compute the tables, in nanoseconds
            // as measured on one AVX2 core.
            let build = f64::from(shape.leaves) * (2000.0 + 0.5 * background as f64);
            let pays = build < pairs && !shape.is_linear;
            let cover = || tree_tables::cover(forest, compiled.identities(), tree as usize, limits);
            let cover = pays.then(cover).flatten();
            let leaves = leaf_by_leaf(compiled, tree, rows, background);
            (cover, leaves < pairs)
        })
        .collect();
    let most_in_table = tree_leaves::most_in_table(rows, background);
    let mut bytes = 0;
    let mut engine = |(cover, leaves): (Option<tree_tables::Cover>, bool)| match cover {
        Some(cover) if bytes + cover.entries * 32 <= BACKGROUND_PACK_BYTES => {
            bytes += cover.entries * 32;
            Engine::Tables(cover)
        }
        _ if leaves => Engine::Leaves(most_in_table),
        _ => Engine::Pairs,
    };
    let trees = order.into_iter().zip(choices);
    trees.map(|(tree, choice)| (tree, engine(choice))).collect()
}

/// What rows cost in a tree whose leaves are looked at one by one, in nanoseconds.
fn leaf_by_leaf(compiled: &Compiled, tree: u32, rows: f64, background: usize) -> f64 {
    let shape = &compiled.shapes[tree as usize];
    let at_once = leaves::rows_at_once(&compiled.forest);
    let is_long = shape.path_features as usize > tree_leaves::MOST_FEATURES;
    let patterns = 4 * (shape.depth as usize + 1) * (at_once + background);
    if shape.is_linear || is_long || patterns > PATTERN_BYTES {
        return f64::INFINITY;
    }
    // Every walk makes the tables of the leaves anew.
    let walks = (rows / at_once as f64).ceil();
    walks * tree_leaves::cost(&compiled.forest, tree as usize, rows / walks, background)
}

/// Whether a GPU looks at the leaves of a tree one by one rather than at pairs of rows: it has a table for
/// each or for none. The costs are those of one core, which the GPU is taken to divide alike. In float32,
/// what two rows have in common is 0 by pairs and some 1e-7 of a leaf by tables, which have to save half.
#[cfg(feature = "gpu")]
pub(super) fn tables_of_leaves_pay(
    compiled: &Compiled,
    tree: u32,
    amount: Amount,
    background: usize,
) -> bool {
    let shape = &compiled.shapes[tree as usize];
    let rows = amount.rows();
    let cost = || tree_leaves::cost_of_tables(&compiled.forest, tree as usize, rows, background);
    !shape.is_linear && 2.0 * cost() < rows * pairs(shape, background)
}

/// What a row costs in a tree against so many background rows, pair by pair, in nanoseconds as
/// measured on one core: where two rows part at half of the splits that they come to, a pair comes to
/// 1.5 children of every split.
pub(super) fn pairs(shape: &Shape, background: usize) -> f64 {
    let visits = 2.0 * f64::from(shape.leaves).powf(1.5_f64.log2());
    // A linear leaf is a game for each of its terms.
    let visit = if shape.is_linear { 14.0 } else { 6.0 };
    visit * visits * background as f64
}

/// The engines of the interactions, each with its trees by output.
#[derive(Debug, Default)]
pub(super) struct PairPlan {
    pub(super) tables: Vec<(u32, tree_tables::Cover)>,
    /// Trees that are walked for every row.
    pub(super) walks: Vec<u32>,
}

impl PairPlan {
    /// How the CPU computes the interactions.
    pub(super) fn account(&self) -> Account {
        Account {
            engines: named(&[
                ("tables_of_pairs", self.tables.len()),
                ("walks_of_pairs", self.walks.len()),
            ]),
            notes: Vec::new(),
        }
    }
}

/// The engines that have trees.
pub(super) fn named(engines: &[(&str, usize)]) -> Vec<(String, usize)> {
    let engines = engines.iter().filter(|(_, trees)| *trees > 0);
    engines
        .map(|&(name, trees)| (name.to_owned(), trees))
        .collect()
}

/// The engine of each tree for interactions: tables, as far as their bytes go, and walks of trees
/// that no tables hold.
///
/// # Errors
/// [`Error::Unsupported`] for more features than all pairs have room for, in the engines or in a result
/// of so many.
pub(super) fn interactions(compiled: &Compiled, format: &str, result: usize) -> Result<PairPlan> {
    let forest = &compiled.forest;
    if result > RESULT_FEATURES {
        return Err(Error::Unsupported {
            what: format!("this {format} model of {result} features, more than {RESULT_FEATURES}"),
            by: "the interactions of this version".to_owned(),
            instead: "leave out the features that no split tests, with used_only".to_owned(),
        });
    }
    if forest.features > INTERACTION_FEATURES {
        return Err(Error::Unsupported {
            what: format!(
                "this {format} model of {} features, more than {INTERACTION_FEATURES}",
                forest.features
            ),
            by: "the interactions of this version".to_owned(),
            instead: "explain the values, or put features into groups".to_owned(),
        });
    }
    let tests = compiled.identities();
    let mut order: Vec<u32> = (0..forest.trees() as u32).collect();
    order.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    let cover = |&tree: &u32| {
        // Of the patterns of a larger group, most of the pairs of a leaf would be computed again.
        let shape = &compiled.shapes[tree as usize];
        if shape.is_linear {
            return None;
        }
        let bits = (shape.depth as usize).clamp(1, tree_tables::MAX_BITS);
        let limits = tree_tables::Limits {
            bits,
            ..tree_tables::Limits::default()
        };
        tree_tables::cover(forest, tests, tree as usize, limits)
    };
    let covers: Vec<Option<tree_tables::Cover>> = order.par_iter().map(cover).collect();
    let mut plan = PairPlan::default();
    let mut bytes = 0;
    for (tree, cover) in order.into_iter().zip(covers) {
        match cover {
            Some(cover) if bytes + cover.pair_entries * 32 <= INTERACTION_BYTES => {
                bytes += cover.pair_entries * 32;
                plan.tables.push((tree, cover));
            }
            _ => plan.walks.push(tree),
        }
    }
    Ok(plan)
}

/// What the interactions of a row cost in a tree that is walked, in nanoseconds, roughly: every edge,
/// or parting, meets half of the path.
pub(super) fn walk_of_pairs(compiled: &Compiled, tree: u32) -> f64 {
    let shape = &compiled.shapes[tree as usize];
    let features = f64::from(shape.path_features);
    if let Some(background) = &compiled.background {
        return (1.0 + 0.2 * features) * pairs(shape, background.rows());
    }
    let points = (compiled.forest.index).points_for_path(shape.path_features as usize);
    f64::from(shape.leaves) * (10.0 + features) * points as f64
}
