//! Permutation importance: how much worse a model's answers fit the labels once a column is shuffled (Breiman 2001,
//! "Random forests"; of any model Fisher, Rudin & Dominici 2019, "All models are wrong, but many are useful").
//!
//! A row whose column j is shuffled takes its cell of column j from another row, and all others from its own. No such
//! row is made where the structure of a model offers better: trees are asked what one more cell changes of the leaf that
//! a row reaches ([`whylight_kernels::shuffled_trees`]); of machines, neurons and sums, one term of each unit changes
//! ([`whylight_kernels::shuffled_sums`]). What results is what the model answers to the rows that were shuffled, summed
//! in another order: to 1e-12 of the margin on the CPU. On a GPU trees have the same bits, as their leaves are added as
//! whole numbers, and units are float32. Black boxes are asked for rows of several shuffled columns at once, as many as
//! the memory limit lets.
//!
//! With strata, rows are shuffled only among those of the same stratum: conditional importance, in the sense of
//! Strobl et al. (2008).

mod asked;
mod engine;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "permutation/no_gpu.rs"]
mod gpu;
mod labels;
mod orders;
mod result;
mod rows;
mod trees;
mod units;

use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use self::engine::engine;
use self::orders::Strata;
use self::rows::Rows;
use super::Output;
use super::answers::Answers;
use super::players::{Group, Players};
use super::threads::Threads;
use crate::data::View;
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
use crate::metric::Score;
use crate::model::Model;

pub use self::labels::judge;
pub use self::orders::{permutation, strata_of};
pub use self::result::PermutationImportance;

/// Bytes that answers may take where nobody says.
const LIMIT: u64 = 1 << 28;

/// Repeats at most.
pub const MAX_REPEATS: usize = 100_000;

/// How to compute permutation importances.
#[derive(Debug, Clone)]
pub struct PermutationOptions {
    /// The device; see [`PermutationImportance::device_reason`].
    pub device: Device,
    /// CPU threads; 0 takes all.
    pub threads: usize,
    /// Bytes that shuffled rows and the answers to them may take; `None` for a quarter of a gibibyte. What one shuffled
    /// column takes is the least.
    pub memory_limit: Option<u64>,
    /// Which answers of the model are scored.
    pub output: Output,
    /// How often each column is shuffled, up to [`MAX_REPEATS`].
    pub n_repeats: usize,
    /// The permutation of a column is drawn from this, its place among the model's features, and the repeat.
    pub seed: u64,
    /// Columns that are shuffled together.
    pub groups: Vec<Group>,
    /// Features to explain, by position: those of them that are in a group stand for it. `None` explains all.
    pub subset: Option<Vec<usize>>,
    /// By row a number: rows are shuffled among those of the same one. `None` shuffles among all.
    pub strata: Option<Vec<u32>>,
}

impl PermutationOptions {
    /// The defaults on a device: raw answers, 5 repeats, the seed 0.
    pub fn on(device: Device) -> Self {
        Self {
            device,
            threads: 0,
            memory_limit: None,
            output: Output::Raw,
            n_repeats: 5,
            seed: 0,
            groups: Vec::new(),
            subset: None,
            strata: None,
        }
    }
}

