//! `--method han`: a surrogate is trained on the corpus, and explains it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Axis, concatenate};
use whylight::explain::text::{SurrogatePlan, TextExplanation, TextOptions, explain_texts_by};
use whylight::surrogate::{Surrogate, SurrogateOptions};
use whylight::text::{Document, Teacher, Vectors, WordCounts};
use whylight::{Device, Error, Result};

use super::note;

/// Texts of a document that the model is asked for in an epoch of tuning, and in a call.
const SAMPLES: u32 = 40;
const CALL: usize = 1024;

/// How a surrogate is trained, and corrected.
#[derive(Debug, clap::Args)]
pub(super) struct SurrogateArgs {
    /// Column with what the model answers to each text, in place of the model; can be given several
    /// times, for several outputs (han)
    #[arg(long, value_name = "COL", conflicts_with_all = ["teacher", "teacher_command"])]
    pub(super) teacher_column: Vec<String>,

    /// Word vectors: the text of `GloVe` or word2vec, .parquet, or .npy with --embedding-words; without
    /// them the surrogate learns its own (han)
    #[arg(long, value_name = "FILE")]
    embeddings: Option<PathBuf>,

    /// The words of vectors in an .npy file: a text with one in each line, or a table (han)
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    embedding_words: Option<PathBuf>,

    /// Epochs of the surrogate's training at most; 6 by default, more of small corpora (han)
    #[arg(long, value_name = "N")]
    train_epochs: Option<u32>,

    /// Epochs of 40 texts of each document that the model is asked for to correct the surrogate, up to
    /// 50; 0 takes it as it is (han)
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=50))]
    tune_epochs: u32,

    /// Folder of the surrogate: it is read where there is one, else trained and written there (han)
    #[arg(long, value_name = "DIR")]
    surrogate: Option<PathBuf>,

    /// Where to train: auto, cpu, gpu, or gpu:N as `whylight devices` numbers them (han)
    #[arg(long, default_value = "auto")]
    device: String,
}

impl SurrogateArgs {
    /// Trains a surrogate on documents, or reads it, and explains them by it. `recorded` are the answers of columns.
    pub(super) fn explain(
        &self,
        teacher: &Teacher,
        is_recorded: bool,
        documents: Vec<Document>,
        options: &TextOptions,
    ) -> Result<TextExplanation> {
        let surrogate = self.trained(teacher, &documents, options.seed)?;
        note(&said(&surrogate));
        let plan = SurrogatePlan {
            // Columns answer no parts of texts.
            samples: if is_recorded {
                0
            } else {
                (SAMPLES * self.tune_epochs) as usize
            },
            ..SurrogatePlan::default()
        };
        let bar = bar(documents.len() as u64, "documents");
        let explained = explain_texts_by(
            &surrogate,
            (!is_recorded).then_some(teacher),
            documents,
            &plan,
            options,
            &mut |done| {
                bar.set_position(done);
                true
            },
        );
        bar.finish_and_clear();
        explained?.ok_or_else(|| Error::Predict {
            source: "the work was stopped".into(),
        })
    }

    /// Whether something is asked for that a surrogate alone has.
    pub(super) fn is_wanted(&self) -> bool {
        self.embeddings.is_some() || self.surrogate.is_some() || self.train_epochs.is_some()
    }

    fn trained(&self, teacher: &Teacher, documents: &[Document], seed: u64) -> Result<Surrogate> {
        if let Some(folder) = self.surrogate.as_deref().filter(|folder| folder.exists()) {
            return Surrogate::load(folder);
        }
        let mut options = SurrogateOptions {
            device: self.device.parse::<Device>()?,
            epochs: self.train_epochs.map(u64::from),
            ..SurrogateOptions::default()
        };
        options.network.seed = seed;
        let vectors = match &self.embeddings {
            None => None,
            Some(path) => {
                let counts = WordCounts::of(documents);
                Some(Vectors::read(
                    path,
                    self.embedding_words.as_deref(),
                    Some(&counts),
                )?)
            }
        };
        let answers = answers(teacher, documents)?;
        let bar = bar(documents.len() as u64, "documents learned");
        let stop = stop();
        let trained = Surrogate::train(
            documents,
            &answers,
            teacher.outputs().to_vec(),
            vectors.as_ref(),
            &options,
            &mut |now| {
                bar.set_length(now.documents as u64);
                bar.set_position(now.done as u64);
                bar.set_message(format!("epoch {}, loss {:.4}", now.epoch + 1, now.loss));
                !stop.load(Ordering::Relaxed)
            },
        );
        bar.finish_and_clear();
        // What follows is ended by Ctrl-C at once.
        stop.store(true, Ordering::Relaxed);
        let trained = trained?;
        if let Some(folder) = &self.surrogate {
            trained.save(folder)?;
        }
        if trained.is_stopped() {
            return Err(Error::Predict {
                source: stopped(self.surrogate.as_deref()).into(),
            });
        }
        Ok(trained)
    }
}

/// What Ctrl-C says, and says first, from now on: where it is said already, Ctrl-C ends the program.
fn stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    // Where no handler can be had, Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(move || {
        if told.swap(true, Ordering::Relaxed) {
            end();
        }
    });
    stop
}

/// Ends the program as Ctrl-C does where nobody listens.
#[expect(clippy::exit, reason = "there is nothing left that could be kept")]
fn end() {
    std::process::exit(130);
}

fn stopped(folder: Option<&Path>) -> String {
    let kept = folder.map_or_else(
        || "name a folder by --surrogate to keep what was learned".to_owned(),
        |folder| {
            format!(
                "what was learned is in {0}, and --surrogate {0} explains by it",
                folder.display()
            )
        },
    );
    format!("the training was stopped; {kept}")
}

/// What the model answers to all documents.
fn answers(teacher: &Teacher, documents: &[Document]) -> Result<Array2<f64>> {
    let texts: Vec<&str> = documents.iter().map(Document::text).collect();
    let bar = bar(texts.len() as u64, "documents asked for");
    let mut parts = Vec::new();
    for texts in texts.chunks(CALL) {
        parts.push(teacher.answer(texts)?);
        bar.inc(texts.len() as u64);
    }
    bar.finish_and_clear();
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    Ok(
        concatenate(Axis(0), &views)
            .unwrap_or_else(|_| Array2::zeros((0, teacher.outputs().len()))),
    )
}

fn bar(length: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{bar:40}} {{human_pos}} of {{human_len}} {what}, {{per_sec}} {{msg}}"
    ));
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// How well the surrogate answers.
fn said(surrogate: &Surrogate) -> String {
    let fidelity = surrogate.fidelity();
    let where_ = if fidelity.is_held_out {
        "held out"
    } else {
        "learned from"
    };
    let r2: Vec<String> = fidelity
        .r2
        .iter()
        .take(4)
        .map(|r2| format!("{r2:.3}"))
        .collect();
    let mut text = format!(
        "surrogate   {} epochs on {}; {} documents {where_}: R² {}",
        surrogate.epochs().len(),
        surrogate.device().name(),
        fidelity.documents,
        r2.join(", ")
    );
    if let Some(agreement) = fidelity.agreement {
        let _ = write!(text, ", agreement {:.1} %", 100.0 * agreement);
    }
    if let Some(coverage) = surrogate.coverage() {
        let share = coverage.tokens_found as f64 / coverage.tokens.max(1) as f64;
        let _ = write!(
            text,
            "
vectors     of {:.1} % of the corpus's words",
            100.0 * share
        );
    }
    text
}
