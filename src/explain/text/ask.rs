//! What a model is asked for: coalitions of many documents in the same calls.

use std::collections::HashMap;

use ndarray::Array2;
use rayon::prelude::*;

use super::Composer;
use crate::error::Result;
use crate::text::Teacher;

/// Bytes of the texts of a call, about, at most.
const BYTES: usize = 16 << 20;

/// Coalitions of players: a bit for each player, from the lowest of the first word on.
#[derive(Debug)]
pub(super) struct Masks {
    pub(super) players: usize,
    words: usize,
    count: usize,
    bits: Vec<u32>,
}

impl Masks {
    pub(super) fn new(players: usize) -> Self {
        Self::of(players, players.div_ceil(32), Vec::new(), 0)
    }

    /// Of coalitions of so many words each.
    pub(super) fn of(players: usize, words: usize, bits: Vec<u32>, count: usize) -> Self {
        Self {
            players,
            words,
            count,
            bits,
        }
    }

    pub(super) fn push(&mut self, is_member: impl Fn(usize) -> bool) {
        let start = self.bits.len();
        self.bits.resize(start + self.words, 0);
        for player in (0..self.players).filter(|&player| is_member(player)) {
            self.bits[start + player / 32] |= 1 << (player % 32);
        }
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn has(&self, coalition: usize, player: usize) -> bool {
        self.bits[coalition * self.words + player / 32] >> (player % 32) & 1 == 1
    }
}

/// The coalitions of a document's players that the model is asked for.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) composer: &'a Composer<'a>,
    /// By player, its words.
    pub(super) players: Vec<Vec<u32>>,
    pub(super) masks: Masks,
}

impl<'a> Plan<'a> {
    pub(super) fn new(composer: &'a Composer<'a>, players: Vec<Vec<u32>>, masks: Masks) -> Self {
        Self {
            composer,
            players,
            masks,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.masks.len()
    }

    fn text(&self, coalition: usize) -> String {
        let mut present = vec![false; self.composer.document().words().len()];
        for (player, words) in self.players.iter().enumerate() {
            if self.masks.has(coalition, player) {
                for &word in words {
                    present[word as usize] = true;
                }
            }
        }
        self.composer.text(&present)
    }
}

/// The answers (coalition, output) to each plan. A text that is there twice in a call is asked for once.
pub(super) fn ask(
    teacher: &Teacher,
    plans: &[&Plan<'_>],
    batch: usize,
) -> Result<Vec<Array2<f64>>> {
    let outputs = teacher.outputs().len();
    let mut answers: Vec<Array2<f64>> = (plans.iter())
        .map(|plan| Array2::zeros((plan.len(), outputs)))
        .collect();
    let mut questions = (plans.iter().enumerate())
        .flat_map(|(place, plan)| (0..plan.len()).map(move |coalition| (place, coalition)))
        .peekable();
    while questions.peek().is_some() {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while some.len() < batch && (some.is_empty() || bytes < BYTES) {
            let Some((place, coalition)) = questions.next() else {
                break;
            };
            bytes += plans[place].composer.document().text().len();
            some.push((place, coalition));
        }
        let texts: Vec<String> = (some.par_iter())
            .map(|&(place, coalition)| plans[place].text(coalition))
            .collect();
        let mut rows: HashMap<&str, usize> = HashMap::with_capacity(texts.len());
        let mut distinct: Vec<&str> = Vec::with_capacity(texts.len());
        let row_of: Vec<usize> = (texts.iter())
            .map(|text| {
                *rows.entry(text).or_insert_with(|| {
                    distinct.push(text);
                    distinct.len() - 1
                })
            })
            .collect();
        let said = teacher.answer(&distinct)?;
        for ((place, coalition), row) in some.into_iter().zip(row_of) {
            answers[place].row_mut(coalition).assign(&said.row(row));
        }
    }
    Ok(answers)
}
