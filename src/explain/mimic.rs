//! Mimic explanations: a surrogate that learns to answer as a model does, and is explained in its place.
//!
//! The teacher, any model, is asked for the rows of a background once. A surrogate whose values are exact and cheap
//! learns its answers as they are: margins, or of probabilities their log-odds (soft labels, as Hinton, Vinyals & Dean
//! 2015, "Distilling the knowledge in a neural network"), not classes. A fifth of the rows is held out, on which
//! [`Fidelity`] says how well the surrogate answers: whatever it misses, its values miss, too. Its cost is one answer of the
//! teacher for each row, the training, and the surrogate's own explanation.

#[cfg_attr(
    not(feature = "mimic"),
    expect(dead_code, reason = "trees alone split them")
)]
mod categories;
mod fidelity;
mod linear;
mod method;
mod space;
#[cfg(feature = "mimic")]
mod trees;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::{Array2, Axis};

pub use self::fidelity::Fidelity;
pub(super) use self::method::Mimic;
use self::space::Space;
use super::answers::Answers;
use super::background::{Background, NAME};
use super::method::names;
use super::others::Others;
use super::{Options, Output};
use crate::data::View;
use crate::error::{Error, Result};
use crate::model::{Feature, Model, Predict};
use crate::random::SplitMix64;

/// Rows of which some can be held out, at least.
const MIN_SPLIT: usize = 20;

/// Up to so many rows, the surrogate learns from those that were held out, too, once it was measured.
const LEARNS_ALL: usize = 5000;

/// How much better than a simpler surrogate one has to be, in R², to be chosen.
const BETTER: f64 = 1e-3;

/// What learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surrogate {
    /// The one that answers best on the rows that are held out; of those within 0.001 in R² the simplest.
    #[default]
    Auto,
    /// Gradient boosted trees.
    Trees,
    /// A weighted sum of the features, by least squares.
    Linear,
}

impl Surrogate {
    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Surrogate::Auto => "auto",
            Surrogate::Trees => "trees",
            Surrogate::Linear => "linear",
        }
    }
}

impl fmt::Display for Surrogate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Surrogate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = [Surrogate::Auto, Surrogate::Trees, Surrogate::Linear].into_iter();
        all.find(|surrogate| surrogate.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "surrogate",
                got: format!("\"{text}\""),
                allowed: "auto, trees, or linear".to_owned(),
            })
    }
}

/// A model that learned to answer as another one does.
#[derive(Debug, Clone)]
pub struct Distilled {
    /// It: trees, or a linear model.
    pub model: Arc<Model>,
    /// What it is.
    pub surrogate: Surrogate,
    /// How well it answers; of up to 5,000 rows, how well it did before it learned from those that were held out, too.
    pub fidelity: Fidelity,
    /// Whether it learned from the rows that it was measured on, afterwards.
    pub is_of_all: bool,
    /// What was tried, and how well it answers, or why it could not learn.
    pub tried: Vec<(Surrogate, std::result::Result<Fidelity, String>)>,
    /// The features whose cells are categories, in the order of the model's: trees split them by sets of categories.
    pub categorical: Vec<String>,
    /// Whether the teacher answers all rows alike: every value is 0 then.
    pub is_constant: bool,
}

/// Trains a surrogate on what a model answers to rows, in the order of the model's features; `output` is which of its
/// answers are meant. The same seed holds out the same rows.
///
/// # Errors
/// [`Error::Data`] for no rows, answers that are not finite, and of a linear surrogate cells that are not finite; [`Error::Shape`] if the rows do not fit the model; [`Error::Unsupported`] for an output that the model does not
/// have, and for what a surrogate cannot learn from; what a black box says.
pub fn distil(
    teacher: &Arc<Model>,
    output: Output,
    rows: &View<'_>,
    surrogate: Surrogate,
    seed: u64,
) -> Result<Distilled> {
    let features = teacher.features();
    let others = Others::read(features, Some(&Background::Rows(View::from(rows))))?;
    let width = features.len();
    let cells = Array2::from_shape_vec((rows.rows(), width), others.cells);
    let cells = cells.map_err(|error| shape(width, &error.to_string()))?;
    let answers = Answers::new(teacher, output)?;
    let expected = answers.to(cells.clone())?;
    let categories = categories::are_categories(teacher);
    let titles = names(features).into_iter().zip(&categories);
    let categorical = titles.filter_map(|(name, &is)| is.then_some(name));
    let categorical = categorical.collect();
    let space = Space::of(&answers, &expected);
    let lesson = Lesson {
        features,
        outputs: space.names(answers.names()),
        margins: space.margins(&expected),
        cells,
        categories,
        seed,
    };
    let (learned, held) = split(expected.nrows(), seed);
    let measured = if held.is_empty() { &learned } else { &held };
    let candidates: &[Surrogate] = match surrogate {
        Surrogate::Auto => &[Surrogate::Linear, Surrogate::Trees],
        Surrogate::Trees => &[Surrogate::Trees],
        Surrogate::Linear => &[Surrogate::Linear],
    };
    let (mut tried, mut made) = (Vec::new(), Vec::new());
    for &candidate in candidates {
        let model = match lesson.teach(candidate, &learned) {
            Ok(model) => model,
            Err(error) if candidates.len() == 1 => return Err(error),
            Err(error) => {
                tried.push((candidate, Err(error.to_string())));
                continue;
            }
        };
        let rows = lesson.cells.select(Axis(0), measured);
        let found = match &model {
            Model::Trees(trees) => trees.predict(rows)?,
            model => Answers::new(&Arc::new(model.clone()), Output::Raw)?.to(rows)?,
        };
        let expected = expected.select(Axis(0), measured);
        let fidelity = Fidelity::of(&space, &expected, &space.answers(found), !held.is_empty());
        tried.push((candidate, Ok(fidelity.clone())));
        made.push((candidate, model, fidelity));
    }
    let r2 = |fidelity: &Fidelity| fidelity.r2.unwrap_or(f64::NEG_INFINITY);
    let best = (made.iter()).map(|(_, _, fidelity)| r2(fidelity));
    let best = best.fold(f64::NEG_INFINITY, f64::max);
    let chosen = made.into_iter().find(|(_, _, f)| r2(f) >= best - BETTER);
    let Some((surrogate, model, fidelity)) = chosen else {
        let reasons = tried.iter().filter_map(|(_, said)| said.clone().err());
        return Err(Error::Unsupported {
            what: "this table".to_owned(),
            by: "any surrogate".to_owned(),
            instead: reasons.collect::<Vec<_>>().join("; "),
        });
    };
    let is_of_all = !held.is_empty() && expected.nrows() <= LEARNS_ALL;
    let model = if is_of_all {
        let all: Vec<usize> = (0..expected.nrows()).collect();
        lesson.teach(surrogate, &all)?
    } else {
        model
    };
    Ok(Distilled {
        model: Arc::new(model),
        surrogate,
        fidelity,
        is_of_all,
        tried,
        categorical,
        is_constant: is_constant(&expected),
    })
}

