//! What stands for a GPU in a build that has none: nothing.

use std::sync::Arc;

use super::Engine;
use super::graph::Graph;
use super::lines::Lines;
use crate::error::Result;
use crate::explain::Options;
use crate::model::Network;

#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
pub(super) fn gradients(
    _: &Options,
    _: &Network,
    _: Option<usize>,
    _: Lines,
    _: &[&[f64]],
    _: &[f64],
) -> Result<Option<Box<dyn Engine>>> {
    Ok(None)
}

#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
pub(super) fn engine(
    _: &Options,
    _: &Arc<Graph>,
    _: &[&[f64]],
    _: &[f64],
) -> Result<Option<Box<dyn Engine>>> {
    Ok(None)
}
