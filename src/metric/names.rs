//! Metrics by name.

use std::fmt;
use std::str::FromStr;

use super::{Average, Metric};
use crate::error::{Error, Result};

/// Our names, which are those of scikit-learn's scorers without `neg_`, and the other words for them: those of
/// scikit-learn's functions, and what people write.
const NAMES: [(&str, &[&str], Metric); 39] = {
    use Average::{Binary, Macro, Micro, Weighted};
    [
        ("accuracy", &["accuracy_score"], Metric::Accuracy),
        (
            "balanced_accuracy",
            &["balanced_accuracy_score"],
            Metric::BalancedAccuracy,
        ),
        (
            "precision",
            &["precision_score"],
            Metric::Precision(Binary(1)),
        ),
        ("precision_micro", &[], Metric::Precision(Micro)),
        ("precision_macro", &[], Metric::Precision(Macro)),
        ("precision_weighted", &[], Metric::Precision(Weighted)),
        ("recall", &["recall_score"], Metric::Recall(Binary(1))),
        ("recall_micro", &[], Metric::Recall(Micro)),
        ("recall_macro", &[], Metric::Recall(Macro)),
        ("recall_weighted", &[], Metric::Recall(Weighted)),
        (
            "f1",
            &["f1_score", "f1_binary"],
            Metric::FScore(Binary(1), 1.0),
        ),
        ("f1_micro", &[], Metric::FScore(Micro, 1.0)),
        ("f1_macro", &[], Metric::FScore(Macro, 1.0)),
        ("f1_weighted", &[], Metric::FScore(Weighted, 1.0)),
        ("jaccard", &["jaccard_score"], Metric::Jaccard(Binary(1))),
        ("jaccard_micro", &[], Metric::Jaccard(Micro)),
        ("jaccard_macro", &[], Metric::Jaccard(Macro)),
        ("jaccard_weighted", &[], Metric::Jaccard(Weighted)),
        (
            "matthews_corrcoef",
            &["matthews_correlation_coefficient", "mcc"],
            Metric::Matthews,
        ),
        ("cohen_kappa", &["cohen_kappa_score"], Metric::Kappa),
        (
            "roc_auc",
            &["roc_auc_score", "roc_auc_ovr", "auc"],
            Metric::RocAuc { weighted: false },
        ),
        (
            "roc_auc_ovr_weighted",
            &[],
            Metric::RocAuc { weighted: true },
        ),
        (
            "average_precision",
            &["average_precision_score"],
            Metric::AveragePrecision,
        ),
        ("log_loss", &[], Metric::LogLoss),
        ("brier_score", &["brier_score_loss", "brier"], Metric::Brier),
        ("mean_absolute_error", &["mae"], Metric::MeanAbsoluteError),
        ("mean_squared_error", &["mse"], Metric::MeanSquaredError),
        (
            "root_mean_squared_error",
            &["rmse"],
            Metric::RootMeanSquaredError,
        ),
        (
            "mean_squared_log_error",
            &["msle"],
            Metric::MeanSquaredLogError,
        ),
        (
            "root_mean_squared_log_error",
            &["rmsle"],
            Metric::RootMeanSquaredLogError,
        ),
        (
            "mean_absolute_percentage_error",
            &["mape"],
            Metric::MeanAbsolutePercentageError,
        ),
        ("median_absolute_error", &[], Metric::MedianAbsoluteError),
        ("max_error", &[], Metric::MaxError),
        ("r2", &["r2_score"], Metric::R2),
        (
            "explained_variance",
            &["explained_variance_score"],
            Metric::ExplainedVariance,
        ),
        (
            "mean_pinball_loss",
            &["pinball"],
            Metric::Pinball { alpha: 0.5 },
        ),
        (
            "mean_poisson_deviance",
            &["poisson_deviance"],
            Metric::PoissonDeviance,
        ),
        (
            "mean_gamma_deviance",
            &["gamma_deviance"],
            Metric::GammaDeviance,
        ),
        (
            "fbeta",
            &["fbeta_score"],
            Metric::FScore(Binary(1), f64::NAN),
        ),
    ]
};

impl FromStr for Metric {
    type Err = Error;

