//! Plain Rust, eight lanes, for the compiler to vectorise.

use super::{Real, Simd};

const LANES: usize = 8;

/// The instance that every machine has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn lanes<T>(f: impl FnMut(usize) -> T) -> [T; LANES] {
    std::array::from_fn(f)
}

impl Simd for Portable {
    const LANES: usize = LANES;
    type V = [f32; LANES];
    type M = [bool; LANES];

    #[inline(always)]
    fn splat(x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self::V {
        let x = &x[..LANES];
        lanes(|i| x[i])
    }
    #[inline(always)]
    fn store(v: Self::V, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&v);
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not f32::mul_add: without the instruction it is a function call.
        lanes(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn fused<T: Real>(a: T, b: T, c: T) -> T {
        // Not Real::mul_add: without the instruction it is a function call.
        a * b + c
    }
    #[inline(always)]
    fn below(x: Self::V, t: Self::V) -> Self::M {
        lanes(|i| x[i] < t[i])
    }
    #[inline(always)]
    fn below_or_nan(x: Self::V, t: Self::V) -> Self::M {
        lanes(|i| (x[i] < t[i]) | x[i].is_nan() | t[i].is_nan())
    }
    #[inline(always)]
    fn mask(bytes: &[u8]) -> Self::M {
        let bytes = &bytes[..LANES];
        lanes(|i| bytes[i] != 0)
    }
    #[inline(always)]
    fn and(a: Self::M, b: Self::M) -> Self::M {
        lanes(|i| a[i] & b[i])
    }
    #[inline(always)]
    fn and_not(a: Self::M, b: Self::M) -> Self::M {
        lanes(|i| !a[i] & b[i])
    }
    #[inline(always)]
    fn select(m: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        lanes(|i| if m[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn select_or_zero(m: Self::M, yes: Self::V) -> Self::V {
        lanes(|i| if m[i] { yes[i] } else { 0.0 })
    }

    #[inline(always)]
    fn set_bit_below(x: &[f32], t: f32, missing_left: bool, bit: u8, to: &mut [u8]) {
        let rows = x.iter().zip(to);
        if missing_left {
            rows.for_each(|(x, to)| *to |= u8::from((*x < t) | x.is_nan() | t.is_nan()) * bit);
        } else {
            rows.for_each(|(x, to)| *to |= u8::from(*x < t) * bit);
        }
    }

    #[inline(always)]
    fn add_entries(
        table: &[[f32; 8]; 256],
        patterns: &[[u8; 8]; 32],
        chunks: usize,
        features: &[u32],
        sums: &mut [[[f32; 8]; 32]],
    ) {
        for (c, patterns) in patterns[..chunks].iter().enumerate() {
            for (row, &pattern) in patterns.iter().enumerate() {
                let entry = &table[usize::from(pattern)];
                for (&feature, value) in features.iter().zip(entry) {
                    sums[feature as usize][c][row] += value;
                }
            }
        }
    }
}
