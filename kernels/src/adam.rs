//! Adam (Kingma & Ba 2015): steps that each weight's own gradients scale.
//! Twin: `shaders/adam.wgsl`

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};

bindings! {
    gradients: Read,
    places: Read,
    weights: Write,
    first: Write,
    second: Write,
    norms: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// 0 to square runs of gradients, 1 to add the squares up to a scale, 2 to take a step.
        part,
        /// Gradients.
        count,
        /// Where the first is.
        start,
        /// Numbers of a word's vector, or 0.
        width,
        /// Where the words begin.
        words,
        /// The norm that all gradients have at most, as bits.
        clip,
        /// The rate, as bits.
        rate,
        /// What is added to roots, as bits.
        epsilon,
    }
}

/// Gradients that one invocation of the shader squares.
pub const NORM_RUN: u32 = 256;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The learning rate, with both moments' corrections for their beginning at 0 in it.
    pub rate: f32,
    /// What is added to the root of the second moment, corrected as that is.
    pub epsilon: f32,
    /// Gradients are multiplied by it: below 1 where their norm is clipped.
    pub scale: f32,
}

/// How much of the moments stays.
pub const STAYS: [f32; 2] = [0.9, 0.999];

/// What keeps a step finite where gradients are 0.
const EPSILON: f64 = 1e-8;

impl Step {
    /// Step number `number`, from 1 on.
    pub fn new(rate: f64, number: u64, scale: f64) -> Self {
        let number = number as f64;
        let first = 1.0 - f64::from(STAYS[0]).powf(number);
        let root = (1.0 - f64::from(STAYS[1]).powf(number)).sqrt();
        Self {
            rate: (rate * root / first) as f32,
            epsilon: (EPSILON * root) as f32,
            scale: scale as f32,
        }
    }
}

instances! { wide
    /// Takes a step: weights, and the moments of their gradients, all of one length.
    pub fn update = run(
        step: Step, gradients: &[f32], weights: &mut [f32], first: &mut [f32], second: &mut [f32],
    )
}

#[inline(always)]
fn run<S: Simd>(
    step: Step,
    gradients: &[f32],
    weights: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let count = gradients.len();
    let (weights, first) = (&mut weights[..count], &mut first[..count]);
    let second = &mut second[..count];
    for i in 0..count {
        let gradient = step.scale * gradients[i];
        first[i] = S::fused(STAYS[0], first[i], (1.0 - STAYS[0]) * gradient);
        second[i] = S::fused(STAYS[1], second[i], (1.0 - STAYS[1]) * gradient * gradient);
        weights[i] -= step.rate * first[i] / (second[i].sqrt() + step.epsilon);
    }
}

/// The sum of the squares, in an order that depends on nothing.
pub fn squares(numbers: &[f32]) -> f64 {
    numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

#[cfg(test)]
mod tests {
    use super::{Step, update};
    use crate::Level;

    #[test]
    fn steps_follow_the_paper() {
        for level in Level::available() {
            let (mut weights, mut m, mut v) = ([1.0, -2.0, 0.5], [0.0; 3], [0.0; 3]);
            let (mut exact, mut em, mut ev) = ([1.0, -2.0, 0.5_f64], [0.0_f64; 3], [0.0_f64; 3]);
            for number in 1..6 {
                let gradients = [0.3, -1.0, 0.0].map(|g: f32| g * number as f32);
                let step = Step::new(0.01, number, 0.5);
                update(level, step, &gradients, &mut weights, &mut m, &mut v);
                for i in 0..3 {
                    let g = 0.5 * f64::from(gradients[i]);
                    em[i] = 0.9 * em[i] + 0.1 * g;
                    ev[i] = 0.999 * ev[i] + 0.001 * g * g;
                    let first = em[i] / (1.0 - 0.9_f64.powi(number as i32));
                    let second = ev[i] / (1.0 - 0.999_f64.powi(number as i32));
                    exact[i] -= 0.01 * first / (second.sqrt() + 1e-8);
                    assert!((f64::from(weights[i]) - exact[i]).abs() < 2e-6, "{level:?}");
                }
            }
        }
    }
}
