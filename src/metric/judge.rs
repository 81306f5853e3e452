//! Labels and a metric, which score what a model answers.

use ndarray::{ArrayView1, ArrayView2};

use super::classes::{Confusion, f_score, jaccard, precision, recall};
use super::{Average, Metric, Score, Takes, numbers, scores};
use crate::error::{Error, MEMORY, Result};

/// How far below the largest number a class still counts as largest: what rounding leaves of a tie.
const TIE: f64 = 1e-12;

/// The true values.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// A class for each row, by its number.
    Classes {
        /// By row.
        of: Vec<u32>,
        /// How many classes the model has.
        count: usize,
    },
    /// A number for each row.
    Numbers(Vec<f64>),
}

/// Which class an answer says. Of numbers that differ by rounding alone, the first class wins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decide {
    /// The second of two classes, where the one number is above this: 0.5 of a probability, 0 of a margin.
    Above(f64),
    /// The class of the largest number.
    Largest,
    /// The class of most votes, which are the whole parts of numbers that lie within a third of them.
    Votes,
}

/// Labels and a metric.
#[derive(Debug, Clone)]
pub struct Judge {
    metric: Metric,
    labels: Labels,
    decide: Decide,
}

impl Labels {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { of, .. } => of.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Decide {
    /// The classes of answers (rows, outputs).
    pub fn classes(self, answers: &ArrayView2<'_, f64>) -> Vec<u32> {
        let of = |row: ArrayView1<'_, f64>| match self {
            Self::Above(bound) => u32::from(row[0] > bound + TIE),
            Self::Largest => largest(row.iter().copied()),
            Self::Votes => largest(row.iter().map(|votes| votes.round())),
        };
        answers.outer_iter().map(of).collect()
    }

    /// Of answers of so many outputs: the largest, or of one output above a half of probabilities, above 0 of others.
    pub fn of(outputs: usize, is_probability: bool) -> Self {
        match (outputs, is_probability) {
            (1, true) => Self::Above(0.5),
            (1, false) => Self::Above(0.0),
            _ => Self::Largest,
        }
    }
}

fn largest(row: impl Iterator<Item = f64>) -> u32 {
    let mut best = (0, f64::NEG_INFINITY);
    for (class, number) in (0..).zip(row) {
        if number > best.1 + TIE * best.1.abs().clamp(1.0, f64::MAX) {
            best = (class, number);
        }
    }
    best.0
}

impl Judge {
    /// A metric, the labels, and how answers become classes where the metric is of classes.
    ///
    /// # Errors
    /// [`Error::Data`] for labels that are no finite numbers, or all of one class, or that the metric is not defined of;
    /// [`Error::Parameter`] for a metric of numbers where labels are classes, or of two classes where there are more.
    pub fn new(metric: Metric, labels: Labels, decide: Decide) -> Result<Self> {
        let refused = |got: String, allowed: &str| {
            Err(Error::Parameter {
                name: "metric",
                got,
                allowed: allowed.to_owned(),
            })
        };
        let bad = |at: String, reason: String| {
            Err(Error::Data {
                path: MEMORY.into(),
                at,
                reason,
            })
        };
        if labels.is_empty() {
            return bad(
                "the labels".to_owned(),
                "none; expected one for each row".to_owned(),
            );
        }
        let is_of_numbers = metric.takes() == Takes::Numbers;
        match &labels {
            Labels::Numbers(_) if !is_of_numbers => {
                return refused(
                    format!("{metric} of labels that are numbers"),
                    "mean_absolute_error, mean_squared_error, r2 or another metric of numbers; or labels that are classes",
                );
            }
            Labels::Classes { .. } if is_of_numbers => {
                return refused(
                    format!("{metric} of labels that are classes"),
                    "accuracy, f1_micro, roc_auc, log_loss or another metric of classes",
                );
            }
            Labels::Numbers(numbers) => {
                let domain = metric.domain();
                let is_out = |number: &&f64| !number.is_finite() || **number < domain.0;
                if let Some(row) = numbers.iter().position(|number| is_out(&number)) {
                    return bad(
                        format!("the label of row {}", row + 1),
                        format!("{}; expected {}", numbers[row], domain.1),
                    );
                }
            }
            Labels::Classes { of, count } => {
                if let Some(row) = of.iter().position(|&class| class as usize >= *count) {
                    return bad(
                        format!("the label of row {}", row + 1),
                        format!("class {}; expected one of {count}, from 0", of[row]),
                    );
                }
                if of.iter().all(|class| *class == of[0]) {
                    return bad(
                        "the labels".to_owned(),
                        format!(
                            "all {} rows are of one class ({}): nothing could be told apart; expected rows of at least \
                             two",
                            of.len(),
                            of[0]
                        ),
                    );
                }
                if *count > 2 && metric.is_of_two() {
                    return refused(
                        format!("{metric} of {count} classes"),
                        "its averages of several classes, which end in _micro, _macro or _weighted",
                    );
                }
                if matches!(metric, Metric::RocAuc { .. } | Metric::AveragePrecision) {
                    let is_there = |class: usize| of.iter().any(|own| *own as usize == class);
                    if let Some(class) = (0..*count).find(|&class| !is_there(class)) {
                        return bad(
                            "the labels".to_owned(),
                            format!(
                                "no row is of class {class}, which {metric} needs; expected rows of each class"
                            ),
                        );
                    }
                }
            }
        }
        if let Metric::FScore(_, beta) = metric
            && beta.is_nan()
        {
            return refused("fbeta without beta".to_owned(), "a number beta from 0");
        }
        Ok(Self {
            metric,
            labels,
            decide,
        })
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Of a class told for each row, where the metric is of classes.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of rows; [`Error::Parameter`] for a metric of anything else, or a class that
    /// is none.
    pub fn score_classes(&self, told: &[u32]) -> Result<f64> {
        let (Labels::Classes { of, count }, Takes::Classes) = (&self.labels, self.metric.takes())
        else {
            return Err(Error::Parameter {
                name: "metric",
                got: format!("{} of classes", self.metric),
                allowed: "a metric that is taken of a class for each row".to_owned(),
            });
        };
        if told.len() != of.len() {
            return Err(Error::Shape {
                what: "the labels".to_owned(),
                expected: format!("one for each of {} rows", told.len()),
                got: of.len().to_string(),
            });
        }
        if let Some(class) = told.iter().find(|class| **class as usize >= *count) {
            return Err(Error::Parameter {
                name: "classes",
                got: class.to_string(),
                allowed: format!("classes from 0 to {}", count - 1),
            });
        }
        Ok(self.metric.of_classes(&Confusion::new(*count, of, told)))
    }

    fn check(&self, answers: &ArrayView2<'_, f64>) -> Result<()> {
        let (rows, outputs) = answers.dim();
        let shape = |what: &str, expected: String, got: usize| {
            Err(Error::Shape {
                what: what.to_owned(),
                expected,
                got: got.to_string(),
            })
        };
        if rows != self.labels.len() {
            return shape(
                "the labels",
                format!("one for each of {rows} rows"),
                self.labels.len(),
            );
        }
        let expected = match &self.labels {
            Labels::Numbers(_) => 1,
            Labels::Classes { count: 2, .. } if outputs == 1 => 1,
            Labels::Classes { count, .. } => *count,
        };
        if outputs != expected {
            return shape(
                "the outputs of the model",
                format!("{expected}, as the labels have it"),
                outputs,
            );
        }
        Ok(())
    }
}

impl Score for Judge {
    fn name(&self) -> String {
        self.metric.name()
    }

