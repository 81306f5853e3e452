//! The network of texts: its gradients against candle's, and what its training promises.

mod gradients;
pub(crate) mod oracle;
mod training;

use whylight::han::{Config, Encoded, Han, Loss};

use crate::support::random::Random;

/// A network of sizes that fill no line.
pub(crate) fn network(outputs: usize, loss: Loss, words: usize) -> Han {
    let config = Config {
        embedding: 9,
        hidden: 18,
        attention: 21,
        seed: 5,
        ..Config::new(outputs, loss)
    };
    Han::new(config, words).unwrap()
}

/// A document of sentences with up to so many words.
fn document(random: &mut Random, words: usize, sentences: usize, most: usize) -> Encoded {
    let mut document = Encoded::default();
    for _ in 0..sentences {
        let count = 1 + random.below(most);
        document.sentences.push(count as u32);
        let drawn = (0..count).map(|_| random.below(words) as u32);
        document.words.extend(drawn);
    }
    document
}

/// Documents of all kinds: ragged ones, of one word, and without words.
pub(crate) fn documents(random: &mut Random, words: usize, count: usize) -> Vec<Encoded> {
    (0..count)
        .map(|i| match i % 7 {
            1 => document(random, words, 1, 1),
            3 => Encoded::default(),
            5 => document(random, words, 9, 3),
            _ => {
                let sentences = 1 + random.below(4);
                document(random, words, sentences, 8)
            }
        })
        .collect()
}

/// What a teacher answers: probabilities, or numbers.
pub(crate) fn targets(random: &mut Random, loss: Loss, rows: usize, outputs: usize) -> Vec<f32> {
    let mut targets = Vec::new();
    for _ in 0..rows {
        let mut row: Vec<f64> = (0..outputs).map(|_| random.unit() + 0.01).collect();
        if loss == Loss::CrossEntropy {
            let sum: f64 = row.iter().sum();
            for p in &mut row {
                *p /= sum;
            }
        }
        targets.extend(row.into_iter().map(|x| x as f32));
    }
    targets
}
