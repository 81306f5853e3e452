//! Sequences, and the instruction sets against each other.

use super::{Scratch, Sequences, Way, backward, forward};
use crate::Level;
use crate::matmul::Panels;
use crate::matrix::Matrix;

/// A number between −1 and 1.
fn number(i: usize) -> f32 {
    ((i * 7919 + 13) % 2003) as f32 / 1001.5 - 1.0
}

/// States and what is asked of the gates, of both directions in turn.
fn both_ways(level: Level, hidden: usize) -> [Vec<f32>; 2] {
    let sequences = Sequences::new([3, 1, 7, 0, 4]);
    let rows = sequences.rows();
    let (mut recurrent, mut transposed) = (
        Panels::zeros(hidden, 3 * hidden),
        Panels::zeros(3 * hidden, hidden),
    );
    for gate in 0..3 * hidden {
        for unit in 0..hidden {
            let weight = number(gate * hidden + unit) / hidden as f32;
            *recurrent.weight(unit, gate) = weight;
            *transposed.weight(gate, unit) = weight;
        }
    }
    let (mut states, mut asked) = (Matrix::default(), Matrix::default());
    states.reset(rows, 2 * hidden + 16);
    asked.reset(rows, 2 * hidden + 16);
    for (i, x) in asked.numbers_mut().iter_mut().enumerate() {
        *x = number(i + 5);
    }
    let mut of_gates = Vec::new();
    for is_reversed in [false, true] {
        let way = Way {
            hidden,
            is_reversed,
            column: usize::from(is_reversed) * hidden,
        };
        let (mut gates, mut scratch) = (Matrix::default(), Scratch::default());
        gates.reset(rows, Way::gates(hidden));
        for row in 0..rows {
            for column in 0..3 * hidden {
                gates.row_mut(row)[column] = number(row * 3 * hidden + column);
            }
        }
        forward(
            level,
            way,
            &sequences,
            &recurrent,
            &mut gates,
            &mut states,
            &mut scratch,
        );
        backward(
            level,
            way,
            &sequences,
            &transposed,
            &asked,
            &states,
            &mut gates,
            &mut scratch,
        );
        for row in 0..rows {
            of_gates.extend(&gates.row(row)[..4 * hidden]);
        }
    }
    let of_rows = (0..rows).flat_map(|row| &states.row(row)[..2 * hidden]);
    [of_rows.copied().collect(), of_gates]
}

#[test]
fn instruction_sets_agree() {
    for hidden in [1, 16, 18, 50] {
        let expected = both_ways(Level::Portable, hidden);
        for level in Level::available() {
            for (expected, got) in expected.iter().zip(both_ways(level, hidden)) {
                assert_eq!(expected.len(), got.len());
                for (a, b) in expected.iter().zip(got) {
                    assert!((a - b).abs() < 1e-5, "{level:?} {hidden}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn sequences_that_last_come_first() {
    let sequences = Sequences::new([2, 0, 5, 3]);
    assert_eq!(sequences.sorted(), [[2, 5], [7, 3], [0, 2], [2, 0]]);
    assert_eq!(sequences.active, [3, 3, 2, 1, 1]);
    assert_eq!((sequences.rows(), sequences.longest()), (10, 5));
    assert_eq!(sequences.links(false)[0], [0, 1]);
    assert_eq!(sequences.links(true)[1..3], [[3, 2], [4, 3]]);
    assert_eq!(Sequences::new([]).longest(), 0);
}
