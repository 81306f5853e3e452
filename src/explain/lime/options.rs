//! How LIME samples, weighs and chooses.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What numbers are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Discretizer {
    /// Four bins of as many training rows each.
    #[default]
    Quartile,
    /// Ten bins of as many training rows each.
    Decile,
    /// Up to eight bins that tell the labels of the training rows apart: the leaves of a decision tree of depth 3.
    Entropy,
    /// No bins: numbers are quantities, in standard deviations of the training rows.
    None,
}

/// How the features of a row's model are chosen, where these are to be fewer than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Selection {
    /// [`Selection::ForwardSelection`] for up to 6 features, else [`Selection::HighestWeights`].
    #[default]
    Auto,
    /// One after the other, each time the feature with which the weighted R² is largest, without a penalty.
    ForwardSelection,
    /// Those of the largest |coefficient · representation of the row| in a ridge regression on all, with penalty 0.01.
    HighestWeights,
    /// Those of the longest part of the lasso's path, by least angle regression, that has no more.
    LassoPath,
    /// All features, whatever number is asked for.
    None,
}

/// How LIME explains. The defaults are those of lime 0.2, but for the number of features.
#[derive(Debug, Clone, PartialEq)]
pub struct LimeOptions {
    /// What numbers are compared by.
    pub discretizer: Discretizer,
    /// The class of each training row, which [`Discretizer::Entropy`] needs.
    pub labels: Option<Vec<u32>>,
    /// The features, by position, whose numbers are categories; those that have labels in the model are so anyway.
    pub categorical: Vec<usize>,
    /// The distance at which a sample weighs `exp(−1/2)`, above 0; `None` for 0.75 times the root of the number of
    /// features.
    pub kernel_width: Option<f64>,
    /// Features of a row's model at most, at least 1; `None` for all.
    pub num_features: Option<usize>,
    /// Samples with the row itself, at least 2. Where they are no more than the features of a row's model and its
    /// intercept, there are no standard errors and no local fit.
    pub num_samples: usize,
    /// How features are chosen.
    pub feature_selection: Selection,
    /// Whether samples are drawn around each row, and not around the training rows: for [`Discretizer::None`]. The
    /// model is then asked for the samples of every row.
    pub sample_around_instance: bool,
}

impl Default for LimeOptions {
    fn default() -> Self {
        Self {
            discretizer: Discretizer::default(),
            labels: None,
            categorical: Vec::new(),
            kernel_width: None,
            num_features: None,
            num_samples: 5000,
            feature_selection: Selection::default(),
            sample_around_instance: false,
        }
    }
}

impl Discretizer {
    const ALL: [Self; 4] = [Self::Quartile, Self::Decile, Self::Entropy, Self::None];

    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quartile => "quartile",
            Self::Decile => "decile",
            Self::Entropy => "entropy",
            Self::None => "none",
        }
    }
}

impl Selection {
    const ALL: [Self; 5] = [
        Self::Auto,
        Self::ForwardSelection,
        Self::HighestWeights,
        Self::LassoPath,
        Self::None,
    ];

    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ForwardSelection => "forward_selection",
            Self::HighestWeights => "highest_weights",
            Self::LassoPath => "lasso_path",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Discretizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Discretizer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "discretizer",
                got: format!("\"{text}\""),
                allowed: "quartile, decile, entropy, or none".to_owned(),
            })
    }
}

impl FromStr for Selection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "feature_selection",
                got: format!("\"{text}\""),
                allowed: "auto, forward_selection, highest_weights, lasso_path, or none".to_owned(),
            })
    }
}
