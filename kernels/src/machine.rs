//! The mean answers of coalitions, of any model that begins with sums or products over players.

use std::ops::Range;

use crate::coalition_sums::{Coalitions, Terms};
use crate::decision::Decision;
use crate::lanes::LANES;
use crate::normalised_units::Norm;
use crate::simd::{Real, Simd};

/// Explained rows that share what a coalition takes from the background while it is at hand.
const TILE: usize = 16;

/// Numbers that stay at hand, in one coalition or more: they fit a cache.
const AT_HAND: usize = 1 << 18;

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
    if let Some(norm) = &games.norm {
        return run_normalised::<S, B>(body, games, norm, range, means);
    }
    let Some(first) = games.background.first() else {
        return;
    };
    let (units, machines) = (first.units(), body.machines());
    let tile = Tile {
        one: vec![B::T::ZERO; units],
        room: vec![[B::T::ZERO; LANES]; body.room()],
        margins: vec![[0.0; LANES]; TILE * machines],
    };
    let of_coalition = games.rows.len() * games.decision.outputs(machines);
    let coalitions = range.zip(means.chunks_exact_mut(of_coalition.max(1)));
    if games.rows.len() > TILE {
        run_many::<S, B>(body, games, tile, coalitions);
    } else {
        run_few::<S, B>(body, games, tile, coalitions);
    }
}

/// Many rows, a tile at a time, each in several coalitions, while what these take from the background is at hand: of
/// a row's terms, coalitions take the same ones again and again.
#[inline(always)]
fn run_many<'a, S: Simd, B: Body>(
    body: &B,
    games: &Games<'_, B::T>,
    mut tile: Tile<B::T>,
    mut coalitions: impl Iterator<Item = (usize, &'a mut [f64])>,
) {
    let (units, blocks) = (tile.one.len().max(1), games.background.len());
    let outputs = games.decision.outputs(body.machines());
    let at_once = (AT_HAND / (LANES * units * blocks)).max(1);
    let mut x = vec![B::T::ZERO; TILE * body.width(units)];
    let mut y = vec![[B::T::ZERO; LANES]; at_once * units * blocks];
    loop {
        let mut some: Vec<_> = coalitions.by_ref().take(at_once).collect();
        if some.is_empty() {
            return;
        }
        for ((coalition, _), y) in some.iter().zip(y.chunks_exact_mut(units * blocks)) {
            let members = games.coalitions.members(*coalition);
            for (block, y) in games.background.iter().zip(y.chunks_exact_mut(units)) {
                block.fill(members, true, y);
            }
        }
        for (number, rows) in games.rows.chunks(TILE).enumerate() {
            let x = &mut x[..rows.len() * body.width(units)];
            let first = number * TILE;
            let of_tile = first * outputs..(first + rows.len()) * outputs;
            for ((coalition, means), y) in some.iter_mut().zip(y.chunks_exact(units * blocks)) {
                tile.fill(body, rows, games.coalitions.members(*coalition), x);
                let means = &mut means[of_tile.clone()];
                for (y, weights) in y.chunks_exact(units).zip(games.weights) {
                    tile.add::<S, B>(body, games.decision, x, y, weights, means);
                }
            }
        }
    }
}

/// A tile of rows at the most, which is at hand in several coalitions while the background passes: of its terms, which
/// are many more, coalitions take the same ones again and again.
#[inline(always)]
fn run_few<'a, S: Simd, B: Body>(
    body: &B,
    games: &Games<'_, B::T>,
    mut tile: Tile<B::T>,
    mut coalitions: impl Iterator<Item = (usize, &'a mut [f64])>,
) {
    let units = tile.one.len();
    let width = (games.rows.len() * body.width(units)).max(1);
    let at_once = (AT_HAND / (LANES * width)).max(1);
    let mut x = vec![B::T::ZERO; at_once * width];
    let mut y = vec![[B::T::ZERO; LANES]; units];
    loop {
        let mut some: Vec<_> = coalitions.by_ref().take(at_once).collect();
        if some.is_empty() {
            return;
        }
        for ((coalition, _), x) in some.iter().zip(x.chunks_exact_mut(width)) {
            tile.fill(body, games.rows, games.coalitions.members(*coalition), x);
        }
        for (block, weights) in games.background.iter().zip(games.weights) {
            for ((coalition, means), x) in some.iter_mut().zip(x.chunks_exact(width)) {
                block.fill(games.coalitions.members(*coalition), true, &mut y);
                tile.add::<S, B>(body, games.decision, x, &y, weights, means);
            }
        }
    }
}

/// Room for what becomes of a tile of rows.
struct Tile<T> {
    one: Vec<T>,
    room: Vec<[T; LANES]>,
    margins: Vec<[f64; LANES]>,
}

impl<T: Real> Tile<T> {
    /// Writes what a coalition's members make of rows, ready for all background rows.
    #[inline(always)]
    fn fill<B: Body<T = T>>(&mut self, body: &B, rows: &[Terms<T>], members: &[u32], x: &mut [T]) {
        let width = body.width(self.one.len());
        for (row, x) in rows.iter().zip(x.chunks_exact_mut(width.max(1))) {
            row.fill(members, false, &mut self.one);
            body.prepare(&self.one, x);
        }
    }

    /// Adds the answers of a tile of rows beside a block of the background to their means.
    #[inline(always)]
    fn add<S: Simd, B: Body<T = T>>(
        &mut self,
        body: &B,
        decision: Decision,
        x: &[T],
        y: &[[T; LANES]],
        weights: &[f64; LANES],
        means: &mut [f64],
    ) {
        let machines = body.machines();
        let outputs = decision.outputs(machines);
        let margins = &mut self.margins[..means.len() / outputs * machines];
        body.margins::<S>(x, y, &mut self.room, margins);
        let of_rows = margins
            .chunks_exact_mut(machines)
            .zip(means.chunks_exact_mut(outputs));
        for (margins, means) in of_rows {
            decision.add::<S>(margins, weights, means);
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
