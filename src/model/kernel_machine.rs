//! Kernel machines: support vectors, Gaussian processes, kernel ridge.

use std::path::Path;

use ndarray::Array2;

use super::decision::Decision;
use super::trees::Feature;
use crate::error::{Error, Result};

/// How alike two rows are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Kernel {
    /// `exp(−Σ_j γ_j (x_j − s_j)²)`, with a γ for each feature.
    Rbf(Vec<f64>),
    /// `exp(−γ Σ_j |x_j − s_j|)`.
    Laplacian(f64),
    /// Matérn's, of `r = √(2ν Σ_j γ_j (x_j − s_j)²)` for ν = `order` + ½: `exp(−r)` times 1, `1 + r`, or
    /// `1 + r + r² / 3` (Rasmussen & Williams 2006, eq. 4.17).
    Matern {
        /// A γ for each feature: 1 / length².
        gammas: Vec<f64>,
        /// ν − ½: 0, 1 or 2.
        order: u32,
    },
    /// `(γ x·s + coef0)^degree`.
    Polynomial {
        /// γ.
        gamma: f64,
        /// What is added.
        coef0: f64,
        /// The degree.
        degree: u32,
    },
    /// `tanh(γ x·s + coef0)`.
    Sigmoid {
        /// γ.
        gamma: f64,
        /// What is added.
        coef0: f64,
    },
}

/// Machines over shared support vectors: `intercepts[k] + Σ_v coefficients[k, v] · kernel(x, vectors[v])`.
#[derive(Debug, Clone)]
pub struct KernelMachine {
    /// The columns that the model reads; numbers all.
    pub features: Vec<Feature>,
    /// One name per output, or per class.
    pub outputs: Vec<String>,
    /// The kernel.
    pub kernel: Kernel,
    /// The support vectors (vectors, features).
    pub vectors: Array2<f64>,
    /// (machines, vectors).
    pub coefficients: Array2<f64>,
    /// By machine.
    pub intercepts: Vec<f64>,
    /// What the raw output is of the machines' margins.
    pub raw: Decision,
    /// What probabilities are of `a · margin + b` of each machine (Platt 1999), `None` without them; then a and b
    /// by machine.
    pub probability: Option<(Decision, Vec<[f64; 2]>)>,
}

impl Kernel {
    /// In float64.
    fn of(&self, x: &[f64], s: &[f64]) -> f64 {
        let cells = || x.iter().zip(s);
        let product = || cells().map(|(x, s)| x * s).sum::<f64>();
        match self {
            Self::Rbf(gammas) => {
                let terms = cells()
                    .zip(gammas)
                    .map(|((x, s), gamma)| gamma * (x - s) * (x - s));
                (-terms.sum::<f64>()).exp()
            }
            Self::Matern { gammas, order } => {
                let terms = cells()
                    .zip(gammas)
                    .map(|((x, s), gamma)| gamma * (x - s) * (x - s));
                let r = (f64::from(2 * order + 1) * terms.sum::<f64>()).sqrt();
                let factor = match order {
                    0 => 1.0,
                    1 => 1.0 + r,
                    _ => 1.0 + r + r * r / 3.0,
                };
                factor * (-r).exp()
            }
            Self::Laplacian(gamma) => {
                (-gamma * cells().map(|(x, s)| (x - s).abs()).sum::<f64>()).exp()
            }
            Self::Polynomial {
                gamma,
                coef0,
                degree,
            } => (gamma * product() + coef0).powi(i32::try_from(*degree).unwrap_or(i32::MAX)),
            Self::Sigmoid { gamma, coef0 } => (gamma * product() + coef0).tanh(),
        }
    }

    fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Rbf(gammas) | Self::Matern { gammas, .. } => gammas.clone(),
            Self::Laplacian(gamma) => vec![*gamma],
            Self::Polynomial { gamma, coef0, .. } | Self::Sigmoid { gamma, coef0 } => {
                vec![*gamma, *coef0]
            }
        }
    }
}

impl KernelMachine {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "kernel machine";
    /// The largest degree of a polynomial.
    pub const MOST_DEGREE: u32 = 64;

