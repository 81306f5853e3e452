//! Tree SHAP (Lundberg et al. 2020): exact Shapley values of tree ensembles, where features outside a
//! coalition follow the cover of the training rows (path-dependent), or take the values of background
//! rows (interventional).

mod background;
mod columns;
mod compile;
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod interactions;
mod layout;
mod leaves;
mod narrow;
mod plan;
mod response;
mod tiles;

use std::path::Path;
use std::sync::Arc;

use self::background::BackgroundRows;
use self::compile::Compiled;
use self::cpu::Cpu;
#[cfg(feature = "gpu")]
use self::gpu::GpuPacks;
use self::narrow::{Narrow, Narrowed, narrow};
use self::response::{Answer, Responses};
use super::amount::Amount;
use super::background::{Background, NAME, Sample, encoder};
use super::method::{Account, Extra, Found, Method, Rows};
use super::players::Players;
use super::{Estimator, Index, Options, ValueFunction};
use crate::data::View;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explanation::Header;
use crate::model::{Feature, Model, Trees};

/// Leaf values that sum up to more could leave the range of float32 on the way to a value.
const LARGEST: f64 = 1e30;

/// The engines of a device.
#[derive(Debug)]
enum Engines {
    Cpu(Box<Cpu>),
    #[cfg(feature = "gpu")]
    Gpu(Box<GpuPacks>),
}

/// A tree ensemble made ready for a device.
#[derive(Debug)]
pub(super) struct TreeShap {
    trees: Ensemble,
    compiled: Compiled,
    engines: Engines,
    /// What explains an output that is no sum over trees.
    responses: Option<Responses>,
    header: Header,
    /// What is worth knowing before any row.
    notes: Vec<String>,
    /// Where the trees' features and players stand in the model, if they are not all of it.
    narrow: Option<Narrow>,
}

/// The trees that are explained.
#[derive(Debug)]
enum Ensemble {
    /// The model's own; the model is trees.
    Own(Arc<Model>),
    /// The model's, with covers counted from a background, or with the features alone that are used.
    Made(Trees),
}

impl Ensemble {
    fn trees(&self) -> &Trees {
        match self {
            Ensemble::Made(trees) => trees,
            Ensemble::Own(model) => match &**model {
                Model::Trees(trees) => trees,
                _ => unreachable!("invariant: TreeShap::new took the model apart"),
            },
        }
    }
}

/// What the values of a game add to, and where it comes from.
#[derive(Debug)]
struct Expected {
    base_values: Vec<f64>,
    cover: String,
}

impl TreeShap {
    /// # Errors
    /// See [`super::Explainer::new`]; the model must be trees.
    pub(super) fn new(
        model: Arc<Model>,
        background: Option<Background<'_>>,
        options: &Options,
    ) -> Result<Self> {
        let Model::Trees(trees) = &*model else {
            return Err(refused(
                "a model that is not made of trees",
                "explain trees",
            ));
        };
        let interventional = match options.value_function {
            ValueFunction::Auto => background.is_some(),
            ValueFunction::PathDependent => false,
            ValueFunction::Interventional => true,
            ValueFunction::Conditional => {
                return Err(refused(
                    "the conditional value function",
                    "take path_dependent, which follows the training rows, or interventional",
                ));
            }
        };
        let narrowed = narrow(trees, &options.groups, options.used_only)?;
        if interventional {
            let Some(background) = background else {
                return Err(Error::Parameter {
                    name: "background",
                    got: "none".to_owned(),
                    allowed: "interventional values compare a row with background rows; give the \
                              training rows, or a sample of them"
                        .to_owned(),
                });
            };
            return Self::interventional(&model, narrowed, &background, options);
        }
        if trees.has_linear_leaves() {
            return Err(refused(
                &format!(
                    "path-dependent values of this {} model, whose leaves are linear in features \
                     (linear_tree=true): the file holds no distribution of these",
                    trees.format
                ),
                "give a background, for interventional values",
            ));
        }
        let background = background.map(rows).transpose()?;
        let mut cover = "model".to_owned();
        let mut notes = Vec::new();
        if trees.has_cover && background.is_some() {
            notes.push("the covers are the model's own: the background was not used".to_owned());
        }
        let mut counted = None;
        if !trees.has_cover {
            let Some(background) = background else {
                return Err(Error::Parameter {
                    name: "background",
                    got: "none".to_owned(),
                    allowed: format!(
                        "this {} file stores no cover, which path-dependent values need; give the \
                         training rows, or a sample of them, as background",
                        trees.format
                    ),
                });
            };
            let cells = Sample::read(&trees.features, narrowed.kept(), &background)?;
            cover = cells.cover(None);
            let trees = narrowed.trees.as_ref().unwrap_or(trees).clone();
            counted = Some(count_covers(trees, &cells));
        }
        let Narrowed {
            trees: made,
            players,
            place,
        } = narrowed;
        let trees = match counted.or(made) {
            Some(trees) => Ensemble::Made(trees),
            None => Ensemble::Own(model),
        };
        let compiled = Compiled::new(trees.trees(), players, options.index)?;
        let expected = compiled.forest.expected();
        let base_values = trees.trees().base.iter().zip(&expected);
        let base_values = base_values.map(|(a, b)| a + b).collect();
        let of = Expected { base_values, cover };
        Self::of(trees, compiled, of, place, notes, options)
    }

