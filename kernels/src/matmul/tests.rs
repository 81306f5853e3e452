//! Products against their definition, in float64.

use super::{Panels, multiply, outer, sum_rows};
use crate::Level;
use crate::matrix::Matrix;

/// A number between −1 and 1.
fn number(i: usize) -> f32 {
    ((i * 7919 + 13) % 2003) as f32 / 1001.5 - 1.0
}

fn filled(rows: usize, width: usize, seed: usize) -> Matrix {
    let mut matrix = Matrix::default();
    matrix.reset(rows, width);
    for row in 0..rows {
        for column in 0..width {
            matrix.row_mut(row)[column] = number(seed + row * width + column);
        }
    }
    matrix
}

#[test]
fn products_are_those_of_their_definition() {
    for level in Level::available() {
        for (rows, inputs, outputs) in [
            (1, 1, 1),
            (7, 50, 150),
            (13, 3, 17),
            (6, 20, 100),
            (3, 5, 64),
        ] {
            let x = filled(rows, inputs, 1);
            let mut panels = Panels::zeros(inputs, outputs);
            for output in 0..outputs {
                *panels.bias(output) = number(output + 5);
                for input in 0..inputs {
                    *panels.weight(input, output) = number(input * outputs + output);
                }
            }
            let mut y = filled(rows, outputs, 3);
            let before = y.clone();
            let stride = y.stride();
            for adds in [false, true] {
                multiply(
                    level,
                    &panels,
                    x.from(0),
                    rows,
                    y.numbers_mut(),
                    stride,
                    adds,
                );
                for row in 0..rows {
                    for output in 0..outputs {
                        let mut sum = f64::from(number(output + 5));
                        for input in 0..inputs {
                            let weight = f64::from(number(input * outputs + output));
                            sum += f64::from(x.row(row)[input]) * weight;
                        }
                        if adds {
                            sum = 2.0 * sum - f64::from(number(output + 5));
                        }
                        let got = f64::from(y.row(row)[output]);
                        assert!((got - sum).abs() < 1e-4, "{level:?} {row} {output}");
                    }
                }
            }
            let mut sums = Panels::zeros(inputs, outputs);
            // Each row of inputs with the row after it.
            let pairs: Vec<[u32; 2]> = (1..rows as u32).map(|row| [row - 1, row]).collect();
            outer(level, &mut sums, x.from(0), before.from(0), &pairs);
            sum_rows(level, &mut sums, before.from(0), rows);
            for output in 0..outputs {
                let column = |row: usize| f64::from(before.row(row)[output]);
                let sum: f64 = (0..rows).map(column).sum();
                assert!((f64::from(*sums.bias(output)) - sum).abs() < 1e-4);
                for input in 0..inputs {
                    let product = |row: usize| f64::from(x.row(row - 1)[input]) * column(row);
                    let sum: f64 = (1..rows).map(product).sum();
                    assert!((f64::from(*sums.weight(input, output)) - sum).abs() < 1e-4);
                }
            }
        }
    }
}
