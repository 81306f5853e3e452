//! Vectors of float32 lanes, one implementation per instruction set, chosen at run time.
//!
//! A kernel is written once over [`Simd`]; [`Level::detect`] says which instance runs. The only
//! unsafe code of this crate is in these files.

use std::ops::{Add, Mul};
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
pub(crate) mod portable;
pub(crate) mod wide;

/// An instruction set that the kernels have an instance for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Plain Rust that the compiler vectorises for the build's baseline (SSE2, NEON).
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512, for the kernels that have an instance for it; the others take that for AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best level of this machine, or the one that `WHYLIGHT_SIMD` (`portable`, `avx2`, `avx512`) names
    /// if the machine has it.
    pub fn detect() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let wanted = std::env::var("WHYLIGHT_SIMD").unwrap_or_default();
            Self::available()
                .into_iter()
                .find(|level| wanted.is_empty() || level.name() == wanted)
                .unwrap_or(Level::Portable)
        })
    }

    /// The levels of this machine, best first.
    pub fn available() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if has_avx512() {
            levels.push(Level::Avx512);
        }
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
            levels.push(Level::Avx2);
        }
        levels.push(Level::Portable);
        levels
    }

    /// Its name, as in `WHYLIGHT_SIMD` and in results.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Asks the cache for numbers that will be read soon.
pub(crate) fn prefetch(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

/// A floating-point number.
pub trait Real:
    Copy
    + PartialOrd
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Mul<Output = Self>
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// a · b + c, rounded once: a function call on machines without the instruction.
    #[must_use]
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// Rounded to this type.
    #[must_use]
    fn of(x: f64) -> Self;
    /// As float64.
    #[must_use]
    fn wide(self) -> f64;
}

macro_rules! real {
    ($($type:ty)+) => {$(
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                <$type>::mul_add(self, b, c)
            }
            #[inline(always)]
            #[allow(clippy::cast_lossless, reason = "one of the two types is float64")]
            fn of(x: f64) -> Self {
                x as Self
            }
            #[inline(always)]
            #[allow(clippy::cast_lossless, reason = "one of the two types is float64")]
            fn wide(self) -> f64 {
                self as f64
            }
        }
    )+};
}

real! { f32 f64 }

