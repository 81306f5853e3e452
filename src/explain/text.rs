//! Texts: what each word of a document adds to what a model answers.
//!
//! The players are words, distinct words or sentences. A coalition is worth the model's answer to the text with its
//! words alone: an absent word is taken out, or replaced by a mask ([`Composer`] says what becomes of the white space).
//! The coalitions of many documents go to the model in the same calls, and what a document's values are does not depend
//! on the others beside it, nor on its place among them.
//!
//! - Kernel SHAP ([`TextMethod::Kernel`]): Shapley values, from all coalitions where these are no more than would be
//!   sampled, else estimated with standard errors (as of black boxes).
//! - Hierarchical ([`TextMethod::Hierarchical`]): for long documents.
//! - LIME ([`TextMethod::Lime`]): the local linear model of Ribeiro, Singh & Guestrin 2016, as lime 0.2 defines it.
//! - Leave one out: what the answer loses without a player.
//! - Han: what a surrogate of the model says, trained on a corpus, and corrected by the model's answers to parts of the
//!   document ([`explain_texts_by`]).
//! - Random: numbers that know nothing of the model, for comparison.

mod ask;
mod compose;
mod hierarchical;
mod kernel;
mod lime;
mod options;
mod result;
mod surrogate;
mod tuned;

use std::time::Instant;

use rayon::prelude::*;

use self::ask::{Masks, Plan, ask};
pub use self::compose::Composer;
pub use self::options::{TextMethod, TextOptions, TextPlayers};
pub use self::result::{TextExplanation, TextValues};
pub use self::surrogate::{SurrogatePlan, explain_texts_by};
use crate::error::{Error, Result};
use crate::random::{SplitMix64, mix};
use crate::text::{Document, Teacher, fnv};

/// Documents whose coalitions are asked for side by side.
const DOCUMENTS: usize = 64;

