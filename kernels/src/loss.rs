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

#[cfg(test)]
mod tests {
    use super::{Loss, ask, softmax};
    use crate::matrix::Matrix;

    fn outputs() -> Matrix {
        let mut outputs = Matrix::default();
        outputs.reset(2, 2);
        outputs.row_mut(0)[..2].copy_from_slice(&[1.0, -1.0]);
        outputs.row_mut(1)[..2].copy_from_slice(&[500.0, -500.0]);
        outputs
    }

    #[test]
    fn losses_and_what_they_ask_follow_their_definitions() {
        let targets = [0.25, 0.75, 0.0, 1.0];
        let mut cross = outputs();
        let loss = ask(Loss::CrossEntropy, &mut cross, &targets, &[0.5, 2.0], 2);
        let log_sum = (1.0_f64 + (-2.0_f64).exp()).ln();
        let first = 0.25 * log_sum + 0.75 * (2.0 + log_sum);
        // A certain answer that is wrong: its loss is finite.
        assert!((loss - (0.5 * first + 2.0 * 1000.0)).abs() < 1e-6, "{loss}");
        let p = 1.0 / (1.0 + (-2.0_f64).exp());
        assert!((f64::from(cross.row(0)[0]) - 0.5 * (p - 0.25)).abs() < 1e-7);
        assert!((f64::from(cross.row(0)[1]) - 0.5 * (0.25 - p)).abs() < 1e-7);
        assert_eq!(cross.row(1)[..2], [2.0, -2.0]);
        let mut squares = outputs();
        let loss = ask(Loss::Squares, &mut squares, &targets, &[1.0, 0.0], 2);
        assert!((loss - f64::midpoint(0.75 * 0.75, 1.75 * 1.75)).abs() < 1e-9);
        assert_eq!(squares.row(0)[..2], [0.75, -1.75]);
        assert_eq!(squares.row(1)[..2], [0.0, 0.0]);
        let mut answers = [1000.0, 1000.0, f32::MIN];
        softmax(&mut answers);
        assert_eq!(answers, [0.5, 0.5, 0.0]);
    }
}
