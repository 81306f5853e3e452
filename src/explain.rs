//! Explainers: a model, a value function and a device, ready for rows.

mod amount;
mod answers;
mod background;
mod check;
mod coalitions;
mod deep_shap;
mod index;
mod kernel_shap;
pub mod lime;
mod linear_shap;
mod method;
pub mod mimic;
mod others;
mod output;
mod pace;
pub mod permutation;
mod players;
mod run;
#[cfg(feature = "text")]
pub mod text;
mod threads;
mod tree_shap;
mod value_function;

use std::sync::Arc;

use crate::data::{ReadOptions, Reader, Table, View};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explanation::{Explanation, Header, Sink, Trailer};
use crate::model::Model;
use deep_shap::DeepShap;
use kernel_shap::KernelShap;
use lime::{Lime, LimeOptions, LocalSamples};
use linear_shap::LinearShap;
use method::Method;
use mimic::{Mimic, Surrogate};
use run::Runner;
use threads::Threads;
use tree_shap::TreeShap;

pub use background::Background;
pub use deep_shap::{Rule, rules};
pub use index::{Index, index};
pub use kernel_shap::Link;
pub use output::{Estimator, Output};
pub use players::Group;
pub use value_function::ValueFunction;

/// Threads of the CPU at most.
pub const MAX_THREADS: usize = 1024;

/// How to explain.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device; [`Device::auto`] by default.
    pub device: Device,
    /// CPU threads, up to [`MAX_THREADS`]; 0 takes all.
    pub threads: usize,
    /// Bytes that batches of rows and their values may take; `None` for a tenth of a gibibyte.
    pub memory_limit: Option<u64>,
    /// Rows whose additivity is checked against float64 margins; `None` checks up to 256.
    pub additivity_rows: Option<u64>,
    /// The seed of estimates, recorded in the result; exact methods draw no random numbers.
    pub seed: u64,
    /// What a coalition of features is worth.
    pub value_function: ValueFunction,
    /// Whether to compute the interactions of all pairs of features in place of the values: for
    /// trees, and for black boxes of up to 16 players that vary.
    pub interactions: bool,
    /// How a value weighs what a feature adds to each coalition: for trees.
    pub index: Index,
    /// Features that play as one; each other feature plays by itself. For trees.
    pub groups: Vec<Group>,
    /// Whether the result leaves out the features that no split of the trees tests, whose values are 0.
    pub used_only: bool,
    /// What the values add up to: for trees.
    pub output: Output,
    /// How values are computed of an output that is no sum over trees.
    pub estimator: Estimator,
    /// What a black box's mean answer is taken for; other models take [`Link::Identity`] alone.
    pub link: Link,
    /// How many pairs an estimate takes, at least 2: of permutations (linear models; `None` for as
    /// many as take some seconds, up to 512), or of coalitions (trees and black boxes; `None` for 1024 and
    /// the number of players). With a tolerance, how many it takes at most (`None` for 16 times as many).
    /// Exact methods take none.
    pub samples: Option<u32>,
    /// The standard error that no estimated value of a row should pass, in the units of what is explained
    /// (with a link, of that). Coalitions are added, each time as many as there are, until the row meets
    /// it, or has [`Options::samples`]; a note counts the rows that do not. For black boxes, and models
    /// that are explained like them. Of a network, the completeness delta that a row should not pass: see
    /// [`Options::fallback`].
    pub tolerance: Option<f64>,
    /// What computes the rows of a network again whose completeness delta passes the tolerance, and is named by the
    /// result for each of them: [`Estimator::IntegratedGradients`] or [`Estimator::ExpectedGradients`]. `None` leaves
    /// them as they are.
    pub fallback: Option<Estimator>,
    /// The layer of a network whose cells the values are of, by the name of its node or value in the file; `None` for the
    /// inputs.
    pub layer: Option<String>,
    /// Whether a black box may answer differently for the same row: else that is an error.
    pub allow_noise: bool,
    /// To explain any model by LIME, whose values are the coefficients of linear models.
    pub lime: Option<Box<LimeOptions>>,
}

