//! From the margins of machines to what a classifier answers.

/// What is made of margins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The margins themselves.
    Margins,
    /// The probabilities `1 − p` and `p` of two classes, where the one margin is the log-odds of p.
    Pair,
    /// As [`Decision::Pair`], with p kept 1e-7 away from 0 and 1, as LIBSVM has it.
    ClippedPair,
    /// `exp(m_k) / Σ exp(m)`.
    Softmax,
    /// The probabilities of so many classes, from the log-odds of each against each after it: pairwise coupling
    /// (Wu, Lin & Weng 2004), stopped where LIBSVM stops.
    Coupled(usize),
    /// For each of so many classes the votes of its machines, one against each other class, and less than a third
    /// for how sure they are, as scikit-learn has it.
    Votes(usize),
}

/// What LIBSVM keeps probabilities of one of two classes from being.
const LEAST: f64 = 1e-7;

impl Decision {
    /// The answer to the margins of a row, in float64.
    pub fn answer(self, margins: &[f64]) -> Vec<f64> {
        let logistic = |margin: f64| 1.0 / (1.0 + (-margin).exp());
        match self {
            Self::Margins => margins.to_vec(),
            Self::Pair => vec![logistic(-margins[0]), logistic(margins[0])],
            Self::ClippedPair => {
                let p = logistic(margins[0]).clamp(LEAST, 1.0 - LEAST);
                vec![1.0 - p, p]
            }
            Self::Softmax => {
                let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = margins.iter().map(|m| (m - largest).exp()).sum();
                margins
                    .iter()
                    .map(|m| (m - largest).exp() / total)
                    .collect()
            }
            Self::Coupled(classes) => {
                let pair = |margin: &f64| logistic(*margin).clamp(LEAST, 1.0 - LEAST);
                coupled(classes, &margins.iter().map(pair).collect::<Vec<_>>())
            }
            Self::Votes(classes) => votes(classes, margins),
        }
    }

    /// The machines that so many outputs come of.
    pub(super) fn machines(self, outputs: usize) -> usize {
        match self {
            Self::Margins | Self::Softmax => outputs,
            Self::Pair | Self::ClippedPair => 1,
            Self::Coupled(classes) | Self::Votes(classes) => pairs(classes).count(),
        }
    }
}

/// Classes in pairs, in the order of their machines.
fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |i| (i + 1..classes).map(move |j| (i, j)))
}

fn coupled(classes: usize, of_pairs: &[f64]) -> Vec<f64> {
    // r[i][j]: the probability of i, if it is i or j.
    let mut r = vec![vec![0.0; classes]; classes];
    for ((i, j), &p) in pairs(classes).zip(of_pairs) {
        (r[i][j], r[j][i]) = (p, 1.0 - p);
    }
    let q = |t: usize, j: usize| {
        if t == j {
            (0..classes).map(|i| r[i][t] * r[i][t]).sum()
        } else {
            -r[j][t] * r[t][j]
        }
    };
    let q: Vec<Vec<f64>> = (0..classes)
        .map(|t| (0..classes).map(|j| q(t, j)).collect())
        .collect();
    let product = |p: &[f64]| -> Vec<f64> {
        let of = |row: &Vec<f64>| row.iter().zip(p).map(|(q, p)| q * p).sum();
        q.iter().map(of).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut p = vec![1.0 / classes as f64; classes];
    for _ in 0..classes.max(100) {
        let mut qp = product(&p);
        let whole = dot(&p, &qp);
        if qp
            .iter()
            .all(|qp| (qp - whole).abs() < 0.005 / classes as f64)
        {
            break;
        }
        for t in 0..classes {
            // Moves p along one class to where Q p is the same for it, and keeps the sum at 1.
            let step = (dot(&p, &qp) - qp[t]) / q[t][t];
            p[t] += step;
            for p in &mut p {
                *p /= 1.0 + step;
            }
            qp = product(&p);
        }
    }
    p
}

fn votes(classes: usize, margins: &[f64]) -> Vec<f64> {
    let (mut votes, mut sure) = (vec![0.0; classes], vec![0.0; classes]);
    for ((i, j), margin) in pairs(classes).zip(margins) {
        votes[if *margin < 0.0 { j } else { i }] += 1.0;
        sure[i] += margin;
        sure[j] -= margin;
    }
    let answer = |(votes, sure): (&f64, &f64)| votes + sure / (3.0 * (sure.abs() + 1.0));
    votes.iter().zip(&sure).map(answer).collect()
}
