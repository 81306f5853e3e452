//! Which row gives its cells to which.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::random::{SplitMix64, mix};

/// Rows that may give their cells to each other.
#[derive(Debug, Clone)]
pub(super) struct Strata {
    /// The rows, those of a stratum side by side, in their order; `None` for all rows in one stratum.
    rows: Option<Vec<u32>>,
    /// The end of each stratum among them.
    ends: Vec<usize>,
}

impl Strata {
    /// Of so many rows, and for each the number of its stratum.
    pub(super) fn new(rows: usize, strata: Option<&[u32]>) -> Result<Self> {
        let Some(strata) = strata else {
            return Ok(Self {
                rows: None,
                ends: vec![rows],
            });
        };
        if strata.len() != rows {
            return Err(Error::Shape {
                what: "strata".to_owned(),
                expected: format!("one for each of {rows} rows"),
                got: strata.len().to_string(),
            });
        }
        let mut order: Vec<u32> = (0..rows as u32).collect();
        // Stable: within a stratum, rows keep their order.
        order.sort_by_key(|&row| strata[row as usize]);
        let is_last = |place: &usize| {
            let next = order.get(place + 1);
            next.is_none_or(|&next| strata[next as usize] != strata[order[*place] as usize])
        };
        let ends = (0..rows).filter(is_last).map(|place| place + 1).collect();
        Ok(Self {
            rows: Some(order),
            ends,
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// By row the one that gives it its cells. It depends on the seed, the place of the column and the repeat alone.
    pub(super) fn permutation(&self, seed: u64, place: usize, repeat: usize) -> Vec<u32> {
        let stream = mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ place as u64);
        let mut random = SplitMix64::new(mix(stream ^ (repeat as u64) << 32));
        let rows = self.ends.last().copied().unwrap_or(0);
        let mut from: Vec<u32> = match &self.rows {
            Some(rows) => rows.clone(),
            None => (0..rows as u32).collect(),
        };
        let mut start = 0;
        for &end in &self.ends {
            // Fisher and Yates, as Durstenfeld has it.
            for last in (start + 1..end).rev() {
                from.swap(last, start + random.below(last - start + 1));
            }
            start = end;
        }
        let Some(rows) = &self.rows else {
            return from;
        };
        let mut permutation = vec![0; from.len()];
        for (&to, from) in rows.iter().zip(from) {
            permutation[to as usize] = from;
        }
        permutation
    }
}

/// The permutation of rows that a repeat of [`super::explain_permutation`] takes for the column in this place, or the
/// group whose first column it is: by row, the one that gives it its cells.
///
/// # Errors
/// [`Error::Shape`] for strata of another length.
pub fn permutation(
    rows: usize,
    seed: u64,
    place: usize,
    repeat: usize,
    strata: Option<&[u32]>,
) -> Result<Vec<u32>> {
    Ok(Strata::new(rows, strata)?.permutation(seed, place, repeat))
}

/// A number for each row, the same for rows that have the same cells in all of these columns; NaN is a cell like others.
pub fn strata_of(columns: &[&[f64]]) -> Vec<u32> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut numbers: HashMap<Vec<u64>, u32> = HashMap::new();
    let bits = |cell: f64| if cell.is_nan() { f64::NAN } else { cell + 0.0 }.to_bits();
    (0..rows)
        .map(|row| {
            let key: Vec<u64> = columns.iter().map(|column| bits(column[row])).collect();
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{permutation, strata_of};

    #[test]
    fn every_row_gives_its_cells_once_and_within_its_stratum() {
        let strata: Vec<u32> = (0..101).map(|row| row % 7 * 3).collect();
        for strata in [None, Some(&*strata)] {
            for place in 0..4 {
                let order = permutation(101, 5, place, 2, strata).expect("it fits");
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..101).collect::<Vec<_>>());
                if let Some(strata) = strata {
                    let stays = |(row, &from): (usize, &u32)| strata[row] == strata[from as usize];
                    assert!(order.iter().enumerate().all(stays));
                }
            }
        }
        let of =
            |seed, place, repeat| permutation(101, seed, place, repeat, None).expect("it fits");
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        assert_ne!(of(1, 2, 3), of(1, 3, 2));
        assert_ne!(of(1, 2, 3), of(1, 2, 4));
        assert_ne!(of(1, 2, 3), of(2, 2, 3));
        assert!(permutation(101, 0, 0, 0, Some(&[1])).is_err());
    }

    #[test]
    fn permutations_are_uniform() {
        // Of three rows there are six orders; 6000 draws leave each within five standard deviations of 1000.
        let mut counts = std::collections::HashMap::new();
        for repeat in 0..6000 {
            let order = permutation(3, 9, 0, repeat, None).expect("it fits");
            *counts.entry(order).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (855..1145).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn strata_are_rows_of_the_same_cells() {
        let (a, b) = (
            [0.0, -0.0, f64::NAN, 1.0, f64::NAN],
            [2.0, 2.0, 3.0, 2.0, 3.0],
        );
        assert_eq!(strata_of(&[&a, &b]), [0, 0, 1, 2, 1]);
    }
}
