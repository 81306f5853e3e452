//! Losses of a surrogate against its teacher, and what they ask of its outputs.
//! Twin: `shaders/loss.wgsl`

use crate::binding::{bindings, params};
use crate::matrix::Matrix;

bindings! {
    targets: Read,
    outputs: Write,
    losses: Write,
    sums: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Documents.
        documents,
        /// Outputs.
        outputs,
        /// 1 for squares.
        squares,
        /// 1 to add up the losses.
        adds_up,
        /// Where their sum goes.
        place,
        /// Where the shares begin.
        shares,
    }
}

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The cross-entropy of softmax against probabilities that add up to 1.
    CrossEntropy,
    /// The mean over the outputs of the squared differences.
    Squares,
}

/// Softmax, in place.
pub fn softmax(outputs: &mut [f32]) {
    let most = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = outputs.iter().map(|&x| f64::from(x - most).exp()).sum();
    for output in outputs {
        *output = (f64::from(*output - most).exp() / sum) as f32;
    }
}

/// The sum of the losses of rows of outputs against `targets`, (row, output), each times its share; `outputs` gets what
/// is asked of each.
pub fn ask(loss: Loss, outputs: &mut Matrix, targets: &[f32], shares: &[f32], count: usize) -> f64 {
    let mut sum = 0.0;
    for (row, &share) in shares.iter().enumerate() {
        let targets = &targets[row * count..][..count];
        let outputs = outputs.row_mut(row);
        // Nothing is asked of the rest of the last line.
        outputs[count..].fill(0.0);
        let outputs = &mut outputs[..count];
        let wide = f64::from(share);
        match loss {
            Loss::CrossEntropy => {
                let most = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exp = |x: f32| f64::from(x - most).exp();
                let all: f64 = outputs.iter().map(|&x| exp(x)).sum();
                let mass: f64 = targets.iter().map(|&t| f64::from(t)).sum();
                for (output, &target) in outputs.iter_mut().zip(targets) {
                    let target = f64::from(target);
                    let log = f64::from(*output - most) - all.ln();
                    sum -= wide * target * log;
                    *output = (wide * (mass * exp(*output) / all - target)) as f32;
                }
            }
            Loss::Squares => {
                let wide = wide / count as f64;
                for (output, &target) in outputs.iter_mut().zip(targets) {
                    let difference = f64::from(*output) - f64::from(target);
                    sum += wide * difference * difference;
                    *output = (2.0 * wide * difference) as f32;
                }
            }
        }
    }
    sum
}