/// A vector of float32 lanes and the operations that the tree kernels need. Comparisons follow
/// IEEE 754: a NaN lane is never less.
pub(crate) trait Simd: Copy + 'static {
    /// Lanes of a vector.
    const LANES: usize;
    /// A vector.
    type V: Copy;
    /// One truth value per lane.
    type M: Copy;

    fn splat(x: f32) -> Self::V;
    /// The first `LANES` numbers of `x`.
    fn load(x: &[f32]) -> Self::V;
    /// Writes the first `LANES` numbers of `to`.
    fn store(v: Self::V, to: &mut [f32]);
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn mul(a: Self::V, b: Self::V) -> Self::V;
    fn div(a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c, fused where the machine can.
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a · b + c of one number, or of arrays of them that the compiler vectorises, fused where the machine can.
    fn fused<T: Real>(a: T, b: T, c: T) -> T;
    /// x < t.
    fn below(x: Self::V, t: Self::V) -> Self::M;
    /// Not x ≥ t: x < t or either is NaN.
    fn below_or_nan(x: Self::V, t: Self::V) -> Self::M;
    /// A mask from one byte per lane: 0 or 1.
    fn mask(bytes: &[u8]) -> Self::M;
    fn and(a: Self::M, b: Self::M) -> Self::M;
    /// not a and b.
    fn and_not(a: Self::M, b: Self::M) -> Self::M;
    /// `yes` where the mask holds, else `no`.
    fn select(m: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where the mask holds, else 0.
    fn select_or_zero(m: Self::M, yes: Self::V) -> Self::V;

    /// Sets `bit` in `to[r]` where `x[r]` goes left; `x` and `to` have equal lengths, a multiple
    /// of 32.
    fn set_bit_below(x: &[f32], t: f32, missing_left: bool, bit: u8, to: &mut [u8]);

    /// Adds lane `s` of `table[patterns[c][r]]` to `sums[features[s]][c][r]`, for every slot `s` of
    /// `features` (at most 8, all different) and every `c` below `chunks`: eight rows at a time, of
    /// a block of 256.
    fn add_entries(
        table: &[[f32; 8]; 256],
        patterns: &[[u8; 8]; 32],
        chunks: usize,
        features: &[u32],
        sums: &mut [[[f32; 8]; 32]],
    );
}

/// Defines `fn $name(level, …)`, which calls `$generic::<S>(…)` for the implementation of the level,
/// compiled with its instruction set. Everything below `$generic` must be `#[inline(always)]`, and
/// use loops rather than closures around [`Simd`] operations: a closure is compiled without the
/// instruction set, and its vector operations become calls.
///
/// With `wide`, of a kernel that uses no vectors of its own but arrays, AVX-512 doubles their width where the machine
/// has it; that changes no bit.
macro_rules! instances {
    (wide $(#[$doc:meta])* $visibility:vis fn $name:ident = $generic:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel")]
        $visibility fn $name(level: $crate::simd::Level, $($arg: $type),*) {
            $crate::simd::instances! { fn narrow = $generic($($arg: $type),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) {
                $generic::<$crate::simd::avx2::Avx2>($($arg),*);
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
    ($(#[$doc:meta])* $visibility:vis fn $name:ident = $generic:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel")]
        $visibility fn $name(level: $crate::simd::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                // One aligned variable aligns the whole frame. Without it, vectors that the compiler
                // puts aside can cross the end of a page, where each costs some hundred cycles: by
                // chance of the stack, a walk took twice its time.
                #[repr(align(32))]
                struct Aligned {
                    _bytes: [u8; 32],
                }
                std::hint::black_box(&Aligned { _bytes: [0; 32] });
                $generic::<$crate::simd::avx2::Avx2>($($arg),*);
            }
            match level {
                $crate::simd::Level::Portable => {
                    $generic::<$crate::simd::portable::Portable>($($arg),*);
                }
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx2 | $crate::simd::Level::Avx512 => {
                    assert!($crate::simd::has_avx2(), "the level must be available");
                    // SAFETY: the line above.
                    #[expect(unsafe_code, reason = "the instruction set is there")]
                    unsafe {
                        avx2($($arg),*);
                    }
                }
            }
        }
    };
}
pub(crate) use instances;

#[cfg(test)]
mod tests {
    use super::{Level, Simd, portable::Portable};

    const SPECIAL: [f32; 8] = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        1.0,
        f32::MIN_POSITIVE,
        -3.5,
    ];

    /// Everything that the trait can do, on inputs with every special value, as bits.
    #[inline(always)]
    fn everything<S: Simd>(out: &mut Vec<u32>) {
        let x: Vec<f32> = (0..32).map(|i| SPECIAL[i % 8]).collect();
        let y: Vec<f32> = (0..32).map(|i| SPECIAL[(i / 4 + 3) % 8]).collect();
        let bytes: Vec<u8> = (0..32).map(|i| (i % 3 == 0).into()).collect();
        let mut lanes = vec![0.0; 32];
        let mut bits = Vec::new();
        for at in (0..32).step_by(S::LANES) {
            let (a, b) = (S::load(&x[at..]), S::load(&y[at..]));
            let mask = S::mask(&bytes[at..]);
            let results = [
                S::add(a, b),
                S::mul(a, b),
                S::div(a, b),
                S::select(S::below(a, b), a, b),
                S::select(S::below_or_nan(a, b), a, b),
                S::select(S::and(mask, S::below(a, b)), a, b),
                S::select(S::and_not(mask, S::below(a, b)), a, b),
                S::select_or_zero(mask, S::splat(2.0)),
            ];
            for (k, v) in results.into_iter().enumerate() {
                S::store(v, &mut lanes);
                for (i, &lane) in lanes[..S::LANES].iter().enumerate() {
                    bits.push((k * 32 + at + i, lane));
                }
            }
        }
        bits.sort_by_key(|(position, _)| *position);
        let mut bits: Vec<u32> = bits
            .into_iter()
            .map(|(_, v)| if v.is_nan() { 1 } else { v.to_bits() })
            .collect();
        for missing_left in [false, true] {
            let mut to = vec![5_u8; 32];
            S::set_bit_below(&x, 0.5, missing_left, 2, &mut to);
            bits.extend(to.iter().map(|&b| u32::from(b)));
        }
        let table: [[f32; 8]; 256] =
            std::array::from_fn(|p| std::array::from_fn(|s| p as f32 + s as f32 / 8.0));
        let patterns = std::array::from_fn(|c| std::array::from_fn(|r| (c * 77 + r * 31) as u8));
        for slots in 1..=8 {
            let mut sums = vec![[[1.0_f32; 8]; 32]; 9];
            let features: Vec<u32> = (0..slots).map(|s| s as u32 + 1).collect();
            S::add_entries(&table, &patterns, 2 + slots, &features, &mut sums);
            bits.extend(
                sums.as_flattened()
                    .as_flattened()
                    .iter()
                    .map(|v| v.to_bits()),
            );
        }
        *out = bits;
    }

    instances! { fn everything_at = everything(out: &mut Vec<u32>) }

    #[test]
    fn every_level_computes_what_the_portable_one_does() {
        let (mut expected, mut got) = (Vec::new(), Vec::new());
        everything::<Portable>(&mut expected);
        for level in Level::available() {
            everything_at(level, &mut got);
            assert_eq!(got, expected, "{}", level.name());
        }
    }

    #[test]
    fn a_bit_is_set_as_the_definition_of_the_test_says() {
        for missing_left in [false, true] {
            let x: Vec<f32> = (0..32).map(|i| SPECIAL[i % 8]).collect();
            let mut to = vec![0_u8; 32];
            Portable::set_bit_below(&x, 1.0, missing_left, 1, &mut to);
            for (x, bit) in x.iter().zip(&to) {
                let test = crate::Test::Below { missing_left };
                assert_eq!(test.left(*x, 1.0, &[]), *bit == 1, "{x} {missing_left}");
            }
        }
    }
}
