//! What words add to what a model answers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use ndarray::{Array2, ArrayView1};
use whylight::explain::text::{
    Composer, TextExplanation, TextMethod, TextOptions, TextPlayers, explain_texts,
};
use whylight::text::{Document, Function, Teacher};

/// A model of two outputs that is not additive: the words that it knows, more if "not" is there, and how long the text is.
fn answer(text: &str) -> [f64; 2] {
    let has = |word: &str| {
        f64::from(u8::from(
            text.split(|c: char| !c.is_alphanumeric())
                .any(|w| w == word),
        ))
    };
    let (good, bad, not) = (has("good"), has("bad"), has("not"));
    [
        0.5 + 2.0 * good - bad + 1.5 * not * bad - 3.0 * not * good,
        text.len() as f64 * 0.01,
    ]
}

fn model() -> Teacher {
    teacher(answer)
}

fn teacher<const N: usize>(answer: impl Fn(&str) -> [f64; N] + Send + Sync + 'static) -> Teacher {
    let function = Function::new(move |texts: &[&str]| {
        let rows: Vec<[f64; N]> = texts.iter().map(|text| answer(text)).collect();
        Ok(Array2::from(rows))
    });
    Teacher::new(Arc::new(function), None, "").unwrap()
}

fn explain(teacher: &Teacher, texts: &[&str], options: &TextOptions) -> TextExplanation {
    let documents = texts.iter().map(|text| Document::new(*text)).collect();
    explain_texts(teacher, documents, options, &mut |_| true)
        .unwrap()
        .unwrap()
}

fn with(method: TextMethod) -> TextOptions {
    TextOptions {
        method,
        ..TextOptions::default()
    }
}

/// Shapley values from their definition: the mean over all orders.
fn shapley(players: usize, worth: &dyn Fn(&BTreeSet<usize>) -> f64) -> Vec<f64> {
    fn orders(left: &mut Vec<usize>, order: &mut Vec<usize>, visit: &mut dyn FnMut(&[usize])) {
        if left.is_empty() {
            return visit(order);
        }
        for at in 0..left.len() {
            let player = left.remove(at);
            order.push(player);
            orders(left, order, visit);
            order.pop();
            left.insert(at, player);
        }
    }
    let (mut values, mut count) = (vec![0.0; players], 0.0);
    orders(&mut (0..players).collect(), &mut Vec::new(), &mut |order| {
        let mut members = BTreeSet::new();
        let mut before = worth(&members);
        for &player in order {
            members.insert(player);
            let after = worth(&members);
            values[player] += after - before;
            before = after;
        }
        count += 1.0;
    });
    values.iter().map(|value| value / count).collect()
}

fn near(&found: &ArrayView1<'_, f64>, expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn a_word_that_is_absent_leaves_no_double_space() {
    let document = Document::new(" Not good,  at all!\n\nIs it?<br />Bad ");
    let words: Vec<&str> = (0..document.words().len())
        .map(|word| document.word(word))
        .collect();
    assert_eq!(words, ["Not", "good", "at", "all", "Is", "it", "Bad"]);
    let compose = |mask: Option<&str>, absent: &[&str]| {
        let present: Vec<bool> = words.iter().map(|word| !absent.contains(word)).collect();
        Composer::new(&document, mask).text(&present)
    };
    assert_eq!(compose(None, &[]), document.text());
    assert_eq!(
        compose(None, &["Not"]),
        " good,  at all!\n\nIs it?<br />Bad "
    );
    assert_eq!(
        compose(None, &["good", "at"]),
        " Not ,  all!\n\nIs it?<br />Bad "
    );
    assert_eq!(
        compose(None, &["all", "it"]),
        " Not good,  at !\n\nIs ?<br />Bad "
    );
    // A sentence of which nothing is left goes whole.
    assert_eq!(compose(None, &["Is", "it"]), " Not good,  at all!\n\nBad ");
    assert_eq!(compose(None, &words), "");
    assert_eq!(
        compose(Some("[MASK]"), &["good", "Bad"]),
        " Not [MASK],  at all!\n\nIs it?<br />[MASK] "
    );
}

