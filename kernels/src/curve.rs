//! Functions of one number: their values, and the multipliers of the rescale rule.

/// A function of one number; see the network's activations for what each is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "named as the operators that they are")]
pub enum Curve {
    Relu,
    /// `x` above 0, else this slope times it.
    Leaky(f32),
    /// α, γ.
    Selu(f32, f32),
    Celu(f32),
    Gelu,
    GeluTanh,
    /// β.
    Swish(f32),
    HardSwish,
    /// α, β.
    HardSigmoid(f32, f32),
    Mish,
    Softplus,
    Softsign,
    Sigmoid,
    Tanh,
    /// Lowest, highest.
    Clip(f32, f32),
    /// α.
    ThresholdedRelu(f32),
    /// λ, bias.
    Shrink(f32, f32),
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    /// To this power.
    Power(f32),
    Abs,
    Erf,
    Sin,
    Cos,
    Sign,
    Floor,
    Ceil,
    Round,
    Truncate,
    Equal(f32),
    Greater(f32),
    Less(f32),
}

/// Differences below this, relative to the larger of the two numbers, or to 1 where it is smaller and the function allows that, have the derivative between them in place of
/// the quotient: there its error, of the order of their square, is below what float32 leaves of the quotient.
pub const NEAR: f32 = 1.0 / 256.0;

impl Curve {
    /// Its number in the shader, and the bits of its own numbers.
    pub const fn code(self) -> [u32; 3] {
        match self {
            Curve::Relu => [0, 0, 0],
            Curve::Leaky(a) => [1, a.to_bits(), 0],
            Curve::Selu(a, b) => [2, a.to_bits(), b.to_bits()],
            Curve::Celu(a) => [3, a.to_bits(), 0],
            Curve::Gelu => [4, 0, 0],
            Curve::GeluTanh => [5, 0, 0],
            Curve::Swish(a) => [6, a.to_bits(), 0],
            Curve::HardSwish => [7, 0, 0],
            Curve::HardSigmoid(a, b) => [8, a.to_bits(), b.to_bits()],
            Curve::Mish => [9, 0, 0],
            Curve::Softplus => [10, 0, 0],
            Curve::Softsign => [11, 0, 0],
            Curve::Sigmoid => [12, 0, 0],
            Curve::Tanh => [13, 0, 0],
            Curve::Clip(a, b) => [14, a.to_bits(), b.to_bits()],
            Curve::ThresholdedRelu(a) => [15, a.to_bits(), 0],
            Curve::Shrink(a, b) => [16, a.to_bits(), b.to_bits()],
            Curve::Exp => [17, 0, 0],
            Curve::Log => [18, 0, 0],
            Curve::Sqrt => [19, 0, 0],
            Curve::Reciprocal => [20, 0, 0],
            Curve::Power(a) => [21, a.to_bits(), 0],
            Curve::Abs => [22, 0, 0],
            Curve::Erf => [23, 0, 0],
            Curve::Sin => [24, 0, 0],
            Curve::Cos => [25, 0, 0],
            Curve::Sign => [26, 0, 0],
            Curve::Floor => [27, 0, 0],
            Curve::Ceil => [28, 0, 0],
            Curve::Round => [29, 0, 0],
            Curve::Truncate => [30, 0, 0],
            Curve::Equal(a) => [31, a.to_bits(), 0],
            Curve::Greater(a) => [32, a.to_bits(), 0],
            Curve::Less(a) => [33, a.to_bits(), 0],
        }
    }

