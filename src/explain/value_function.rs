//! The games that a model can be explained by.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What a coalition of features is worth: the expected output of the model when the features of the
/// coalition take the row's values and the others what this says.
///
/// [`ValueFunction::Interventional`] values are true to the model, [`ValueFunction::Conditional`]
/// ones true to the data (Chen et al. 2020): where features are correlated, the first give credit
/// only to those that the model uses, the second also to those that tell of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ValueFunction {
    /// The method's own: for trees interventional where there is a background, else path-dependent;
    /// interventional for linear models.
    #[default]
    Auto,
    /// The others follow the rows that each split of a tree sent either way in training: the covers
    /// of the model, or where it has none, those counted from the background (Lundberg et al. 2020).
    PathDependent,
    /// The others take the values of background rows, whatever the coalition.
    Interventional,
    /// The others follow the distribution of the background given the coalition.
    Conditional,
}

impl ValueFunction {
    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            ValueFunction::Auto => "auto",
            ValueFunction::PathDependent => "path_dependent",
            ValueFunction::Interventional => "interventional",
            ValueFunction::Conditional => "conditional",
        }
    }
}

impl fmt::Display for ValueFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ValueFunction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [
            Self::Auto,
            Self::PathDependent,
            Self::Interventional,
            Self::Conditional,
        ];
        all.into_iter()
            .find(|value_function| value_function.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "value_function",
                got: format!("\"{text}\""),
                allowed: "auto, path_dependent, interventional, or conditional".to_owned(),
            })
    }
}
