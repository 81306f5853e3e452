//! What stands for a GPU in a build that has none: nothing.

use ndarray::Array2;

use super::fit::{About, Fit};
use super::samples::Samples;
use crate::error::Result;
use crate::explain::Options;

/// No GPU.
#[derive(Debug)]
pub(super) enum OnGpu {}

impl OnGpu {
    #[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
    pub(super) fn new(
        _: &Options,
        _: &Samples,
        _: &Array2<f64>,
        _: &[f64],
    ) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn fits(&self, _: &[f32], _: &[About<'_>]) -> Result<Vec<Vec<Fit>>> {
        match *self {}
    }
}