    /// Its value, in float64.
    pub fn value(self, x: f64) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Curve::Relu => x.max(0.0),
            Curve::Leaky(slope) if x <= 0.0 => f64::from(slope) * x,
            Curve::Leaky(_) => x,
            Curve::Selu(alpha, gamma) => {
                let (alpha, gamma) = (f64::from(alpha), f64::from(gamma));
                gamma * if x > 0.0 { x } else { alpha * x.exp_m1() }
            }
            Curve::Celu(alpha) => {
                let alpha = f64::from(alpha);
                x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0)
            }
            Curve::Gelu => x * normal(x),
            Curve::GeluTanh => 0.5 * x * (1.0 + inner(x).0.tanh()),
            Curve::Swish(beta) => x * logistic(f64::from(beta) * x),
            Curve::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Curve::HardSigmoid(alpha, beta) => {
                (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0)
            }
            Curve::Mish => x * softplus(x).tanh(),
            Curve::Softplus => softplus(x),
            Curve::Softsign => x / (1.0 + x.abs()),
            Curve::Sigmoid => logistic(x),
            Curve::Tanh => x.tanh(),
            Curve::Clip(low, high) => x.max(low.into()).min(high.into()),
            Curve::ThresholdedRelu(alpha) => x * truth(x > f64::from(alpha)),
            Curve::Shrink(lambda, bias) => {
                let (lambda, bias) = (f64::from(lambda), f64::from(bias));
                if x < -lambda {
                    x + bias
                } else if x > lambda {
                    x - bias
                } else {
                    0.0
                }
            }
            Curve::Exp => x.exp(),
            Curve::Log => x.ln(),
            Curve::Sqrt => x.sqrt(),
            Curve::Reciprocal => 1.0 / x,
            Curve::Power(power) => x.powf(power.into()),
            Curve::Abs => x.abs(),
            Curve::Erf => libm::erf(x),
            Curve::Sin => x.sin(),
            Curve::Cos => x.cos(),
            Curve::Sign => truth(x > 0.0) - truth(x < 0.0),
            Curve::Floor => x.floor(),
            Curve::Ceil => x.ceil(),
            Curve::Round => x.round_ties_even(),
            Curve::Truncate => x.trunc(),
            Curve::Equal(to) => truth(x == f64::from(to)),
            Curve::Greater(than) => truth(x > f64::from(than)),
            Curve::Less(than) => truth(x < f64::from(than)),
        }
    }

    /// Its derivative, in float64; where it has two, the left one, and 0 where it is not finite.
    pub fn slope(self, x: f64) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        let slope = match self {
            Curve::Relu => truth(x > 0.0),
            Curve::Leaky(slope) if x <= 0.0 => slope.into(),
            Curve::Selu(alpha, gamma) => {
                f64::from(gamma)
                    * if x > 0.0 {
                        1.0
                    } else {
                        f64::from(alpha) * x.exp()
                    }
            }
            Curve::Celu(alpha) if x <= 0.0 => (x / f64::from(alpha)).exp(),
            Curve::Leaky(_) | Curve::Celu(_) => 1.0,
            Curve::Gelu => normal(x) + x * (-0.5 * x * x).exp() * FRAC_1_SQRT_2_PI,
            Curve::GeluTanh => {
                let (inner, slope) = inner(x);
                let tanh = inner.tanh();
                0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope
            }
            Curve::Swish(beta) => {
                let beta = f64::from(beta);
                let y = logistic(beta * x);
                y + beta * x * y * (1.0 - y)
            }
            Curve::HardSwish if x <= -3.0 => 0.0,
            Curve::HardSwish if x > 3.0 => 1.0,
            Curve::HardSwish => x / 3.0 + 0.5,
            Curve::HardSigmoid(alpha, beta) => {
                let y = f64::from(alpha) * x + f64::from(beta);
                f64::from(alpha) * truth(y > 0.0 && y < 1.0)
            }
            Curve::Mish => {
                let tanh = softplus(x).tanh();
                tanh + x * (1.0 - tanh * tanh) * logistic(x)
            }
            Curve::Softplus => logistic(x),
            Curve::Softsign => (1.0 + x.abs()).powi(-2),
            Curve::Sigmoid => logistic(x) * logistic(-x),
            Curve::Tanh => x.cosh().powi(-2),
            Curve::Clip(low, high) => truth(x > low.into() && x <= high.into()),
            Curve::ThresholdedRelu(alpha) => truth(x > f64::from(alpha)),
            Curve::Shrink(lambda, _) => truth(x.abs() > lambda.into()),
            Curve::Exp => x.exp(),
            Curve::Log => 1.0 / x,
            Curve::Sqrt => 0.5 / x.sqrt(),
            Curve::Reciprocal => -1.0 / (x * x),
            Curve::Power(power) => f64::from(power) * x.powf(f64::from(power) - 1.0),
            Curve::Abs => truth(x > 0.0) - truth(x < 0.0),
            Curve::Erf => (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI,
            Curve::Sin => x.cos(),
            Curve::Cos => -x.sin(),
            Curve::Sign
            | Curve::Floor
            | Curve::Ceil
            | Curve::Round
            | Curve::Truncate
            | Curve::Equal(_)
            | Curve::Greater(_)
            | Curve::Less(_) => 0.0,
        };
        if slope.is_finite() { slope } else { 0.0 }
    }

    /// Where numbers are smaller, its slope changes as much as it does at this one; 0 where it changes ever faster.
    pub(crate) fn least_scale(self) -> f32 {
        match self {
            Curve::Log | Curve::Power(_) => 0.0,
            _ => 1.0,
        }
    }

    /// What takes the place of the quotient of two numbers that are near, if anything does: the derivative between them, or
    /// that of the line that they both are on; of steps nothing, unless they are equal.
    pub(crate) fn slope_between(self, x: f64, r: f64) -> Option<f64> {
        match self {
            Curve::Sign
            | Curve::Floor
            | Curve::Ceil
            | Curve::Round
            | Curve::Truncate
            | Curve::Equal(_)
            | Curve::Greater(_)
            | Curve::Less(_) => (x == r).then_some(0.0),
            Curve::Relu
            | Curve::Leaky(_)
            | Curve::HardSigmoid(..)
            | Curve::Clip(..)
            | Curve::ThresholdedRelu(_)
            | Curve::Shrink(..)
            | Curve::Abs => {
                let slope = self.slope(x);
                (slope == self.slope(r)).then_some(slope)
            }
            _ => Some(self.slope(0.5 * (x + r))),
        }
    }
}

