//! What `explain` and `bench` read: a model, a table, a background.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ndarray::Array2;
use whylight::data::{self, Encoder, ReadOptions};
use whylight::explain::{self, Estimator, Index, Link, Output, ValueFunction};
use whylight::model::{BlackBox, Feature, Model};
use whylight::{Error, Explainer, Options, Result, Table};

use super::groups::Groups;
use super::lime::LimeArgs;
use super::mimic::MimicArgs;
use super::network::NetworkArgs;
use super::note;
use super::source::{Asked, Found, Source};
use super::value::{self, Header, Iterations, Method, Pairs};

/// The files and how to read them.
#[derive(Debug, Args)]
pub(super) struct Input {
    #[command(flatten)]
    source: Source,

    /// Table with the rows to explain: .csv, .tsv, .npy, .parquet, .arrow
    #[arg(long, value_name = "FILE")]
    pub(super) data: PathBuf,

    /// Table with training rows, or a sample of them: what the features outside a coalition take
    /// their values from (interventional), or what covers are counted from (`path_dependent`, for a
    /// model file that stores none)
    #[arg(long, value_name = "FILE")]
    background: Option<PathBuf>,

    /// How to explain: auto (tree for trees, deep for an ONNX network that kernel would have to ask, kernel for
    /// any other model), tree (exact Tree SHAP), deep (Deep SHAP on the graph of an ONNX network, against a
    /// background), kernel (Kernel SHAP of what the model answers, against a background), lime (the coefficients of
    /// a linear model about each row, of samples drawn as the background is), mimic (a surrogate that learns
    /// what the model answers to the background, and is explained in its place), or permutation (how much
    /// worse the answers are once a column is shuffled; see --labels)
    #[arg(long, value_name = "METHOD", default_value = "auto", value_parser = value::method)]
    method: Method,

    #[command(flatten)]
    mimic: MimicArgs,

    /// Coalitions of an estimate, of each row: a number, or auto (2048 and twice the number of
    /// features, or groups)
    #[arg(long = "nsamples", value_name = "N", default_value = "auto", value_parser = value::pairs)]
    pairs: Pairs,

    /// What a coalition is worth, of the mean of what a model answers (kernel): identity, or logit
    /// (its log-odds)
    #[arg(long, value_name = "LINK", default_value = "identity")]
    link: Link,

    /// The seed of estimates
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    /// What a coalition of features is worth: `path_dependent` (the others follow the rows of the
    /// training), interventional (they take the values of background rows), or auto: interventional
    /// where there is a background
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    value_function: ValueFunction,

    /// Compute the interactions of all pairs of features, in place of the values
    #[arg(long)]
    interactions: bool,

    /// How a value weighs what a feature adds to each coalition: shapley, whose values add up, or
    /// banzhaf
    #[arg(long, value_name = "WHICH", default_value = "shapley", value_parser = explain::index)]
    index: Index,

    /// What the values add up to: raw (the margin), probability, response (the model's prediction,
    /// through its objective's link), or `log_loss` (for each label that could be the true one); all
    /// but raw take a background. With mimic: which of the model's answers are learned; the values
    /// add up to the surrogate's margin
    #[arg(long, value_name = "SPACE", default_value = "raw")]
    output: Output,

    /// How to compute what is no sum over trees: exact (up to 16 features, or groups, that
    /// vary), sampled (with standard errors), auto (exact where that can be), or rescaled (from the
    /// margin's values: approximate); of Kernel SHAP also `regression_adjusted` (auto of a model that
    /// is asked), `shap_sampling` and permutation; of networks with deep `integrated_gradients` and
    /// `expected_gradients`, at --nsamples points
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    estimator: Estimator,

    /// Largest standard error that a value should have, or of a network the largest completeness delta of a row, in
    /// the units of the output; see --nsamples and --fallback (kernel, deep)
    #[arg(long, value_name = "NUMBER")]
    tolerance: Option<f64>,

    #[command(flatten)]
    groups: Groups,

    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    lime: LimeArgs,

    /// Leave out the features that no split of the trees tests, whose values are 0
    #[arg(long)]
    used_only: bool,

    /// A column of the tables to leave out, by name, or by position from 1 where they have none;
    /// can be given several times
    #[arg(long, value_name = "COL")]
    drop: Vec<String>,

