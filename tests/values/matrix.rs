//! The matrix of what is explained, on the models of the corpus: every library, game, output and kind
//! of row, on every device, is as the naive definition says or is refused by name. The table in
//! python/docs/matrix.md is what this test finds; `WHYLIGHT_WRITE_DOCS=1` writes it.

mod chosen;
mod table;

use ndarray::Axis;
use whylight::data::View;
use whylight::explain::{Background, Output, ValueFunction};
use whylight::{Device, Error, Explainer, Options};

use self::chosen::{Chosen, KINDS, chosen};
use self::table::{Line, Outcome, document};
use super::outputs::answer;
use super::subject::{LIBRARIES, Subject, against_background, subjects};
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::native;

/// Models of a cell at most.
const MODELS: usize = 4;

/// Of margins, in units of `1 + Σ|leaf|`: tables in float32.
const ROUNDING: f64 = 1e-6;

/// Of probabilities and losses, in units of the largest or of 1: float32 on a GPU.
const OUTPUT_ROUNDING: f64 = 2e-6;

const WEIGHTS: [f64; 5] = [1.0, 2.0, 0.0, 3.0, 2.0];

const NAMES: [&str; 5] = ["XGBoost", "LightGBM", "CatBoost", "ONNX", "treelite"];

/// Models whose leaves are linear, which are a library's, but have fewer games.
const LINEAR: &str = "LightGBM, linear trees";

const GAMES: [(ValueFunction, &str); 2] = [
    (ValueFunction::PathDependent, "path-dependent"),
    (ValueFunction::Interventional, "interventional"),
];

const OUTPUTS: [(Output, &str); 3] = [
    (Output::Raw, "raw margin"),
    (Output::Probability, "probability"),
    (Output::LogLoss, "log-loss"),
];

/// What is asked of a model.
#[derive(Debug, Clone, Copy)]
struct Question {
    game: ValueFunction,
    output: Output,
}

impl Question {
    /// Whether the model has such an output: its predictions are probabilities.
    fn fits(self, subject: &Subject) -> bool {
        let link = subject.trees.link();
        match self.output {
            Output::Raw => true,
            Output::LogLoss => link.is_ok_and(|link| link.log_loss(&subject.trees.base).is_some()),
            _ => link.is_ok_and(whylight::model::Link::is_probability),
        }
    }

    /// What the library makes of margins.
    fn answer(self, subject: &Subject, margins: Vec<f64>) -> Vec<f64> {
        match self.output {
            Output::Raw => margins,
            output => answer(
                &subject.trees.objective,
                &margins,
                output == Output::LogLoss,
            ),
        }
    }

    /// What every coalition is worth, (output, coalition), by definition.
    fn worth(self, chosen: &Chosen, row: &[f64]) -> Vec<Vec<f64>> {
        let subject = &chosen.subject;
        if self.game == ValueFunction::PathDependent {
            return game::worth(&subject.trees, row);
        }
        let total: f64 = WEIGHTS.iter().sum();
        let others = chosen.background.iter().zip(WEIGHTS);
        let others: Vec<_> = others
            .map(|(&i, weight)| (subject.rows.row(i).to_vec(), weight / total))
            .collect();
        interventional::of(row, &others, |row| {
            self.answer(subject, subject.trees.margin(row))
        })
    }

    /// How large the numbers are that a value is computed from.
    fn scale(self, chosen: &Chosen, row: &[f64], worth: &[f64], k: usize) -> f64 {
        if self.output != Output::Raw {
            let largest = worth.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
            return OUTPUT_ROUNDING * largest;
        }
        let subject = &chosen.subject;
        let others = chosen.background.iter().map(|&i| subject.rows.row(i));
        let sums = others.chain([row]);
        let sums = sums.map(|row| 1.0 + native::magnitude(&subject.trees, row, k));
        ROUNDING * sums.fold(0.0, f64::max)
    }

