//! Pairs as bits: which players are on which side of each, and sums over pairs by tables of eight.

use super::super::draw::Pair;
use super::FOLDS;
use crate::random::mix;

/// Pairs in the order of their folds, eight to a byte; what fills up the last byte of a fold weighs nothing.
#[derive(Debug)]
pub(super) struct Layout {
    /// By pair: its place.
    pub(super) places: Vec<usize>,
    /// The first byte of each fold, and the end.
    ends: Vec<usize>,
    /// By player: a bit for each place, set where the player is not in the coalition.
    players: Vec<Vec<u8>>,
}

impl Layout {
    pub(super) fn new(players: usize, pairs: &[Pair]) -> Self {
        let folds: Vec<usize> = pairs.iter().map(fold).collect();
        let (mut places, mut ends) = (vec![0; pairs.len()], vec![0]);
        for fold in 0..FOLDS {
            let first = 8 * ends[fold];
            let mut count = 0_usize;
            for (place, _) in places.iter_mut().zip(&folds).filter(|(_, of)| **of == fold) {
                *place = first + count;
                count += 1;
            }
            ends.push(ends[fold] + count.div_ceil(8));
        }
        let mut bits = vec![vec![u8::MAX; ends[FOLDS]]; players];
        for (pair, place) in pairs.iter().zip(&places) {
            for &member in &pair.members {
                bits[member as usize][place / 8] &= !(1 << (place % 8));
            }
        }
        Self {
            places,
            ends,
            players: bits,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.ends[FOLDS]
    }

    /// Numbers of pairs by place; 0 where there is none.
    pub(super) fn spread(&self, of_pairs: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut spread = vec![0.0; 8 * self.bytes()];
        for (place, number) in self.places.iter().zip(of_pairs) {
            spread[*place] = number;
        }
        spread
    }

    pub(super) fn player(&self, player: usize) -> &[u8] {
        &self.players[player]
    }

    /// The bytes of a fold.
    pub(super) fn of_fold(&self, fold: usize) -> std::ops::Range<usize> {
        self.ends[fold]..self.ends[fold + 1]
    }

    /// The fold of a place.
    pub(super) fn fold_of(&self, place: usize) -> usize {
        self.ends[1..FOLDS].partition_point(|&end| end <= place / 8)
    }
}

/// The fold of a pair, which is that of its coalition wherever it stands.
fn fold(pair: &Pair) -> usize {
    let members = pair.members.iter();
    let number = members.fold(0, |number, &member| mix(number ^ u64::from(member + 1)));
    number as usize % FOLDS
}

/// By byte: the sum of eight numbers, each taken from it where its bit is set.
pub(super) fn table(numbers: &[f64]) -> [f64; 256] {
    let mut table = [0.0; 256];
    table[0] = numbers.iter().sum();
    for (bit, number) in numbers.iter().enumerate() {
        for byte in 0..1 << bit {
            table[(1 << bit) + byte] = table[byte] - 2.0 * number;
        }
    }
    table
}

/// [`table`] of every eight numbers.
pub(super) fn tables(numbers: &[f64]) -> Vec<[f64; 256]> {
    numbers.chunks(8).map(table).collect()
}

/// Adds a number to eight, or takes it from those whose bits are set.
pub(super) fn add_signed(byte: u8, number: f64, to: &mut [f64]) {
    for (bit, to) in to.iter_mut().enumerate() {
        *to += if byte >> bit & 1 == 1 {
            -number
        } else {
            number
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{add_signed, table};

    #[test]
    fn tables_have_the_signed_sums_of_all_bytes() {
        let numbers = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
        let table = table(&numbers);
        for byte in 0..=u8::MAX {
            assert_eq!(table[usize::from(byte)], 255.0 - 2.0 * f64::from(byte));
            let mut signs = [0.0; 8];
            add_signed(byte, 1.0, &mut signs);
            let sum: f64 = signs.iter().zip(&numbers).map(|(a, b)| a * b).sum();
            assert_eq!(table[usize::from(byte)], sum);
        }
    }
}
