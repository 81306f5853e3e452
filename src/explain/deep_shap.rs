//! Deep SHAP: what the inputs, or a layer, of a network contribute, by multipliers that go back through its steps.
//!
//! The values of a row are the mean over the background of `multiplier · (x − r)` for each pair of the row x and a background
//! row r (Lundberg & Lee 2017, "A unified approach to interpreting model predictions", section 4.2). The multipliers of a pair
//! are those of `DeepLIFT` (Shrikumar, Greenside & Kundaje 2017), step by step, by the [`rules`](Rule) of the network's steps:
//! each makes the contributions to a step's result add up to its difference, and so do those to the output.
//!
//! Rows and background rows run through the network once. The way back is one of all pairs of a row and of all outputs, in
//! tiles of as many lanes as a cache holds the multipliers of.

mod answers;
mod backward;
mod check;
mod chosen;
mod cpu;
mod forward;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "deep_shap/no_gpu.rs"]
mod gpu;
mod gradients;
mod graph;
mod rule;

use std::fmt::Debug;
use std::sync::Arc;

use self::check::{check, check_row, refused, unknown};
use self::chosen::{Chosen, choose, gradients, lines, of_networks};
use self::graph::Graph;
pub use self::rule::{Rule, rules};
use super::amount::Amount;
use super::background::Background;
use super::method::{Account, Found, Method, Rows};
use super::others::Others;
use super::players::Players;
use super::{Estimator, Options, ValueFunction};
use crate::error::{Error, MEMORY, Result};
use crate::explanation::Header;
use crate::model::{Feature, Model, Network};

/// A network made ready for its background.
#[derive(Debug)]
pub(super) struct DeepShap {
    model: Arc<Model>,
    graph: Arc<Graph>,
    engine: Box<dyn Engine>,
    /// Background rows.
    others: usize,
    players: Players,
    estimator: Estimator,
    header: Header,
    account: Account,
}

/// Where a network is run, and where its multipliers are computed: with a graph and a background that it holds.
trait Engine: Debug + Send + Sync {
    /// The answers to the background, (row, output).
    fn background(&self) -> Vec<f64>;

    /// The answers to rows, (row, output).
    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>>;

    /// What the targets of rows contribute. What a row has depends on no other.
    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions>;

    /// Cells that contributions are of: features, or those of a layer.
    fn cells(&self) -> usize;

    /// Rows that keep it busy.
    fn least_rows(&self) -> usize {
        1
    }
}

/// What was found of some rows.
#[derive(Debug, Default)]
struct Contributions {
    /// (row, cell, output).
    sums: Vec<f64>,
    /// Their standard errors, of random points.
    errors: Vec<f64>,
    /// (row, output).
    answers: Vec<f64>,
}

impl DeepShap {
    /// # Errors
    /// See [`super::Explainer::new`]; the model must be a network.
    pub(super) fn new(
        model: Arc<Model>,
        background: Option<&Background<'_>>,
        options: &Options,
    ) -> Result<Self> {
        let Model::Network(network) = &*model else {
            return Err(refused("a model that is no network", "explain a network"));
        };
        check(options)?;
        network.check(std::path::Path::new(MEMORY))?;
        let layer = match &options.layer {
            None => None,
            Some(name) => Some(network.layer(name).ok_or_else(|| unknown(name, network))?),
        };
        let graph = Arc::new(Graph::new(network, layer));
        let others = Others::read(&network.features, background)?;
        others.check(&model)?;
        let width = network.features.len();
        for (row, cells) in others.cells.chunks(width).enumerate() {
            check_row(network, cells, |feature| {
                format!("row {} of those with a weight, feature {feature}", row + 1)
            })?;
        }
        let rows: Vec<&[f64]> = others.cells.chunks(width).collect();
        let Chosen {
            engine,
            device,
            reason: device_reason,
            notes,
        } = match lines(options)? {
            None => choose(options, &graph, &rows, &others.weights)?,
            Some(lines) => gradients(options, network, layer, lines, &rows, &others.weights)?,
        };
        let mut base_values = vec![0.0; network.outputs.len()];
        let answers = engine.background();
        for (answers, weight) in answers.chunks(base_values.len()).zip(&others.weights) {
            for (base, answer) in base_values.iter_mut().zip(answers) {
                *base += weight * answer;
            }
        }
        if let Some(output) = base_values.iter().position(|base| !base.is_finite()) {
            return Err(Error::Unsupported {
                what: format!("a base value of {}, of output {output}", base_values[output]),
                by: "deep SHAP".to_owned(),
                instead: "look at the background: the network answers some of its rows with numbers that are not finite"
                    .to_owned(),
            });
        }
        let features = match layer {
            None => network.features.clone(),
            Some(layer) => layer_features(network, layer, options.layer.as_deref().unwrap_or("")),
        };
        let players = Players::new(&features, &options.groups)?;
        let account = Account {
            engines: if options.estimator == Estimator::Auto {
                counts(network)
            } else {
                vec![("gradients".to_owned(), network.steps.len())]
            },
            notes,
        };
        let header = Header {
            method: "deep_shap".to_owned(),
            value_function: ValueFunction::Interventional.name().to_owned(),
            output: options.output.name().to_owned(),
            estimator: match options.estimator {
                Estimator::Auto => "deeplift",
                other => other.name(),
            }
            .to_owned(),
            exact: false,
            base_values,
            interactions: false,
            rules: if options.estimator == Estimator::Auto {
                let named = |(node, operation, rule): (String, &str, Rule)| {
                    (node, operation.to_owned(), rule.name().to_owned())
                };
                rules(network).into_iter().map(named).collect()
            } else {
                Vec::new()
            },
            index: options.index.name().to_owned(),
            feature_names: players.names.clone(),
            columns: players.columns.clone(),
            groups: players.groups.clone(),
            output_names: network.outputs.clone(),
            model_format: model.format().to_owned(),
            objective: String::new(),
            cover: others.cover.clone(),
            device: device.name(),
            device_reason,
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Self {
            model,
            graph,
            engine,
            others: rows.len(),
            players,
            estimator: options.estimator,
            header,
            account,
        })
    }

