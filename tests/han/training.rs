//! What a training promises: it learns, it is reproducible, and it goes on where it was.

use std::path::Path;

use ndarray::Array2;
use whylight::Error;
use whylight::han::{Config, Corpus, Encoded, Han, Loss, Quantity, Training, Until};

use super::{document, documents, network, targets};
use crate::support::random::Random;

const FOREVER: Until = Until {
    epochs: 4,
    patience: None,
};

fn corpus<'a>(documents: &'a [Encoded], targets: &'a Array2<f32>) -> Corpus<'a> {
    Corpus {
        documents,
        targets: targets.view(),
        weights: None,
    }
}

/// Random documents and answers.
fn noise(loss: Loss, outputs: usize, count: usize) -> (Vec<Encoded>, Array2<f32>) {
    let mut random = Random(21);
    let documents = documents(&mut random, 40, count);
    let targets = targets(&mut random, loss, count, outputs);
    let targets = Array2::from_shape_vec((count, outputs), targets).unwrap();
    (documents, targets)
}

/// A network that drops and leaves out, so that a training depends on all of its state.
fn learner(loss: Loss, outputs: usize) -> Training {
    let config = Config {
        batch: 16,
        dropout: 0.2,
        word_dropout: 0.1,
        ..network(outputs, loss, 40).config().clone()
    };
    Training::new(Han::new(config, 40).unwrap())
}

#[test]
fn a_small_corpus_is_learned_by_heart() {
    for (loss, outputs) in [(Loss::CrossEntropy, 3), (Loss::Squares, 2)] {
        let mut random = Random(2);
        // Each document has words of its own, and an answer that nothing else tells.
        let documents: Vec<Encoded> = (0..12).map(|_| document(&mut random, 40, 3, 6)).collect();
        let mut answers = Array2::zeros((12, outputs));
        for row in 0..12 {
            answers[[row, random.below(outputs)]] = 1.0;
        }
        let config = Config {
            learning_rate: 0.01,
            batch: 5,
            ..network(outputs, loss, 40).config().clone()
        };
        let mut training = Training::new(Han::new(config, 40).unwrap());
        let until = Until {
            epochs: 150,
            patience: None,
        };
        let outcome = training
            .train(corpus(&documents, &answers), None, until, &mut |_| true)
            .unwrap();
        let last = outcome.epochs[149].0;
        assert!(last < 1e-2 && last < outcome.epochs[0].0 / 50.0, "{last}");
        let got = training.han().answers(&documents).unwrap();
        for (got, answer) in got.iter().zip(&answers) {
            assert!((got - answer).abs() < 0.2, "{got} {answer}");
        }
    }
}

#[test]
fn a_training_is_the_same_with_any_number_of_threads() {
    let (documents, answers) = noise(Loss::CrossEntropy, 3, 70);
    let mut trained = Vec::new();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let mut training = learner(Loss::CrossEntropy, 3);
        let outcome = pool
            .build()
            .unwrap()
            .install(|| training.train(corpus(&documents, &answers), None, FOREVER, &mut |_| true));
        trained.push((outcome.unwrap(), training.to_bytes().unwrap()));
    }
    assert!(trained[0] == trained[1] && trained[0] == trained[2]);
    assert_eq!(trained[0].0.epochs.len(), 4);
}

