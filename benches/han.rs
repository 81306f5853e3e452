//! The network of texts learning a corpus, for `benches/peers/han.py`: documents per second.
//!
//! `cargo bench --bench han -- CORPUS.json NETWORK.safetensors ROUNDS` reads documents and what their teacher answers,
//! writes the network before its first step to the second file, trains it one epoch to warm up and then an epoch each round,
//! on as many threads as `RAYON_NUM_THREADS` says, and prints JSON: what the network answers first, the losses, and the
//! documents per second of each round, of the processor's time where the system tells it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for measurements"
)]

use std::sync::OnceLock;
use std::time::Instant;

use ndarray::Array2;
use serde::Deserialize;
use whylight::han::{Config, Corpus, Encoded, Han, Loss, Training, Until};

#[derive(Deserialize)]
struct Input {
    /// Rows of the table.
    words: usize,
    batch: usize,
    /// Of each document: the words of each sentence.
    documents: Vec<Vec<Vec<u32>>>,
    /// (document, class).
    targets: Vec<Vec<f32>>,
}

/// Seconds of the processor that this process has used, or that have passed.
fn seconds() -> f64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    // User and system time, in hundredths, are numbers 14 and 15; the second may have blanks within its parentheses.
    let used = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| {
            let rest = stat.rsplit(')').next()?.to_owned();
            let mut fields = rest.split_whitespace().skip(11);
            let mut hundredths = || fields.next()?.parse::<f64>().ok();
            Some((hundredths()? + hundredths()?) / 100.0)
        });
    used.unwrap_or_else(|| BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64())
}

fn main() {
    // `cargo bench` says so, and tests without arguments have nothing to measure.
    let given: Vec<String> = (std::env::args().skip(1))
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let [corpus, network, rounds] = &given[..] else {
        return;
    };
    let input: Input = serde_json::from_slice(&std::fs::read(corpus).unwrap()).unwrap();
    let documents: Vec<Encoded> = (input.documents.iter())
        .map(|sentences| Encoded {
            words: sentences.concat(),
            sentences: sentences.iter().map(|words| words.len() as u32).collect(),
        })
        .collect();
    let classes = input.targets[0].len();
    let targets = Array2::from_shape_fn((documents.len(), classes), |(i, k)| input.targets[i][k]);
    let config = Config {
        batch: input.batch,
        ..Config::new(classes, Loss::CrossEntropy)
    };
    let han = Han::new(config, input.words).unwrap();
    han.save(std::path::Path::new(network)).unwrap();
    let first = han.answers(&documents[..8.min(documents.len())]).unwrap();
    let mut training = Training::new(han);
    let mut rates = Vec::new();
    let mut losses = Vec::new();
    for round in 0..=rounds.parse().unwrap() {
        let corpus = Corpus {
            documents: &documents,
            targets: targets.view(),
            weights: None,
        };
        let until = Until {
            epochs: round + 1,
            patience: None,
        };
        let begun = seconds();
        let outcome = training.train(corpus, None, until, &mut |_| true).unwrap();
        losses.push(outcome.epochs[0].0);
        if round > 0 {
            rates.push(documents.len() as f64 / (seconds() - begun));
        }
    }
    let answers: Vec<Vec<f32>> = first.outer_iter().map(|row| row.to_vec()).collect();
    let output = serde_json::json!({ "answers": answers, "rates": rates, "losses": losses });
    println!("{output}");
}