    /// Whether a CSV file begins with column names
    #[arg(long, value_enum, default_value = "auto")]
    header: Header,

    /// The boosting iterations to explain: all, best (up to the one that early stopping chose), or
    /// A..B, counted from 0, without B
    #[arg(long, value_name = "WHICH", default_value = "all", value_parser = value::iterations)]
    iterations: Iterations,
}

impl Input {
    /// Whether the method is permutation importance.
    pub(super) fn is_permutation(&self) -> bool {
        self.method == Method::Permutation
    }

    /// As [`Input::load`], of a table that has some columns beside the model's.
    pub(super) fn load_beside(&self, apart: &[String]) -> Result<(Arc<Model>, Option<Table>)> {
        let network = |path: &Path| {
            let columns = self.columns();
            let columns = columns.map(|columns| columns.saturating_sub(apart.len()));
            self.network.load(path, columns)
        };
        let found = match (self.method, self.source.path()) {
            (Method::Deep, Some(path)) => Found::Model(Box::new(network(path)?)),
            (Method::Deep, None) => return Err(no_network()),
            _ => self.source.find(&network)?,
        };
        let (mut model, background) = match found {
            Found::Asked(asked) => {
                let (black_box, background) = self.ask(asked, apart)?;
                (Model::BlackBox(black_box), Some(background))
            }
            Found::Model(model) => (*model, None),
        };
        self.cut(&mut model)?;
        model = match (self.method, model) {
            (Method::Kernel, Model::Trees(trees)) => Model::BlackBox(trees.into()),
            (Method::Kernel, Model::Network(network)) => Model::BlackBox(network.into()),
            (Method::Tree, model) if !matches!(model, Model::Trees(_)) => {
                return Err(Error::Unsupported {
                    what: "a model without trees".to_owned(),
                    by: "the method tree".to_owned(),
                    instead: "take the method auto, or kernel".to_owned(),
                });
            }
            (_, model) => model,
        };
        let background = match background {
            Some(background) => Some(background),
            None => self.background(Some(model.features()))?,
        };
        Ok((Arc::new(model), background))
    }

    /// Reads the model, cut to the iterations that are asked for, or asks it a first time; and reads
    /// its background.
    pub(super) fn load(&self) -> Result<(Arc<Model>, Option<Table>)> {
        self.load_beside(&[])
    }

    /// A model that is asked has the columns of its background (or of the rows, where it needs none) where it does not name them, and as
    /// many outputs as it answers for the first row of it.
    fn ask(&self, asked: Asked, apart: &[String]) -> Result<(BlackBox, Table)> {
        let Asked { features, begin } = asked;
        let (table, path) = if self.is_permutation() {
            let mut options =
                (features.as_deref()).map_or_else(ReadOptions::default, ReadOptions::for_features);
            options = self.reading(options);
            options.drop.extend_from_slice(apart);
            (Some(data::head(&self.data, &options, 1)?), Some(&self.data))
        } else {
            let table = self.background(features.as_deref())?;
            (table, self.background.as_ref())
        };
        let (Some(table), Some(path)) = (table, path) else {
            return Err(Error::Parameter {
                name: "background",
                got: "none".to_owned(),
                allowed:
                    "a model that is asked for answers needs the training rows, or a sample of \
                          them: the features outside a coalition take their values, and their \
                          columns are the model's"
                        .to_owned(),
            });
        };
        if table.rows() == 0 {
            return Err(Error::Data {
                path: path.clone(),
                at: "its end".to_owned(),
                reason: "no rows; expected the training rows, or a sample of them".to_owned(),
            });
        }
        // A model that numbers its columns takes their names from the table, too.
        let is_known = |features: &Vec<Feature>| {
            features.len() != table.columns() || features.iter().any(|f| f.name.is_some())
        };
        let features = features.filter(is_known);
        let features = features.unwrap_or_else(|| columns(&table));
        let first = || {
            let encoder = Encoder::new(&features, table.names.as_deref(), table.columns())?;
            let table = table.slice(0..1)?;
            let mut row = vec![0.0; features.len()];
            encoder.batch(&table)?.fill(0..1, &mut row)?;
            Ok(row)
        };
        let row = first().map_err(|error: Error| error.in_file(path))?;
        let row = Array2::from_shape_fn((1, row.len()), |(_, column)| row[column]);
        let predict = begin(&features)?;
        Ok((BlackBox::asked(predict, features, row)?, table))
    }

