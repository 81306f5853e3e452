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
mod native;
mod others;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use self::asked::Asking;
use self::check::check;
use self::games::{Coalitions, Game};
pub use self::link::Link;
use self::native::Native;
use self::others::Others;
use self::source::Source;
use super::amount::Amount;
use super::background::Background;
use super::coalitions::{Design, Exact};
use super::method::{Account, Asked, Found, Method, Rows, unusable};
use super::players::Players;
use super::{Estimator, Index, Options, ValueFunction};
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
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
    designs: Mutex<HashMap<usize, Arc<Design>>>,
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
        let (output_names, engines, device_reason);
        if let Model::BlackBox(black_box) = &**model {
            source = Box::new(Asking::new(black_box, &others, options.memory_limit));
            output_names = black_box.outputs.clone();
            engines = Vec::new();
            device_reason = "the model is asked where it is";
        } else {
            others.check(features)?;
            let native = Native::new(model, options.output, &others, memory)?;
            output_names = native.output_names();
            engines = vec![(native.engine().to_owned(), 1)];
            device_reason = "the model's kernels are those of the CPU";
            source = Box::new(native);
        }
        let has_closed_form = source.has_closed_form()
            && link == Link::Identity
            && options.index == Index::Shapley
            && options.estimator != Estimator::Sampled;
        let begun = Instant::now();
        let mut base_values = source.base()?;
        link.of_all(&mut base_values)?;
        let answer = begun.elapsed().as_secs_f64();
        let pairs = options.samples;
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
                exact: has_closed_form || options.estimator == Estimator::Exact,
                base_values,
                interactions: false,
                index: options.index.name().to_owned(),
                feature_names: players.names.clone(),
                columns: players.columns.clone(),
                groups: players.groups.clone(),
                output_names,
                model_format: model.format().to_owned(),
                objective: match link {
                    Link::Identity => String::new(),
                    Link::Logit => link.name().to_owned(),
                },
                cover: others.cover.clone(),
                device: Device::cpu().name(),
                device_reason: device_reason.to_owned(),
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
            designs: Mutex::default(),
            memory,
            seconds: answer * coalitions,
            account: Account {
                engines,
                notes: notes(&options.device, device_reason),
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
            match cells.iter().position(is_bad) {
                None => Ok(cells),
                Some(feature) => {
                    let title = rows.batch.title(feature);
                    let at = format!("row {}, {title}", rows.before + row + 1);
                    Err(unusable(MEMORY, at, cells[feature]))
                }
            }
        };
        (0..rows.batch.rows()).map(read).collect()
    }

    /// Values without coalitions.
    fn closed_form(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<Found> {
        let outputs = self.outputs();
        let width = self.players.len() * outputs;
        let cells = self.cells(rows)?;
        let rows = out.par_chunks_mut(width.max(1)).zip(&cells);
        rows.for_each(|(out, cells)| {
            let (of, players) = self.varying(cells);
            let values = self.source.closed_form(cells, &players);
            for (player, values) in of.into_iter().zip(values.chunks(outputs)) {
                for (out, value) in out[player * outputs..].iter_mut().zip(values) {
                    *out = *value as f32;
                }
            }
        });
        Ok(Found::default())
    }

    /// The coalitions to evaluate for so many players that vary.
    fn coalitions(&self, players: usize, number: usize) -> Result<Coalitions> {
        let refused = |what: String, by: String| Error::Unsupported {
            what: format!("row {} of the table, where {what}", number + 1),
            by,
            instead: "group features, or take the estimator auto or sampled".to_owned(),
        };
        let can = players <= MOST_EXACT;
        if self.estimator == Estimator::Exact && !can {
            return Err(refused(
                format!("{players} players vary between it and the background"),
                format!("exact values of up to {MOST_EXACT} players"),
            ));
        }
        // One player alone has all that there is.
        if self.estimator == Estimator::Exact || players < 2 {
            return Ok(Coalitions::All(players));
        }
        let mut designs = self.designs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = designs.entry(players);
        let design = match known {
            std::collections::hash_map::Entry::Occupied(known) => Arc::clone(known.get()),
            std::collections::hash_map::Entry::Vacant(new) => {
                let design = Design::new(players, self.pairs, self.seed).ok_or_else(|| {
                    refused(
                        format!("{players} players vary between it and the background"),
                        "an estimate from sampled coalitions".to_owned(),
                    )
                })?;
                Arc::clone(new.insert(Arc::new(design)))
            }
        };
        // A design of all coalitions is the game itself.
        let is_whole = can && design.coalitions() >= 1 << players;
        if is_whole && self.estimator == Estimator::Auto {
            return Ok(Coalitions::All(players));
        }
        Ok(Coalitions::Some(design))
    }

    /// What the coalitions of games are worth: of each game, (output, coalition).
    fn worths(&self, games: &[Game], asked: &mut Asked) -> Result<Vec<Vec<f64>>> {
        let mut worths = self.source.means(games, asked)?;
        for (game, worths) in games.iter().zip(&mut worths) {
            let count = game.coalitions.count();
            let [_, none] = game.coalitions.ends();
            for (worths, base) in worths.chunks_mut(count).zip(&self.header.base_values) {
                for (coalition, worth) in worths.iter_mut().enumerate() {
                    if coalition == none {
                        *worth = *base;
                    } else {
                        self.link.of_all(std::slice::from_mut(worth))?;
                    }
                }
            }
        }
        Ok(worths)
    }

    /// The values of the players of a game (place, output) and their standard errors.
    fn solve(&self, game: &Game, worths: &mut [f64]) -> (Vec<f64>, Vec<f64>) {
        let (players, outputs) = (game.players.len(), self.outputs());
        match &game.coalitions {
            Coalitions::All(_) => {
                let mut exact = Exact::new(players, outputs, self.index);
                exact.add(0, players, worths);
                (exact.values(), vec![0.0; players * outputs])
            }
            Coalitions::Some(design) => {
                let mut solved = (vec![0.0; players * outputs], vec![0.0; players * outputs]);
                for (output, worths) in worths.chunks(design.coalitions()).enumerate() {
                    let (values, errors) = design.values(worths);
                    for player in 0..players {
                        solved.0[player * outputs + output] = values[player];
                        solved.1[player * outputs + output] = errors[player];
                    }
                }
                solved
            }
        }
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
        1
    }

    fn is_serial(&self) -> bool {
        true
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.estimates(rows, out, &mut []).map(drop)
    }

    fn has_errors(&self) -> bool {
        !self.header.exact
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], errors: &mut [f32]) -> Result<Found> {
        let begun = Instant::now();
        out.fill(0.0);
        errors.fill(0.0);
        if self.has_closed_form {
            return self.closed_form(rows, out);
        }
        let (features, outputs) = (self.model.features().len(), self.outputs());
        let width = self.players.len() * outputs;
        let mut found = Found::default();
        let mut cells = self.cells(rows)?.into_iter();
        let mut row = 0;
        while row < rows.batch.rows() {
            // As many games at a time as their worths have room for.
            let (mut games, mut players, mut bytes) = (Vec::new(), Vec::new(), 0);
            let first = row;
            while row < rows.batch.rows() && (row == first || bytes < self.memory) {
                let cells = cells.next().unwrap_or_default();
                let (game, of) = self.game(cells, rows.before + row)?;
                bytes += 8 * (outputs * game.coalitions.count() + features) as u64;
                games.push(game);
                players.push(of);
                row += 1;
            }
            let worths = self.worths(&games, &mut found.asked)?;
            for (i, ((game, of), mut worths)) in games.iter().zip(players).zip(worths).enumerate() {
                let (values, deviations) = self.solve(game, &mut worths);
                let is_exact = matches!(game.coalitions, Coalitions::All(_));
                found.exact_rows += u64::from(is_exact);
                found.estimated_rows += u64::from(!is_exact);
                for (place, player) in of.into_iter().enumerate() {
                    for output in 0..outputs {
                        let from = place * outputs + output;
                        let to = (first + i) * width + player * outputs + output;
                        out[to] = values[from] as f32;
                        if let Some(error) = errors.get_mut(to) {
                            *error = deviations[from] as f32;
                        }
                        found.standard_error = found.standard_error.max(deviations[from]);
                    }
                }
            }
        }
        found.asked.all = begun.elapsed();
        Ok(found)
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

/// What a result says of a device that has no part in it.
fn notes(device: &Device, reason: &str) -> Vec<String> {
    match device {
        Device::Cpu { .. } => Vec::new(),
        #[cfg(feature = "gpu")]
        Device::Gpu { .. } => vec![format!("{} was not used: {reason}", device.name())],
    }
}
