//! Surrogates of models of text: how well they learn, and what their words say.

use std::sync::Arc;

use ndarray::Array2;
use whylight::Error;
use whylight::explain::text::{SurrogatePlan, TextMethod, TextOptions, explain_texts_by};
use whylight::surrogate::{Surrogate, SurrogateOptions};
use whylight::text::{Document, Function, Teacher};

use crate::support::random::Random;

const FILLERS: [&str; 24] = [
    "the", "film", "was", "a", "story", "of", "some", "people", "who", "go", "to", "town", "and",
    "meet", "others", "in", "rain", "while", "music", "plays", "on", "until", "night", "falls",
];

/// Texts of a few sentences, in some of which a word is planted.
fn texts(count: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    (0..count)
        .map(|_| {
            let planted = random.unit() < 0.5;
            let sentences = 1 + (random.unit() * 4.0) as usize;
            let place = (random.unit() * sentences as f64) as usize;
            let sentence = |sentence: usize, random: &mut Random| {
                let words = 3 + (random.unit() * 8.0) as usize;
                let mut words: Vec<&str> = (0..words)
                    .map(|_| FILLERS[(random.unit() * FILLERS.len() as f64) as usize])
                    .collect();
                if planted && sentence == place {
                    let at = (random.unit() * words.len() as f64) as usize;
                    words.insert(at, "excellent");
                }
                format!("{}.", words.join(" "))
            };
            let all: Vec<String> = (0..sentences).map(|s| sentence(s, &mut random)).collect();
            all.join(" ")
        })
        .collect()
}

fn is_planted(text: &str) -> f64 {
    if text.contains("excellent") {
        0.95
    } else {
        0.1
    }
}

/// Of both classes.
fn classes(texts: &[&str]) -> Array2<f64> {
    Array2::from_shape_fn((texts.len(), 2), |(row, class)| {
        let p = is_planted(texts[row]);
        if class == 1 { p } else { 1.0 - p }
    })
}

fn documents(texts: &[String]) -> Vec<Document> {
    texts.iter().map(Document::new).collect()
}

