//! From raw margins to what a model's library predicts.

use super::trees::Trees;
use crate::error::{Error, Result};

/// The inverse of the link function of an objective: what the library makes of raw margins when it
/// predicts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Link {
    /// The margins themselves.
    Identity,
    /// The margins themselves, which are probabilities already (forests of classifiers).
    Probability,
    /// `1 / (1 + exp(−scale m))` of each output.
    Logistic {
        /// What the margin is multiplied with.
        scale: f64,
    },
    /// `exp(m_k) / Σ exp(m)`.
    Softmax,
    /// `exp(m)` of each output.
    Exp,
    /// `ln(1 + exp(m))` of each output.
    Softplus,
    /// `m |m|` of each output.
    SignedSquare,
    /// 1 where `m > 0`, else 0 (XGBoost `binary:hinge`): no probability.
    Step,
    /// A mean, and a variance from the logarithm of a deviation: the first margin, and `exp(2 m)` of the
    /// others (CatBoost `RMSEWithUncertainty`).
    Variance,
    /// Expectiles in ascending order: the first margin, and from each output to the next `ln(1 + exp(m))`
    /// and a least distance (XGBoost `reg:expectileerror`).
    Expectiles,
}

/// XGBoost's `kRtEps`, the least distance between two expectiles.
const EXPECTILE_GAP: f64 = 1e-6_f32 as f64;

impl Link {
    /// Whether the predictions are probabilities.
    pub fn is_probability(self) -> bool {
        use Link::{Logistic, Probability, Softmax};
        matches!(self, Probability | Logistic { .. } | Softmax)
    }

    /// The prediction for a row's margins, one number per output.
    pub fn predict(self, margins: &[f64]) -> Vec<f64> {
        let each = |f: &dyn Fn(f64) -> f64| margins.iter().map(|&m| f(m)).collect();
        match self {
            Link::Identity | Link::Probability => margins.to_vec(),
            Link::Logistic { scale } => each(&|m| 1.0 / (1.0 + (-scale * m).exp())),
            Link::Exp => each(&f64::exp),
            Link::Softplus => each(&softplus),
            Link::SignedSquare => each(&|m| m.signum() * m * m),
            Link::Step => each(&|m| if m > 0.0 { 1.0 } else { 0.0 }),
            Link::Variance => {
                let rest = margins.iter().skip(1).map(|m| (2.0 * m).exp());
                margins.iter().take(1).copied().chain(rest).collect()
            }
            Link::Expectiles => {
                let mut expectiles: Vec<f64> = margins.iter().take(1).copied().collect();
                for &m in margins.iter().skip(1) {
                    let last = expectiles.last().copied().unwrap_or_default();
                    expectiles.push(last + EXPECTILE_GAP + softplus(m));
                }
                expectiles
            }
            Link::Softmax => {
                let total = log_sum(margins);
                each(&|m| (m - total).exp())
            }
        }
    }

    /// The logarithmic loss of the prediction for a row's margins, for each label that could be the
    /// true one: of a single logistic output `[−ln (1 − p), −ln p]`, of a softmax one per class.
    /// `None` where the prediction is no probability, or could be 0.
    pub fn log_loss(self, margins: &[f64]) -> Option<Vec<f64>> {
        match self {
            Link::Logistic { scale } if margins.len() == 1 => {
                let margin = scale * margins[0];
                Some(vec![log_sum(&[0.0, margin]), log_sum(&[0.0, -margin])])
            }
            Link::Softmax => {
                let total = log_sum(margins);
                Some(margins.iter().map(|m| total - m).collect())
            }
            _ => None,
        }
    }
}

/// `ln(1 + exp(m))`
fn softplus(m: f64) -> f64 {
    if m > 30.0 {
        m + (-m).exp()
    } else {
        m.exp().ln_1p()
    }
}

/// `ln Σ exp(m)`
fn log_sum(margins: &[f64]) -> f64 {
    let largest = margins.iter().copied().fold(f64::MIN, f64::max);
    let rest: f64 = margins.iter().map(|m| (m - largest).exp()).sum();
    largest + rest.ln()
}