#[test]
fn values_of_short_texts_are_those_of_the_definition() {
    let texts = [
        "Not a bad one.",
        "good, not",
        "bad",
        "",
        "... !",
        "not good \u{1F600} bad. not bad",
    ];
    for (players, mask) in [
        (TextPlayers::Words, None),
        (TextPlayers::Distinct, Some("UNKWORDZ")),
        (TextPlayers::Sentences, None),
    ] {
        let options = TextOptions {
            players,
            mask: mask.map(str::to_owned),
            ..with(TextMethod::Kernel)
        };
        let explained = explain(&model(), &texts, &options);
        assert_eq!(explained.output_names, ["output 0", "output 1"]);
        for (found, text) in explained.documents.iter().zip(texts) {
            let document = Document::new(text);
            assert!(found.exact && found.method == TextMethod::Kernel);
            for output in 0..2 {
                let worth = |members: &BTreeSet<usize>| {
                    let mut present = vec![false; document.words().len()];
                    for &player in members {
                        found.players[player]
                            .iter()
                            .for_each(|&word| present[word as usize] = true);
                    }
                    answer(&Composer::new(&document, mask).text(&present))[output]
                };
                let expected = shapley(found.players.len(), &worth);
                near(&found.values.column(output), &expected, 1e-12);
                let sum = found.base_values[output] + found.word_values().column(output).sum();
                assert!((sum - found.answers[output]).abs() < 1e-12);
                assert!((found.answers[output] - answer(text)[output]).abs() < 1e-15);
                let sentences = found.sentence_values().column(output).sum();
                assert!((sentences + found.base_values[output] - sum).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn values_depend_neither_on_other_documents_nor_on_batches() {
    let long = "not good, a bad film and so on and on it goes. ".repeat(3);
    let texts = ["good one", &long, "bad one"];
    for method in [
        TextMethod::Kernel,
        TextMethod::Hierarchical,
        TextMethod::Lime,
        TextMethod::LeaveOneOut,
        TextMethod::Random,
    ] {
        let options = TextOptions {
            samples: Some(400),
            seed: 3,
            ..with(method)
        };
        let together = explain(&model(), &texts, &options);
        let small = TextOptions {
            batch: 7,
            ..options.clone()
        };
        for (place, text) in texts.iter().enumerate() {
            let alone = explain(&model(), &[text], &small);
            assert_eq!(
                alone.documents[0].values, together.documents[place].values,
                "{method:?}"
            );
            assert_eq!(
                alone.documents[0].players,
                together.documents[place].players
            );
            assert_eq!(
                alone.documents[0].base_values,
                together.documents[place].base_values
            );
        }
        if matches!(
            method,
            TextMethod::Hierarchical | TextMethod::Lime | TextMethod::Random
        ) {
            let other = explain(&model(), &texts, &TextOptions { seed: 4, ..options });
            assert_ne!(
                other.documents[1].values, together.documents[1].values,
                "{method:?}"
            );
        }
    }
}

#[test]
fn estimates_of_an_additive_model_are_exact_and_of_others_within_their_errors() {
    let text = "the film was good and the end was not bad, or was it good after all that we had seen before";
    let additive = teacher(|text| [text.split(' ').filter(|w| *w == "good").count() as f64]);
    let found = explain(&additive, &[text], &with(TextMethod::Kernel));
    let document = &found.documents[0];
    assert!(!document.exact);
    for (word, value) in document.word_values().column(0).iter().enumerate() {
        let expected = f64::from(u8::from(document.document.word(word) == "good"));
        assert!((value - expected).abs() < 1e-9, "{word}: {value}");
    }
    assert!(
        found.documents[0].texts <= 2200 && found.texts <= 2200,
        "{}",
        found.texts
    );
    let found = &explain(&model(), &[text], &with(TextMethod::Kernel)).documents[0];
    let values = found.word_values();
    let errors = found.word_errors().unwrap();
    // Of the first output only "good" twice, "bad" and "not" matter: a game of four players.
    let players = [3, 8, 9, 13];
    let worth = |members: &BTreeSet<usize>| {
        let has = |word: usize| members.contains(&word);
        let with = |yes: bool, word: &'static str| if yes { word } else { "" };
        let text = [
            with(has(0) || has(3), "good"),
            with(has(1), "not"),
            with(has(2), "bad"),
        ];
        answer(&text.join(" "))[0]
    };
    let expected = shapley(4, &worth);
    for (word, value) in values.column(0).iter().enumerate() {
        let expected = players
            .iter()
            .position(|&player| player == word)
            .map_or(0.0, |at| expected[at]);
        let error = errors[[word, 0]];
        assert!(
            (value - expected).abs() <= 5.0 * error + 1e-9,
            "{word}: {value} is not {expected} ± {error}"
        );
    }
}

#[test]
fn lime_is_the_ridge_regression_of_its_samples() {
    let text = "this film was not good, but not bad either: one of the better ones";
    for features in [None, Some(4)] {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let teacher = teacher(move |text: &str| {
            seen.lock().unwrap().push(text.to_owned());
            answer(text)
        });
        let options = TextOptions {
            samples: Some(300),
            // No two samples become one.
            mask: Some("#".to_owned()),
            features,
            seed: 5,
            ..with(TextMethod::Lime)
        };
        let found = explain(&teacher, &[text], &options);
        let document = &found.documents[0];
        let players = document.players.len();
        assert_eq!(players, 13, "\"not\" is one player");
        // Texts that are there twice were asked for once: the samples are drawn again as they are drawn.
        let texts: Vec<String> = asked.lock().unwrap()[1..].to_vec();
        assert!(texts.len() <= 300 && found.texts == texts.len() as u64 && document.texts == 300);
        let options = TextOptions {
            batch: 1,
            ..options
        };
        asked.lock().unwrap().clear();
        let again = explain(&teacher, &[text], &options);
        near(
            &again.documents[0].values.column(0),
            &document.values.column(0).to_vec(),
            1e-15,
        );
        let texts: Vec<String> = asked.lock().unwrap().clone();
        assert_eq!(texts.len(), 300);
        assert_eq!(texts[0], text);
        let rows: Vec<Vec<f64>> = texts
            .iter()
            .map(|text| {
                let words: Vec<&str> = text
                    .split([' ', ',', ':'])
                    .filter(|word| !word.is_empty())
                    .collect();
                document
                    .players
                    .iter()
                    .map(|player| f64::from(u8::from(words[player[0] as usize] != "#")))
                    .collect()
            })
            .collect();
        assert!(rows[1..].iter().all(|row| row.contains(&0.0)));
        let weights: Vec<f64> = rows
            .iter()
            .map(|row| {
                let there: f64 = row.iter().sum();
                let distance = 100.0 * (1.0 - (there / players as f64).sqrt());
                (-distance * distance / 625.0).exp().sqrt()
            })
            .collect();
        for output in 0..2 {
            let y: Vec<f64> = texts.iter().map(|text| answer(text)[output]).collect();
            let mut used: Vec<usize> = (0..players).collect();
            if let Some(most) = features {
                let (slopes, _) = ridge(&rows, &y, &weights, &used, 0.01);
                used.sort_by(|&a, &b| slopes[b].abs().total_cmp(&slopes[a].abs()));
                used.truncate(most);
            }
            let (slopes, intercept) = ridge(&rows, &y, &weights, &used, 1.0);
            near(&document.values.column(output), &slopes, 1e-9);
            assert!((document.base_values[output] - intercept).abs() < 1e-9);
            let mean = weighted(&y, &weights);
            let (mut left, mut all) = (0.0, 0.0);
            for ((row, y), weight) in rows.iter().zip(&y).zip(&weights) {
                let fit: f64 = intercept + row.iter().zip(&slopes).map(|(a, b)| a * b).sum::<f64>();
                left += weight * (y - fit).powi(2);
                all += weight * (y - mean).powi(2);
            }
            let fit = document.local_fit.as_ref().unwrap()[output];
            assert!((fit - (1.0 - left / all)).abs() < 1e-9);
        }
    }
}

fn weighted(numbers: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = numbers
        .iter()
        .zip(weights)
        .map(|(number, weight)| number * weight)
        .sum();
    sum / weights.iter().sum::<f64>()
}

/// Ridge regression with an intercept that is not penalised, by elimination; the slopes of all columns, 0 of those that
/// are not used.
fn ridge(
    rows: &[Vec<f64>],
    y: &[f64],
    weights: &[f64],
    used: &[usize],
    penalty: f64,
) -> (Vec<f64>, f64) {
    let n = used.len() + 1;
    let mut system = vec![vec![0.0; n + 1]; n];
    for ((row, y), weight) in rows.iter().zip(y).zip(weights) {
        let mut cells: Vec<f64> = used.iter().map(|&column| row[column]).collect();
        cells.extend([1.0, *y]);
        for i in 0..n {
            for j in 0..=n {
                system[i][j] += weight * cells[i] * cells[j];
            }
        }
    }
    for (i, row) in system.iter_mut().enumerate().take(n - 1) {
        row[i] += penalty;
    }
    for i in 0..n {
        let pivot = (i..n)
            .max_by(|&a, &b| system[a][i].abs().total_cmp(&system[b][i].abs()))
            .unwrap();
        system.swap(i, pivot);
        let pivot = system[i].clone();
        for (k, row) in system.iter_mut().enumerate() {
            if k != i {
                let factor = row[i] / pivot[i];
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(cell, pivot)| *cell -= factor * pivot);
            }
        }
    }
    let solved: Vec<f64> = (0..n).map(|i| system[i][n] / system[i][i]).collect();
    let mut slopes = vec![0.0; rows[0].len()];
    for (&column, slope) in used.iter().zip(&solved) {
        slopes[column] = *slope;
    }
    (slopes, solved[n - 1])
}

#[test]
fn leaving_a_word_out_is_what_the_answer_loses() {
    let text = "not good, bad";
    let found = explain(&model(), &[text, ""], &with(TextMethod::LeaveOneOut));
    let document = &found.documents[0];
    let without = [", bad", "not , bad", "not good, "];
    let composer = Composer::new(&document.document, None);
    for (word, without) in without.into_iter().enumerate() {
        let present: Vec<bool> = (0..3).map(|other| other != word).collect();
        let left = composer.text(&present);
        for output in 0..2 {
            let expected = answer(text)[output] - answer(&left)[output];
            assert!(
                (document.values[[word, output]] - expected).abs() < 1e-15,
                "{without}"
            );
        }
    }
    assert_eq!(document.base_values, answer(""));
    assert_eq!(document.texts, 5);
    assert_eq!(found.documents[1].values.dim(), (0, 2));
}

/// Documents of a few hundred words, in one of whose sentences there is a word that counts.
fn planted() -> Vec<String> {
    (0..10)
        .map(|seed| {
            let mut words: Vec<String> = (0..300_usize)
                .map(|at| {
                    let stop = if at % 12 == 11 { "." } else { "" };
                    format!("word{}{stop}", (at * 7919 + seed * 104_729) % 200)
                })
                .collect();
            words[(seed * 2_654_435) % 300] = "excellent".into();
            words.join(" ")
        })
        .collect()
}

#[test]
fn a_planted_word_comes_first_whatever_the_method() {
    let texts = planted();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let teacher = teacher(|text| [f64::from(u8::from(text.contains("excellent")))]);
    for method in [
        TextMethod::Auto,
        TextMethod::Hierarchical,
        TextMethod::Lime,
        TextMethod::LeaveOneOut,
    ] {
        let options = TextOptions {
            samples: Some(1000),
            ..with(method)
        };
        for document in &explain(&teacher, &texts, &options).documents {
            let values = document.word_values();
            let (first, value) = values.column(0).indexed_iter().fold(
                (0, f64::MIN),
                |(at, most), (word, &value)| {
                    if value > most {
                        (word, value)
                    } else {
                        (at, most)
                    }
                },
            );
            assert_eq!(
                document.document.word(first),
                "excellent",
                "{method:?} {value}"
            );
        }
    }
}

#[test]
fn long_documents_are_explained_by_passages_and_words() {
    // Each word counts by itself, so that values are known whatever the passages are.
    let weight = |word: &str| match word {
        "good" => 1.0,
        "bad" => -0.5,
        _ => 0.0,
    };
    let teacher = teacher(|text| {
        let count = |word: &str| text.matches(word).count() as f64;
        [count("good") - 0.5 * count("bad")]
    });
    for (count, sentence) in [(10_000_usize, 700), (2000, 9), (900, 100_000)] {
        let middle = count / 2 + 20;
        let planted = [17, middle, middle + 3, count - 1, middle + 1];
        let mut text = String::new();
        for at in 0..count {
            match planted.iter().position(|&place| place == at) {
                Some(4) => text.push_str("bad"),
                Some(_) => text.push_str("good"),
                None => write!(text, "W{at}").unwrap(),
            }
            text += if at % sentence == sentence - 1 {
                ". "
            } else {
                " "
            };
        }
        let options = TextOptions {
            method: TextMethod::Kernel,
            samples: Some(3000),
            ..TextOptions::default()
        };
        let document = &explain(&teacher, &[&text], &options).documents[0];
        assert_eq!(document.method, TextMethod::Hierarchical);
        assert!(document.texts <= 3100, "{}", document.texts);
        let mut places: Vec<u32> = document.players.concat();
        places.sort_unstable();
        assert_eq!(places, (0..count as u32).collect::<Vec<u32>>());
        let values = document.word_values();
        assert!(
            (values.sum() - 3.5).abs() < 1e-6,
            "{sentence}: {}",
            values.sum()
        );
        for at in planted {
            let (found, expected) = (values[[at, 0]], weight(document.document.word(at)));
            let alone = document.players.iter().any(|player| player == &[at as u32]);
            assert!(
                alone && (found - expected).abs() < 1e-6,
                "{sentence} {at}: {found}"
            );
        }
    }
}

#[test]
fn the_method_is_what_suits_the_words_and_the_answers() {
    let teacher = teacher(|text| [text.len() as f64]);
    let text =
        |words: usize| (0..words).fold(String::new(), |text, word| text + &format!("w{word} "));
    for (words, samples, expected) in [
        (256, None, TextMethod::Kernel),
        (257, None, TextMethod::Lime),
        (2001, None, TextMethod::Hierarchical),
        (40, Some(300), TextMethod::Kernel),
        (60, Some(300), TextMethod::Lime),
        (60, Some(19), TextMethod::Hierarchical),
        (3, Some(8), TextMethod::Kernel),
    ] {
        let options = TextOptions {
            samples,
            ..TextOptions::default()
        };
        let found = explain(&teacher, &[&text(words)], &options);
        assert_eq!(found.documents[0].method, expected, "{words} {samples:?}");
    }
}

#[test]
fn two_steps_find_the_values_of_unions() {
    // Words of one sentence need each other, and one of another: Owen's values by hand. The quotient game of the two
    // sentences has v(A) = 0, v(B) = 0, v(AB) = 1: each sentence is worth 1/2. In A, "x" and "y" are alike: 1/4 each.
    let teacher = teacher(|text| {
        [f64::from(u8::from(
            ["x", "y", "z"].iter().all(|word| text.contains(word)),
        ))]
    });
    let found = explain(&teacher, &["x y o. Z z."], &with(TextMethod::Hierarchical));
    let values = found.documents[0].word_values();
    let errors = found.documents[0].word_errors().unwrap();
    for (word, expected) in [0.25, 0.25, 0.0, 0.0, 0.5].into_iter().enumerate() {
        let (value, error) = (values[[word, 0]], errors[[word, 0]]);
        assert!(
            (value - expected).abs() <= 5.0 * error + 1e-12,
            "{word}: {value} ± {error}"
        );
        assert!(error < 0.05);
    }
}

#[test]
fn what_has_no_meaning_is_refused_by_name() {
    let refused = |options: TextOptions, texts: &[&str]| {
        let documents = texts.iter().map(|text| Document::new(*text)).collect();
        explain_texts(&model(), documents, &options, &mut |_| true)
            .unwrap_err()
            .to_string()
    };
    let options = TextOptions::default;
    for (error, says) in [
        (refused(options(), &[]), "documents: none is not allowed"),
        (
            refused(
                TextOptions {
                    samples: Some(3),
                    ..options()
                },
                &["a"],
            ),
            "samples: 3",
        ),
        (
            refused(
                TextOptions {
                    batch: 0,
                    ..options()
                },
                &["a"],
            ),
            "batch: 0",
        ),
        (
            refused(
                TextOptions {
                    features: Some(0),
                    ..options()
                },
                &["a"],
            ),
            "features: 0",
        ),
        (
            refused(
                TextOptions {
                    kernel_width: -1.0,
                    ..options()
                },
                &["a"],
            ),
            "kernel_width: -1",
        ),
    ] {
        assert!(error.contains(says), "{error}");
    }
    assert!("best".parse::<TextMethod>().is_err() && "tokens".parse::<TextPlayers>().is_err());
    assert_eq!(
        "leave-one-out".parse::<TextMethod>().unwrap().name(),
        "leave-one-out"
    );
    let stopped = explain_texts(&model(), vec![Document::new("a")], &options(), &mut |_| {
        false
    })
    .unwrap();
    assert!(stopped.is_none());
}
