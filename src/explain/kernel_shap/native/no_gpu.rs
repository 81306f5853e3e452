//! What stands for a GPU in a build that has none: nothing.

use whylight_kernels::least_squares::LeastSquares;

use super::Native;
use super::lower::Lowered;
use crate::device::Device;
use crate::error::Result;
use crate::explain::coalitions::Pair;
use crate::explain::kernel_shap::games::Game;
use crate::explain::kernel_shap::source::Solved;

/// There is none.
#[derive(Debug)]
pub(super) enum OnGpu {}

#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
impl OnGpu {
    pub(super) fn new(_: &Device, _: &Lowered, _: Option<u64>) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn rows_at_once(&self, _: usize, _: usize) -> usize {
        match *self {}
    }

    pub(super) fn means(
        &self,
        _: &Native,
        _: &[&Game],
        _: &[u32],
        _: usize,
    ) -> Result<Option<Vec<f64>>> {
        match *self {}
    }

    pub(super) fn values(
        &self,
        _: &Native,
        _: &[&Game],
        _: (&LeastSquares, &[Pair]),
        _: &[f64],
    ) -> Result<Option<Vec<Solved>>> {
        match *self {}
    }

    pub(super) fn products(
        &self,
        _: &Native,
        _: &[&Game],
        _: &[f64],
    ) -> Result<Option<Vec<Vec<f64>>>> {
        match *self {}
    }
}