/// What a surrogate learns from.
struct Lesson<'a> {
    features: &'a [Feature],
    /// One name per margin.
    outputs: Vec<String>,
    /// (rows, features).
    cells: Array2<f64>,
    /// (rows, outputs).
    margins: Array2<f64>,
    /// By feature, whether its cells are categories.
    categories: Vec<bool>,
    #[cfg_attr(not(feature = "mimic"), expect(dead_code, reason = "trees alone draw"))]
    seed: u64,
}

impl Lesson<'_> {
    fn teach(&self, surrogate: Surrogate, rows: &[usize]) -> Result<Model> {
        match surrogate {
            Surrogate::Linear => {
                self.check_linear()?;
                linear::fit(self, rows).map(Model::Linear)
            }
            #[cfg(feature = "mimic")]
            _ => trees::fit(self, rows).map(Model::Trees),
            #[cfg(not(feature = "mimic"))]
            _ => Err(Error::Unsupported {
                what: "a surrogate of trees".to_owned(),
                by: "this build of whylight".to_owned(),
                instead: "build it with the feature mimic, or take the surrogate linear".to_owned(),
            }),
        }
    }

    /// Refuses what a weighted sum has no rule for.
    fn check_linear(&self) -> Result<()> {
        let title = |column: usize| names(self.features).swap_remove(column);
        let instead = "take the surrogate trees";
        if let Some(column) = self.categories.iter().position(|&is| is) {
            return Err(Error::Unsupported {
                what: format!("the column \"{}\", which has categories", title(column)),
                by: "a linear surrogate".to_owned(),
                instead: instead.to_owned(),
            });
        }
        let bad = self
            .cells
            .indexed_iter()
            .find(|(_, cell)| !cell.is_finite());
        let Some(((row, column), cell)) = bad else {
            return Ok(());
        };
        Err(Error::Data {
            path: NAME.into(),
            at: format!("row {}, column \"{}\"", row + 1, title(column)),
            reason: format!(
                "the cell is {cell}, but a linear surrogate reads finite numbers only; fill it, or {instead}"
            ),
        })
    }
}

/// Whether all rows are answered alike.
fn is_constant(answers: &Array2<f64>) -> bool {
    answers.columns().into_iter().all(|column| {
        let is_same = |answer: &f64| (answer - column[0]).abs() <= 1e-12 * column[0].abs().max(1.0);
        column.iter().all(is_same)
    })
}

/// The rows to learn from, and the fifth that is held out, in order.
fn split(rows: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = if rows < MIN_SPLIT { 0 } else { rows / 5 };
    let mut order: Vec<usize> = (0..rows).collect();
    let mut random = SplitMix64::new(seed ^ 0x11D1C);
    for at in 0..count {
        let other = at + random.below(rows - at);
        order.swap(at, other);
    }
    let (mut held, mut learned) = (order[..count].to_vec(), order[count..].to_vec());
    held.sort_unstable();
    learned.sort_unstable();
    (learned, held)
}

fn shape(features: usize, got: &str) -> Error {
    Error::Shape {
        what: "the rows of the background".to_owned(),
        expected: format!("{features} features"),
        got: got.to_owned(),
    }
}

/// The values that are asked for of a surrogate, and the background that it has them against.
fn of_surrogate<'a>(
    model: &Model,
    background: &'a View<'_>,
    options: &Options,
) -> (Option<Background<'a>>, Options) {
    use super::ValueFunction::{Auto, PathDependent};

    let own_cover = matches!(options.value_function, Auto | PathDependent);
    let background = match model {
        Model::Trees(_) if own_cover => None,
        _ => Some(Background::Rows(View::from(background))),
    };
    let options = Options {
        output: Output::Raw,
        ..options.clone()
    };
    (background, options)
}
