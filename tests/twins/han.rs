//! The network of texts on a GPU: its gradients against candle's and the CPU's, and its training against the CPU's.

use ndarray::{Array2, ArrayView2};
use whylight::device::Device;
use whylight::han::{Config, Corpus, Encoded, Han, Loss, Training, Until};

use super::gpu;
use crate::han::oracle::Oracle;
use crate::han::{documents, network, targets};
use crate::support::random::Random;

fn device() -> Option<Device> {
    gpu().map(|gpu| Device::Gpu {
        gpu: gpu.clone(),
        reason: "the test takes it".into(),
    })
}

/// The largest difference, as a part of the largest number.
fn difference(expected: &[f32], got: &[f32]) -> f32 {
    assert_eq!(expected.len(), got.len());
    let most = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let pairs = expected.iter().zip(got);
    let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(got.iter().all(|x| x.is_finite()));
    if most == 0.0 { worst } else { worst / most }
}

/// Compares what a batch asks of all weights with candle and the CPU; the largest difference seen.
///
/// Of long documents candle's way back would overflow the stack: `with_candle` leaves it out.
fn compare(
    han: Han,
    corpus: &[Encoded],
    on_gpu: &Device,
    random: &mut Random,
    with_candle: bool,
) -> f32 {
    let (outputs, loss) = (han.config().outputs, han.config().loss);
    let targets = targets(random, loss, corpus.len(), outputs);
    let weights: Vec<f32> = corpus.iter().map(|_| 0.5 + random.unit() as f32).collect();
    let given = Corpus {
        documents: corpus,
        targets: ArrayView2::from_shape((corpus.len(), outputs), &targets).unwrap(),
        weights: Some(&weights),
    };
    let oracle = Oracle::new(&han);
    let tensors = han.config().tensors();
    let training = Training::new(han);
    let (on_cpu, dense_on_cpu, table_on_cpu) = training.ask_all(given).unwrap();
    let training = training.on(on_gpu);
    assert!(matches!(training.device(), Device::Gpu { .. }));
    let (got, dense, table) = training.ask_all(given).unwrap();
    let dense_on_cpu: Vec<Vec<f32>> = (tensors.iter())
        .map(|tensor| dense_on_cpu[tensor.range()].to_vec())
        .collect();
    let mut expected = vec![(on_cpu, dense_on_cpu, table_on_cpu)];
    if with_candle {
        expected.push(oracle.gradients(corpus, &targets, &weights).unwrap());
    }
    let mut largest = 0.0_f32;
    for (loss, of_tensors, of_table) in &expected {
        assert!((got - loss).abs() <= 1e-5 * loss.abs(), "{got} {loss}");
        for (tensor, expected) in tensors.iter().zip(of_tensors) {
            // What is left of sums that nearly cancel.
            let most = if tensor.name.ends_with("attention.bias") {
                5e-4
            } else if tensor.name.ends_with("attention.matrix") {
                // Attention that is nearly even, as at the start, asks for differences of what is nearly alike.
                3e-5
            } else {
                1e-5
            };
            let worst = difference(expected, &dense[tensor.range()]);
            assert!(worst <= most, "{}: {worst:.1e}", tensor.name);
            largest = largest.max(worst);
        }
        let worst = difference(of_table, &table);
        assert!(worst <= 1e-5, "table: {worst:.1e}");
        largest = largest.max(worst);
    }
    largest
}

#[test]
fn gradients_of_texts_agree_with_candles_and_the_cpus() {
    let Some(device) = device() else { return };
    let mut random = Random(3);
    let mut largest = 0.0_f32;
    for (loss, outputs) in [(Loss::CrossEntropy, 2), (Loss::Squares, 3)] {
        for count in [1, 2, 70] {
            let corpus = documents(&mut random, 40, count);
            let han = network(outputs, loss, 40);
            largest = largest.max(compare(han, &corpus, &device, &mut random, true));
        }
    }
    // More units than invocations, a word alone, and no words at all.
    let config = Config {
        embedding: 33,
        hidden: 70,
        attention: 65,
        ..Config::new(35, Loss::CrossEntropy)
    };
    let han = Han::new(config, 40).unwrap();
    let word = Encoded {
        words: vec![3],
        sentences: vec![1],
    };
    // Without words candle has no gradients, as nothing depends on most of its variables.
    for (corpus, with_candle) in [(vec![word], true), (vec![Encoded::default()], false)] {
        let worst = compare(han.clone(), &corpus, &device, &mut random, with_candle);
        largest = largest.max(worst);
    }
    eprintln!("largest difference of gradients: {largest:.1e}");
}