    /// Checks that the parts fit together and that all numbers are finite; `path` only names the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: &str, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: Self::FORMAT,
                at: at.to_owned(),
                reason,
            })
        };
        let (features, outputs) = (self.features.len(), self.outputs.len());
        if features == 0 || outputs == 0 {
            return fail(
                "its shape",
                format!("{outputs} outputs and {features} features; expected at least one of each"),
            );
        }
        let (vectors, columns) = self.vectors.dim();
        if vectors == 0 || columns != features {
            return fail(
                "the support vectors",
                format!(
                    "{vectors} of {columns} numbers; expected at least one, of {features} features"
                ),
            );
        }
        let machines = self.intercepts.len();
        if self.coefficients.dim() != (machines, vectors) {
            let (rows, columns) = self.coefficients.dim();
            return fail(
                "the coefficients",
                format!(
                    "{rows} × {columns} numbers; expected {machines} machines of {vectors} vectors"
                ),
            );
        }
        // Of two classes, the raw output is one margin.
        let raw = if self.raw == Decision::Margins {
            self.raw_outputs()
        } else {
            outputs
        };
        let expected = self.raw.machines(raw);
        let of_probability = self.probability.as_ref();
        let platts = of_probability.map_or(machines, |(_, platt)| platt.len());
        let fits =
            of_probability.is_none_or(|(decision, _)| decision.machines(outputs) == machines);
        if machines != expected || platts != machines || !fits {
            return fail(
                "the machines",
                format!(
                    "{machines} machines for {outputs} outputs; expected one for each, or for each pair of classes"
                ),
            );
        }
        if let Kernel::Rbf(gammas) | Kernel::Matern { gammas, .. } = &self.kernel
            && gammas.len() != features
        {
            let reason = format!(
                "{} numbers γ; expected one for each of {features} features",
                gammas.len()
            );
            return fail("the kernel", reason);
        }
        let is_distance = matches!(
            self.kernel,
            Kernel::Rbf(_) | Kernel::Laplacian(_) | Kernel::Matern { .. }
        );
        if is_distance && self.kernel.numbers().iter().any(|gamma| *gamma < 0.0) {
            return fail("the kernel", "γ is negative".to_owned());
        }
        if let Kernel::Polynomial { degree, .. } = self.kernel
            && degree > Self::MOST_DEGREE
        {
            let most = Self::MOST_DEGREE;
            return fail(
                "the kernel",
                format!("degree {degree}; expected at most {most}"),
            );
        }
        if let Kernel::Matern { order, .. } = self.kernel
            && order > 2
        {
            let reason = format!("Matérn's of order {order}; expected 0, 1 or 2");
            return fail("the kernel", reason);
        }
        let platt = of_probability.map(|(_, platt)| platt.as_flattened().to_vec());
        for (at, numbers) in [
            (
                "the support vectors",
                self.vectors.iter().copied().collect(),
            ),
            (
                "the coefficients",
                self.coefficients.iter().copied().collect(),
            ),
            ("the intercepts", self.intercepts.clone()),
            ("the kernel", self.kernel.numbers()),
            (
                "the sigmoids of its probabilities",
                platt.unwrap_or_default(),
            ),
        ] {
            let numbers: Vec<f64> = numbers;
            if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
                return fail(at, format!("{number} is not a finite number"));
            }
        }
        Ok(())
    }

    /// Outputs of the raw margin: of two classes there is one.
    pub fn raw_outputs(&self) -> usize {
        match self.raw {
            Decision::Margins => self.intercepts.len(),
            _ => self.outputs.len(),
        }
    }

    /// The margins of the machines of a row, in float64.
    pub fn margins(&self, row: &[f64]) -> Vec<f64> {
        let alike = |vector: ndarray::ArrayView1<'_, f64>| self.kernel.of(row, &vector.to_vec());
        let alike: Vec<f64> = self.vectors.outer_iter().map(alike).collect();
        let machines = self.coefficients.outer_iter().zip(&self.intercepts);
        let margin = |(coefficients, intercept): (ndarray::ArrayView1<'_, f64>, &f64)| {
            let terms = coefficients.iter().zip(&alike).map(|(a, k)| a * k);
            intercept + terms.sum::<f64>()
        };
        machines.map(margin).collect()
    }

    /// The raw output of a row, in float64.
    pub fn raw(&self, row: &[f64]) -> Vec<f64> {
        self.raw.answer(&self.margins(row))
    }

    /// The probabilities of a row, in float64; `None` where the model has none.
    pub fn probabilities(&self, row: &[f64]) -> Option<Vec<f64>> {
        let (decision, platt) = self.probability.as_ref()?;
        let mut margins = self.margins(row);
        for (margin, [a, b]) in margins.iter_mut().zip(platt) {
            *margin = a * *margin + b;
        }
        Some(decision.answer(&margins))
    }
}
