//! Kernel SHAP in two steps, for documents of more words than coalitions can be asked for: of passages, and then of the
//! words in the passages that matter most.
//!
//! Passages are the sentences; sentences of more than 128 words are divided, and neighbours are joined where there would be
//! too many. What a word adds is measured along walks: from some of the other passages, as Shapley's value draws them, the
//! words of its own passage join one by one, in a random order. Its mean is Owen's value for the passages as unions (Owen
//! 1977, "Values of games with a priori unions"), and the values of a passage's words are moved evenly so that they add up
//! to the passage's own. Walks come in pairs, of an order with some passages, and the order reversed with the others; the
//! standard error is that of the pairs, with a share of the passage's.
//!
//! Passages are taken in the order of the sum of their |value| over the outputs, for as long as there are texts left to ask
//! for. The words of the others share the value of their passage evenly, as one player.

use ndarray::Array2;
use rayon::prelude::*;

use super::ask::{Masks, Plan, ask};
use super::{Game, Solved, TextOptions};
use crate::error::Result;
use crate::random::{SplitMix64, mix};
use crate::text::{Document, Teacher};

/// Words of a passage that is divided no more, passages at most, and walks along a passage at the least.
const WORDS: usize = 128;
const PASSAGES: usize = 512;
const WALKS: usize = 8;

/// Texts of a document where nobody says how many.
const SAMPLES: usize = 4096;

fn samples(document: &Document, options: &TextOptions) -> usize {
    let words = document.words().len();
    options
        .samples
        .map_or((2048 + 2 * words).min(SAMPLES), |samples| samples as usize)
}

/// The words of the passages, in order.
pub(super) fn passages(document: &Document, options: &TextOptions) -> Vec<Vec<u32>> {
    let mut passages: Vec<Vec<u32>> = Vec::new();
    for sentence in document.sentences() {
        let words: Vec<u32> = (sentence.words.start as u32..sentence.words.end as u32).collect();
        let parts = words.len().div_ceil(WORDS).max(1);
        passages.extend(
            words
                .chunks(words.len().div_ceil(parts).max(1))
                .map(<[u32]>::to_vec),
        );
    }
    // An estimate takes six texts for each player at the least; half of them are for the words.
    let most = (samples(document, options) / 12).clamp(2, PASSAGES);
    let together = passages.len().div_ceil(most).max(1);
    passages
        .chunks(together)
        .map(<[Vec<u32>]>::concat)
        .collect()
}

/// Pairs of coalitions of passages: a quarter of the texts, and three for each passage at the least.
pub(super) fn first_pairs(document: &Document, passages: usize, options: &TextOptions) -> u32 {
    (samples(document, options) / 8).max(3 * passages) as u32
}

/// Solves games whose first answers (coalition, output) are given; those of other methods need no more.
pub(super) fn solve(
    teacher: &Teacher,
    games: &[Game<'_>],
    answers: &[Array2<f64>],
    options: &TextOptions,
) -> Result<Vec<Solved>> {
    let mut solved: Vec<Solved> = (games.par_iter().zip(answers))
        .map(|(game, answers)| game.solve(answers, options))
        .collect();
    let walks: Vec<Vec<Walks<'_>>> = (games.par_iter().zip(&solved))
        .map(|(game, solved)| {
            if game.kind.is_hierarchical() {
                choose(game, solved, options)
            } else {
                Vec::new()
            }
        })
        .collect();
    let plans: Vec<&Plan<'_>> = walks.iter().flatten().map(|walks| &walks.plan).collect();
    let mut answers = ask(teacher, &plans, options.batch)?.into_iter();
    for ((game, walks), solved) in games.iter().zip(&walks).zip(&mut solved) {
        if game.kind.is_hierarchical() {
            let found: Vec<Array2<f64>> = answers.by_ref().take(walks.len()).collect();
            refine(solved, walks, &found);
        }
    }
    Ok(solved)
}

/// Walks along the words of a passage.
struct Walks<'a> {
    passage: usize,
    /// By walk, the places of the words in the passage, in the order in which they join.
    orders: Vec<Vec<usize>>,
    plan: Plan<'a>,
}

/// The passages whose words are told apart, and the walks along each.
fn choose<'a>(game: &Game<'a>, solved: &Solved, options: &TextOptions) -> Vec<Walks<'a>> {
    let passages = &game.plan.players;
    let mut left = samples(game.plan.composer.document(), options).saturating_sub(game.plan.len());
    let outputs = solved.answers.len();
    let size = |passage: usize| -> f64 {
        solved.values[passage * outputs..][..outputs]
            .iter()
            .map(|value| value.abs())
            .sum()
    };
    let mut order: Vec<usize> = (0..passages.len())
        .filter(|&passage| passages[passage].len() > 1)
        .collect();
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    // As many walks along all as there are texts for, and some along a few where there are not so many.
    let all: usize = order
        .iter()
        .map(|&passage| passages[passage].len() + 1)
        .sum();
    let walks = (left / all.max(1)).max(WALKS);
    let mut chosen = Vec::new();
    for passage in order {
        let cost = passages[passage].len() + 1;
        let walks = walks.min(left / cost) / 2 * 2;
        if walks < 2 {
            break;
        }
        left -= walks * cost;
        let mut random = SplitMix64::new(mix(game.seed ^ mix(passage as u64 + 1)));
        chosen.push(walk(game, passage, walks, &mut random));
    }
    chosen
}

