//! Mean answers of coalitions for nearest neighbours.
//! Twin: `shaders/neighbours.wgsl`
//!
//! The distance of a synthetic row and a training row is a sum over features, of which the explained row gives the
//! members of the coalition and a background row the rest; the latter is computed once for all rows.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::lanes::LANES;
use crate::machine::{Body, Games, run as run_games};
use crate::simd::{Simd, instances};

bindings! { x: Read, y: Read, targets: Read, margins: Write }

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Background rows.
        others,
        /// Training rows.
        units,
        /// Numbers of a target.
        outputs,
        /// Coalitions.
        coalitions,
        /// Neighbours.
        neighbours,
        /// [`Weighting::code`].
        weighting,
        /// 0.
        zero,
    }
}

/// Neighbours that an invocation of the shader has room for.
pub const MOST_NEIGHBOURS: usize = 32;

/// How the targets of neighbours are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// All alike.
    Uniform,
    /// By the inverse of the sum over features; of neighbours at 0, these alone.
    Inverse,
    /// By the inverse of its square root; of neighbours at 0, these alone.
    InverseRoot,
}

/// The mean target of the nearest training rows, the first of those that are equally far; each unit is one.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours<'a> {
    /// (training row, output).
    pub targets: &'a [f64],
    /// Numbers of a target.
    pub outputs: usize,
    /// Neighbours, at most as many as there are training rows.
    pub count: usize,
    /// How they are averaged.
    pub weighting: Weighting,
}

impl Weighting {
    /// As the shader knows it.
    pub const fn code(self) -> u32 {
        match self {
            Self::Uniform => 0,
            Self::Inverse => 1,
            Self::InverseRoot => 2,
        }
    }

    fn of(self, sum: f64) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Inverse => 1.0 / sum,
            Self::InverseRoot => 1.0 / sum.sqrt(),
        }
    }
}

impl Neighbours<'_> {
    /// Adds the mean target of neighbours, given their sums, the least first, and their numbers.
    fn answer(&self, sums: &[[f64; LANES]], numbers: &[[f64; LANES]], lane: usize, to: &mut [f64]) {
        let is_at_0 = self.weighting != Weighting::Uniform && sums[0][lane] == 0.0;
        let (mut total, mut means) = (0.0, vec![0.0; self.outputs]);
        for (sum, number) in sums.iter().zip(numbers) {
            let weight = match (is_at_0, sum[lane] == 0.0) {
                (true, is_there) => f64::from(u8::from(is_there)),
                (false, _) => self.weighting.of(sum[lane]),
            };
            total += weight;
            let target = &self.targets[number[lane] as usize * self.outputs..][..self.outputs];
            for (mean, target) in means.iter_mut().zip(target) {
                *mean += weight * target;
            }
        }
        for (to, mean) in to.iter_mut().zip(means) {
            *to = mean / total;
        }
    }
}

impl Body for Neighbours<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.outputs
    }

    fn room(&self) -> usize {
        2 * self.count
    }

    #[inline(always)]
    fn margins<S: Simd>(
        &self,
        x: &[f64],
        y: &[[f64; LANES]],
        room: &mut [[f64; LANES]],
        margins: &mut [[f64; LANES]],
    ) {
        let (sums, numbers) = room.split_at_mut(self.count);
        let last = self.count - 1;
        let rows = x
            .chunks_exact(y.len())
            .zip(margins.chunks_exact_mut(self.outputs));
        let mut answer = vec![0.0; self.outputs];
        for (x, margins) in rows {
            sums.fill([f64::INFINITY; LANES]);
            numbers.fill([0.0; LANES]);
            for u in 0..y.len() {
                let (x, mut sum) = (x[u], y[u]);
                let farthest = sums[last];
                let mut is_near = [false; LANES];
                for l in 0..LANES {
                    sum[l] += x;
                    is_near[l] = sum[l] < farthest[l];
                }
                if is_near == [false; LANES] {
                    continue;
                }
                // Down the list: what is nearer takes the place, and what was there goes on, before its equals.
                let mut number = [u as f64; LANES];
                let mut is_in = [false; LANES];
                for place in 0..self.count {
                    let (old, old_number) = (sums[place], numbers[place]);
                    let (mut near, mut near_number) = (old, old_number);
                    for l in 0..LANES {
                        is_in[l] |= sum[l] < old[l];
                        near[l] = if is_in[l] { sum[l] } else { old[l] };
                        sum[l] = if is_in[l] { old[l] } else { sum[l] };
                        near_number[l] = if is_in[l] { number[l] } else { old_number[l] };
                        number[l] = if is_in[l] { old_number[l] } else { number[l] };
                    }
                    (sums[place], numbers[place]) = (near, near_number);
                }
            }
            for l in 0..LANES {
                self.answer(sums, numbers, l, &mut answer);
                for (margin, answer) in margins.iter_mut().zip(&answer) {
                    margin[l] = *answer;
                }
            }
        }
    }
}

instances! {
    /// Adds the mean answers of a range of coalitions to `means`, laid out (coalition of the range, row, output).
    pub fn run = run_neighbours(body: Neighbours<'_>, games: &Games<'_, f64>, range: Range<usize>, means: &mut [f64])
}

#[inline(always)]
fn run_neighbours<S: Simd>(
    body: Neighbours<'_>,
    games: &Games<'_, f64>,
    range: Range<usize>,
    means: &mut [f64],
) {
    run_games::<S, _>(&body, games, range, means);
}
