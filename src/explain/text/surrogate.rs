//! Texts by the surrogate of a model, [`crate::surrogate`].

use ndarray::Array2;
use rayon::prelude::*;

use super::ask::{Plan, ask};
use super::{
    Composer, DOCUMENTS, Solved, TextExplanation, TextMethod, TextOptions, TextValues, tuned,
};
use crate::error::{Error, Result};
use crate::random::{SplitMix64, mix};
use crate::surrogate::{Reading, Surrogate};
use crate::text::{Document, Teacher, fnv};

/// How a surrogate explains.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogatePlan {
    /// Points of the way from words without meaning to those of the document, at least 1: see
    /// [`crate::han::Han::gradients`]. 8 by default.
    pub points: usize,
    /// Texts of a document that the model is asked for, to correct the surrogate's values by; 0 takes them as they are.
    pub samples: usize,
}

impl Default for SurrogatePlan {
    fn default() -> Self {
        Self {
            points: 8,
            samples: 0,
        }
    }
}

/// Most texts of a document.
const MOST_SAMPLES: usize = 2000;

/// Explains documents by a surrogate, and by the model's answers to parts of them where `plan` asks for some.
///
/// Values are those of words ([`TextMethod::Han`]); base value and values add up to the surrogate's answer, or, corrected,
/// about to the model's. `go_on` is told how many documents are done, and ends the work if it says no.
///
/// # Errors
/// What the model says; [`Error::Parameter`] for no documents, points or samples that cannot be had, or samples without a
/// model; [`Error::Shape`] if the model has other outputs than the surrogate.
pub fn explain_texts_by(
    surrogate: &Surrogate,
    teacher: Option<&Teacher>,
    documents: Vec<Document>,
    plan: &SurrogatePlan,
    options: &TextOptions,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<TextExplanation>> {
    options.check()?;
    let refused = |name, got: String, allowed: &str| Error::Parameter {
        name,
        got,
        allowed: allowed.to_owned(),
    };
    if documents.is_empty() {
        return Err(refused("documents", "none".to_owned(), "at least one text"));
    }
    let samples = plan.samples;
    if samples != 0 && !(4..=MOST_SAMPLES).contains(&samples) {
        let allowed = "0, or from 4 to 2000 texts of a document";
        return Err(refused("samples", samples.to_string(), allowed));
    }
    let asked = match teacher {
        Some(teacher) if teacher.outputs().len() != surrogate.output_names().len() => {
            return Err(Error::Shape {
                what: "the outputs of the model".to_owned(),
                expected: format!("{}, as the surrogate has", surrogate.output_names().len()),
                got: teacher.outputs().len().to_string(),
            });
        }
        None if samples > 0 => {
            let allowed = "0 without a model, whose answers correct the surrogate";
            return Err(refused("samples", samples.to_string(), allowed));
        }
        teacher => teacher.filter(|_| samples > 0),
    };
    let begun = std::time::Instant::now();
    let before = asked.map_or((0, 0), Teacher::asked);
    let mut explained = Vec::with_capacity(documents.len());
    let mut documents = documents.into_iter().peekable();
    while documents.peek().is_some() {
        let some: Vec<Document> = documents.by_ref().take(DOCUMENTS).collect();
        let readings = surrogate.read(&some, plan.points)?;
        let solved = match asked {
            Some(teacher) => corrected(teacher, &some, &readings, samples, options)?,
            None => readings.iter().map(plain).collect(),
        };
        let texts = if asked.is_some() { samples as u64 } else { 0 };
        for ((document, solved), reading) in some.into_iter().zip(solved).zip(readings) {
            let mut values = TextValues::new(document, solved, TextMethod::Han, texts);
            values.surrogate_answers = Some(reading.answers);
            values.attention = Some(reading.attention);
            explained.push(values);
        }
        if !go_on(explained.len() as u64) {
            return Ok(None);
        }
    }
    let after = asked.map_or((0, 0), Teacher::asked);
    Ok(Some(TextExplanation {
        output_names: surrogate.output_names().to_vec(),
        model: teacher.map_or_else(|| "surrogate".to_owned(), Teacher::title),
        documents: explained,
        calls: after.0 - before.0,
        texts: after.1 - before.1,
        seconds: begun.elapsed().as_secs_f64(),
        seed: options.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// What the surrogate says, as it says it.
fn plain(reading: &Reading) -> Solved {
    let words = reading.values.nrows() as u32;
    Solved {
        players: (0..words).map(|word| vec![word]).collect(),
        values: reading.values.iter().map(|&value| value.into()).collect(),
        errors: None,
        base_values: reading.base_values.clone(),
        answers: reading.answers.clone(),
        fit: None,
        exact: false,
        more: 0,
    }
}

/// The surrogate's values of documents, corrected. Distinct words play; their shifts are shared evenly by their places.
fn corrected(
    teacher: &Teacher,
    documents: &[Document],
    readings: &[Reading],
    samples: usize,
    options: &TextOptions,
) -> Result<Vec<Solved>> {
    let composers: Vec<Composer<'_>> = (documents.iter())
        .map(|document| Composer::new(document, options.mask.as_deref()))
        .collect();
    let plans: Vec<Plan<'_>> = (composers.par_iter().zip(documents))
        .map(|(composer, document)| {
            let players = document.distinct();
            let mut random = SplitMix64::new(mix(options.seed ^ mix(fnv(document.text()))));
            let masks = tuned::masks(players.len(), samples, &mut random);
            Plan::new(composer, players, masks)
        })
        .collect();
    let asked = ask(teacher, &plans.iter().collect::<Vec<_>>(), options.batch)?;
    let each = plans.par_iter().zip(&asked).zip(readings);
    Ok(each
        .map(|((plan, answers), reading)| {
            let outputs = answers.ncols();
            let players = &plan.players;
            let mut of_players = Array2::zeros((players.len(), outputs));
            for (words, mut to) in players.iter().zip(of_players.rows_mut()) {
                for &word in words {
                    let from = reading.values.row(word as usize);
                    to.iter_mut()
                        .zip(from)
                        .for_each(|(to, &from)| *to += f64::from(from));
                }
            }
            let tuned = tuned::tune(&plan.masks, &of_players, answers);
            let words = reading.values.nrows();
            let mut values = vec![0.0; words * outputs];
            for (player, words) in players.iter().enumerate() {
                for output in 0..outputs {
                    let (before, after) = (
                        of_players[[player, output]],
                        tuned.values[player * outputs + output],
                    );
                    let shift = (after - tuned.factors[output] * before) / words.len() as f64;
                    for &word in words {
                        let own = f64::from(reading.values[[word as usize, output]]);
                        values[word as usize * outputs + output] =
                            tuned.factors[output] * own + shift;
                    }
                }
            }
            Solved {
                players: (0..words as u32).map(|word| vec![word]).collect(),
                values,
                errors: None,
                base_values: tuned.base_values,
                answers: answers.row(0).to_vec(),
                fit: Some(tuned.fit),
                exact: false,
                more: 0,
            }
        })
        .collect())
}