    fn interventional(
        model: &Arc<Model>,
        narrowed: Narrowed,
        background: &Background<'_>,
        options: &Options,
    ) -> Result<Self> {
        let (view, weights) = match background {
            Background::Rows(rows) => (rows, None),
            Background::Weighted(rows, weights) => (rows, Some(*weights)),
            Background::Moments { .. } => {
                return Err(refused(
                    "a mean and a covariance as background",
                    "give rows; trees are not determined by moments",
                ));
            }
        };
        let kept = narrowed.kept();
        let encoder = encoder(model.features(), kept, view);
        let encoder = encoder.map_err(|error| error.in_file(Path::new(NAME)))?;
        let ensemble = match narrowed.trees {
            Some(trees) => Ensemble::Made(trees),
            None => Ensemble::Own(Arc::clone(model)),
        };
        let trees = ensemble.trees();
        let mut compiled = Compiled::new(trees, narrowed.players, options.index)?;
        let answer = Answer::of(trees, options.output)?;
        let rows = BackgroundRows::new(trees, &compiled, &encoder, view, weights, answer)
            .map_err(|error| error.in_file(Path::new(NAME)))?;
        let of = Expected {
            base_values: rows.margins.clone(),
            cover: rows.cover.clone(),
        };
        compiled.background = Some(rows);
        Self::of(ensemble, compiled, of, narrowed.place, Vec::new(), options)
    }

    fn of(
        ensemble: Ensemble,
        mut compiled: Compiled,
        expected: Expected,
        place: Option<(Narrow, Option<Players>)>,
        notes: Vec<String>,
        options: &Options,
    ) -> Result<Self> {
        let trees = ensemble.trees();
        if options.interactions {
            if options.index == Index::Banzhaf {
                return Err(refused(
                    "the interactions of Banzhaf values, which add up to nothing",
                    "take the interactions of Shapley values, or the Banzhaf values",
                ));
            }
            let wide = place.as_ref().map_or(0, |(narrow, _)| narrow.result());
            let interactions = plan::interactions(&compiled, trees.format, wide)?;
            compiled.interactions = Some(interactions);
        }
        let largest = compiled.largest();
        // NaN, too, is not below.
        if largest.is_nan() || largest >= LARGEST {
            return Err(Error::Unsupported {
                what: format!(
                    "this {} model, whose leaf values, weighted with the covers of their paths, \
                     reach {largest:e}",
                    trees.format
                ),
                by: "Tree SHAP in float32".to_owned(),
                instead: format!("train on a target that is scaled down, below {LARGEST:e}"),
            });
        }
        let answer = Answer::of(trees, options.output)?;
        let responses =
            (answer.map(|answer| Responses::new(trees, &compiled, answer, options))).transpose()?;
        let estimator = match &responses {
            Some(responses) => responses.estimator(&compiled),
            None => Estimator::Exact,
        };
        let value_function = match compiled.background {
            Some(_) => ValueFunction::Interventional,
            None => ValueFunction::PathDependent,
        };
        let players = match &place {
            Some((_, Some(whole))) => whole,
            _ => &compiled.players,
        };
        let header = Header {
            method: "tree_shap".to_owned(),
            value_function: value_function.name().to_owned(),
            output: options.output.name().to_owned(),
            estimator: estimator.name().to_owned(),
            exact: estimator == Estimator::Exact,
            base_values: expected.base_values,
            interactions: options.interactions,
            rules: Vec::new(),
            lime: None,
            tolerance: None,
            fallback: String::new(),
            index: options.index.name().to_owned(),
            feature_names: players.names.clone(),
            columns: players.columns.clone(),
            groups: players.groups.clone(),
            output_names: match answer {
                Some(answer) => answer.names(&trees.outputs),
                None => trees.outputs.clone(),
            },
            model_format: trees.format.to_owned(),
            objective: trees.objective.clone(),
            cover: expected.cover,
            device: options.device.name(),
            device_reason: options.device.reason(),
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let engines = match &options.device {
            Device::Cpu { .. } => Engines::Cpu(Box::default()),
            #[cfg(feature = "gpu")]
            Device::Gpu { gpu, .. } => {
                Engines::Gpu(Box::new(GpuPacks::new(gpu.clone(), options.memory_limit)))
            }
        };
        Ok(Self {
            trees: ensemble,
            compiled,
            engines,
            responses,
            header,
            notes,
            narrow: place.map(|(narrow, _)| narrow),
        })
    }
}

impl Method for TreeShap {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        match &self.narrow {
            Some(narrow) => &narrow.features,
            None => &self.trees.trees().features,
        }
    }

