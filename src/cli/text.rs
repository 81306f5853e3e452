//! `whylight text`: from a corpus and a model of text to the values of its words.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use whylight::explain::text::{
    TextExplanation, TextMethod, TextOptions, TextPlayers, explain_texts,
};
use whylight::model::{Exchange, PredictText, Process};
use whylight::report::{self, WordsFormat};
use whylight::text::{Document, Recorded, Teacher, Tokenizer, read_corpus};
use whylight::{Error, Result};

use super::asking::{self, Asking, is_address};
use super::input::shown;
use super::output::PartFile;
use super::surrogate::SurrogateArgs;
use super::{note, show, use_threads, value};

/// Words that are shown of the ranking, and of a document; documents that are shown.
const RANKED: usize = 20;
const WORDS: usize = 8;
const DOCUMENTS: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model: its address, http://… or https://…, which answers {"instances": ["…", …]} with
    /// {"predictions": […]}; or an ONNX classifier of tokens, with --tokenizer
    #[arg(
        long,
        value_name = "MODEL",
        required_unless_present_any = ["teacher_command", "teacher_column"]
    )]
    teacher: Option<PathBuf>,

    /// Program that is the model, with its arguments, such as "python model.py": it is started once,
    /// reads batches of texts from its standard input and writes what it answers to its standard
    /// output
    #[arg(long, value_name = "COMMAND", conflicts_with = "teacher")]
    teacher_command: Option<String>,

    /// How texts go to the program, and answers come back: csv (the name of the column; then for
    /// each batch a line with the number of texts, and each text in quotes, which may span lines;
    /// answered with the number, and a line of outputs for each), or arrow (an Arrow IPC stream each
    /// way, a record batch for each batch)
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = value::exchange)]
    teacher_format: Exchange,

    /// A tokenizer.json: that of the ONNX classifier, and of --players tokens
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,

    /// Take the softmax of what the ONNX classifier answers, or of one output the logistic function
    #[arg(long)]
    probability: bool,

    /// Shared library of ONNX Runtime, which runs the ONNX classifier; else `ORT_DYLIB_PATH` or the
    /// system names it
    #[arg(long, value_name = "LIBRARY")]
    onnxruntime: Option<PathBuf>,

    #[command(flatten)]
    asking: Asking,

    #[command(flatten)]
    surrogate: SurrogateArgs,

    /// The texts: a table (.csv, .tsv, .parquet, .arrow), or .txt with one in each line
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,

    /// The column of the texts in the table
    #[arg(long, value_name = "COL", default_value = "text")]
    column: String,

    /// How to explain: auto (kernel; lime for texts of more than 256 words, or more than --nsamples
    /// suffice for, and hierarchical beyond 2000), kernel (Kernel SHAP of the players), hierarchical
    /// (Kernel SHAP of passages, then of the words in those that matter most), lime, leave-one-out, han (a
    /// surrogate that learns what the model answers to the corpus; auto with --teacher-column,
    /// --embeddings or --surrogate), or random (numbers that know nothing of the model)
    #[arg(long, value_name = "METHOD", default_value = "auto", value_parser = value::text_method)]
    method: TextMethod,

    /// Who plays: words, distinct (all places of a word as one), sentences, tokens (of --tokenizer),
    /// or auto (distinct for lime, else words)
    #[arg(long, value_name = "WHO", default_value = "auto")]
    players: String,

    /// What stands for an absent word, such as [MASK]; without it, the word is taken out
    #[arg(long, value_name = "TEXT")]
    mask: Option<String>,

    /// Texts that the model is asked for, of each document: a number of at least 4; without it 2048
    /// and twice the number of players, at most 4096 for hierarchical, 5000 for lime
    #[arg(long, value_name = "N")]
    nsamples: Option<u32>,

    /// The seed of estimates
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    /// The names of the model's outputs, in their order, between commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    classes: Option<Vec<String>>,

    /// File to write: .parquet, .arrow, .csv or .json (a row for each document, output and word), or
    /// .html (the texts, with their words highlighted); without it, the ranking and the first
    /// documents are shown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// CPU threads; all by default
    #[arg(long, value_name = "N", value_parser = value::threads)]
    threads: Option<usize>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    use_threads(args.threads)?;
    let format = args.out.as_deref().map(WordsFormat::of).transpose()?;
    let (tokenizer, players) = args.players()?;
    let is_recorded = !args.surrogate.teacher_column.is_empty();
    let is_wanted = is_recorded || args.surrogate.is_wanted();
    let method = match args.method {
        TextMethod::Auto if is_wanted => TextMethod::Han,
        TextMethod::Han => TextMethod::Han,
        method if args.surrogate.is_wanted() => {
            return Err(Error::Parameter {
                name: "method",
                got: method.name().to_owned(),
                allowed: "han, or auto: vectors, a folder and epochs are those of a surrogate"
                    .to_owned(),
            });
        }
        method => method,
    };
    let options = TextOptions {
        method,
        players,
        mask: args.mask.clone(),
        samples: args.nsamples,
        seed: args.seed,
        ..TextOptions::default()
    };
    let corpus = read_corpus(&args.corpus, &args.column, &args.surrogate.teacher_column)?;
    let documents = tokenizer.documents(&corpus.texts)?;
    let first = corpus.texts.first().map_or("", String::as_str);
    let (model, names): (Arc<dyn PredictText>, _) = if is_recorded {
        let columns = args.surrogate.teacher_column.clone();
        let names = args.classes.clone().unwrap_or(columns);
        (
            Arc::new(Recorded::new(&corpus.texts, corpus.numbers)?),
            Some(names),
        )
    } else {
        (args.model()?, args.classes.clone())
    };
    let teacher = Teacher::new(model, names, first)?;
    // Before the work: what cannot be written is said at once.
    let file = args.out.as_deref().map(PartFile::create).transpose()?;
    let explanation = if method == TextMethod::Han {
        args.surrogate
            .explain(&teacher, is_recorded, documents, &options)?
    } else {
        explain(&teacher, documents, &options)?
    };
    match (file, format, &args.out) {
        (Some(file), Some(format), Some(out)) => {
            file.write_with(|file| report::words(&explanation, format, file))?;
            note(account(&explanation).trim_end());
            note(&format!(
                "wrote {} in {:.2} s",
                shown(out),
                explanation.seconds
            ));
            Ok(())
        }
        _ => show(&screen(&explanation)),
    }
}

