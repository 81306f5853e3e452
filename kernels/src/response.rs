//! What a model answers, from the margins of its outputs: the inverse of the link function of its
//! objective, or the logarithmic loss of that answer.

/// From margins to answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The margins themselves.
    Identity,
    /// `1 / (1 + exp(−scale m))` of each output.
    Logistic {
        /// What the margin is multiplied with.
        scale: f64,
    },
    /// `exp(m_k) / Σ exp(m)`.
    Softmax,
    /// `exp(m)` of each output.
    Exp,
    /// `ln(1 + exp(m))` of each output.
    Softplus,
    /// `m |m|` of each output.
    SignedSquare,
    /// 1 where `m > 0`, else 0, of each output.
    Step,
    /// A mean, and variances from the logarithms of deviations: the first margin, and `exp(2 m)` of the
    /// others.
    Variance,
    /// The first margin, and from each output to the next what [`EXPECTILE_GAP`] and `ln(1 + exp(m))` add.
    Expectiles,
}

/// XGBoost's least distance between two expectiles.
pub const EXPECTILE_GAP: f64 = 1e-6_f32 as f64;

/// The links as the shader knows them; any other number is the identity.
pub const LOGISTIC: u32 = 1;
/// See [`LOGISTIC`].
pub const SOFTMAX: u32 = 2;
/// See [`LOGISTIC`].
pub const EXP: u32 = 3;
/// See [`LOGISTIC`].
pub const SOFTPLUS: u32 = 4;
/// See [`LOGISTIC`].
pub const SIGNED_SQUARE: u32 = 5;
/// See [`LOGISTIC`].
pub const STEP: u32 = 6;
/// See [`LOGISTIC`].
pub const VARIANCE: u32 = 7;
/// See [`LOGISTIC`].
pub const EXPECTILES: u32 = 8;

impl Link {
    /// The number that the shader knows it by, and what it multiplies the margin with.
    pub fn code(self) -> (u32, f32) {
        match self {
            Link::Identity => (0, 1.0),
            Link::Logistic { scale } => (LOGISTIC, scale as f32),
            Link::Softmax => (SOFTMAX, 1.0),
            Link::Exp => (EXP, 1.0),
            Link::Softplus => (SOFTPLUS, 1.0),
            Link::SignedSquare => (SIGNED_SQUARE, 1.0),
            Link::Step => (STEP, 1.0),
            Link::Variance => (VARIANCE, 1.0),
            Link::Expectiles => (EXPECTILES, 1.0),
        }
    }
}

/// What is computed of margins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// The answer.
    pub link: Link,
    /// Whether to take, in place of the answer, `−ln p` for each label that could be the true one: of a
    /// single logistic output 0 and 1, of a softmax every class.
    pub loss: bool,
}

impl Response {
    /// Numbers that come of the margins of so many outputs.
    pub fn outputs(self, outputs: usize) -> usize {
        match self.link {
            Link::Logistic { .. } if self.loss => 2 * outputs,
            _ => outputs,
        }
    }

    /// Adds `weight` times the response to `sums`, laid out (number, `count`), for margins laid out
    /// (output, `count`), which are used up.
    pub fn add(self, margins: &mut [f64], count: usize, weight: f64, sums: &mut [f64]) {
        let each = |sums: &mut [f64], margins: &[f64], answer: &dyn Fn(f64) -> f64| {
            for (sum, &margin) in sums.iter_mut().zip(margins) {
                *sum += weight * answer(margin);
            }
        };
        match (self.link, self.loss) {
            (Link::Identity, _) => each(sums, margins, &|m| m),
            (Link::Logistic { scale }, false) => {
                for (sum, &margin) in sums.iter_mut().zip(&*margins) {
                    *sum += weight / (1.0 + (-scale * margin).exp());
                }
            }
            (Link::Logistic { scale }, true) => {
                let of_output = margins.chunks(count).zip(sums.chunks_mut(2 * count));
                for (margins, sums) in of_output {
                    let (zero, one) = sums.split_at_mut(count);
                    each(zero, margins, &|m| softplus(scale * m));
                    each(one, margins, &|m| softplus(-scale * m));
                }
            }
            (Link::Exp, _) => each(sums, margins, &f64::exp),
            (Link::Softplus, _) => each(sums, margins, &softplus),
            (Link::SignedSquare, _) => each(sums, margins, &|m| m * m.abs()),
            (Link::Step, _) => each(sums, margins, &|m| f64::from(u8::from(m > 0.0))),
            (Link::Variance, _) => {
                let first = count.min(margins.len());
                let ((mean, others), (to, to_others)) =
                    (margins.split_at(first), sums.split_at_mut(first));
                each(to, mean, &|m| m);
                each(to_others, others, &|m| (2.0 * m).exp());
            }
            (Link::Expectiles, _) => {
                for at in count..margins.len() {
                    margins[at] = margins[at - count] + EXPECTILE_GAP + softplus(margins[at]);
                }
                each(sums, margins, &|m| m);
            }
            (Link::Softmax, loss) => {
                for at in 0..count {
                    let outputs = || (at..margins.len()).step_by(count);
                    let largest = outputs().map(|o| margins[o]).fold(f64::MIN, f64::max);
                    let total: f64 = outputs().map(|o| (margins[o] - largest).exp()).sum();
                    for o in outputs() {
                        let log = margins[o] - largest - total.ln();
                        sums[o] += weight * if loss { -log } else { log.exp() };
                    }
                }
            }
        }
    }
}

/// `ln(1 + exp(m))`, where neither end overflows.
fn softplus(m: f64) -> f64 {
    m.max(0.0) + (-m.abs()).exp().ln_1p()
}
