//! What stands for a GPU in a build that has none: nothing.

use std::sync::Arc;

use super::Engine;
use super::graph::Graph;
use crate::error::Result;
use crate::explain::Options;

#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
pub(super) fn engine(
    _: &Options,
    _: &Arc<Graph>,
    _: &[&[f64]],
    _: &[f64],
) -> Result<Option<Box<dyn Engine>>> {
    Ok(None)
}
