//! Functions of one number.

use super::Channels;

/// A function of one number, as ONNX defines the operator of its name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x` where it is above 0, else the channel's slope times it: leaky with one, parametric with several.
    LeakyRelu(Channels),
    /// `x` where it is above 0, else `α (exp(x) − 1)`.
    Elu(f32),
    /// `γ x` where it is above 0, else `γ α (exp(x) − 1)`: α, γ.
    Selu(f32, f32),
    /// `max(x, 0) + min(0, α (exp(x / α) − 1))`.
    Celu(f32),
    /// `x Φ(x)`, Φ the distribution of the normal.
    Gelu,
    /// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x / (1 + exp(−β x))`: `SiLU` with β of 1.
    Swish(f32),
    /// `x min(max(x/6 + 1/2, 0), 1)`.
    HardSwish,
    /// `min(max(α x + β, 0), 1)`: α, β.
    HardSigmoid(f32, f32),
    /// `x tanh(ln(1 + exp(x)))`.
    Mish,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `min(max(x, low), high)`.
    Clip(f32, f32),
    /// `x` where it is above α, else 0.
    ThresholdedRelu(f32),
    /// `x + bias` below −λ, `x − bias` above λ, else 0: λ, bias.
    Shrink(f32, f32),
    /// `exp(x)`.
    Exp,
    /// `ln(x)`.
    Log,
    /// `√x`.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x` to this power.
    Power(f32),
    /// `|x|`.
    Abs,
    /// The error function.
    Erf,
    /// `sin(x)`.
    Sin,
    /// `cos(x)`.
    Cos,
    /// −1, 0 or 1.
    Sign,
    /// The next whole number below.
    Floor,
    /// The next whole number above.
    Ceil,
    /// The next whole number, the even one of two.
    Round,
    /// The whole part.
    Truncate,
    /// 1 where `x` is this, else 0.
    Equal(f32),
    /// 1 where `x` is above this, else 0.
    Greater(f32),
    /// 1 where `x` is below this, else 0.
    Less(f32),
}

impl Activation {
    /// Its name in lists and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Elu(_) => "elu",
            Activation::Selu(..) => "selu",
            Activation::Celu(_) => "celu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Swish(_) => "swish",
            Activation::HardSwish => "hard_swish",
            Activation::HardSigmoid(..) => "hard_sigmoid",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Softsign => "softsign",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Clip(..) => "clip",
            Activation::ThresholdedRelu(_) => "thresholded_relu",
            Activation::Shrink(..) => "shrink",
            Activation::Exp => "exp",
            Activation::Log => "log",
            Activation::Sqrt => "sqrt",
            Activation::Reciprocal => "reciprocal",
            Activation::Power(_) => "power",
            Activation::Abs => "abs",
            Activation::Erf => "erf",
            Activation::Sin => "sin",
            Activation::Cos => "cos",
            Activation::Sign => "sign",
            Activation::Floor => "floor",
            Activation::Ceil => "ceil",
            Activation::Round => "round",
            Activation::Truncate => "truncate",
            Activation::Equal(_) => "equal",
            Activation::Greater(_) => "greater",
            Activation::Less(_) => "less",
        }
    }

    /// Of the number in a cell, in float64.
    pub fn of(&self, x: f64, cell: usize) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        match *self {
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu(ref slopes) => {
                if x > 0.0 {
                    x
                } else {
                    f64::from(slopes.at(cell)) * x
                }
            }
            Activation::Elu(alpha) => selu(x, alpha.into(), 1.0),
            Activation::Selu(alpha, gamma) => selu(x, alpha.into(), gamma.into()),
            Activation::Celu(alpha) => {
                let alpha = f64::from(alpha);
                x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0)
            }
            Activation::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Swish(beta) => x * logistic(f64::from(beta) * x),
            Activation::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Activation::HardSigmoid(alpha, beta) => {
                (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0)
            }
            Activation::Mish => x * softplus(x).tanh(),
            Activation::Softplus => softplus(x),
            Activation::Softsign => x / (1.0 + x.abs()),
            Activation::Sigmoid => logistic(x),
            Activation::Tanh => x.tanh(),
            Activation::Clip(low, high) => x.max(low.into()).min(high.into()),
            Activation::ThresholdedRelu(alpha) => x * truth(x > f64::from(alpha)),
            Activation::Shrink(lambda, bias) => {
                let (lambda, bias) = (f64::from(lambda), f64::from(bias));
                if x < -lambda {
                    x + bias
                } else if x > lambda {
                    x - bias
                } else {
                    0.0
                }
            }
            Activation::Exp => x.exp(),
            Activation::Log => x.ln(),
            Activation::Sqrt => x.sqrt(),
            Activation::Reciprocal => 1.0 / x,
            Activation::Power(power) => x.powf(power.into()),
            Activation::Abs => x.abs(),
            Activation::Erf => libm::erf(x),
            Activation::Sin => x.sin(),
            Activation::Cos => x.cos(),
            Activation::Sign => truth(x > 0.0) - truth(x < 0.0),
            Activation::Floor => x.floor(),
            Activation::Ceil => x.ceil(),
            Activation::Round => x.round_ties_even(),
            Activation::Truncate => x.trunc(),
            Activation::Equal(to) => truth(x == f64::from(to)),
            Activation::Greater(than) => truth(x > f64::from(than)),
            Activation::Less(than) => truth(x < f64::from(than)),
        }
    }
}

fn selu(x: f64, alpha: f64, gamma: f64) -> f64 {
    gamma * if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