#[test]
fn a_training_goes_on_from_a_file_as_if_it_had_not_stopped() {
    let (documents, answers) = noise(Loss::Squares, 2, 70);
    let mut whole = learner(Loss::Squares, 2);
    whole
        .train(corpus(&documents, &answers), None, FOREVER, &mut |_| true)
        .unwrap();
    // Five batches an epoch: it stops in the middle of the second.
    let mut batches = 0;
    let mut part = learner(Loss::Squares, 2);
    let outcome = part
        .train(corpus(&documents, &answers), None, FOREVER, &mut |_| {
            batches += 1;
            batches < 7
        })
        .unwrap();
    assert!(outcome.is_stopped);
    assert_eq!((part.epochs(), outcome.epochs.len()), (1, 1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.safetensors");
    part.save(&path).unwrap();
    let mut part = Training::load(&path).unwrap();
    let error = part
        .train(
            corpus(
                &documents[1..],
                &answers.slice(ndarray::s![1.., ..]).to_owned(),
            ),
            None,
            FOREVER,
            &mut |_| true,
        )
        .unwrap_err();
    assert!(error.to_string().contains("70 documents"), "{error}");
    part.train(corpus(&documents, &answers), None, FOREVER, &mut |_| true)
        .unwrap();
    assert!(part.to_bytes().unwrap() == whole.to_bytes().unwrap());
}

#[test]
fn a_network_comes_back_from_its_file_and_damaged_files_are_errors() {
    let (documents, _) = noise(Loss::CrossEntropy, 2, 9);
    let han = network(2, Loss::CrossEntropy, 40);
    let bytes = han.to_bytes().unwrap();
    let path = Path::new("a.safetensors");
    let again = Han::from_bytes(&bytes, path).unwrap();
    assert_eq!(again.config(), han.config());
    assert_eq!(
        again.answers(&documents).unwrap(),
        han.answers(&documents).unwrap()
    );
    let error = Training::from_bytes(&bytes, path).unwrap_err();
    assert!(error.to_string().contains("not its training"), "{error}");
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = Han::from_bytes(&bytes[..cut], path).unwrap_err();
        assert!(matches!(error, Error::Model { .. }), "{error}");
    }
    // Damaged bytes are refused, or are other weights: they never panic.
    let training = learner(Loss::Squares, 1).to_bytes().unwrap();
    let mut random = Random(4);
    for _ in 0..300 {
        let mut damaged = training.clone();
        let place = random.below(6000);
        damaged[place] = random.below(256) as u8;
        if let Err(error) = Training::from_bytes(&damaged, path) {
            assert!(matches!(error, Error::Model { .. }), "{error}");
        }
    }
}

#[test]
fn a_training_stops_early_and_keeps_its_best_epoch() {
    let (documents, answers) = noise(Loss::CrossEntropy, 2, 60);
    let config = Config {
        learning_rate: 0.02,
        ..network(2, Loss::CrossEntropy, 40).config().clone()
    };
    let mut training = Training::new(Han::new(config, 40).unwrap());
    let (train, held_out) = documents.split_at(40);
    let (of_train, of_held_out) = answers.view().split_at(ndarray::Axis(0), 40);
    let (of_train, of_held_out) = (of_train.to_owned(), of_held_out.to_owned());
    let until = Until {
        epochs: 400,
        patience: Some(3),
    };
    let outcome = training
        .train(
            corpus(train, &of_train),
            Some(corpus(held_out, &of_held_out)),
            until,
            &mut |_| true,
        )
        .unwrap();
    assert!(outcome.epochs.len() < 400, "noise cannot be learned");
    let losses = outcome.epochs.iter().map(|&(_, loss)| loss.unwrap());
    let best = losses.fold(f64::INFINITY, f64::min);
    let kept = training.han().loss(corpus(held_out, &of_held_out)).unwrap();
    assert_eq!(kept, best);
}

#[test]
fn the_word_that_decides_comes_first() {
    let mut random = Random(31);
    // Word 7 decides, of 60.
    let mut documents = Vec::new();
    let mut answers = Array2::zeros((240, 2));
    for row in 0..240 {
        let mut document = document(&mut random, 60, 3, 8);
        document
            .words
            .iter_mut()
            .for_each(|w| *w += u32::from(*w == 7));
        if row % 2 == 0 {
            let place = random.below(document.words.len());
            document.words[place] = 7;
        }
        answers[[row, row % 2]] = 1.0;
        documents.push(document);
    }
    let config = Config {
        learning_rate: 0.01,
        ..network(2, Loss::CrossEntropy, 60).config().clone()
    };
    let mut training = Training::new(Han::new(config, 60).unwrap());
    let until = Until {
        epochs: 12,
        patience: None,
    };
    training
        .train(corpus(&documents, &answers), None, until, &mut |_| true)
        .unwrap();
    let han = training.han();
    for points in [1, 8] {
        for quantity in [Quantity::Probability, Quantity::LogOdds] {
            let values = han.gradients(&documents, &[0], points, quantity).unwrap();
            let mut first = 0;
            for (document, values) in documents.iter().zip(&values).step_by(2) {
                let values = values.column(0);
                let best = (0..values.len())
                    .max_by(|&a, &b| values[a].total_cmp(&values[b]))
                    .unwrap();
                first += usize::from(document.words[best] == 7);
            }
            // One point is blind where the network is certain.
            let least = if points == 1 { 100 } else { 118 };
            assert!(first >= least, "{points} {quantity:?}: {first} of 120");
        }
    }
    for (document, attention) in documents.iter().zip(han.attention(&documents).unwrap()) {
        let mut words = &attention.words[..];
        for &count in &document.sentences {
            let (sentence, rest) = words.split_at(count as usize);
            assert!((sentence.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            words = rest;
        }
        assert!((attention.sentences.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_document_of_ten_thousand_words_is_read_whole() {
    let mut random = Random(6);
    let words = || (0..10_000).map(|i| i % 40).collect::<Vec<u32>>();
    let long = |sentences| Encoded {
        words: words(),
        sentences,
    };
    let mut documents = vec![long(vec![10_000]), long(vec![25; 400])];
    let han = network(2, Loss::CrossEntropy, 40);
    let before = han.answers(&documents).unwrap();
    assert!(before.iter().all(|p| p.is_finite()));
    // The last words count, too.
    documents[1].words[9_990..].fill(random.below(40) as u32);
    let after = han.answers(&documents).unwrap();
    assert_eq!(before.row(0), after.row(0));
    assert_ne!(before.row(1), after.row(1));
    let mut training = Training::new(han);
    let answers = Array2::from_elem((2, 2), 0.5);
    let until = Until {
        epochs: 1,
        patience: None,
    };
    let outcome = training
        .train(corpus(&documents, &answers), None, until, &mut |_| true)
        .unwrap();
    assert!(outcome.epochs[0].0.is_finite());
}

#[test]
fn documents_and_answers_that_do_not_fit_are_errors() {
    let han = network(2, Loss::CrossEntropy, 40);
    let bad = |words: Vec<u32>, sentences: Vec<u32>, said: &str| {
        let error = han.answers(&[Encoded { words, sentences }]).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    };
    bad(vec![1, 2], vec![1], "document 0: expected 2 words");
    bad(vec![1], vec![1, 0], "an empty sentence");
    bad(vec![40], vec![1], "words below 40");
    bad(vec![], vec![u32::MAX, u32::MAX], "8589934590");
    let mut training = Training::new(han);
    let (documents, answers) = noise(Loss::CrossEntropy, 2, 3);
    let mut fails = |documents: &[Encoded], answers: Array2<f32>, weights, said: &str| {
        let corpus = Corpus {
            documents,
            targets: answers.view(),
            weights,
        };
        let error = training
            .train(corpus, None, FOREVER, &mut |_| true)
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    };
    fails(
        &documents[..2],
        answers.clone(),
        None,
        "2 rows of 2 numbers",
    );
    fails(&[], Array2::zeros((0, 2)), None, "a document at least");
    fails(&documents, answers.mapv(|p| 2.0 * p), None, "add up to 1");
    fails(&documents, answers.mapv(|p| p / 0.0), None, "finite");
    fails(&documents, answers.clone(), Some(&[1.0]), "one a document");
    fails(&documents, answers, Some(&[0.0; 3]), "above it");
    let config = Config {
        dropout: 1.0,
        ..Config::new(2, Loss::Squares)
    };
    let error = Han::new(config, 3).unwrap_err();
    assert!(error.to_string().contains("dropout"), "{error}");
}
