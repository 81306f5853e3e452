//! Metrics of a class for each row, from how often each class was told for each.

use super::Average;

/// How often the true class was one and the told class another.
pub(super) struct Confusion {
    classes: usize,
    /// (true class, told class).
    counts: Vec<f64>,
}

impl Confusion {
    pub(super) fn new(classes: usize, truth: &[u32], told: &[u32]) -> Self {
        let mut counts = vec![0.0; classes * classes];
        for (truth, told) in truth.iter().zip(told) {
            counts[*truth as usize * classes + *told as usize] += 1.0;
        }
        Self { classes, counts }
    }

    /// Of a class: rows that are right, rows that are of it, rows that are told to be.
    fn of(&self, class: usize) -> [f64; 3] {
        let row = &self.counts[class * self.classes..][..self.classes];
        let column = self.counts.iter().skip(class).step_by(self.classes);
        [row[class], row.iter().sum(), column.sum()]
    }

    fn all(&self) -> Vec<[f64; 3]> {
        (0..self.classes).map(|class| self.of(class)).collect()
    }

    pub(super) fn accuracy(&self) -> f64 {
        let right: f64 = (0..self.classes).map(|class| self.of(class)[0]).sum();
        right / self.counts.iter().sum::<f64>()
    }

    pub(super) fn balanced_accuracy(&self) -> f64 {
        let all = self.all();
        let recalls = all.iter().filter(|[_, truth, _]| *truth > 0.0);
        let recalls: Vec<f64> = recalls.map(|[right, truth, _]| right / truth).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// A ratio of counts (right, true, told) under an average.
    pub(super) fn averaged(&self, average: Average, ratio: impl Fn([f64; 3]) -> f64) -> f64 {
        let all = self.all();
        // Of neither labels nor answers, a class is none.
        let known: Vec<[f64; 3]> = (all.iter().copied())
            .filter(|[_, truth, told]| truth + told > 0.0)
            .collect();
        match average {
            Average::Binary(class) => ratio(all[class as usize]),
            Average::Micro => ratio(known.iter().fold([0.0; 3], |sum, one| {
                [sum[0] + one[0], sum[1] + one[1], sum[2] + one[2]]
            })),
            Average::Macro => known.iter().copied().map(ratio).sum::<f64>() / known.len() as f64,
            Average::Weighted => {
                let total: f64 = known.iter().map(|[_, truth, _]| truth).sum();
                let weighted = known.iter().map(|one| ratio(*one) * one[1]);
                weighted.sum::<f64>() / total
            }
        }
    }

    pub(super) fn matthews(&self) -> f64 {
        let all = self.all();
        let total: f64 = self.counts.iter().sum();
        let sum = |f: &dyn Fn(&[f64; 3]) -> f64| all.iter().map(f).sum::<f64>();
        let right = sum(&|one| one[0]);
        let both = right * total - sum(&|one| one[1] * one[2]);
        let truth = total * total - sum(&|one| one[1] * one[1]);
        let told = total * total - sum(&|one| one[2] * one[2]);
        if truth * told == 0.0 {
            0.0
        } else {
            both / (truth * told).sqrt()
        }
    }

    /// `1 − Σ wrong / Σ wrong by chance`; 0 where chance is never wrong.
    pub(super) fn kappa(&self) -> f64 {
        let all = self.all();
        let total: f64 = self.counts.iter().sum();
        let right: f64 = all.iter().map(|one| one[0]).sum();
        let by_chance: f64 = all.iter().map(|one| one[1] * one[2]).sum::<f64>() / total;
        if total == by_chance {
            0.0
        } else {
            1.0 - (total - right) / (total - by_chance)
        }
    }
}

/// `a / b`; 0 where b is 0.
fn over(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

pub(super) fn precision([right, _, told]: [f64; 3]) -> f64 {
    over(right, told)
}

pub(super) fn recall([right, truth, _]: [f64; 3]) -> f64 {
    over(right, truth)
}

pub(super) fn f_score(beta: f64) -> impl Fn([f64; 3]) -> f64 {
    let square = beta * beta;
    move |[right, truth, told]| over((1.0 + square) * right, square * truth + told)
}

pub(super) fn jaccard([right, truth, told]: [f64; 3]) -> f64 {
    over(right, truth + told - right)
}
