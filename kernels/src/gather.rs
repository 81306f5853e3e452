//! Weighted sums of cells by lists: what layouts, padding, averages and interpolation are.
//! Twin: `shaders/gather.wgsl`
//!
//! The transposed map, which multipliers go through, has another list, and is the same kernel.

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, write};

bindings! {
    targets: Read,
    offsets: Read,
    sources: Read,
    weights: Read,
    x: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Cells that are written.
        targets,
        /// Numbers from one cell to the next: all lanes.
        stride,
        /// 1 where sources have weights.
        weighted,
        /// What sums begin with, as bits.
        start,
        /// 1 to add to what is there.
        adds,
    }
}

/// Sums of cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lists {
    /// The cells that are written.
    pub targets: Vec<u32>,
    /// Of target t: those of `sources` and `weights` from `offsets[t]` on. One more than targets.
    pub offsets: Vec<u32>,
    /// The cells that are read.
    pub sources: Vec<u32>,
    /// What they are multiplied with; empty for 1.
    pub weights: Vec<f32>,
}

impl Lists {
    /// Of entries (target, source, weight), in any order: a list for each of the first `targets` cells.
    pub fn new(targets: usize, entries: &[(u32, u32, f32)]) -> Self {
        let mut offsets = vec![0_u32; targets + 1];
        for (target, ..) in entries {
            offsets[*target as usize + 1] += 1;
        }
        for t in 0..targets {
            offsets[t + 1] += offsets[t];
        }
        let mut next = offsets.clone();
        let mut sources = vec![0; entries.len()];
        let mut weights = vec![0.0; entries.len()];
        for &(target, source, weight) in entries {
            let at = &mut next[target as usize];
            (sources[*at as usize], weights[*at as usize]) = (source, weight);
            *at += 1;
        }
        if weights.iter().all(|&weight| weight == 1.0) {
            weights.clear();
        }
        Self {
            targets: (0..targets as u32).collect(),
            offsets,
            sources,
            weights,
        }
    }
}

instances! { wide
    /// Writes the sums of `x`, (cell, lane), to `y`, (cell, lane), `stride` lanes each; with `adds`, adds them to
    /// what is there. Cells that are no targets stay as they are.
    pub fn gather = run(lists: &Lists, x: &[f32], y: &mut [f32], stride: usize, adds: bool)
}

#[inline(always)]
fn run<S: Simd>(lists: &Lists, x: &[f32], y: &mut [f32], stride: usize, adds: bool) {
    let ends = lists.offsets.windows(2);
    for (&target, ends) in lists.targets.iter().zip(ends) {
        let list = ends[0] as usize..ends[1] as usize;
        let to = target as usize * stride;
        for at in (0..stride).step_by(LANES) {
            let mut sums = [0.0_f32; LANES];
            if adds {
                sums.copy_from_slice(&y[to + at..to + at + LANES]);
            }
            for k in list.clone() {
                let from = lists.sources[k] as usize * stride + at;
                let x: &[f32; LANES] = x[from..].first_chunk().unwrap_or(&[0.0; LANES]);
                if lists.weights.is_empty() {
                    for l in 0..LANES {
                        sums[l] += x[l];
                    }
                } else {
                    let weight = lists.weights[k];
                    for l in 0..LANES {
                        sums[l] = S::fused(weight, x[l], sums[l]);
                    }
                }
            }
            write(y, to + at, &sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lists, gather};
    use crate::Level;

    #[test]
    fn lists_are_sums_and_targets_without_sources_are_0() {
        let lists = Lists::new(3, &[(2, 0, 1.0), (0, 1, 2.0), (2, 1, -1.0)]);
        let x: Vec<f32> = (0..64).map(|i| i as f32).collect();
        for level in Level::available() {
            let mut y = vec![f32::NAN; 96];
            gather(level, &lists, &x, &mut y, 32, false);
            for lane in 0..32 {
                let (a, b) = (x[lane], x[32 + lane]);
                let got = [y[lane], y[32 + lane], y[64 + lane]];
                assert_eq!(got, [2.0 * b, 0.0, a - b], "{lane}");
            }
            gather(level, &lists, &x, &mut y, 32, true);
            assert_eq!(y[0], 128.0);
        }
    }
}
