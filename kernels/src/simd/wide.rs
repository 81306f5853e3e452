//! Vectors of float32 for products of matrices: what AVX-512 has more of than [`super::Simd`] speaks of.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "the intrinsics of AVX-512")
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
};

use super::Simd;

/// A vector of 16 numbers or fewer.
pub(crate) trait Wide: Copy + 'static {
    /// Numbers of a vector, a divisor of 16.
    const LANES: usize;
    /// Registers that may hold vectors.
    const REGISTERS: usize;
    /// A vector.
    type V: Copy;

    fn splat(x: f32) -> Self::V;
    /// The first `LANES` numbers of `x`.
    fn load(x: &[f32]) -> Self::V;
    /// Writes the first `LANES` numbers of `to`.
    fn store(v: Self::V, to: &mut [f32]);
    /// a · b + c, fused where the machine can.
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
}

impl<S: Simd> Wide for S {
    const LANES: usize = S::LANES;
    const REGISTERS: usize = 16;
    type V = S::V;

    #[inline(always)]
    fn splat(x: f32) -> Self::V {
        S::splat(x)
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self::V {
        S::load(x)
    }
    #[inline(always)]
    fn store(v: Self::V, to: &mut [f32]) {
        S::store(v, to);
    }
    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        S::mul_add(a, b, c)
    }
}

/// The instance for machines with AVX-512. `wide_instances!` is the one place that names this type, in functions
/// compiled with these features and called where they were detected.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all: `wide_instances!` calls this code only where the features were detected"
)]
impl Wide for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type V = __m512;

    #[inline(always)]
    fn splat(x: f32) -> Self::V {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self::V {
        let x = &x[..16];
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(v: Self::V, to: &mut [f32]) {
        let to = &mut to[..16];
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
}

/// As `instances!`, of a kernel that is generic over [`Wide`].
macro_rules! wide_instances {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident = $generic:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel")]
        $visibility fn $name(level: $crate::simd::Level, $($arg: $type),*) {
            $crate::simd::instances! { fn narrow = $generic($($arg: $type),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) {
                $generic::<$crate::simd::wide::Avx512>($($arg),*);
            }
            #[cfg(target_arch = "x86_64")]
            if level == $crate::simd::Level::Avx512 {
                assert!($crate::simd::has_avx512(), "the level must be available");
                // SAFETY: the line above.
                #[expect(unsafe_code, reason = "the instruction set is there")]
                unsafe {
                    avx512($($arg),*);
                }
                return;
            }
            narrow(level, $($arg),*);
        }
    };
}
pub(crate) use wide_instances;
