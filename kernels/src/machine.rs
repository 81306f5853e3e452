//! The mean answers of coalitions, of any model that begins with sums or products over players.

use std::ops::Range;

use crate::coalition_sums::{Coalitions, Terms};
use crate::decision::Decision;
use crate::lanes::LANES;
use crate::normalised_units::Norm;
use crate::simd::{Real, Simd};

/// Explained rows that share what a coalition takes from the background while it is at hand.
const TILE: usize = 16;

/// Explained rows and a background, in the terms of a model.
#[derive(Debug, Clone, Copy)]
pub struct Games<'a, T> {
    /// One for each explained row.
    pub rows: &'a [Terms<T>],
    /// One for every [`LANES`] rows of the background.
    pub background: &'a [Terms<[T; LANES]>],
    /// As many weights; 0 for what fills up the last.
    pub weights: &'a [[f64; LANES]],
    /// The coalitions of all rows.
    pub coalitions: Coalitions<'a>,
    /// What units are divided by, where rows are normalised: the last unit is none of the body's then.
    pub norm: Option<Norm<'a, T>>,
    /// What the model makes of its margins.
    pub decision: Decision,
}

/// What a model does with its units.
pub(crate) trait Body: Sync {
    /// The numbers that it computes with.
    type T: Real;

    fn machines(&self) -> usize;

    /// Numbers of a row that [`Body::margins`] takes.
    fn width(&self, units: usize) -> usize {
        units
    }

    /// Makes the units of a coalition's members ready, once for all background rows.
    #[inline(always)]
    fn prepare(&self, units: &[Self::T], to: &mut [Self::T]) {
        to.copy_from_slice(units);
    }

    /// Room that [`Body::margins`] needs.
    fn room(&self) -> usize {
        0
    }

    /// Writes the margins (row, machine) of explained rows, of which there are `x.len() / width`, beside background
    /// rows.
    fn margins<S: Simd>(
        &self,
        x: &[Self::T],
        y: &[[Self::T; LANES]],
        room: &mut [[Self::T; LANES]],
        margins: &mut [[f64; LANES]],
    );
}

/// Adds the mean answers of a range of coalitions to `means`, laid out (coalition of the range, row, output).
/// Background rows are added in their order, so that a background may come in several calls.
#[inline(always)]
pub(crate) fn run<S: Simd, B: Body>(
    body: &B,
    games: &Games<'_, B::T>,
    range: Range<usize>,
    means: &mut [f64],
) {
    let machines = body.machines();
    let outputs = games.decision.outputs(machines);
    let Some(first) = games.background.first() else {
        return;
    };
    if let Some(norm) = &games.norm {
        return run_normalised::<S, B>(body, games, norm, range, means);
    }
    let units = first.units();
    let width = body.width(units);
    let mut y = vec![[B::T::ZERO; LANES]; units * games.background.len()];
    let (mut one, mut x) = (vec![B::T::ZERO; units], vec![B::T::ZERO; TILE * width]);
    let mut room = vec![[B::T::ZERO; LANES]; body.room()];
    let mut margins = vec![[0.0; LANES]; TILE * machines];
    let means = means.chunks_exact_mut((games.rows.len() * outputs).max(1));
    for (coalition, means) in range.zip(means) {
        let members = games.coalitions.members(coalition);
        for (block, y) in games
            .background
            .iter()
            .zip(y.chunks_exact_mut(units.max(1)))
        {
            block.fill(members, true, y);
        }
        let tiles = games.rows.chunks(TILE);
        for (rows, means) in tiles.zip(means.chunks_mut(TILE * outputs)) {
            for (row, x) in rows.iter().zip(x.chunks_exact_mut(width.max(1))) {
                row.fill(members, false, &mut one);
                body.prepare(&one, x);
            }
            let x = &x[..rows.len() * width];
            let margins = &mut margins[..rows.len() * machines];
            for (y, weights) in y.chunks_exact(units.max(1)).zip(games.weights) {
                body.margins::<S>(x, y, &mut room, margins);
                let of_rows = margins
                    .chunks_exact_mut(machines)
                    .zip(means.chunks_exact_mut(outputs));
                for (margins, means) in of_rows {
                    games.decision.add::<S>(margins, weights, means);
                }
            }
        }
    }
}

/// The same of rows that are normalised: units are made row by row, and the body adds nothing to them.
#[inline(always)]
fn run_normalised<S: Simd, B: Body>(
    body: &B,
    games: &Games<'_, B::T>,
    norm: &Norm<'_, B::T>,
    range: Range<usize>,
    means: &mut [f64],
) {
    let machines = body.machines();
    let outputs = games.decision.outputs(machines);
    let units = norm.start.len();
    let mut y = vec![[B::T::ZERO; LANES]; (units + 1) * games.background.len()];
    let mut x = vec![B::T::ZERO; units + 1];
    let mut nothing = vec![B::T::ZERO; body.width(units)];
    body.prepare(&vec![B::T::ZERO; units], &mut nothing);
    let mut made = vec![[B::T::ZERO; LANES]; units];
    let mut room = vec![[B::T::ZERO; LANES]; body.room()];
    let mut margins = vec![[0.0; LANES]; machines];
    let means = means.chunks_exact_mut((games.rows.len() * outputs).max(1));
    for (coalition, means) in range.zip(means) {
        let members = games.coalitions.members(coalition);
        let blocks = games.background.iter().zip(y.chunks_exact_mut(units + 1));
        for (block, y) in blocks {
            block.fill(members, true, y);
        }
        for (row, means) in games.rows.iter().zip(means.chunks_exact_mut(outputs)) {
            row.fill(members, false, &mut x);
            for (y, weights) in y.chunks_exact(units + 1).zip(games.weights) {
                norm.make(&x, y, &mut made);
                body.margins::<S>(&nothing, &made, &mut room, &mut margins);
                games.decision.add::<S>(&mut margins, weights, means);
            }
        }
    }
}