    /// A name, with or without the `neg_` of scikit-learn's scorers.
    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.to_ascii_lowercase().replace([' ', '-'], "_");
        let plain = wanted.strip_prefix("neg_").unwrap_or(&wanted);
        let is_named =
            |(name, others, _): &&(&str, &[&str], Self)| *name == plain || others.contains(&plain);
        let found = NAMES.iter().find(is_named).map(|(_, _, metric)| *metric);
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).collect();
            refused(&format!("\"{text}\""), &names.join(", "))
        })
    }
}

impl Metric {
    /// Its name in results.
    pub fn name(self) -> String {
        let average = |average| match average {
            Average::Binary(_) => "",
            Average::Micro => "_micro",
            Average::Macro => "_macro",
            Average::Weighted => "_weighted",
        };
        match self {
            Self::Precision(of) => format!("precision{}", average(of)),
            Self::Recall(of) => format!("recall{}", average(of)),
            Self::FScore(of, 1.0) => format!("f1{}", average(of)),
            Self::FScore(of, beta) => format!("fbeta{} (beta {beta})", average(of)),
            Self::Jaccard(of) => format!("jaccard{}", average(of)),
            Self::Pinball { alpha } => format!("mean_pinball_loss (alpha {alpha})"),
            _ => {
                let own = NAMES.iter().find(|(_, _, metric)| *metric == self);
                own.map_or("", |(name, ..)| name).to_owned()
            }
        }
    }

    /// The same metric with another average: `binary`, `micro`, `macro` or `weighted`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a metric that has none, or another word.
    pub fn with_average(self, text: &str) -> Result<Self> {
        let average = match text {
            "binary" => Average::Binary(1),
            "micro" => Average::Micro,
            "macro" => Average::Macro,
            "weighted" => Average::Weighted,
            _ => {
                return Err(refused(
                    &format!("the average \"{text}\""),
                    "binary, micro, macro or weighted",
                ));
            }
        };
        match self {
            Self::Precision(_) => Ok(Self::Precision(average)),
            Self::Recall(_) => Ok(Self::Recall(average)),
            Self::FScore(_, beta) => Ok(Self::FScore(average, beta)),
            Self::Jaccard(_) => Ok(Self::Jaccard(average)),
            Self::RocAuc { .. } if average == Average::Macro => {
                Ok(Self::RocAuc { weighted: false })
            }
            Self::RocAuc { .. } if average == Average::Weighted => {
                Ok(Self::RocAuc { weighted: true })
            }
            Self::AveragePrecision if average == Average::Macro => Ok(self),
            _ => Err(refused(
                &format!("the average {text} of {self}"),
                "an average of precision, recall, f1, fbeta or jaccard, or macro or weighted of roc_auc",
            )),
        }
    }

    /// The same metric of another class of two, by its number.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a metric that is of no single class.
    pub fn with_positive(self, class: u32) -> Result<Self> {
        let binary = Average::Binary(class);
        match self {
            Self::Precision(Average::Binary(_)) => Ok(Self::Precision(binary)),
            Self::Recall(Average::Binary(_)) => Ok(Self::Recall(binary)),
            Self::FScore(Average::Binary(_), beta) => Ok(Self::FScore(binary, beta)),
            Self::Jaccard(Average::Binary(_)) => Ok(Self::Jaccard(binary)),
            _ => Err(refused(
                &format!("a positive class of {self}"),
                "one of precision, recall, f1, fbeta or jaccard of two classes",
            )),
        }
    }

    /// The same metric with another parameter: `alpha` of the pinball loss, `beta` of the F score.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a metric that has none of the name, or a number that is not allowed.
    pub fn with_number(self, name: &str, number: f64) -> Result<Self> {
        match (self, name) {
            (Self::Pinball { .. }, "alpha") if (0.0..=1.0).contains(&number) => {
                Ok(Self::Pinball { alpha: number })
            }
            (Self::FScore(average, _), "beta") if number >= 0.0 && number.is_finite() => {
                Ok(Self::FScore(average, number))
            }
            _ => Err(refused(
                &format!("{name} {number} of {self}"),
                "alpha from 0 to 1 of mean_pinball_loss, or beta from 0 of fbeta",
            )),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

fn refused(got: &str, allowed: &str) -> Error {
    Error::Parameter {
        name: "metric",
        got: got.to_owned(),
        allowed: allowed.to_owned(),
    }
}