    fn explainer(
        self,
        chosen: &Chosen,
        device: Device,
        interactions: bool,
    ) -> Result<Explainer, Error> {
        let subject = &chosen.subject;
        let options = Options {
            value_function: self.game,
            output: self.output,
            interactions,
            ..Options::on(device)
        };
        let model = subject.model.clone();
        if self.game == ValueFunction::PathDependent {
            return Explainer::new(model, subject.background.as_ref(), options);
        }
        let table = subject.table.select(&chosen.background).unwrap();
        let background = Background::Weighted(View::from(&table), &WEIGHTS);
        Explainer::with_distribution(model, background, options)
    }

    /// Explains the chosen rows, and holds every value against the definition.
    fn outcome(self, chosen: &Chosen, device: &Device, interactions: bool) -> Outcome {
        let name = &chosen.subject.case.name;
        let explainer = match self.explainer(chosen, device.clone(), interactions) {
            Ok(explainer) => explainer,
            Err(Error::Unsupported { what, .. }) => return Outcome::Refused(what),
            Err(error) => panic!("{name}, {self:?}: {error}"),
        };
        let table = chosen.subject.table.select(&chosen.rows).unwrap();
        let explanation = explainer.explain(&table).unwrap();
        assert!(explanation.header.exact, "{name}, {self:?}");
        for (&i, found) in chosen.rows.iter().zip(explanation.values.outer_iter()) {
            let row = chosen.subject.rows.row(i);
            let worth = self.worth(chosen, row);
            assert_eq!(worth.len(), found.dim().1, "{name}, {self:?}");
            for (k, worth) in worth.iter().enumerate() {
                let expected = if interactions {
                    shapley::interactions(worth).concat()
                } else {
                    shapley::values(worth)
                };
                let found = found.index_axis(Axis(1), k);
                assert_eq!(expected.len(), found.len(), "{name}, {self:?}");
                let most = self.scale(chosen, row, worth, k);
                for (cell, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let off = (f64::from(*found) - expected).abs();
                    assert!(
                        off <= most,
                        "{name}, {self:?}, {device:?}, interactions {interactions}, row {i}, \
                         cell {cell}, output {k}: {found} is not {expected}"
                    );
                }
            }
        }
        Outcome::Exact
    }
}

fn line(library: &str, subjects: &[Subject], question: Question, gpu: Option<&Device>) -> Line {
    let mut line = Line::default();
    for kind in KINDS {
        let mut cell = Outcome::NoModel;
        for chosen in chosen(subjects, kind, |subject| question.fits(subject)) {
            let values = question.outcome(&chosen, &Device::cpu(), false);
            let pairs = question.outcome(&chosen, &Device::cpu(), true);
            if let Some(gpu) = gpu {
                assert_eq!(question.outcome(&chosen, gpu, false), values);
                assert_eq!(question.outcome(&chosen, gpu, true), pairs);
                line.gpu = line.gpu.with(&values);
            }
            line.interactions = line.interactions.with(&pairs);
            cell = cell.with(&values);
        }
        if cell == Outcome::NoModel {
            cell = chosen::refused_by_the_loader(library, kind);
        }
        line.kinds.push(cell);
    }
    line
}

pub(super) fn gpu() -> Option<Device> {
    #[cfg(feature = "gpu")]
    if let Some(gpu) = crate::twins::gpu() {
        return Some(format!("gpu:{}", gpu.adapter().index).parse().unwrap());
    }
    None
}

#[test]
fn every_cell_of_the_matrix_is_exact_or_refused_by_name_and_the_table_says_which() {
    let gpu = gpu();
    let mut lines = Vec::new();
    let models = NAMES.into_iter().zip(LIBRARIES);
    let mut models: Vec<_> = models
        .map(|(name, library)| (name, library, subjects(library)))
        .collect();
    let mut linear = against_background("lightgbm");
    linear.retain(|subject| subject.trees.has_linear_leaves());
    models.insert(2, (LINEAR, "lightgbm", linear));
    for (name, library, subjects) in models {
        for (game, game_name) in GAMES {
            for (output, output_name) in OUTPUTS {
                let question = Question { game, output };
                let line = line(library, &subjects, question, gpu.as_ref());
                lines.push(([name, game_name, output_name], line));
            }
        }
    }
    document(&lines, gpu.is_some());
}