#[test]
fn long_sentences_go_through_several_launches() {
    let Some(device) = device() else { return };
    let mut random = Random(9);
    let words = |count: u32, random: &mut Random| -> Vec<u32> {
        (0..count).map(|_| random.below(40) as u32).collect()
    };
    let long = Encoded {
        words: words(2_100, &mut random),
        sentences: vec![2_050, 50],
    };
    let short = Encoded {
        words: words(1_024, &mut random),
        sentences: vec![1_024],
    };
    let han = network(2, Loss::CrossEntropy, 40);
    compare(han, &[short, long.clone()], &device, &mut random, false);
    // Loops of a software adapter end before a wide network has gone through as many times.
    let han = Han::new(Config::new(2, Loss::CrossEntropy), 40).unwrap();
    compare(han, &[long], &device, &mut random, false);
}

#[test]
fn what_a_gpu_cannot_hold_trains_on_the_cpu_and_says_so() {
    let Some(device) = device() else { return };
    let config = Config {
        hidden: 600,
        embedding: 2,
        ..Config::new(1, Loss::Squares)
    };
    let training = Training::new(Han::new(config, 3).unwrap()).on(&device);
    assert!(training.device().reason().contains("600"));
    assert!(matches!(training.device(), Device::Cpu { .. }));
}

#[test]
fn a_training_of_texts_is_the_cpus() {
    let Some(device) = device() else { return };
    for (loss, outputs) in [(Loss::CrossEntropy, 3), (Loss::Squares, 2)] {
        let mut random = Random(21);
        let documents = documents(&mut random, 40, 70);
        let answers = targets(&mut random, loss, 70, outputs);
        let answers = Array2::from_shape_vec((70, outputs), answers).unwrap();
        let corpus = Corpus {
            documents: &documents,
            targets: answers.view(),
            weights: None,
        };
        let config = Config {
            batch: 16,
            dropout: 0.2,
            word_dropout: 0.1,
            clip: 0.05,
            ..network(outputs, loss, 40).config().clone()
        };
        let on_cpu = Training::new(Han::new(config, 40).unwrap());
        let on_gpu = on_cpu.clone().on(&device);
        let until = Until {
            epochs: 3,
            patience: None,
        };
        let mut seen = [0; 2];
        let mut losses = Vec::new();
        let mut trained = Vec::new();
        for (mut training, seen) in [on_cpu, on_gpu].into_iter().zip(&mut seen) {
            let outcome = training.train(corpus, None, until, &mut |_| {
                *seen += 1;
                true
            });
            losses.push(outcome.unwrap().epochs);
            trained.push(training);
        }
        assert_eq!(seen, [15, 15]);
        for (a, b) in losses[0].iter().zip(&losses[1]) {
            assert!((a.0 - b.0).abs() <= 1e-3 * a.0, "{} {}", a.0, b.0);
        }
        let [a, b] = [0, 1].map(|i| trained[i].han().answers(&documents).unwrap());
        let worst = (&a - &b)
            .iter()
            .fold(0.0_f32, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-3, "{worst:.1e}");
        // The word that no document has stays; all others moved.
        let before = Han::new(trained[0].han().config().clone(), 40).unwrap();
        assert_ne!(before.weights().table(), trained[1].han().weights().table());
        eprintln!("losses {:?}, answers differ by {worst:.1e}", losses[1]);
    }
}

#[test]
fn a_training_on_a_gpu_goes_on_from_a_file_to_the_bit() {
    let Some(device) = device() else { return };
    let mut random = Random(5);
    let documents = documents(&mut random, 40, 40);
    let answers = targets(&mut random, Loss::Squares, 40, 1);
    let answers = Array2::from_shape_vec((40, 1), answers).unwrap();
    let corpus = Corpus {
        documents: &documents,
        targets: answers.view(),
        weights: None,
    };
    let config = Config {
        batch: 9,
        dropout: 0.1,
        ..network(1, Loss::Squares, 40).config().clone()
    };
    let until = Until {
        epochs: 2,
        patience: None,
    };
    let mut whole = Training::new(Han::new(config, 40).unwrap()).on(&device);
    let mut part = whole.clone();
    whole.train(corpus, None, until, &mut |_| true).unwrap();
    let mut batches = 0;
    part.train(corpus, None, until, &mut |_| {
        batches += 1;
        batches < 7
    })
    .unwrap();
    let bytes = part.to_bytes().unwrap();
    let path = std::path::Path::new("a.safetensors");
    let mut part = Training::from_bytes(&bytes, path).unwrap().on(&device);
    part.train(corpus, None, until, &mut |_| true).unwrap();
    assert!(part.to_bytes().unwrap() == whole.to_bytes().unwrap());
}
