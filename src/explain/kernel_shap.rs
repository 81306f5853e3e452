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
mod others;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::asked::Asking;
use self::check::check;
use self::games::{Coalitions, Game};
pub use self::link::Link;
use self::others::Others;
use self::source::Source;
use super::amount::Amount;
use super::background::Background;
use super::coalitions::{Design, Exact};
use super::method::{Account, Asked, Found, Method, Rows};
use super::players::Players;
use super::{Estimator, Index, Options, Output, ValueFunction};
use crate::device::Device;
use crate::error::{Error, Result};
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
        check(options)?;
        Design::check(options.samples)?;
        let (memory, link) = (options.memory_limit.unwrap_or(BATCH_BYTES), options.link);
        let Model::BlackBox(black_box) = &**model else {
            return Err(check::refused("this model", "take its own method"));
        };
        black_box.check()?;
        let others = Arc::new(Others::read(&black_box.features, background)?);
        let players = Players::new(&black_box.features, &options.groups)?;
        let source = Asking::new(black_box, &others, memory);
        let output_names = black_box.outputs.clone();
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
                output: Output::Raw.name().to_owned(),
                estimator: options.estimator.name().to_owned(),
                exact: options.estimator == Estimator::Exact,
                base_values,
                interactions: false,
                index: options.index.name().to_owned(),
                feature_names: players.names.clone(),
                columns: players.columns.clone(),
                groups: players.groups.clone(),
                output_names,
                model_format: black_box.title(),
                objective: match link {
                    Link::Identity => String::new(),
                    Link::Logit => link.name().to_owned(),
                },
                cover: others.cover.clone(),
                device: Device::cpu().name(),
                device_reason: "the model is asked where it is".to_owned(),
                seed: options.seed,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            model: Arc::clone(model),
            source: Box::new(source),
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
                engines: Vec::new(),
                notes: notes(&options.device),
            },
        })
    }

    fn outputs(&self) -> usize {
        self.header.output_names.len()
    }

    /// The game of a row whose cells are given; `number` is its place in the table, for messages.
    fn game(&self, cells: Vec<f64>, number: usize) -> Result<(Game, Vec<usize>)> {
        let features = cells.len();
        let mut columns: Vec<Vec<usize>> = vec![Vec::new(); self.players.len()];
        for (column, &player) in self.players.of.iter().enumerate() {
            columns[player as usize].push(column);
        }
        let is_same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        let varies = |columns: &Vec<usize>| {
            let mut others = self.others.cells.chunks(features.max(1));
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
        let coalitions = self.coalitions(of.len(), number)?;
        let game = Game {
            cells,
            players,
            coalitions,
        };
        Ok((game, of))
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
        self.estimator != Estimator::Exact
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], errors: &mut [f32]) -> Result<Found> {
        let begun = Instant::now();
        out.fill(0.0);
        errors.fill(0.0);
        let (features, outputs) = (self.model.features().len(), self.outputs());
        let width = self.players.len() * outputs;
        let mut found = Found::default();
        let mut row = 0;
        while row < rows.batch.rows() {
            // As many games at a time as their worths have room for.
            let (mut games, mut players, mut bytes) = (Vec::new(), Vec::new(), 0);
            let first = row;
            while row < rows.batch.rows() && (row == first || bytes < self.memory) {
                let mut cells = vec![0.0; features];
                rows.batch.fill(row..row + 1, &mut cells)?;
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
fn notes(device: &Device) -> Vec<String> {
    match device {
        Device::Cpu { .. } => Vec::new(),
        #[cfg(feature = "gpu")]
        Device::Gpu { .. } => vec![format!(
            "{} was not used: the model is asked where it is",
            device.name()
        )],
    }
}
