//! AVX2 and FMA, eight lanes.
#![expect(unsafe_code, reason = "the intrinsics of this instruction set")]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all: values of `Avx2` are only computed with inside `enable`"
)]

use std::arch::x86_64::*;

use super::{Level, Simd};

/// The instance for machines with AVX2 and FMA.
///
/// Its methods may only run inside [`enable`], which makes sure of the machine; `dispatch!` is the
/// one place that names this type.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Runs `f` compiled with AVX2 and FMA.
///
/// # Panics
/// If the machine lacks them.
pub(crate) fn enable<R>(f: impl FnOnce() -> R) -> R {
    #[target_feature(enable = "avx2,fma")]
    fn inner<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
    assert!(Level::available().contains(&Level::Avx2));
    // SAFETY: the features were detected on the line above.
    unsafe { inner(f) }
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    type V = __m256;
    type M = __m256;

    #[inline(always)]
    fn splat(x: f32) -> Self::V {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self::V {
        let x = &x[..8];
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(v: Self::V, to: &mut [f32]) {
        let to = &mut to[..8];
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn below(x: Self::V, t: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(x, t) }
    }
    #[inline(always)]
    fn below_or_nan(x: Self::V, t: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_NGE_UQ>(x, t) }
    }
    #[inline(always)]
    fn mask(bytes: &[u8]) -> Self::M {
        let bytes: [u8; 8] = bytes[..8]
            .try_into()
            .expect("invariant: the slice has 8 bytes");
        unsafe {
            let lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(bytes)));
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(lanes, _mm256_setzero_si256()))
        }
    }
    #[inline(always)]
    fn and(a: Self::M, b: Self::M) -> Self::M {
        unsafe { _mm256_and_ps(a, b) }
    }
    #[inline(always)]
    fn and_not(a: Self::M, b: Self::M) -> Self::M {
        unsafe { _mm256_andnot_ps(a, b) }
    }
    #[inline(always)]
    fn not(a: Self::M) -> Self::M {
        unsafe { _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))) }
    }
    #[inline(always)]
    fn select(m: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm256_blendv_ps(no, yes, m) }
    }
    #[inline(always)]
    fn select_or_zero(m: Self::M, yes: Self::V) -> Self::V {
        unsafe { _mm256_and_ps(m, yes) }
    }

    #[inline(always)]
    fn set_bit_below(x: &[f32], t: f32, missing_left: bool, bit: u8, to: &mut [u8]) {
        if missing_left {
            set_bit(x, to, bit, |x| Self::below_or_nan(x, Self::splat(t)));
        } else {
            set_bit(x, to, bit, |x| Self::below(x, Self::splat(t)));
        }
    }

    #[inline(always)]
    fn add_entries(table: &[[f32; 8]], patterns: &[u8], sums: &mut [&mut [f32]], at: usize) {
        let patterns = &patterns[..8];
        if sums.len() <= 4 {
            let columns = unsafe { transpose_8x4(|r| &table[patterns[r] as usize]) };
            for (sum, column) in sums.iter_mut().zip(columns) {
                add_to(&mut sum[at..], column);
            }
        } else {
            let columns = unsafe { transpose_8x8(|r| &table[patterns[r] as usize]) };
            for (sum, column) in sums.iter_mut().zip(columns) {
                add_to(&mut sum[at..], column);
            }
        }
    }
}

#[inline(always)]
fn add_to(sum: &mut [f32], column: __m256) {
    Avx2::store(Avx2::add(Avx2::load(sum), column), sum);
}

/// Sets `bit` in the rows where `left` holds, 32 rows at a time.
#[inline(always)]
fn set_bit(x: &[f32], to: &mut [u8], bit: u8, left: impl Fn(__m256) -> __m256) {
    let (x, _) = x.as_chunks::<32>();
    let (to, _) = to.as_chunks_mut::<32>();
    for (x, to) in x.iter().zip(to) {
        unsafe {
            let mask = |i: usize| _mm256_castps_si256(left(_mm256_loadu_ps(x[8 * i..].as_ptr())));
            // Packing works within 128-bit halves, so groups of 4 rows come out as
            // 0 2 4 6 | 1 3 5 7; the permutation restores their order.
            let low = _mm256_packs_epi32(mask(0), mask(1));
            let high = _mm256_packs_epi32(mask(2), mask(3));
            let packed = _mm256_packs_epi16(low, high);
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            let rows = _mm256_permutevar8x32_epi32(packed, order);
            let bits = _mm256_and_si256(rows, _mm256_set1_epi8(bit as i8));
            let before = _mm256_loadu_si256(to.as_ptr().cast());
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_or_si256(before, bits));
        }
    }
}

/// Eight entries as rows, their eight lanes as columns.
#[inline(always)]
unsafe fn transpose_8x8<'a>(entry: impl Fn(usize) -> &'a [f32; 8]) -> [__m256; 8] {
    unsafe {
        // Rows r and r + 4 side by side: then only in-lane shuffles are left.
        let pair = |r: usize, half: usize| {
            let low = _mm_loadu_ps(entry(r)[half..].as_ptr());
            let high = _mm_loadu_ps(entry(r + 4)[half..].as_ptr());
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
        };
        let [c0, c1, c2, c3] = transpose_pairs([pair(0, 0), pair(1, 0), pair(2, 0), pair(3, 0)]);
        let [c4, c5, c6, c7] = transpose_pairs([pair(0, 4), pair(1, 4), pair(2, 4), pair(3, 4)]);
        [c0, c1, c2, c3, c4, c5, c6, c7]
    }
}

/// The first four lanes of eight entries as columns.
#[inline(always)]
unsafe fn transpose_8x4<'a>(entry: impl Fn(usize) -> &'a [f32; 8]) -> [__m256; 4] {
    unsafe {
        let pair = |r: usize| {
            let low = _mm_loadu_ps(entry(r).as_ptr());
            let high = _mm_loadu_ps(entry(r + 4).as_ptr());
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
        };
        transpose_pairs([pair(0), pair(1), pair(2), pair(3)])
    }
}

/// Transposes the 4 × 4 matrices in both 128-bit halves.
#[inline(always)]
unsafe fn transpose_pairs(r: [__m256; 4]) -> [__m256; 4] {
    unsafe {
        let a = _mm256_unpacklo_ps(r[0], r[1]);
        let b = _mm256_unpackhi_ps(r[0], r[1]);
        let c = _mm256_unpacklo_ps(r[2], r[3]);
        let d = _mm256_unpackhi_ps(r[2], r[3]);
        [
            _mm256_shuffle_ps::<0b01_00_01_00>(a, c),
            _mm256_shuffle_ps::<0b11_10_11_10>(a, c),
            _mm256_shuffle_ps::<0b01_00_01_00>(b, d),
            _mm256_shuffle_ps::<0b11_10_11_10>(b, d),
        ]
    }
}