/// How much worse the answers of a model to rows are scored with each column, or group of columns, shuffled. `go_on` is
/// told how many of the features are done and says whether to go on; `None` if it says no.
///
/// # Errors
/// [`Error::Shape`] if the rows are not of the model's columns, or labels or strata not of the rows; [`Error::Data`]
/// for no rows, a score that is not finite, and a category that the model does not take; [`Error::Parameter`] for no
/// repeats or groups that overlap; [`Error::Unsupported`] for an output that the model does not have; and what a black
/// box, or the metric, says.
pub fn explain_permutation(
    model: &Arc<Model>,
    view: &View<'_>,
    score: &dyn Score,
    options: &PermutationOptions,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<PermutationImportance>> {
    if options.n_repeats == 0 || options.n_repeats > MAX_REPEATS {
        return Err(Error::Parameter {
            name: "n_repeats",
            got: options.n_repeats.to_string(),
            allowed: format!("a whole number from 1 to {MAX_REPEATS}"),
        });
    }
    let threads = Threads::new(options.threads)?;
    let players = Players::new(model.features(), &options.groups)?;
    let rows = threads.run(|| Rows::read(model, view, players))?;
    let wanted = wanted(&rows, options.subset.as_deref())?;
    if let Some(labels) = score.rows().filter(|&labels| labels != rows.height) {
        return Err(Error::Shape {
            what: "the labels".to_owned(),
            expected: format!("one for each of {} rows", rows.height),
            got: labels.to_string(),
        });
    }
    let strata = Strata::new(rows.height, options.strata.as_deref())?;
    let answers = Answers::new(model, options.output)?;
    let outputs = answers.names().len();
    let limit = options.memory_limit.unwrap_or(LIMIT);
    let engine = threads.run(|| engine(model, &rows, answers, options))?;
    let mut notes = Vec::new();
    let count = rows.players.len();
    let mut importances = Array2::zeros((count, options.n_repeats));
    let changes = |player: &usize| {
        let members = &rows.members[*player];
        (members.iter()).any(|&feature| engine.reads(feature) && !rows.is_constant(feature))
    };
    let (active, still): (Vec<usize>, Vec<usize>) =
        wanted.iter().partition(|player| changes(player));
    let is_constant = |player: &&usize| rows.members[**player].iter().all(|&f| rows.is_constant(f));
    let constant: Vec<&str> = (still.iter().filter(is_constant))
        .map(|&player| rows.players.names[player].as_str())
        .collect();
    if !constant.is_empty() {
        notes.push(format!(
            "{} of {} features are constant, and of importance 0: {}",
            constant.len(),
            wanted.len(),
            listed(&constant)
        ));
    }
    let base = || -> Result<f64> {
        let found = score.score(engine.base(&rows)?.view())?;
        finite(found, score, "of the rows as they are")
    };
    let mut base_score = None;
    if active.is_empty() || !engine.base_comes_along() {
        base_score = Some(threads.run(base)?);
    }
    let sign = if score.is_error() { 1.0 } else { -1.0 };
    // As many repeats of as many players at a time as the answers to them may take.
    let one = (8 * rows.height * outputs + 4 * rows.height).max(1) as u64;
    let at_once = (limit / one).max(1) as usize;
    let repeats_at_once = options.n_repeats.min(at_once);
    let players_at_once = (at_once / repeats_at_once).max(1);
    let mut done = still.len() as u64;
    for players in active.chunks(players_at_once) {
        for first in (0..options.n_repeats).step_by(repeats_at_once) {
            let repeats = first..options.n_repeats.min(first + repeats_at_once);
            let draw = |&player: &usize| {
                let place = rows.members[player][0];
                let permutations = repeats.clone();
                let permutations =
                    permutations.map(|repeat| strata.permutation(options.seed, place, repeat));
                (player, permutations.collect())
            };
            let (base, scores) = threads.run(|| -> Result<(f64, Vec<f64>)> {
                let shuffled: Vec<(usize, Vec<Vec<u32>>)> = players.par_iter().map(draw).collect();
                let answers = engine.answers(&rows, &shuffled)?;
                let base = base_score.map_or_else(base, Ok)?;
                let scores = answers.par_iter();
                let scores = scores.map(|answers| score.score(answers.view()));
                Ok((base, scores.collect::<Result<_>>()?))
            })?;
            base_score = Some(base);
            for (at, found) in scores.into_iter().enumerate() {
                let player = players[at / repeats.len()];
                let name = &rows.players.names[player];
                let found = finite(found, score, &format!("with {name} shuffled"))?;
                importances[[player, first + at % repeats.len()]] = sign * (found - base);
            }
        }
        done += players.len() as u64;
        if !go_on(done) {
            return Ok(None);
        }
    }
    let names = wanted
        .iter()
        .map(|&player| rows.players.names[player].clone());
    let names: Vec<String> = names.collect();
    let mut groups = rows.players.groups;
    groups.retain(|(name, _)| names.contains(name));
    let mut result = PermutationImportance::new(
        names,
        importances.select(Axis(0), &wanted),
        base_score.unwrap_or(f64::NAN),
        score,
        model,
        options,
    );
    result.groups = groups;
    engine.name().clone_into(&mut result.engine);
    let (device, reason) = engine.place();
    result.device = device.name();
    result.device_reason.clone_from(reason);
    result.rows = rows.height as u64;
    result.strata = options.strata.as_ref().map(|_| strata.count() as u64);
    result.notes = notes;
    Ok(Some(result))
}

/// The players of a subset of features, all of them without one.
fn wanted(rows: &Rows, subset: Option<&[usize]>) -> Result<Vec<usize>> {
    let Some(subset) = subset else {
        return Ok((0..rows.players.len()).collect());
    };
    let mut wanted = Vec::new();
    for &feature in subset {
        let Some(&player) = rows.players.of.get(feature) else {
            return Err(Error::Parameter {
                name: "subset",
                got: format!("feature {feature}"),
                allowed: format!("positions below {}", rows.features()),
            });
        };
        if !wanted.contains(&(player as usize)) {
            wanted.push(player as usize);
        }
    }
    Ok(wanted)
}

/// What a model answers to rows, (rows, outputs): what a score is taken of.
///
/// # Errors
/// As [`explain_permutation`], of rows and of the model.
pub fn answers(
    model: &Arc<Model>,
    rows: &View<'_>,
    output: Output,
    threads: usize,
) -> Result<Array2<f64>> {
    Threads::new(threads)?.run(|| {
        let rows = Rows::read(model, rows, Players::new(model.features(), &[])?)?;
        let answers = Answers::new(model, output)?;
        let options = PermutationOptions::on(Device::cpu());
        engine(model, &rows, answers, &options)?.base(&rows)
    })
}

/// A score, or whose it is that is none.
fn finite(found: f64, score: &dyn Score, what: &str) -> Result<f64> {
    if found.is_finite() {
        return Ok(found);
    }
    Err(Error::Data {
        path: MEMORY.into(),
        at: format!("the metric {}", score.name()),
        reason: format!("{found} {what}; expected a finite number"),
    })
}

/// Some names for a message.
fn listed(names: &[&str]) -> String {
    let more = if names.len() > 8 { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(8)].join(", "))
}
