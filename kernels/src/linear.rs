//! Mean answers of coalitions for models whose margins are sums over players: linear ones, naive Bayes.
//! Twin: `shaders/linear.wgsl`
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::lanes::LANES;
use crate::machine::{Body, Games, run as run_games};
use crate::simd::{Simd, instances};

bindings! { x: Read, y: Read, margins: Write }

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Background rows.
        others,
        /// Margins.
        machines,
        /// Coalitions.
        coalitions,
        /// 0.
        zero,
    }
}

/// Each unit is a margin.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Margins.
    pub machines: usize,
}

impl Body for Linear {
    type T = f64;

    fn machines(&self) -> usize {
        self.machines
    }

    #[inline(always)]
    fn margins<S: Simd>(
        &self,
        x: &[f64],
        y: &[[f64; LANES]],
        _: &mut [[f64; LANES]],
        margins: &mut [[f64; LANES]],
    ) {
        let machines = self.machines;
        for (x, margins) in x
            .chunks_exact(machines)
            .zip(margins.chunks_exact_mut(machines))
        {
            for ((margin, x), y) in margins.iter_mut().zip(x).zip(y) {
                let mut sum = *y;
                for l in 0..LANES {
                    sum[l] += x;
                }
                *margin = sum;
            }
        }
    }
}

instances! {
    /// Adds the mean answers of a range of coalitions to `means`, laid out (coalition of the range, row, output).
    pub fn run = run_linear(body: &Linear, games: &Games<'_, f64>, range: Range<usize>, means: &mut [f64])
}

#[inline(always)]
fn run_linear<S: Simd>(
    body: &Linear,
    games: &Games<'_, f64>,
    range: Range<usize>,
    means: &mut [f64],
) {
    run_games::<S, _>(body, games, range, means);
}