fn walk<'a>(game: &Game<'a>, passage: usize, walks: usize, random: &mut SplitMix64) -> Walks<'a> {
    let passages = &game.plan.players;
    let words = &passages[passage];
    // The passages play as before, but for this one, in whose place its words do, at the end.
    let mut players: Vec<Vec<u32>> = passages.clone();
    players[passage] = Vec::new();
    players.extend(words.iter().map(|&word| vec![word]));
    let mut orders = Vec::with_capacity(walks);
    let mut masks = Masks::new(players.len());
    for _ in 0..walks / 2 {
        let mut order: Vec<usize> = (0..words.len()).collect();
        for at in 0..words.len() {
            order.swap(at, at + random.below(words.len() - at));
        }
        let share = random.unit();
        let is_there: Vec<bool> = passages.iter().map(|_| random.unit() < share).collect();
        let back: Vec<usize> = order.iter().rev().copied().collect();
        for (order, there) in [(order, true), (back, false)] {
            let mut rank = vec![0; words.len()];
            for (place, &word) in order.iter().enumerate() {
                rank[word] = place;
            }
            for joined in 0..=words.len() {
                masks.push(|player| match player.checked_sub(passages.len()) {
                    Some(word) => rank[word] < joined,
                    None => is_there[player] == there,
                });
            }
            orders.push(order);
        }
    }
    let plan = Plan::new(game.plan.composer, players, masks);
    Walks {
        passage,
        orders,
        plan,
    }
}

/// Puts words in the place of the passages that walks lead along.
fn refine(solved: &mut Solved, walks: &[Walks<'_>], answers: &[Array2<f64>]) {
    let outputs = solved.answers.len();
    let passages = std::mem::take(&mut solved.players);
    let old_values = std::mem::take(&mut solved.values);
    let old_errors = solved.errors.take().unwrap_or_default();
    let mut errors = Vec::new();
    for (passage, words) in passages.into_iter().enumerate() {
        let (values, spread) = (
            &old_values[passage * outputs..][..outputs],
            &old_errors[passage * outputs..][..outputs],
        );
        let Some(place) = walks.iter().position(|walks| walks.passage == passage) else {
            solved.values.extend(values);
            errors.extend(spread);
            solved.players.push(words);
            continue;
        };
        solved.exact = false;
        solved.more += walks[place].plan.len() as u64;
        let (means, deviations) = marginals(&walks[place], &answers[place], words.len(), outputs);
        let count = words.len() as f64;
        for (word, player) in words.into_iter().enumerate() {
            for output in 0..outputs {
                let sum: f64 = means.iter().skip(output).step_by(outputs).sum();
                let at = word * outputs + output;
                solved
                    .values
                    .push(means[at] + (values[output] - sum) / count);
                errors.push(deviations[at].hypot(spread[output] / count));
            }
            solved.players.push(vec![player]);
        }
    }
    solved.errors = Some(errors);
}

/// What the words add on average (word, output), and the standard errors of that, from the means of pairs of walks; with one
/// pair, what the two walks differ by.
fn marginals(
    walks: &Walks<'_>,
    answers: &Array2<f64>,
    words: usize,
    outputs: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (mut sums, mut squares) = (vec![0.0; words * outputs], vec![0.0; words * outputs]);
    let mut first = vec![0.0; words * outputs];
    for (number, order) in walks.orders.iter().enumerate() {
        let start = number * (words + 1);
        for (place, &word) in order.iter().enumerate() {
            for output in 0..outputs {
                let at = word * outputs + output;
                let added = answers[[start + place + 1, output]] - answers[[start + place, output]];
                if number % 2 == 0 {
                    first[at] = added;
                } else {
                    let mean = 0.5 * (first[at] + added);
                    sums[at] += mean;
                    squares[at] += if walks.orders.len() == 2 {
                        (0.5 * (first[at] - added)).powi(2)
                    } else {
                        mean * mean
                    };
                }
            }
        }
    }
    let pairs = (walks.orders.len() / 2) as f64;
    let errors = (sums.iter().zip(&squares))
        .map(|(sum, squares): (&f64, &f64)| {
            if pairs < 2.0 {
                return squares.sqrt();
            }
            let spread = (squares - sum * sum / pairs).max(0.0) / (pairs - 1.0);
            (spread / pairs).sqrt()
        })
        .collect();
    (sums.iter().map(|sum| sum / pairs).collect(), errors)
}
