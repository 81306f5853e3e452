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
mod by_player;
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
mod lines;
mod rule;
mod tiles;
mod way;

use std::fmt::Debug;
use std::sync::Arc;

use self::by_player::ByPlayer;
use self::check::{check, check_row, refused, unknown};
use self::chosen::{Chosen, choose, gradients, lines, of_networks};
use self::graph::Graph;
pub use self::rule::{Rule, rules};
use super::amount::Amount;
use super::background::Background;
use super::method::{Account, Extra, Found, Method, Rows};
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
    /// What computes rows that pass the tolerance.
    fallback: Option<Box<dyn Engine>>,
    /// Background rows.
    others: usize,
    players: Players,
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
        } = match lines(options, options.estimator)? {
            None => choose(options, &graph, &rows, &others.weights)?,
            Some(lines) => gradients(options, network, layer, lines, &rows, &others.weights)?,
        };
        let fallback = match options.fallback.map(|by| lines(options, by)) {
            Some(lines) => {
                let made =
                    |lines| gradients(options, network, layer, lines, &rows, &others.weights);
                lines?.map(made).transpose()?
            }
            None => None,
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
            notes: match &fallback {
                Some(fallback) if fallback.notes != notes => {
                    [notes, fallback.notes.clone()].concat()
                }
                _ => notes,
            },
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
            lime: None,
            tolerance: options.tolerance,
            fallback: options
                .fallback
                .map_or_else(String::new, |by| by.name().to_owned()),
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
            fallback: fallback.map(|chosen| chosen.engine),
            players,
            header,
            account,
        })
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
        self.estimates(rows, out, Extra::default()).map(drop)
    }

    fn has_errors(&self) -> bool {
        [self.header.estimator.as_str(), &self.header.fallback]
            .contains(&Estimator::ExpectedGradients.name())
    }

    fn has_deltas(&self) -> bool {
        true
    }

    fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], extra: Extra<'_>) -> Result<Found> {
        let cells = self.cells(rows)?;
        let cells: Vec<&[f64]> = cells.iter().map(Vec::as_slice).collect();
        let base_values = &self.header.base_values;
        let by_player = |engine: &dyn Engine, rows: &[&[f64]]| {
            ByPlayer::of(engine, rows, &self.players, base_values)
        };
        let width = self.players.len() * base_values.len();
        let mut found = by_player(&*self.engine, &cells)?;
        let past = |deltas: &[f32]| -> Vec<usize> {
            let rows = deltas.chunks(base_values.len()).enumerate();
            rows.filter(|(_, deltas)| self.header.is_past_tolerance(*deltas))
                .map(|(row, _)| row)
                .collect()
        };
        let mut missed = past(&found.deltas);
        let mut recomputed = Vec::new();
        if let Some(fallback) = self.fallback.as_deref().filter(|_| !missed.is_empty()) {
            let wanted: Vec<&[f64]> = missed.iter().map(|&row| cells[row]).collect();
            let again = by_player(fallback, &wanted)?;
            if !again.errors.is_empty() {
                found.errors.resize(found.values.len(), 0.0);
            }
            replace(&mut found.values, &again.values, &missed, width);
            replace(&mut found.errors, &again.errors, &missed, width);
            replace(&mut found.deltas, &again.deltas, &missed, base_values.len());
            recomputed = missed;
            missed = past(&found.deltas);
        }
        fill(out, &found.values);
        fill(extra.errors, &found.errors);
        fill(extra.deltas, &found.deltas);
        for &row in &recomputed {
            if let Some(mark) = extra.recomputed.get_mut(row) {
                *mark = true;
            }
        }
        Ok(Found {
            incomplete_rows: missed.len() as u64,
            recomputed_rows: recomputed.len() as u64,
            ..Found::default()
        })
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

/// Writes rows of numbers over those of some rows.
fn replace(all: &mut [f32], some: &[f32], rows: &[usize], width: usize) {
    for (&row, some) in rows.iter().zip(some.chunks(width.max(1))) {
        all[row * width..][..width].copy_from_slice(some);
    }
}

/// Copies as much as there are, and is room for.
fn fill(room: &mut [f32], found: &[f32]) {
    for (room, found) in room.iter_mut().zip(found) {
        *room = *found;
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
