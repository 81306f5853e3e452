//! `--method mimic`: what learns, and the explainer of it.

use std::sync::Arc;

use clap::Args;
use whylight::data::View;
use whylight::explain::mimic::Surrogate;
use whylight::{Error, Explainer, Model, Options, Result, Table};

/// What learns to answer as the model does.
#[derive(Debug, Args)]
pub(super) struct MimicArgs {
    /// What learns the model's answers to the background (mimic): trees (gradient boosted), linear, or auto (the one
    /// that answers best for the fifth of the rows that is held out)
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    surrogate: Surrogate,
}

impl MimicArgs {
    /// The explainer of a surrogate of a model.
    pub(super) fn explainer(
        &self,
        model: &Arc<Model>,
        background: Option<&Table>,
        options: Options,
    ) -> Result<Explainer> {
        let Some(background) = background else {
            return Err(Error::Parameter {
                name: "background",
                got: "none".to_owned(),
                allowed: "a surrogate learns what the model answers to the rows of a background; give the \
                          training rows, or a sample of them"
                    .to_owned(),
            });
        };
        Explainer::mimic(model, &View::from(background), self.surrogate, options)
    }

    /// Whether nothing was said.
    pub(super) fn is_default(&self) -> bool {
        self.surrogate == Surrogate::default()
    }
}