impl Options {
    /// The defaults on a device that is chosen already; [`Options::default`] looks for one.
    pub fn on(device: Device) -> Self {
        Self {
            device,
            threads: 0,
            memory_limit: None,
            additivity_rows: None,
            seed: 0,
            value_function: ValueFunction::Auto,
            interactions: false,
            index: Index::Shapley,
            groups: Vec::new(),
            used_only: false,
            output: Output::Raw,
            estimator: Estimator::Auto,
            link: Link::Identity,
            samples: None,
            tolerance: None,
            fallback: None,
            layer: None,
            allow_noise: false,
            lime: None,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::on(Device::auto())
    }
}

/// A model made ready for a device: check and pack once, explain many times, from several threads
/// if wanted.
#[derive(Debug)]
pub struct Explainer {
    runner: Runner,
}

impl Explainer {
    /// Checks everything that can be checked. The model is packed for the device when the first rows
    /// come, because their number decides how. `background` is needed where the model file holds no
    /// cover, and for a linear model.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if the model stores no cover, or is linear, and there is no
    /// background, or for too many threads or too few samples;
    /// [`crate::Error::Shape`] if the background does not fit the model, [`crate::Error::Data`] if
    /// it has no rows, or for a linear model cells that are not finite; [`crate::Error::Model`] if
    /// the parts of a linear model do not fit together; [`crate::Error::Unsupported`] if values
    /// could leave the range of float32, or if the method has no such value function.
    pub fn new(model: Arc<Model>, background: Option<&Table>, options: Options) -> Result<Self> {
        Self::with_background(model, background.map(View::from), options)
    }

    /// As [`Explainer::new`], with a background that lies in the caller's memory.
    ///
    /// # Errors
    /// As [`Explainer::new`].
    pub fn with_background(
        model: Arc<Model>,
        background: Option<View<'_>>,
        options: Options,
    ) -> Result<Self> {
        Self::make(model, background.map(Background::Rows), options)
    }

    /// As [`Explainer::new`], with a background that is more than rows.
    ///
    /// # Errors
    /// As [`Explainer::new`]; [`crate::Error::Unsupported`] if the method cannot use such a
    /// background, [`crate::Error::Shape`], [`crate::Error::Data`] or [`crate::Error::Parameter`] if
    /// weights or moments are not what [`Background`] demands.
    pub fn with_distribution(
        model: Arc<Model>,
        background: Background<'_>,
        options: Options,
    ) -> Result<Self> {
        Self::make(model, Some(background), options)
    }

    fn make(
        model: Arc<Model>,
        background: Option<Background<'_>>,
        options: Options,
    ) -> Result<Self> {
        if let Some(lime) = &options.lime {
            return Self::by_lime(model, background.as_ref(), &options, lime);
        }
        let takes_links = !matches!(&*model, Model::Trees(_) | Model::Linear(_));
        if options.link != Link::Identity && !takes_links {
            return Err(Error::Unsupported {
                what: format!("the link {}", options.link),
                by: "this method".to_owned(),
                instead: "take the link identity: the margin is what links are taken of".to_owned(),
            });
        }
        if matches!(&*model, Model::Trees(_) | Model::Linear(_)) {
            let what = match options.estimator {
                _ if options.tolerance.is_some() => Some("a tolerance".to_owned()),
                estimator @ (Estimator::RegressionAdjusted
                | Estimator::ShapSampling
                | Estimator::Permutation
                | Estimator::IntegratedGradients
                | Estimator::ExpectedGradients) => Some(format!("the estimator {estimator}")),
                _ => None,
            };
            if let Some(what) = what {
                return Err(Error::Unsupported {
                    what,
                    by: "this method".to_owned(),
                    instead: "leave it out, or explain the model as a black box".to_owned(),
                });
            }
        }
        if !matches!(&*model, Model::Network(_)) {
            let what = match &options {
                Options { layer: Some(_), .. } => "a layer",
                Options {
                    fallback: Some(_), ..
                } => "a fallback",
                _ => "",
            };
            if !what.is_empty() {
                return Err(Error::Unsupported {
                    what: what.to_owned(),
                    by: "a method for models that are no networks".to_owned(),
                    instead: "leave it out, or explain the network's ONNX file by deep SHAP"
                        .to_owned(),
                });
            }
        }
        let threads = Threads::new(options.threads)?;
        let method = threads.run(|| -> Result<Box<dyn Method>> {
            Ok(match &*model {
                Model::Trees(_) => Box::new(TreeShap::new(model, background, &options)?),
                Model::Linear(_) => Box::new(LinearShap::new(model, background, &options)?),
                Model::Network(_) => Box::new(DeepShap::new(model, background.as_ref(), &options)?),
                Model::KernelMachine(_)
                | Model::Mlp(_)
                | Model::NaiveBayes(_)
                | Model::Neighbours(_)
                | Model::Encoded(_)
                | Model::BlackBox(_) => {
                    Box::new(KernelShap::new(&model, background.as_ref(), &options)?)
                }
            })
        })?;
        Ok(Self {
            runner: Runner {
                method,
                threads,
                options,
            },
        })
    }

