//! What a model answers, from the margins of its machines: one of a sum, one for each pair of classes.
//! Twin: `shaders/decision.wgsl`
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::lanes::{LANES, exp, logistic, weighted};
use crate::simd::Simd;

bindings! { margins: Read, weights: Read, means: Write }

params! {
    /// Parameters of the shader.
    {
        /// The first row, of those that the means hold.
        first_row,
        /// Rows.
        rows,
        /// The first of these, of those that have weights.
        first_other,
        /// Background rows that there are margins of.
        others,
        /// The first of them in the launch.
        begin,
        /// The end of them.
        end,
        /// Machines.
        machines,
        /// Outputs.
        outputs,
        /// The first coalition, of those that the means hold.
        first,
        /// Coalitions.
        coalitions,
        /// Coalitions that the means hold.
        all,
        /// [`Decision::code`].
        decision,
        /// A float32: the least probability of a pair.
        least,
        /// 0.
        zero,
    }
}

/// Classes that an invocation of the shader has room for, where they are coupled or vote.
pub const MOST_CLASSES: usize = 16;

/// What is made of margins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The margins themselves.
    Margins,
    /// The probabilities `1 − p` and `p` of two classes, where the one margin is the log-odds of p, and p is kept
    /// so far from 0 and 1.
    Pair {
        /// The least probability.
        least: f64,
    },
    /// `exp(m_k) / Σ exp(m)`.
    Softmax,
    /// The probabilities of so many classes, from the log-odds of each of them against each class after it:
    /// pairwise coupling (Wu, Lin & Weng 2004, "Probability estimates for multi-class classification by pairwise
    /// coupling", their second approach), stopped where LIBSVM stops.
    Coupled {
        /// The classes.
        classes: usize,
    },
    /// For each of so many classes the votes of its machines, one against each other class, and less than a
    /// third for how sure they are, as scikit-learn has it.
    Votes {
        /// The classes.
        classes: usize,
    },
}

/// What LIBSVM keeps pairwise probabilities from being.
pub const LEAST: f64 = 1e-7;

impl Decision {
    /// As the shader knows it.
    pub const fn code(self) -> u32 {
        match self {
            Self::Margins => 0,
            Self::Pair { .. } => 1,
            Self::Softmax => 2,
            Self::Coupled { .. } => 3,
            Self::Votes { .. } => 4,
        }
    }

    /// Numbers that come of the margins of so many machines.
    pub fn outputs(self, machines: usize) -> usize {
        match self {
            Self::Margins | Self::Softmax => machines,
            Self::Pair { .. } => 2,
            Self::Coupled { classes } | Self::Votes { classes } => classes,
        }
    }

    /// The machines that so many numbers come of.
    pub fn machines(self, outputs: usize) -> usize {
        match self {
            Self::Margins | Self::Softmax => outputs,
            Self::Pair { .. } => 1,
            Self::Coupled { classes } | Self::Votes { classes } => classes * (classes - 1) / 2,
        }
    }

    /// Adds the mean answer of background rows side by side to `means`, by output. The margins, by machine, are
    /// used up.
    #[inline(always)]
    pub(crate) fn add<S: Simd>(
        self,
        margins: &mut [[f64; LANES]],
        weights: &[f64; LANES],
        means: &mut [f64],
    ) {
        match self {
            Self::Margins => {}
            Self::Pair { least } => {
                let mut answers = logistic::<S>(margins[0]);
                for l in 0..LANES {
                    answers[l] = answers[l].clamp(least, 1.0 - least);
                }
                means[1] += weighted(&answers, weights);
                for l in 0..LANES {
                    answers[l] = 1.0 - answers[l];
                }
                means[0] += weighted(&answers, weights);
                return;
            }
            Self::Softmax => {
                let mut largest = [f64::NEG_INFINITY; LANES];
                for margin in &*margins {
                    for l in 0..LANES {
                        largest[l] = largest[l].max(margin[l]);
                    }
                }
                let mut total = [0.0; LANES];
                for margin in &mut *margins {
                    let mut over = *margin;
                    for l in 0..LANES {
                        over[l] -= largest[l];
                    }
                    *margin = exp::<S>(over);
                    for l in 0..LANES {
                        total[l] += margin[l];
                    }
                }
                for margin in &mut *margins {
                    for l in 0..LANES {
                        margin[l] /= total[l];
                    }
                }
            }
            Self::Coupled { classes: 2 } => {
                let mut answers = coupled_pair::<S>(logistic::<S>(margins[0]));
                means[0] += weighted(&answers, weights);
                for l in 0..LANES {
                    answers[l] = 1.0 - answers[l];
                }
                means[1] += weighted(&answers, weights);
                return;
            }
            Self::Coupled { classes } => {
                for margin in &mut *margins {
                    *margin = logistic::<S>(*margin);
                }
                by_lane(margins, weights, means, &|pairs, answers| {
                    coupled(classes, pairs, answers);
                });
                return;
            }
            Self::Votes { classes } => {
                by_lane(margins, weights, means, &|margins, answers| {
                    votes(classes, margins, answers);
                });
                return;
            }
        }
        for (mean, answers) in means.iter_mut().zip(&*margins) {
            *mean += weighted(answers, weights);
        }
    }

