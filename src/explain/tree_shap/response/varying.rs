//! Who plays between a row and a background.

use rayon::prelude::*;
use whylight_kernels::coalition_trees::NONE;

use super::{Responses, Row};
use crate::error::{Error, MEMORY, Result};
use crate::explain::method::Found;
use crate::explain::tree_shap::compile::Compiled;

/// The sides of a split that the rows of a background take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    /// The rows do not come here, or the node is a leaf.
    None,
    Left,
    Right,
    Both,
}

/// The players that some split, or some linear leaf, tells apart between a row and some background row.
#[derive(Debug)]
pub(super) struct Varying {
    /// By player, its place among them, or [`NONE`].
    pub(super) places: Vec<u32>,
    /// By place, the player.
    pub(super) players: Vec<u32>,
}

/// The values of the players that vary, (place, output), and their standard errors.
#[derive(Debug)]
pub(super) struct Solved {
    pub(super) values: Vec<f64>,
    pub(super) errors: Vec<f64>,
    pub(super) is_exact: bool,
}

impl Solved {
    pub(super) fn exact(values: Vec<f64>) -> Self {
        Self {
            errors: vec![0.0; values.len()],
            values,
            is_exact: true,
        }
    }
}

impl Varying {
    /// The players of the nodes that tell them apart, and of the columns of linear leaves that do.
    pub(super) fn of(
        compiled: &Compiled,
        parts: impl Fn(usize) -> bool,
        differs: impl Fn(usize) -> bool,
    ) -> Self {
        let mut places = vec![NONE; compiled.players.len()];
        for (n, node) in compiled.forest.nodes.iter().enumerate() {
            if !node.is_leaf() && places[node.feature as usize] == NONE && parts(n) {
                places[node.feature as usize] = 0;
            }
        }
        for (player, column) in compiled.linear_columns() {
            if differs(column) {
                places[player as usize] = 0;
            }
        }
        let mut players = Vec::new();
        for (player, place) in places.iter_mut().enumerate() {
            if *place != NONE {
                *place = players.len() as u32;
                players.push(player as u32);
            }
        }
        Self { places, players }
    }

    /// Writes the values (player, output) of a row, and their standard errors where there is room.
    pub(super) fn write(
        &self,
        row: usize,
        solved: &Solved,
        out: &mut [f32],
        errors: &mut [f32],
    ) -> Result<Found> {
        if solved.values.iter().any(|value| !value.is_finite()) {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: format!("row {}", row + 1),
                reason: "the model's output is no finite number, and cannot be shared among \
                         features"
                    .to_owned(),
            });
        }
        let outputs = solved.values.len() / self.players.len().max(1);
        let mut found = Found {
            exact_rows: u64::from(solved.is_exact),
            estimated_rows: u64::from(!solved.is_exact),
            ..Found::default()
        };
        for (place, &player) in self.players.iter().enumerate() {
            for output in 0..outputs {
                let (from, to) = (place * outputs + output, player as usize * outputs + output);
                let error = solved.errors[from] as f32;
                out[to] = solved.values[from] as f32;
                if let Some(to) = errors.get_mut(to) {
                    *to = error;
                }
                found.standard_error = found.standard_error.max(f64::from(error));
            }
        }
        Ok(found)
    }
}

impl Responses {
    /// The players that vary between a row and the background.
    pub(super) fn varying(&self, compiled: &Compiled, row: Row<'_>) -> Varying {
        let forest = &compiled.forest;
        let parts = |n: usize| {
            let node = &forest.nodes[n];
            let side = match self.sides[n] {
                Sides::None => return false,
                Sides::Both => return true,
                Sides::Left => true,
                Sides::Right => false,
            };
            let cell = row.cells[node.column as usize];
            side != node.test.left(cell, row.thresholds[n], &forest.sets)
        };
        let differs = |column: usize| {
            let shared = self.shared[column];
            shared.is_none_or(|shared| !is_same(shared, row.cells[column]))
        };
        Varying::of(compiled, parts, differs)
    }
}

/// The sides of every split that the background rows of any weight take.
pub(super) fn sides(compiled: &Compiled, background: &[f32]) -> Vec<Sides> {
    let Some(rows) = &compiled.background else {
        return Vec::new();
    };
    let forest = &compiled.forest;
    let thresholds = rows.thresholds(compiled);
    let columns = compiled.columns.len().max(1);
    let side = |n: usize| {
        let node = &forest.nodes[n];
        if node.is_leaf() {
            return Sides::None;
        }
        let mut sides = Sides::None;
        for (cells, &weight) in background.chunks(columns).zip(rows.weights()) {
            if weight == 0.0 {
                continue;
            }
            let cell = cells[node.column as usize];
            let left = node.test.left(cell, thresholds[n], &forest.sets);
            let side = if left { Sides::Left } else { Sides::Right };
            if sides == Sides::None {
                sides = side;
            } else if sides != side {
                return Sides::Both;
            }
        }
        sides
    };
    (0..forest.nodes.len()).into_par_iter().map(side).collect()
}

/// By column that linear leaves read, the cell of all background rows of any weight; `None` if they
/// differ.
pub(super) fn shared(compiled: &Compiled, background: &[f32]) -> Vec<Option<f32>> {
    let columns = compiled.columns.len();
    let mut shared = vec![None; columns];
    let Some(rows) = &compiled.background else {
        return shared;
    };
    for (_, column) in compiled.linear_columns() {
        let cells = background.iter().skip(column).step_by(columns);
        let counted = cells
            .zip(rows.weights())
            .filter(|(_, weight)| **weight != 0.0);
        let mut cells = counted.map(|(&cell, _)| cell);
        let first = cells.next();
        shared[column] = first.filter(|&first| cells.all(|cell| is_same(first, cell)));
    }
    shared
}

/// Whether two cells are equal, or both missing.
fn is_same(a: f32, b: f32) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}
