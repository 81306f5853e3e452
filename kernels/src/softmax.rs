//! Softmax, its logarithm, and their multipliers: the mean of the derivatives on the way from one side to the other.
//! Twin: `shaders/softmax.wgsl`
//!
//! The multipliers are those of Aumann & Shapley (1974, "Values of Non-Atomic Games") along the straight line between the two
//! sides, integrated by Gauss–Legendre. What the rule leaves of the difference where the sides are far apart is
//! shared in proportion to the differences, so that nothing is left over.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::lanes::exp;
use crate::legendre::Rule;
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile, read, write};

bindings! {
    rule: Read,
    x: Read,
    r: Read,
    y: Read,
    s: Read,
    outward: Read,
    inward: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Runs of cells.
        runs,
        /// Cells of a run.
        length,
        /// 1 for the logarithm.
        is_log,
        /// Pairs, or lanes of values.
        pairs,
        /// Background rows of a row; 0 where every pair has its own.
        others,
        /// The first row.
        first_row,
        /// The first background row.
        first_other,
        /// Numbers from one cell of rows to the next.
        row_stride,
        /// Numbers from one cell of background rows to the next.
        other_stride,
        /// Numbers from one cell of lanes to the next.
        stride,
        /// Outputs of the tile.
        outputs,
        /// The bits of [`LOWEST`].
        lowest,
        /// 1 to write values.
        values,
        /// 1 to add to what is there.
        adds,
        /// 0.
        zero,
    }
}

/// Points of the rule.
pub const POINTS: usize = 8;

/// Cells that are this much below the largest weigh nothing in float32; lower ones are taken for it, so that what masks
/// cells has no part in the way.
pub const LOWEST: f32 = 60.0;

/// What the shader reads: the points of the rule, then their weights.
pub fn rule() -> Vec<f32> {
    let rule = Rule::new(POINTS);
    let numbers = rule.points.iter().chain(&rule.weights);
    numbers.map(|&x| x as f32).collect()
}

/// Writes softmax of each run of `length` cells of `x`, or its logarithm, to `y`, (cell, lane), `stride` lanes each.
pub fn softmax(length: usize, is_log: bool, x: &[f32], y: &mut [f32], stride: usize) {
    let runs = x.chunks(length * stride).zip(y.chunks_mut(length * stride));
    for (x, y) in runs {
        for lane in 0..stride {
            let cells = || (0..length).map(|j| x[j * stride + lane]);
            let most = cells().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = cells().map(|x| f64::from(x - most).exp()).sum();
            for (j, x) in cells().enumerate() {
                let log = f64::from(x - most) - sum.ln();
                y[j * stride + lane] = if is_log { log } else { log.exp() } as f32;
            }
        }
    }
}

