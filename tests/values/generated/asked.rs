//! What is asked of a random model, and the answer by definition.

use ndarray::Axis;
use whylight::data::View;
use whylight::explain::{Background, Output, ValueFunction};
use whylight::{Device, Error, Explainer, Explanation, Options};

use super::{Seen, Subject, WEIGHTS};
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::native;
use crate::values::outputs::answer;

/// Of margins, in units of `1 + Σ|leaf|`: tables in float32.
const ROUNDING: f64 = 1e-6;

/// Of probabilities and losses, in units of the largest or of 1: float32 on a GPU.
const OUTPUT_ROUNDING: f64 = 2e-6;

#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    game: ValueFunction,
    output: Output,
    interactions: bool,
}

const fn all() -> [Question; 12] {
    let outputs = [Output::Raw, Output::Probability, Output::LogLoss];
    let mut all = [Question {
        game: ValueFunction::PathDependent,
        output: Output::Raw,
        interactions: false,
    }; 12];
    let mut i = 0;
    while i < 12 {
        all[i].interactions = i % 2 == 1;
        all[i].output = outputs[i / 2 % 3];
        if i >= 6 {
            all[i].game = ValueFunction::Interventional;
        }
        i += 1;
    }
    all
}

pub(super) const QUESTIONS: [Question; 12] = all();

/// What every coalition of each row is worth, (row, output, coalition), by game and output.
pub(super) struct Worth {
    path_dependent: Vec<Vec<Vec<f64>>>,
    /// Of the raw margin, the probability and the loss.
    interventional: [Vec<Vec<Vec<f64>>>; 3],
}

impl Worth {
    pub(super) fn of(subject: &Subject) -> Self {
        let total: f64 = WEIGHTS.iter().sum();
        let others = subject.others.iter().zip(WEIGHTS);
        let others = others.filter(|(_, weight)| *weight > 0.0);
        let others: Vec<_> = others
            .map(|(row, weight)| (row.clone(), weight / total))
            .collect();
        let trees = &subject.trees;
        let each = |answer: &dyn Fn(Vec<f64>) -> Vec<f64>| {
            let rows = subject.rows.iter();
            let worth =
                rows.map(|row| interventional::of(row, &others, |row| answer(trees.margin(row))));
            worth.collect::<Vec<_>>()
        };
        let of = |loss| each(&|margins| answer(&trees.objective, &margins, loss));
        let is_number = !answers_with_probabilities(&trees.objective);
        let outputs = if is_number {
            [Vec::new(), Vec::new()]
        } else {
            [of(false), of(true)]
        };
        let [probability, loss] = outputs;
        Self {
            path_dependent: subject
                .rows
                .iter()
                .map(|row| game::worth(trees, row))
                .collect(),
            interventional: [each(&|margins| margins), probability, loss],
        }
    }
}

/// Whether an objective of the generators is that of a classifier.
fn answers_with_probabilities(objective: &str) -> bool {
    !["", "reg:squarederror", "regression", "RMSE", "identity"].contains(&objective)
}