    /// The answers to the margins of one row.
    pub fn answers(self, margins: &[f64]) -> Vec<f64> {
        let mut lanes: Vec<[f64; LANES]> = margins.iter().map(|&margin| [margin; LANES]).collect();
        let mut first = [0.0; LANES];
        first[0] = 1.0;
        let mut answers = vec![0.0; self.outputs(margins.len())];
        self.add::<crate::simd::portable::Portable>(&mut lanes, &first, &mut answers);
        answers
    }
}

/// Adds the mean of answers that are computed row by row.
fn by_lane(
    margins: &[[f64; LANES]],
    weights: &[f64; LANES],
    means: &mut [f64],
    answer: &dyn Fn(&[f64], &mut [f64]),
) {
    let (mut row, mut answers) = (vec![0.0; margins.len()], vec![0.0; means.len()]);
    for (l, &weight) in weights.iter().enumerate() {
        if weight == 0.0 {
            continue;
        }
        for (cell, margin) in row.iter_mut().zip(margins) {
            *cell = margin[l];
        }
        answer(&row, &mut answers);
        for (mean, answer) in means.iter_mut().zip(&answers) {
            *mean += weight * answer;
        }
    }
}

/// The machine of two classes, the first of which is smaller.
fn machine(classes: usize, first: usize, second: usize) -> usize {
    first * (2 * classes - first - 1) / 2 + second - first - 1
}

/// [`coupled`] of two classes: the probability of the first. With r the one of the pair, a step takes the
/// other class from y to `y (1 − r)² / ((1 − r)² − (1 − r) y + y²)`, then the first from x likewise, and what it is
/// stopped by is `|x − r| max(x, y)`.
#[inline(always)]
fn coupled_pair<S: Simd>(mut r: [f64; LANES]) -> [f64; LANES] {
    for l in 0..LANES {
        r[l] = r[l].clamp(LEAST, 1.0 - LEAST);
    }
    let mut x = [0.5; LANES];
    for _ in 0..MOST_STEPS {
        let mut is_off = [0_u64; LANES];
        for l in 0..LANES {
            let off = (x[l] - r[l]).abs() * x[l].max(1.0 - x[l]);
            is_off[l] = if off < STOP / 2.0 { 0 } else { u64::MAX };
        }
        let mut any = 0;
        for l in 0..LANES {
            any |= is_off[l];
        }
        if any == 0 {
            break;
        }
        for l in 0..LANES {
            let (r, rest) = (r[l], 1.0 - r[l]);
            let y = 1.0 - x[l];
            let y = y * rest * rest / S::fused(y, y - rest, rest * rest);
            let next = 1.0 - y;
            let next = next * r * r / S::fused(next, next - r, r * r);
            x[l] = if is_off[l] == 0 { x[l] } else { next };
        }
    }
    x
}

/// LIBSVM's bounds on the steps of pairwise coupling, and on what the classes may differ by, times their number.
const MOST_STEPS: usize = 100;
const STOP: f64 = 0.005;