    /// The explainer of the model, or of a surrogate.
    pub(super) fn explainer(
        &self,
        model: Arc<Model>,
        background: Option<&Table>,
        options: Options,
    ) -> Result<Explainer> {
        if self.method == Method::Mimic {
            return self.mimic.explainer(&model, background, options);
        }
        if !self.mimic.is_default() {
            return Err(Error::Parameter {
                name: "surrogate",
                got: "a surrogate".to_owned(),
                allowed: "it belongs to --method mimic".to_owned(),
            });
        }
        Explainer::new(model, background, options)
    }

    /// These options with what the user says about the game.
    pub(super) fn options(&self, model: &Model, options: Options) -> Result<Options> {
        let lime = if self.method == Method::Lime {
            Some(Box::new(
                self.lime.options(model.features(), self.header.into())?,
            ))
        } else {
            self.lime.check_unused()?;
            None
        };
        Ok(Options {
            lime,
            value_function: self.value_function,
            interactions: self.interactions,
            index: self.index,
            output: self.output,
            estimator: self.estimator,
            groups: self.groups.of(model)?,
            used_only: self.used_only,
            link: self.link,
            samples: self.pairs,
            tolerance: self.tolerance,
            seed: self.seed,
            layer: self.network.layer.clone(),
            fallback: self.network.fallback,
            ..options
        })
    }

    /// Reads the background table of a model that takes some columns, or any.
    fn background(&self, features: Option<&[Feature]>) -> Result<Option<Table>> {
        let read = |path: &PathBuf| {
            let options = features.map_or_else(ReadOptions::default, ReadOptions::for_features);
            data::read(path, &self.reading(options))
        };
        self.background.as_ref().map(read).transpose()
    }

    /// These options with what the user says about the tables.
    pub(super) fn reading(&self, options: ReadOptions) -> ReadOptions {
        ReadOptions {
            header: self.header.into(),
            drop: self.drop.clone(),
            ..options
        }
    }

    /// Columns of the table of rows, where it can be read; what is wrong with it is said where it is read whole.
    fn columns(&self) -> Option<usize> {
        let options = self.reading(ReadOptions::default());
        let head = data::head(&self.data, &options, 1).ok()?;
        Some(head.columns())
    }

    fn cut(&self, model: &mut Model) -> Result<()> {
        let Model::Trees(trees) = model else {
            return match self.iterations {
                Iterations::All => Ok(()),
                _ => Err(refused("a model of boosting iterations", "another model")),
            };
        };
        let (best, total) = (trees.best_iteration, trees.iterations());
        match (&self.iterations, best) {
            (Iterations::All, Some(best)) if best + 1 < total => {
                note(&format!(
                    "note: early stopping chose {} of the model's {total} iterations; all are \
                     explained; --iterations best explains those",
                    best + 1
                ));
                Ok(())
            }
            (Iterations::All, _) => Ok(()),
            (Iterations::Best, Some(best)) => trees.keep_iterations(0..best + 1),
            (Iterations::Best, None) => Err(refused(
                "all, or a range: this model file records no best iteration",
                "best",
            )),
            (Iterations::Range(range), _) => trees.keep_iterations(range.clone()),
        }
    }
}

/// The columns of a table, as features.
fn columns(table: &Table) -> Vec<Feature> {
    let name = |column: usize| Some(table.names.as_ref()?[column].clone());
    let feature = |column| Feature {
        name: name(column),
        categories: None,
    };
    (0..table.columns()).map(feature).collect()
}

fn no_network() -> Error {
    Error::Unsupported {
        what: "a model that is asked".to_owned(),
        by: "the method deep".to_owned(),
        instead: "give the network's ONNX file, or take the method kernel".to_owned(),
    }
}

fn refused(allowed: &str, got: &str) -> Error {
    Error::Parameter {
        name: "iterations",
        got: got.to_owned(),
        allowed: allowed.to_owned(),
    }
}

/// A path as it is shown to a person.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