impl Question {
    /// The error that the question has to be refused with, if it has.
    fn refused(self, subject: &Subject) -> Option<&'static str> {
        let is_path_dependent = self.game == ValueFunction::PathDependent;
        match self.output {
            Output::Raw => None,
            _ if answers_with_probabilities(&subject.trees.objective) => {
                if is_path_dependent {
                    Some("no sum over trees")
                } else {
                    self.interactions.then_some("interactions of the output")
                }
            }
            Output::Probability => Some("its predictions are no probabilities"),
            _ => Some("the logarithmic loss of"),
        }
    }

    fn explainer(self, subject: &Subject, device: &Device) -> Result<Explainer, Error> {
        let options = Options {
            value_function: self.game,
            output: self.output,
            interactions: self.interactions,
            ..Options::on(device.clone())
        };
        let model = subject.model.clone();
        if self.game == ValueFunction::PathDependent {
            let background = (!subject.has_cover).then_some(&subject.background);
            if background.is_some() {
                let without = Explainer::new(model.clone(), None, options.clone());
                let error = without.err().map(|error| error.to_string());
                let is_named = error.is_some_and(|error| error.contains("stores no cover"));
                assert!(is_named, "{}, {self:?}", subject.name);
            }
            return Explainer::new(model, background, options);
        }
        let background = Background::Weighted(View::from(&subject.background), &WEIGHTS);
        Explainer::with_distribution(model, background, options)
    }

    /// Explains the rows, and holds the values against the definition.
    pub(super) fn ask(self, subject: &Subject, worth: &Worth, device: &Device, seen: &mut Seen) {
        let context = format!("{}, {}, {self:?}", subject.name, device.name());
        let explainer = match (self.explainer(subject, device), self.refused(subject)) {
            (Ok(explainer), None) => explainer,
            (Err(error @ (Error::Unsupported { .. } | Error::Parameter { .. })), Some(says))
                if error.to_string().contains(says) =>
            {
                *seen.refused.entry(says.to_owned()).or_insert(0) += 1;
                return;
            }
            (Ok(_), Some(says)) => panic!("{context}: expected the error \"{says}\""),
            (Err(error), says) => panic!("{context}: {error}; expected {says:?}"),
        };
        let cycle: Vec<usize> = (0..subject.amount)
            .map(|row| row % subject.rows.len())
            .collect();
        let table = subject.table.select(&cycle).unwrap();
        let explanation = explainer.explain(&table);
        let explanation = explanation.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(explanation.header.exact, "{context}");
        for (engine, trees) in &explanation.trailer.engines {
            *seen.engines.entry(engine.clone()).or_insert(0) += trees;
        }
        let worth = match (self.game, self.output) {
            (ValueFunction::PathDependent, _) => &worth.path_dependent,
            (_, Output::Raw) => &worth.interventional[0],
            (_, Output::Probability) => &worth.interventional[1],
            _ => &worth.interventional[2],
        };
        self.compare(subject, worth, &explanation, &context);
        seen.exact += 1;
    }

    fn compare(
        self,
        subject: &Subject,
        worth: &[Vec<Vec<f64>>],
        explanation: &Explanation,
        context: &str,
    ) {
        let values = &explanation.values;
        assert_eq!(values.dim().0, subject.amount, "{context}");
        for (d, worth) in worth.iter().enumerate() {
            assert_eq!(worth.len(), values.dim().2, "{context}");
            for (k, worth) in worth.iter().enumerate() {
                let expected = if self.interactions {
                    shapley::interactions(worth).concat()
                } else {
                    shapley::values(worth)
                };
                let most = self.rounding(subject, d, k, worth);
                let base = explanation.header.base_values[k];
                assert!(
                    (base - worth[0]).abs() <= most,
                    "{context}: base {base} is not {}",
                    worth[0]
                );
                for i in (d..subject.amount).step_by(subject.rows.len()) {
                    let found = values.index_axis(Axis(0), i);
                    let found = found.index_axis(Axis(1), k);
                    assert_eq!(found.len(), expected.len(), "{context}");
                    for (cell, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        assert!(
                            (f64::from(*found) - expected).abs() <= most,
                            "{context}, row {i} ({:?}), cell {cell}, output {k}: {found} is not \
                             {expected}",
                            subject.rows[d]
                        );
                    }
                }
            }
        }
    }

    /// How far a value of row `d` may be off.
    fn rounding(self, subject: &Subject, d: usize, k: usize, worth: &[f64]) -> f64 {
        if self.output != Output::Raw {
            return OUTPUT_ROUNDING * worth.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
        }
        let rows = subject.others.iter().chain([&subject.rows[d]]);
        let sums = rows.map(|row| 1.0 + native::magnitude(&subject.trees, row, k));
        ROUNDING * sums.fold(0.0, f64::max)
    }
}
