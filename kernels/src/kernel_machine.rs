//! Mean answers of coalitions for kernel machines: support vectors, Gaussian processes, kernel ridge.
//! Twin: `shaders/kernel_machine.wgsl`
//!
//! The kernel of a synthetic row and a support vector is a function of a sum over features, of which the explained
//! row gives the members of the coalition and a background row the rest. Of a product kernel, `exp` of that sum,
//! it is a product of two numbers: the margins of all explained rows beside all background rows are one matrix
//! product, with no exponential in it, and what the background gives to it serves all rows.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::lanes::{LANES, exp, tanh};
use crate::machine::{Body, Games, run as run_games};
use crate::simd::{Simd, instances};

bindings! { x: Read, y: Read, coefficients: Read, intercepts: Read, margins: Write }

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Background rows.
        others,
        /// Support vectors.
        units,
        /// Machines.
        machines,
        /// Coalitions.
        coalitions,
        /// [`Shape::code`].
        shape,
        /// Of a power, or the order of Matérn's.
        degree,
    }
}

/// Units that the shader sums before their sum joins the others'.
pub const SUMMED: u32 = 16;

/// What is made of the sum, or the product, over features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Nothing, of a product.
    Product,
    /// `(γ sum + coef0)^degree`; the terms have γ and coef0 already.
    Power {
        /// The degree.
        degree: u32,
    },
    /// tanh of the sum; the terms have γ and coef0 already.
    Tanh,
    /// Matérn's, with ν = `order` + ½ up to 5/2, of the root of the sum, which has 2ν already: of r,
    /// `exp(−r)` times 1, `1 + r`, or `1 + r + r² / 3`.
    Matern {
        /// ν − ½.
        order: u32,
    },
    /// exp of the sum, which is at most 0.
    Exp,
}

impl Shape {
    /// As the shader knows it: its kind, and its degree.
    pub const fn code(self) -> [u32; 2] {
        match self {
            Self::Product => [0, 0],
            Self::Power { degree } => [1, degree],
            Self::Tanh => [2, 0],
            Self::Matern { order } => [3, order],
            Self::Exp => [4, 0],
        }
    }
}

/// Machines over shared support vectors: each unit is one.
#[derive(Debug, Clone, Copy)]
pub struct KernelMachine<'a> {
    /// The kernel.
    pub shape: Shape,
    /// (machine, support vector).
    pub coefficients: &'a [f64],
    /// By machine.
    pub intercepts: &'a [f64],
}

struct Product<'a>(KernelMachine<'a>);

struct Power<'a>(KernelMachine<'a>, u32);

struct Tanh<'a>(KernelMachine<'a>);

struct Matern<'a>(KernelMachine<'a>, u32);
struct Exp<'a>(KernelMachine<'a>);

impl Body for Product<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.0.intercepts.len()
    }

    fn width(&self, units: usize) -> usize {
        self.machines() * units
    }

    #[inline(always)]
    fn prepare(&self, units: &[f64], to: &mut [f64]) {
        let machines = to.chunks_exact_mut(units.len().max(1));
        for (to, coefficients) in machines.zip(self.0.coefficients.chunks(units.len().max(1))) {
            for ((to, unit), coefficient) in to.iter_mut().zip(units).zip(coefficients) {
                *to = unit * coefficient;
            }
        }
    }

    #[inline(always)]
    fn margins<S: Simd>(
        &self,
        x: &[f64],
        y: &[[f64; LANES]],
        _: &mut [[f64; LANES]],
        margins: &mut [[f64; LANES]],
    ) {
        let units = y.len();
        let (pairs, one) = margins.as_chunks_mut::<2>();
        for (pair, x) in pairs.iter_mut().zip(x.chunks_exact((2 * units).max(1))) {
            *pair = products::<S, 2>(x, y);
        }
        if let [one] = one {
            [*one] = products::<S, 1>(&x[x.len() - units..], y);
        }
        for margins in margins.chunks_exact_mut(self.0.intercepts.len()) {
            for (margin, intercept) in margins.iter_mut().zip(self.0.intercepts) {
                let mut sum = *margin;
                for l in 0..LANES {
                    sum[l] += intercept;
                }
                *margin = sum;
            }
        }
    }
}

