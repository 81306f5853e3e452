//! Vectors of words: looked up in a table, and what is asked of them summed word by word.
//! Twin: `shaders/vectors.wgsl`
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::matrix::{Matrix, Rows};

bindings! {
    places: Read,
    x: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Rows, or words.
        count,
        /// Numbers of a vector.
        width,
        /// 1 to sum what is asked, by word.
        sums,
        /// Where the words' offsets begin.
        offsets,
        /// Where their rows begin.
        rows,
        /// Where what is written begins.
        start,
    }
}

/// A word that is left out: its vector is 0, and nothing is asked of it.
pub const NONE: u32 = u32::MAX;

/// The words of a batch, each once, and where they are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// In rising order, without [`NONE`].
    pub words: Vec<u32>,
    /// Of word w: the places from `offsets[w]` on.
    pub offsets: Vec<u32>,
    /// Rows.
    pub rows: Vec<u32>,
}

impl Places {
    /// Of the words of rows.
    pub fn new(words: &[u32]) -> Self {
        let mut rows: Vec<u32> = (0..words.len() as u32).collect();
        rows.retain(|&row| words[row as usize] != NONE);
        rows.sort_by_key(|&row| words[row as usize]);
        let mut places = Self {
            words: Vec::new(),
            offsets: Vec::new(),
            rows,
        };
        for (place, &row) in (0..).zip(&places.rows) {
            let word = words[row as usize];
            if places.words.last() != Some(&word) {
                places.words.push(word);
                places.offsets.push(place);
            }
        }
        places.offsets.push(places.rows.len() as u32);
        places
    }
}

/// Writes the vectors of words, of `width` numbers, times `scale`, into the rows of `x`.
pub fn look_up(table: &[f32], width: usize, words: &[u32], scale: f32, x: &mut Matrix) {
    for (row, &word) in words.iter().enumerate() {
        let to = &mut x.row_mut(row)[..width];
        if word == NONE {
            to.fill(0.0);
        } else {
            let vector = &table[word as usize * width..][..width];
            for (to, number) in to.iter_mut().zip(vector) {
                *to = scale * number;
            }
        }
    }
}

/// Writes what is asked of each word of `places`, (word, `width` numbers): the sums over its rows, in their order.
pub fn sum_places(places: &Places, width: usize, asked: Rows<'_>, sums: &mut [f32]) {
    for (ends, sums) in places.offsets.windows(2).zip(sums.chunks_mut(width)) {
        sums.fill(0.0);
        for &row in &places.rows[ends[0] as usize..ends[1] as usize] {
            let asked = &asked.numbers[row as usize * asked.stride..][..width];
            for (sum, asked) in sums.iter_mut().zip(asked) {
                *sum += asked;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NONE, Places, look_up, sum_places};
    use crate::matrix::Matrix;

    #[test]
    fn words_are_looked_up_and_summed() {
        let words = [2, 0, NONE, 2];
        let mut x = Matrix::default();
        x.reset(4, 2);
        look_up(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &words, 0.5, &mut x);
        assert_eq!(x.row(0)[..2], [2.5, 3.0]);
        assert_eq!(x.row(2)[..2], [0.0, 0.0]);
        let places = Places::new(&words);
        assert_eq!(places.words, [0, 2]);
        let mut sums = [9.0; 4];
        sum_places(&places, 2, x.from(0), &mut sums);
        assert_eq!(sums, [0.5, 1.0, 5.0, 6.0]);
        assert_eq!(Places::new(&[NONE]).words, [0; 0]);
    }
}
