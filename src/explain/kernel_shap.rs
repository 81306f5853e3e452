//! Kernel SHAP: Shapley values of a model of which all that is known is what it answers.
//!
//! A coalition of players is worth the link of the mean answer of the model over the background, with the
//! coalition's cells taken from the explained row (Lundberg & Lee 2017, "A unified approach to interpreting
//! model predictions"). Players that are the same in the row and in all of the background play no part. The
//! values of the others come from all coalitions where these are no more than would be sampled, and else
//! from some, with a standard error each ([`super::coalitions`]): no value is set to 0 because others are
//! larger.
//!
//! The model is asked for whole batches of synthetic rows, which run through coalitions and explained rows
//! alike, and while it answers the next batch is made.

mod asked;
mod check;
mod games;
mod link;
pub(super) mod native;
mod rounds;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use self::asked::Asking;
use self::check::check;
use self::games::Game;
pub use self::link::Link;
use self::native::Native;
use self::source::Source;
use super::amount::Amount;
use super::background::Background;
use super::coalitions::Design;
use super::method::{
    Account, Extra, Found, Method, Rows, beyond_range, unknown_category, unusable,
};
use super::others::Others;
use super::players::Players;
use super::{Estimator, Index, Options, ValueFunction};
use crate::device::Device;
use crate::error::{MEMORY, Result};
use crate::explanation::Header;
use crate::model::{Feature, Model};

/// Bytes of the synthetic rows of a call, and of the worths of the coalitions under way, when no memory
/// limit is given.
const BATCH_BYTES: u64 = 32 << 20;

/// Players of an exact game at most.
const MOST_EXACT: usize = 16;

/// A model made ready for its background.
#[derive(Debug)]
pub(super) struct KernelShap {
    model: Arc<Model>,
    source: Box<dyn Source>,
    /// Whether values come from no coalitions.
    has_closed_form: bool,
    others: Arc<Others>,
    players: Players,
    link: Link,
    estimator: Estimator,
    index: Index,
    seed: u64,
    pairs: Option<u32>,
    tolerance: Option<f64>,
    /// By the number of players, of each round.
    designs: Mutex<HashMap<usize, Vec<Arc<Design>>>>,
    memory: u64,
    /// What a row costs, in seconds, roughly.
    seconds: f64,
    header: Header,
    account: Account,
}

