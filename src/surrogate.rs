//! The surrogate of a model of text: a network of its own that learns what the model answers (Yang et al. 2016 have the
//! network, [`crate::han`]), and whose words then say why.
//!
//! A model that is asked for a corpus once is the teacher; the surrogate reads the same documents with their words in
//! order, and is trained on the answers as they are: probabilities, not labels. How well it learned is measured on
//! documents that it was not trained on ([`Fidelity`]), and stands beside every explanation.

mod answers;
mod fidelity;
mod files;
mod options;

use std::path::Path;

use ndarray::{Array2, Axis};

use self::answers::Space;
pub use self::fidelity::Fidelity;
pub use self::options::SurrogateOptions;
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
use crate::han::{Attention, Corpus, Encoded, Han, Progress, Quantity, Training};
use crate::random::SplitMix64;
use crate::text::{Coverage, Document, Vectors, Vocabulary, WordCounts};

/// A network that answers texts as a model does.
#[derive(Debug, Clone)]
pub struct Surrogate {
    vocabulary: Vocabulary,
    training: Training,
    space: Space,
    output_names: Vec<String>,
    fidelity: Fidelity,
    coverage: Option<Coverage>,
    epochs: Vec<(f64, Option<f64>)>,
    is_stopped: bool,
}

/// What the surrogate makes of a document.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What each word adds to each output, (word, output).
    pub values: Array2<f32>,
    /// By output, what the values begin at.
    pub base_values: Vec<f64>,
    /// By output, the surrogate's answer: base value and values add up to it.
    pub answers: Vec<f64>,
    /// The weights of words in their sentences, and of sentences.
    pub attention: Attention,
}

