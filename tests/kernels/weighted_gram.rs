//! Weighted sums of differences against their definition.

use whylight_kernels::weighted_gram::{Differences, Sums};

use crate::support::random::Random;

/// Samples and a row, as codes and quantities; some features are only compared.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) compared: Vec<bool>,
    /// (samples, features).
    pub(crate) cells: Vec<f64>,
    /// (samples, outputs).
    pub(crate) answers: Vec<f64>,
    pub(crate) row: Vec<f64>,
    pub(crate) own: Vec<f64>,
    pub(crate) count: usize,
    pub(crate) width: f64,
}

impl Case {
    /// `quantities` of each hundred features are quantities.
    pub(crate) fn random(
        features: usize,
        outputs: usize,
        count: usize,
        quantities: usize,
        seed: u64,
    ) -> Self {
        let mut random = Random(seed);
        let compared: Vec<bool> = (0..features)
            .map(|_| random.below(100) >= quantities)
            .collect();
        let mut cells = |rows: usize| -> Vec<f64> {
            let cell = |at: usize| {
                if compared[at % features] {
                    random.below(4) as f64
                } else {
                    // Exactly float32, so that both twins read the same.
                    f64::from((random.unit() * 4.0 - 2.0) as f32)
                }
            };
            (0..rows * features).map(cell).collect()
        };
        let (cells, mut row) = (cells(count), cells(1));
        if features > 2 && compared[2] {
            // No sample is like it.
            row[2] = -1.0;
        }
        let mut numbers = |count: usize| -> Vec<f64> {
            (0..count)
                .map(|_| f64::from(random.unit() as f32 - 0.5))
                .collect()
        };
        Self {
            answers: numbers(count * outputs),
            own: numbers(outputs),
            width: 0.75 * (features as f64).sqrt(),
            compared,
            cells,
            row,
            count,
        }
    }

    /// The difference of a sample in a feature.
    pub(crate) fn z(&self, sample: usize, feature: usize) -> f64 {
        let (cell, own) = (
            self.cells[sample * self.row.len() + feature],
            self.row[feature],
        );
        match self.compared[feature] {
            true if cell == own => 0.0,
            true => -1.0,
            false => cell - own,
        }
    }

    pub(crate) fn t(&self, sample: usize, output: usize) -> f64 {
        self.answers[sample * self.own.len() + output] - self.own[output]
    }

    pub(crate) fn weights(&self) -> Vec<f64> {
        let weight = |sample| {
            let z = (0..self.row.len()).map(|feature| self.z(sample, feature));
            let square: f64 = z.map(|z| z * z).sum();
            (-square / (2.0 * self.width * self.width)).exp()
        };
        (0..self.count).map(weight).collect()
    }

    /// The sums as they are defined.
    pub(crate) fn defined(&self, weights: &[f64]) -> Sums {
        let (features, outputs) = (self.row.len(), self.own.len());
        let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
            (0..self.count)
                .map(|sample| weights[sample] * of(sample))
                .sum()
        };
        let mut sums = Sums {
            weight: sum(&|_| 1.0),
            ..Sums::default()
        };
        for i in 0..features {
            sums.z.push(sum(&|s| self.z(s, i)));
            for j in 0..features {
                sums.zz.push(sum(&|s| self.z(s, i) * self.z(s, j)));
            }
        }
        for o in 0..outputs {
            sums.t.push(sum(&|s| self.t(s, o)));
            sums.tt.push(sum(&|s| self.t(s, o).powi(2)));
            for i in 0..features {
                sums.zt.push(sum(&|s| self.z(s, i) * self.t(s, o)));
            }
        }
        sums
    }

    /// As the CPU has them: by bits where all features are compared and `by_bits`.
    pub(crate) fn differences(&self, by_bits: bool) -> Differences {
        let features = self.row.len();
        if !by_bits {
            let cells = (0..self.count * features).map(|at| self.z(at / features, at % features));
            return Differences::Dense {
                features,
                cells: cells.collect(),
            };
        }
        let column = |feature: usize| {
            let mut words = vec![0_u64; self.count.div_ceil(64)];
            for sample in 0..self.count {
                words[sample / 64] |= u64::from(self.z(sample, feature) == 0.0) << (sample % 64);
            }
            words
        };
        let columns: Vec<Vec<u64>> = (0..features).map(column).collect();
        let columns: Vec<&[u64]> = columns.iter().map(Vec::as_slice).collect();
        Differences::of_bits(self.count, &columns)
    }

    pub(crate) fn targets(&self) -> Vec<Vec<f64>> {
        let outputs = 0..self.own.len();
        outputs
            .map(|o| (0..self.count).map(|s| self.t(s, o)).collect())
            .collect()
    }
}

