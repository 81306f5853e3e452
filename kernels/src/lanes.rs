//! Background rows side by side: plain arrays, which the compiler vectorises with the instruction set of the
//! kernel that it inlines them into.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::simd::{Simd, instances};

/// Background rows that go side by side.
pub const LANES: usize = 16;

/// 1.5 · 2⁵²: a number below 2⁵¹ that is added to it is rounded to a whole one, which its low bits hold.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The upper part of ln 2, whose products with whole numbers below 2¹¹ are exact, and the rest of it.
const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];

/// Below it, eˣ is taken for 0: no normal number is as small.
const LEAST: f64 = -708.0;

/// eˣ, to 2 units in the last place; 0 below −708, and as much as e⁷⁰⁹ above 709.
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: [f64; LANES]) -> [f64; LANES] {
    let mut y = [0.0; LANES];
    for l in 0..LANES {
        let clamped = x[l].clamp(LEAST, 709.0);
        let shifted = S::fused(clamped, std::f64::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = S::fused(-n, LN_2[1], S::fused(-n, LN_2[0], clamped));
        // Taylor's series: |r| is below 0.35, and the first term left out below 1e-17.
        let mut p = 1.0 / 6_227_020_800.0;
        p = S::fused(p, r, 1.0 / 479_001_600.0);
        p = S::fused(p, r, 1.0 / 39_916_800.0);
        p = S::fused(p, r, 1.0 / 3_628_800.0);
        p = S::fused(p, r, 1.0 / 362_880.0);
        p = S::fused(p, r, 1.0 / 40320.0);
        p = S::fused(p, r, 1.0 / 5040.0);
        p = S::fused(p, r, 1.0 / 720.0);
        p = S::fused(p, r, 1.0 / 120.0);
        p = S::fused(p, r, 1.0 / 24.0);
        p = S::fused(p, r, 1.0 / 6.0);
        p = S::fused(p, r, 0.5);
        p = S::fused(p, r, 1.0);
        p = S::fused(p, r, 1.0);
        let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
        y[l] = if x[l] < LEAST { 0.0 } else { p * power };
    }
    y
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn logistic<S: Simd>(x: [f64; LANES]) -> [f64; LANES] {
    let e = exp::<S>(x.map(|x| -x));
    e.map(|e| 1.0 / (1.0 + e))
}

/// tanh x, to 1e-15.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(x: [f64; LANES]) -> [f64; LANES] {
    let e = exp::<S>(x.map(|x| -2.0 * x.abs()));
    let mut y = [0.0; LANES];
    for l in 0..LANES {
        y[l] = ((1.0 - e[l]) / (1.0 + e[l])).copysign(x[l]);
    }
    y
}

instances! {
    /// Makes eˣ of every x.
    pub fn exp_all = run_exp(x: &mut [f64])
}

#[inline(always)]
fn run_exp<S: Simd>(x: &mut [f64]) {
    let (lanes, rest) = x.as_chunks_mut::<LANES>();
    for lanes in lanes {
        *lanes = exp::<S>(*lanes);
    }
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    rest.copy_from_slice(&exp::<S>(last)[..rest.len()]);
}

/// Σ weights · x, in an order that depends on nothing.
#[inline(always)]
pub(crate) fn weighted(x: &[f64; LANES], weights: &[f64; LANES]) -> f64 {
    let mut sums = [0.0; LANES];
    for l in 0..LANES {
        sums[l] = x[l] * weights[l];
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::{LANES, exp, logistic, tanh};
    use crate::simd::{Level, Simd, instances};

    #[inline(always)]
    fn all<S: Simd>(x: &[f64; LANES], y: &mut [[f64; LANES]; 3]) {
        *y = [exp::<S>(*x), logistic::<S>(*x), tanh::<S>(*x)];
    }

    instances! { fn all_at = all(x: &[f64; LANES], y: &mut [[f64; LANES]; 3]) }

    #[test]
    fn functions_are_those_of_the_standard_library() {
        let ends = [
            -1e300,
            f64::NEG_INFINITY,
            -708.5,
            -0.0,
            0.0,
            1e-300,
            -1e-9,
            700.0,
        ];
        let numbers = (-700..700).map(|i| f64::from(i) * 1.013 + 0.3);
        let numbers: Vec<f64> = ends.into_iter().chain(numbers).collect();
        for level in Level::available() {
            for x in numbers.as_chunks::<LANES>().0 {
                let mut y = [[0.0; LANES]; 3];
                all_at(level, x, &mut y);
                for l in 0..LANES {
                    let x = x[l];
                    let expected = [x.exp(), 1.0 / (1.0 + (-x).exp()), x.tanh()];
                    for k in 0..3 {
                        let off = (y[k][l] - expected[k]).abs();
                        let scale = if k == 2 { 1.0 } else { expected[k].abs() };
                        let bound = 4.0 * f64::EPSILON * scale + f64::MIN_POSITIVE;
                        assert!(off <= bound, "{k} of {x}: {} {}", y[k][l], expected[k]);
                    }
                }
            }
        }
    }
}
