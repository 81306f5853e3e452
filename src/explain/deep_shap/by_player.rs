//! What players contribute to rows, and what their values miss the answers by.

use super::{Contributions, Engine};
use crate::error::Result;
use crate::explain::players::Players;

/// Values of rows, with what comes with them.
#[derive(Debug)]
pub(super) struct ByPlayer {
    /// (row, player, output).
    pub(super) values: Vec<f32>,
    /// Their standard errors, of random points; else none.
    pub(super) errors: Vec<f32>,
    /// What base value and values add up to more than the answer, (row, output).
    pub(super) deltas: Vec<f32>,
}

impl ByPlayer {
    /// Of what an engine finds of rows of cells.
    pub(super) fn of(
        engine: &dyn Engine,
        rows: &[&[f64]],
        players: &Players,
        base_values: &[f64],
    ) -> Result<Self> {
        let Contributions {
            sums,
            answers,
            errors,
        } = engine.explain(rows)?;
        let outputs = base_values.len();
        let (of_row, width) = (engine.cells() * outputs, players.len() * outputs);
        let mut made = Self {
            values: Vec::with_capacity(rows.len() * width),
            errors: Vec::new(),
            deltas: Vec::with_capacity(answers.len()),
        };
        for (sums, answers) in sums.chunks(of_row.max(1)).zip(answers.chunks(outputs)) {
            let mut totals = base_values.to_vec();
            let mut values = vec![0.0; width];
            for (sums, &player) in sums.chunks(outputs).zip(&players.of) {
                let values = &mut values[player as usize * outputs..][..outputs];
                for ((sum, value), total) in sums.iter().zip(values).zip(&mut totals) {
                    *value += sum;
                    *total += sum;
                }
            }
            made.values.extend(values.iter().map(|&value| value as f32));
            let deltas = totals.iter().zip(answers);
            let deltas = deltas.map(|(total, answer)| (total - answer) as f32);
            made.deltas.extend(deltas);
        }
        for errors in errors.chunks(of_row.max(1)) {
            let mut squares = vec![0.0; width];
            for (errors, &player) in errors.chunks(outputs).zip(&players.of) {
                let squares = &mut squares[player as usize * outputs..];
                for (square, error) in squares.iter_mut().zip(errors) {
                    *square += error * error;
                }
            }
            let roots = squares.iter().map(|square: &f64| square.sqrt() as f32);
            made.errors.extend(roots);
        }
        Ok(made)
    }
}