/// Whether all sums agree to a part of the largest of their kind.
pub(crate) fn agree(a: &Sums, b: &Sums, part: f64) -> Result<(), String> {
    let kinds = [
        ("weight", vec![a.weight], vec![b.weight]),
        ("z", a.z.clone(), b.z.clone()),
        ("zz", a.zz.clone(), b.zz.clone()),
        ("t", a.t.clone(), b.t.clone()),
        ("tt", a.tt.clone(), b.tt.clone()),
        ("zt", a.zt.clone(), b.zt.clone()),
    ];
    for (name, a, b) in kinds {
        if a.len() != b.len() {
            return Err(format!("{name}: {} and {}", a.len(), b.len()));
        }
        let largest = a.iter().fold(1.0_f64, |most, cell| most.max(cell.abs()));
        for (at, (a, b)) in a.iter().zip(&b).enumerate() {
            // A NaN is no agreement.
            if (a - b).is_nan() || (a - b).abs() > part * largest {
                return Err(format!("{name}[{at}]: {a} and {b}"));
            }
        }
    }
    Ok(())
}

#[test]
fn sums_are_those_of_the_definition() {
    for (seed, features) in (0..).zip([1, 2, 3, 7, 30, 63, 64, 65, 130]) {
        for count in [1, 4, 63, 64, 65, 257] {
            for quantities in [0, 40, 100] {
                let case = Case::random(features, 2, count, quantities, seed);
                let weights = case.weights();
                let expected = case.defined(&weights);
                for by_bits in [true, false] {
                    if by_bits && quantities > 0 {
                        continue;
                    }
                    let differences = case.differences(by_bits);
                    let targets = case.targets();
                    let targets: Vec<&[f64]> = targets.iter().map(Vec::as_slice).collect();
                    let got = differences.sums(&weights, &targets);
                    agree(&expected, &got, 1e-12).unwrap_or_else(|e| {
                        panic!("{features} features, {count} samples, bits {by_bits}: {e}")
                    });
                    let squares = differences.squares();
                    let beta: Vec<f64> = (0..features).map(|f| f as f64 - 1.5).collect();
                    let times = differences.times(&beta);
                    for sample in 0..count {
                        let z = (0..features).map(|f| case.z(sample, f));
                        let square: f64 = z.clone().map(|z| z * z).sum();
                        let said: f64 = z.zip(&beta).map(|(z, b)| z * b).sum();
                        assert!((squares[sample] - square).abs() < 1e-9);
                        assert!((times[sample] - said).abs() < 1e-9 * said.abs().max(1.0));
                    }
                }
            }
        }
    }
}

#[test]
fn sums_of_many_samples_are_those_of_the_definition_however_many_bits_are_set() {
    // More than a block of features, and than a panel of samples.
    let (features, count) = (130, 1030);
    for (kinds, row_is) in [(20, 0.0), (2, 0.0), (20, 30.0)] {
        let mut case = Case::random(features, 2, count, 0, kinds);
        let mut random = Random(kinds);
        // A few in a hundred, half, or all but a few are the row's.
        let mut cell = || random.below(kinds as usize) as f64;
        for to in &mut case.cells {
            *to = if row_is > 0.0 && cell() > 0.0 {
                row_is
            } else {
                cell()
            };
        }
        case.row.fill(row_is);
        let weights = case.weights();
        let targets = case.targets();
        let targets: Vec<&[f64]> = targets.iter().map(Vec::as_slice).collect();
        let expected = case.defined(&weights);
        for by_bits in [true, false] {
            let got = case.differences(by_bits).sums(&weights, &targets);
            agree(&expected, &got, 1e-12).unwrap_or_else(|e| panic!("{kinds} {row_is}: {e}"));
            let some = [3, 129, 64];
            let few = got.clone().among(&some);
            for (i, &a) in some.iter().enumerate() {
                assert_eq!(few.z[i], got.z[a]);
                assert_eq!(few.zt[3 + i], got.zt[features + a]);
                for (j, &b) in some.iter().enumerate() {
                    assert_eq!(few.zz[i * 3 + j], got.zz[a * features + b]);
                }
            }
        }
    }
}

#[test]
fn a_neighbourhood_that_weighs_nothing_beside_the_row_keeps_its_precision() {
    let mut case = Case::random(5, 1, 64, 0, 3);
    case.width = 0.05;
    let weights = case.weights();
    assert!(
        weights
            .iter()
            .all(|weight| *weight < 1e-80 || *weight == 1.0)
    );
    let far: Vec<f64> = weights
        .iter()
        .map(|w| if *w == 1.0 { 0.0 } else { *w })
        .collect();
    let targets = case.targets();
    let got = case.differences(true).sums(&far, &[&targets[0]]);
    let expected = case.defined(&far);
    for (a, b) in got.zz.iter().zip(&expected.zz) {
        assert!((a - b).abs() <= 1e-12 * expected.weight, "{a} {b}");
    }
}

#[test]
fn the_comparer_refuses_what_is_wrong() {
    let case = Case::random(4, 1, 40, 50, 9);
    let sums = case.defined(&case.weights());
    assert!(agree(&sums, &sums, 0.0).is_ok());
    let mut wrong = sums.clone();
    wrong.zz.swap(0, 5);
    assert!(agree(&sums, &wrong, 1e-6).is_err());
    let mut nan = sums.clone();
    nan.t[0] = f64::NAN;
    assert!(agree(&sums, &nan, 1e-6).is_err());
}
