//! Units of rows that are divided by their norm: what sums over players are divided by is a function of one more.
//! Twin: `shaders/normalised_units.wgsl`
//!
//! A first layer of a row divided by its norm is the sums of the row divided by that norm, and its biases. The norm
//! comes of a sum over features as well, of their absolute values or of their squares, which is the last unit.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::lanes::LANES;
use crate::simd::Real;

bindings! { x: Read, y: Read, start: Read, made: Write }

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Background rows.
        others,
        /// Units that are made: one less than there are.
        units,
        /// Coalitions.
        coalitions,
        /// Numbers of a unit: 2 where it is a pair.
        width,
        /// 1 for [`Kind::Root`].
        root,
        /// The bits of [`Norm::shift`].
        shift,
        /// 0.
        zero,
    }
}

/// What the norm is of its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The sum, of absolute values.
    Sum,
    /// Its root, of squares.
    Root,
}

impl Kind {
    /// What a row is multiplied by: 1 for a row of zeros, which stays as it is; NaN where the sum left the range.
    #[inline(always)]
    pub fn inverse(self, sum: f64) -> f64 {
        let norm = match self {
            Self::Sum => sum,
            Self::Root => sum.sqrt(),
        };
        if sum == 0.0 {
            1.0
        } else if norm < f64::INFINITY {
            1.0 / norm
        } else {
            f64::NAN
        }
    }
}

/// How units are divided, and what is added to each then.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a, T> {
    /// What the norm is of the last unit.
    pub kind: Kind,
    /// By unit, but the last.
    pub start: &'a [T],
    /// What is added to each as well, but for a row of zeros.
    pub shift: T,
}

impl<T: Real> Norm<'_, T> {
    /// Makes the units of an explained row beside background rows: x and y have the sum of the norm as well.
    #[inline(always)]
    pub(crate) fn make(&self, x: &[T], y: &[[T; LANES]], made: &mut [[T; LANES]]) {
        let units = self.start.len();
        let (x, y) = (&x[..=units], &y[..=units]);
        let (mut inverse, mut shift) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for l in 0..LANES {
            let sum = (x[units] + y[units][l]).wide();
            inverse[l] = T::of(self.kind.inverse(sum));
            shift[l] = if sum == 0.0 { T::ZERO } else { self.shift };
        }
        for u in 0..units {
            let mut sum = y[u];
            for l in 0..LANES {
                sum[l] = (sum[l] + x[u]) * inverse[l] + (self.start[u] + shift[l]);
            }
            made[u] = sum;
        }
    }
}