fn answers(texts: &[String]) -> Array2<f64> {
    classes(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn names() -> Vec<String> {
    vec!["no".to_owned(), "yes".to_owned()]
}

/// Of a small network.
fn options() -> SurrogateOptions {
    let mut options = SurrogateOptions {
        epochs: Some(12),
        patience: None,
        ..SurrogateOptions::default()
    };
    let network = &mut options.network;
    (network.embedding, network.hidden, network.attention) = (12, 8, 8);
    (network.learning_rate, network.batch) = (1e-2, 16);
    options
}

fn trained(texts: &[String], options: &SurrogateOptions) -> Surrogate {
    Surrogate::train(
        &documents(texts),
        &answers(texts),
        names(),
        None,
        options,
        &mut |_| true,
    )
    .unwrap()
}

fn place_of(document: &Document) -> Option<usize> {
    (0..document.words().len()).find(|&word| document.word(word) == "excellent")
}

#[test]
fn a_planted_word_comes_first_with_the_models_answers_and_without() {
    let surrogate = trained(&texts(500, 1), &options());
    let fidelity = surrogate.fidelity();
    assert!(
        fidelity.is_held_out && fidelity.documents == 50,
        "{fidelity:?}"
    );
    assert!(fidelity.agreement.unwrap() >= 0.95, "{fidelity:?}");
    assert!(
        fidelity.r2[1] >= 0.9 && fidelity.divergence.unwrap() < 0.1,
        "{fidelity:?}"
    );
    let others = texts(100, 2);
    let model = Arc::new(Function::new(|texts: &[&str]| Ok(classes(texts))));
    let teacher = Teacher::new(model, Some(names()), "a text").unwrap();
    for samples in [0, 40] {
        let plan = SurrogatePlan {
            samples,
            ..SurrogatePlan::default()
        };
        let teacher = (samples > 0).then_some(&teacher);
        let found = explain_texts_by(
            &surrogate,
            teacher,
            documents(&others),
            &plan,
            &TextOptions::default(),
            &mut |_| true,
        );
        let found = found.unwrap().unwrap();
        let (mut planted, mut first) = (0, 0);
        for values in &found.documents {
            assert_eq!(values.method, TextMethod::Han);
            let words = values.word_values();
            // Both outputs are the same question.
            for word in words.rows() {
                assert!((word[0] + word[1]).abs() < 1e-5, "{word}");
            }
            let attention = values.attention.as_ref().unwrap();
            assert_eq!(attention.words.len(), values.document.words().len());
            assert!((attention.sentences.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            if samples == 0 {
                let sum = values.base_values[1] + words.column(1).sum();
                assert!((sum - values.answers[1]).abs() < 1e-5, "{sum}");
                assert_eq!(values.answers, *values.surrogate_answers.as_ref().unwrap());
            } else {
                assert!((values.answers[1] - is_planted(values.document.text())).abs() < 1e-9);
                assert!(values.local_fit.is_some());
            }
            if let Some(place) = place_of(&values.document) {
                let of = |word: usize| words[[word, 1]];
                let largest = (0..words.nrows()).max_by(|&a, &b| of(a).total_cmp(&of(b)));
                planted += 1;
                first += usize::from(largest == Some(place));
            }
        }
        assert!(
            planted > 30 && first as f64 >= 0.95 * f64::from(planted),
            "{first} of {planted}"
        );
        // What is there twice is asked for once.
        assert_eq!(found.texts > 0, samples > 0);
        assert!(found.texts <= 100 * samples as u64);
    }
}

/// A model that the surrogate knows nothing of: it answers by other words.
#[test]
fn answers_correct_a_surrogate_that_is_wrong() {
    let surrogate = trained(&texts(200, 3), &options());
    let text = "the music plays in town while others meet. people go to the night.";
    let values = |texts: &[&str]| {
        let has = |text: &str, word: &str| f64::from(u8::from(text.contains(word)));
        Array2::from_shape_fn((texts.len(), 2), |(row, class)| {
            let p = 0.2 + 0.5 * has(texts[row], "music") - 0.15 * has(texts[row], "night");
            if class == 1 { p } else { 1.0 - p }
        })
    };
    let model = Arc::new(Function::new(move |texts: &[&str]| Ok(values(texts))));
    let teacher = Teacher::new(model, None, text).unwrap();
    let explain = |samples: usize, seed: u64| {
        let plan = SurrogatePlan {
            samples,
            ..SurrogatePlan::default()
        };
        let options = TextOptions {
            seed,
            ..TextOptions::default()
        };
        let documents = vec![Document::new(text)];
        let found = explain_texts_by(
            &surrogate,
            Some(&teacher),
            documents,
            &plan,
            &options,
            &mut |_| true,
        );
        found.unwrap().unwrap().documents.remove(0)
    };
    let found = explain(200, 0);
    let words = found.word_values();
    for word in 0..words.nrows() {
        let expected = match found.document.word(word) {
            "music" => 0.5,
            "night" => -0.15,
            _ => 0.0,
        };
        assert!(
            (words[[word, 1]] - expected).abs() < 0.02,
            "{word}: {words}"
        );
    }
    assert!((found.base_values[1] - 0.2).abs() < 0.02);
    assert!(found.local_fit.as_ref().unwrap()[1] > 0.98);
    assert_eq!(explain(50, 7).values, explain(50, 7).values);
    assert_ne!(explain(50, 7).values, explain(50, 8).values);
}

#[test]
fn one_probability_and_numbers_are_learned_in_their_own_units() {
    let texts = texts(400, 4);
    let one = answers(&texts).slice(ndarray::s![.., 1..]).to_owned();
    for (scale, shift) in [(1.0, 0.0), (1000.0, -300.0)] {
        let answers = &one * scale + shift;
        let surrogate = Surrogate::train(
            &documents(&texts),
            &answers,
            vec!["score".to_owned()],
            None,
            &options(),
            &mut |_| true,
        )
        .unwrap();
        let fidelity = surrogate.fidelity();
        assert!(fidelity.r2[0] > 0.9, "{fidelity:?}");
        assert_eq!(fidelity.agreement.is_some(), scale == 1.0);
        let found = surrogate.read(&documents(&texts[..20]), 8).unwrap();
        for reading in found {
            let sum = reading.base_values[0] + f64::from(reading.values.sum());
            assert!((sum - reading.answers[0]).abs() < 1e-4 * scale);
        }
    }
}

#[test]
fn a_seed_gives_the_same_surrogate_and_another_seed_another() {
    let texts = texts(120, 5);
    let answer = |seed: u64| {
        let mut options = options();
        (options.epochs, options.network.seed) = (Some(2), seed);
        trained(&texts, &options)
            .answers(&documents(&texts))
            .unwrap()
    };
    assert_eq!(answer(1), answer(1));
    assert_ne!(answer(1), answer(2));
}

#[test]
fn documents_without_known_words_and_without_any_have_answers() {
    let surrogate = trained(&texts(100, 6), &options());
    let documents = documents(&["", "…", "Zyzzyva qwrt 😀 naïve", "excellent"].map(str::to_owned));
    let found = surrogate.read(&documents, 4).unwrap();
    let words: Vec<usize> = found.iter().map(|reading| reading.values.nrows()).collect();
    assert_eq!(words, [0, 0, 4, 1]);
    for reading in &found {
        assert!(reading.answers.iter().all(|answer| answer.is_finite()));
    }
    assert_eq!(found[0].answers, found[0].base_values);
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let texts = texts(30, 7);
    let train = |texts: &[String], answers: &Array2<f64>, options: &SurrogateOptions| {
        let made = Surrogate::train(
            &documents(texts),
            answers,
            names(),
            None,
            options,
            &mut |_| true,
        );
        made.unwrap_err()
    };
    let good = answers(&texts);
    let none = train(&[], &Array2::zeros((0, 2)), &options());
    assert!(none.to_string().contains("no documents"), "{none}");
    let short = train(&texts, &answers(&texts[1..]), &options());
    assert!(matches!(short, Error::Shape { .. }), "{short}");
    let flat = train(&texts, &Array2::from_elem((30, 2), 0.5), &options());
    assert!(flat.to_string().contains("alike"), "{flat}");
    let mut infinite = good.clone();
    infinite[[3, 1]] = f64::NAN;
    let infinite = train(&texts, &infinite, &options());
    assert!(
        infinite.to_string().contains("document 3, output 1"),
        "{infinite}"
    );
    let wordless = vec!["…".to_owned(); 30];
    let wordless = train(&wordless, &good, &options());
    assert!(wordless.to_string().contains("has a word"), "{wordless}");
    let mut all = options();
    all.held_out = 1.0;
    assert!(train(&texts, &good, &all).to_string().contains("held_out"));
}