/// Explains documents by what a model answers to parts of them.
///
/// `go_on` is told how many documents are done, and ends the work if it says no: then there is no result.
///
/// # Errors
/// What the model says; [`Error::Parameter`] for no documents, or for options that have no meaning.
pub fn explain_texts(
    teacher: &Teacher,
    documents: Vec<Document>,
    options: &TextOptions,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<TextExplanation>> {
    options.check()?;
    if options.method == TextMethod::Han {
        return Err(Error::Unsupported {
            what: "the method han without a surrogate".to_owned(),
            by: "explain_texts".to_owned(),
            instead: "train a surrogate on a corpus, and take explain_texts_by".to_owned(),
        });
    }
    if documents.is_empty() {
        return Err(Error::Parameter {
            name: "documents",
            got: "none".to_owned(),
            allowed: "at least one text".to_owned(),
        });
    }
    let begun = Instant::now();
    let (calls, texts) = teacher.asked();
    let mut explained = Vec::with_capacity(documents.len());
    let mut documents = documents.into_iter().peekable();
    while documents.peek().is_some() {
        let some: Vec<Document> = documents.by_ref().take(DOCUMENTS).collect();
        explained.extend(explain_some(teacher, some, options)?);
        if !go_on(explained.len() as u64) {
            return Ok(None);
        }
    }
    let asked = teacher.asked();
    Ok(Some(TextExplanation {
        output_names: teacher.outputs().to_vec(),
        model: teacher.title(),
        documents: explained,
        calls: asked.0 - calls,
        texts: asked.1 - texts,
        seconds: begun.elapsed().as_secs_f64(),
        seed: options.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

fn explain_some(
    teacher: &Teacher,
    documents: Vec<Document>,
    options: &TextOptions,
) -> Result<Vec<TextValues>> {
    let composers: Vec<Composer<'_>> = (documents.iter())
        .map(|document| Composer::new(document, options.mask.as_deref()))
        .collect();
    let designs = kernel::Designs::new(options.seed);
    let games: Vec<Game<'_>> = (composers.par_iter())
        .map(|composer| Game::new(composer, options, &designs))
        .collect::<Result<_>>()?;
    drop(designs);
    let plans: Vec<&Plan<'_>> = games.iter().map(|game| &game.plan).collect();
    let answers = ask(teacher, &plans, options.batch)?;
    let values: Vec<Solved> = if games.iter().any(|game| game.kind.is_hierarchical()) {
        hierarchical::solve(teacher, &games, &answers, options)?
    } else {
        let games = games.par_iter().zip(&answers);
        games
            .map(|(game, answers)| game.solve(answers, options))
            .collect()
    };
    let methods: Vec<(TextMethod, u64)> = (games.iter().zip(&values))
        .map(|(game, solved)| (game.method, game.plan.len() as u64 + solved.more))
        .collect();
    drop(games);
    drop(composers);
    let parts = documents.into_iter().zip(values).zip(methods);
    Ok(parts
        .map(|((document, solved), (method, texts))| {
            TextValues::new(document, solved, method, texts)
        })
        .collect())
}

/// A document's game: who plays, and which coalitions the model is asked for.
struct Game<'a> {
    method: TextMethod,
    plan: Plan<'a>,
    kind: Kind,
    seed: u64,
}

/// How values come of the answers.
enum Kind {
    Kernel(kernel::Coalitions),
    Passages(kernel::Coalitions),
    Lime,
    LeaveOneOut,
    Random,
}

impl Kind {
    fn is_hierarchical(&self) -> bool {
        matches!(self, Self::Passages(_))
    }
}

/// What the answers come to.
struct Solved {
    /// By player, its words.
    players: Vec<Vec<u32>>,
    /// (player, output).
    values: Vec<f64>,
    errors: Option<Vec<f64>>,
    /// By output.
    base_values: Vec<f64>,
    answers: Vec<f64>,
    fit: Option<Vec<f64>>,
    exact: bool,
    /// Texts that were asked for beside those of the plan.
    more: u64,
}

impl<'a> Game<'a> {
    fn new(
        composer: &'a Composer<'a>,
        options: &TextOptions,
        designs: &kernel::Designs,
    ) -> Result<Self> {
        let document = composer.document();
        let method = options.method_for(document);
        // The same numbers wherever the document is, and whatever is explained beside it.
        let seed = mix(options.seed ^ mix(fnv(document.text())));
        let players = options.players_for(method, document);
        let (plan, kind) = match method {
            TextMethod::Hierarchical => {
                let players = hierarchical::passages(document, options);
                let pairs = hierarchical::first_pairs(document, players.len(), options);
                let coalitions = designs.of(players.len(), Some(pairs))?;
                let masks = coalitions.masks();
                (
                    Plan::new(composer, players, masks),
                    Kind::Passages(coalitions),
                )
            }
            TextMethod::Lime => {
                let mut random = SplitMix64::new(seed);
                let masks = lime::masks(players.len(), options.samples_of_lime(), &mut random);
                (Plan::new(composer, players, masks), Kind::Lime)
            }
            TextMethod::LeaveOneOut => {
                let masks = leave_one_out(players.len());
                (Plan::new(composer, players, masks), Kind::LeaveOneOut)
            }
            TextMethod::Random => {
                let masks = ends(players.len());
                (Plan::new(composer, players, masks), Kind::Random)
            }
            TextMethod::Kernel | TextMethod::Auto | TextMethod::Han => {
                let coalitions = designs.of(players.len(), options.pairs())?;
                let masks = coalitions.masks();
                (
                    Plan::new(composer, players, masks),
                    Kind::Kernel(coalitions),
                )
            }
        };
        Ok(Self {
            method,
            plan,
            kind,
            seed,
        })
    }

    /// Solves what needs no more answers than (coalition, output).
    fn solve(&self, answers: &ndarray::Array2<f64>, options: &TextOptions) -> Solved {
        let players = &self.plan.players;
        let (count, outputs) = (players.len(), answers.ncols());
        let row = |row: usize| answers.row(row).to_vec();
        let (all, none) = match &self.kind {
            Kind::Kernel(coalitions) | Kind::Passages(coalitions) => coalitions.ends(),
            _ => (0, usize::from(count > 0)),
        };
        let mut solved = Solved {
            players: players.clone(),
            values: vec![0.0; count * outputs],
            errors: None,
            base_values: row(none),
            answers: row(all),
            fit: None,
            exact: false,
            more: 0,
        };
        match &self.kind {
            Kind::Kernel(coalitions) | Kind::Passages(coalitions) => {
                let (values, errors) = coalitions.values(answers);
                (solved.values, solved.errors) = (values, Some(errors));
                solved.exact = coalitions.is_exact();
            }
            Kind::Lime => {
                let fit = lime::fit(&self.plan.masks, count, answers, options);
                (solved.values, solved.base_values, solved.fit) =
                    (fit.values, fit.intercepts, Some(fit.scores));
            }
            Kind::LeaveOneOut => {
                for player in 0..count {
                    for output in 0..outputs {
                        let without = answers[[2 + player, output]];
                        solved.values[player * outputs + output] = answers[[0, output]] - without;
                    }
                }
            }
            Kind::Random => {
                let mut random = SplitMix64::new(self.seed);
                solved.values.fill_with(|| 2.0 * random.unit() - 1.0);
            }
        }
        solved
    }
}

/// All players, and none.
fn ends(players: usize) -> Masks {
    let mut masks = Masks::new(players);
    masks.push(|_| true);
    if players > 0 {
        masks.push(|_| false);
    }
    masks
}

/// All players, none, and all but each.
fn leave_one_out(players: usize) -> Masks {
    let mut masks = ends(players);
    for absent in 0..players {
        masks.push(|player| player != absent);
    }
    masks
}