    fn is_error(&self) -> bool {
        self.metric.is_error()
    }

    fn rows(&self) -> Option<usize> {
        Some(self.labels.len())
    }

    fn score(&self, answers: ArrayView2<'_, f64>) -> Result<f64> {
        self.check(&answers)?;
        let (of, count) = match &self.labels {
            Labels::Numbers(labels) => {
                let told = answers.column(0).to_vec();
                let least = self.metric.least_told();
                if let Some(row) = told.iter().position(|told| *told < least) {
                    return Err(Error::Data {
                        path: MEMORY.into(),
                        at: format!("the prediction of row {}", row + 1),
                        reason: format!(
                            "{}, of which {} is not defined; take another metric",
                            told[row], self.metric
                        ),
                    });
                }
                return Ok(numbers::score(self.metric, labels, &told));
            }
            Labels::Classes { of, count } => (of, *count),
        };
        Ok(match self.metric {
            Metric::LogLoss => scores::log_loss(of, &answers),
            Metric::Brier => scores::brier(of, count, &answers),
            Metric::RocAuc { weighted } => each(of, count, &answers, weighted, |class, numbers| {
                scores::roc_auc(|row| of[row] as usize == class, &numbers)
            }),
            Metric::AveragePrecision => each(of, count, &answers, false, |class, numbers| {
                scores::average_precision(|row| of[row] as usize == class, &numbers)
            }),
            metric => {
                let told = self.decide.classes(&answers);
                metric.of_classes(&Confusion::new(count, of, &told))
            }
        })
    }
}

/// Of two classes a number of the second, of more the mean over them.
fn each(
    of: &[u32],
    count: usize,
    answers: &ArrayView2<'_, f64>,
    weighted: bool,
    number: impl Fn(usize, ArrayView1<'_, f64>) -> f64,
) -> f64 {
    if count == 2 {
        return number(1, answers.column(answers.ncols() - 1));
    }
    let (mut sum, mut total) = (0.0, 0.0);
    for class in 0..count {
        let rows = of.iter().filter(|own| **own as usize == class).count();
        let weight = if weighted { rows as f64 } else { 1.0 };
        sum += weight * number(class, answers.column(class));
        total += weight;
    }
    sum / total
}

impl Metric {
    fn is_of_two(self) -> bool {
        use Average::Binary;
        matches!(
            self,
            Self::Precision(Binary(_))
                | Self::Recall(Binary(_))
                | Self::FScore(Binary(_), _)
                | Self::Jaccard(Binary(_))
        )
    }

    /// The least label that it is defined of, and how errors say it.
    fn domain(self) -> (f64, &'static str) {
        match self {
            Self::MeanSquaredLogError | Self::RootMeanSquaredLogError => {
                ((-1.0_f64).next_up(), "a finite number above -1")
            }
            Self::PoissonDeviance => (0.0, "a finite number of at least 0"),
            Self::GammaDeviance => (f64::MIN_POSITIVE, "a finite number above 0"),
            _ => (f64::NEG_INFINITY, "a finite number"),
        }
    }

    /// The least prediction.
    fn least_told(self) -> f64 {
        match self {
            Self::MeanSquaredLogError | Self::RootMeanSquaredLogError => (-1.0_f64).next_up(),
            Self::PoissonDeviance | Self::GammaDeviance => f64::MIN_POSITIVE,
            _ => f64::NEG_INFINITY,
        }
    }

    fn of_classes(self, counts: &Confusion) -> f64 {
        match self {
            Self::BalancedAccuracy => counts.balanced_accuracy(),
            Self::Precision(average) => counts.averaged(average, precision),
            Self::Recall(average) => counts.averaged(average, recall),
            Self::FScore(average, beta) => counts.averaged(average, f_score(beta)),
            Self::Jaccard(average) => counts.averaged(average, jaccard),
            Self::Matthews => counts.matthews(),
            Self::Kappa => counts.kappa(),
            _ => counts.accuracy(),
        }
    }
}
