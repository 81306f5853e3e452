//! What stands for a GPU in a build that has none: nothing.

use std::sync::Arc;

use ndarray::Array2;
use whylight_kernels::shuffled_trees::Trees;

use super::PermutationOptions;
use super::engine::{Engine, Place, Shuffled};
use super::rows::Rows;
use crate::error::Result;
use crate::explain::answers::Answers;
use crate::model::Model;

/// There are none.
#[derive(Debug)]
pub(super) enum Shuffles {}

impl Shuffles {
    #[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
    pub(super) fn new(
        _: &Trees,
        _: &[Vec<i32>],
        _: usize,
        _: &PermutationOptions,
    ) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn sums(&self, _: &[u32], _: usize, _: &[&[u32]]) -> Result<Vec<i64>> {
        match *self {}
    }
}

/// There are none.
#[derive(Debug)]
pub(super) enum Games {}

impl Games {
    #[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
    pub(super) fn new(
        _: &Arc<Model>,
        _: &Rows,
        _: &Answers,
        _: &PermutationOptions,
    ) -> Result<Option<Self>> {
        Ok(None)
    }
}

impl Engine for Games {
    fn name(&self) -> &'static str {
        match *self {}
    }

    fn place(&self) -> &Place {
        match *self {}
    }

    fn base(&self, _: &Rows) -> Result<Array2<f64>> {
        match *self {}
    }

    fn answers(&self, _: &Rows, _: &Shuffled) -> Result<Vec<Array2<f64>>> {
        match *self {}
    }
}
