//! Functions of float32 that saturate, of lines of numbers, exact to a few units in the last place.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::matrix::LINE;
use crate::simd::Simd;

/// 1.5 · 2²³: a number below 2²² that is added to it is rounded to a whole one, which its low bits hold.
const ROUND: f32 = 12_582_912.0;

/// eˣ, by the polynomial of Cephes' expf (Moshier 1992); for x from −87 to 88, and as much as there beyond.
#[inline(always)]
fn exp<S: Simd>(x: f32) -> f32 {
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = S::fused(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = S::fused(n, 2.121_944_4e-4, S::fused(n, -0.693_359_4, clamped));
    let mut p = 1.987_569_1e-4;
    p = S::fused(p, r, 1.398_199_9e-3);
    p = S::fused(p, r, 8.333_452e-3);
    p = S::fused(p, r, 4.166_579_6e-2);
    p = S::fused(p, r, 1.666_666_5e-1);
    p = S::fused(p, r, 0.5);
    let y = S::fused(p, r * r, r + 1.0);
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn logistic<S: Simd>(x: [f32; LINE]) -> [f32; LINE] {
    let mut y = [0.0; LINE];
    for l in 0..LINE {
        y[l] = 1.0 / (1.0 + exp::<S>(-x[l]));
    }
    y
}

/// tanh x: near 0 by the polynomial of Cephes' tanhf, where the quotient would lose digits.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(x: [f32; LINE]) -> [f32; LINE] {
    let mut y = [0.0; LINE];
    for l in 0..LINE {
        let z = x[l] * x[l];
        let mut p = -5.704_988_7e-3;
        p = S::fused(p, z, 2.063_908_8e-2);
        p = S::fused(p, z, -5.373_971_5e-2);
        p = S::fused(p, z, 1.333_144_2e-1);
        p = S::fused(p, z, -3.333_328e-1);
        let near = S::fused(p * z, x[l], x[l]);
        let far = 1.0 - 2.0 / (1.0 + exp::<S>(2.0 * x[l]));
        y[l] = if z < 0.625 * 0.625 { near } else { far };
    }
    y
}

#[cfg(test)]
mod tests {
    use super::{logistic, tanh};
    use crate::simd::portable::Portable;

    #[test]
    fn functions_are_exact_to_a_few_units_in_the_last_place() {
        for i in -4000..4000 {
            let x = i as f32 * 0.0071;
            let wide = f64::from(x);
            let error = |y: f32, exact: f64| (f64::from(y) - exact).abs() / exact.abs().max(1e-30);
            if i != 0 {
                assert!(
                    error(tanh::<Portable>([x; 16])[0], wide.tanh()) < 4e-7,
                    "{x}"
                );
            }
            let exact = 1.0 / (1.0 + (-wide).exp());
            assert!(error(logistic::<Portable>([x; 16])[0], exact) < 4e-7, "{x}");
        }
        assert_eq!(tanh::<Portable>([300.0; 16])[0], 1.0);
        assert_eq!(logistic::<Portable>([300.0; 16])[0], 1.0);
        assert!(logistic::<Portable>([-300.0; 16])[0] < 1e-37);
    }
}