    fn kept(&self) -> Option<&[u32]> {
        self.narrow.as_ref().map(|narrow| &narrow.kept[..])
    }

    fn seconds(&self) -> f64 {
        match &self.responses {
            Some(_) => Responses::seconds(&self.compiled),
            None => self.compiled.seconds(),
        }
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.estimates(rows, out, Extra::default()).map(|_found| ())
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], extra: Extra<'_>) -> Result<Found> {
        let errors = extra.errors;
        let Some(narrow) = self.narrow.as_ref().filter(|narrow| narrow.is_wider()) else {
            return self.of_players(rows, out, errors);
        };
        let pairs = self.header.interactions;
        let outputs = self.header.output_names.len();
        let players = narrow.players();
        let width = if pairs { players * players } else { players } * outputs;
        let mut few = vec![0.0; rows.batch.rows() * width];
        let mut spreads = vec![0.0; if errors.is_empty() { 0 } else { few.len() }];
        let found = self.of_players(rows, &mut few, &mut spreads)?;
        narrow.spread(&few, outputs, pairs, out);
        narrow.spread(&spreads, outputs, pairs, errors);
        Ok(found)
    }

    fn has_errors(&self) -> bool {
        self.responses.is_some()
            && [Estimator::Auto, Estimator::Sampled]
                .map(Estimator::name)
                .contains(&&*self.header.estimator)
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let margins = self.trees.trees().margins(rows, cells);
        Ok(match &self.responses {
            Some(responses) => responses.answers(&margins),
            None => margins,
        })
    }

    fn account(&self, amount: Amount) -> Result<Account> {
        if let Some(responses) = &self.responses {
            return Ok(self.account_of(responses));
        }
        let (engines, more) = match &self.engines {
            Engines::Cpu(cpu) => (cpu.packs(&self.compiled, amount).engines(), Vec::new()),
            #[cfg(feature = "gpu")]
            Engines::Gpu(gpu) => {
                let pack = gpu.pack(&self.compiled, amount)?;
                (pack.engines(), pack.notes())
            }
        };
        let mut notes = self.notes.clone();
        notes.extend(more);
        let mut engines = engines;
        if let Some(plan) = &self.compiled.interactions {
            let of_pairs = match &self.engines {
                Engines::Cpu(_) => plan.account(),
                #[cfg(feature = "gpu")]
                Engines::Gpu(gpu) => gpu.account_of_pairs(&self.compiled, plan)?,
            };
            engines.extend(of_pairs.engines);
            notes.extend(of_pairs.notes);
        }
        Ok(Account { engines, notes })
    }
}

impl TreeShap {
    /// The values of the trees' own players, and their standard errors.
    fn of_players(&self, rows: &Rows<'_>, out: &mut [f32], errors: &mut [f32]) -> Result<Found> {
        self.compiled.check_linear(rows.batch, rows.before)?;
        if let Some(responses) = &self.responses {
            return responses.values(&self.compiled, rows.batch, rows.before, out, errors);
        }
        match &self.engines {
            Engines::Cpu(cpu) => cpu.values(&self.compiled, rows.batch, rows.amount, out),
            #[cfg(feature = "gpu")]
            Engines::Gpu(gpu) => gpu.values(&self.compiled, rows.batch, rows.amount, out),
        }
        .map(|()| Found::default())
    }

    /// How an output that is no sum over trees was computed.
    fn account_of(&self, responses: &Responses) -> Account {
        let (engine, elsewhere) = responses.engine();
        let notes = self.notes.iter().cloned().chain(elsewhere).collect();
        Account {
            engines: vec![(engine.to_owned(), self.compiled.forest.trees())],
            notes,
        }
    }
}

/// The rows of a background, which covers are counted from.
fn rows(background: Background<'_>) -> Result<View<'_>> {
    match background {
        Background::Rows(rows) => Ok(rows),
        Background::Weighted(..) => Err(refused(
            "a background whose rows have weights",
            "give the rows without weights; a row can be given several times",
        )),
        Background::Moments { .. } => Err(refused(
            "a mean and a covariance as background",
            "give rows; the covers of trees are counted from them",
        )),
    }
}

fn refused(what: &str, instead: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        by: "Tree SHAP".to_owned(),
        instead: instead.to_owned(),
    }
}

/// The trees with every node's cover the number of background rows that reach it.
fn count_covers(mut trees: Trees, background: &Sample) -> Trees {
    trees.clear_covers();
    for row in background.rows() {
        trees.count_cover(row);
    }
    trees
}
