//! AVX2 and FMA, eight lanes.
#![expect(unsafe_code, reason = "the intrinsics of this instruction set")]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all: `instances!` calls this code only where the features were detected"
)]

#[allow(clippy::wildcard_imports, reason = "intrinsics")]
use std::arch::x86_64::*;

use super::{Real, Simd};

/// The instance for machines with AVX2 and FMA. `instances!` is the one place that names this type,
/// in functions compiled with these features and called where they were detected.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

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
    fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn fused<T: Real>(a: T, b: T, c: T) -> T {
        a.mul_add(b, c)
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
            set_bit::<true>(x, t, bit, to);
        } else {
            set_bit::<false>(x, t, bit, to);
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
        match features.len() {
            0 => {}
            1 => add_columns::<1>(table, patterns, chunks, features, sums),
            2 => add_columns::<2>(table, patterns, chunks, features, sums),
            3 => add_columns::<3>(table, patterns, chunks, features, sums),
            4 => add_columns::<4>(table, patterns, chunks, features, sums),
            5 => add_columns::<5>(table, patterns, chunks, features, sums),
            6 => add_columns::<6>(table, patterns, chunks, features, sums),
            7 => add_columns::<7>(table, patterns, chunks, features, sums),
            _ => add_columns::<8>(table, patterns, chunks, features, sums),
        }
    }
}

/// [`Simd::add_entries`] for a number of slots that is known when it is compiled.
#[inline(always)]
fn add_columns<const SLOTS: usize>(
    table: &[[f32; 8]; 256],
    patterns: &[[u8; 8]; 32],
    chunks: usize,
    features: &[u32],
    sums: &mut [[[f32; 8]; 32]],
) {
    let Some(features) = features.first_chunk::<SLOTS>() else {
        return;
    };
    let Ok(sums) = sums.get_disjoint_mut(features.map(|feature| feature as usize)) else {
        return;
    };
    for c in 0..chunks.min(32) {
        let low = unsafe { transpose(table, &patterns[c], 0) };
        for s in 0..SLOTS.min(4) {
            add_to(&mut sums[s][c], low[s]);
        }
        if SLOTS > 4 {
            let high = unsafe { transpose(table, &patterns[c], 4) };
            for s in 4..SLOTS {
                add_to(&mut sums[s][c], high[s - 4]);
            }
        }
    }
}

#[inline(always)]
fn add_to(sum: &mut [f32; 8], column: __m256) {
    Avx2::store(Avx2::add(Avx2::load(sum), column), sum);
}

/// Sets `bit` in the rows that go left, 32 rows at a time.
#[inline(always)]
fn set_bit<const MISSING_LEFT: bool>(x: &[f32], t: f32, bit: u8, to: &mut [u8]) {
    let t = Avx2::splat(t);
    let (x, _) = x.as_chunks::<32>();
    let (to, _) = to.as_chunks_mut::<32>();
    for (x, to) in x.iter().zip(to) {
        unsafe {
            let mut left = [_mm256_setzero_si256(); 4];
            for i in 0..4 {
                let x = _mm256_loadu_ps(x[8 * i..].as_ptr());
                left[i] = _mm256_castps_si256(if MISSING_LEFT {
                    Avx2::below_or_nan(x, t)
                } else {
                    Avx2::below(x, t)
                });
            }
            // Packing works within 128-bit halves, so groups of 4 rows come out as
            // 0 2 4 6 | 1 3 5 7; the permutation restores their order.
            let low = _mm256_packs_epi32(left[0], left[1]);
            let high = _mm256_packs_epi32(left[2], left[3]);
            let packed = _mm256_packs_epi16(low, high);
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            let rows = _mm256_permutevar8x32_epi32(packed, order);
            let bits = _mm256_and_si256(rows, _mm256_set1_epi8(bit as i8));
            let before = _mm256_loadu_si256(to.as_ptr().cast());
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_or_si256(before, bits));
        }
    }
}

/// Lanes `half..half + 4` of the entries of 8 rows, as columns over the rows.
#[inline(always)]
unsafe fn transpose(table: &[[f32; 8]; 256], patterns: &[u8; 8], half: usize) -> [__m256; 4] {
    unsafe {
        // Rows r and r + 4 side by side: then only shuffles within 128-bit halves are left.
        let mut r = [_mm256_setzero_ps(); 4];
        for i in 0..4 {
            let low = _mm_loadu_ps(table[usize::from(patterns[i])][half..].as_ptr());
            let high = _mm_loadu_ps(table[usize::from(patterns[i + 4])][half..].as_ptr());
            r[i] = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high);
        }
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