impl Args {
    /// What cuts the texts, and who plays.
    fn players(&self) -> Result<(Tokenizer, TextPlayers)> {
        if self.players != "tokens" {
            return Ok((Tokenizer::Words, self.players.parse()?));
        }
        let Some(tokenizer) = &self.tokenizer else {
            return Err(no_tokenizer("tokens as players"));
        };
        Ok((Tokenizer::read(tokenizer)?, TextPlayers::Words))
    }

    fn model(&self) -> Result<Arc<dyn PredictText>> {
        if let Some(line) = &self.teacher_command {
            let (program, arguments) = asking::program("teacher-command", line)?;
            let options = self.asking.of_program(self.teacher_format);
            let process = Process::start_for_texts(&program, &arguments, &self.column, options)?;
            return Ok(Arc::new(process));
        }
        // The parser asks for one of the two.
        let path = self.teacher.clone().unwrap_or_default();
        match path.to_str().filter(|model| is_address(model)) {
            Some(address) => self.endpoint(address),
            None => self.onnx(&path),
        }
    }

    #[cfg(feature = "http")]
    fn endpoint(&self, address: &str) -> Result<Arc<dyn PredictText>> {
        let http = whylight::model::Http::new(address, self.asking.of_endpoint()?)?;
        Ok(Arc::new(http))
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_self, reason = "it stands in for the one that asks")]
    fn endpoint(&self, _: &str) -> Result<Arc<dyn PredictText>> {
        Err(asking::no_endpoint())
    }

    #[cfg(feature = "onnxruntime")]
    fn onnx(&self, path: &Path) -> Result<Arc<dyn PredictText>> {
        use whylight::model::{OnnxText, OnnxTextOptions};

        let Some(tokenizer) = &self.tokenizer else {
            return Err(no_tokenizer("an ONNX classifier"));
        };
        let options = OnnxTextOptions {
            library: self.onnxruntime.clone(),
            probability: self.probability,
            ..OnnxTextOptions::default()
        };
        Ok(Arc::new(OnnxText::load(path, tokenizer, options)?))
    }

    #[cfg(not(feature = "onnxruntime"))]
    #[expect(clippy::unused_self, reason = "it stands in for the one that runs")]
    fn onnx(&self, path: &Path) -> Result<Arc<dyn PredictText>> {
        Err(Error::Unsupported {
            what: shown(path),
            by: "this build of whylight".to_owned(),
            instead: "build it with the feature onnxruntime".to_owned(),
        })
    }
}

