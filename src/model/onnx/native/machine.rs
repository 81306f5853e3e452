//! `SVMRegressor` and `SVMClassifier`: LIBSVM's machines, on rows that a Scaler may have scaled.

use ndarray::{Array2, Axis};

use super::answer::Answer;
use super::linear::plain;
use super::network::Affine;
use super::{Value, Walk, class_count, unsupported, widened};
use crate::model::onnx::message::NodeMessage;
use crate::model::onnx::{Fault, output_names, same_length};
use crate::model::{Decision, Feature, Kernel, KernelMachine, Norm};

/// Machines over vectors, on the rows themselves.
struct Machines {
    /// `None` for sums over the features, whose weights are the vectors, one for each machine.
    kernel: Option<Kernel>,
    /// (vectors, features).
    vectors: Array2<f64>,
    /// (machines, vectors).
    coefficients: Array2<f64>,
    intercepts: Vec<f64>,
}

impl Walk<'_, '_> {
    pub(super) fn svm_regressor(&mut self, node: &NodeMessage) -> Result<Value, Fault> {
        plain(node)?;
        if node.int("one_class").unwrap_or(0) != 0 {
            return Err(unsupported("one_class, which answers labels"));
        }
        let count = match usize::try_from(node.int("n_supports").unwrap_or(0)) {
            Ok(count) if count > 0 => count,
            _ => return Err(unsupported("no support vectors")),
        };
        let rho = widened(node.floats("rho"));
        same_length("rho", rho.len(), "the list of targets", 1)?;
        let coefficients = widened(node.floats("coefficients"));
        same_length(
            "coefficients",
            coefficients.len(),
            "the list of vectors",
            count,
        )?;
        let coefficients = Array2::from_shape_vec((1, count), coefficients);
        let coefficients = coefficients.map_err(|error| Fault::Bad(error.to_string()))?;
        let machines = self.machines(node, coefficients, rho)?;
        if machines.kernel.is_none() {
            return self.sums(machines, Answer::Margins);
        }
        self.make(machines, output_names(1), Decision::Margins, None)?;
        Ok(Value::Answer(Answer::Margins))
    }