impl KernelShap {
    /// # Errors
    /// See [`super::Explainer::new`].
    pub(super) fn new(
        model: &Arc<Model>,
        background: Option<&Background<'_>>,
        options: &Options,
    ) -> Result<Self> {
        check(options, matches!(**model, Model::BlackBox(_)))?;
        Design::check(options.samples)?;
        let (memory, link) = (options.memory_limit.unwrap_or(BATCH_BYTES), options.link);
        if let Model::BlackBox(black_box) = &**model {
            black_box.check()?;
        }
        let features = model.features();
        let others = Arc::new(Others::read(features, background)?);
        let players = Players::new(features, &options.groups)?;
        let source: Box<dyn Source>;
        let (output_names, engines, device, device_reason);
        if let Model::BlackBox(black_box) = &**model {
            source = Box::new(Asking::new(black_box, &others, options));
            output_names = black_box.outputs.clone();
            engines = Vec::new();
            device = Device::cpu();
            device_reason = "the model is asked where it is".to_owned();
        } else {
            others.check(model)?;
            let native = Native::new(model, options, &others, memory)?;
            output_names = native.output_names();
            engines = vec![(native.engine().to_owned(), 1)];
            (device, device_reason) = native.device().clone();
            source = Box::new(native);
        }
        let has_closed_form = source.has_closed_form() && options.has_closed_form();
        let begun = Instant::now();
        let mut base_values = source.base()?;
        link.of_all(&mut base_values)?;
        let answer = begun.elapsed().as_secs_f64();
        let pairs = options.samples;
        let seconds = source.seconds().unwrap_or(answer);
        let coalitions = 2.0 * f64::from(pairs.unwrap_or(1024 + players.len() as u32));
        Ok(Self {
            header: Header {
                method: "kernel_shap".to_owned(),
                value_function: ValueFunction::Interventional.name().to_owned(),
                output: options.output.name().to_owned(),
                estimator: if has_closed_form {
                    Estimator::Exact
                } else {
                    options.estimator
                }
                .name()
                .to_owned(),
                exact: has_closed_form
                    || options.interactions
                    || options.estimator == Estimator::Exact,
                base_values,
                interactions: options.interactions,
                rules: Vec::new(),
                lime: None,
                tolerance: None,
                fallback: String::new(),
                index: options.index.name().to_owned(),
                feature_names: players.names.clone(),
                columns: players.columns.clone(),
                groups: players.groups.clone(),
                output_names,
                model_format: match &**model {
                    Model::BlackBox(black_box) => black_box.title(),
                    _ => model.format().to_owned(),
                },
                objective: match link {
                    Link::Identity => String::new(),
                    Link::Logit => link.name().to_owned(),
                },
                cover: others.cover.clone(),
                device: device.name(),
                device_reason: device_reason.clone(),
                seed: options.seed,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            model: Arc::clone(model),
            source,
            has_closed_form,
            others,
            players,
            link,
            estimator: options.estimator,
            index: options.index,
            seed: options.seed,
            pairs,
            tolerance: options.tolerance,
            designs: Mutex::default(),
            memory,
            seconds: seconds * coalitions,
            account: Account {
                engines,
                notes: notes(&options.device, &device, &device_reason),
            },
        })
    }

    fn outputs(&self) -> usize {
        self.header.output_names.len()
    }

    /// The players that vary between a row and the background, and the features of each of them.
    fn varying(&self, cells: &[f64]) -> (Vec<usize>, Vec<Vec<usize>>) {
        let mut columns: Vec<Vec<usize>> = vec![Vec::new(); self.players.len()];
        for (column, &player) in self.players.of.iter().enumerate() {
            columns[player as usize].push(column);
        }
        let is_same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        let varies = |columns: &Vec<usize>| {
            let mut others = self.others.cells.chunks(cells.len().max(1));
            others.any(|other| {
                columns
                    .iter()
                    .any(|&column| !is_same(cells[column], other[column]))
            })
        };
        let of: Vec<usize> = (0..columns.len())
            .filter(|&player| varies(&columns[player]))
            .collect();
        let players = of
            .iter()
            .map(|&player| std::mem::take(&mut columns[player]))
            .collect();
        (of, players)
    }

    /// The game of a row whose cells are given; `number` is its place in the table, for messages.
    fn game(&self, cells: Vec<f64>, number: usize) -> Result<(Game, Vec<usize>)> {
        let (of, players) = self.varying(&cells);
        let coalitions = self.coalitions(of.len(), number)?;
        let game = Game {
            cells,
            players,
            coalitions,
        };
        Ok((game, of))
    }

    /// The cells of the rows of a batch, one row after the other.
    fn cells(&self, rows: &Rows<'_>) -> Result<Vec<Vec<f64>>> {
        let read = |row: usize| {
            let mut cells = vec![0.0; self.model.features().len()];
            rows.batch.fill(row..row + 1, &mut cells)?;
            let is_bad = |cell: &f64| !self.source.takes_missing() && !cell.is_finite();
            let at = |feature: usize| {
                let title = rows.batch.title(feature);
                format!("row {}, {title}", rows.before + row + 1)
            };
            if let Some(feature) = cells.iter().position(is_bad) {
                return Err(unusable(MEMORY, at(feature), cells[feature]));
            }
            match self.model.unknown_category(&cells) {
                Some(feature) => Err(unknown_category(MEMORY, at(feature))),
                None => Ok(cells),
            }
        };
        (0..rows.batch.rows()).map(read).collect()
    }

    /// Values without coalitions.
    fn closed_form(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<Found> {
        let outputs = self.outputs();
        let width = self.players.len() * outputs;
        let mut games = Vec::new();
        let mut players = Vec::new();
        for cells in self.cells(rows)? {
            let (of, varying) = self.varying(&cells);
            games.push(Game::of(cells, varying));
            players.push(of);
        }
        let mut found = Found::default();
        let values = self.source.closed_form(&games, &mut found.asked)?;
        for ((out, of), values) in out.chunks_mut(width.max(1)).zip(players).zip(&values) {
            for (player, values) in of.into_iter().zip(values.chunks(outputs)) {
                for (out, value) in out[player * outputs..].iter_mut().zip(values) {
                    *out = *value as f32;
                }
            }
        }
        Ok(found)
    }
}

impl Method for KernelShap {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        self.model.features()
    }

    fn seconds(&self) -> f64 {
        self.seconds
    }

    fn least_rows(&self) -> usize {
        self.source.least_rows()
    }

    fn is_serial(&self) -> bool {
        true
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.estimates(rows, out, Extra::default()).map(drop)
    }

    fn has_errors(&self) -> bool {
        !self.header.exact
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], extra: Extra<'_>) -> Result<Found> {
        let errors = extra.errors;
        let begun = Instant::now();
        out.fill(0.0);
        errors.fill(0.0);
        let mut found = if self.has_closed_form {
            self.closed_form(rows, out)?
        } else {
            self.of_rows(rows, self.cells(rows)?, out, errors)?
        };
        found.asked.all = begun.elapsed();
        let mut numbers = out.iter().chain(&*errors);
        match numbers.position(|number| !number.is_finite()) {
            None => Ok(found),
            Some(at) => {
                let row = at % out.len() / (self.header.cells() * self.outputs());
                let at = format!("row {}", rows.before + row + 1);
                Err(beyond_range(at, "a value leaves the range of float32"))
            }
        }
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let mut margins = self.source.answer(rows, cells)?;
        self.link.of_all(&mut margins)?;
        Ok(margins)
    }

    fn account(&self, _: Amount) -> Result<Account> {
        Ok(self.account.clone())
    }
}

impl Options {
    /// Whether values are asked for that may come from no coalitions.
    fn has_closed_form(&self) -> bool {
        self.link == Link::Identity
            && self.index == Index::Shapley
            && matches!(self.estimator, Estimator::Auto | Estimator::Exact)
            && !self.interactions
    }
}

/// What a result says of a device that has no part in it.
fn notes(wanted: &Device, taken: &Device, reason: &str) -> Vec<String> {
    let is_used = matches!(wanted, Device::Cpu { .. }) || !matches!(taken, Device::Cpu { .. });
    let note = || format!("{} was not used: {reason}", wanted.name());
    (!is_used).then(note).into_iter().collect()
}
