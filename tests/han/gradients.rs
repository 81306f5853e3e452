//! Losses, gradients and attributions against candle's.

use ndarray::ArrayView2;
use whylight::han::{Corpus, Encoded, Loss, Quantity, Training};
use whylight_kernels::legendre::Rule;

use super::oracle::Oracle;
use super::{document, documents, network, targets};
use crate::support::random::Random;

/// Differences are at most this part of the largest number of a tensor.
const TOLERANCE: f32 = 1e-5;

/// The largest difference, as a part of the largest number.
fn difference(name: &str, expected: &[f32], got: &[f32]) -> f32 {
    assert_eq!(expected.len(), got.len(), "{name}");
    let most = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let pairs = expected.iter().zip(got);
    let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst.is_finite());
    if most == 0.0 { worst } else { worst / most }
}

fn compare(loss: Loss, outputs: usize, corpus: &[Encoded], random: &mut Random) {
    let han = network(outputs, loss, 40);
    let targets = targets(random, loss, corpus.len(), outputs);
    let weights: Vec<f32> = corpus.iter().map(|_| 0.5 + random.unit() as f32).collect();
    let oracle = Oracle::new(&han);
    let (expected, of_tensors, of_table) = oracle.gradients(corpus, &targets, &weights).unwrap();
    let tensors = han.config().tensors();
    let training = Training::new(han);
    let (got, dense, table) = training
        .ask_all(Corpus {
            documents: corpus,
            targets: ArrayView2::from_shape((corpus.len(), outputs), &targets).unwrap(),
            weights: Some(&weights),
        })
        .unwrap();
    assert!(
        (got - expected).abs() <= 1e-5 * expected.abs(),
        "{got} {expected}"
    );
    for (tensor, expected) in tensors.iter().zip(&of_tensors) {
        // What is asked of the bias of attention is what is left of sums that nearly cancel, as softmax of its scores
        // knows differences alone.
        let most = if tensor.name.ends_with("attention.bias") {
            20.0 * TOLERANCE
        } else {
            TOLERANCE
        };
        let worst = difference(&tensor.name, expected, &dense[tensor.range()]);
        assert!(worst <= most, "{}: {worst:.1e}", tensor.name);
    }
    let worst = difference("table", &of_table, &table);
    assert!(worst <= TOLERANCE, "table: {worst:.1e}");
}

#[test]
fn losses_and_gradients_are_candles() {
    let mut random = Random(3);
    for (loss, outputs) in [
        (Loss::CrossEntropy, 2),
        (Loss::CrossEntropy, 17),
        (Loss::Squares, 1),
        (Loss::Squares, 3),
    ] {
        let ragged = document(&mut random, 40, 5, 12);
        compare(loss, outputs, &[ragged], &mut random);
        let word = document(&mut random, 40, 1, 1);
        compare(loss, outputs, &[word, Encoded::default()], &mut random);
        let many = documents(&mut random, 40, 70);
        compare(loss, outputs, &many, &mut random);
    }
}

#[test]
fn attributions_are_sums_over_candles_gradients() {
    let mut random = Random(8);
    for (loss, outputs) in [(Loss::CrossEntropy, 3), (Loss::Squares, 2)] {
        let han = network(outputs, loss, 40);
        let oracle = Oracle::new(&han);
        let corpus = documents(&mut random, 40, 9);
        for points in [1, 3] {
            let rule = if points == 1 {
                vec![(1.0, 1.0)]
            } else {
                let rule = Rule::new(points);
                rule.points.into_iter().zip(rule.weights).collect()
            };
            let chosen = [1, 0];
            let values = han
                .gradients(&corpus, &chosen, points, Quantity::Probability)
                .unwrap();
            // A word's value is a sum that may cancel: it is held against the largest of all documents.
            let (mut expected, mut got) = (Vec::new(), Vec::new());
            for (document, values) in corpus.iter().zip(&values) {
                assert_eq!(values.dim(), (document.words.len(), 2));
                if document.words.is_empty() {
                    continue;
                }
                for (column, &output) in chosen.iter().enumerate() {
                    let mut sums = vec![0.0; document.words.len()];
                    for &(point, weight) in &rule {
                        let part = oracle.attribution(document, output, point).unwrap();
                        let pairs = sums.iter_mut().zip(part);
                        pairs.for_each(|(sum, part)| *sum += weight as f32 * part);
                    }
                    expected.extend(sums);
                    got.extend(values.column(column));
                }
            }
            let worst = difference("attribution", &expected, &got);
            assert!(worst <= TOLERANCE, "{worst:.1e}");
        }
    }
}

#[test]
fn attributions_add_up_to_what_the_words_change() {
    let mut random = Random(11);
    let han = network(2, Loss::CrossEntropy, 40);
    let corpus = documents(&mut random, 40, 12);
    let answers = han.answers(&corpus).unwrap();
    let silent = whylight::han::Han::with_table(
        han.config().clone(),
        &ndarray::Array2::zeros((40, han.config().embedding)),
    )
    .unwrap();
    assert_eq!(silent.weights().dense(), han.weights().dense());
    let silent = silent.answers(&corpus).unwrap();
    for quantity in [Quantity::Probability, Quantity::LogOdds] {
        let values = han.gradients(&corpus, &[0, 1], 32, quantity).unwrap();
        for (document, values) in values.iter().enumerate() {
            for output in 0..2 {
                let [p, q] = [answers[[document, output]], silent[[document, output]]];
                let [p, q] = match quantity {
                    Quantity::Probability => [p, q],
                    Quantity::LogOdds => [p, q].map(|p| (p / (1.0 - p)).ln()),
                };
                let sum = values.column(output).sum();
                assert!((sum - (p - q)).abs() < 1e-5, "{quantity:?} {sum} {p} {q}");
            }
        }
    }
}
