//! Synthetic rows of a coalition, for models that are asked: background rows with cells of an explained row.

use crate::simd::{Level, Simd, instances};

/// Rows that are written together: their cells fill whole vectors, whatever the number of features.
const TOGETHER: usize = 8;

/// Appends background rows to `to` with the bits of `kept` of their cells, and those that are `given`, by column.
/// There is at least one column.
pub fn run(level: Level, rows: &[f64], kept: &[u64], given: &[u64], to: &mut Vec<f64>) {
    to.reserve(rows.len());
    blend(
        level,
        rows,
        &kept.repeat(TOGETHER),
        &given.repeat(TOGETHER),
        to,
    );
}

instances! { wide
    fn blend = blend_rows(rows: &[f64], kept: &[u64], given: &[u64], to: &mut Vec<f64>)
}

#[inline(always)]
fn blend_rows<S: Simd>(rows: &[f64], kept: &[u64], given: &[u64], to: &mut Vec<f64>) {
    for rows in rows.chunks(kept.len()) {
        let cells = rows.iter().zip(kept).zip(given);
        to.extend(cells.map(|((cell, kept), given)| f64::from_bits(cell.to_bits() & kept | given)));
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::simd::Level;

    #[test]
    fn cells_are_kept_or_given_column_by_column() {
        for columns in [1, 3, 8, 30] {
            let rows: Vec<f64> = (0..columns * 21).map(|cell| cell as f64 - 7.5).collect();
            let is_given = |column: usize| column % 3 == 1;
            let kept: Vec<u64> = (0..columns)
                .map(|c| if is_given(c) { 0 } else { u64::MAX })
                .collect();
            let given: Vec<u64> = kept.iter().map(|kept| !kept & f64::NAN.to_bits()).collect();
            for level in Level::available() {
                let mut got = vec![1.0];
                run(level, &rows, &kept, &given, &mut got);
                assert_eq!(got.len(), 1 + rows.len());
                for (at, (got, cell)) in got[1..].iter().zip(&rows).enumerate() {
                    let expected = if is_given(at % columns) {
                        f64::NAN
                    } else {
                        *cell
                    };
                    assert_eq!(
                        got.to_bits(),
                        expected.to_bits(),
                        "{columns} columns, cell {at}"
                    );
                }
            }
        }
    }
}