/// The p that minimises `Σ (r_ji p_i − r_ij p_j)²` over pairs, where `r_ij` is the probability of i if it is i or
/// j: Q p is equal for all classes there.
fn coupled(classes: usize, pairs: &[f64], p: &mut [f64]) {
    let r = |i: usize, j: usize| {
        if i < j {
            pairs[machine(classes, i, j)].clamp(LEAST, 1.0 - LEAST)
        } else {
            1.0 - pairs[machine(classes, j, i)].clamp(LEAST, 1.0 - LEAST)
        }
    };
    let mut q = vec![0.0; classes * classes];
    for t in 0..classes {
        for j in (0..classes).filter(|&j| j != t) {
            q[t * classes + t] += r(j, t) * r(j, t);
            q[t * classes + j] = -r(j, t) * r(t, j);
        }
    }
    p.fill(1.0 / classes as f64);
    let mut qp = vec![0.0; classes];
    for _ in 0..classes.max(MOST_STEPS) {
        for (qp, q) in qp.iter_mut().zip(q.chunks_exact(classes)) {
            *qp = q.iter().zip(&*p).map(|(q, p)| q * p).sum();
        }
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        let off = qp.iter().map(|qp| (qp - pqp).abs()).fold(0.0, f64::max);
        if off < STOP / classes as f64 {
            break;
        }
        for t in 0..classes {
            let own = q[t * classes + t];
            let step = (pqp - qp[t]) / own;
            p[t] += step;
            let scale = 1.0 / (1.0 + step);
            pqp = (pqp + step * (step * own + 2.0 * qp[t])) * scale * scale;
            for j in 0..classes {
                qp[j] = (qp[j] + step * q[t * classes + j]) * scale;
                p[j] *= scale;
            }
        }
    }
}

fn votes(classes: usize, margins: &[f64], answers: &mut [f64]) {
    let mut sure = vec![0.0; classes];
    answers.fill(0.0);
    for first in 0..classes {
        for second in first + 1..classes {
            let margin = margins[machine(classes, first, second)];
            sure[first] += margin;
            sure[second] -= margin;
            answers[if margin < 0.0 { second } else { first }] += 1.0;
        }
    }
    for (answer, sure) in answers.iter_mut().zip(sure) {
        *answer += sure / (3.0 * (sure.abs() + 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::Decision;

    #[test]
    fn coupled_probabilities_are_those_that_all_pairs_agree_on() {
        let p: [f64; 4] = [0.1, 0.4, 0.3, 0.2];
        let mut margins = Vec::new();
        for i in 0..4 {
            for j in i + 1..4 {
                margins.push((p[i] / p[j]).ln());
            }
        }
        let got = Decision::Coupled { classes: 4 }.answers(&margins);
        for (got, p) in got.iter().zip(p) {
            assert!((got - p).abs() < 2e-3, "{got} {p}");
        }
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn two_classes_are_coupled_as_any_number() {
        for step in -160..160 {
            let margin = f64::from(step) / 8.0 + 0.01;
            let mut expected = [0.0; 2];
            super::coupled(2, &[1.0 / (1.0 + (-margin).exp())], &mut expected);
            let got = Decision::Coupled { classes: 2 }.answers(&[margin]);
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-12, "{margin}: {got} {expected}");
            }
        }
    }

    #[test]
    fn votes_count_wins_and_order_ties_by_margins() {
        // 0 beats 1, 1 beats 2, 2 beats 0.
        let got = Decision::Votes { classes: 3 }.answers(&[2.0, -1.0, 0.5]);
        let sure: [f64; 3] = [2.0 - 1.0, -2.0 + 0.5, 1.0 - 0.5];
        for (got, sure) in got.iter().zip(sure) {
            let expected = 1.0 + sure / (3.0 * (sure.abs() + 1.0));
            assert!((got - expected).abs() < 1e-15, "{got} {expected}");
        }
    }

    #[test]
    fn probabilities_of_two_classes_stay_away_from_the_ends() {
        let pair = Decision::Pair { least: 1e-7 };
        let far = pair.answers(&[100.0]);
        assert!(
            (far[0] - 1e-7).abs() < 1e-15 && far[1] == 1.0 - 1e-7,
            "{far:?}"
        );
        assert_eq!(pair.answers(&[0.0]), [0.5, 0.5]);
        let soft = Decision::Softmax.answers(&[1000.0, 1000.0 + 3.0_f64.ln()]);
        assert!((soft[0] - 0.25).abs() < 1e-12 && (soft[1] - 0.75).abs() < 1e-12);
    }
}