impl Surrogate {
    /// Trains a surrogate on documents and what a model answers to them, (document, output). After each batch, `go_on` is
    /// told how far it is, and ends the training if it says no: what was learned up to then stays.
    ///
    /// # Errors
    /// [`Error::Data`] for no documents, or answers that are all alike or not finite; [`Error::Shape`] if there is not an
    /// answer to each document; [`Error::Parameter`] for sizes that cannot be had.
    pub fn train(
        documents: &[Document],
        answers: &Array2<f64>,
        output_names: Vec<String>,
        vectors: Option<&Vectors>,
        options: &SurrogateOptions,
        go_on: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Self> {
        options.check()?;
        check(documents, answers, &output_names)?;
        let space = Space::of(answers);
        let counts = WordCounts::of(documents);
        let vocabulary = Vocabulary::new(&counts, &options.vocabulary)?;
        let han = network(&vocabulary, vectors, &space, options)?;
        let mut made = Self {
            vocabulary,
            training: Training::new(han),
            space,
            output_names,
            fidelity: Fidelity::default(),
            coverage: vectors.map(|vectors| vectors.coverage(&counts)),
            epochs: Vec::new(),
            is_stopped: false,
        };
        made.learn(documents, answers, options, go_on)?;
        Ok(made)
    }

    /// Goes on training with the documents and answers that it was trained on, on the device and up to as many epochs in all
    /// as the options say; the documents that are held out are the same. `go_on` is as in [`Surrogate::train`].
    ///
    /// # Errors
    /// As [`Surrogate::train`]; [`Error::Shape`] for answers of other outputs, or another number of documents while an epoch is
    /// under way.
    pub fn learn(
        &mut self,
        documents: &[Document],
        answers: &Array2<f64>,
        options: &SurrogateOptions,
        go_on: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<()> {
        options.check()?;
        check(documents, answers, &self.output_names)?;
        self.training.set_device(&options.device);
        let targets = self.space.targets(answers);
        let encoded: Vec<Encoded> = documents.iter().map(|d| self.encode(d)).collect();
        let seed = self.han().config().seed;
        let (learned, held) = split(documents.len(), options.held_out, seed);
        let part = |rows: &[usize]| -> (Vec<Encoded>, Array2<f32>) {
            let documents = rows.iter().map(|&row| encoded[row].clone()).collect();
            (documents, targets.select(Axis(0), rows))
        };
        let parts = [part(&learned), part(&held)];
        let [of_learned, of_held] = [&parts[0], &parts[1]].map(|(documents, targets)| Corpus {
            documents,
            targets: targets.view(),
            weights: None,
        });
        let until = options.until(learned.len(), !held.is_empty());
        let of_held = (!held.is_empty()).then_some(of_held);
        let outcome = self.training.train(of_learned, of_held, until, go_on)?;
        self.epochs.extend(outcome.epochs);
        self.is_stopped = outcome.is_stopped;
        // Of a corpus too small to hold some out, all that there is are the documents themselves.
        let rows = if held.is_empty() { &learned } else { &held };
        let [(of_learned, _), (of_held, _)] = &parts;
        let found = self.encoded_answers(if held.is_empty() { of_learned } else { of_held })?;
        let expected = answers.select(Axis(0), rows);
        let is_classes = self.space.is_classes();
        self.fidelity = Fidelity::of(&expected, &found, is_classes, !held.is_empty());
        Ok(())
    }

    /// What it answers to documents, in the units of the model, (document, output).
    ///
    /// # Errors
    /// As [`Han::answers`].
    pub fn answers(&self, documents: &[Document]) -> Result<Array2<f64>> {
        let encoded: Vec<Encoded> = documents.iter().map(|d| self.encode(d)).collect();
        self.encoded_answers(&encoded)
    }

    fn encoded_answers(&self, documents: &[Encoded]) -> Result<Array2<f64>> {
        Ok(self.space.answers(&self.han().answers(documents)?))
    }

    /// What it makes of documents: what each word adds to each output, by `points` points of the way from words without
    /// meaning to these ([`Han::gradients`]), and its attention.
    ///
    /// # Errors
    /// As [`Han::gradients`].
    pub fn read(&self, documents: &[Document], points: usize) -> Result<Vec<Reading>> {
        let encoded: Vec<Encoded> = documents.iter().map(|d| self.encode(d)).collect();
        let outputs: Vec<usize> = self.space.outputs().collect();
        let values = self
            .han()
            .gradients(&encoded, &outputs, points, Quantity::Probability)?;
        let attention = self.han().attention(&encoded)?;
        let answers = self.encoded_answers(&encoded)?;
        let readings = values.into_iter().zip(attention).zip(answers.outer_iter());
        Ok(readings
            .map(|((values, attention), answers)| {
                let values = self.space.values(values);
                let sums = values.map(|&value| f64::from(value)).sum_axis(Axis(0));
                Reading {
                    base_values: (&answers - &sums).to_vec(),
                    answers: answers.to_vec(),
                    values,
                    attention,
                }
            })
            .collect())
    }

    /// The names of the model's outputs.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// How well it answers as the model does.
    pub fn fidelity(&self) -> &Fidelity {
        &self.fidelity
    }

    /// How many words of the corpus have a vector of those that were given.
    pub fn coverage(&self) -> Option<Coverage> {
        self.coverage
    }

    /// The mean loss of each epoch, and of the documents that were held out.
    pub fn epochs(&self) -> &[(f64, Option<f64>)] {
        &self.epochs
    }

    /// The network.
    pub fn han(&self) -> &Han {
        self.training.han()
    }

    /// Where it was trained.
    pub fn device(&self) -> &Device {
        self.training.device()
    }

    /// Whether its training was ended before its last epoch.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// A document as the network reads it.
    fn encode(&self, document: &Document) -> Encoded {
        let (words, sentences) = self.vocabulary.encode(document);
        Encoded { words, sentences }
    }

    /// The words that have a number of their own.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// The root of the mean of the squares, not 0.
fn size(numbers: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = numbers.len().max(1) as f64;
    let squares: f64 = numbers.map(|number| f64::from(number).powi(2)).sum();
    (squares / count).sqrt().max(1e-12)
}

/// A network whose words have the vectors that are given, scaled to the size of random ones, and random ones where there
/// is none.
fn network(
    vocabulary: &Vocabulary,
    vectors: Option<&Vectors>,
    space: &Space,
    options: &SurrogateOptions,
) -> Result<Han> {
    let mut config = options.network.clone();
    (config.loss, config.outputs) = (space.loss(), space.network_outputs());
    if let Some(vectors) = vectors {
        config.embedding = vectors.dimensions();
    }
    let random = Han::new(config.clone(), vocabulary.len())?;
    let Some(vectors) = vectors else {
        return Ok(random);
    };
    let (mut table, known) = vectors.table(vocabulary);
    let random = random.weights().table();
    // Long vectors drive the states of the network to their ends, where it learns slowly.
    let scale = size(random.iter().copied()) / size(table.iter().copied());
    let share = known.iter().filter(|&&is_known| is_known).count() as f64 / known.len() as f64;
    let scale = (scale * share.sqrt()) as f32;
    let rows = table.outer_iter_mut().zip(known);
    for ((mut row, is_known), random) in rows.zip(random.chunks(config.embedding)) {
        for (to, &from) in row.iter_mut().zip(random) {
            *to = if is_known { *to * scale } else { from };
        }
    }
    Han::with_table(config, &table)
}

/// The documents to learn from, and those that are held out, in order.
fn split(documents: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = (share * documents as f64).round() as usize;
    // What is left has to be something to learn from.
    let count = if documents < MIN_SPLIT { 0 } else { count };
    let mut order: Vec<usize> = (0..documents).collect();
    let mut random = SplitMix64::new(seed ^ 0x5EED);
    for at in 0..count {
        let other = at + random.below(documents - at);
        order.swap(at, other);
    }
    let (mut held, mut learned) = (order[..count].to_vec(), order[count..].to_vec());
    held.sort_unstable();
    learned.sort_unstable();
    (learned, held)
}

/// Documents of a corpus of which some can be held out, at least.
const MIN_SPLIT: usize = 20;

fn check(documents: &[Document], answers: &Array2<f64>, names: &[String]) -> Result<()> {
    let wrong = |at: &str, reason: String| {
        Err(Error::Data {
            path: Path::new(MEMORY).into(),
            at: at.to_owned(),
            reason,
        })
    };
    if documents.is_empty() {
        return wrong(
            "the corpus",
            "no documents; expected some to learn from".to_owned(),
        );
    }
    if answers.nrows() != documents.len() || answers.ncols() != names.len() || names.is_empty() {
        return Err(Error::Shape {
            what: "the answers of the model".to_owned(),
            expected: format!("{} documents and {} outputs", documents.len(), names.len()),
            got: format!("{} and {}", answers.nrows(), answers.ncols()),
        });
    }
    if let Some(((row, output), answer)) = answers.indexed_iter().find(|(_, a)| !a.is_finite()) {
        let reason = format!("{answer}, which is no finite number");
        return wrong(
            &format!("the answer to document {row}, output {output}"),
            reason,
        );
    }
    let is_flat = |column: ndarray::ArrayView1<'_, f64>| {
        column
            .iter()
            .all(|&answer| (answer - column[0]).abs() < 1e-12)
    };
    if documents.iter().all(|document| document.words().is_empty()) {
        return wrong("the corpus", "no document has a word".to_owned());
    }
    if answers.columns().into_iter().all(is_flat) {
        let reason = "the model answers all documents alike: there is nothing to learn; give documents of different kinds";
        return wrong("the answers of the model", reason.to_owned());
    }
    Ok(())
}