/// Σ over units of x · y, for `R` rows of x.
#[inline(always)]
fn products<S: Simd, const R: usize>(x: &[f64], y: &[[f64; LANES]]) -> [[f64; LANES]; R] {
    let mut sums = [[0.0; LANES]; R];
    let units = y.len();
    let mut rows = [x; R];
    for r in 0..R {
        rows[r] = &x[r * units..][..units];
    }
    for u in 0..units {
        let y = &y[u];
        for r in 0..R {
            let x = rows[r][u];
            for l in 0..LANES {
                sums[r][l] = S::fused(x, y[l], sums[r][l]);
            }
        }
    }
    sums
}

/// The margins of kernels that are no products, of each row: `kernel` takes a sum over features.
macro_rules! of_sums {
    ($body:ident, $kernel:expr) => {
        #[inline(always)]
        fn margins<S: Simd>(
            &self,
            x: &[f64],
            y: &[[f64; LANES]],
            _: &mut [[f64; LANES]],
            margins: &mut [[f64; LANES]],
        ) {
            let $body = self;
            let (units, machines) = (y.len(), self.0.intercepts.len());
            let rows = x
                .chunks_exact(units.max(1))
                .zip(margins.chunks_exact_mut(machines));
            for (x, margins) in rows {
                for (margin, intercept) in margins.iter_mut().zip(self.0.intercepts) {
                    *margin = [*intercept; LANES];
                }
                for u in 0..units {
                    let (x, mut sum) = (x[u], y[u]);
                    for l in 0..LANES {
                        sum[l] += x;
                    }
                    let kernel: [f64; LANES] = $kernel(sum);
                    for (machine, margin) in margins.iter_mut().enumerate() {
                        let coefficient = self.0.coefficients[machine * units + u];
                        let mut sum = *margin;
                        for l in 0..LANES {
                            sum[l] = S::fused(coefficient, kernel[l], sum[l]);
                        }
                        *margin = sum;
                    }
                }
            }
        }
    };
}

impl Body for Power<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.0.intercepts.len()
    }

    of_sums! { body, |sum: [f64; LANES]| {
        let mut power = [1.0; LANES];
        for _ in 0..body.1 {
            for l in 0..LANES {
                power[l] *= sum[l];
            }
        }
        power
    } }
}

impl Body for Tanh<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.0.intercepts.len()
    }

    of_sums! { _body, tanh::<S> }
}

impl Body for Matern<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.0.intercepts.len()
    }

    of_sums! { body, |sum: [f64; LANES]| {
        let r = sum.map(f64::sqrt);
        let mut kernel = exp::<S>(r.map(|r| -r));
        let [first, second] = match body.1 {
            0 => [0.0, 0.0],
            1 => [1.0, 0.0],
            _ => [1.0, 1.0 / 3.0],
        };
        for l in 0..LANES {
            kernel[l] *= 1.0 + r[l] * (first + second * r[l]);
        }
        kernel
    } }
}

impl Body for Exp<'_> {
    type T = f64;

    fn machines(&self) -> usize {
        self.0.intercepts.len()
    }

    of_sums! { _body, exp::<S> }
}

instances! {
    /// Adds the mean answers of a range of coalitions to `means`, laid out (coalition of the range, row, output).
    pub fn run = run_machine(body: KernelMachine<'_>, games: &Games<'_, f64>, range: Range<usize>, means: &mut [f64])
}

#[inline(always)]
fn run_machine<S: Simd>(
    body: KernelMachine<'_>,
    games: &Games<'_, f64>,
    range: Range<usize>,
    means: &mut [f64],
) {
    match body.shape {
        Shape::Product => run_games::<S, _>(&Product(body), games, range, means),
        Shape::Power { degree } => run_games::<S, _>(&Power(body, degree), games, range, means),
        Shape::Tanh => run_games::<S, _>(&Tanh(body), games, range, means),
        Shape::Matern { order } => run_games::<S, _>(&Matern(body, order), games, range, means),
        Shape::Exp => run_games::<S, _>(&Exp(body), games, range, means),
    }
}
