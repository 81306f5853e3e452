//! What values add up to, of what a model answers.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::explain::method::beyond_range;

/// A function of the mean answer of a coalition: what the coalition is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Link {
    /// The mean answer itself.
    #[default]
    Identity,
    /// The log-odds of the mean answer, `ln(p / (1 − p))`, which has to be a probability.
    Logit,
}

impl Link {
    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Link::Identity => "identity",
            Link::Logit => "logit",
        }
    }

    /// Infinite, or no number, where it is not defined.
    pub(super) fn of(self, mean: f64) -> f64 {
        match self {
            Link::Identity => mean,
            Link::Logit => (mean / (1.0 - mean)).ln(),
        }
    }

    /// As [`Link::of`], of the means of a coalition.
    pub(super) fn of_all(self, means: &mut [f64]) -> Result<()> {
        for mean in means {
            if !mean.is_finite() {
                return Err(beyond_range(
                    "the mean answer over the background".to_owned(),
                    &format!("it is {mean}: numbers of the model leave the range of float64"),
                ));
            }
            let worth = self.of(*mean);
            if !worth.is_finite() {
                return Err(Error::Unsupported {
                    what: format!("a mean answer of {mean}"),
                    by: format!("the link {self}, which takes numbers between 0 and 1"),
                    instead: "take the link identity".to_owned(),
                });
            }
            *mean = worth;
        }
        Ok(())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Link {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = [Link::Identity, Link::Logit].into_iter();
        all.find(|link| link.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "link",
                got: format!("\"{text}\""),
                allowed: "identity, or logit".to_owned(),
            })
    }
}
