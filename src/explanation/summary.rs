//! A running global summary: the ranking of any number of rows in constant memory.

use ndarray::{Array2, Array3, ArrayView3, Axis, Zip, concatenate, s};

use super::{Block, Header, Sink, Trailer, rank};
use crate::error::{Error, Result};

/// A sink that keeps the ranking of all rows, the spread of their values, and the values of the first
/// ones.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    keep: usize,
    rows: u64,
    /// Σ |value| over rows, (features, outputs).
    sums: Array2<f64>,
    /// Σ (|value| − mean)² over rows, (features, outputs).
    squares: Array2<f64>,
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

    /// Standard deviation of |value| over rows, (features, outputs): how much a feature matters to one
    /// row more than to another. 0 for features that matter to all rows alike.
    pub fn spread(&self) -> Array2<f64> {
        let rows = self.rows.max(1) as f64;
        self.squares.mapv(|squares| (squares / rows).sqrt())
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
            squares: Array2::zeros((shape.1, shape.2)),
            first: Array3::zeros(shape),
        };
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        let values = block.values;
        for row in values.axis_iter(Axis(0)) {
            let before = self.rows as f64;
            self.rows += 1;
            let rows = self.rows as f64;
            // Youngs & Cramer (1971): each row adds a square, so that no variance is negative, and none
            // is the small difference of large sums.
            let share = 1.0 / (rows * before.max(1.0));
            Zip::from(&mut self.sums)
                .and(&mut self.squares)
                .and(&row)
                .for_each(|sum, squares, value| {
                    let size = f64::from(value.abs());
                    *sum += size;
                    *squares += share * (rows * size - *sum).powi(2);
                });
        }
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

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Axis, array, s};

    use super::Summary;
    use crate::explanation::{Header, Sink};

    fn summary(values: &Array3<f32>, blocks: &[usize]) -> Summary {
        let mut summary = Summary::new(0);
        let (_, features, outputs) = values.dim();
        summary
            .begin(&Header {
                feature_names: vec![String::new(); features],
                output_names: vec![String::new(); outputs],
                ..header()
            })
            .expect("a header");
        let mut start = 0;
        for &rows in blocks {
            summary
                .block(&values.slice(s![start..start + rows, .., ..]).into())
                .expect("a block");
            start += rows;
        }
        summary
    }

    fn header() -> Header {
        Header {
            method: String::new(),
            value_function: String::new(),
            output: String::new(),
            estimator: String::new(),
            exact: true,
            base_values: Vec::new(),
            index: String::new(),
            feature_names: Vec::new(),
            columns: Vec::new(),
            groups: Vec::new(),
            output_names: Vec::new(),
            model_format: String::new(),
            objective: String::new(),
            interactions: false,
            rules: Vec::new(),
            lime: None,
            tolerance: None,
            fallback: String::new(),
            cover: String::new(),
            device: String::new(),
            device_reason: String::new(),
            seed: 0,
            version: String::new(),
        }
    }

    #[test]
    fn the_spread_is_that_of_the_sizes_in_any_blocks() {
        let values = Array3::from_shape_fn((7, 2, 3), |(row, feature, output)| {
            let step = (row * 5 + feature * 3 + output) % 7;
            (step as f32 - 3.0) * (1 + feature) as f32
        });
        let sizes = values.mapv(|value| f64::from(value.abs()));
        let expected = sizes.std_axis(Axis(0), 0.0);
        for blocks in [&[7][..], &[1, 6], &[2, 2, 3]] {
            let summary = summary(&values, blocks);
            let apart = (&summary.spread() - &expected).mapv(f64::abs);
            assert!(apart.iter().all(|&apart| apart < 1e-12), "{apart}");
            let means = sizes.mean_axis(Axis(0)).expect("rows");
            assert!(
                (summary.means() - means)
                    .iter()
                    .all(|&apart| apart.abs() < 1e-12)
            );
        }
    }

    #[test]
    fn a_feature_of_one_size_has_no_spread_and_no_nan() {
        let mut values = Array3::from_elem((1001, 1, 2), 1.000_000_1e7_f32);
        values.slice_mut(s![.., 0, 1]).fill(0.1);
        values
            .slice_mut(s![..;2, .., ..])
            .mapv_inplace(|value| -value);
        let spread = summary(&values, &[1, 1000]).spread();
        assert!(spread.iter().all(|&spread| spread < 1e-8), "{spread}");
        assert_eq!(summary(&values, &[1]).spread(), array![[0.0, 0.0]]);
        assert_eq!(summary(&values, &[]).spread(), array![[0.0, 0.0]]);
    }

    #[test]
    fn a_small_spread_about_a_large_mean_is_kept() {
        let values = Array3::from_shape_fn((1000, 1, 1), |(row, _, _)| 1e6 + (row % 2) as f32);
        let spread = summary(&values, &[300, 700]).spread();
        assert!((spread[[0, 0]] - 0.5).abs() < 1e-9, "{spread}");
    }
}