    fn by_lime(
        model: Arc<Model>,
        background: Option<&Background<'_>>,
        options: &Options,
        lime: &LimeOptions,
    ) -> Result<Self> {
        let threads = Threads::new(options.threads)?;
        let method = threads.run(|| Lime::new(model, background, options, lime))?;
        Ok(Self {
            runner: Runner {
                method: Box::new(method),
                threads,
                options: options.clone(),
            },
        })
    }

    /// An explainer of a surrogate that learns to answer as a model does ([`mimic::distil`]) for the rows of the
    /// background, on as many threads. The output of the options is which of the model's answers are learned; the values
    /// are those of the surrogate's margin, of trees path-dependent unless the options say interventional.
    ///
    /// # Errors
    /// As [`mimic::distil`], and as [`Explainer::new`] of the surrogate.
    pub fn mimic(
        model: &Arc<Model>,
        background: &View<'_>,
        surrogate: Surrogate,
        options: Options,
    ) -> Result<Self> {
        let threads = Threads::new(options.threads)?;
        let (seed, output) = (options.seed, options.output);
        let method = threads.run(|| {
            let distilled = mimic::distil(model, output, background, surrogate, seed)?;
            Mimic::new(distilled, model, background, &options)
        })?;
        Ok(Self {
            runner: Runner {
                method: Box::new(method),
                threads,
                options,
            },
        })
    }

    /// The samples of one row, for a linear model of the caller's; `None` of a method that is not LIME.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn local_samples(&self, row: &View<'_>) -> Result<Option<LocalSamples>> {
        self.runner
            .ask(row, |method, rows| method.local_samples(rows))
    }

    /// SP-LIME: at most so many of the explained rows, those that cover the most of what the model does, in the order of
    /// the choice; see [`lime::pick`]. `rows` are those of the explanation.
    ///
    /// # Errors
    /// [`Error::Shape`] for other rows than the explanation has; as [`Explainer::explain`].
    pub fn pick(
        &self,
        explanation: &Explanation,
        rows: &View<'_>,
        budget: usize,
    ) -> Result<Vec<usize>> {
        if rows.rows() != explanation.values.dim().0 {
            return Err(Error::Shape {
                what: "the rows of an explanation".to_owned(),
                expected: explanation.values.dim().0.to_string(),
                got: rows.rows().to_string(),
            });
        }
        let components = self.components(rows)?;
        Ok(lime::pick(explanation.values.view(), &components, budget))
    }

    /// By row, what is true of the cells of each feature and of the samples that are like it, such as `age <= 28.0`. Empty
    /// of a method that is not LIME.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn rules(&self, rows: &View<'_>) -> Result<Vec<Vec<String>>> {
        let rules = self.runner.ask(rows, |method, rows| method.rules(rows))?;
        Ok(rules.unwrap_or_default())
    }

    /// By row and feature, a number of what the cell is like: the components of [`lime::pick`]. Empty of a method that is
    /// not LIME.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn components(&self, rows: &View<'_>) -> Result<Vec<usize>> {
        let components = self
            .runner
            .ask(rows, |method, rows| method.components(rows))?;
        Ok(components.unwrap_or_default())
    }

    /// How a reader has to read the columns of this model.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions::for_features(self.runner.method.features())
    }

    /// What will hold for every row.
    pub fn header(&self) -> &Header {
        self.runner.method.header()
    }

    /// Explains all rows of a table.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the table's columns are not the model's; [`crate::Error::Data`]
    /// for an empty table, and for a cell that a linear model cannot read, by its row and column;
    /// [`crate::Error::Unsupported`] if there is no memory for the values;
    /// [`crate::Error::Gpu`] if the device fails.
    pub fn explain(&self, table: &Table) -> Result<Explanation> {
        self.runner.explain(&table.into())
    }

    /// Explains rows that lie in memory, in batches of a fraction of a second: after each, `go_on`
    /// is told the rows done and says whether to go on. `None` if it says no.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn explain_while(
        &self,
        rows: &View<'_>,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Explanation>> {
        self.runner.explain_while(rows, go_on)
    }

    /// As [`Explainer::explain_while`], but writes the values to a sink, so that no more than a batch
    /// of them is held.
    ///
    /// # Errors
    /// As [`Explainer::explain`], and what the sink says.
    pub fn stream_while(
        &self,
        rows: &View<'_>,
        sink: &mut dyn Sink,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Trailer>> {
        self.runner.stream(rows, sink, go_on)
    }

    /// Explains the rows of a reader batch by batch and writes them to a sink; `progress` is told
    /// the rows done.
    ///
    /// # Errors
    /// As [`Explainer::explain`], and what the reader and the sink say.
    pub fn explain_into(
        &self,
        reader: &mut Reader,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trailer> {
        self.runner.explain_into(reader, sink, progress)
    }
}
