//! What the features outside a coalition take their values from.

use std::path::Path;

use ndarray::ArrayView2;
use whylight_kernels::ROWS;

use crate::data::{Encoder, View, city_hash};
use crate::error::{Error, MEMORY, Result};
use crate::model::Feature;

/// What the features outside a coalition take their values from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Background<'a> {
    /// Rows, each of which counts alike.
    Rows(View<'a>),
    /// Rows with a weight each: finite, none negative, not all 0.
    Weighted(View<'a>, &'a [f64]),
    /// The moments of a distribution, for linear models, in the order of the model's features.
    Moments {
        /// One mean per feature.
        mean: &'a [f64],
        /// The covariance (features, features), which
        /// [`ValueFunction::Conditional`](super::ValueFunction::Conditional) needs.
        covariance: Option<ArrayView2<'a, f64>>,
    },
}

/// Rows that are read at a time.
const BLOCK: usize = 64;

/// How errors name the background.
pub(super) const NAME: &str = "the background";

/// How a table is read by a model, of whose features some may be kept.
pub(super) fn encoder(
    features: &[Feature],
    kept: Option<&[u32]>,
    view: &View<'_>,
) -> Result<Encoder> {
    let encoder = Encoder::new(features, view.names(), view.columns())?;
    Ok(match kept {
        Some(kept) => encoder.keep(kept),
        None => encoder,
    })
}

/// The rows of a background, as the model reads them.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) rows: usize,
    /// At least one.
    pub(super) features: usize,
    /// (rows, features).
    pub(super) cells: Vec<f64>,
    /// The columns in messages, by feature.
    titles: Vec<String>,
}

impl Sample {
    /// Reads rows, at least one.
    pub(super) fn read(
        features: &[Feature],
        kept: Option<&[u32]>,
        view: &View<'_>,
    ) -> Result<Self> {
        Self::of(features, kept, view).map_err(|error| error.in_file(Path::new(NAME)))
    }

    fn of(features: &[Feature], kept: Option<&[u32]>, view: &View<'_>) -> Result<Self> {
        let encoder = encoder(features, kept, view)?;
        let batch = encoder.batch(view)?;
        if batch.rows() == 0 {
            return Err(empty());
        }
        let features = batch.features();
        let mut cells = vec![0.0; batch.rows() * features];
        let mut block = vec![0.0; BLOCK * features];
        for (index, cells) in cells.chunks_mut((BLOCK * features).max(1)).enumerate() {
            let (start, height) = (index * BLOCK, cells.len() / features);
            let block = &mut block[..cells.len()];
            batch.fill(start..start + height, block)?;
            for (at, cell) in cells.iter_mut().enumerate() {
                *cell = block[at % features * height + at / features];
            }
        }
        Ok(Self {
            rows: batch.rows(),
            features: batch.features(),
            cells,
            titles: (0..batch.features())
                .map(|feature| batch.title(feature).to_owned())
                .collect(),
        })
    }

    /// The rows, one after the other.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks(self.features.max(1))
    }

    /// The column of a feature in messages.
    pub(super) fn title(&self, feature: usize) -> &str {
        &self.titles[feature]
    }

    /// As a result names it.
    pub(super) fn cover(&self, weights: Option<&[f64]>) -> String {
        let blocks = self.cells.chunks((ROWS * self.features).max(1));
        let hashes: Vec<u64> = blocks.map(|cells| hash(&[cells])).collect();
        describe(self.rows, &hashes, weights)
    }
}

/// How a result names a background: by its rows, a hash of the cells, and of the weights where it
/// has some. The cells come as the [`hash`] of each block of [`ROWS`] rows.
pub(super) fn describe(rows: usize, blocks: &[u64], weights: Option<&[f64]>) -> String {
    let weighted = if weights.is_some() { " weighted" } else { "" };
    let mut words = blocks.to_vec();
    words.extend(weights.unwrap_or_default().iter().map(|w| w.to_bits()));
    let hash = city_hash(bytemuck::cast_slice(&words));
    format!("background of {rows}{weighted} rows, hash {hash:016x}")
}

/// A background without rows.
pub(super) fn empty() -> Error {
    Error::Data {
        path: MEMORY.into(),
        at: "its end".to_owned(),
        reason: "no rows; expected the training rows, or a sample of them".to_owned(),
    }
}

pub(super) fn check_weights(weights: &[f64], rows: usize) -> Result<()> {
    if weights.len() != rows {
        return Err(Error::Shape {
            what: "the weights".to_owned(),
            expected: format!("one for each of {rows} rows"),
            got: weights.len().to_string(),
        });
    }
    let refused = |got: String| Error::Parameter {
        name: "weights",
        got,
        allowed: "finite numbers, none negative, not all 0".to_owned(),
    };
    let bad = |weight: &&f64| !(weight.is_finite() && **weight >= 0.0);
    if let Some(weight) = weights.iter().find(bad) {
        return Err(refused(weight.to_string()));
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(refused("0 for every row".to_owned()));
    }
    Ok(())
}

/// A hash of numbers, down to the bit.
pub(super) fn hash(parts: &[&[f64]]) -> u64 {
    match parts {
        [one] => city_hash(bytemuck::cast_slice(one)),
        parts => city_hash(bytemuck::cast_slice(&parts.concat())),
    }
}