    pub(super) fn svm_classifier(&mut self, node: &NodeMessage) -> Result<Value, Fault> {
        plain(node)?;
        self.label(node, "classlabels_strings", "classlabels_ints");
        let classes = class_count(&self.classes)?;
        let counts = node.ints("vectors_per_class");
        if counts.is_empty() {
            return Err(unsupported("no vectors_per_class"));
        }
        same_length(
            "vectors_per_class",
            counts.len(),
            "the list of classes",
            classes,
        )?;
        let mut starts = vec![0_usize];
        for &count in counts {
            let last = starts.last().copied().unwrap_or(0);
            let next = usize::try_from(count)
                .ok()
                .and_then(|count| last.checked_add(count));
            starts.push(next.ok_or_else(|| Fault::Bad(format!("{count} vectors of a class")))?);
        }
        let total = starts.last().copied().unwrap_or(0);
        let dual = widened(node.floats("coefficients"));
        let expected = total.saturating_mul(classes - 1);
        same_length(
            "coefficients",
            dual.len(),
            "the list of vectors, times classes but one,",
            expected,
        )?;
        let pairs = classes * (classes - 1) / 2;
        let rho = widened(node.floats("rho"));
        same_length("rho", rho.len(), "the list of pairs of classes", pairs)?;

        // LIBSVM gives a vector one coefficient for each class but its own.
        self.budget.spend(0, pairs.saturating_mul(total))?;
        let mut coefficients = Array2::zeros((pairs, total));
        let both = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j)));
        for ((i, j), mut machine) in both.clone().zip(coefficients.outer_iter_mut()) {
            for vector in starts[i]..starts[i + 1] {
                machine[vector] = dual[(j - 1) * total + vector];
            }
            for vector in starts[j]..starts[j + 1] {
                machine[vector] = dual[i * total + vector];
            }
        }
        let mut machines = self.machines(node, coefficients, rho)?;
        let (a, b) = (
            widened(node.floats("prob_a")),
            widened(node.floats("prob_b")),
        );
        if a.is_empty() && b.is_empty() {
            if classes == 2 {
                machines.negate();
                if machines.kernel.is_none() {
                    return self.sums(machines, Answer::Swapped);
                }
                let names = self.classes.clone();
                self.make(machines, names, Decision::Margins, None)?;
                return Ok(Value::Answer(Answer::Swapped));
            }
            self.classes = both
                .map(|(i, j)| format!("{} against {}", self.classes[i], self.classes[j]))
                .collect();
            if machines.kernel.is_none() {
                return self.sums(machines, Answer::Margins);
            }
            let names = self.classes.clone();
            self.make(machines, names, Decision::Margins, None)?;
            return Ok(Value::Answer(Answer::Margins));
        }
        for (name, list) in [("prob_a", &a), ("prob_b", &b)] {
            same_length(name, list.len(), "the list of pairs of classes", pairs)?;
        }
        if machines.kernel.is_none() {
            self.as_products(&mut machines)?;
        }
        let (raw, sign) = if classes == 2 {
            machines.negate();
            (Decision::Margins, 1.0)
        } else {
            (Decision::Votes(classes), -1.0)
        };
        // The runtime couples two classes, too; its sigmoid is of the first class of a pair.
        let platt = a.iter().zip(&b).map(|(a, b)| [sign * a, -b]).collect();
        let names = self.classes.clone();
        self.make(
            machines,
            names,
            raw,
            Some((Decision::Coupled(classes), platt)),
        )?;
        Ok(Value::Answer(Answer::Classes))
    }

    /// The vectors and the kernel of a node, on the rows before its scaling.
    fn machines(
        &mut self,
        node: &NodeMessage,
        mut coefficients: Array2<f64>,
        intercepts: Vec<f64>,
    ) -> Result<Machines, Fault> {
        let cells = widened(node.floats("support_vectors"));
        let count = coefficients.ncols();
        if count == 0 || cells.is_empty() || !cells.len().is_multiple_of(count) {
            return Err(Fault::Bad(format!(
                "support_vectors has {} entries, expected as many for each of {count} vectors",
                cells.len()
            )));
        }
        let width = cells.len() / count;
        let vectors = Array2::from_shape_vec((count, width), cells);
        let mut vectors = vectors.map_err(|error| Fault::Bad(error.to_string()))?;
        self.network.next(Some(width), &mut self.budget)?;
        let kind = node
            .text("kernel_type")
            .unwrap_or_else(|| "LINEAR".to_owned());
        if kind == "LINEAR" {
            let (machines, numbers) = (coefficients.nrows(), coefficients.len());
            let products = numbers.saturating_mul(width);
            let square = machines.saturating_mul(machines);
            self.budget.spend(
                products,
                square.saturating_add(machines.saturating_mul(width)),
            )?;
            return Ok(Machines {
                kernel: None,
                vectors: coefficients.dot(&vectors),
                coefficients: Array2::eye(machines),
                intercepts,
            });
        }
        let (Affine::Diagonal(scales, shifts), []) = (&self.network.map, &self.network.layers[..])
        else {
            return Err(unsupported("a kernel of other than the columns, scaled"));
        };
        let &[gamma, coef0, degree] = node.floats("kernel_params") else {
            return Err(Fault::bad("kernel_params are not γ, coef0 and the degree"));
        };
        let (gamma, coef0) = (f64::from(gamma), f64::from(coef0));
        let is_even = scales.windows(2).all(|pair| pair[0] == pair[1]);
        if kind == "RBF" && (self.norm == Some(Norm::L1) || self.norm.is_some() && !is_even) {
            return Err(unsupported(
                "distances of rows that are normalised by L1, or scaled column by column after it",
            ));
        }
        if kind == "RBF" {
            let columns = vectors.axis_iter_mut(Axis(1)).zip(scales).zip(shifts);
            for ((column, &scale), &shift) in columns {
                for (vector, s) in column.into_iter().enumerate() {
                    if scale == 0.0 {
                        // The same for all rows.
                        let factor = (-gamma * (shift - *s) * (shift - *s)).exp();
                        coefficients
                            .column_mut(vector)
                            .map_inplace(|c| *c *= factor);
                        *s = 0.0;
                    } else {
                        *s = (*s - shift) / scale;
                    }
                }
            }
            let gammas = scales.iter().map(|scale| gamma * scale * scale).collect();
            return Ok(Machines {
                kernel: Some(Kernel::Rbf(gammas)),
                vectors,
                coefficients,
                intercepts,
            });
        }
        if shifts.iter().all(|&shift| shift == 0.0) {
            for (mut column, scale) in vectors.axis_iter_mut(Axis(1)).zip(scales) {
                column *= *scale;
            }
        } else {
            let (scales, shifts) = (scales.clone(), shifts.clone());
            if !self.encode(&scales, &shifts) {
                let what = format!(
                    "a kernel {kind} of columns that are shifted after a Normalizer, or of no known number"
                );
                return Err(unsupported(what));
            }
        }
        let kernel = match kind.as_str() {
            "POLY" if degree.fract() == 0.0 && (0.0..=64.0).contains(&degree) => {
                Kernel::Polynomial {
                    gamma,
                    coef0,
                    degree: degree as u32,
                }
            }
            "POLY" => return Err(unsupported(format!("a polynomial of degree {degree}"))),
            "SIGMOID" => Kernel::Sigmoid { gamma, coef0 },
            other => {
                return Err(Fault::Bad(format!(
                    "its kernel_type \"{other}\" is not one of LINEAR, POLY, RBF, SIGMOID"
                )));
            }
        };
        Ok(Machines {
            kernel: Some(kernel),
            vectors,
            coefficients,
            intercepts,
        })
    }

    /// Machines of the linear kernel, as sums over the features.
    fn sums(&mut self, machines: Machines, answer: Answer) -> Result<Value, Fault> {
        let width = machines.vectors.ncols();
        let map = self.network.next(Some(width), &mut self.budget)?;
        map.dense(machines.vectors, machines.intercepts, &mut self.budget)?;
        Ok(match answer {
            Answer::Margins => Value::Neurons(self.network.steps),
            _ => Value::Answer(answer),
        })
    }

    /// Machines of the linear kernel, as those of a polynomial of degree 1, for their probabilities.
    fn as_products(&self, machines: &mut Machines) -> Result<(), Fault> {
        let (Affine::Diagonal(scales, shifts), []) = (&self.network.map, &self.network.layers[..])
        else {
            return Err(unsupported(
                "probabilities of other than the columns, scaled",
            ));
        };
        for (mut weights, intercept) in machines
            .vectors
            .outer_iter_mut()
            .zip(&mut machines.intercepts)
        {
            *intercept += weights.iter().zip(shifts).map(|(w, c)| w * c).sum::<f64>();
            weights
                .iter_mut()
                .zip(scales)
                .for_each(|(w, scale)| *w *= scale);
        }
        machines.kernel = Some(Kernel::Polynomial {
            gamma: 1.0,
            coef0: 0.0,
            degree: 1,
        });
        Ok(())
    }

    fn make(
        &mut self,
        machines: Machines,
        outputs: Vec<String>,
        raw: Decision,
        probability: Option<(Decision, Vec<[f64; 2]>)>,
    ) -> Result<(), Fault> {
        let Some(kernel) = machines.kernel else {
            return Err(Fault::bad("a machine without a kernel"));
        };
        let mut features = std::mem::take(&mut self.features);
        features.resize(machines.vectors.ncols(), Feature::default());
        self.machine = Some(KernelMachine {
            features,
            outputs,
            kernel,
            vectors: machines.vectors,
            coefficients: machines.coefficients,
            intercepts: machines.intercepts,
            raw,
            probability,
        });
        Ok(())
    }
}

impl Machines {
    /// The margins of the second class of two: LIBSVM's are of the first.
    fn negate(&mut self) {
        let of_machines = match self.kernel {
            Some(_) => &mut self.coefficients,
            None => &mut self.vectors,
        };
        of_machines.map_inplace(|number| *number = -*number);
        self.intercepts
            .iter_mut()
            .for_each(|number| *number = -*number);
    }
}