instances! { wide
    /// Writes the multipliers of the cells to `inward`, given those of the results, `outward`, both (cell, lane of the tile);
    /// `inputs` and `results` are the numbers of the pairs' two sides. With `adds`, adds them.
    pub fn share_softmax = run(
        length: usize, is_log: bool, inputs: [Side<'_>; 2], results: [Side<'_>; 2], tile: Tile,
        outward: &[f32], inward: &mut [f32], adds: bool,
    )
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the kernel")]
fn run<S: Simd>(
    length: usize,
    is_log: bool,
    inputs: [Side<'_>; 2],
    results: [Side<'_>; 2],
    tile: Tile,
    outward: &[f32],
    inward: &mut [f32],
    adds: bool,
) {
    let cells = outward.len() / tile.stride();
    let mut path = Path::new(length);
    for first in (0..cells).step_by(length) {
        for at in (0..tile.pairs).step_by(LANES) {
            path.read(first, inputs, results, at);
            path.integrate::<S>();
            for output in 0..tile.outputs {
                for j in 0..length {
                    path.outward[j] = read(outward, tile.start(first + j, output) + at);
                }
                path.share::<S>(is_log);
                for j in 0..length {
                    let start = tile.start(first + j, output) + at;
                    let mut sums = path.inward[j];
                    if adds {
                        let before = read(inward, start);
                        for l in 0..LANES {
                            sums[l] += before[l];
                        }
                    }
                    write(inward, start, &sums);
                }
            }
        }
    }
}

/// One softmax of some pairs: (cell, lane).
struct Path {
    rule: Rule,
    length: usize,
    /// Of the explained side, and the difference from it to the other; both of cells that are not below [`LOWEST`].
    x: Vec<[f32; LANES]>,
    difference: Vec<[f32; LANES]>,
    /// What the multipliers are scaled with: the difference that is left of the whole one.
    kept: Vec<[f32; LANES]>,
    /// The difference of the results.
    gain: Vec<[f32; LANES]>,
    /// At each point, the softmax, (point, cell); and its mean over points.
    at: Vec<[f32; LANES]>,
    mean: Vec<[f32; LANES]>,
    outward: Vec<[f32; LANES]>,
    inward: Vec<[f32; LANES]>,
    /// `1 / Σ difference²`.
    size: [f32; LANES],
}

impl Path {
    fn new(length: usize) -> Self {
        let cells = || vec![[0.0; LANES]; length];
        Self {
            rule: Rule::new(POINTS),
            length,
            x: cells(),
            difference: cells(),
            kept: cells(),
            gain: cells(),
            at: vec![[0.0; LANES]; length * POINTS],
            mean: cells(),
            outward: cells(),
            inward: cells(),
            size: [0.0; LANES],
        }
    }

    #[inline(always)]
    fn read(&mut self, first: usize, inputs: [Side<'_>; 2], results: [Side<'_>; 2], at: usize) {
        let mut lowest = [[f32::NEG_INFINITY; LANES]; 2];
        for j in 0..self.length {
            for side in 0..2 {
                let cells = inputs[side].read(first + j, at);
                for l in 0..LANES {
                    lowest[side][l] = lowest[side][l].max(cells[l] - LOWEST);
                }
            }
        }
        self.size = [0.0; LANES];
        for j in 0..self.length {
            let x = inputs[0].read(first + j, at);
            let r = inputs[1].read(first + j, at);
            let y = results[0].read(first + j, at);
            let s = results[1].read(first + j, at);
            for l in 0..LANES {
                let (near, far) = (x[l].max(lowest[0][l]), r[l].max(lowest[1][l]));
                self.x[j][l] = near;
                self.difference[j][l] = near - far;
                let whole = x[l] - r[l];
                let kept = (near - far) / whole;
                // Both may be −∞.
                self.kept[j][l] = if x[l] == r[l] { 1.0 } else { kept };
                self.gain[j][l] = y[l] - s[l];
                self.size[l] += (near - far) * (near - far);
            }
        }
        for l in 0..LANES {
            self.size[l] = if self.size[l] > 0.0 {
                1.0 / self.size[l]
            } else {
                0.0
            };
        }
    }

    /// The softmax at every point, and its mean.
    #[inline(always)]
    fn integrate<S: Simd>(&mut self) {
        self.mean.fill([0.0; LANES]);
        let points = self.rule.points.iter().zip(&self.rule.weights);
        for (p, (&point, &weight)) in points.enumerate() {
            let at = &mut self.at[p * self.length..(p + 1) * self.length];
            // From the explained side, so that `point` is what is left of the way.
            let back = point as f32;
            let mut most = [f32::NEG_INFINITY; LANES];
            for j in 0..at.len() {
                for l in 0..LANES {
                    at[j][l] = S::fused(-back, self.difference[j][l], self.x[j][l]);
                    most[l] = most[l].max(at[j][l]);
                }
            }
            let mut sum = [0.0_f64; LANES];
            for cells in &mut *at {
                let mut powers = [0.0; LANES];
                for l in 0..LANES {
                    powers[l] = f64::from(cells[l] - most[l]);
                }
                let powers = exp::<S>(powers);
                for l in 0..LANES {
                    sum[l] += powers[l];
                    cells[l] = powers[l] as f32;
                }
            }
            for (cells, mean) in at.iter_mut().zip(&mut self.mean) {
                for l in 0..LANES {
                    cells[l] = (f64::from(cells[l]) / sum[l]) as f32;
                    mean[l] = S::fused(weight as f32, cells[l], mean[l]);
                }
            }
        }
    }

    /// The multipliers of the cells from those of the results.
    #[inline(always)]
    fn share<S: Simd>(&mut self, is_log: bool) {
        let length = self.length;
        if is_log {
            let mut sum = [0.0; LANES];
            for m in &self.outward {
                for l in 0..LANES {
                    sum[l] += m[l];
                }
            }
            for j in 0..length {
                for l in 0..LANES {
                    self.inward[j][l] = S::fused(-self.mean[j][l], sum[l], self.outward[j][l]);
                }
            }
        } else {
            for j in 0..length {
                for l in 0..LANES {
                    self.inward[j][l] = self.mean[j][l] * self.outward[j][l];
                }
            }
            for (p, &weight) in self.rule.weights.iter().enumerate() {
                let at = &self.at[p * length..(p + 1) * length];
                let mut dot = [0.0; LANES];
                for j in 0..length {
                    for l in 0..LANES {
                        dot[l] = S::fused(at[j][l], self.outward[j][l], dot[l]);
                    }
                }
                for l in 0..LANES {
                    dot[l] *= -(weight as f32);
                }
                for j in 0..length {
                    for l in 0..LANES {
                        self.inward[j][l] = S::fused(dot[l], at[j][l], self.inward[j][l]);
                    }
                }
            }
        }
        let mut rest = [0.0; LANES];
        for j in 0..length {
            for l in 0..LANES {
                let found = self.inward[j][l] * self.difference[j][l];
                rest[l] += S::fused(self.outward[j][l], self.gain[j][l], -found);
            }
        }
        for l in 0..LANES {
            rest[l] *= self.size[l];
        }
        for j in 0..length {
            for l in 0..LANES {
                let whole = S::fused(rest[l], self.difference[j][l], self.inward[j][l]);
                self.inward[j][l] = whole * self.kept[j][l];
            }
        }
    }
}
