//! A running global summary: the ranking of any number of rows in constant memory.

use ndarray::{Array2, Array3, ArrayView3, Axis, Zip, concatenate, s};

use super::{Header, Sink, Trailer, rank};
use crate::error::{Error, Result};

/// A sink that keeps the ranking of all rows and the values of the first ones.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    keep: usize,
    rows: u64,
    /// Σ |value| over rows, (features, outputs).
    sums: Array2<f64>,
    first: Array3<f32>,
}

impl Summary {
    /// A summary that keeps the values of the first `keep` rows.
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Features by mean |value|, as [`super::Explanation::ranking`].
    pub fn ranking(&self) -> Vec<(usize, f64)> {
        let rows = self.rows.max(1) as f64;
        rank(self.sums.axis_iter(Axis(0)).map(|sums| sums.sum() / rows))
    }

    /// Mean |value| over rows, (features, outputs).
    pub fn means(&self) -> Array2<f64> {
        &self.sums / self.rows.max(1) as f64
    }

    /// The values (rows, features, outputs) of the first rows.
    pub fn first(&self) -> ArrayView3<'_, f32> {
        self.first.view()
    }
}

impl Sink for Summary {
    fn begin(&mut self, header: &Header) -> Result<()> {
        let shape = (0, header.cells(), header.output_names.len());
        *self = Self {
            keep: self.keep,
            rows: 0,
            sums: Array2::zeros((shape.1, shape.2)),
            first: Array3::zeros(shape),
        };
        Ok(())
    }

    fn block(&mut self, values: ArrayView3<'_, f32>) -> Result<()> {
        for row in values.axis_iter(Axis(0)) {
            Zip::from(&mut self.sums)
                .and(&row)
                .for_each(|sum, value| *sum += f64::from(value.abs()));
        }
        self.rows += values.dim().0 as u64;
        let wanted = (self.keep - self.first.dim().0).min(values.dim().0);
        if wanted > 0 {
            let more = values.slice(s![..wanted, .., ..]);
            let joined = concatenate(Axis(0), &[self.first.view(), more]);
            self.first = joined.map_err(|error| Error::Shape {
                what: "the values of a block".to_owned(),
                expected: "the features and outputs of the header".to_owned(),
                got: error.to_string(),
            })?;
        }
        Ok(())
    }

    fn end(&mut self, _trailer: &Trailer) -> Result<()> {
        Ok(())
    }
}