/// 1 / √(2π).
const FRAC_1_SQRT_2_PI: f64 = 0.398_942_280_401_432_7;

/// The distribution of the normal.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// What the approximate GELU takes the hyperbolic tangent of, and its derivative.
fn inner(x: f64) -> (f64, f64) {
    let factor = (2.0 / std::f64::consts::PI).sqrt();
    let value = factor * (x + 0.044_715 * x.powi(3));
    (value, factor * (1.0 + 0.134_145 * x * x))
}

#[cfg(test)]
mod tests {
    use super::Curve;

    pub(crate) const SMOOTH: [Curve; 20] = [
        Curve::Selu(1.67, 1.05),
        Curve::Celu(0.7),
        Curve::Gelu,
        Curve::GeluTanh,
        Curve::Swish(1.0),
        Curve::Swish(1.7),
        Curve::HardSwish,
        Curve::Mish,
        Curve::Softplus,
        Curve::Softsign,
        Curve::Sigmoid,
        Curve::Tanh,
        Curve::Exp,
        Curve::Power(2.0),
        Curve::Power(3.0),
        Curve::Erf,
        Curve::Sin,
        Curve::Cos,
        Curve::Leaky(0.1),
        Curve::Relu,
    ];

    #[test]
    fn slopes_are_those_of_the_values() {
        for curve in SMOOTH {
            for k in -40..40 {
                let x = f64::from(k) * 0.1 + 0.053;
                let step = 1e-5;
                let expected = (curve.value(x + step) - curve.value(x - step)) / (2.0 * step);
                let got = curve.slope(x);
                assert!(
                    (got - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                    "{curve:?} {x}"
                );
            }
        }
        for curve in [
            Curve::Log,
            Curve::Sqrt,
            Curve::Reciprocal,
            Curve::Power(-0.5),
        ] {
            let expected = (curve.value(1.300_01) - curve.value(1.299_99)) / 2e-5;
            assert!((curve.slope(1.3) - expected).abs() < 1e-6, "{curve:?}");
        }
    }

    #[test]
    fn slopes_are_finite_where_functions_have_none() {
        assert_eq!(Curve::Sqrt.slope(0.0), 0.0);
        assert_eq!(Curve::Log.slope(0.0), 0.0);
    }
}