impl Trees {
    /// What the library of this model makes of its margins, by the objective.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an objective whose link is not known, or is no function of the
    /// margins that values could be computed of.
    pub fn link(&self) -> Result<Link> {
        let logistic = Link::Logistic { scale: 1.0 };
        let mut words = self
            .objective
            .split([' ', ','])
            .filter(|word| !word.is_empty());
        let name = words.next().unwrap_or_default();
        let word = |key: &str| {
            let mut rest = self.objective.split([' ', ',']);
            rest.find_map(|word| word.trim().strip_prefix(key).map(str::to_owned))
        };
        let scale = word("sigmoid:").and_then(|scale| scale.parse().ok());
        let sigmoid = Link::Logistic {
            scale: scale.unwrap_or(1.0),
        };
        let known = match self.format.split(' ').next().unwrap_or_default() {
            "XGBoost" => match name {
                "binary:logistic" | "reg:logistic" => Some(logistic),
                "multi:softprob" | "multi:softmax" => Some(Link::Softmax),
                "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                    Some(Link::Exp)
                }
                "binary:hinge" => Some(Link::Step),
                "reg:expectileerror" => Some(Link::Expectiles),
                "binary:logitraw"
                | "reg:linear"
                | "reg:squarederror"
                | "reg:squaredlogerror"
                | "reg:pseudohubererror"
                | "reg:absoluteerror"
                | "reg:quantileerror"
                | "rank:pairwise"
                | "rank:ndcg"
                | "rank:map" => Some(Link::Identity),
                _ => None,
            },
            "LightGBM" => match name {
                "binary" | "multiclassova" => Some(sigmoid),
                "cross_entropy" | "xentropy" => Some(logistic),
                "cross_entropy_lambda" | "xentlambda" => Some(Link::Softplus),
                "multiclass" => Some(Link::Softmax),
                "poisson" | "gamma" | "tweedie" => Some(Link::Exp),
                "regression" if word("sqrt").is_some() => Some(Link::SignedSquare),
                "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape"
                | "lambdarank" | "rank_xendcg" => Some(Link::Identity),
                _ => None,
            },
            "CatBoost" => match name {
                "Logloss" | "CrossEntropy" | "Focal" | "MultiClassOneVsAll" | "MultiLogloss"
                | "MultiCrossEntropy" => Some(logistic),
                "MultiClass" => Some(Link::Softmax),
                // Of Cox what prediction_type="Exponent" gives, a hazard; the default are the margins.
                "Poisson" | "Tweedie" | "Cox" => Some(Link::Exp),
                "RMSEWithUncertainty" => Some(Link::Variance),
                "RMSE" | "MAE" | "Quantile" | "MultiQuantile" | "MAPE" | "Huber" | "Expectile"
                | "Lq" | "LogCosh" | "MultiRMSE" | "YetiRank" | "YetiRankPairwise"
                | "PairLogit" | "PairLogitPairwise" | "QueryRMSE" | "LambdaMart"
                | "StochasticRank" => Some(Link::Identity),
                _ => None,
            },
            "ONNX" => match name {
                "" => Some(Link::Identity),
                "LOGISTIC" => Some(logistic),
                "SOFTMAX" => Some(Link::Softmax),
                _ => None,
            },
            "treelite" => match name {
                "identity" | "identity_multiclass" => Some(Link::Identity),
                "sigmoid" | "multiclass_ova" => Some(sigmoid),
                "softmax" if self.objective == name => Some(Link::Softmax),
                "exponential" => Some(Link::Exp),
                "logarithm_one_plus_exp" => Some(Link::Softplus),
                "signed_square" => Some(Link::SignedSquare),
                _ => None,
            },
            "scikit-learn" => match (name, words.next_back()) {
                ("probability", _) => Some(Link::Probability),
                (_, Some("logistic")) => Some(logistic),
                (_, Some("logistic:2")) => Some(Link::Logistic { scale: 2.0 }),
                (_, Some("softmax")) => Some(Link::Softmax),
                (_, Some("exp")) => Some(Link::Exp),
                (_, Some("margin" | "trees")) => Some(Link::Identity),
                _ => None,
            },
            _ => None,
        };
        known.ok_or_else(|| Error::Unsupported {
            what: match self.objective.as_str() {
                "" => format!("this {} model, whose file names no objective", self.format),
                objective => format!("the objective {objective} of this {} model", self.format),
            },
            by: "explanations of a model's response".to_owned(),
            instead: "explain the raw margin with output raw".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn predictions_and_losses_agree_and_do_not_overflow() {
        for margin in [-1000.0_f64, -3.0, 0.0, 0.5, 40.0, 1000.0] {
            let link = Link::Logistic { scale: 2.0 };
            let p = link.predict(&[margin])[0];
            let loss = link.log_loss(&[margin]).expect("a probability");
            assert!(loss.iter().all(|loss| loss.is_finite()), "{loss:?}");
            assert!((p - (-loss[1]).exp()).abs() < 1e-12, "{p} {loss:?}");
            assert!((1.0 - p - (-loss[0]).exp()).abs() < 1e-12, "{p} {loss:?}");
            let softplus = Link::Softplus.predict(&[margin])[0];
            assert!((softplus - margin.max(0.0) - (-margin.abs()).exp().ln_1p()).abs() < 1e-12);
        }
        let margins = [800.0, 801.0, -800.0];
        let p = Link::Softmax.predict(&margins);
        let loss = Link::Softmax.log_loss(&margins).expect("probabilities");
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{p:?}");
        let rest = (-1.0_f64).exp().ln_1p();
        assert!((loss[1] - rest).abs() < 1e-12, "{loss:?}");
        assert!((loss[2] - rest - 1601.0).abs() < 1e-9, "{loss:?}");
        assert_eq!(Link::Exp.log_loss(&[1.0]), None);
    }
}