    /// Writes the standard errors of features, or groups, from those of cells, (row, cell, output).
    fn errors(&self, found: &[f64], errors: &mut [f32]) {
        let outputs = self.outputs();
        let of_row = (self.engine.cells() * outputs).max(1);
        let rows = errors.chunks_mut((self.players.len() * outputs).max(1));
        for (found, errors) in found.chunks(of_row).zip(rows) {
            let mut squares = vec![0.0; errors.len()];
            for (found, &player) in found.chunks(outputs).zip(&self.players.of) {
                let squares = &mut squares[player as usize * outputs..];
                for (square, error) in squares.iter_mut().zip(found) {
                    *square += error * error;
                }
            }
            for (error, square) in errors.iter_mut().zip(squares) {
                *error = square.sqrt() as f32;
            }
        }
    }

    fn network(&self) -> &Network {
        match &*self.model {
            Model::Network(network) => network,
            _ => unreachable!("invariant: DeepShap::new took the model apart"),
        }
    }

    fn outputs(&self) -> usize {
        self.header.output_names.len()
    }

    /// The cells of the rows of a batch, one row after the other, checked.
    fn cells(&self, rows: &Rows<'_>) -> Result<Vec<Vec<f64>>> {
        let network = self.network();
        let read = |row: usize| {
            let mut cells = vec![0.0; network.features.len()];
            rows.batch.fill(row..row + 1, &mut cells)?;
            check_row(network, &cells, |feature| {
                let title = rows.batch.title(feature);
                format!("row {}, {title}", rows.before + row + 1)
            })?;
            Ok(cells)
        };
        (0..rows.batch.rows()).map(read).collect()
    }
}

impl Method for DeepShap {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        &self.network().features
    }

    fn seconds(&self) -> f64 {
        let lanes = (self.others * self.outputs()) as f64;
        self.graph.operations() * lanes / 1e10
    }

    fn least_rows(&self) -> usize {
        self.engine.least_rows()
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.estimates(rows, out, &mut [], &mut []).map(drop)
    }

    fn has_errors(&self) -> bool {
        self.estimator == Estimator::ExpectedGradients
    }

    fn has_deltas(&self) -> bool {
        true
    }

    fn estimates(
        &self,
        rows: &Rows<'_>,
        out: &mut [f32],
        errors: &mut [f32],
        deltas: &mut [f32],
    ) -> Result<Found> {
        let cells = self.cells(rows)?;
        let cells: Vec<&[f64]> = cells.iter().map(Vec::as_slice).collect();
        let outputs = self.outputs();
        let width = self.players.len() * outputs;
        let Contributions {
            sums,
            answers,
            errors: found,
        } = self.engine.explain(&cells)?;
        let of_row = (self.engine.cells() * outputs).max(1);
        self.errors(&found, errors);
        let sums = sums.chunks(of_row);
        let mut out = out.chunks_mut(width.max(1));
        let mut deltas = deltas.chunks_mut(outputs);
        for ((sums, answers), out) in sums.zip(answers.chunks(outputs)).zip(&mut out) {
            let mut totals = self.header.base_values.clone();
            let mut values = vec![0.0; width];
            for (sums, &player) in sums.chunks(outputs).zip(&self.players.of) {
                let values = &mut values[player as usize * outputs..][..outputs];
                for ((sum, value), total) in sums.iter().zip(values).zip(&mut totals) {
                    *value += sum;
                    *total += sum;
                }
            }
            for (out, value) in out.iter_mut().zip(values) {
                *out = value as f32;
            }
            if let Some(deltas) = deltas.next() {
                for ((delta, total), answer) in deltas.iter_mut().zip(totals).zip(answers) {
                    *delta = (total - answer) as f32;
                }
            }
        }
        Ok(Found::default())
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let width = self.network().features.len();
        let rows: Vec<&[f64]> = cells.chunks(width).take(rows).collect();
        self.engine.answers(&rows)
    }

    fn account(&self, _: Amount) -> Result<Account> {
        Ok(self.account.clone())
    }
}

/// How many steps follow each rule.
fn counts(network: &Network) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (_, _, rule) in rules(network) {
        match counts.iter_mut().find(|(name, _)| name == rule.name()) {
            Some((_, count)) => *count += 1,
            None => counts.push((rule.name().to_owned(), 1)),
        }
    }
    counts
}

/// One feature for each cell of a layer.
fn layer_features(network: &Network, layer: usize, name: &str) -> Vec<Feature> {
    let shape = &network.tensors[layer].shape;
    let shape = shape.strip_prefix(&[1]).unwrap_or(shape);
    (0..shape.iter().product())
        .map(|cell: usize| {
            let mut rest = cell;
            let mut places: Vec<String> = Vec::with_capacity(shape.len());
            for &size in shape.iter().rev() {
                places.push((rest % size).to_string());
                rest /= size;
            }
            places.reverse();
            Feature {
                name: Some(format!("{name}[{}]", places.join(","))),
                ..Feature::default()
            }
        })
        .collect()
}