fn no_tokenizer(what: &str) -> Error {
    Error::Parameter {
        name: "tokenizer",
        got: "none".to_owned(),
        allowed: format!("for {what}, name a tokenizer.json: --tokenizer FILE"),
    }
}

/// Explains with a progress bar, which only a terminal shows.
fn explain(
    teacher: &Teacher,
    documents: Vec<Document>,
    options: &TextOptions,
) -> Result<TextExplanation> {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} documents, {per_sec}, {eta} left",
    );
    let bar = ProgressBar::new(documents.len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let explained = explain_texts(teacher, documents, options, &mut |done| {
        bar.set_position(done);
        true
    });
    bar.finish_and_clear();
    explained?.ok_or_else(|| Error::Predict {
        source: "the work was stopped".into(),
    })
}

/// What was explained, and how.
fn account(explanation: &TextExplanation) -> String {
    let documents = &explanation.documents;
    let mut methods: Vec<(&str, usize)> = Vec::new();
    for document in documents {
        let name = document.method.name();
        match methods.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => methods.push((name, 1)),
        }
    }
    let methods: Vec<String> = (methods.iter())
        .map(|(name, count)| {
            format!(
                "{name} of {count} document{}",
                if *count == 1 { "" } else { "s" }
            )
        })
        .collect();
    let words: usize = documents
        .iter()
        .map(|document| document.document.words().len())
        .sum();
    let exact = documents.iter().filter(|document| document.exact).count();
    let mut text = format!(
        "model       {}, outputs: {}\n\
         method      {}\n\
         words       {words}\n\
         exact       {exact} of {} documents\n\
         asked       {} times, for {} texts\n",
        explanation.model,
        explanation.output_names.join(", "),
        methods.join(", "),
        documents.len(),
        explanation.calls,
        explanation.texts,
    );
    let fits: Vec<f64> = documents
        .iter()
        .filter_map(|document| document.local_fit.as_ref())
        .flatten()
        .copied()
        .collect();
    if !fits.is_empty() {
        let mean = fits.iter().sum::<f64>() / fits.len() as f64;
        let _ = writeln!(text, "fit         R² {mean:.4} on average");
    }
    text
}

/// The words of all documents by mean |value| over the outputs, and the first documents.
fn screen(explanation: &TextExplanation) -> String {
    let mut text = account(explanation);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut forms: Vec<(String, f64, f64)> = Vec::new();
    for values in &explanation.documents {
        for (word, cells) in values.word_values().rows().into_iter().enumerate() {
            let form = values.document.form(word);
            let place = *places.entry(form.clone()).or_insert(forms.len());
            if place == forms.len() {
                forms.push((form, 0.0, 0.0));
            }
            let size = cells.iter().map(|cell| cell.abs()).sum::<f64>() / cells.len() as f64;
            forms[place].1 += size;
            forms[place].2 += 1.0;
        }
    }
    let names: Vec<String> = forms.iter().map(|(form, _, _)| form.clone()).collect();
    let mut ranking: Vec<(usize, f64)> = forms
        .iter()
        .map(|(_, sum, count)| sum / count)
        .enumerate()
        .collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    let _ = writeln!(
        text,
        "\nWords by mean |value| over {} documents\n",
        explanation.documents.len()
    );
    text += &report::ranking(&names, &ranking, RANKED);
    for (number, values) in explanation.documents.iter().enumerate().take(DOCUMENTS) {
        let answers = values.answers.iter().enumerate();
        let output = answers
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map_or(0, |(output, _)| output);
        let cells = values.word_values();
        let cells = cells.column(output);
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(|&a, &b| cells[b].abs().total_cmp(&cells[a].abs()));
        let _ = writeln!(
            text,
            "\nDocument {number}, {}: {:.4} → {:.4}\n",
            explanation.output_names[output], values.base_values[output], values.answers[output]
        );
        for word in order.into_iter().take(WORDS) {
            let _ = writeln!(
                text,
                "{:+12.6}  {}",
                cells[word],
                values.document.word(word)
            );
        }
    }
    text
}
